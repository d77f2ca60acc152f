"""Who started what runs: only what is certain is claimed as ours, and the kind of it is remembered."""

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from drdash.cloud import reading
from drdash.cloud.records import Server
from drdash.failover import following, origins
from drdash.failover.actions import Wish, request
from drdash.failover.guard import Kind
from drdash.failover.models import Action, Failover, Origin, State, Verdict
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Tenant
from tests.stack import Poll
from tests.web import seen

OTHER = "9c616a68-8011-44fd-be2f-1b2b3a374d84"


def start(person: User, tenant: Tenant, server: Server, kind: Kind = Kind.START_TEST) -> Action:
    asked = Wish(kind=kind, key=uuid4().hex, confirm=server.name)
    return request(user=person, tenant=tenant, server=server, wish=asked)[0]


def read(
    tenant: Tenant, server: Server, status: str, *, failover: str = "f-1", task: str = "", after: float = 1
) -> Failover | None:
    """What is known of the failover after a read, begun so many seconds from now, that showed the server like this."""
    item: dict[str, Any] = {"uuid": server.uuid, "status": status, "task_uuid": task, "_issues": []}
    item["recovery"] = {"active_failover": {"id": failover}} if failover else {}
    when = timezone.now() + timedelta(seconds=after)
    shown = reading.server(json.dumps(item).encode())
    following.observe(tenant.pk, [shown], started=when, now=when)
    return origins.running([(tenant.pk, shown)]).get((tenant.pk, server.key))


def told(found: Failover | None) -> tuple[Any, ...]:
    assert found is not None
    return found.origin, found.production, found.action


def test_what_an_action_of_ours_led_to_is_ours(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server, polled: Poll
) -> None:
    action = start(bob, tenant, server)
    simulator.advance(60)
    polled()
    assert told(Failover.objects.get(server_uuid=server.key)) == (Origin.OURS, False, action)


def test_what_runs_without_an_action_of_ours_was_started_elsewhere(
    simulator: Simulator, tenant: Tenant, server: Server, polled: Poll
) -> None:
    Failover.objects.all().delete()
    origins.forget()
    simulator.force_server(server.uuid, status="FAILOVER_PROD")
    polled()
    found = Failover.objects.get(server_uuid=server.key)
    assert told(found) == (Origin.OUTSIDE, True, None)
    assert timezone.now() - found.seen_at < timedelta(minutes=1)


def test_an_automated_test_is_nobodys_even_when_an_action_of_ours_is_unknown(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server, polled: Poll
) -> None:
    simulator.fail("504", method="POST")
    start(bob, tenant, server)
    simulator.force_server(server.uuid, run="automated_test")
    simulator.advance(14)
    polled()
    assert told(Failover.objects.get(server_uuid=server.key)) == (Origin.AUTOMATED, False, None)


def test_what_seemed_ours_is_given_up_when_it_proves_to_be_an_automated_test(
    tenant: Tenant, bob: User, server: Server
) -> None:
    action = start(bob, tenant, server)
    assert told(read(tenant, server, "POWERING_ON")) == (Origin.OURS, None, action)
    assert told(read(tenant, server, "FAILOVER_TEST_AUTO", after=2)) == (Origin.AUTOMATED, False, None)


def test_what_began_after_someone_elses_task_is_not_claimed(tenant: Tenant, bob: User, server: Server) -> None:
    action = start(bob, tenant, server)
    read(tenant, server, "POWERING_ON", failover="", task=OTHER)
    assert told(read(tenant, server, "FAILOVER_TEST", after=2)) == (Origin.UNKNOWN, False, action)


def test_a_failover_of_another_kind_is_not_ours(tenant: Tenant, bob: User, server: Server) -> None:
    start(bob, tenant, server)
    assert told(read(tenant, server, "FINALIZATION")) == (Origin.OUTSIDE, True, None)


