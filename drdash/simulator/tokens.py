"""The token endpoint of the identity provider: client credentials in, bearer tokens with a life out."""

import binascii
import secrets
from base64 import b64decode
from dataclasses import dataclass, field
from hmac import compare_digest
from urllib.parse import parse_qs

from drdash.simulator.answers import Request, Response, answer

ADMIN = "dr_service::admin"
SUPPORT = "dr::support_operator"
READONLY = "protection::readonly"


@dataclass(kw_only=True)
class Issuer:
    """One API client. `scopes` is what it was granted; `life` is a token's life in seconds."""

    client_id: str
    client_secret: str
    scopes: frozenset[str] = frozenset({ADMIN})
    life: float = 7200.0
    speed: float = 1.0  # of the world's clock, by which tokens expire
    _issued: dict[str, tuple[float, frozenset[str]]] = field(default_factory=dict)

    def token(self, request: Request, *, wall: float | None = None) -> Response:
        """Answer `POST /api/2/idp/token`. `wall` is what clients' clocks show, where the world's clock runs faster."""
        if request.media_type != "application/x-www-form-urlencoded":
            return _refusal(400, "invalid_request", "The request must be form-encoded.")
        if not self._authenticated(request.headers.get("authorization", "")):
            challenge = ("WWW-Authenticate", 'Basic realm="idp"')
            return _refusal(401, "invalid_client", "The client id or the client secret is wrong.", challenge)
        form = parse_qs(request.body.decode("utf-8", "replace"), keep_blank_values=True)
        if "grant_type" not in form:
            return _refusal(400, "invalid_request", "grant_type is missing.")
        if form["grant_type"] != ["client_credentials"]:
            return _refusal(400, "unsupported_grant_type", "Only client_credentials is supported here.")
        wanted = frozenset(" ".join(form.get("scope", [])).split()) or self.scopes
        if not wanted <= self.scopes:
            return _refusal(400, "invalid_scope", "The client was not granted the requested scope.")
        return self._issue(request.now, request.now if wall is None else wall, wanted)

    def scopes_of(self, request: Request) -> frozenset[str] | None:
        """The scopes of the request's bearer token; None when it is missing, unknown or expired."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        expires, scopes = self._issued.get(token, (0.0, frozenset()))
        if scheme != "Bearer" or expires <= request.now:
            return None
        return scopes

    def revoke_all(self) -> None:
        self._issued.clear()

    def _issue(self, now: float, wall: float, scopes: frozenset[str]) -> Response:
        for token in [token for token, (expires, _) in self._issued.items() if expires <= now]:
            del self._issued[token]
        # Its beginning tells what it is wherever it turns up: it opens nothing but a simulator.
        token = f"simulated-token-{secrets.token_urlsafe(32)}"
        self._issued[token] = (now + self.life * self.speed, scopes)
        document = {
            "access_token": token,
            "token_type": "bearer",
            "expires_on": int(wall + self.life),
            "expires_in": int(self.life),
            "scope": " ".join(sorted(scopes)),
        }
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
