"""Codes that a browser carries from the consent page back to who asked, good once for a token (PKCE, S256)."""

import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest

LIFE = 300.0


@dataclass(frozen=True, kw_only=True)
class Code:
    """What the user agreed to, and whom a code is for: the client and address that asked, who know the verifier."""

    client: str
    redirect: str
    challenge: str
    scopes: frozenset[str]
    offline: bool  # with a refresh token
    expires: float


class Codes:
    def __init__(self) -> None:
        self._given: dict[str, Code] = {}

    def give(self, code: Code) -> str:
        text = f"simulated-token-code-{secrets.token_urlsafe(24)}"
        self._given[text] = code
        return text

    def take(self, text: str, now: float, *, client: str, redirect: str, verifier: str) -> Code | None:
        """Use up the code; None when it is unknown, over, or somebody else's."""
        code = self._given.pop(text, None)
        if code is None or code.expires <= now or (code.client, code.redirect) != (client, redirect):
            return None
        return code if compare_digest(challenge(verifier), code.challenge) else None


def challenge(verifier: str) -> str:
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")