def test_a_second_failover_is_not_claimed_for_the_action_that_led_to_the_first(
    tenant: Tenant, bob: User, server: Server
) -> None:
    action = start(bob, tenant, server)
    assert told(read(tenant, server, "FAILOVER_TEST")) == (Origin.OURS, False, action)
    assert read(tenant, server, "STAND_BY", failover="", after=2) is None
    assert told(read(tenant, server, "FAILOVER_TEST", failover="f-2", after=3)) == (Origin.OUTSIDE, False, None)


def test_an_action_under_way_is_claimed_for_one_failover_alone(tenant: Tenant, bob: User, server: Server) -> None:
    action = start(bob, tenant, server)
    assert told(read(tenant, server, "POWERING_ON")) == (Origin.OURS, None, action)
    assert told(read(tenant, server, "POWERING_ON", failover="f-2", after=2)) == (Origin.OUTSIDE, None, None)


def test_production_that_takes_over_a_tests_id_is_not_claimed_for_whoever_started_the_test(
    tenant: Tenant, bob: User, server: Server
) -> None:
    start(bob, tenant, server)
    read(tenant, server, "FAILOVER_TEST")
    assert told(read(tenant, server, "FINALIZATION", after=2)) == (Origin.OUTSIDE, True, None)


@pytest.mark.parametrize(
    ("ends", "told_then"),
    [
        ({"state": State.ACCEPTED, "task_uuid": "t"}, Origin.OURS),
        ({"state": State.REFUSED}, Origin.OUTSIDE),
        ({"state": State.CLOSED, "verdict": Verdict.HAPPENED}, Origin.OURS),
        ({"state": State.CLOSED, "verdict": Verdict.NOT_HAPPENED}, Origin.OUTSIDE),
        ({"state": State.CLOSED, "verdict": Verdict.UNTOLD}, Origin.UNKNOWN),
        ({"state": State.CLOSED}, Origin.UNKNOWN),
    ],
)
def test_what_comes_while_an_outcome_is_unknown_is_perhaps_ours_until_that_is_told(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server, ends: dict[str, Any], told_then: Origin
) -> None:
    simulator.fail("504", method="POST")
    action = start(bob, tenant, server)
    assert told(read(tenant, server, "FAILOVER_TEST")) == (Origin.UNKNOWN, False, action)
    Action.objects.update(**ends, answered_at=timezone.now())
    found = told(read(tenant, server, "FAILOVER_TEST", after=2))
    assert found[0] == told_then
    assert (found[2] is None) == (told_then is Origin.OUTSIDE)


@pytest.mark.parametrize(("days", "origin"), [(0.5, Origin.UNKNOWN), (2, Origin.OUTSIDE)])
def test_what_was_never_cleared_up_is_held_against_a_later_failover_for_a_day(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server, days: float, origin: Origin
) -> None:
    simulator.fail("504", method="POST")
    start(bob, tenant, server)
    Action.objects.update(state=State.CLOSED, verdict=Verdict.UNTOLD)
    assert told(read(tenant, server, "FAILOVER_TEST", after=days * 86400))[0] == origin


def test_the_answer_of_a_read_that_began_before_the_cloud_said_yes_is_no_proof(
    tenant: Tenant, bob: User, server: Server
) -> None:
    action = start(bob, tenant, server)
    Action.objects.update(answered_at=timezone.now() + timedelta(seconds=5))
    assert told(read(tenant, server, "FAILOVER_TEST")) == (Origin.UNKNOWN, False, action)
    assert told(read(tenant, server, "FAILOVER_TEST", after=6)) == (Origin.OURS, False, action)


def test_the_kind_is_remembered_when_the_status_tells_it_no_more(tenant: Tenant, server: Server) -> None:
    assert told(read(tenant, server, "POWERING_ON"))[1] is None
    assert told(read(tenant, server, "FAILOVER_TEST"))[1] is False
    assert told(read(tenant, server, "POWERING_OFF"))[1] is False
    assert told(read(tenant, server, "FINALIZATION_FAILED"))[1] is True
    assert told(read(tenant, server, "FAILOVER_TEST"))[1] is True, "what was production once is never called a test"


