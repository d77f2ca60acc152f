"""The last step before the POST: the server is taken for the action, or the action refused, by compare-and-set."""

from collections.abc import Callable
from typing import Any

import msgspec
from django.db import IntegrityError, transaction
from django.utils import timezone

from drdash.audit.record import writing
from drdash.cloud.client import body_of
from drdash.english import english
from drdash.failover import approvals
from drdash.failover.guard import Verdict
from drdash.failover.models import Action, Approval, State
from drdash.failover.reasons import Mark, Reason, own
from drdash.failover.record import move
from drdash.failover.wish import Wish


class _Shifted(Exception):
    """What the guard was told of the rights, or of a second admin's word, is true no more."""


def claim(
    action: Action,
    wish: Wish,
    verdict: Verdict,
    *,
    ours: Action | None,
    approval: Approval | None,
    still: Callable[[], bool],
    **kept: Any,
) -> bool:
    """Take the server for this action, committed with all that is about to be sent; False: refused, as another action
    took it meanwhile, or as the rights (``still``) or the ``approval`` are no longer those that the guard was told.

    ``ours``: the action whose unknown outcome this one goes over. ``kept``: what else is written down of the moment.
    """
    glass = " ".join(wish.glass.split()) if verdict.breakable else ""
    over = f"Broke the glass: {glass} It goes over {', '.join(verdict.glass)}. " if glass else ""
    try:
        with writing(durable=True):
            if not still():
                raise _Shifted
            now = timezone.now()
            if ours is not None:
                # Only what goes over an unknown outcome gets past the guard here: a stop, or who broke the glass. Where
                # the cloud does not take it, that outcome is unknown again (``following.reopen``).
                detail = f"Superseded by the action {action.pk}."
                move(ours, [State.UNKNOWN], State.CLOSED, now=now, finished_at=now, superseded_by=action, detail=detail)
            claimed = move(
                action,
                [State.REQUESTED],
                State.SENDING,
                now=now,
                sent_at=now,
                production=verdict.production,
                reasons=[msgspec.to_builtins(reason) for reason in verdict.reasons],
                body=body_of(wish.recovery_point).decode(),
                glass=glass,
                detail=f"{over}Acknowledged: {', '.join(sorted(wish.acknowledge)) or 'nothing'}.",
                **kept,
            )
            if claimed and approval is not None and not approvals.take(approval.pk, action, now=now):
                raise _Shifted
            transaction.set_rollback(not claimed)
    except IntegrityError:
        refuse(action, [own("OurActionOpen", Mark.BLOCK)])
        return False
    except _Shifted:
        words = english(
            "Your rights, a second admin's word, or what may be done in this tenant, changed meanwhile. Look again."
        )
        refuse(action, [own("Changed", Mark.BLOCK, message=words)])
        return False
    return claimed


def refuse(action: Action, reasons: list[Reason]) -> None:
    """End the action that was not claimed, with all that stands against it."""
    ordered = sorted(reasons, key=lambda reason: -reason.mark)
    now, error = timezone.now(), " ".join(dict.fromkeys(r.message for r in ordered if r.mark > Mark.ACKNOWLEDGE))
    listed = [msgspec.to_builtins(reason) for reason in ordered]
    move(action, [State.REQUESTED], State.REFUSED, now=now, finished_at=now, reasons=listed, error=error, detail=error)
