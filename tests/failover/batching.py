"""Batches from a plan to their end, by a clock that moves when the runner waits."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from drdash import senders
from drdash.audit.models import Entry
from drdash.failover import batches, confirming, running
from drdash.failover.batches import Stage
from drdash.failover.guard import Kind
from drdash.failover.models import Batch, Item
from drdash.failover.plan import Plan, plan_of
from drdash.failover.preflight import preflight
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Tenant
from tests.failover.test_preflight import named

START = ":start_failover_test"
FIVE = ("ams-crm-01", "ams-erp-01", "ams-git-01", "ams-git-02", "ber-web-01")
# A process of this host that has ended: no process was ever 2**22 + 1.
DEAD = senders.me().rsplit(" ", 2)[0] + " 4194305 1 run"

Done = TypeVar("Done")


class Clock:
    """Time that passes when the runner waits, and in no other way."""

    def __init__(self, ends_after: int = 1000) -> None:
        self.time = timezone.now()
        self.waits: list[float] = []
        self._ends_after = ends_after

    def __call__(self) -> datetime:
        return self.time

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.time += timedelta(seconds=seconds)
        return len(self.waits) >= self._ends_after


def planned(user: User, tenant: Tenant, *names: str, kind: Kind = Kind.START_TEST, production: bool = False) -> Plan:
    found = preflight(user=user, chosen=named(tenant, *names), kind=kind, production=production, before=None)
    return plan_of(found, user=user.pk)


def confirmed(user: User, plan: Plan, *, order: list[int] | None = None, per_minute: int = 10) -> Batch:
    order = list(range(len(plan.going))) if order is None else order
    return confirming.make(user=user, plan=plan, order=order, nods=plan.nods, per_minute=per_minute, now=timezone.now())


def gone_on(batch: Batch, clock: Clock) -> str:
    runner = running.name()
    batches.go_on(batch, by=batch.user, runner=runner, now=clock())
    return runner


def run(batch: Batch, clock: Clock | None = None) -> Batch:
    """Go on with a batch to its end, in this thread."""
    clock = clock or Clock()
    running.run(batch.pk, gone_on(batch, clock), now=clock, wait=clock.wait)
    batch.refresh_from_db()
    return batch


def posted(simulator: Simulator) -> list[str]:
    """The servers that were posted to, by name, in order."""
    names = dict(Item.objects.values_list("server_uuid", "server_name"))
    return [names[post.path.rpartition("/")[2].partition(":")[0].lower()] for post in simulator.posts]


def stages(batch: Batch) -> list[Stage]:
    return [batches.stage_of(item, batch, timezone.now()) for item in batch.items.all()]


def in_a_thread(work: Callable[[], Done]) -> Done:
    try:
        return work()
    finally:
        connection.close()


def told(batch: Batch) -> list[str]:
    return list(Entry.objects.filter(verb__startswith="batch ").order_by("number").values_list("verb", flat=True))
