"""A batch whose process died: it waits for its owner, and nothing is sent twice."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from drdash.clock import boot_seconds
from drdash.estate.models import Copy
from drdash.estate.replica import replica
from drdash.estate.store import store
from drdash.failover import batches, running
from drdash.failover.batches import NotDone, Stage
from drdash.failover.models import Action, Batch, Item, State
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Tenant
from tests.failover.batching import (
    DEAD,
    FIVE,
    START,
    Clock,
    confirmed,
    gone_on,
    in_a_thread,
    planned,
    posted,
    run,
    stages,
    told,
)

NOWHERE = "redis://127.0.0.1:1/0"

pytestmark = pytest.mark.usefixtures("polled")


def test_after_a_restart_it_waits_for_its_owner_who_has_it_go_on(
    simulator: Simulator, tenant: Tenant, bob: User
) -> None:
    batch = confirmed(bob, planned(bob, tenant, *FIVE[:3]))
    batches.go_on(batch, by=bob, runner=DEAD, now=timezone.now())
    batches.settle(batch, timezone.now())
    assert (batch.state, batch.why) == (Batch.State.PAUSED, "Stopped by a restart.")
    assert told(batch)[-1] == "batch paused"
    assert simulator.posts == []
    run(batch)
    assert (batch.state, len(simulator.posts)) == (Batch.State.DONE, 3)


def test_a_runner_of_whom_nothing_is_heard_is_given_up(tenant: Tenant, bob: User) -> None:
    batch, now = confirmed(bob, planned(bob, tenant, *FIVE[:2])), timezone.now()
    batches.go_on(batch, by=bob, runner="elsewhere boot pid 1 1 run", now=now)
    batches.settle(batch, now + batches.SILENT)
    assert batch.state == Batch.State.RUNNING
    batches.settle(batch, now + batches.SILENT + timedelta(seconds=1))
    assert (batch.state, batch.why) == (Batch.State.PAUSED, "Its sender went silent.")


def test_a_runner_that_was_given_up_sends_nothing_when_it_wakes(
    simulator: Simulator, tenant: Tenant, bob: User
) -> None:
    batch, clock = confirmed(bob, planned(bob, tenant, *FIVE[:3])), Clock()
    asleep = gone_on(batch, clock)
    batches.pause(batch, by=bob, now=clock())
    awake = gone_on(batch, clock)
    running.step(batch, awake, now=clock)
    clock.wait(60)
    assert running.step(batch, asleep, now=clock) is None
    batches.hold(batch, runner=asleep, why="It woke.", now=clock())  # nor does it hold the other up
    assert (batch.state, len(simulator.posts)) == (Batch.State.RUNNING, 1)
    running.run(batch.pk, awake, now=clock, wait=clock.wait)
    assert len(simulator.posts) == 3


def test_two_runners_never_have_one_batch(simulator: Simulator, tenant: Tenant, bob: User) -> None:
    batch, both, now = confirmed(bob, planned(bob, tenant, *FIVE[:2])), Barrier(2), timezone.now()

    def click() -> bool:
        both.wait(10)
        try:
            batches.go_on(Batch.objects.get(pk=batch.pk), by=bob, runner=running.name(), now=now)
        except NotDone:
            return False
        return True

    with ThreadPoolExecutor(2) as clicks:
        assert sorted(one.result() for one in [clicks.submit(in_a_thread, click) for _ in range(2)]) == [False, True]


def test_a_kill_in_the_middle_of_a_post_is_never_followed_by_a_second_one(
    simulator: Simulator, tenant: Tenant, bob: User
) -> None:
    batch = confirmed(bob, planned(bob, tenant, *FIVE[:3]))
    simulator.fail("hang", method="POST", path=START)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.failover.another_runner", str(batch.pk)],
        env={
            **os.environ,
            "DATABASE_URL": f"sqlite:///{settings.DATABASES['default']['NAME']}",
            "DRDASH_LOG_LEVEL": "ERROR",
        },
    )
    with process:
        assert simulator.arrived(method="POST", path=START, timeout=30)
        batch.refresh_from_db()
        assert batches.settle(batch, timezone.now()).state == Batch.State.RUNNING
        assert stages(batch)[0] == Stage.IN_FLIGHT
        process.kill()
    simulator.release()
    batches.settle(batch, timezone.now())
    assert (batch.state, batch.why) == (Batch.State.PAUSED, "Stopped by a restart.")
    assert stages(batch) == [Stage.SENT, Stage.WAITS, Stage.WAITS]
    run(batch)
    assert posted(simulator) == list(FIVE[:3])
    assert (batch.state, Action.objects.count()) == (Batch.State.DONE, 3)


def test_a_kill_between_turn_and_action_leaves_its_turn_to_the_next_runner(
    simulator: Simulator, tenant: Tenant, bob: User
) -> None:
    batch = confirmed(bob, planned(bob, tenant, *FIVE[:2]))
    batches.go_on(batch, by=bob, runner=DEAD, now=timezone.now())
    assert batches.take(batch, runner=DEAD, now=timezone.now()) is not None
    batches.settle(batch, timezone.now())
    assert stages(batch) == [Stage.WAITS] * 2
    run(batch)
    assert posted(simulator) == list(FIVE[:2])


def test_a_runner_that_was_paused_after_its_turn_until_it_was_given_up_sends_nothing(
    simulator: Simulator, tenant: Tenant, bob: User
) -> None:
    batch, runner = confirmed(bob, planned(bob, tenant, *FIVE[:2])), running.name()
    batches.go_on(batch, by=bob, runner=runner, now=timezone.now())
    asked = boot_seconds() - batches.SILENT.total_seconds()
    item = batches.take(batch, runner=runner, now=timezone.now() - batches.SILENT - timedelta(seconds=1))
    assert item is not None
    batch.refresh_from_db()
    batches.settle(batch, timezone.now())
    assert (batch.state, batch.why) == (Batch.State.PAUSED, "Its sender went silent.")
    running._send(batch, item, asked)  # it wakes
    assert (posted(simulator), Action.objects.get().state) == ([], State.EXPIRED)


def test_with_nothing_at_hand_of_the_servers_it_waits_for_its_owner_and_leaves_nothing_out(
    simulator: Simulator, tenant: Tenant, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, redis = confirmed(bob, planned(bob, tenant, *FIVE[:2])), settings.REDIS_URL
    Copy.objects.all().delete()
    for url, state, sent in ((NOWHERE, Batch.State.PAUSED, 0), (redis, Batch.State.DONE, 2)):
        monkeypatch.setattr(settings, "REDIS_URL", url)
        replica.cache_clear()  # drdash was started anew
        store.cache_clear()
        run(batch)
        assert (batch.state, len(simulator.posts)) == (state, sent)


def test_even_an_item_whose_turn_comes_twice_is_posted_once(simulator: Simulator, tenant: Tenant, bob: User) -> None:
    batch, clock = confirmed(bob, planned(bob, tenant, *FIVE[:2])), Clock()
    run(batch, clock)
    Item.objects.update(action=None)
    Batch.objects.update(state=Batch.State.PAUSED)
    batch.refresh_from_db()
    clock.wait(60)
    run(batch, clock)
    assert (len(simulator.posts), Item.objects.exclude(action=None).count()) == (2, 2)
