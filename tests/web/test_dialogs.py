import re
from contextlib import ExitStack

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils.html import escape

from drdash.cloud.records import Server
from drdash.failover import actions
from drdash.failover.models import Action, State
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Membership, Tenant
from drdash.tenants.roles import Role
from tests.stack import Poll
from tests.web.opening import Shown, opened, posts
from tests.web.seen import publish


def test_a_test_is_one_plain_dialog_with_cancel_focused(bob: User, server: Server) -> None:
    html = opened(bob, server).html
    assert 'class="wish test"' in html
    assert f"Start test of {server.name}" in html
    assert re.search(r"data-close autofocus>Cancel<", html)
    assert 'name="confirm"' not in html
    assert "Production" not in html


def test_production_asks_for_the_name_and_tells_the_consequences(alice: User, server: Server) -> None:
    html = opened(alice, server, "start_failover_prod").html
    assert 'class="wish production"' in html
    assert "What will happen" in html
    assert "Latest, chosen by the cloud" in html
    assert "Sent as <code>{}</code>: the cloud takes the newest that it has by then" in html
    assert "also one that you did not see" in html
    assert "What the original machine wrote after the recovery point will be lost" in html
    assert "Is the original machine off?" in html
    assert 'name="confirm"' in html
    assert 'name="password"' not in html
    assert f"Start production of {server.name}" in html


def test_a_sent_test_closes_the_dialog_and_shows_the_action_beside_it(
    bob: User, server: Server, simulator: Simulator
) -> None:
    topic = f"server-row-{server.key}"
    status, html, headers = opened(bob, server, **{"X-Shows": topic}).send()
    action = Action.objects.get()
    assert (status, action.state, len(posts(simulator))) == (200, State.ACCEPTED, 1)
    assert "drdash:done" in headers["HX-Trigger-After-Swap"]
    assert f'<tr hx-swap-oob="quick" id="{topic}"' in html
    assert "Accepted, not done yet" in html
    assert "server-panel-" not in html


def test_the_same_form_sent_twice_posts_once(bob: User, server: Server, simulator: Simulator) -> None:
    dialog = opened(bob, server)
    assert [dialog.send()[0], dialog.send()[0]] == [200, 200]
    assert len(posts(simulator)) == 1


def test_two_dialogs_of_two_people_post_once(bob: User, alice: User, server: Server, simulator: Simulator) -> None:
    first, second = opened(bob, server), opened(alice, server)
    assert first.send()[0] == 200
    status, html, headers = second.send()
    assert (status, len(posts(simulator))) == (409, 1)
    assert "HX-Trigger-After-Swap" not in headers
    assert headers["X-Dialog"] == "1"
    assert "An action sent from here is not finished." in html


def test_a_wrong_name_stays_in_the_dialog_with_what_was_typed(
    alice: User, server: Server, simulator: Simulator
) -> None:
    dialog = opened(alice, server, "start_failover_prod")
    status, html, headers = dialog.send(confirm="nonsense")
    assert (status, headers["X-Dialog"], posts(simulator), Action.objects.count()) == (422, "1", [], 0)
    assert 'value="nonsense"' in html
    assert 'role="alert"' in html


def test_the_right_name_starts_production(alice: User, server: Server, simulator: Simulator) -> None:
    status, _, _ = opened(alice, server, "start_failover_prod").send(confirm=server.name)
    assert (status, posts(simulator)) == (200, [f"/api/dr/v2/servers/{server.uuid}:start_failover_prod"])


def test_an_action_of_another_tenant_on_the_same_server_blocks_and_is_no_link(
    alice: User, server: Server, tenant: Tenant
) -> None:
    opened(alice, server).send()
    action = Action.objects.get()
    assert f"/actions/{action.pk}/" in opened(alice, server).html
    other = Tenant.objects.create(name="The same, once more", credential=tenant.credential)
    erin = User.objects.create_user("erin")
    Membership.objects.create(user=erin, tenant=other, role=Role.ADMIN)
    publish(other.pk, server)
    html = opened(erin, server).html
    assert ("Not possible now." in html, f"/actions/{action.pk}/" in html) == (True, False)


def test_a_form_that_lost_its_recovery_point_is_refused(bob: User, server: Server, simulator: Simulator) -> None:
    status, html, _ = opened(bob, server).send(point=None)
    assert (status, posts(simulator)) == (422, [])
    assert "Choose a recovery point." in html


@pytest.mark.parametrize("missing", ["backup_id", "archive_id", "vault_id"])
def test_a_recovery_point_needs_all_three_ids(bob: User, server: Server, simulator: Simulator, missing: str) -> None:
    ids = {"backup_id": "b-1", "archive_id": "a-1@x", "vault_id": "v-1", missing: ""}
    status, html, _ = opened(bob, server).send(point="ids", **ids)
    assert (status, posts(simulator)) == (422, [])
    assert "all three ids" in html


def test_the_three_ids_are_sent_as_they_are(bob: User, server: Server) -> None:
    opened(bob, server).send(point="ids", backup_id="b-1", archive_id="a-1@x", vault_id="v-1")
    assert Action.objects.get().recovery_point == {"backup_id": "b-1", "archive_id": "a-1@x", "vault_id": "v-1"}


@pytest.mark.parametrize("point", ["", "newest", "{", "[]", '{"backup_id": 1}'])
def test_a_recovery_point_that_is_none_is_refused(bob: User, server: Server, simulator: Simulator, point: str) -> None:
    assert opened(bob, server).send(point=point)[0] == 422
    assert posts(simulator) == []


