"""What an action's row and page show: who, when, what was sent, what came back, what was seen since. Pure."""

from datetime import datetime
from typing import Any

import msgspec
from django.urls import reverse

from drdash.failover.guard import Kind
from drdash.failover.models import LIVE, Action, State
from drdash.failover.reasons import Mark, Remedy
from drdash.web.buttons import ShownReason, server_url
from drdash.web.wording import REMEDY, STATE, STATE_MEANS, Look, action_name, look_of


class Step(msgspec.Struct, frozen=True):
    """One step of an action's life, as far as it got."""

    title: str
    at: datetime | None
    text: str = ""
    code: str = ""


class ActionCard(msgspec.Struct, frozen=True):
    """An action as its row and its page show it."""

    id: int
    url: str
    name: str
    production: bool
    server_name: str
    server_url: str
    state: Look
    means: str
    live: bool
    by: str
    requested_at: datetime
    finished_at: datetime | None
    error: str
    task_uuid: str
    point: str
    acknowledged: tuple[str, ...]
    reasons: tuple[ShownReason, ...]
    steps: tuple[Step, ...]


def action_url(action: Action) -> str:
    """The action's page."""
    return reverse("action", args=[action.pk])


def action_card(action: Action) -> ActionCard:
    """The card of an action; its ``user`` must be loaded."""
    return ActionCard(
        id=action.pk,
        url=action_url(action),
        name=action_name(action.kind, production=action.production),
        production=action.production,
        server_name=action.server_name or action.server_uuid,
        server_url=server_url(action.server_uuid),
        state=look_of(STATE, action.state),
        means=STATE_MEANS.get(action.state, ""),
        live=action.state in LIVE,
        by=action.user.get_username(),
        requested_at=action.requested_at,
        finished_at=action.finished_at,
        error=action.error,
        task_uuid=action.task_uuid,
        point="" if action.kind == Kind.STOP else recovery_point(action.recovery_point),
        acknowledged=tuple(map(str, action.acknowledged or ())),
        reasons=tuple(_reason(reason) for reason in action.reasons or () if _stopped(action, reason)),
        steps=tuple(_steps(action)),
    )


def recovery_point(point: Any) -> str:
    """A recovery point in words."""
    if not isinstance(point, dict):
        return "latest"
    return ", ".join(f"{name.removesuffix('_id')} {value}" for name, value in sorted(point.items()))


def stamp(action: Action | None) -> tuple[Any, ...]:
    """What a drawing of the action is made of: as long as this is the same, so is the drawing."""
    if action is None:
        return ()
    told = (action.answered_at, action.task_seen_at, action.other_task_seen, action.error, len(action.evidence))
    return (action.pk, action.state, *told)


def audit_words(verb: str, action: Action | None) -> str:
    """The verb of an audit entry, which may be about an action, in the operators' words."""
    kind, _, rest = verb.partition(" ")
    name = action_name(kind, production=bool(action and action.production))
    return f"{name}: {rest}" if rest and name != kind else verb


def _stopped(action: Action, reason: dict[str, Any]) -> bool:
    return action.state == State.REFUSED and action.status is None and reason.get("mark") != Mark.ACKNOWLEDGE


def _reason(reason: dict[str, Any]) -> ShownReason:
    remedy = reason.get("remedy", "")
    return ShownReason(
        message=str(reason.get("message", "")),
        code=str(reason.get("code", "")),
        remedy=REMEDY.get(remedy, REMEDY[Remedy.ASK]),
        task_uuids=tuple(map(str, reason.get("task_uuids") or ())),
    )


def _steps(action: Action) -> list[Step]:
    steps = [Step("Requested", action.requested_at, f"by {action.user.get_username()}")]
    if action.sent_at:
        steps.append(Step("Sent to the cloud", action.sent_at, _point_sent(action), action.body))
    elif action.state not in LIVE:
        steps.append(Step("Never sent", action.finished_at, action.error))
    if action.answered_at:
        answer = f"HTTP {action.status}" if action.status else "No answer that could be read."
        steps.append(Step("The cloud answered", action.answered_at, answer, action.reply))
    elif action.state == State.UNKNOWN:
        steps.append(Step("No answer was written down", None, action.error))
    if action.task_seen_at:
        steps.append(Step("Its task was first seen running", action.task_seen_at, f"Task {action.task_uuid}"))
    if action.other_task_seen:
        steps.append(Step("Another task was seen on the server", None))
    steps += [Step("Seen on the server", _moment(seen.get("at")), _seen(seen)) for seen in action.evidence]
    if action.finished_at and action.sent_at:
        end = look_of(STATE, action.state)
        steps.append(Step(end.word, action.finished_at, action.error))
    return steps


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None


def _seen(seen: dict[str, Any]) -> str:
    """What a read saw of the server while the outcome was unknown."""
    tasks = ", ".join(map(str, seen.get("tasks") or ()))
    told = [f"Status {seen.get('status') or 'not told'}"]
    told.append(f"task {tasks}" if tasks else "busy, without a task that is named" if seen.get("busy") else "no task")
    told.append(f"failover {failover} active" if (failover := seen.get("active_failover")) else "no failover active")
    if last := ", ".join(map(str, seen.get("last_tasks") or ())):
        told.append(f"the last test's task was {last}")
    return f"{'; '.join(told)}."


def _point_sent(action: Action) -> str:
    return "" if action.kind == Kind.STOP else f"Recovery point: {recovery_point(action.recovery_point)}."
