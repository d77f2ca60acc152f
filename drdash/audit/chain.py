"""The chain that the audit's entries form: each holds the hash of the one before it, so that nobody changes, drops or
adds one in the middle unseen. Pure. The rule is fixed for ever: what was written under it is checked by it.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from hashlib import sha256

import msgspec

BEGINNING = ""


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the audit as a line of its mirror: ``number`` counts from 1 without a gap."""

    number: int
    at: datetime
    tenant: int | None
    user: int | None
    username: str
    verb: str
    action: int | None
    server_uuid: str
    detail: str
    previous: str
    hash: str = ""

    def sealed(self) -> "Link":
        """The same with its hash."""
        at = self.at.astimezone(UTC)
        values = [getattr(self, name) for name in self.__struct_fields__ if name not in {"at", "hash"}]
        told = msgspec.json.encode([at.isoformat(timespec="microseconds"), *values])
        return msgspec.structs.replace(self, at=at, hash=sha256(told).hexdigest())


class Flaw(msgspec.Struct, frozen=True):
    """The first entry that is not as it was written, and why, in a sentence."""

    number: int
    why: str


def first_flaw(links: Iterable[Link]) -> Flaw | None:
    """Check a whole audit, in the order of its numbers."""
    previous, expected = BEGINNING, 1
    for link in links:
        if link.number != expected:
            return Flaw(expected, f"Entry {expected} is missing: the next one is {link.number}.")
        if link.previous != previous:
            return Flaw(link.number, f"Entry {link.number} does not follow the one before it.")
        if link.sealed().hash != link.hash:
            return Flaw(link.number, f"Entry {link.number} was changed after it was written.")
        previous, expected = link.hash, expected + 1
    return None


def first_difference(links: Iterable[Link], mirrored: Iterable[Link]) -> Flaw | None:
    """Where the audit and its mirror part. The mirror may lag: it may not know more."""
    known = iter(links)
    for line in mirrored:
        link = next(known, None)
        if link is None:
            return Flaw(line.number, f"Entry {line.number} is in the mirror alone: the end of the audit was cut off.")
        if line.number != link.number or line.sealed().hash != line.hash or line.hash != link.hash:
            return Flaw(link.number, f"Entry {link.number} is not what the mirror says of it.")
    return None


def lines(raw: Iterable[bytes]) -> Iterator[Link]:
    """The lines of a mirror. Raises msgspec.MsgspecError at one that is none; the last may be cut off by a crash, and
    is then left out.
    """
    for line in raw:
        if not line.endswith(b"\n"):
            return
        yield msgspec.json.decode(line, type=Link)
