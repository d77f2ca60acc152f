"""Many at once: one action per server, one after another, and nothing that its owner did not ask for."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import pairwise
from threading import Barrier
from typing import Any, TypeVar

import msgspec
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone

from drdash import senders
from drdash.audit.models import Entry
from drdash.clock import boot_seconds
from drdash.cloud.records import RecoveryPoint
from drdash.estate.models import Copy
from drdash.estate.replica import replica
from drdash.estate.store import store
from drdash.failover import actions, batches, confirming, running
from drdash.failover.batches import NotDone, Stage
from drdash.failover.guard import Kind
from drdash.failover.models import Action, Batch, Item, State
from drdash.failover.plan import Plan, plan_of, seal, unseal
from drdash.failover.preflight import preflight
from drdash.failover.sighting import Expired
from drdash.simulator.server import running as simulated
from drdash.simulator.simulation import Simulator
from drdash.tasks import one_pass
from drdash.tenants import access
from drdash.tenants.models import Membership, Tenant
from drdash.tenants.roles import Role
from tests.failover.test_preflight import named
from tests.failover.test_record import announced
from tests.failover.test_unwritable import read_only
from tests.stack import connected

NOWHERE = "redis://127.0.0.1:1/0"
FIVE = ("ams-crm-01", "ams-erp-01", "ams-git-01", "ams-git-02", "ber-web-01")
START = ":start_failover_test"
# A process of this host that has ended: no process was ever 2**22 + 1.
DEAD = senders.me().rsplit(" ", 2)[0] + " 4194305 1 run"

pytestmark = pytest.mark.usefixtures("polled")

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


def told(batch: Batch) -> list[str]:
    return list(Entry.objects.filter(verb__startswith="batch ").order_by("number").values_list("verb", flat=True))


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


# ---- stop


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


# ---- the process dies


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


def in_a_thread(work: Callable[[], Done]) -> Done:
    try:
        return work()
    finally:
        connection.close()
