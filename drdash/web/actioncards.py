"""What an action's row and page show: who, when, what was sent, what came back, what was seen since."""

from datetime import datetime
from typing import Any

import msgspec
from django.urls import reverse

from drdash.failover.guard import Kind
from drdash.failover.models import LIVE, Action, Approval, Item, State
from drdash.failover.reasons import Mark, Remedy
from drdash.web.buttons import ShownReason, server_url
from drdash.web.phrases import phrase
from drdash.web.said import stored
from drdash.web.steps import SUPERSEDED, Step, recovery_point, state_of, steps
from drdash.web.wording import REMEDY, STATE_MEANS, Look, action_name

SUPERSEDED_MEANS = phrase("Its outcome stayed unknown; another action went over it.")
# The names of actions as they stand within a sentence.
DEEDS = {
    "Start test": phrase("start test"),
    "Start production": phrase("start production"),
    "Stop test": phrase("stop test"),
    "Stop production": phrase("stop production"),
    "Stop failover": phrase("stop failover"),
    "Start tests": phrase("start tests"),
    "Stop tests": phrase("stop tests"),
}


class Around(msgspec.Struct, frozen=True):
    """What belongs to an action, each with its words and the page that it leads to, where there is one."""

    approval: tuple[str, str] = ("", "")
    batch: tuple[str, str] = ("", "")
    over: tuple[tuple[str, str], ...] = ()
    under: tuple[str, str] = ("", "")
    glass: tuple[str, ...] = ()


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


def deed(name: str) -> str:
    """An action's name as it stands within a sentence."""
    return DEEDS.get(name, name)


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
        state=state_of(action),
        means=SUPERSEDED_MEANS if state_of(action) is SUPERSEDED else STATE_MEANS.get(action.state, ""),
        live=action.state in LIVE,
        by=action.user.get_username(),
        requested_at=action.requested_at,
        finished_at=action.finished_at,
        error=stored(action.error),
        task_uuid=action.task_uuid,
        point="" if action.kind == Kind.STOP else recovery_point(action.recovery_point),
        acknowledged=tuple(map(str, action.acknowledged or ())),
        reasons=tuple(_reason(reason) for reason in action.reasons or () if _stopped(action, reason)),
        steps=steps(action),
    )


def around(action: Action) -> Around:
    """What belongs to the action, read anew: only its page shows that."""
    approval, item = action.approval, Item.objects.filter(action=action.pk).first()
    taken = action.state not in (State.REFUSED, State.NOT_SENT, State.EXPIRED)
    by, under = action.superseded_by, ("", "")
    if by is not None:
        stands = action.state == State.UNKNOWN
        another = phrase("An action of another tenant")
        if stands:
            words = phrase(
                "%(action)s was to go over it, and was not taken by the cloud", action=_of(by, action, another)
            )
        else:
            words = phrase("%(action)s went over it", action=_of(by, action, another))
        under = (words, _url_of(by, action))
    return Around(
        approval=("", "") if approval is None else (_approved(approval), reverse("approval", args=[approval.pk])),
        batch=("", "")
        if item is None
        else (phrase("Batch %(number)s", number=item.batch_id), reverse("batch", args=[item.batch_id])),
        over=tuple((_over(one, action, taken=taken), _url_of(one, action)) for one in action.superseded.all()),
        under=under,
        glass=tuple(map(stored, action.glass.splitlines())),
    )


def stamp(action: Action | None) -> tuple[Any, ...]:
    """What a drawing of the action is made of: as long as this is the same, so is the drawing."""
    if action is None:
        return ()
    told = (action.answered_at, action.task_seen_at, action.other_task_seen, action.error, action.glass, action.verdict)
    seen = (len(action.evidence), str(action.evidence[-1:]))
    return (action.pk, action.state, *told, *seen, action.superseded_by_id)


def _of(action: Action, beside: Action, another: str) -> str:
    """An action as it is named beside another on the same server, which may be watched for two tenants."""
    if action.tenant_id != beside.tenant_id:
        return another
    name = action_name(action.kind, production=action.production)
    return phrase("%(action)s (%(number)s)", action=name, number=action.pk)


def _over(action: Action, by: Action, *, taken: bool) -> str:
    named = _of(action, by, phrase("an action of another tenant"))
    if taken:
        return phrase("It went over %(action)s", action=named)
    return phrase("It was to go over %(action)s, whose outcome is as unknown as before", action=named)


def _url_of(action: Action, beside: Action) -> str:
    return action_url(action) if action.tenant_id == beside.tenant_id else ""


def _approved(approval: Approval) -> str:
    by = approval.answered_by.get_username() if approval.answered_by else phrase("nobody")
    return phrase("asked for by %(asked)s, approved by %(by)s", asked=approval.asked_by.get_username(), by=by)


def _stopped(action: Action, reason: dict[str, Any]) -> bool:
    return action.state == State.REFUSED and action.status is None and reason.get("mark") != Mark.ACKNOWLEDGE


def _reason(reason: dict[str, Any]) -> ShownReason:
    remedy = reason.get("remedy", "")
    return ShownReason(
        message=stored(str(reason.get("message", ""))),
        code=str(reason.get("code", "")),
        remedy=REMEDY.get(remedy, REMEDY[Remedy.ASK]),
        task_uuids=tuple(map(str, reason.get("task_uuids") or ())),
    )