def test_a_read_with_nothing_new_costs_no_sql(tenant: Tenant) -> None:
    servers = [
        seen.server(f"s-{n}", status="FAILOVER_TEST" if n % 2 else "STAND_BY", recovery=_running(n) if n % 2 else {})
        for n in range(1000)
    ]
    with CaptureQueriesContext(connection) as first:
        origins.note(tenant.pk, servers, started=timezone.now())
    assert Failover.objects.filter(tenant=tenant, server_uuid__startswith="s-").count() == 500
    assert len(first) < 12
    with CaptureQueriesContext(connection) as then:
        origins.note(tenant.pk, servers, started=timezone.now())
    assert len(then) == 0


def test_a_process_that_has_just_begun_learns_what_another_remembered(
    tenant: Tenant, bob: User, server: Server
) -> None:
    action = start(bob, tenant, server)
    read(tenant, server, "FAILOVER_TEST")
    origins.forget()
    assert told(read(tenant, server, "POWERING_OFF", after=2)) == (Origin.OURS, False, action)
    assert Failover.objects.filter(server_uuid=server.key).count() == 1


def test_what_is_known_of_it_is_kept_by_a_process_that_learns_it_later(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server, polled: Poll
) -> None:
    action = start(bob, tenant, server)
    simulator.advance(60)
    polled()
    started = Failover.objects.get(server_uuid=server.key)
    assert start(bob, tenant, server, Kind.STOP).state == State.ACCEPTED
    origins.forget()
    assert told(read(tenant, server, "POWERING_OFF", failover=started.failover_id, after=2)) == (
        Origin.OURS,
        False,
        action,  # who stops it did not start it
    )


def test_an_automated_test_stays_one_for_a_process_that_has_just_begun(tenant: Tenant, server: Server) -> None:
    read(tenant, server, "FAILOVER_TEST_AUTO")
    origins.forget()
    assert told(read(tenant, server, "POWERING_OFF", after=2)) == (Origin.AUTOMATED, False, None)


def test_what_another_process_remembered_is_looked_up_once(tenant: Tenant) -> None:
    servers = [seen.server("s-1", status="FAILOVER_TEST", recovery=_running(1))]
    origins.note(tenant.pk, servers, started=timezone.now())
    origins.forget()
    origins.note(tenant.pk, servers, started=timezone.now())
    with CaptureQueriesContext(connection) as then:
        origins.note(tenant.pk, servers, started=timezone.now())
    assert len(then) == 0


def test_what_was_seen_before_is_said_only_of_a_failover_whose_id_can_be_remembered() -> None:
    production = Failover(production=True)
    for failover, produces in (("x" * 200, True), ("x" * 201, False), ("", False)):
        recovery = {"active_failover": {"id": failover}}
        silent = seen.server("s-1", status="POWERING_OFF", recovery=recovery)
        assert origins.produces(silent, production) is produces
    assert origins.produces(seen.server("s-1", status="FAILOVER_PROD"), None)


def test_ids_that_no_row_can_hold_are_not_remembered_and_stand_in_nobodys_way(tenant: Tenant, server: Server) -> None:
    assert read(tenant, server, "FAILOVER_TEST", failover="x" * 201) is None
    assert read(tenant, server, "FAILOVER_TEST", failover="x" * 200) is not None


def test_of_two_tenants_each_has_its_own(tenant: Tenant, server: Server, charlie: User) -> None:
    other = Tenant.objects.exclude(pk=tenant.pk).get()
    read(tenant, server, "FAILOVER_TEST")
    assert origins.running([(other.pk, server)]) == {}


def _running(number: int) -> dict[str, Any]:
    return {"active_failover": {"id": f"f-{number}"}}
