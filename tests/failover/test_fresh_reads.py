"""A click is decided on what is read anew, beside what the dialog showed."""

import time

import pytest
from django.contrib.auth.models import User

from drdash.audit.models import Entry
from drdash.cloud.records import Server
from drdash.failover.actions import preview, request
from drdash.failover.guard import Kind
from drdash.failover.models import State
from drdash.failover.sighting import VALID_SECONDS, Expired, seal, unseal
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Tenant
from tests.failover.clicks import codes, wish


def test_the_click_is_decided_on_a_fresh_read_not_on_the_page(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    simulator.force_server(server.uuid, issues=["NotAllowed", ["VPNS2SConnectionFailure", "WARNING", None]])
    action, _ = request(user=bob, tenant=tenant, server=server, wish=wish())
    assert (action.state, simulator.posts) == (State.REFUSED, [])
    assert codes(action) == {"NotAllowed", "VPNS2SConnectionFailure"}, "nobody has to nod to what does not go anyway"


def test_what_needs_a_nod_is_refused_without_it_and_goes_with_it(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    simulator.force_server(server.uuid, issues=[["VPNS2SConnectionFailure", "WARNING", None]])
    silent, _ = request(user=bob, tenant=tenant, server=server, wish=wish())
    assert (silent.state, simulator.posts) == (State.REFUSED, [])
    assert codes(silent) == {"NotAcknowledged", "VPNS2SConnectionFailure"}
    nodding = wish(acknowledge=frozenset({"VPNS2SConnectionFailure"}))
    agreed, _ = request(user=bob, tenant=tenant, server=server, wish=nodding)
    assert agreed.state == State.ACCEPTED
    assert [reason["code"] for reason in agreed.reasons] == ["VPNS2SConnectionFailure"]
    sending = Entry.objects.get(action=agreed.pk, verb="start_failover_test Sending")
    assert sending.detail == "Acknowledged: VPNS2SConnectionFailure."


def test_a_change_between_dialog_and_click_stops_the_click_and_an_improvement_does_not(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    simulator.force_server(server.uuid, issues=[["QuotaReachedDrStorage", "WARNING", None]])
    seen = preview(user=bob, tenant=tenant, server=server, kind=Kind.START_TEST).sighting
    nods = frozenset({"QuotaReachedDrStorage", "VPNIPSecNotConfigured"})
    simulator.force_server(
        server.uuid,
        issues=[["QuotaReachedDrStorage", "WARNING", None], ["VPNIPSecNotConfigured", "warning", None]],
    )
    stopped, _ = request(user=bob, tenant=tenant, server=server, wish=wish(acknowledge=nods, seen=seen))
    assert (stopped.state, "Changed" in codes(stopped), simulator.posts) == (State.REFUSED, True, [])
    simulator.force_server(server.uuid, issues=[])
    gone, _ = request(user=bob, tenant=tenant, server=server, wish=wish(seen=seen))
    assert gone.state == State.ACCEPTED


def test_a_cloud_that_could_not_be_read_says_only_that(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    simulator.force_server(server.uuid, status="POWERING_ON")
    seen = preview(user=bob, tenant=tenant, server=server, kind=Kind.START_TEST).sighting
    simulator.fail("500", method="GET", times=None)
    action, _ = request(user=bob, tenant=tenant, server=server, wish=wish(seen=seen))
    assert (action.state, codes(action)) == (State.REFUSED, {"ReadFailed"})


def test_an_error_that_is_only_a_warning_by_now_is_an_improvement(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    simulator.force_server(server.uuid, issues=[["NotAllowed", "ERROR", "DR_SOMETHING_NEW"]])
    seen = preview(user=bob, tenant=tenant, server=server, kind=Kind.START_TEST).sighting
    simulator.force_server(server.uuid, issues=[["NotAllowed", "warning", "DR_SOMETHING_NEW"]])
    nod = wish(acknowledge=frozenset({"NotAllowed"}), seen=seen)
    better, _ = request(user=bob, tenant=tenant, server=server, wish=nod)
    assert better.state == State.ACCEPTED


def test_a_sighting_is_sealed_to_its_person_server_and_action_and_grows_too_old(
    tenant: Tenant, bob: User, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed = seal(preview(user=bob, tenant=tenant, server=server, kind=Kind.START_TEST).sighting)
    assert unseal(sealed, user=bob.pk, kind=Kind.START_TEST, server=server.key).name == server.name
    for other in (
        {"user": bob.pk + 1, "kind": Kind.START_TEST, "server": server.key},
        {"user": bob.pk, "kind": Kind.START_PROD, "server": server.key},
        {"user": bob.pk, "kind": Kind.START_TEST, "server": "another"},
    ):
        with pytest.raises(Expired):
            unseal(sealed, **other)  # type: ignore[arg-type]
    with pytest.raises(Expired):
        unseal(sealed[:-2] + "xx", user=bob.pk, kind=Kind.START_TEST, server=server.key)
    later = time.time() + VALID_SECONDS + 1
    monkeypatch.setattr(time, "time", lambda: later)
    with pytest.raises(Expired, match=r"^Nothing was sent: the dialog was older than 120 s") as expired:
        unseal(sealed, user=bob.pk, kind=Kind.START_TEST, server=server.key)
    assert expired.value.seen is not None  # so that what changed since can be told


def test_a_dialog_shows_what_was_just_read(simulator: Simulator, tenant: Tenant, bob: User, server: Server) -> None:
    simulator.force_server(server.uuid, status="POWERING_ON")
    shown = preview(user=bob, tenant=tenant, server=server, kind=Kind.START_TEST)
    assert (shown.server.status, shown.sighting.status) == ("POWERING_ON", "POWERING_ON")
