"""The recovery points of a server, from the vault manager: where its link ``DR_CLOUD_SERVER_RECOVERY_POINTS`` leads."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import msgspec

from drdash.cloud import wire
from drdash.cloud.errors import CloudError, TooManyRequests, shortened
from drdash.cloud.records import RecoveryPoint
from drdash.cloud.transport import Reply
from drdash.english import english

MOST_PAGES = 3
# What the reference allows in each of the three ids.
ID = re.compile(r"[a-zA-Z0-9@-]{1,200}")
CLEAN, MALWARE = "clean", "malware"
_ASSESSMENTS = {0: CLEAN, 1: MALWARE}


class Point(msgspec.Struct, frozen=True):
    """A recovery point as the vault manager lists it; what it does not tell is None or empty.

    ``malware`` is CLEAN, MALWARE, or another answer as it came; ``check`` what the check before a failover found, and
    ``broken`` whether that is critical: whatever is not known to be harmless is.
    """

    ids: RecoveryPoint
    type: str
    created: datetime | None
    size: int | None
    malware: str
    check: str
    broken: bool


class Points(msgspec.Struct, frozen=True):
    """The newest first, those without a time last. ``at``: the time by the cloud's own clock, where it tells it.

    ``unreadable`` counts the items without all three ids. ``rest``: why older ones are missing, in a sentence; then
    ``newest`` tells whether the newest of all is certainly among ``items``.
    """

    items: tuple[Point, ...]
    at: datetime | None
    unreadable: int
    rest: str
    newest: bool


def read(path: str, get: Callable[[str], Reply], *, now: float) -> Points:
    """Read the list at ``path``, a few pages at most. Raises CloudError when not even the first page can be read."""
    found: dict[RecoveryPoint, Point] = {}
    created: list[datetime | None] = []
    unreadable, rest, at = 0, "", None
    bare, after, cursors = path.partition("?")[0], "", set[str]()
    for number in range(MOST_PAGES):
        try:
            reply = get(f"{bare}?{urlencode({'after': after})}" if after else path)
            page = wire.page(reply.status, reply.headers, reply.body, now=now)
        except CloudError as error:
            if number == 0 or isinstance(error, TooManyRequests):
                raise
            rest = english("Older ones could not be read. %(error)s", error=error)
            break
        at = at or _date(reply.headers)
        for item in page.items:
            it = _decoded(item)
            if it.get("deleted") is True:
                continue
            if (one := _point(it)) is None:
                unreadable += 1
            else:
                found[one.ids] = one
                created.append(one.created)
        if not page.after:
            break
        if page.after in cursors:
            rest = english("The cloud's list goes in circles: it gave the same cursor twice.")
            break
        after = page.after
        cursors.add(after)
    else:
        rest = english("The cloud has older ones: only the first %(found)s are shown.", found=len(found))
    in_order = None not in created and created == sorted(created, key=_oldest_last, reverse=True)
    items = tuple(sorted(found.values(), key=lambda one: _oldest_last(one.created), reverse=True))
    return Points(items=items, at=at, unreadable=unreadable, rest=rest, newest=not rest or in_order)


def _decoded(item: msgspec.Raw) -> Mapping[str, Any]:
    try:
        it = msgspec.json.decode(item)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return it if isinstance(it, dict) else {}


def _point(it: Mapping[str, Any]) -> Point | None:
    ids = [it.get(name) for name in ("backup_id", "archive_id", "vault_id")]
    backup, archive, vault = (one if isinstance(one, str) and ID.fullmatch(one) else "" for one in ids)
    if not (backup and archive and vault):
        return None
    size, kind, assessed = it.get("size"), it.get("type"), it.get("malware_assessment_result")
    check, broken = _checked(it.get("failover_check_info"))
    return Point(
        ids=RecoveryPoint(backup_id=backup, archive_id=archive, vault_id=vault),
        type=shortened(kind, longest=40) if isinstance(kind, str) else "",
        created=_time(it.get("created")),
        size=size if isinstance(size, int) and not isinstance(size, bool) and 0 <= size < 2**63 else None,
        malware="" if assessed is None else _assessment(assessed),
        check=check,
        broken=broken,
    )


def _assessment(value: object) -> str:
    known = _ASSESSMENTS.get(value) if isinstance(value, int) and not isinstance(value, bool) else None
    return known or shortened(str(value), longest=40)


def _checked(info: Any) -> tuple[str, bool]:
    """What the check before a failover found, in the cloud's words, and whether that is critical."""
    if info is None:
        return "", False
    if not isinstance(info, dict):
        return english("it cannot be read"), True
    error, critical = info.get("error"), info.get("is_critical_error")
    if isinstance(error, dict):
        error = error.get("message") or error.get("code") or english("an error without words")
    wordless = english("an error without words") if error else ""
    words = shortened(error, longest=120) if isinstance(error, str) else wordless
    return words, critical is not None and critical is not False


def _time(value: object) -> datetime | None:
    try:
        read = msgspec.convert(value, datetime)
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (msgspec.ValidationError, OverflowError, ValueError):
        return None


def _date(headers: Mapping[str, str]) -> datetime | None:
    text = next((value for name, value in headers.items() if name.lower() == "date"), None)
    seconds = wire.moment(text)
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _oldest_last(created: datetime | None) -> datetime:
    return created or datetime.min.replace(tzinfo=UTC)
