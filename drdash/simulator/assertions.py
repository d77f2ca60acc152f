"""Signed assertions (JWT, HS256), as a user gives one in place of a password."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hmac import compare_digest, digest

from drdash.simulator.issues import JSON

# An assertion's third part begins with this, before its signature: it tells what it is wherever it turns up.
_MARK = "simulated-token-"


def signed(claims: JSON, key: bytes) -> str:
    text = ".".join(map(_encoded, ({"alg": "HS256", "typ": "JWT"}, claims)))
    return f"{text}.{_MARK}{_base64(digest(key, text.encode(), 'sha256'))}"


def verified(assertion: str, key: bytes) -> JSON | None:
    """The claims, if they were signed with the key."""
    text, _, mark = assertion.rpartition(".")
    signature = _MARK + _base64(digest(key, text.encode(), "sha256"))
    if not compare_digest(mark.encode(), signature.encode()):
        return None
    encoded = text.partition(".")[2]
    claims: JSON = json.loads(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    return claims


def _encoded(part: JSON) -> str:
    return _base64(json.dumps(part, separators=(",", ":")).encode())


def _base64(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")
