"""What happened to an action, step by step: what was asked, what was sent, what came back, what each read saw. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import pairwise
from typing import Any

import msgspec

from drdash.failover.guard import Kind
from drdash.failover.models import LIVE, Action, State
from drdash.web.wording import SERVER_STATUS, STATE, Look, look_of

Seen = Mapping[str, Any]

LATEST = "latest, chosen by the cloud"
SUPERSEDED = Look("Superseded", "still", "off")


class Step(msgspec.Struct, frozen=True):
    """One step of an action's life, as far as it got. ``code``: what went over the wire, to the byte."""

    title: str
    at: datetime | None
    text: str = ""
    code: str = ""


def state_of(action: Action) -> Look:
    """Where an action is, in a word."""
    if action.state == State.CLOSED and action.superseded_by_id and not action.verdict:
        return SUPERSEDED
    return look_of(STATE, action.state)


def recovery_point(point: Any) -> str:
    """A recovery point in words."""
    if not isinstance(point, dict):
        return LATEST
    return ", ".join(f"{name.removesuffix('_id')} {value}" for name, value in sorted(point.items()))


def steps(action: Action) -> tuple[Step, ...]:
    """All of them, in the order of time; its ``user`` must be loaded."""
    found = [*_asked(action), *_answered(action), *_watched(action), *_ended(action)]
    # What has no time of its own stays behind what it came after.
    known, keyed = action.requested_at, []
    for step in found:
        known = step.at or known
        keyed.append((known, step))
    return tuple(step for _, step in sorted(keyed, key=lambda one: one[0]))


def _asked(action: Action) -> Iterator[Step]:
    yield Step("Requested", action.requested_at, f"by {action.user.get_username()}")
    if not action.sent_at:
        if action.state not in LIVE:
            yield Step("Never sent", action.finished_at, action.error)
        return
    nods = ", ".join(map(str, action.acknowledged or ()))
    point = "" if action.kind == Kind.STOP else f"Recovery point: {recovery_point(action.recovery_point)}."
    nodded = f"Acknowledged: {nods}." if nods else ""
    # It is claimed before a byte of it leaves.
    title = "Made ready to be sent" if action.state == State.NOT_SENT else "Sent to the cloud"
    yield Step(title, action.sent_at, f"{point} {nodded}".strip(), action.body)


def _answered(action: Action) -> Iterator[Step]:
    if action.answered_at:
        answer = f"HTTP {action.status}" if action.status else "No answer that could be read."
        yield Step("The cloud answered", action.answered_at, answer, action.reply)
    elif action.state == State.UNKNOWN:
        yield Step("No answer was written down", None, action.error)


def _watched(action: Action) -> Iterator[Step]:
    for before, now in pairwise([None, *(seen for seen in action.evidence if isinstance(seen, dict))]):
        at = _moment(now.get("at")) if now else None
        early = bool(at and action.sent_at and at < action.sent_at)
        title = "Last seen before it was sent" if early else "Seen on the server"
        yield Step(title, at, _told(now or {}, before, action.task_uuid.lower()))
    if action.task_seen_at:
        yield Step("Its task was first seen running", action.task_seen_at, f"Task {action.task_uuid}")
    if action.other_task_seen:
        yield Step("Another task was seen on the server", None)


def _ended(action: Action) -> Iterator[Step]:
    if action.finished_at and action.sent_at:
        over = f"Action {action.superseded_by_id} went over it." if state_of(action) is SUPERSEDED else action.error
        yield Step(state_of(action).word, action.finished_at, over)


def _told(seen: Seen, before: Seen | None, ours: str) -> str:
    """What a read saw; ``before``: the read whose differences are called new."""
    told = [_status(seen), *_tasks(seen, before, ours), _failover(seen, before), *_tests(seen, before, ours)]
    return f"{'; '.join(told)}."


def _status(seen: Seen) -> str:
    status = str(seen.get("status") or "")
    return f"Status {look_of(SERVER_STATUS, status).word} ({status})" if status else "Status not told"


def _tasks(seen: Seen, before: Seen | None, ours: str) -> Iterator[str]:
    now, old = _texts(seen, "tasks"), _texts(before, "tasks")
    for task in now:
        yield f"{'new task' if before is not None and task not in (*old, ours) else 'task'} {_named(task, ours)}"
    if not now:
        yield "busy (ResourceBusy), the task not named" if seen.get("busy") else "no task"
    for task in old:
        if task not in now:
            yield f"task {_named(task, ours)} gone"


def _failover(seen: Seen, before: Seen | None) -> str:
    now, old = str(seen.get("active_failover") or ""), str((before or {}).get("active_failover") or "")
    if not now:
        return f"failover {old} not active any more" if old else "no failover active"
    return f"{'new ' if before is not None and now != old else ''}failover {now} active"


def _tests(seen: Seen, before: Seen | None, ours: str) -> Iterator[str]:
    for task in _texts(seen, "last_tasks"):
        if task not in _texts(before, "last_tasks"):
            yield f"a last test by task {_named(task, ours)}"


def _texts(seen: Seen | None, name: str) -> tuple[str, ...]:
    return tuple(map(str, (seen or {}).get(name) or ()))


def _named(task: str, ours: str) -> str:
    return f"{task}, this action's own" if ours and task.lower() == ours else task


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None
