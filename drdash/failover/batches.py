"""Batches: gone on with by their owner alone, paused and stopped by more, one item at a time. ``confirming`` makes one.

Every change of state is a compare-and-set with its audit entries, one for each tenant that it touches, which tells of
that tenant's servers alone. Only the runner that a batch names takes its next item, and only while it runs: what was
not taken when a stop is committed is never sent.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Count, Max, Q, QuerySet

from drdash import senders
from drdash.audit.record import write, writing
from drdash.english import english
from drdash.failover import notices, together
from drdash.failover.consents import NotApproved
from drdash.failover.models import Action, Batch, Item
from drdash.tenants import access
from drdash.tenants.access import Reach
from drdash.wrong import Wrong

State = Batch.State
UNFINISHED = (State.RUNNING, State.PAUSED)
FEWEST, USUAL, MOST = 1, 10, 60  # a minute
# Longer than the wait at the slowest rate and the longest action together.
SILENT = timedelta(minutes=5)


class NotDone(Wrong):
    """Nothing was changed; the message says why, and what to do."""


class Stage(StrEnum):
    """Where one item is."""

    WAITS = "waits"
    IN_FLIGHT = "in flight"
    SENT = "sent"
    LEFT_OUT = "left out"
    NEVER = "never"


def go_on(batch: Batch, *, by: User, runner: str, now: datetime) -> None:
    """Have ``runner`` send what is left. Raises NotDone for anyone but the owner, and for what is not paused."""
    if batch.user_id != by.pk:
        raise NotDone(english("Only the person whose batch it is has it go on."))
    try:
        together.must_be_answered(batch, now)
    except NotApproved as waits:
        raise NotDone(str(waits)) from waits
    if not _move(batch, [State.PAUSED], State.RUNNING, "gone on", now, by=by, runner=runner, runner_at=now, why=""):
        raise NotDone(english("It is not paused, so it does not go on."))


def pause(batch: Batch, *, by: User, now: datetime) -> None:
    """Send nothing more until its owner, who asks for this, says so. What is in flight goes on. Raises NotDone."""
    if batch.user_id != by.pk:
        raise NotDone(english("Only the person whose batch it is pauses it."))
    why = english("Paused by %(username)s.", username=by.get_username())
    if not _move(batch, [State.RUNNING], State.PAUSED, "paused", now, by=by, why=why):
        raise NotDone(english("It does not run, so it is not paused."))


def hold(batch: Batch, *, runner: str, why: str, now: datetime) -> None:
    """The runner itself sends nothing more until the owner says so."""
    _move(batch, [State.RUNNING], State.PAUSED, "paused", now, only={"runner": runner}, why=why)


def stop(batch: Batch, *, by: User, now: datetime) -> None:
    """What was not taken yet will never be sent: all of it for the owner, else what is in the tenants where the person
    could start the same. Raises NotDone when that is nothing.
    """
    reach, why = access.reach(by), english("Stopped by %(username)s.", username=by.get_username())
    with writing():
        held = Batch.objects.select_for_update().get(pk=batch.pk)
        left = _left(batch).filter(taken_at=None) if held.runner else _left(batch)
        theirs = left if batch.user_id == by.pk else left.filter(tenant__in=_stoppable(batch, reach))
        if batch.user_id != by.pk and not theirs.exists():
            raise NotDone(english("There is nothing left that you may stop."))
        if left.count() > theirs.count():
            # The others' go on, and whoever sees only these cannot tell that there are others.
            touched = list(theirs.values_list("tenant", flat=True).distinct())
            audit(batch, "stopped", now, by=by, tenants=touched)
            together.withdraw(batch, theirs, by=by, now=now)
            theirs.update(skipped=why)
            return
        together.withdraw(batch, left, by=by, now=now)
        if not _move(batch, UNFINISHED, State.STOPPED, "stopped", now, by=by, why=why, finished_at=now):
            raise NotDone(english("It is over: there is nothing left to stop."))


def may_stop(batch: Batch, user: User, reach: Reach) -> bool:
    """Whether the person may stop it, or what they see of it."""
    if batch.state not in UNFINISHED:
        return False
    return batch.user_id == user.pk or _left(batch).filter(tenant__in=_stoppable(batch, reach)).exists()


def take(batch: Batch, *, runner: str, now: datetime) -> Item | None:
    """The next item, whose turn it is from now on; None when there is none, or it is not for this runner to send."""
    with writing():
        if not _held(batch, runner).update(runner_at=now):
            return None
        item = upcoming(batch)
        if item is not None:
            Item.objects.filter(pk=item.pk).update(taken_at=now)
    return item


def upcoming(batch: Batch) -> Item | None:
    """The item whose turn is next, or was when its runner died: then its action, if there is one, is found again."""
    return _left(batch).select_related("tenant__credential", "tenant__acting").order_by("position").first()


def give_back(item: Item) -> None:
    """Its turn comes again, as nothing was recorded of it or sent; never, when its tenant's were stopped meanwhile."""
    with writing():
        stopped = Item.objects.filter(batch=item.batch_id, tenant=item.tenant_id, skipped__startswith="Stopped by ")
        why = stopped.values_list("skipped", flat=True).first() or ""
        Item.objects.filter(pk=item.pk, action=None, skipped="").update(taken_at=None, skipped=why)


