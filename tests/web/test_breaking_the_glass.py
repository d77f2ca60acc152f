"""Breaking the glass, through a dialog and through the JSON API: an admin alone, in person, with a written reason."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from drdash.audit.models import Entry
from drdash.cloud.records import Server
from drdash.failover.models import Action, State
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Tenant
from tests.stack import Poll
from tests.web.asking import Program
from tests.web.opening import Shown, opened, posts

KIND = "start_failover_prod"
WHY = "The main site burns, and nobody answers at the cloud."
GLASS = {"reason": WHY, "password": "alice"}


@pytest.fixture
def in_doubt(simulator: Simulator, server: Server) -> Server:
    """The server's site tells a readiness that nobody knows."""
    simulator.force_site(server.site_uuid, set={"failover_readiness": "PERHAPS"})
    return server


def broken(dialog: Shown, server: Server, **typed: object) -> tuple[int, str, dict[str, str]]:
    given = {"confirm": server.name, "why": WHY, "password": "alice", "acknowledge": "ReadinessUnknown"}
    return dialog.send(**{**given, **typed})


def test_the_dialog_says_what_is_not_known_and_what_breaking_the_glass_means(alice: User, in_doubt: Server) -> None:
    html = opened(alice, in_doubt, KIND).html
    assert "<b>Blocked.</b>" in html
    assert "readiness is not known" in html
    assert '<details class="glass"><summary>Break the glass…</summary>' in html
    assert "Everyone in Quiet customer is told" in html
    assert "It stays in the audit for ever." in html
    assert 'type="password" name="password"' in html  # though she signed in just now
    assert 'value="ReadinessUnknown" required>' in html
    assert "Is the original machine off?" in html
    assert f"Break the glass: Start production of {in_doubt.name}" in html


def test_an_admin_breaks_it_and_it_is_on_record(alice: User, in_doubt: Server, simulator: Simulator) -> None:
    status, _, _ = broken(opened(alice, in_doubt, KIND), in_doubt)
    action = Action.objects.get()
    assert (status, action.state, action.glass) == (200, State.ACCEPTED, WHY)
    assert posts(simulator) == [f"/api/dr/v2/servers/{in_doubt.uuid}:{KIND}"]
    assert Entry.objects.filter(action=action.pk, detail__startswith=f"Broke the glass: {WHY}").exists()


def test_it_takes_everything_that_is_asked(alice: User, in_doubt: Server, simulator: Simulator) -> None:
    dialog = opened(alice, in_doubt, KIND)
    wanting: list[tuple[dict[str, Any], int, str]] = [
        ({"why": "  not   enough   words "}, 422, "Write why the glass is broken, in 20 characters at least."),
        ({"why": None}, 422, "Write why the glass is broken"),
        ({"why": "\0" * 30}, 422, "Null characters"),
        ({"password": None}, 422, "breaking the glass always asks for it"),
        ({"password": "guess"}, 422, "That password is wrong"),
        ({"confirm": "another"}, 422, "Type the server"),
        ({"original": None}, 422, "Say whether the original machine is off."),
        ({"acknowledge": None}, 409, "Acknowledge what stands against it: ReadinessUnknown."),
        ({"breaks": None}, 409, "Blocked."),
    ]
    for missing, status, words in wanting:
        dialog.look()
        told, html, headers = broken(dialog, in_doubt, **missing)
        assert (told, posts(simulator), headers["X-Dialog"]) == (status, [], "1"), missing
        assert words in html
        assert ('<details class="glass" open>' in html) is ("breaks" not in missing)


def test_what_was_typed_is_kept_but_for_the_password(alice: User, in_doubt: Server) -> None:
    _, html, _ = broken(opened(alice, in_doubt, KIND), in_doubt, password="guess-it")
    assert WHY in html
    assert 'value="ReadinessUnknown" required checked' in html
    assert "guess-it" not in html


@pytest.mark.parametrize("fault", [{"kind": "500", "times": None}, {"kind": "429", "retry_after": 600}])
def test_it_works_when_the_cloud_cannot_be_read_or_asks_to_wait(
    alice: User, server: Server, simulator: Simulator, fault: dict[str, Any]
) -> None:
    simulator.fail(method="GET", path="/servers", **fault)
    dialog = opened(alice, server, KIND)
    assert "Break the glass…" in dialog.html
    assert "<dt>Last seen</dt>" in dialog.html
    assert "Whether a failover runs already, nobody here knows" in dialog.html
    status, _, _ = broken(dialog, server, acknowledge="ReadFailed")
    assert (status, len(posts(simulator)), Action.objects.get().state) == (200, 1, State.ACCEPTED)


