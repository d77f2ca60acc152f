"""The chain that the audit's entries form: each holds the hash of the one before it, so that nobody changes, drops or
adds one in the middle unseen. Pure. The rule is fixed for ever: what was written under it is checked by it.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import chain

import msgspec

BEGINNING = ""
# Longer than a mirror that is well is behind, and than the clocks of two machines differ.
LAG = timedelta(minutes=1)


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

    def line(self) -> bytes:
        """The line of the mirror, to the byte."""
        return msgspec.json.encode(self) + b"\n"


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


def first_difference(links: Iterable[Link], mirrored: Iterable[bytes], *, now: datetime) -> Flaw | None:
    """Where a whole audit and the lines of its mirror, which was read before it, part. The mirror lags for a moment: a
    line that is being written counts as none.
    """
    known = iter(links)
    count = 0
    for line in mirrored:
        if (link := next(known, None)) is None:
            return Flaw(count + 1, f"Entry {count + 1} is in the mirror alone: the end of the audit was cut off.")
        count = link.number
        if line == (told := link.line()):
            continue
        if line.endswith(b"\n") or not told.startswith(line):
            return Flaw(link.number, f"Entry {link.number} is not what the mirror says of it.")
        known = chain([link], known)
        break
    late = next(known, None)
    if late is not None and abs(now - late.at) > LAG:
        return Flaw(late.number, f"Entry {late.number} is not in the mirror: its end was cut off, or nobody writes it.")
    return None
