"""Many at once: one action per server, one after another, and nothing that its owner did not ask for."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from drdash.cloud.records import RecoveryPoint
from drdash.failover import actions, batches, confirming, running
from drdash.failover.batches import NotDone, Stage
from drdash.failover.guard import Kind
from drdash.failover.models import Action, Batch, Item, State
from drdash.failover.plan import seal, unseal
from drdash.failover.sighting import Expired
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Membership, Tenant
from drdash.tenants.roles import Role
from tests.failover.batching import (
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
from tests.failover.test_preflight import named
from tests.failover.test_record import announced
from tests.failover.test_unwritable import read_only

pytestmark = pytest.mark.usefixtures("polled")


def test_each_server_gets_one_action_in_the_order_that_was_set(simulator: Simulator, tenant: Tenant, bob: User) -> None:
    batch = run(confirmed(bob, planned(bob, tenant, *FIVE, "ams-file-01"), order=[4, 0, 1, 2, 3]))
    assert batch.state == Batch.State.DONE
    assert posted(simulator) == ["ber-web-01", *FIVE[:4]]
    assert stages(batch) == [Stage.SENT] * 5 + [Stage.LEFT_OUT]
    sent = [item.action for item in batch.items.exclude(action=None)]
    assert {action.state for action in sent if action} == {State.ACCEPTED}
    assert {action.user_id for action in sent if action} == {bob.pk}
    assert told(batch) == ["batch made", "batch gone on", "batch done"]


def test_the_next_is_sent_when_its_time_has_come_and_not_before(tenant: Tenant, bob: User) -> None:
    clock = Clock()
    batch = run(confirmed(bob, planned(bob, tenant, *FIVE[:3]), per_minute=4), clock)
    assert clock.waits == [15.0, 15.0]
    taken = [item.taken_at for item in batch.items.all() if item.taken_at]
    assert [after - before for before, after in pairwise(taken)] == [timedelta(seconds=15)] * 2


def test_a_pause_is_no_way_around_the_rate(simulator: Simulator, tenant: Tenant, bob: User) -> None:
    clock = Clock(ends_after=1)
    batch = run(confirmed(bob, planned(bob, tenant, *FIVE[:2]), per_minute=1), clock)
    clock.time -= timedelta(seconds=50)  # of the minute that was waited
    assert running.step(batch, gone_on(batch, clock), now=clock) == 50.0
    assert len(simulator.posts) == 1


def test_it_is_made_for_good_and_every_step_is_told_once_it_is(tenant: Tenant, bob: User) -> None:
    plan = planned(bob, tenant, FIVE[0])
    with pytest.raises(RuntimeError), transaction.atomic():  # which may still be undone
        confirmed(bob, plan)
    assert not Batch.objects.exists()
    before = len(announced())
    batch = confirmed(bob, plan)
    assert announced()[before:] == [{"notice"}]
    with transaction.atomic():
        gone_on(batch, Clock())
        assert len(announced()) == before + 1
    assert announced()[before + 1 :] == [{"notice"}]


def test_a_plan_that_is_confirmed_twice_makes_one_batch(tenant: Tenant, bob: User) -> None:
    plan = planned(bob, tenant, *FIVE[:2])
    assert confirmed(bob, plan).pk == confirmed(bob, plan).pk
    assert Item.objects.count() == 2


def test_a_plan_is_confirmed_as_it_was_seen_by_whom_it_was_shown_and_not_for_ever(
    tenant: Tenant, alice: User, bob: User
) -> None:
    plan = planned(bob, tenant, "ber-git-01", "ams-crm-01")
    assert unseal(seal(plan), user=bob.pk) == plan
    with pytest.raises(Expired):
        unseal(seal(plan), user=alice.pk)
    with pytest.raises(Expired):
        unseal(seal(plan)[:-1], user=bob.pk)
    confirm: dict[str, Any] = {
        "user": bob,
        "plan": plan,
        "order": [0, 1],
        "nods": plan.nods,
        "per_minute": 10,
        "now": plan.at,
    }
    wrongs: tuple[dict[str, Any], ...] = (
        {"nods": []},
        {"order": [0, 0]},
        {"order": [0]},
        {"order": []},
        {"per_minute": 0},
        {"per_minute": 61},
        {"now": plan.at + timedelta(minutes=11)},
    )
    for wrong in wrongs:
        with pytest.raises(NotDone):
            confirming.make(**{**confirm, **wrong})
    assert not Batch.objects.exists()


def test_only_what_was_acknowledged_for_a_server_is_acknowledged_for_it(
    simulator: Simulator, tenant: Tenant, bob: User
) -> None:
    batch = confirmed(bob, planned(bob, tenant, "ber-git-01", "ams-crm-01"))
    crm = named(tenant, "ams-crm-01")[0][1]
    simulator.force_server(crm.uuid, issues=[["QuotaReachedComputePoints", "WARNING", "START_FAILOVER_TEST"]])
    run(batch)
    assert posted(simulator) == ["ber-git-01"]
    assert "NotAcknowledged" in str(Action.objects.get(server_uuid=crm.key).reasons)


def test_what_changed_since_the_pre_flight_stops_its_item_and_not_the_batch(
    simulator: Simulator, tenant: Tenant, bob: User
) -> None:
    batch = confirmed(bob, planned(bob, tenant, *FIVE))
    simulator.force_server(named(tenant, FIVE[1])[0][1].uuid, status="FAILOVER_PROD")
    run(batch)
    assert posted(simulator) == [FIVE[0], *FIVE[2:]]
    changed = Action.objects.get(server_name=FIVE[1])
    assert (changed.state, "Changed" in str(changed.reasons)) == (State.REFUSED, True)


def test_the_recovery_points_of_the_plan_are_what_is_sent(simulator: Simulator, tenant: Tenant, bob: User) -> None:
    plan = planned(bob, tenant, *FIVE[:2])
    lines = [msgspec.structs.replace(one, point=RecoveryPoint(f"b-{one.name}", "a", "v")) for one in plan.lines]
    run(confirmed(bob, msgspec.structs.replace(plan, lines=tuple(lines))))
    assert [f'"backup_id":"b-{name}"' in post.body for name, post in zip(FIVE, simulator.posts, strict=False)] == [
        True,
        True,
    ]


def test_production_goes_with_the_name_that_was_seen(simulator: Simulator, tenant: Tenant, alice: User) -> None:
    batch = run(confirmed(alice, planned(alice, tenant, *FIVE[:2], kind=Kind.START_PROD, production=True)))
    assert [post.path.rpartition(":")[2] for post in simulator.posts] == ["start_failover_prod"] * 2
    assert all(action.production for action in Action.objects.all())
    assert batch.state == Batch.State.DONE


# ---- whose it is


def test_only_its_owner_has_it_go_on(simulator: Simulator, tenant: Tenant, alice: User, bob: User) -> None:
    batch = confirmed(bob, planned(bob, tenant, *FIVE[:2]))
    with pytest.raises(NotDone):
        batches.go_on(batch, by=alice, runner=running.name(), now=timezone.now())
    batch.refresh_from_db()
    assert (batch.state, batch.runner) == (Batch.State.PAUSED, "")


def test_the_owners_rights_are_asked_anew_for_each_item(simulator: Simulator, tenant: Tenant, bob: User) -> None:
    batch, clock = confirmed(bob, planned(bob, tenant, *FIVE[:4])), Clock()
    runner = gone_on(batch, clock)
    assert running.step(batch, runner, now=clock) == 6.0
    membership = Membership.objects.filter(user=bob)
    membership.update(role=Role.VIEWER)
    clock.wait(6)
    running.step(batch, runner, now=clock)
    membership.delete()
    clock.wait(6)
    running.step(batch, runner, now=clock)
    Membership.objects.create(user=bob, tenant=tenant, role=Role.OPERATOR)
    User.objects.filter(pk=bob.pk).update(is_active=False)
    clock.wait(6)
    running.step(batch, runner, now=clock)
    assert posted(simulator) == [FIVE[0]]
    assert Action.objects.filter(state=State.REFUSED).count() == 1
    assert ["no access" in item.skipped for item in batch.items.all()] == [False, False, True, True]


# ---- it pauses by itself


def test_a_429_pauses_the_batch_before_more_is_spent_on_it(simulator: Simulator, tenant: Tenant, bob: User) -> None:
    batch = confirmed(bob, planned(bob, tenant, *FIVE))
    simulator.fail("429", method="POST", path=START, retry_after=60)
    run(batch)
    assert (batch.state, "429" in batch.why) == (Batch.State.PAUSED, True)
    assert stages(batch) == [Stage.SENT] + [Stage.WAITS] * 4
    simulator.forget_requests()
    run(batch)
    assert (batch.state, Action.objects.count(), simulator.requests) == (Batch.State.PAUSED, 1, [])


def test_three_unknown_outcomes_in_a_row_pause_the_batch(simulator: Simulator, tenant: Tenant, bob: User) -> None:
    batch, clock = confirmed(bob, planned(bob, tenant, *FIVE)), Clock()
    simulator.fail("504", method="POST", path=START, times=4, after_effect=True)
    run(batch, clock)
    assert (batch.state, "in a row" in batch.why) == (Batch.State.PAUSED, True)
    assert stages(batch) == [Stage.SENT] * 3 + [Stage.WAITS] * 2
    clock.wait(60)
    run(batch, clock)  # they were looked at: they count no more
    assert (batch.state, len(simulator.posts)) == (Batch.State.DONE, 5)


def test_a_database_that_cannot_be_written_ends_the_sending_and_nothing_is_sent(
    simulator: Simulator, tenant: Tenant, bob: User
) -> None:
    batch, clock = confirmed(bob, planned(bob, tenant, *FIVE[:2])), Clock()
    runner = gone_on(batch, clock)

    def sent_into_trouble() -> None:
        with read_only():
            running.run(batch.pk, runner, now=clock, wait=clock.wait)

    with ThreadPoolExecutor(1) as thread:
        thread.submit(in_a_thread, sent_into_trouble).result()
    assert (simulator.posts, Action.objects.count()) == ([], 0)
    # Nobody could write down that it paused: it is found when it has been silent for long.
    clock.wait(batches.SILENT.total_seconds() + 1)
    batches.sweep(clock())
    batch.refresh_from_db()
    assert (batch.state, batch.why) == (Batch.State.PAUSED, "Its sender went silent.")
    run(batch, clock)
    assert len(simulator.posts) == 2


def test_a_process_that_is_to_end_pauses_its_batches(simulator: Simulator, tenant: Tenant, bob: User) -> None:
    batch = run(confirmed(bob, planned(bob, tenant, *FIVE)), Clock(ends_after=2))
    assert (batch.state, batch.why, batch.runner) == (Batch.State.PAUSED, "Stopped by a restart.", "")
    assert len(simulator.posts) == 2


def test_when_too_many_actions_are_under_way_its_turn_comes_again(
    simulator: Simulator, tenant: Tenant, bob: User
) -> None:
    batch, clock = confirmed(bob, planned(bob, tenant, *FIVE[:2])), Clock()
    runner = gone_on(batch, clock)
    held = [actions._slots.acquire(blocking=False) for _ in range(actions.AT_ONCE)]
    try:
        assert running.step(batch, runner, now=clock) == running.BUSY_SECONDS
        assert stages(batch) == [Stage.WAITS] * 2
    finally:
        for _ in held:
            actions._slots.release()
    running.run(batch.pk, runner, now=clock, wait=clock.wait)
    assert posted(simulator) == list(FIVE[:2])
