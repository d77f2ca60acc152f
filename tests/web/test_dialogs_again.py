"""A dialog that comes back at once: it was too old, something changed, or the person has to prove who they are."""

import time

import pytest
from django.contrib.auth.models import User
from django.core import signing
from django.utils.html import escape

from drdash.audit.models import Entry
from drdash.cloud.records import Server
from drdash.failover.models import Action, State
from drdash.failover.sighting import VALID_SECONDS
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Membership
from drdash.tenants.roles import Role
from tests.web.opening import Shown, opened, posts

WARNING = [["VPNGatewayUnreachable", "WARNING", None]]
IDS = {"backup_id": "b-1", "archive_id": "a-1", "vault_id": "v-1"}


def older(token: str) -> str:
    """The same token, sealed as long ago as none may be."""

    class LongAgo(signing.TimestampSigner):
        def timestamp(self) -> str:
            return signing.b62_encode(int(time.time()) - VALID_SECONDS - 1)

    salt = "drdash.sighting"
    return LongAgo(salt=salt).sign_object(signing.loads(token, salt=salt), compress=True)


def test_a_dialog_that_is_too_old_says_so_shows_what_is_and_keeps_what_was_typed(
    alice: User, server: Server, simulator: Simulator
) -> None:
    dialog = opened(alice, server, "start_failover_prod")
    dialog.fields["token"] = older(dialog.fields["token"])
    status, html, headers = dialog.go_on(confirm=server.name, point="ids", **IDS)
    assert (status, headers["X-Dialog"], posts(simulator), Action.objects.count()) == (409, "1", [], 0)
    assert f"the dialog was older than {VALID_SECONDS} s" in html
    assert "This is older than 2 minutes now." in html  # a style sheet shows it when it is
    assert "What changed since you looked" not in html
    assert f'name="confirm" value="{escape(server.name)}"' in html
    assert 'name="backup_id" value="b-1"' in html
    assert 'value="OriginalOff" required checked' in html
    assert dialog.send(confirm=server.name)[0] == 200


def test_a_change_is_shown_as_what_was_and_what_is_with_a_fresh_dialog_at_once(
    bob: User, server: Server, simulator: Simulator
) -> None:
    dialog = opened(bob, server)
    simulator.force_server(server.uuid, issues=WARNING)
    status, html, headers = dialog.go_on(point="ids", **IDS)
    refused = Action.objects.get()
    assert (status, headers["X-Dialog"], posts(simulator)) == (409, "1", [])
    assert refused.state == State.REFUSED
    assert "Changed" in {reason["code"] for reason in refused.reasons}
    assert "Nothing was sent. Something changed since you looked." in html
    assert "VPNGatewayUnreachable: was <b>not there</b>, is <b>warning</b>" in html
    assert f'href="/actions/{refused.pk}/"' in html
    assert 'name="backup_id" value="b-1"' in html
    # What changed is above, and stays in sight: the focus is at Cancel, as when it was opened.
    assert ("data-close autofocus" in html, html.count(" autofocus")) == (True, 1)
    assert dialog.send(acknowledge="VPNGatewayUnreachable")[0] == 200
    assert len(posts(simulator)) == 1


def test_what_was_acknowledged_stays_but_for_what_changed(bob: User, server: Server, simulator: Simulator) -> None:
    simulator.force_server(server.uuid, issues=[*WARNING, ["VPNS2SConnectionFailure", "WARNING", None]])
    dialog = opened(bob, server)
    new = ["CloudConnectionUnstable", "WARNING", None]
    simulator.force_server(server.uuid, issues=[*WARNING, new])
    ticks = ["VPNGatewayUnreachable", "VPNS2SConnectionFailure"]
    _, html, _ = dialog.send(acknowledge=ticks)
    assert "VPNS2SConnectionFailure: was <b>warning</b>, is <b>not there</b>" in html
    assert 'value="VPNGatewayUnreachable" required checked' in html
    assert 'value="CloudConnectionUnstable" required aria-invalid="true">' in html


def test_a_server_that_began_a_failover_meanwhile_shows_its_status_then_and_now(
    bob: User, server: Server, simulator: Simulator
) -> None:
    dialog = opened(bob, server)
    simulator.force_server(server.uuid, status="FAILOVER_TEST")
    status, html, _ = dialog.send()
    assert (status, posts(simulator)) == (409, [])
    assert "Status: was <b>Stand-by</b>, is <b>Test running</b>" in html
    assert "Not possible now." in html


