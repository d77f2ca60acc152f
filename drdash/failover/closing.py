"""The end of an action whose outcome nobody knows: a person looks at the cloud, says what became of it, and closes it.
The program never decides, and never sends again.
"""

from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import models

from drdash.failover.following import SEND_SECONDS
from drdash.failover.models import Action, State
from drdash.failover.record import move
from drdash.tenants import access

# The sender cannot be at it any more when its deadline is over for so long; and what was on its way has arrived.
SENDER_GONE = timedelta(seconds=SEND_SECONDS) + timedelta(minutes=5)
QUARANTINE = max(timedelta(minutes=15), SENDER_GONE)
SHORTEST = 10
SHORTEST_ALONE = 30


class Verdict(models.TextChoices):
    """What the person found at the cloud."""

    HAPPENED = "happened", "The cloud did it"
    NOT_HAPPENED = "not happened", "The cloud did not do it"
    UNTOLD = "untold", "It cannot be told"


class NotClosed(Exception):
    """It was not closed; the message says why, and what to do."""


def from_when(action: Action) -> datetime:
    """From when on the action may be closed."""
    return (action.sent_at or action.requested_at) + QUARANTINE


def may(user: User, action: Action) -> bool:
    """Whether the person has the right to close it: whoever could have asked for it."""
    role = access.reach(user).role(action.tenant_id)
    return role is not None and (role.runs_production if action.production else role.runs_tests)


def needs_another(user: User, action: Action) -> bool:
    """Whether it should be someone else: production is closed by a second person, or alone with more of a reason."""
    return action.production and action.user_id == user.pk


def close(action: Action, *, by: User, verdict: str, why: str, alone: bool, now: datetime) -> None:
    """Close an unknown action with the person's word on it. Raises NotClosed."""
    why = " ".join(why.split())
    if not may(by, action):
        raise NotClosed("Your role cannot close this: ask an admin of the tenant.")
    if verdict not in Verdict.values:
        raise NotClosed("Say what became of it.")
    if now < from_when(action):
        raise NotClosed(f"It can be closed from {from_when(action):%H:%M:%S} UTC on: what was sent may still arrive.")
    if needs_another(by, action) and not alone:
        raise NotClosed("This is production, and you asked for it: let another person look, or say that you are alone.")
    if len(why) < (shortest := SHORTEST_ALONE if needs_another(by, action) else SHORTEST):
        raise NotClosed(f"Write what you saw, in {shortest} characters at least: the next one has only this.")
    said = f"{by.get_username()}: {Verdict(verdict).label.lower()}. {why}"
    closed = move(
        action, [State.UNKNOWN], State.CLOSED, now=now, by=by, finished_at=now, verdict=verdict, error=said, detail=said
    )
    if not closed:
        raise NotClosed("It is not unknown any more: look again.")
