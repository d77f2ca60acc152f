"""The record of an action: made with its audit entry, and moved from state to state by compare-and-set alone."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from drdash.audit.record import write, writing
from drdash.cloud.client import Sent
from drdash.cloud.wire import Accepted
from drdash.failover import notices
from drdash.failover.models import Action, State


def create(*, user: User, now: datetime, **fields: Any) -> Action:
    """A new action in ``requested`` and its audit entry, committed. Raises IntegrityError when the key was used."""
    with writing(durable=True):
        action = Action.objects.create(user=user, requested_at=now, state=State.REQUESTED, **fields)
        _audit(action, now, State.REQUESTED.label, by=user, detail="")
    announce(action)
    return action


def move(
    action: Action,
    before: Iterable[State],
    after: State,
    *,
    now: datetime,
    by: User | None = None,
    detail: str = "",
    **fields: Any,
) -> bool:
    """Move the action and write the audit entry, in one committed transaction; then announce it.

    ``by``: the person who did it, None where drdash did. The action is then as it is stored. False, and nothing
    written, when it was no longer in one of ``before``. Raises IntegrityError when another action on the server is open
    and this one would be too. May be called within a transaction of the caller's, which then commits and announces for
    itself.
    """
    with writing():
        moved = Action.objects.filter(pk=action.pk, state__in=list(before)).update(state=after, **fields)
        if not moved:
            action.refresh_from_db()
            return False
        _audit(action, now, after.label, by=by, detail=detail)
        transaction.on_commit(lambda: announce(action))
    action.refresh_from_db()
    return True


def keep_late_answer(action: Action, *, now: datetime, said: str, sent: Sent) -> None:
    """Note an answer that came when the action was no longer being sent. Its state stays as it is."""
    task = sent.answer.task_uuid if isinstance(sent.answer, Accepted) else ""
    with writing():
        Action.objects.filter(pk=action.pk).update(
            status=sent.status, reply=sent.reply, task_uuid=task, answered_at=now
        )
        _audit(action, now, "answered late", by=None, detail=said)
        transaction.on_commit(lambda: announce(action))
    action.refresh_from_db()


def keep_late_word(action: Action, *, now: datetime, said: str) -> None:
    """Note what the sender tells of an action that is not its own to end any more. Its state stays as it is."""
    with writing():
        Action.objects.filter(pk=action.pk, state=State.UNKNOWN).update(error=said)
        _audit(action, now, "told late", by=None, detail=said)
        transaction.on_commit(lambda: announce(action))
    action.refresh_from_db()


def announce(action: Action) -> None:
    """Have every page draw the action, its server and its banners anew, some time soon: best effort."""
    notices.changed(action.tenant_id, f"server:{action.server_uuid}", f"action:{action.pk}")


def _audit(action: Action, now: datetime, what: str, *, by: User | None, detail: str) -> None:
    write(
        by=by,
        verb=f"{action.kind} {what}",
        at=now,
        tenant=action.tenant_id,
        action=action.pk,
        server_uuid=action.server_uuid,
        detail=detail,
    )
