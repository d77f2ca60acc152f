"""What goes over an unknown outcome ends it only when the cloud takes it."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User

from drdash.audit.models import Entry
from drdash.cloud.records import Server
from drdash.estate.store import store
from drdash.failover import following
from drdash.failover.actions import Wish, request
from drdash.failover.guard import Kind
from drdash.failover.models import Action, State
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Tenant
from tests.stack import Poll

STOPS = ":stop_failover"


def wish(kind: Kind, **more: Any) -> Wish:
    return Wish(kind=kind, key=uuid4().hex, **more)


@pytest.fixture
def lost(simulator: Simulator, tenant: Tenant, bob: User, server: Server, polled: Poll) -> Action:
    """A start of a test whose answer was lost. The cloud took it."""
    simulator.fail("504", method="POST", path=":start_failover_test", after_effect=True)
    action, _ = request(user=bob, tenant=tenant, server=server, wish=wish(Kind.START_TEST))
    simulator.advance(60)
    polled()
    action.refresh_from_db()
    assert action.state == State.UNKNOWN
    return action


@pytest.fixture
def stop(tenant: Tenant, bob: User, server: Server) -> Callable[..., Action]:
    def stopped(**more: Any) -> Action:
        asked = wish(Kind.STOP, acknowledge=frozenset({"OurStartUnknown"}))
        known = store().load(tenant.pk).servers[server.key].record
        return request(user=bob, tenant=tenant, server=known, wish=asked, **more)[0]

    return stopped


Stop = Callable[..., Action]


def test_a_stop_that_the_cloud_takes_closes_the_unknown_start_for_good(lost: Action, stop: Stop) -> None:
    stopped = stop()
    lost.refresh_from_db()
    assert (stopped.state, lost.state, lost.superseded_by) == (State.ACCEPTED, State.CLOSED, stopped)


def test_a_stop_whose_outcome_is_unknown_takes_its_place(simulator: Simulator, lost: Action, stop: Stop) -> None:
    simulator.fail("504", method="POST", path=STOPS)
    stopped = stop()
    lost.refresh_from_db()
    assert (stopped.state, lost.state) == (State.UNKNOWN, State.CLOSED)


@pytest.mark.parametrize("fault", ["429", "403", "404"])
def test_a_stop_that_the_cloud_refuses_leaves_the_start_as_unknown_as_before(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server, lost: Action, stop: Stop, fault: Any
) -> None:
    error, evidence = lost.error, lost.evidence
    simulator.fail(fault, method="POST", path=STOPS)
    stopped = stop()
    lost.refresh_from_db()
    assert (stopped.state, lost.state, lost.finished_at) == (State.REFUSED, State.UNKNOWN, None)
    assert (lost.error, lost.evidence[: len(evidence)]) == (error, evidence)
    verb, detail = Entry.objects.filter(action=lost.pk).values_list("verb", "detail")[0]
    assert (verb, f"Action {stopped.pk} was to go over it" in detail) == ("start_failover_test Unknown", True)
    known = store().load(tenant.pk).servers[server.key].record
    simulator.force_server(server.uuid, status="STAND_BY")
    again, _ = request(user=bob, tenant=tenant, server=known, wish=wish(Kind.START_TEST))
    assert (again.state, "OurStartUnknown" in {one["code"] for one in again.reasons}) == (State.REFUSED, True)


def test_a_stop_that_was_claimed_too_late_to_be_sent_leaves_it_so_too(lost: Action, stop: Stop) -> None:
    stopped = stop(clock=iter([0.0, 0.0, 1.0, 1.0, 1.0, 9.0]).__next__)
    lost.refresh_from_db()
    assert (stopped.state, lost.state, lost.superseded_by) == (State.NOT_SENT, State.UNKNOWN, stopped)


def test_what_a_person_closed_is_not_opened_again(lost: Action, stop: Stop) -> None:
    stopped = stop()
    Action.objects.filter(pk=lost.pk).update(verdict="happened")
    assert stopped.sent_at is not None
    following.reopen(stopped, stopped.sent_at)
    lost.refresh_from_db()
    assert lost.state == State.CLOSED
