"""The overview's lines: what needs a person and what to do, what runs, what is due; and many tenants, worst first."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from django.contrib.auth.models import User

from drdash.cloud.records import Server, Site
from drdash.estate.snapshot import Estate, Health, failed
from drdash.failover.guard import Kind
from drdash.failover.models import Action, Failover, Origin, State
from drdash.tenants.models import Tenant
from drdash.web import fleet, freshness, needs, overview
from drdash.web.fleet import Fleet
from drdash.web.needs import Need
from drdash.web.tenantcards import state_of
from drdash.web.watched import Watched, look_at
from tests.web.seen import estate, issue, server, site

NOW = datetime(2026, 11, 23, 3, tzinfo=UTC)
ALICE = User(pk=1, username="alice")
TESTED = {"resource_id": "r", "test_failover": {"last_start": (NOW - timedelta(days=3)).isoformat()}}


def tenant(pk: int = 1, **fields: Any) -> Tenant:
    return Tenant(**{"pk": pk, "name": f"Customer {pk}", "credential_id": 1} | fields)


def well(uuid: str = "s-1", **fields: Any) -> Server:
    return server(uuid, **{"recovery": TESTED} | fields)


def seen(*servers: Server, sites: tuple[Site, ...] = (site(),), **fields: Any) -> Watched:
    owner = tenant(**fields)
    return look_at(owner, estate(*servers, sites=sites, tenant=owner.pk), {}, NOW)


def acted(state: State, **fields: Any) -> Action:
    given = {"pk": 7, "tenant_id": 1, "user": ALICE, "server_uuid": "s-1", "server_name": "db-01", "state": state}
    return Action(
        **given | {"kind": Kind.START_TEST, "production": False, "requested_at": NOW, "sent_at": NOW} | fields
    )


def needed(one: Watched) -> list[tuple[Need, str]]:
    return [(need, line.name) for need, line in one.needs]


def test_of_servers_that_are_well_nothing_is_said() -> None:
    one = seen(well(), well("s-2", rpo={"status": "OK"}))
    assert (one.needs, one.active, one.blocked, one.due) == ((), (), (), ())
    assert (one.servers, one.recovery, one.held) == (2, 2, 0)


def test_whatever_needs_a_person_says_in_a_sentence_what_to_do() -> None:
    one = seen(
        well("a", name="half", status="FINALIZATION_FAILED"),
        well("b", name="late", rpo={"status": "ERROR", "ratio": 2.44, "threshold_seconds": 60}),
        well("c", name="critical", rpo={"status": "CRITICAL"}),
        well(
            "d", name="failing", recovery={"automated_test_failover": {"schedule": "DAILY", "last_status": "FAILURE"}}
        ),
        sites=(site("p-1", failover_readiness="ERROR", _issues=[issue("VPNS2SApplianceUnreachable")]), site("p-2")),
    )
    assert sorted(needed(one)) == [
        (Need.HALF_DONE, "half"),
        (Need.UNREADY, "Site p-1"),
        (Need.BACKUP_CRITICAL, "critical"),
        (Need.BACKUP_LATE, "late"),
        (Need.TEST_FAILED, "failing"),
    ]
    assert all(line.do.endswith(".") and line.url for _, line in one.needs)
    texts = {line.name: line for _, line in one.needs}
    assert texts["late"].text == "Its last backup is 2.4 times as old as it may be."
    assert "firewall" in texts["Site p-1"].do


def test_of_a_server_that_is_missing_nothing_else_is_asked() -> None:
    known = estate(well("a", status="FINALIZATION_FAILED", rpo={"status": "CRITICAL"}))
    gone = {key: msgspec.structs.replace(one, missing_since=NOW) for key, one in known.servers.items()}
    one = look_at(tenant(), msgspec.structs.replace(known, servers=gone), {}, NOW)
    [(need, line)] = one.needs
    assert (need, line.at) == (Need.MISSING, NOW)
    assert one.due == ()


def test_unknown_outcomes_come_before_failures_and_both_before_what_the_estate_tells() -> None:
    told = [*seen(well("a", name="half", status="FINALIZATION_FAILED")).needs]
    told += needs.of_actions([acted(State.UNKNOWN), acted(State.ACCEPTED)], [acted(State.FAILED)], {1: "Customer 1"})
    lines = needs.worst_first(told)
    assert [line.look.word for line in lines] == ["Outcome unknown", "Finalization failed", "Failed"]
    assert lines[0].text == "Sent by alice."


def test_equally_bad_lines_keep_their_places() -> None:
    servers = [well(f"s-{number}", name=f"db-{number:02}", rpo={"status": "ERROR"}) for number in range(9)]
    there, back = seen(*servers), seen(*reversed(servers))
    assert needs.worst_first(there.needs) == needs.worst_first(back.needs)


def test_tenants_that_fail_alike_are_one_line() -> None:
    dead = failed(Health(15), "The cloud does not answer.", now=NOW)
    states = [(tenant(pk), dead, "failing") for pk in (1, 2, 3)]
    states += [(tenant(4), failed(Health(15), "It burns.", now=NOW), "failing"), (tenant(5), Health(15), "paused")]
    told = list(needs.of_tenants(states, frozenset({4}), {pk: f"/?tenant={pk}" for pk in range(6)}))
    assert [line.name for _, line in told] == ["3 tenants", "Customer 4"]
    assert told[0][1].text == "It cannot be read. The cloud does not answer."
    assert (told[0][1].at, told[0][1].do_url, told[1][1].do_url) == (NOW, "", "/tenants/4/")


def test_a_credential_that_was_refused_asks_for_another() -> None:
    barred = failed(Health(15), "The cloud refused it.", now=NOW, barred_until=NOW + timedelta(minutes=15))
    [(_, line)] = needs.of_tenants([(tenant(), barred, "failing")], frozenset(), {1: "/"})
    assert line.do == "Put in a credential that the cloud accepts."


def test_a_cloud_that_wants_to_be_left_alone_needs_nobody() -> None:
    waits = failed(Health(15), "Too much.", now=NOW, wait_until=NOW + timedelta(minutes=1))
    assert not list(needs.of_tenants([(tenant(), waits, state_of(tenant(), waits, NOW))], frozenset(), {1: "/"}))


def under_way(
    *servers: Server, runs: dict[tuple[int, str], Failover], action: Action | None = None
) -> overview.Section:
    live = {} if action is None else {(1, action.server_uuid): action}
    return overview.running(seen(*servers).active, live, {1: "Customer 1"}, runs)


def test_what_runs_is_told_with_who_started_it_production_first() -> None:
    ours, outside = acted(State.SUCCEEDED, production=True), Failover(origin=Origin.OUTSIDE, seen_at=NOW)
    told = under_way(
        well("a", name="a", status="POWERING_ON", task_uuid="t"),
        well("b", name="b", status="FAILOVER_PROD", recovery={"active_failover": {"id": "f"}}),
        well("c", name="c", status="FAILOVER_PROD", recovery={"active_failover": {"id": "g"}}),
        runs={(1, "b"): outside, (1, "c"): Failover(origin=Origin.OURS, action=ours, seen_at=NOW)},
    )
    assert [(line.name, line.text, line.dated) for line in told.lines] == [
        ("b", "Started in the cloud's own console.", "first seen"),
        ("c", "Started by alice from here.", ""),
        ("a", "A task of the cloud is at work.", ""),
    ]
    assert [bool(line.tasks) for line in told.lines] == [False, False, True]


def test_our_own_action_is_told_by_its_state() -> None:
    told = under_way(well(status="STARTING_FAILOVER_TEST"), runs={}, action=acted(State.ACCEPTED))
    assert [line.text for line in told.lines] == ["Start test by alice: Accepted, not done yet."]


def test_a_test_left_running_is_not_under_way_but_told_the_longest_first() -> None:
    def since(days: int) -> dict[str, Any]:
        return {"test_failover": {"last_start": (NOW - timedelta(days=days)).isoformat()}}

    one = seen(
        well("a", name="a", status="FAILOVER_TEST", recovery=since(1)),
        well("b", name="b", status="FAILOVER_TEST", recovery=since(4)),
    )
    assert overview.running(one.active, {}, {1: ""}, {}).count == 0
    assert [line.name for line in overview.tests_left(one.active, {1: ""}, {})] == ["b", "a"]


def test_what_was_never_tested_is_due_before_what_was_tested_long_ago() -> None:
    long_ago = {"test_failover": {"last_start": (NOW - timedelta(days=200)).isoformat()}}
    one = seen(well("a", name="old", recovery=long_ago), server("b", name="never"), well("c", name="young"))
    assert [(line.name, line.look.word) for line in one.due] == [("never", "Never tested"), ("old", "Test due")]


def test_nothing_is_blocked_where_a_person_chose_that_nothing_is_done() -> None:
    unpaid = well("a", _issues=[issue("ServerNotLicensed")])
    assert [line.text for line in seen(unpaid).blocked] == ["It is ServerNotLicensed."]
    watched = seen(unpaid, armed=False)
    assert (watched.blocked, watched.held) == ((), 1)


def many(*found: Watched, dead: frozenset[int] = frozenset(), actions: tuple[Action, ...] = ()) -> Fleet:
    fresh = Health(15, as_of=NOW)
    states = {one.tenant: (fresh, "watching") for one in found}
    states |= {pk: (failed(fresh, "The cloud does not answer.", now=NOW), "failing") for pk in dead}
    return fleet.fleet(found, states, actions, {})


def test_the_fleet_is_told_worst_first_and_who_is_well_in_one_line() -> None:
    told = many(
        seen(well("a"), pk=1),
        seen(well("b", rpo={"status": "ERROR"}), pk=2),
        seen(well("c", _issues=[issue("ServerNotLicensed")]), pk=3),
        seen(well("d", status="FAILOVER_PROD"), pk=4),
        seen(well("e"), pk=5),
        seen(well("f"), pk=6),
        seen(well("g", status="POWERING_ON"), pk=7),
        dead=frozenset({5}),
        actions=(acted(State.UNKNOWN, tenant_id=6),),
    )
    assert [(line.tenant, line.look.word) for line in told.worst] == [
        (6, "Outcome unknown"),
        (4, "Production active"),
        (5, "Failing"),
        (2, "Backup very late"),
        (3, "Blocked"),
    ]
    assert [line.tenant for line in told.well] == [1, 7]
    assert told.count == 7


def test_a_line_of_the_fleet_counts_each_trouble_and_leads_to_that_tenant_alone() -> None:
    unpaid = [well(f"s-{number}", _issues=[issue("ServerNotLicensed")]) for number in range(3)]
    [line] = many(seen(*unpaid, pk=9)).worst
    assert [(mark.look.word, mark.count, mark.url) for mark in line.marks] == [
        ("Blocked", 3, "/servers/?blocked=true&tenant=9")
    ]
    assert line.url == "/?tenant=9"


def test_of_very_many_in_trouble_the_worst_stand_there_and_the_others_behind_a_line() -> None:
    told = many(*(seen(well("a", rpo={"status": "ERROR"}), pk=pk) for pk in range(1, 60)))
    assert (len(told.worst), len(told.besides)) == (fleet.MOST, 59 - fleet.MOST)


def healthy(pk: int, error: str = "") -> Estate:
    health = Health(15, as_of=NOW)
    return msgspec.structs.replace(estate(tenant=pk), health=failed(health, error, now=NOW) if error else health)


def test_tenants_that_cannot_be_read_for_one_reason_are_told_of_once() -> None:
    errors = {1: "It burns.", 2: "It burns.", 3: "", 4: "", 5: "It is flooded.", 6: ""}
    tenants = {pk: tenant(pk, paused=pk == 6) for pk in errors}
    told = freshness.groups(tenants, {pk: healthy(pk, error) for pk, error in errors.items()}, NOW)
    assert [(group.key, group.tenants) for group in told] == [
        ("failing-0", (1, 2)),
        ("failing-1", (5,)),
        ("paused", (6,)),
        ("watching", (3, 4)),
    ]
    assert told[0].sentence == "2 tenants cannot be read. It burns."


def test_many_reasons_are_not_told_one_by_one() -> None:
    tenants = {pk: tenant(pk) for pk in range(1, 30)}
    told = freshness.groups(tenants, {pk: healthy(pk, f"Reason {pk}.") for pk in tenants}, NOW)
    assert [len(group.tenants) for group in told] == [1, 1, 1, 26]
    assert told[-1].sentence == "26 more tenants cannot be read, for other reasons."


@pytest.mark.parametrize("later", [0, 5, 29])
def test_the_words_stay_the_same_while_nothing_but_time_goes_on(later: int) -> None:
    tenants, estates = {1: tenant()}, {1: healthy(1)}
    at = NOW + timedelta(seconds=later)
    assert freshness.groups(tenants, estates, at) == freshness.groups(tenants, estates, NOW)
