"""Who may act, and what production asks for besides."""

import msgspec
import pytest
from django.contrib.auth.models import User

from drdash.cloud.records import Server
from drdash.cloud.words import ServerStatus
from drdash.failover.actions import Invalid, request
from drdash.failover.guard import Kind
from drdash.failover.models import Action, State
from drdash.failover.reasons import Mark
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Membership, Tenant
from drdash.tenants.roles import Role
from tests.failover.clicks import codes, seen_again, wish
from tests.stack import Poll


def test_a_viewer_is_refused_without_a_question_to_the_cloud(
    simulator: Simulator, tenant: Tenant, victor: User, server: Server
) -> None:
    before = len(simulator.requests)
    action, _ = request(user=victor, tenant=tenant, server=server, wish=wish())
    assert (action.state, codes(action), len(simulator.requests)) == (State.REFUSED, {"RoleViewer"}, before)
    assert [reason["mark"] for reason in action.reasons] == [Mark.BLOCK]


def test_an_operator_may_not_start_production_nor_stop_it(
    simulator: Simulator, tenant: Tenant, alice: User, bob: User, server: Server, polled: Poll
) -> None:
    refused, _ = request(user=bob, tenant=tenant, server=server, wish=wish(Kind.START_PROD, confirm=server.name))
    assert [(reason["code"], reason["mark"]) for reason in refused.reasons] == [("RoleOperator", Mark.BLOCK)]
    request(user=alice, tenant=tenant, server=server, wish=wish(Kind.START_PROD, confirm=server.name))
    simulator.advance(600)
    polled()
    running = seen_again(server, tenant)
    stop, _ = request(user=bob, tenant=tenant, server=running, wish=wish(Kind.STOP, confirm=server.name))
    assert (stop.state, "RoleOperator" in codes(stop)) == (State.REFUSED, True)
    assert len(simulator.posts) == 1


def test_production_needs_the_name_typed_and_ends_with_a_nod_to_what_will_be_lost(
    simulator: Simulator, tenant: Tenant, alice: User, server: Server, polled: Poll
) -> None:
    with pytest.raises(Invalid, match=server.name):
        request(user=alice, tenant=tenant, server=server, wish=wish(Kind.START_PROD, confirm="something else"))
    assert (Action.objects.count(), simulator.posts) == (0, [])
    started, _ = request(user=alice, tenant=tenant, server=server, wish=wish(Kind.START_PROD, confirm=server.name))
    simulator.advance(40)
    polled()
    started.refresh_from_db()
    assert (started.state, seen_again(server, tenant).status) == (State.SUCCEEDED, "FINALIZATION")
    simulator.advance(600)
    polled()
    running = seen_again(server, tenant)
    stop = wish(Kind.STOP, confirm=server.name, acknowledge=frozenset({"ProductionStop"}))
    stopped, _ = request(user=alice, tenant=tenant, server=running, wish=stop)
    assert (stopped.state, stopped.production) == (State.ACCEPTED, True)


def test_a_stop_shown_as_production_is_one_of_a_test_when_a_test_runs_by_now(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    request(user=bob, tenant=tenant, server=server, wish=wish())
    simulator.advance(60)
    was = msgspec.structs.replace(server, status=ServerStatus.FAILOVER_PROD)
    stop, _ = request(user=bob, tenant=tenant, server=was, wish=wish(Kind.STOP, confirm=server.name))
    assert (stop.state, stop.production) == (State.ACCEPTED, False)


def test_a_name_that_is_no_longer_the_servers_confirms_nothing(
    simulator: Simulator, tenant: Tenant, alice: User, server: Server
) -> None:
    simulator.force_server(server.uuid, set={"name": "renamed"})
    refused, _ = request(user=alice, tenant=tenant, server=server, wish=wish(Kind.START_PROD, confirm=server.name))
    assert (refused.state, codes(refused), simulator.posts) == (State.REFUSED, {"NotConfirmed"}, [])


def test_who_is_not_proven_does_not_stop_what_turns_out_to_be_production(
    simulator: Simulator, tenant: Tenant, alice: User, server: Server
) -> None:
    request(user=alice, tenant=tenant, server=server, wish=wish(Kind.START_PROD, confirm=server.name))
    simulator.advance(600)
    was = msgspec.structs.replace(server, status=ServerStatus.FAILOVER_TEST)
    asked = {"confirm": server.name, "acknowledge": frozenset({"ProductionStop"})}
    stop, _ = request(user=alice, tenant=tenant, server=was, wish=wish(Kind.STOP, unproven="SignInAgain", **asked))
    assert (stop.state, codes(stop), len(simulator.posts)) == (State.REFUSED, {"SignInAgain", "ProductionStop"}, 1)


def test_a_stop_shown_as_a_test_is_refused_when_production_runs_by_now(
    simulator: Simulator, tenant: Tenant, alice: User, server: Server, polled: Poll
) -> None:
    request(user=alice, tenant=tenant, server=server, wish=wish())
    simulator.advance(60)
    polled()
    in_test = seen_again(server, tenant)
    simulator.force_server(server.uuid, status="FAILOVER_PROD")
    stop = wish(Kind.STOP, acknowledge=frozenset({"ProductionStop"}))
    refused, _ = request(user=alice, tenant=tenant, server=in_test, wish=stop)
    assert (refused.state, "NotConfirmed" in codes(refused), len(simulator.posts)) == (State.REFUSED, True, 1)


def test_a_membership_that_ended_ends_the_right_to_act(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    Membership.objects.filter(user=bob).update(role=Role.VIEWER)
    action, _ = request(user=bob, tenant=tenant, server=server, wish=wish())
    assert codes(action) == {"RoleViewer"}
    Membership.objects.filter(user=bob).delete()
    with pytest.raises(Invalid):
        request(user=bob, tenant=tenant, server=server, wish=wish())
    assert simulator.posts == []


def test_who_is_not_proven_to_be_there_may_run_a_test_and_no_production(
    simulator: Simulator, tenant: Tenant, alice: User, server: Server
) -> None:
    asked = wish(Kind.START_PROD, confirm=server.name, unproven="SignInAgain")
    refused, _ = request(user=alice, tenant=tenant, server=server, wish=asked)
    assert (refused.state, codes(refused), simulator.posts) == (State.REFUSED, {"SignInAgain"}, [])
    test, _ = request(user=alice, tenant=tenant, server=server, wish=wish(unproven="SignInAgain"))
    assert test.state == State.ACCEPTED
    assert [seen["status"] for seen in test.evidence] == ["STAND_BY"]  # what it was decided on
