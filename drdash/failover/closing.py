"""The end of an action whose outcome nobody knows: a person looks at the cloud, says what became of it, and closes it.
The program never decides, and never sends again.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.contrib.auth.models import User

from drdash import senders
from drdash.clock import boot_seconds
from drdash.english import english
from drdash.failover.following import SEND_SECONDS
from drdash.failover.models import Action, State, Verdict
from drdash.failover.record import move
from drdash.tenants import access
from drdash.wrong import Wrong

__all__ = ["NotClosed", "NotYours", "Verdict", "close", "left", "may", "may_break", "needs_another"]

# The sender cannot be at it any more when its deadline is over for so long, whether or not it is proven gone before;
# and what was on its way has arrived.
SENDER_GONE = timedelta(seconds=SEND_SECONDS) + timedelta(minutes=5)
QUARANTINE = max(timedelta(minutes=15), SENDER_GONE)
SHORTEST = 10
SHORTEST_ALONE = 30

# What the record says of who closed it, and why.
_SAID = {
    Verdict.HAPPENED: english("%(who)s: the cloud did it. %(why)s"),
    Verdict.NOT_HAPPENED: english("%(who)s: the cloud did not do it. %(why)s"),
    Verdict.UNTOLD: english("%(who)s: it cannot be told. %(why)s"),
}
_BROKE = english("%(who)s, to close it at once: %(why)s")

Clock = Callable[[], float]


class NotClosed(Wrong):
    """It was not closed; the message says why, and what to do."""


class NotYours(NotClosed):
    """It was not closed, as this person's role may not."""


def left(action: Action, now: datetime, *, clock: Clock = boot_seconds) -> timedelta:
    """How long what was sent may still arrive, so that nobody closes it without breaking the glass. By the clock of the
    boot where the sender's goes on, lest a clock that is set anew shorten it; otherwise by the time of day.
    """
    if action.sent_boot is not None and senders.of_this_boot(action.sender):
        return max(timedelta(), timedelta(seconds=action.sent_boot - clock()) + QUARANTINE)
    return max(timedelta(), (action.sent_at or action.requested_at) + QUARANTINE - now)


def may(user: User, action: Action) -> bool:
    """Whether the person has the right to close it: whoever could have asked for it."""
    role = access.reach(user).role(action.tenant_id)
    return role is not None and role.runs(production=action.production)


def may_break(user: User, action: Action) -> bool:
    """Whether the person may break the glass, to close it sooner."""
    role = access.reach(user).role(action.tenant_id)
    return role is not None and role.runs_production


def needs_another(user: User, action: Action) -> bool:
    """Whether it should be someone else: production is closed by a second person, or alone with more of a reason."""
    return action.production and action.user_id == user.pk


def close(
    action: Action,
    *,
    by: User,
    verdict: str,
    why: str,
    now: datetime,
    alone: bool = False,
    glass: bool = False,
    warned: bool = False,
    clock: Clock = boot_seconds,
) -> None:
    """Close an unknown action with the person's word on it. Raises NotClosed.

    ``glass``: the glass is broken, to do it while what was sent may still arrive; the person's password was checked
    just now, and ``warned`` says that they read that a duplicate may follow.
    """
    why = " ".join(why.split())
    if not may(by, action):
        raise NotYours(english("Your role cannot close this: ask an admin of the tenant."))
    if verdict not in Verdict.values:
        raise NotClosed(english("Say what became of it."), "verdict")
    wait = left(action, now, clock=clock)
    if wait and not glass:
        at = f"{now + wait:%H:%M:%S}"
        raise NotClosed(english("It can be closed from %(at)s UTC on: what was sent may still arrive.", at=at))
    if wait and not may_break(by, action):
        raise NotYours(english("Only an admin of the tenant may break the glass."))
    if wait and not warned:
        raise NotClosed(english("Tick that you have read that a duplicate may follow."), "warned")
    if not wait and needs_another(by, action) and not alone:
        raise NotClosed(
            english("This is production, and you asked for it: let another person look, or say that you are alone."),
            "alone",
        )
    if len(why) < (shortest := SHORTEST_ALONE if wait or needs_another(by, action) else SHORTEST):
        raise NotClosed(
            english(
                "Write what you saw, in %(shortest)s characters at least: the next one has only this.",
                shortest=shortest,
            ),
            "why",
        )
    said = _SAID[Verdict(verdict)] % {"who": by.get_username(), "why": why}
    broke = f"Broke the glass: closed {_span(wait)} before what was sent cannot arrive any more. " if wait else ""
    closed = move(
        action,
        [State.UNKNOWN],
        State.CLOSED,
        now=now,
        by=by,
        finished_at=now,
        verdict=verdict,
        error=said,
        glass="\n".join(filter(None, [action.glass, english(_BROKE, who=by.get_username(), why=why) if wait else ""])),
        detail=broke + said,
    )
    if not closed:
        raise NotClosed(english("It is not unknown any more: look again."))


def _span(wait: timedelta) -> str:
    minutes, seconds = divmod(round(wait.total_seconds()), 60)
    return f"{minutes} min {seconds} s"
