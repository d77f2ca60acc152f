"""What an answer of the cloud means. Pure: (status, headers, body) becomes a value or a named error.

GETs go through ``decipher`` or ``page``; a POST's answer goes through ``answer``, which never raises: whatever is not
the reference's own shape is Unclear, since the cloud may have taken the action.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Annotated, Any

import msgspec

from drdash.cloud import sentences
from drdash.cloud.errors import (
    BadRequest,
    Broken,
    CloudError,
    Conflict,
    ErrorAnswer,
    Forbidden,
    NotFound,
    NotSent,
    NotUnderstood,
    ServerFault,
    TooManyRequests,
    Unauthorized,
    WrongCredential,
    shortened,
)

__all__ = [
    "Accepted",
    "BadRequest",
    "Broken",
    "CloudError",
    "Conflict",
    "ErrorAnswer",
    "Forbidden",
    "NeverSent",
    "NotFound",
    "NotSent",
    "NotUnderstood",
    "Page",
    "Refused",
    "ServerFault",
    "TooManyRequests",
    "Unauthorized",
    "Unclear",
    "WrongCredential",
    "answer",
    "decipher",
    "fault",
    "page",
]

UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
SHORTEST_WAIT, USUAL_WAIT, LONGEST_WAIT = 1, 60, 3600
_REFUSALS = frozenset({400, 401, 403, 404, 409, 429})
_NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Page(msgspec.Struct, frozen=True):
    """One page of a listing: its items' own JSON, the cursor of the next page, how many items there are in all, and the
    bytes of the answer.
    """

    items: tuple[msgspec.Raw, ...]
    after: str | None
    total: int | None
    size: int


class Accepted(msgspec.Struct, frozen=True):
    """The cloud took the action. It is not done yet."""

    task_uuid: str


class Refused(msgspec.Struct, frozen=True):
    """The cloud said no, as the reference documents it. ``task_uuids`` (lower case) are what a 409 names; whether such
    a 409 is a refusal or our own action coming back is the caller's to decide. ``lacks`` says what the credential needs
    when it was a 403.
    """

    status: int
    code: str
    message: str
    task_uuids: tuple[str, ...] = ()
    retry_after: int | None = None
    lacks: str = ""


class Unclear(msgspec.Struct, frozen=True):
    """Nobody can say whether the cloud took the action. ``retry_after`` is given when it was a 429 all the same."""

    sentence: str
    retry_after: int | None = None


class NeverSent(msgspec.Struct, frozen=True):
    """The cloud certainly did not see the action. ``retry_after`` is given when it asked to wait for the token."""

    sentence: str
    retry_after: int | None = None


class _Cursors(msgspec.Struct):
    after: str | None = None


class _Paging(msgspec.Struct):
    cursors: _Cursors | None = None
    total: Annotated[int, msgspec.Meta(ge=0)] | None = None


class _Listing(msgspec.Struct):
    items: list[msgspec.Raw]
    paging: _Paging | None = None


class _Documented(msgspec.Struct, frozen=True):
    """The error body that the reference documents."""

    code: str
    message: str
    additional: tuple[str, ...]
    tasks: Any
    wait: Any


def decipher(status: int, headers: Mapping[str, str], body: bytes, *, now: float | None = None) -> Any:
    """The JSON of a 200, or the named error. ``now`` (Unix seconds) is only for a Retry-After date without a Date."""
    if status != 200:
        raise fault(status, headers, body, now=now)
    try:
        return msgspec.json.decode(body)
    except _NOT_JSON:
        raise NotUnderstood(sentences.NOT_JSON % {"told": _looks(body)}) from None


def page(status: int, headers: Mapping[str, str], body: bytes, *, now: float | None = None) -> Page:
    """One page of a listing. Paging may be absent, or null; of a wrong type it is an error like ``items`` that are no
    list: what comes after the page, or whether anything does, would be a guess.
    """
    if status != 200:
        raise fault(status, headers, body, now=now)
    try:
        listing = msgspec.json.decode(body, type=_Listing)
    except msgspec.ValidationError:
        raise NotUnderstood(sentences.NO_PAGE) from None
    except _NOT_JSON:
        raise NotUnderstood(sentences.NOT_JSON % {"told": _looks(body)}) from None
    paging = listing.paging or _Paging()
    after = paging.cursors.after if paging.cursors else None
    return Page(items=tuple(listing.items), after=after or None, total=paging.total, size=len(body))


def answer(
    status: int, headers: Mapping[str, str], body: bytes, *, now: float | None = None
) -> Accepted | Refused | Unclear:
    """What the answer to a POST says about the action; only the reference's own shapes are definite."""
    retry_after = wait(headers, body, now=now) if status == 429 else None
    if status == 202:
        task = _at(_object(body), "task_uuid")
        if isinstance(task, str) and UUID.fullmatch(task):
            return Accepted(task_uuid=task)
        return Unclear(sentences.NO_TASK % {"told": _looks(body)})
    documented = _documented(body) if status in _REFUSALS else None
    if documented is None:
        sentence = sentences.UNTOLD % {"status": status, "told": _looks(body)}
        return Unclear(sentence, retry_after=retry_after)
    tasks = documented.tasks
    if tasks is not None and not (isinstance(tasks, list) and all(isinstance(task, str) for task in tasks)):
        if status == 409:
            return Unclear(sentences.NO_TASKS % {"code": documented.code})
        tasks = None
    return Refused(
        status=status,
        code=documented.code,
        message=documented.message,
        task_uuids=_tasks(tasks),
        retry_after=retry_after,
    )


