"""Before a batch: every chosen server is read anew, in one go for its tenant, and judged as its click will be."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from django.contrib.auth.models import User

from drdash.cloud.neighbours.points import CLEAN, MALWARE, Point, Points
from drdash.cloud.records import RecoveryPoint, Server
from drdash.estate.store import store
from drdash.failover import points
from drdash.failover.actions import TooMany
from drdash.failover.actions import _slots as action_slots
from drdash.failover.guard import Kind
from drdash.failover.models import Action
from drdash.failover.preflight import Line, Lot, Preflight, _from_before, _slots, preflight
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Tenant
from tests.stack import Poll
from tests.web.test_points import have, hours_ago

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def named(tenant: Tenant, *names: str) -> list[tuple[Tenant, Server]]:
    """Servers as last seen, by their names."""
    known = {seen.record.name: seen.record for seen in store().load(tenant.pk).servers.values()}
    return [(tenant, known[name]) for name in names]


def flown(
    user: User,
    chosen: list[tuple[Tenant, Server]],
    kind: Kind = Kind.START_TEST,
    *,
    production: bool = False,
    before: datetime | None = None,
) -> Preflight:
    return preflight(user=user, chosen=chosen, kind=kind, production=production, before=before)


def lots(found: Preflight) -> dict[str, Lot]:
    return {line.server.name: line.lot for line in found.lines}


def codes(line: Line) -> list[str]:
    return [reason.code for reason in line.against]


def gets(simulator: Simulator) -> list[str]:
    return [one.path.rpartition("/dr/v2")[2] for one in simulator.requests if one.method == "GET"]


@pytest.mark.usefixtures("polled")
def test_the_chosen_are_sorted_into_what_goes_what_waits_for_which_task_and_what_is_blocked(
    simulator: Simulator, tenant: Tenant, bob: User
) -> None:
    chosen = named(tenant, "ber-web-01", "ams-git-01", "ams-file-01", "ber-file-01")
    task = "7b2a6c56-0000-4000-8000-0000000000aa"
    simulator.force_server(chosen[1][1].uuid, status="RECONFIGURING", task=task)
    found = flown(bob, chosen)
    assert lots(found) == {
        "ams-file-01": Lot.BLOCKED,  # not licensed
        "ams-git-01": Lot.WAIT,
        "ber-file-01": Lot.BLOCKED,  # a test runs already: that is nothing to wait for
        "ber-web-01": Lot.GO,
    }
    (waits,) = found.lot(Lot.WAIT)
    assert task in {one for reason in waits.against for one in reason.task_uuids}
    assert simulator.posts == []
    assert not Action.objects.exists()


@pytest.mark.usefixtures("polled")
def test_many_servers_of_a_tenant_are_read_in_one_go(simulator: Simulator, tenant: Tenant, bob: User) -> None:
    names = ["ams-crm-01", "ams-erp-01", "ams-git-01", "ams-git-02", "ber-web-01"]
    simulator.forget_requests()
    found = flown(bob, named(tenant, *reversed(names)))
    assert [line.server.name for line in found.lines] == names
    assert [line.lot for line in found.lines] == [Lot.GO] * 5
    assert sorted(gets(simulator)) == ["/servers", "/sites"]


@pytest.mark.usefixtures("polled")
def test_what_has_to_be_acknowledged_is_gathered_with_the_servers_that_it_is_for(tenant: Tenant, bob: User) -> None:
    chosen = named(tenant, "vie-sql-01", "vie-sql-02", "ber-git-01", "ber-web-01", "vie-crm-01")
    nods = flown(bob, chosen).nods
    assert {code: [line.server.name for line, _ in lines] for code, lines in nods.items()} == {
        "VPNS2SApplianceNotRegistered": ["vie-sql-01", "vie-sql-02"],
        "QuotaReachedComputePoints": ["ber-git-01"],
    }


@pytest.mark.usefixtures("polled")
def test_the_cloud_is_left_alone_during_the_wait_of_a_429(simulator: Simulator, tenant: Tenant, bob: User) -> None:
    chosen = named(tenant, "ams-crm-01", "ams-erp-01")
    simulator.fail("429", method="GET", path="/servers", retry_after=60)
    assert set(lots(flown(bob, chosen)).values()) == {Lot.WAIT}
    simulator.forget_requests()
    found = flown(bob, chosen)
    assert {code for line in found.lines for code in codes(line)} == {"ReadFailed"}
    assert simulator.requests == []


@pytest.mark.usefixtures("polled")
def test_nothing_is_read_of_a_tenant_that_is_paused(simulator: Simulator, tenant: Tenant, bob: User) -> None:
    chosen = named(tenant, "ams-crm-01")
    Tenant.objects.update(paused=True)
    tenant.refresh_from_db()
    simulator.forget_requests()
    (line,) = flown(bob, [(tenant, chosen[0][1])]).lines
    assert (line.lot, "TenantPaused" in codes(line)) == (Lot.BLOCKED, True)
    assert simulator.requests == []


@pytest.mark.usefixtures("polled")
def test_tests_and_production_are_never_in_one_batch(tenant: Tenant, alice: User) -> None:
    chosen = named(tenant, "ber-file-01", "ber-app-02", "ber-web-01")
    of_tests = flown(alice, chosen, Kind.STOP)
    assert lots(of_tests) == {"ber-app-02": Lot.BLOCKED, "ber-file-01": Lot.GO, "ber-web-01": Lot.BLOCKED}
    assert [codes(line) for line in of_tests.lot(Lot.BLOCKED)] == [["OtherKind"], ["NothingToStop"]]
    of_production = flown(alice, chosen, Kind.STOP, production=True)
    assert [line.server.name for line in of_production.lot(Lot.GO)] == ["ber-app-02"]
    assert list(of_production.nods) == ["ProductionStop"]


@pytest.mark.usefixtures("polled")
def test_an_operator_starts_no_production_however_many_at_once(tenant: Tenant, bob: User, victor: User) -> None:
    chosen = named(tenant, "ber-web-01")
    (line,) = flown(bob, chosen, Kind.START_PROD, production=True).lines
    assert (line.lot, codes(line)) == (Lot.BLOCKED, ["RoleOperator"])
    (line,) = flown(victor, chosen).lines
    assert codes(line) == ["RoleViewer"]


@pytest.mark.usefixtures("polled")
def test_where_two_persons_are_needed_production_goes_with_a_second_word(tenant: Tenant, alice: User) -> None:
    chosen = named(tenant, "ber-web-01")
    Tenant.objects.update(two_persons=True)
    (line,) = flown(alice, chosen, Kind.START_PROD, production=True).lines
    assert (line.lot, codes(line), line.approval) == (Lot.GO, [], True)


@pytest.mark.usefixtures("polled")
def test_another_tenants_servers_are_not_judged(tenant: Tenant, charlie: User) -> None:
    assert flown(charlie, named(tenant, "ber-web-01")).lines == ()


@pytest.mark.usefixtures("polled")
def test_each_goes_from_its_newest_point_before_a_time_and_without_one_is_blocked(
    simulator: Simulator, tenant: Tenant, bob: User
) -> None:
    chosen = named(tenant, "ams-crm-01", "ams-erp-01", "ams-git-01")
    have(simulator, chosen[0][1], {"created": hours_ago(1)}, {"created": hours_ago(30)}, {"created": hours_ago(50)})
    have(simulator, chosen[1][1], {"created": hours_ago(1)})
    before = datetime.now(UTC) - timedelta(hours=20)
    simulator.fail("500", method="GET", path="/vault_manager/", times=None)
    nothing = flown(bob, chosen[:1], before=before)
    assert lots(nothing) == {"ams-crm-01": Lot.BLOCKED}
    simulator.clear_faults()
    found = {line.server.name: line for line in flown(bob, chosen[:2], before=before).lines}
    point = found["ams-crm-01"].point
    assert point is not None
    assert point.ids.backup_id == "B-2"
    assert (found["ams-erp-01"].lot, codes(found["ams-erp-01"])) == (Lot.BLOCKED, ["NoPoint"])


@pytest.mark.usefixtures("polled")
def test_what_cannot_be_asked_for_its_points_or_not_in_time_is_blocked_and_says_which(
    simulator: Simulator, tenant: Tenant, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = named(tenant, "ams-crm-01")
    have(simulator, chosen[0][1], {"created": hours_ago(30)})
    before = datetime.now(UTC) - timedelta(hours=20)
    goes = flown(bob, chosen)
    monkeypatch.setattr("drdash.failover.preflight.POINTS_SECONDS", 0.0)
    simulator.forget_requests()
    (late,) = flown(bob, chosen, before=before).lines
    assert (late.lot, [one.message for one in late.against]) == (
        Lot.BLOCKED,
        ["Its recovery points were not read in time."],
    )
    assert not any("vault_manager" in one.path for one in simulator.requests)
    monkeypatch.undo()
    tenant.credential.sealed_secret = "what none of the keys opens"
    tenant.credential.save()  # since its servers were read
    (cut_off,) = _from_before(goes.lines, before)
    assert (cut_off.lot, [one.message for one in cut_off.against]) == (Lot.BLOCKED, ["The cloud cannot be asked."])


def listed(*ages: float, rest: str = "", newest: bool = True) -> Points:
    items = [
        Point(RecoveryPoint(f"b-{n}", "a", "v"), "full", NOON - timedelta(hours=age), None, CLEAN, "", False)
        for n, age in enumerate(ages, 1)
    ]
    return Points(tuple(items), None, 0, rest, newest)


def test_the_newest_before_is_never_one_with_malware_nor_one_that_failed_its_check() -> None:
    before = NOON - timedelta(hours=2)
    sound = listed(1, 3, 4)
    assert points.chosen(sound, before).ids.backup_id == "b-2"
    late, first, second = sound.items
    for bad in ({"malware": MALWARE}, {"broken": True}):
        spoilt = Points((late, _but(first, **bad), second), None, 0, "", True)
        assert points.chosen(spoilt, before).ids.backup_id == "b-3"
    with pytest.raises(points.NoPoint, match="have malware"):
        points.chosen(Points((late, _but(first, malware=MALWARE)), None, 0, "", True), before)
    with pytest.raises(points.NoPoint, match="None of its"):
        points.chosen(Points((late, _but(first, created=None)), None, 0, "", True), before)


def test_a_list_with_a_gap_gives_no_newest() -> None:
    before = NOON - timedelta(hours=2)
    assert points.chosen(listed(1, 3, rest="The cloud has older ones."), before).ids.backup_id == "b-2"
    with pytest.raises(points.NoPoint, match="not known"):
        points.chosen(listed(1, 3, rest="Others could not be read.", newest=False), before)


def test_too_many_at_once_are_told_so_and_leave_threads_for_actions(tenant: Tenant, bob: User, polled: Poll) -> None:
    held = [_slots.acquire(blocking=False) for _ in range(4)]
    try:
        with pytest.raises(TooMany):
            flown(bob, named(tenant, "ber-web-01"))
        assert action_slots.acquire(blocking=False)
        action_slots.release()
    finally:
        for _ in held:
            _slots.release()


def _but(point: Point, **changed: object) -> Point:
    return msgspec.structs.replace(point, **changed)
