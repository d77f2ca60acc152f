"""Sending the items of a batch, one after another, in a thread of the web process. It is no short cut: each goes
through ``actions.request``, with a fresh read, the guard and a claim of its own, and with its owner's rights of then.

The batch pauses by itself, and its owner looks, when the cloud asks to wait (a 429), when several in a row end without
a clear answer, and when the process is to end. A runner that is killed leaves its name: ``batches.settle`` finds that
it is gone, and nothing goes on before its owner says so.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from math import ceil
from threading import Event, Thread
from uuid import uuid4

import msgspec
from django.contrib.auth.models import User
from django.db import Error as DatabaseError
from django.db import connection
from django.utils import timezone

from drdash import senders
from drdash.clock import boot_seconds
from drdash.cloud.records import RecoveryPoint
from drdash.english import english
from drdash.estate import clients
from drdash.estate.replica import replica
from drdash.failover import batches
from drdash.failover.actions import Invalid, KeyReused, TooMany, Wish, request
from drdash.failover.guard import Kind
from drdash.failover.models import Action, Batch, Item, State
from drdash.failover.sighting import Sighting

log = logging.getLogger(__name__)

# So many in a row without a clear answer, and a person looks before more is sent.
UNCLEAR = 3
BUSY_SECONDS = 5.0

Now = Callable[[], datetime]

_ending = Event()


class _NothingAtHand(Exception):
    """Redis is away, and this process has not seen the servers before."""


def start(batch: Batch, *, by: User, now: datetime) -> Thread:
    """Go on with the batch in a thread of its own, which is returned. Raises batches.NotDone."""
    if _ending.is_set():
        raise batches.NotDone(english("drdash is about to restart. Go on when it has."))
    runner = name()
    batches.go_on(batch, by=by, runner=runner, now=now)
    # Not a daemon: what it has sent is written down before the process ends.
    thread = Thread(target=run, args=(batch.pk, runner), name=f"batch {batch.pk}")
    thread.start()
    return thread


def name() -> str:
    """A new runner of this process."""
    return f"{senders.me()} {uuid4().hex[:12]}"


def end() -> None:
    """The process is to end: every runner in it pauses its batch after the item that it is at."""
    _ending.set()


def run(pk: int, runner: str, *, now: Now = timezone.now, wait: Callable[[float], bool] = _ending.wait) -> None:
    """Send what is left, at the batch's rate, until it is done, paused or stopped. ``wait`` says whether to end."""
    batch = Batch.objects.get(pk=pk)
    try:
        while (seconds := step(batch, runner, now=now)) is not None:
            if wait(seconds):
                batches.hold(batch, runner=runner, why=english("Stopped by a restart."), now=now())
                break
        batches.leave(batch, runner=runner)
    except DatabaseError as error:
        log.warning("Batch %s does not go on by itself: %s", pk, type(error).__name__)
        with suppress(DatabaseError):
            batches.hold(batch, runner=runner, why=english("The database could not be written."), now=now())
            batches.leave(batch, runner=runner)
    finally:
        connection.close()


def step(batch: Batch, runner: str, *, now: Now) -> float | None:
    """Send the next item, if its time has come: in how many seconds to ask again; None when nothing is left to do."""
    if (seconds := batches.early(batch, now())) > 0:
        return seconds
    following = batches.upcoming(batch)
    if following is not None and (why := _asked_to_wait(following, now())):
        # Nothing is spent on what the cloud would not hear.
        batches.hold(batch, runner=runner, why=why, now=now())
        return None
    # From before its turn: whoever is paused after it, and given up for dead, finds its time over.
    asked = boot_seconds()
    item = batches.take(batch, runner=runner, now=now())
    if item is None:
        batches.finish(batch, runner=runner, now=now())
        return None
    try:
        _send(batch, item, asked)
    except TooMany:
        batches.give_back(item)
        return BUSY_SECONDS
    except _NothingAtHand:
        batches.give_back(item)
        why = english("What was last seen of the servers is not at hand just now. Go on when the pages show it again.")
        batches.hold(batch, runner=runner, why=why, now=now())
        return None
    if batches.finish(batch, runner=runner, now=now()):
        return None
    if why := _asked_to_wait(item, now()) or _unclear(batch):
        batches.hold(batch, runner=runner, why=why, now=now())
        return None
    return batches.early(batch, now())


def _send(batch: Batch, item: Item, asked: float) -> None:
    known = replica().estates([item.tenant_id])[item.tenant_id].servers.get(item.server_uuid)
    if known is None and not replica().reachable:
        raise _NothingAtHand
    if known is None:
        batches.leave_out(item, english("The server is not known here any more."))
        return
    # As the person is now: whoever was locked out meanwhile sends nothing more.
    user = User.objects.get(pk=batch.user_id)
    try:
        wish = _wish(batch, item)
        action, _ = request(user=user, tenant=item.tenant, server=known.record, wish=wish, asked=asked)
    except (Invalid, KeyReused) as problem:
        batches.leave_out(item, english("It was not sent. %(problem)s", problem=problem))
    else:
        batches.note(item, action)


def _wish(batch: Batch, item: Item) -> Wish:
    seen = msgspec.convert(item.seen, Sighting)
    point = item.recovery_point
    return Wish(
        kind=Kind(batch.kind),
        key=batches.key_of(item),
        recovery_point=None if point is None else msgspec.convert(point, RecoveryPoint),
        acknowledge=frozenset(item.acknowledged),
        # The number of servers was typed for all of them; this is the name that was seen beside it.
        confirm=seen.name if batch.production else "",
        seen=seen,
        approval=item.approval_id,
    )


def _asked_to_wait(item: Item, now: datetime) -> str:
    """Until when the cloud wants no request for the item's tenant, in a sentence; empty when it may be asked."""
    if (left := clients.left(item.tenant)) <= 0:
        return ""
    until = now + timedelta(seconds=ceil(left))
    return english(
        "The cloud asked to be left alone until %(until)s UTC (a 429). Nothing goes on by itself then.",
        until=f"{until:%H:%M:%S}",
    )


def _unclear(batch: Batch) -> str:
    """Why a person has to look first, when the last few that were sent since it went on say nothing clear."""
    sent = Item.objects.filter(batch=batch.pk, taken_at__gte=batch.changed_at).exclude(action=None)
    last = [item.action for item in sent.select_related("action").order_by("-taken_at")[:UNCLEAR]]
    if len(last) < UNCLEAR or not all(action and _says_nothing(action) for action in last):
        return ""
    return english(
        "%(unclear)s in a row ended without a clear answer of the cloud. Look at them before you go on.",
        unclear=UNCLEAR,
    )


def _says_nothing(action: Action) -> bool:
    """Whether nobody can say what the cloud would make of the next one."""
    if action.state in {State.UNKNOWN, State.NOT_SENT, State.EXPIRED}:
        return True
    return action.state == State.REFUSED and any(reason.get("code") == "ReadFailed" for reason in action.reasons)
