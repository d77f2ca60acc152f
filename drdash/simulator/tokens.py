"""The token endpoint of the identity provider: secrets, passwords, codes and assertions in, bearer tokens out."""

import binascii
import math
import secrets
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hmac import compare_digest
from urllib.parse import parse_qs

from drdash.simulator import assertions
from drdash.simulator.answers import Request, Response, answer
from drdash.simulator.codes import Codes
from drdash.simulator.directory import (
    CUSTOMER,
    GRANTS,
    JWT_BEARER,
    PASSWORD,
    REFRESH,
    ApiClient,
    Directory,
)
from drdash.simulator.issues import JSON

Form = Mapping[str, list[str]]

USERNAME = "drdash-user"
USERS_PASSWORD = "simulated-secret-password"  # noqa: S105  opens nothing but a simulator
TENANT_SCOPE = "urn:acronis.com:tenant-id:"
# What OpenID Connect asks for, beside what a token may do.
IDENTITY = frozenset({"offline_access", "openid", "profile", "email"})
_WITHOUT_CLIENT = frozenset({PASSWORD, REFRESH, JWT_BEARER})


@dataclass(frozen=True, kw_only=True)
class Bearer:
    """What a token stands for. One made from another, its `parent`, is worth nothing without that."""

    client: str
    tenant: str
    scopes: frozenset[str]
    expires: float = math.inf
    parent: str = ""


