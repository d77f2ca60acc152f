"""What happened to an action, step by step: what was asked, what was sent, what came back, what each read saw. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import pairwise
from typing import Any

import msgspec

from drdash.failover.guard import Kind
from drdash.failover.models import LIVE, Action, State
from drdash.web.phrases import Phrase, joined, phrase
from drdash.web.said import stored
from drdash.web.wording import SERVER_STATUS, STATE, Look, look_of

Seen = Mapping[str, Any]

LATEST = phrase("latest, chosen by the cloud")
SUPERSEDED = Look(phrase("Superseded"), "still", "off")


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
    yield Step(phrase("Requested"), action.requested_at, phrase("by %(who)s", who=action.user.get_username()))
    if not action.sent_at:
        if action.state not in LIVE:
            yield Step(phrase("Never sent"), action.finished_at, stored(action.error))
        return
    nods = ", ".join(map(str, action.acknowledged or ()))
    told = []
    if action.kind != Kind.STOP:
        told.append(phrase("Recovery point: %(point)s.", point=recovery_point(action.recovery_point)))
    if nods:
        told.append(phrase("Acknowledged: %(codes)s.", codes=nods))
    # It is claimed before a byte of it leaves.
    title = phrase("Made ready to be sent") if action.state == State.NOT_SENT else phrase("Sent to the cloud")
    yield Step(title, action.sent_at, joined(" ", told), action.body)


def _answered(action: Action) -> Iterator[Step]:
    if action.answered_at:
        answer = f"HTTP {action.status}" if action.status else phrase("No answer that could be read.")
        yield Step(phrase("The cloud answered"), action.answered_at, answer, action.reply)
    elif action.state == State.UNKNOWN:
        yield Step(phrase("No answer was written down"), None, stored(action.error))


def _watched(action: Action) -> Iterator[Step]:
    for before, now in pairwise([None, *(seen for seen in action.evidence if isinstance(seen, dict))]):
        at = _moment(now.get("at")) if now else None
        early = bool(at and action.sent_at and at < action.sent_at)
        title = phrase("Last seen before it was sent") if early else phrase("Seen on the server")
        yield Step(title, at, _told(now or {}, before, action.task_uuid.lower()))
    if action.task_seen_at:
        yield Step(
            phrase("Its task was first seen running"),
            action.task_seen_at,
            phrase("Task %(task)s", task=action.task_uuid),
        )
    if action.other_task_seen:
        yield Step(phrase("Another task was seen on the server"), None)


def _ended(action: Action) -> Iterator[Step]:
    if action.finished_at and action.sent_at:
        over: Phrase = stored(action.error)
        if state_of(action) is SUPERSEDED:
            over = phrase("Action %(action)s went over it.", action=action.superseded_by_id)
        yield Step(state_of(action).word, action.finished_at, over)


def _told(seen: Seen, before: Seen | None, ours: str) -> Phrase:
    """What a read saw; ``before``: the read whose differences are called new."""
    told = [_status(seen), *_tasks(seen, before, ours), _failover(seen, before), *_tests(seen, before, ours)]
    return phrase("%(seen)s.", seen=joined(phrase("; "), told))


def _status(seen: Seen) -> Phrase:
    status = str(seen.get("status") or "")
    if not status:
        return phrase("Status not told")
    return phrase("Status %(word)s (%(status)s)", word=look_of(SERVER_STATUS, status).word, status=status)


def _tasks(seen: Seen, before: Seen | None, ours: str) -> Iterator[Phrase]:
    now, old = _texts(seen, "tasks"), _texts(before, "tasks")
    for task in now:
        new = before is not None and task not in (*old, ours)
        yield (phrase("new task %(task)s", task=task) if new else phrase("task %(task)s", task=_named(task, ours)))
    if not now:
        yield phrase("busy (ResourceBusy), the task not named") if seen.get("busy") else phrase("no task")
    for task in old:
        if task not in now:
            yield phrase("task %(task)s gone", task=_named(task, ours))


def _failover(seen: Seen, before: Seen | None) -> Phrase:
    now, old = str(seen.get("active_failover") or ""), str((before or {}).get("active_failover") or "")
    if not now:
        return phrase("failover %(id)s not active any more", id=old) if old else phrase("no failover active")
    new = before is not None and now != old
    return phrase("new failover %(id)s active", id=now) if new else phrase("failover %(id)s active", id=now)


def _tests(seen: Seen, before: Seen | None, ours: str) -> Iterator[Phrase]:
    for task in _texts(seen, "last_tasks"):
        if task not in _texts(before, "last_tasks"):
            yield phrase("a last test by task %(task)s", task=_named(task, ours))


def _texts(seen: Seen | None, name: str) -> tuple[str, ...]:
    return tuple(map(str, (seen or {}).get(name) or ()))


def _named(task: str, ours: str) -> str:
    return phrase("%(task)s, this action's own", task=task) if ours and task.lower() == ours else task


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None
