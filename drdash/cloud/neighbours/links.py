"""Whose links are followed: those on the credential's own host, to the API that they are for, and no other."""

import re
from urllib.parse import urlsplit

from drdash.cloud.account import BadAddress, root

BACKUPS = re.compile(r"(?:/bc)?/api/vault_manager(?:/[A-Za-z0-9_-]+)+")
# Where a screenshot may be: any API but the one that gives tokens.
ANY_API = re.compile(r"(?:/bc)?/api(?!/2/idp/)(?:/(?!\.)[A-Za-z0-9._~-]+)+")
_ORIGIN = re.compile(r"(?i:https?)://[^/?#@\\\s]+(?=/)")
_QUERY = re.compile(r"[A-Za-z0-9._~:@!$'()*+,;=/?%&-]*")


def own_path(href: str, own: str, *, api: re.Pattern[str]) -> str | None:
    """The path and query of a link to ``api`` on the host of ``own`` (an account's root); None for any other link."""
    if (start := _ORIGIN.match(href)) is None:
        return None
    try:
        if root(start[0], plain_http_hosts=(urlsplit(own).hostname or "",)) != own:
            return None
    except BadAddress:
        return None
    rest = href[start.end() :]
    path, _, query = rest.partition("?")
    return rest if api.fullmatch(path) and _QUERY.fullmatch(query) else None