@dataclass(kw_only=True)
class Issuer:
    """The identity provider of a directory, with one user, who is of the first client's tenant and has its scopes.

    `life` is a token's life in seconds. The user needs no client unless `demands_client`, and cannot have a token for
    a password with `second_factor`.
    """

    directory: Directory
    username: str = USERNAME
    password: str = field(default=USERS_PASSWORD, repr=False)
    demands_client: bool = False
    second_factor: bool = False
    life: float = 7200.0
    speed: float = 1.0  # of the world's clock, by which tokens expire
    tells_expires_in: bool = True  # beside expires_on, which is by the cloud's clock
    codes: Codes = field(default_factory=Codes, repr=False)
    _issued: dict[str, Bearer] = field(default_factory=dict, repr=False)
    _refreshing: dict[str, Bearer] = field(default_factory=dict, repr=False)
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    @property
    def client_id(self) -> str:
        return self.directory.clients[0].id

    @client_id.setter
    def client_id(self, client_id: str) -> None:
        self.directory.clients[0].id = client_id

    @property
    def client_secret(self) -> str:
        return self.directory.clients[0].secret

    @client_secret.setter
    def client_secret(self, secret: str) -> None:
        self.directory.clients[0].secret = secret

    @property
    def scopes(self) -> frozenset[str]:
        return self.directory.clients[0].scopes

    @scopes.setter
    def scopes(self, scopes: frozenset[str]) -> None:
        self.directory.clients[0].scopes = scopes

    def token(self, request: Request, *, wall: float | None = None) -> Response:
        """Answer `POST /api/2/idp/token`. `wall` is what clients' clocks show, where the world's clock runs faster."""
        if request.media_type != "application/x-www-form-urlencoded":
            return _refusal(400, "invalid_request", "The request must be form-encoded.")
        form = _form(request)
        grant = form.get("grant_type", [""])
        authorization = request.headers.get("authorization", "")
        wall = request.now if wall is None else wall
        if grant == [JWT_BEARER] and authorization.lower().startswith("bearer "):
            return self._exchange(request, wall, form)
        client = self._authenticated(authorization)
        anonymous = grant[0] in _WITHOUT_CLIENT and not (authorization or self.demands_client)
        if client is None and not anonymous:
            challenge = ("WWW-Authenticate", 'Basic realm="idp"')
            return _refusal(401, "invalid_client", "The client id or the client secret is wrong.", challenge)
        if client is not None and grant[0] in GRANTS - client.grants:
            return _refusal(400, "unauthorized_client", "The client may not use this grant.")
        match grant:
            case ["client_credentials"] if client is not None:
                may = Bearer(client=client.id, tenant=client.tenant, scopes=client.scopes)
                return self._grant(request.now, wall, form, may)
            case ["password"]:
                return self._sign_in(request.now, wall, form, client)
            case ["authorization_code"] if client is not None:
                return self._redeem(request.now, wall, form, client)
            case ["refresh_token"]:
                return self._renew(request.now, wall, form, client)
            case [known] if known == JWT_BEARER:
                return self._believe(request.now, wall, form, client)
        if "grant_type" not in form:
            return _refusal(400, "invalid_request", "grant_type is missing.")
        return _refusal(400, "unsupported_grant_type", f"{', '.join(sorted(GRANTS))} are supported.")

    def bearer(self, request: Request) -> Bearer | None:
        """What the request's bearer token stands for; None when it is missing, unknown, expired or revoked."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return self._good(token, request.now) if scheme == "Bearer" else None

    def scopes_of(self, request: Request) -> frozenset[str] | None:
        """What the request's token may do with the DR API, which wants a customer's: nothing, with a partner's own."""
        held = self.bearer(request)
        if held is None:
            return None
        tenant = self.directory.tenant(held.tenant)
        return held.scopes if tenant is not None and tenant.kind == CUSTOMER and tenant.has_dr else frozenset()

    def asker(self, request: Request) -> tuple[str, str]:
        """The API client and the tenant that a request is of, good or not, as far as it tells: for the log."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            client = self.directory.client(_basic(given)[0])
            return (client.id, client.tenant) if client is not None else ("", "")
        held = self._issued.get(given)
        if held is None:
            return "", ""
        scoped = [one for one in _scopes(_form(request)) if one.startswith(TENANT_SCOPE)] if request.body else []
        return held.client, scoped[0].removeprefix(TENANT_SCOPE).lower() if scoped else held.tenant

    def assertion(self, *, now: float, lifetime: float, tenant: str = "") -> str:
        """A signed assertion of the user, or of one like them in another tenant."""
        of = tenant or self.directory.clients[0].tenant
        claims: JSON = {"iss": self.username, "sub": self.username, "tenant": of, "iat": now, "exp": now + lifetime}
        return assertions.signed(claims, self._key)

    def revoke(self, client_id: str, *, access: bool = True, refresh: bool = True) -> None:
        """The client's tokens are no longer good, or what refreshes them; `""`: those of a user without a client."""
        for kept in [self._issued] * access + [self._refreshing] * refresh:
            for token in [token for token, bearer in kept.items() if bearer.client == client_id]:
                del kept[token]

    def revoke_all(self) -> None:
        """No token is good any more, to refresh with neither."""
        self._issued.clear()
        self._refreshing.clear()

    def _good(self, token: str, now: float) -> Bearer | None:
        bearer = self._issued.get(token)
        if bearer is None or bearer.expires <= now or (bearer.parent and self._good(bearer.parent, now) is None):
            return None
        client, tenant = self.directory.client(bearer.client), self.directory.tenant(bearer.tenant)
        disabled = client is not None and not client.enabled
        return None if disabled or tenant is None or not tenant.enabled else bearer

    def _sign_in(self, now: float, wall: float, form: Form, client: ApiClient | None) -> Response:
        if not {"username", "password"} <= form.keys():
            return _refusal(400, "invalid_request", "username or password is missing.")
        given = f"{form['username'][0]}\n{form['password'][0]}".encode()
        if not compare_digest(given, f"{self.username}\n{self.password}".encode()):
            return _refusal(400, "invalid_grant", "The username or the password is wrong.")
        if self.second_factor:
            return _refusal(403, "access_denied", "A TOTP code is required.")
        return self._grant(now, wall, form, self._user(client), renewable=True)

    def _redeem(self, now: float, wall: float, form: Form, client: ApiClient) -> Response:
        verifier, redirect = (form.get(name, [""])[0] for name in ("code_verifier", "redirect_uri"))
        code = self.codes.take(form.get("code", [""])[0], now, client=client.id, verifier=verifier, redirect=redirect)
        if code is None:
            return _refusal(400, "invalid_grant", "The code is wrong, was used, is over or was given to somebody else.")
        may = Bearer(client=client.id, tenant=client.tenant, scopes=code.scopes)
        return self._grant(now, wall, {}, may, renewable=code.offline)

    def _renew(self, now: float, wall: float, form: Form, client: ApiClient | None) -> Response:
        token = form.get("refresh_token", [""])[0]
        kept = self._refreshing.get(token)
        if kept is None or (kept.client and (client is None or client.id != kept.client)):
            return _refusal(400, "invalid_grant", "The refresh token is wrong, was used or is over.")
        del self._refreshing[token]
        return self._grant(now, wall, form, kept, renewable=True)

    def _believe(self, now: float, wall: float, form: Form, client: ApiClient | None) -> Response:
        claims = assertions.verified(form.get("assertion", [""])[0], self._key)
        if claims is None or claims["sub"] != self.username or claims["exp"] <= wall:
            return _refusal(400, "invalid_grant", "The assertion is wrong or over.")
        return self._scoped(now, wall, form, replace(self._user(client), tenant=claims["tenant"]))

    def _exchange(self, request: Request, wall: float, form: Form) -> Response:
        """A token for one tenant below, made from a token of the tenant above; it ends with that."""
        held, parent = self.bearer(request), request.headers["authorization"].partition(" ")[2]
        if held is None:
            return _refusal(401, "invalid_token", "The access token is wrong or over.", ("WWW-Authenticate", "Bearer"))
        if form.get("assertion") != [parent]:
            return _refusal(400, "invalid_grant", "The assertion is not the access token that the request came with.")
        client = self.directory.client(held.client)
        if client is not None and JWT_BEARER not in client.grants:
            return _refusal(400, "unauthorized_client", "The client may not use this grant.")
        if not any(one.startswith(TENANT_SCOPE) for one in _scopes(form)):
            return _refusal(400, "invalid_scope", "The scope names no tenant.")
        return self._scoped(request.now, wall, form, replace(held, parent=parent))

    def _scoped(self, now: float, wall: float, form: Form, may: Bearer) -> Response:
        """A token of the tenant that the scope names, if it names one."""
        asked = _scopes(form)
        tenants = [one.removeprefix(TENANT_SCOPE) for one in asked if one.startswith(TENANT_SCOPE)]
        if len(tenants) > 1:
            return _refusal(400, "invalid_scope", "The scope names more than one tenant.")
        rest = {"scope": [one for one in asked if not one.startswith(TENANT_SCOPE)]}
        if not tenants:
            return self._grant(now, wall, rest, may)
        if not self.directory.lets_in(tenants[0], may.tenant):
            return _refusal(403, "access_denied", "The tenant is unknown, disabled, or gives no access to others.")
        return self._grant(now, wall, rest, replace(may, tenant=tenants[0].lower()), named=tenants[0])

    def _user(self, client: ApiClient | None) -> Bearer:
        usual = self.directory.clients[0]
        return Bearer(client="" if client is None else client.id, tenant=usual.tenant, scopes=usual.scopes)

    def _grant(
        self, now: float, wall: float, form: Form, may: Bearer, *, renewable: bool = False, named: str = ""
    ) -> Response:
        wanted = frozenset(_scopes(form)) - IDENTITY or may.scopes
        if not wanted <= may.scopes:
            return _refusal(400, "invalid_scope", "The requested scope was not granted.")
        for token in [token for token, bearer in self._issued.items() if bearer.expires <= now]:
            del self._issued[token]
        bearer = replace(may, scopes=wanted, expires=min(may.expires, now + self.life * self.speed))
        life = (bearer.expires - now) / self.speed
        # Its beginning tells what it is wherever it turns up: it opens nothing but a simulator.
        token = f"simulated-token-{secrets.token_urlsafe(32)}"
        self._issued[token] = bearer
        document: JSON = {"access_token": token, "token_type": "bearer", "expires_on": int(wall + life)}
        if self.tells_expires_in:
            document["expires_in"] = int(life)
        document["scope"] = " ".join(sorted(wanted) + [TENANT_SCOPE + named] * bool(named))
        if renewable:
            document["refresh_token"] = refresh = f"simulated-token-refresh-{secrets.token_urlsafe(32)}"
            self._refreshing[refresh] = replace(bearer, expires=math.inf)
        return answer(200, document, ("Cache-Control", "no-store"))

    def _authenticated(self, authorization: str) -> ApiClient | None:
        scheme, _, encoded = authorization.partition(" ")
        if scheme.lower() != "basic":
            return None
        client_id, secret = _basic(encoded)
        client = self.directory.client(client_id)
        if client is None or not client.enabled or not compare_digest(secret.encode(), client.secret.encode()):
            return None
        return client


def _basic(encoded: str) -> tuple[str, str]:
    try:
        client_id, _, secret = b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return client_id, secret


def _form(request: Request) -> Form:
    return parse_qs(request.body.decode("utf-8", "replace"), keep_blank_values=True)


def _scopes(form: Form) -> list[str]:
    return " ".join(form.get("scope", [])).split()


def _refusal(status: int, code: str, description: str, *headers: tuple[str, str]) -> Response:
    return answer(status, {"error": code, "error_description": description}, ("Cache-Control", "no-store"), *headers)