def fault(status: int, headers: Mapping[str, str], body: bytes, *, now: float | None = None) -> CloudError:
    """The named error of an answer that is not the wanted one."""
    said = _documented(body)
    code, message = (said.code, said.message) if said else ("", "")
    match status:
        case 400:
            return BadRequest(status, code, message, additional=said.additional if said else ())
        case 401:
            return Unauthorized(status, code, message)
        case 403:
            return Forbidden(status, code, message)
        case 404:
            return NotFound(status, code, message)
        case 409:
            return Conflict(status, code, message, task_uuids=_tasks(said.tasks if said else None))
        case 429:
            return TooManyRequests(status, code, message, retry_after=wait(headers, body, now=now))
    if 500 <= status <= 599:
        return ServerFault(status, code, message)
    if 300 <= status <= 399:
        return NotUnderstood(sentences.REDIRECT % {"status": status})
    if said:
        return ErrorAnswer(status, code, message)
    return NotUnderstood(sentences.UNKNOWN % {"status": status, "told": _looks(body)})


def wait(headers: Mapping[str, str], body: bytes, *, now: float | None = None) -> int:
    """How many seconds a 429 asks to wait: the longer of Retry-After and ``context.retry_after``, within an hour."""
    documented = _documented(body)
    asked = [_seconds(_header(headers, "retry-after")), _until(headers, now)]
    asked.append(_seconds(documented.wait) if documented else None)
    readable = [seconds for seconds in asked if seconds is not None]
    seconds = max(readable) if readable else USUAL_WAIT
    return max(SHORTEST_WAIT, math.ceil(min(seconds, LONGEST_WAIT)))


def _documented(body: bytes) -> _Documented | None:
    error = _at(_object(body), "error")
    code = _at(error, "code")
    if not isinstance(code, str) or not code.strip():
        return None
    additional = _at(error, "debug", "additional")
    return _Documented(
        code=shortened(code),
        message=shortened(text) if isinstance(text := _at(error, "debug", "msg"), str) else "",
        additional=tuple(shortened(entry) for entry in additional[:20] if isinstance(entry, str))
        if isinstance(additional, list)
        else (),
        tasks=_at(error, "context", "task_uuids"),
        wait=_at(error, "context", "retry_after"),
    )


def _tasks(tasks: Any) -> tuple[str, ...]:
    if not isinstance(tasks, list):
        return ()
    return tuple(shortened(task).lower() for task in tasks if isinstance(task, str))


def _object(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except _NOT_JSON:
        return None


def _at(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _header(headers: Mapping[str, str], name: str) -> str | None:
    return next((value.strip() for key, value in headers.items() if key.lower() == name), None)


def _seconds(value: Any) -> float | None:
    """Seconds as a number, or as a text of digits."""
    if isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?", value, re.ASCII):
        return float(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else None


def _until(headers: Mapping[str, str], now: float | None) -> float | None:
    """Seconds to a Retry-After date, by the cloud's own clock where it tells it: ours may be wrong."""
    then, sent = moment(_header(headers, "retry-after")), moment(_header(headers, "date"))
    since = now if sent is None else sent
    if then is None or since is None or (sent is None and then <= since):
        return None  # a date that is past by our own clock tells that this clock is wrong
    return max(0.0, then - since)


def moment(text: str | None) -> float | None:
    """An HTTP date as Unix seconds; None when it cannot be read."""
    try:
        date = parsedate_to_datetime(text or "")
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _looks(body: bytes) -> str:
    """What a body looks like, in words; never its content."""
    start = body[:200].lstrip().lower()
    if not start:
        return sentences.EMPTY
    if start.startswith(b"<"):
        return sentences.HTML
    return sentences.OTHER_JSON if _object(body) is not None else sentences.OTHER