def note(item: Item, action: Action) -> None:
    """What became of an item that was taken."""
    Item.objects.filter(pk=item.pk, action=None).update(action=action)


def leave_out(item: Item, why: str) -> None:
    """It can never be sent, and was not."""
    Item.objects.filter(pk=item.pk, action=None, skipped="").update(skipped=why)


def finish(batch: Batch, *, runner: str, now: datetime) -> bool:
    """Whether nothing is left to send: then the batch is done."""
    if _left(batch).exists():
        return False
    _move(batch, UNFINISHED, State.DONE, "done", now, only={"runner": runner}, why="", finished_at=now)
    return True


def leave(batch: Batch, *, runner: str) -> None:
    """The runner is at nothing of it any more."""
    Batch.objects.filter(pk=batch.pk, runner=runner).exclude(state=State.RUNNING).update(runner="")


def early(batch: Batch, now: datetime) -> float:
    """In how many seconds the next may be sent, by the rate; 0: at once. It holds over every pause."""
    last: datetime | None = batch.items.aggregate(last=Max("taken_at"))["last"]
    if last is None:
        return 0.0
    interval = 60.0 / batch.per_minute
    return min(interval, max(0.0, interval - (now - last).total_seconds()))


def sweep(now: datetime) -> None:
    """Find the batches whose runner died, by whoever looks first: they wait for their owners."""
    for batch in Batch.objects.exclude(runner=""):
        settle(batch, now)


def settle(batch: Batch, now: datetime) -> Batch:
    """The same for one, which is returned as it then is. What was in flight is found again."""
    if not (died := _died(batch, now)):
        return batch
    runner = batch.runner
    _move(batch, [State.RUNNING], State.PAUSED, "paused", now, only={"runner": runner}, why=died)
    for item in _left(batch).exclude(taken_at=None):
        if action := Action.objects.filter(user=batch.user_id, idempotency_key=key_of(item)).first():
            note(item, action)
        else:
            give_back(item)
    leave(batch, runner=runner)
    batch.refresh_from_db()
    return batch


def stage_of(item: Item, batch: Batch, now: datetime) -> Stage:
    """Where an item is."""
    if item.action_id is not None:
        return Stage.SENT
    if item.skipped:
        return Stage.LEFT_OUT
    if item.taken_at is not None and batch.runner and not _died(batch, now):
        return Stage.IN_FLIGHT
    return Stage.WAITS if batch.state in UNFINISHED else Stage.NEVER


def key_of(item: Item) -> str:
    """The idempotency key of its action: whoever sends it, there is one."""
    return f"batch-{item.batch_id}-{item.position}"


def _died(batch: Batch, now: datetime) -> str:
    """How its runner was lost, in a sentence; empty when it may be at it."""
    if not batch.runner:
        return ""
    if senders.gone(batch.runner.rpartition(" ")[0]):
        return english("Stopped by a restart.")
    if batch.runner_at is None or now - batch.runner_at > SILENT:
        return english("Its sender went silent.")
    return ""


def _left(batch: Batch) -> QuerySet[Item]:
    return Item.objects.filter(batch=batch.pk, action=None, skipped="")


def _held(batch: Batch, runner: str) -> QuerySet[Batch]:
    return Batch.objects.filter(pk=batch.pk, state=State.RUNNING, runner=runner)


def _stoppable(batch: Batch, reach: Reach) -> list[int]:
    return [tenant for tenant, role in reach.roles.items() if role.runs(production=batch.production)]


def _move(
    batch: Batch,
    before: Iterable[str],
    after: str,
    word: str,
    now: datetime,
    *,
    by: User | None = None,
    only: dict[str, str] | None = None,
    **fields: object,
) -> bool:
    """Compare, set, and write the audit, in one transaction. The batch is then as it is stored."""
    with writing():
        found = Batch.objects.filter(pk=batch.pk, state__in=list(before), **(only or {}))
        moved = bool(found.update(state=after, changed_at=now, **fields))
        batch.refresh_from_db()
        if moved:
            audit(batch, word, now, by=by, detail=batch.why)
    return moved


def audit(
    batch: Batch,
    word: str,
    now: datetime,
    *,
    by: User | None,
    detail: str = "",
    tenants: Iterable[int] | None = None,
) -> None:
    """Write what became of it for each tenant that it touches, or some of them, in the caller's transaction."""
    left = Count("pk", filter=Q(action=None, skipped=""))
    counted = Item.objects.filter(batch=batch.pk).order_by().values("tenant").annotate(all=Count("pk"), left=left)
    for told in counted if tenants is None else counted.filter(tenant__in=list(tenants)):
        words = f"Batch {batch.pk}: {batch.kind} of {told['all']}; {told['left']} not sent yet. {detail}"
        write(by=by, verb=f"batch {word}", at=now, tenant=told["tenant"], detail=words.strip())
        transaction.on_commit(partial(notices.changed, told["tenant"]))
