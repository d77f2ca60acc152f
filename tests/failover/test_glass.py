"""Breaking the glass: an admin goes over our own not-knowing, never over the cloud's explicit no."""

from uuid import uuid4

import pytest
from django.contrib.auth.models import User

from drdash.audit.models import Entry
from drdash.cloud.records import Server
from drdash.estate import clients
from drdash.failover.actions import Invalid, Wish, preview, request
from drdash.failover.guard import Kind
from drdash.failover.models import Action, State
from drdash.failover.reasons import Mark
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Tenant

WHY = "The main site burns; the cloud's readiness is stale."
POST = ":start_failover_prod"


def wish(server: Server, **more: object) -> Wish:
    given = {"kind": Kind.START_PROD, "key": uuid4().hex, "confirm": server.name, "glass": WHY, **more}
    return Wish(**given)  # type: ignore[arg-type]


def codes(action: Action) -> set[str]:
    return {reason["code"] for reason in action.reasons if reason["mark"] > Mark.ACKNOWLEDGE}


@pytest.fixture
def in_doubt(simulator: Simulator, server: Server) -> Server:
    """The server's site tells a readiness that nobody knows."""
    simulator.force_site(server.site_uuid, set={"failover_readiness": "PERHAPS"})
    return server


NODDED = frozenset({"ReadinessUnknown"})


def test_an_admin_goes_over_what_is_not_known_and_it_is_marked_for_ever(
    simulator: Simulator, tenant: Tenant, alice: User, in_doubt: Server
) -> None:
    seen = preview(user=alice, tenant=tenant, server=in_doubt, kind=Kind.START_PROD)
    assert (seen.verdict.allowed, seen.verdict.breakable, seen.verdict.glass) == (False, True, ("ReadinessUnknown",))
    action, _ = request(user=alice, tenant=tenant, server=in_doubt, wish=wish(in_doubt, acknowledge=NODDED))
    assert (action.state, action.glass, len(simulator.posts)) == (State.ACCEPTED, WHY, 1)
    detail = Entry.objects.get(action=action.pk, verb="start_failover_prod Sending").detail
    assert detail.startswith(f"Broke the glass: {WHY} It goes over ReadinessUnknown.")


def test_without_the_glass_it_stays_shut(simulator: Simulator, tenant: Tenant, alice: User, in_doubt: Server) -> None:
    for nodded in (NODDED, frozenset[str]()):
        asked = wish(in_doubt, acknowledge=nodded, glass="")
        action, _ = request(user=alice, tenant=tenant, server=in_doubt, wish=asked)
        assert (action.state, codes(action), simulator.posts) == (State.REFUSED, {"ReadinessUnknown"}, [])


def test_each_thing_that_it_goes_over_has_to_be_acknowledged(
    simulator: Simulator, tenant: Tenant, alice: User, in_doubt: Server
) -> None:
    action, _ = request(user=alice, tenant=tenant, server=in_doubt, wish=wish(in_doubt))
    assert (action.state, simulator.posts) == (State.REFUSED, [])
    assert "NotAcknowledged" in codes(action)


def test_an_operator_has_no_glass_to_break(simulator: Simulator, tenant: Tenant, bob: User, in_doubt: Server) -> None:
    action, _ = request(user=bob, tenant=tenant, server=in_doubt, wish=wish(in_doubt, acknowledge=NODDED))
    assert (action.state, codes(action), simulator.posts) == (State.REFUSED, {"RoleOperator"}, [])


def test_the_clouds_explicit_no_is_never_overridden(
    simulator: Simulator, tenant: Tenant, alice: User, in_doubt: Server
) -> None:
    simulator.force_server(in_doubt.uuid, issues=["NotAllowed"])
    nodded = NODDED | {"NotAllowed"}
    action, _ = request(user=alice, tenant=tenant, server=in_doubt, wish=wish(in_doubt, acknowledge=nodded))
    assert (action.state, action.glass, simulator.posts) == (State.REFUSED, "", [])
    assert "NotAllowed" in codes(action)


def test_it_breaks_nothing_where_the_way_is_free(
    simulator: Simulator, tenant: Tenant, alice: User, server: Server
) -> None:
    asked = preview(user=alice, tenant=tenant, server=server, kind=Kind.START_PROD).verdict.acknowledge
    action, _ = request(user=alice, tenant=tenant, server=server, wish=wish(server, acknowledge=frozenset(asked)))
    assert (action.state, action.glass) == (State.ACCEPTED, "")


def test_it_goes_without_a_fresh_read_when_the_cloud_answers_none(
    simulator: Simulator, tenant: Tenant, alice: User, server: Server
) -> None:
    simulator.fail("500", method="GET", times=None)
    action, _ = request(
        user=alice, tenant=tenant, server=server, wish=wish(server, acknowledge=frozenset({"ReadFailed"}))
    )
    assert (action.state, len(simulator.posts), bool(action.glass)) == (State.ACCEPTED, 1, True)


def test_in_the_wait_of_a_429_it_sends_one_read_and_one_post(
    simulator: Simulator, tenant: Tenant, alice: User, server: Server
) -> None:
    asked = frozenset(preview(user=alice, tenant=tenant, server=server, kind=Kind.START_PROD).verdict.acknowledge)
    clients.own.way(tenant).hold.note(300)
    before = len(simulator.requests)
    waiting, _ = request(user=alice, tenant=tenant, server=server, wish=wish(server, acknowledge=asked, glass=""))
    assert (waiting.state, len(simulator.requests)) == (State.REFUSED, before)
    action, _ = request(user=alice, tenant=tenant, server=server, wish=wish(server, acknowledge=asked))
    assert action.state == State.ACCEPTED
    sent = [(one.method, one.path.rpartition("/v2/")[2].partition("/")[0]) for one in simulator.requests[before:]]
    assert sorted(sent) == [("GET", "servers"), ("GET", "sites"), ("POST", "servers")]
    assert clients.own.way(tenant).hold.left() > 200


def test_a_409_after_a_read_that_failed_is_never_called_refused(
    simulator: Simulator, tenant: Tenant, alice: User, server: Server
) -> None:
    simulator.force_server(server.uuid, issues=["ResourceBusy"])
    simulator.fail("500", method="GET", times=None)
    nodded = frozenset({"ReadFailed"})
    action, _ = request(user=alice, tenant=tenant, server=server, wish=wish(server, acknowledge=nodded))
    assert (action.status, action.state) == (409, State.UNKNOWN)


@pytest.mark.parametrize("more", [{"kind": Kind.START_TEST}, {"kind": Kind.STOP}, {"glass": "too short"}])
def test_it_is_for_a_start_of_production_alone_and_with_a_reason(
    tenant: Tenant, alice: User, server: Server, more: dict[str, object]
) -> None:
    with pytest.raises(Invalid):
        request(user=alice, tenant=tenant, server=server, wish=wish(server, **more))
    assert not Action.objects.exists()


def test_what_the_admin_went_over_and_what_they_saw_is_bound(
    simulator: Simulator, tenant: Tenant, alice: User, in_doubt: Server
) -> None:
    seen = preview(user=alice, tenant=tenant, server=in_doubt, kind=Kind.START_PROD).sighting
    simulator.force_site(in_doubt.site_uuid, issues=["CloudConnectionFailure"])
    action, _ = request(user=alice, tenant=tenant, server=in_doubt, wish=wish(in_doubt, acknowledge=NODDED, seen=seen))
    assert (action.state, simulator.posts) == (State.REFUSED, [])
    assert {"Changed", "NotAcknowledged"} <= codes(action)
