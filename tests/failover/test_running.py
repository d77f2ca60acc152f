"""The thread that sends a batch: when it begins, and what makes it wait for a person."""

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from drdash.failover import actions, batches, running
from drdash.failover.batches import NotDone, Stage
from drdash.failover.models import Action, Batch, State
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Tenant
from tests.failover.batching import DEAD, FIVE, confirmed, planned, posted, run, stages
from tests.failover.test_preflight import named

pytestmark = pytest.mark.usefixtures("polled")


def test_a_batch_goes_on_in_a_thread_that_ends_with_it(simulator: Simulator, tenant: Tenant, bob: User) -> None:
    batch = confirmed(bob, planned(bob, tenant, FIVE[0]))
    running.start(batch, by=bob, now=timezone.now()).join(30)
    batch.refresh_from_db()
    assert (batch.state, batch.runner, posted(simulator)) == (Batch.State.DONE, "", [FIVE[0]])


def test_none_begins_in_a_process_that_is_to_end(simulator: Simulator, tenant: Tenant, bob: User) -> None:
    batch = confirmed(bob, planned(bob, tenant, FIVE[0]))
    running.end()
    try:
        with pytest.raises(NotDone, match="about to restart"):
            running.start(batch, by=bob, now=timezone.now())
    finally:
        running._ending.clear()
    batch.refresh_from_db()
    assert (batch.state, batch.runner, simulator.posts) == (Batch.State.PAUSED, "", [])


def test_a_kill_after_the_last_was_sent_leaves_nothing_to_do_but_to_say_so(
    simulator: Simulator, tenant: Tenant, bob: User
) -> None:
    batch, now = confirmed(bob, planned(bob, tenant, FIVE[0])), timezone.now()
    batches.go_on(batch, by=bob, runner=DEAD, now=now)
    item = batches.take(batch, runner=DEAD, now=now)
    assert item is not None
    server = named(tenant, FIVE[0])[0][1]
    actions.request(user=bob, tenant=tenant, server=server, wish=running._wish(batch, item))  # and then it was killed
    batches.settle(batch, now)
    assert (batch.state, stages(batch)) == (Batch.State.PAUSED, [Stage.SENT])
    run(batch)
    assert (batch.state, batch.runner, len(simulator.posts)) == (Batch.State.DONE, "", 1)


def test_three_that_the_cloud_could_not_be_asked_about_pause_the_batch(
    simulator: Simulator, tenant: Tenant, bob: User
) -> None:
    batch = confirmed(bob, planned(bob, tenant, *FIVE))
    simulator.fail("500", method="GET", path="/servers", times=None)
    run(batch)
    assert (batch.state, "in a row" in batch.why) == (Batch.State.PAUSED, True)
    assert stages(batch) == [Stage.SENT] * 3 + [Stage.WAITS] * 2
    assert set(Action.objects.values_list("state", flat=True)) == {State.REFUSED}
    assert simulator.posts == []