def test_an_operator_and_a_test_have_no_glass(alice: User, bob: User, in_doubt: Server) -> None:
    assert "Break the glass" not in opened(bob, in_doubt, KIND).html
    assert "Break the glass" not in opened(alice, in_doubt).html


def test_the_clouds_own_no_has_no_glass(alice: User, in_doubt: Server, simulator: Simulator) -> None:
    dialog = opened(alice, in_doubt, KIND)
    simulator.force_server(in_doubt.uuid, issues=["NotAllowed"])
    status, html, _ = broken(dialog, in_doubt, acknowledge=["ReadinessUnknown", "NotAllowed"])
    assert (status, posts(simulator)) == (409, [])
    assert "Not possible now." in html
    assert "Break the glass" not in html


def test_where_the_way_became_free_nothing_is_broken(alice: User, in_doubt: Server, simulator: Simulator) -> None:
    dialog = opened(alice, in_doubt, KIND)
    simulator.force_site(in_doubt.site_uuid, set={"failover_readiness": "OK"})
    assert broken(dialog, in_doubt)[0] == 200
    assert (Action.objects.get().glass, len(posts(simulator))) == ("", 1)


def test_an_admins_button_leads_there_and_says_so(alice: User, bob: User, in_doubt: Server, polled: Poll) -> None:
    polled()
    pages = {}
    for user in (alice, bob):
        client = Client()
        client.force_login(user)
        pages[user] = [client.get(path).content.decode() for path in ("/servers/", f"/servers/{in_doubt.uuid}/")]
    for html in pages[alice]:
        assert "Blocked; an admin may break the glass." in html
        assert f'hx-get="/servers/{in_doubt.uuid}/actions/{KIND}/"' in html
    assert not any("break the glass" in html for html in pages[bob])


def test_the_offers_of_the_json_api_say_it_exactly_then(
    alice: User, bob: User, tenant: Tenant, in_doubt: Server, polled: Poll
) -> None:
    polled()
    assert offered(alice, in_doubt) == {KIND}
    assert offered(bob, in_doubt) == set()
    Tenant.objects.filter(pk=tenant.pk).update(armed=False)
    assert offered(alice, in_doubt) == set()


def offered(user: User, server: Server) -> set[str]:
    offers = Program(user).read(f"servers/{server.uuid}/")["actions"]
    return {kind for kind, offer in offers.items() if offer["break_glass"]}


def test_a_program_breaks_it_with_the_right_and_the_persons_password(
    alice: User, tenant: Tenant, in_doubt: Server, simulator: Simulator
) -> None:
    wish: dict[str, Any] = {
        "action": KIND,
        "confirm": in_doubt.name,
        "acknowledge": ["ReadinessUnknown"],
        "break_glass": GLASS,
    }
    answer = Program(alice, tenant).act(in_doubt.uuid, **wish)
    assert (answer.status_code, Action.objects.get().glass, len(posts(simulator))) == (201, WHY, 1)


def test_a_program_that_does_not_keep_the_rules_breaks_nothing(
    alice: User, tenant: Tenant, in_doubt: Server, simulator: Simulator
) -> None:
    wish: dict[str, Any] = {"action": KIND, "confirm": in_doubt.name, "acknowledge": ["ReadinessUnknown"]}
    wanting: list[tuple[dict[str, str], int, list[str]]] = [
        ({"password": "guess"}, 403, ["WrongPassword"]),
        ({"reason": "x" * 19}, 400, []),
        ({"reason": " " * 30}, 400, []),
        ({"password": ""}, 400, []),
        ({"more": "x"}, 400, []),
    ]
    for changed, status, codes in wanting:
        answer = Program(alice, tenant).act(in_doubt.uuid, **wish, break_glass=GLASS | changed)
        assert (answer.status_code, Action.objects.count(), posts(simulator)) == (status, 0, []), changed
        assert [one["code"] for one in answer.json().get("reasons", ())] == codes
        assert "guess" not in answer.content.decode()


def test_a_token_without_the_right_breaks_nothing_though_the_password_is_right(
    alice: User, in_doubt: Server, simulator: Simulator
) -> None:
    answer = Program(alice).act(in_doubt.uuid, KIND, confirm=in_doubt.name, break_glass=GLASS)
    assert (answer.status_code, posts(simulator), Action.objects.get().state) == (403, [], State.REFUSED)
    assert [one["code"] for one in answer.json()["reasons"]] == ["TokenNoProduction"]
