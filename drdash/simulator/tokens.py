"""The token endpoint of the identity provider: a client's secret or a user's password in, bearer tokens out."""

import binascii
import secrets
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from hmac import compare_digest
from urllib.parse import parse_qs

from drdash.simulator.answers import Request, Response, answer
from drdash.simulator.issues import JSON

Form = Mapping[str, list[str]]

ADMIN = "dr_service::admin"
SUPPORT = "dr::support_operator"
READONLY = "protection::readonly"
USERNAME = "drdash-user"
PASSWORD = "simulated-secret-password"  # noqa: S105  opens nothing but a simulator


@dataclass(kw_only=True)
class Issuer:
    """One API client and one user. `scopes` is what both were granted; `life` is a token's life in seconds. The user
    needs no client unless `demands_client`, and cannot have a token for a password with `second_factor`.
    """

    client_id: str
    client_secret: str = field(repr=False)
    username: str = USERNAME
    password: str = field(default=PASSWORD, repr=False)
    demands_client: bool = False
    second_factor: bool = False
    scopes: frozenset[str] = frozenset({ADMIN})
    life: float = 7200.0
    speed: float = 1.0  # of the world's clock, by which tokens expire
    _issued: dict[str, tuple[float, frozenset[str]]] = field(default_factory=dict, repr=False)
    _refreshing: dict[str, frozenset[str]] = field(default_factory=dict, repr=False)  # scopes by refresh token

    def token(self, request: Request, *, wall: float | None = None) -> Response:
        """Answer `POST /api/2/idp/token`. `wall` is what clients' clocks show, where the world's clock runs faster."""
        if request.media_type != "application/x-www-form-urlencoded":
            return _refusal(400, "invalid_request", "The request must be form-encoded.")
        form = parse_qs(request.body.decode("utf-8", "replace"), keep_blank_values=True)
        grant = form.get("grant_type", [""])
        authorization = request.headers.get("authorization", "")
        anonymous = grant[0] in {"password", "refresh_token"} and not (authorization or self.demands_client)
        if not anonymous and not self._authenticated(authorization):
            challenge = ("WWW-Authenticate", 'Basic realm="idp"')
            return _refusal(401, "invalid_client", "The client id or the client secret is wrong.", challenge)
        wall = request.now if wall is None else wall
        match grant:
            case ["client_credentials"]:
                return self._grant(request.now, wall, form, of=self.scopes)
            case ["password"]:
                return self._sign_in(request.now, wall, form)
            case ["refresh_token"]:
                kept = self._refreshing.pop(form.get("refresh_token", [""])[0], None)
                if kept is None:
                    return _refusal(400, "invalid_grant", "The refresh token is wrong, was used or is over.")
                return self._grant(request.now, wall, form, of=kept, renewable=True)
        if "grant_type" not in form:
            return _refusal(400, "invalid_request", "grant_type is missing.")
        return _refusal(400, "unsupported_grant_type", "client_credentials, password and refresh_token are supported.")

    def scopes_of(self, request: Request) -> frozenset[str] | None:
        """The scopes of the request's bearer token; None when it is missing, unknown or expired."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        expires, scopes = self._issued.get(token, (0.0, frozenset()))
        if scheme != "Bearer" or expires <= request.now:
            return None
        return scopes

    def revoke_all(self) -> None:
        """No token is good any more, to refresh with neither."""
        self._issued.clear()
        self._refreshing.clear()

    def _sign_in(self, now: float, wall: float, form: Form) -> Response:
        if not {"username", "password"} <= form.keys():
            return _refusal(400, "invalid_request", "username or password is missing.")
        given = f"{form['username'][0]}\n{form['password'][0]}".encode()
        if not compare_digest(given, f"{self.username}\n{self.password}".encode()):
            return _refusal(400, "invalid_grant", "The username or the password is wrong.")
        if self.second_factor:
            return _refusal(403, "access_denied", "A TOTP code is required.")
        return self._grant(now, wall, form, of=self.scopes, renewable=True)

    def _grant(self, now: float, wall: float, form: Form, *, of: frozenset[str], renewable: bool = False) -> Response:
        wanted = frozenset(" ".join(form.get("scope", [])).split()) or of
        if not wanted <= of:
            return _refusal(400, "invalid_scope", "The requested scope was not granted.")
        return self._issue(now, wall, wanted, renewable=renewable)

    def _issue(self, now: float, wall: float, scopes: frozenset[str], *, renewable: bool) -> Response:
        for token in [token for token, (expires, _) in self._issued.items() if expires <= now]:
            del self._issued[token]
        # Its beginning tells what it is wherever it turns up: it opens nothing but a simulator.
        token = f"simulated-token-{secrets.token_urlsafe(32)}"
        self._issued[token] = (now + self.life * self.speed, scopes)
        document: JSON = {
            "access_token": token,
            "token_type": "bearer",
            "expires_on": int(wall + self.life),
            "expires_in": int(self.life),
            "scope": " ".join(sorted(scopes)),
        }
        if renewable:
            document["refresh_token"] = refresh = f"simulated-token-refresh-{secrets.token_urlsafe(32)}"
            self._refreshing[refresh] = scopes
        return answer(200, document, ("Cache-Control", "no-store"))

    def _authenticated(self, authorization: str) -> bool:
        scheme, _, encoded = authorization.partition(" ")
        try:
            client_id, _, secret = b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        known = f"{self.client_id}:{self.client_secret}".encode()
        return scheme.lower() == "basic" and compare_digest(f"{client_id}:{secret}".encode(), known)


def _refusal(status: int, code: str, description: str, *headers: tuple[str, str]) -> Response:
    return answer(status, {"error": code, "error_description": description}, ("Cache-Control", "no-store"), *headers)
