"""The page on which a user lets an API client act for them, and the way back with a code."""

import re
from html import escape
from urllib.parse import parse_qs, urlencode, urlsplit

from drdash.simulator.answers import Request, Response, page
from drdash.simulator.codes import LIFE, Code
from drdash.simulator.directory import CODE, ApiClient
from drdash.simulator.tokens import IDENTITY, Issuer

_ASKED = ("response_type", "client_id", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method")
_CHALLENGE = re.compile("[A-Za-z0-9_-]{43}")


def respond(request: Request, issuer: Issuer) -> Response:
    """GET shows the page; its form's POST leads back, with a code or with `access_denied`."""
    text = request.query if request.method == "GET" else request.body.decode("utf-8", "replace")
    given = {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()}
    client, redirect = issuer.directory.client(given.get("client_id", "")), given.get("redirect_uri", "")
    if client is None or not client.enabled:
        return _page(400, "<h1>Nobody known asks</h1><p>There is no such API client.</p>")
    if not _leads_back(redirect):
        return _page(400, "<h1>There is no way back</h1><p>redirect_uri is not an address of http or https.</p>")
    scopes = frozenset(given.get("scope", "").split())
    if problem := _problem(given, client, scopes - IDENTITY):
        return _back(redirect, given, error=problem)
    if request.method == "GET":
        return _ask(request.path, given, client, issuer)
    if given.get("decision") != "allow":
        return _back(redirect, given, error="access_denied")
    code = Code(
        client=client.id,
        redirect=redirect,
        challenge=given["code_challenge"],
        scopes=scopes - IDENTITY or client.scopes,
        offline="offline_access" in scopes,
        expires=request.now + LIFE * issuer.speed,
    )
    return _back(redirect, given, code=issuer.codes.give(code))


def _problem(given: dict[str, str], client: ApiClient, scopes: frozenset[str]) -> str:
    if given.get("response_type") != "code":
        return "unsupported_response_type"
    if given.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(given.get("code_challenge", "")):
        return "invalid_request"
    if CODE not in client.grants:
        return "unauthorized_client"
    return "" if scopes <= client.scopes else "invalid_scope"


def _leads_back(redirect: str) -> bool:
    try:
        parts = urlsplit(redirect)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.fragment
    except ValueError:
        return False


def _back(redirect: str, given: dict[str, str], **answer: str) -> Response:
    if "state" in given:
        answer["state"] = given["state"]
    location = redirect + ("&" if urlsplit(redirect).query else "?") + urlencode(answer)
    return Response(303, b"", (("Location", location), ("Cache-Control", "no-store")))


def _ask(path: str, given: dict[str, str], client: ApiClient, issuer: Issuer) -> Response:
    tenant = issuer.directory.tenant(client.tenant)
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{escape(given[name])}">' for name in _ASKED if name in given
    )
    scopes = "".join(f"<li><code>{escape(one)}</code>" for one in sorted(client.scopes))
    return _page(
        200,
        f"<h1>Allow drdash to see and act in {escape(client.tenant if tenant is None else tenant.name)}?</h1>"
        f"<p>The API client <code>{escape(client.id)}</code> asks. You are signed in as"
        f" <b>{escape(issuer.username)}</b>.</p><ul>{scopes}</ul>"
        f'<form method="post" action="{escape(path)}">{hidden}<button name="decision" value="allow">Allow</button>'
        ' <button name="decision" value="deny">Deny</button></form>',
    )


def _page(status: int, body: str) -> Response:
    return page(status, _FRAME.format(body=body))


_FRAME = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>The vendor's sign-in</title>
<style>body{{font:1rem/1.5 system-ui;max-width:40rem;margin:4rem auto;padding:0 1rem}}button{{font:inherit}}</style>
{body}
</html>
"""
