"""A task's progress and result, from the task manager: ``GET {cloud}/api/task_manager/v2/tasks?uuid=``.

It is for people to read. What became of an action is told by its server alone, never by its task.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from drdash.cloud import wire
from drdash.cloud.errors import shortened
from drdash.cloud.transport import Reply
from drdash.cloud.words import OpenEnum

UUID = re.compile(r"[A-Za-z0-9-]{1,100}")
LONGEST_LEFT = timedelta(days=365)


class TaskState(OpenEnum):
    """``state`` of a task."""

    ENQUEUED = "enqueued"
    ASSIGNED = "assigned"
    STARTED = "started"
    PAUSED = "paused"
    COMPLETED = "completed"


class TaskResult(OpenEnum):
    """``result.code`` of a task that is completed."""

    OK = "ok"
    ERROR = "error"
    WARNING = "warning"
    CANCELLED = "cancelled"
    ABANDONED = "abandoned"
    TIMEDOUT = "timedout"


class Task(msgspec.Struct, frozen=True):
    """A task as the task manager shows it; what it does not tell is None or empty. ``done`` is between 0 and 1."""

    uuid: str
    state: TaskState | None
    result: TaskResult | None
    error: str
    domain: str
    context: str
    done: float | None
    left: timedelta | None
    started: datetime | None
    completed: datetime | None

    @property
    def over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.state == TaskState.COMPLETED or self.result is not None


def read(uuid: str, get: Callable[[str], Reply], *, now: float) -> Task | None:
    """The task of that id; None when the task manager does not list it. Raises CloudError."""
    if not UUID.fullmatch(uuid):
        return None
    reply = get(f"/api/task_manager/v2/tasks?uuid={uuid}")
    page = wire.page(reply.status, reply.headers, reply.body, now=now)
    read = (_task(item) for item in page.items)
    # A filter that the cloud ignores would show another task's progress.
    return next((task for task in read if task and task.uuid.lower() == uuid.lower()), None)


def _task(item: msgspec.Raw) -> Task | None:
    try:
        it = msgspec.json.decode(item)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(it, dict):
        return None
    result, progress = _object(it, "result"), _object(it, "progress")
    error = _object(result, "error")
    state, code = _text(it, "state"), _text(result, "code")
    return Task(
        uuid=_text(it, "uuid"),
        state=TaskState(state) if state else None,
        result=TaskResult(code) if code else None,
        error=_text(error, "code"),
        domain=_text(error, "domain"),
        context=_context(error.get("context")),
        done=_done(progress),
        left=_left(progress.get("leftTime")),
        started=_time(it.get("startedAt")),
        completed=_time(it.get("completedAt")),
    )


def _object(it: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = it.get(name)
    return value if isinstance(value, dict) else {}


def _text(it: Mapping[str, Any], name: str) -> str:
    value = it.get(name)
    return shortened(value, longest=100) if isinstance(value, str) else ""


def _context(value: Any) -> str:
    """What the error says beside its code: its plain values, in a line."""
    if not isinstance(value, dict):
        return ""
    plain = [f"{name}: {one}" for name, one in value.items() if isinstance(one, str | int) and one != ""]
    return shortened(", ".join(plain[:10]))


def _number(value: Any) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _done(progress: Mapping[str, Any]) -> float | None:
    current, total = _number(progress.get("current")), _number(progress.get("total"))
    return min(1.0, current / total) if current is not None and total else None


def _left(value: Any) -> timedelta | None:
    seconds = _number(value)
    return timedelta(seconds=seconds) if seconds is not None and seconds <= LONGEST_LEFT.total_seconds() else None


def _time(value: Any) -> datetime | None:
    try:
        read = msgspec.convert(value, datetime)
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (msgspec.ValidationError, OverflowError, ValueError):
        return None
