"""Which cloud, and as whom: the address is checked here, before anything is ever sent to it."""

import re
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

import msgspec

from drdash.cloud.errors import CloudError
from drdash.english import english

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\.?", re.ASCII)


class BadAddress(CloudError):
    """The address is not the root of a cloud, or plain http is not allowed to it; nothing was sent. Blame: what
    was typed. Remedy: the cloud's root as in the browser, such as https://eu2-cloud.example.com.
    """


class Grant(StrEnum):
    """How to get a token: for an API client's secret, for a user's password, for a user's sign-in in the browser, or
    for a signed assertion: one that was given, or else a partner's own token.
    """

    CLIENT_CREDENTIALS = "client_credentials"
    PASSWORD = "password"  # noqa: S105  the grant's name
    AUTHORIZATION_CODE = "authorization_code"
    JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One set of API credentials at one cloud. ``cloud`` is its root; ``ca_bundle`` a file of certificates to trust
    instead of the usual ones; ``proxy`` the URL of an HTTP proxy. Plain http goes to loopback and
    ``plain_http_hosts`` alone. With the grant ``password`` the client may be left out, and with an ``assertion``.
    With the grant JWT_BEARER and without an ``assertion`` the client is a partner's: ``tenant`` is the uuid of the
    customer whose token its own is exchanged for; without it the account is the partner itself.
    """

    cloud: str
    grant: Grant = Grant.CLIENT_CREDENTIALS
    client_id: str = ""
    client_secret: str = ""
    username: str = ""
    password: str = ""
    assertion: str = ""
    tenant: str = ""
    plain_http_hosts: tuple[str, ...] = ()
    proxy: str | None = None
    ca_bundle: str | None = None

    def __repr__(self) -> str:
        names = f"client_id={self.client_id!r}, username={self.username!r}, tenant={self.tenant!r}"
        return f"Account(cloud={self.cloud!r}, {names})"

    @property
    def of_partner(self) -> bool:
        """Whether its token is a customer's that a partner's is exchanged for."""
        return self.grant is Grant.JWT_BEARER and not self.assertion and self.tenant != ""

    @property
    def root(self) -> str:
        """The cloud's root as ``scheme://host[:port]``, lower case. Raises BadAddress."""
        return root(self.cloud, plain_http_hosts=self.plain_http_hosts)


def root(address: str, *, plain_http_hosts: tuple[str, ...] = ()) -> str:
    """A cloud's address as typed → ``scheme://host[:port]``, lower case. Raises BadAddress with what is wrong."""
    if not address.isascii() or not address.isprintable() or " " in address.strip() or "\\" in address:
        raise BadAddress(english("The cloud's address has characters that no address has."))
    try:
        parts = urlsplit(address.strip().lower())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise BadAddress(english("The cloud's address cannot be read as a URL.")) from None
    if parts.scheme not in {"https", "http"}:
        raise BadAddress(english("The cloud's address must start with https://."))
    if "@" in parts.netloc:
        raise BadAddress(english("The cloud's address must not contain a user or a password."))
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise BadAddress(english("Give the cloud's root alone, such as https://eu2-cloud.example.com, without a path."))
    address_of_host = _ip(host)
    if address_of_host is None and not _HOST.fullmatch(host):
        raise BadAddress(english("The cloud's address has no readable host name."))
    # One spelling for one cloud: actions on the same server must meet.
    host = host.removesuffix(".")
    port = None if port == {"https": 443, "http": 80}[parts.scheme] else port
    loopback = host == "localhost" or (address_of_host is not None and address_of_host.is_loopback)
    if parts.scheme == "http" and not loopback and host not in {allowed.lower() for allowed in plain_http_hosts}:
        raise BadAddress(
            english("Plain http to %(host)s would show the secret to everyone on the way: use https.", host=host)
        )
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{'' if port is None else f':{port}'}"


def _ip(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
