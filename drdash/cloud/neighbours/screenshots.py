"""The screenshots of automated tests. What a link leads to is a picture by its own bytes, whatever its header says."""

from collections.abc import Callable

import msgspec

from drdash.cloud import wire
from drdash.cloud.transport import Reply
from drdash.english import english

LARGEST = 5 * 1024 * 1024


class Picture(msgspec.Struct, frozen=True):
    """A picture and its media type, as its first bytes tell it."""

    type: str
    body: bytes


def read(path: str, get: Callable[[str], Reply], *, now: float) -> Picture:
    """The picture at ``path``. Raises CloudError, also when it is none."""
    reply = get(path)
    if reply.status != 200:
        raise wire.fault(reply.status, reply.headers, reply.body, now=now)
    if len(reply.body) > LARGEST:
        raise wire.NotUnderstood(english("The picture is larger than %(size)s MiB.", size=LARGEST // 1024**2))
    if (kind := type_of(reply.body)) is None:
        raise wire.NotUnderstood(english("What the link leads to is no picture (PNG, JPEG or WebP)."))
    return Picture(type=kind, body=reply.body)


def type_of(body: bytes) -> str | None:
    """The media type of a picture; None when it is none of the three."""
    if body.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if body.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return "image/webp"
    return None