def test_a_dialog_of_someone_else_is_no_dialog_of_mine(
    alice: User, bob: User, server: Server, simulator: Simulator
) -> None:
    theirs, mine = opened(alice, server), opened(bob, server)
    for token in (theirs.fields["token"], "forged", "", None, "\0", "ü"):
        assert mine.send(token=token)[0] == 409
    production = opened(alice, server, "start_failover_prod")
    assert production.send(token=theirs.fields["token"], confirm=server.name)[0] == 409
    assert not Action.objects.exists()
    assert posts(simulator) == []


def test_a_viewer_is_told_that_the_role_only_looks(victor: User, server: Server, simulator: Simulator) -> None:
    dialog = opened(victor, server)
    assert "Your role may look, not act." in dialog.html
    assert 'class="go' not in dialog.html


def test_whoever_lost_the_role_meanwhile_is_refused(bob: User, server: Server, simulator: Simulator) -> None:
    dialog = opened(bob, server)
    Membership.objects.filter(user=bob).update(role=Role.VIEWER)
    status, html, _ = dialog.send()
    assert (status, posts(simulator), Action.objects.get().state) == (403, [], State.REFUSED)
    assert "Your role may look, not act." in html


def test_a_blocked_dialog_tells_why_and_has_no_button_to_send(bob: User, polled: Poll, server: Server) -> None:
    html = opened(bob, server, "stop_failover").html
    assert "Not possible now." in html
    assert "No failover is running." in html
    assert 'class="go' not in html
    assert ">Close<" in html


def test_without_a_script_the_dialog_is_a_page_and_leads_to_the_action(bob: User, server: Server) -> None:
    dialog = Shown(bob, server, "start_failover_test")
    assert "<!doctype html>" in dialog.html
    assert "csrfmiddlewaretoken" in dialog.html
    status, _, headers = dialog.send()
    assert (status, headers["Location"]) == (302, f"/actions/{Action.objects.get().pk}/")


def test_a_form_without_the_token_of_the_session_is_refused(bob: User, server: Server) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(bob)
    assert client.post(f"/servers/{server.uuid}/actions/start_failover_test/", {"key": "k"}).status_code == 403
    assert not Action.objects.exists()


def test_the_name_is_escaped_in_the_dialog(bob: User, server: Server) -> None:
    assert escape(server.name) in opened(bob, server).html


def test_an_outcome_that_nobody_knows_stays_in_the_dialog(bob: User, server: Server, simulator: Simulator) -> None:
    simulator.fail("504", method="POST", path=":start_failover_test", after_effect=True)
    status, html, headers = opened(bob, server, **{"X-Shows": f"server-row-{server.key}"}).send()
    assert (status, Action.objects.get().state, len(posts(simulator))) == (200, State.UNKNOWN, 1)
    assert "HX-Trigger-After-Swap" not in headers
    assert "a person has to look there" in html
    assert "Outcome unknown" in html


def test_a_refusal_of_the_cloud_is_shown_in_its_own_words(bob: User, server: Server, simulator: Simulator) -> None:
    simulator.fail("403", method="POST", path=":start_failover_test")
    status, html, _ = opened(bob, server).send()
    assert (status, Action.objects.get().state) == (200, State.REFUSED)
    assert "This method is not allowed for this user account." in html


def test_a_cloud_that_cannot_be_read_gives_a_dialog_that_says_so(
    bob: User, server: Server, simulator: Simulator
) -> None:
    simulator.fail("500", method="GET", times=None)
    html = opened(bob, server).html
    assert "Not possible now." in html
    assert 'class="go' not in html


def test_a_key_that_was_used_for_something_else_opens_the_dialog_anew(
    bob: User, server: Server, simulator: Simulator
) -> None:
    dialog = opened(bob, server)
    dialog.send()
    used = dialog.fields["token"]
    status, html, _ = dialog.go_on(point="ids", backup_id="b-1", archive_id="a-1", vault_id="v-1")
    assert (status, len(posts(simulator))) == (409, 1)
    assert "used for something else" in html
    assert dialog.fields.get("token") != used


def test_when_too_many_actions_are_under_way_the_dialog_keeps_what_was_typed(
    alice: User, server: Server, simulator: Simulator
) -> None:
    dialog = opened(alice, server, "start_failover_prod")
    with ExitStack() as busy:
        for _ in range(actions.AT_ONCE):
            busy.enter_context(actions._slots)
        status, html, headers = dialog.send(confirm=server.name)
    assert (status, headers["X-Dialog"], posts(simulator)) == (503, "1", [])
    assert f'name="confirm" value="{escape(server.name)}"' in html
    assert dialog.send(confirm=server.name)[0] == 200


def test_a_stop_where_the_status_does_not_tell_says_what_was_seen_to_run(
    alice: User, bob: User, tenant: Tenant, server: Server, simulator: Simulator, polled: Poll
) -> None:
    opened(bob, server).send()
    simulator.advance(60)
    polled()
    simulator.force_server(server.uuid, status="POWERING_OFF")
    polled()
    html = opened(alice, server, "stop_failover").html
    assert "started by bob from here" in html
    assert "What runs is a test, as far as it was seen." in html
    assert 'class="wish production"' in html, "it counts as production all the same"