def test_a_nod_that_is_missing_is_asked_for_in_the_same_dialog(bob: User, server: Server, simulator: Simulator) -> None:
    simulator.force_server(server.uuid, issues=WARNING)
    dialog = opened(bob, server)
    status, html, _ = dialog.go_on()
    assert (status, posts(simulator)) == (409, [])
    assert "Acknowledge what stands against it: VPNGatewayUnreachable." in html
    assert '<fieldset tabindex="-1" aria-describedby="wrong-acknowledge" autofocus>' in html
    assert dialog.send(acknowledge="VPNGatewayUnreachable")[0] == 200


def test_without_a_script_a_change_is_a_page_with_the_dialog_as_it_is_now(
    bob: User, server: Server, simulator: Simulator
) -> None:
    dialog = Shown(bob, server, "start_failover_test")
    simulator.force_server(server.uuid, issues=WARNING)
    status, html, _ = dialog.go_on()
    assert (status, "<!doctype html>" in html, "is <b>warning</b>" in html) == (409, True, True)
    assert dialog.send(acknowledge="VPNGatewayUnreachable")[0] == 302


@pytest.mark.parametrize("kind", ["start_failover_prod", "stop_failover"])
def test_production_asks_for_the_password_when_the_sign_in_is_old(
    alice: User, server: Server, simulator: Simulator, kind: str
) -> None:
    running(simulator, server, kind)
    dialog = opened(alice, server, kind)
    assert 'name="password"' not in dialog.html
    dialog.grow_old()
    dialog.look()
    assert 'type="password" name="password"' in dialog.html
    given = {"confirm": server.name, "acknowledge": "ProductionStop", "password": "alice"}
    status, _, _ = dialog.send(**given)
    assert (status, posts(simulator)) == (200, [f"/api/dr/v2/servers/{server.uuid}:{kind}"])
    dialog.look()
    assert 'name="password"' not in dialog.html  # it was proven just now


def test_a_wrong_password_stays_in_the_dialog_and_nothing_is_sent(
    alice: User, server: Server, simulator: Simulator
) -> None:
    dialog = opened(alice, server, "start_failover_prod")
    dialog.grow_old()
    dialog.look()
    status, html, headers = dialog.send(confirm=server.name, password="not-alice")
    assert (status, headers["X-Dialog"], posts(simulator), Action.objects.count()) == (422, "1", [], 0)
    assert "That password is wrong" in html
    assert f'name="confirm" value="{escape(server.name)}"' in html
    assert "not-alice" not in html
    assert 'type="password" name="password"' in html


def test_without_a_password_an_old_sign_in_is_refused_and_it_is_on_record(
    alice: User, server: Server, simulator: Simulator
) -> None:
    dialog = opened(alice, server, "start_failover_prod")
    dialog.grow_old()
    status, html, _ = dialog.go_on(confirm=server.name)
    refused = Action.objects.get()
    assert (status, refused.state, posts(simulator)) == (403, State.REFUSED, [])
    assert [reason["code"] for reason in refused.reasons] == ["SignInAgain"]
    assert Entry.objects.filter(action=refused.pk, detail__contains="older than 5 minutes").exists()
    assert 'type="password" name="password"' in html
    assert dialog.send(confirm=server.name, password="alice")[0] == 200


def test_a_test_never_asks_for_the_password(bob: User, server: Server, simulator: Simulator) -> None:
    dialog = opened(bob, server)
    dialog.grow_old()
    dialog.look()
    assert 'name="password"' not in dialog.html
    assert dialog.send()[0] == 200


def test_production_wants_to_know_whether_the_original_machine_is_off_and_it_is_on_record(
    alice: User, server: Server, simulator: Simulator
) -> None:
    dialog = opened(alice, server, "start_failover_prod")
    for said in (None, "", "OriginalRunning", "\0"):
        status, html, _ = dialog.send(confirm=server.name, original=said)
        assert (status, posts(simulator)) == (422, [])
        assert 'role="alert"' in html
    dialog.send(confirm=server.name, original="OriginalUnchecked")
    assert Action.objects.get().acknowledged == ["OriginalUnchecked"]


def test_a_role_that_shrank_is_no_dialog_to_go_on_with(alice: User, server: Server, simulator: Simulator) -> None:
    dialog = opened(alice, server, "start_failover_prod")
    Membership.objects.filter(user=alice).update(role=Role.OPERATOR)
    status, html, _ = dialog.send(confirm=server.name)
    assert (status, posts(simulator)) == (403, [])
    assert "Your role may start and stop tests only." in html


def running(simulator: Simulator, server: Server, kind: str) -> None:
    """A stop has something to stop."""
    if kind == "stop_failover":
        simulator.force_server(server.uuid, status="FAILOVER_PROD")
