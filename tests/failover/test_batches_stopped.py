"""Who may stop a batch, and what a stop stops."""

from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from drdash.audit.models import Entry
from drdash.failover import batches, running
from drdash.failover.batches import NotDone, Stage
from drdash.failover.guard import Kind
from drdash.failover.models import Action, Batch, State
from drdash.failover.plan import plan_of
from drdash.failover.preflight import preflight
from drdash.simulator.server import running as simulated
from drdash.simulator.simulation import Simulator
from drdash.tasks import one_pass
from drdash.tenants import access
from drdash.tenants.models import Membership, Tenant
from drdash.tenants.roles import Role
from tests.failover.batching import FIVE, START, Clock, confirmed, gone_on, in_a_thread, planned, run, stages, told
from tests.failover.test_preflight import named
from tests.stack import connected

pytestmark = pytest.mark.usefixtures("polled")


def test_its_owner_may_stop_it_whatever_became_of_their_role(tenant: Tenant, bob: User, victor: User) -> None:
    batch = confirmed(bob, planned(bob, tenant, *FIVE[:2]))
    Membership.objects.filter(user=bob).update(role=Role.VIEWER)
    assert [batches.may_stop(batch, one, access.reach(one)) for one in (bob, victor)] == [True, False]
    batches.stop(batch, by=bob, now=timezone.now())
    assert stages(batch) == [Stage.NEVER] * 2
    assert not batches.may_stop(batch, bob, access.reach(bob))


def test_a_stop_really_stops_what_was_not_sent(simulator: Simulator, tenant: Tenant, bob: User) -> None:
    batch, clock = confirmed(bob, planned(bob, tenant, *FIVE)), Clock()
    runner = gone_on(batch, clock)
    running.step(batch, runner, now=clock)
    batches.stop(batch, by=bob, now=clock())
    clock.wait(60)
    assert running.step(batch, runner, now=clock) is None
    with pytest.raises(NotDone):
        batches.go_on(batch, by=bob, runner=running.name(), now=clock())
    batch.refresh_from_db()
    assert (batch.state, len(simulator.posts)) == (Batch.State.STOPPED, 1)
    assert stages(batch) == [Stage.SENT] + [Stage.NEVER] * 4
    assert told(batch)[-1] == "batch stopped"


def test_what_is_in_flight_at_a_stop_is_told_apart_and_ends_as_it_will(
    simulator: Simulator, tenant: Tenant, bob: User
) -> None:
    batch = confirmed(bob, planned(bob, tenant, *FIVE[:3]))
    simulator.fail("hang", method="POST", path=START)
    clock = Clock()
    runner = gone_on(batch, clock)
    with ThreadPoolExecutor(1) as thread:
        ran = thread.submit(in_a_thread, lambda: running.run(batch.pk, runner, now=clock, wait=clock.wait))
        assert simulator.arrived(method="POST", path=START)
        batches.stop(batch, by=bob, now=clock())
        assert stages(batch) == [Stage.IN_FLIGHT, Stage.NEVER, Stage.NEVER]
        simulator.release()
        ran.result()
    batch.refresh_from_db()
    assert stages(batch) == [Stage.SENT, Stage.NEVER, Stage.NEVER]
    assert (Action.objects.get().state, len(simulator.posts), batch.runner) == (State.ACCEPTED, 1, "")


def test_who_may_do_the_same_in_a_tenant_stops_what_is_in_it_and_nothing_else(
    simulator: Simulator, tenant: Tenant, alice: User, bob: User, victor: User
) -> None:
    with simulated("quiet", seed=7) as elsewhere:
        other = connected(elsewhere, "Another customer", admin="alice")
        one_pass(other.pk, pause=lambda _seconds: None)
        chosen = [*named(tenant, *FIVE[:2]), *named(other, "ber-web-01")]
        found = preflight(user=alice, chosen=chosen, kind=Kind.START_TEST, production=False, before=None)
        plan, clock = plan_of(found, user=alice.pk), Clock()
        nodded = [
            msgspec.structs.replace(line, nods=("OnlyThere",) if line.tenant == other.pk else ()) for line in plan.lines
        ]
        batch = confirmed(alice, msgspec.structs.replace(plan, lines=tuple(nodded)))
        runner = gone_on(batch, clock)
        taken = batches.take(batch, runner=runner, now=clock())
        with pytest.raises(NotDone):
            batches.stop(batch, by=victor, now=timezone.now())
        batches.stop(batch, by=bob, now=timezone.now())
        assert taken is not None
        batches.give_back(taken)  # too many actions were under way: it was not sent, and the stop holds for it too
        batches.hold(batch, runner=runner, why="", now=clock())
        batches.leave(batch, runner=runner)
        batch.refresh_from_db()
        assert batch.state == Batch.State.PAUSED
        assert {item.skipped for item in batch.items.filter(tenant=tenant)} == {"Stopped by bob."}
        assert not batch.items.exclude(tenant=tenant).exclude(skipped="").exists()
        with pytest.raises(NotDone):
            batches.stop(batch, by=bob, now=timezone.now())
        run(batch)
        assert (len(simulator.posts), batch.state) == (0, Batch.State.DONE)
    # Each tenant's audit tells of its own servers alone.
    made = Entry.objects.filter(verb="batch made").order_by("tenant")
    assert [entry.detail.partition(";")[0].rpartition(" ")[2] for entry in made] == ["2", "1"]
    assert ["OnlyThere" in entry.detail for entry in made] == [False, True]
    assert [entry.tenant for entry in Entry.objects.filter(verb="batch stopped")] == [tenant.pk]
