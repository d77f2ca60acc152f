"""The page on which a person closes an action whose outcome is unknown."""

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from drdash.clock import boot_seconds
from drdash.cloud.records import Server
from drdash.failover.actions import Wish, request
from drdash.failover.guard import Kind
from drdash.failover.models import Action, State
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Tenant
from drdash.web.steps import steps
from tests.stack import Poll

SAID = {"verdict": "happened", "why": "The console shows the test machine running."}


@pytest.fixture
def lost(simulator: Simulator, tenant: Tenant, server: Server, bob: User) -> Action:
    simulator.fail("504", method="POST")
    action, _ = request(user=bob, tenant=tenant, server=server, wish=Wish(kind=Kind.START_TEST, key=uuid4().hex))
    assert action.state == State.UNKNOWN
    return action


def of(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def age(action: Action) -> None:
    """Let its quarantine be over."""
    sent = {"sent_at": timezone.now() - timedelta(minutes=16), "sent_boot": boot_seconds() - 16 * 60}
    Action.objects.filter(pk=action.pk).update(**sent)


def test_what_was_claimed_and_not_sent_is_never_called_sent() -> None:
    at = timezone.now()
    left = Action(user=User(username="bob"), kind=Kind.START_TEST, state=State.NOT_SENT, requested_at=at, body="{}")
    left.sent_at = left.finished_at = at
    assert [step.title for step in steps(left)] == ["Requested", "Made ready to be sent", "Not sent"]


def test_it_says_when_it_can_be_closed_and_then_how(lost: Action, bob: User) -> None:
    page = of(bob).get(f"/actions/{lost.pk}/").content.decode()
    assert "It can be closed from" in page
    assert "<form" not in page.partition("Close it")[2], "an operator breaks no glass"
    age(lost)
    page = of(bob).get(f"/actions/{lost.pk}/").content.decode()
    assert f'action="/actions/{lost.pk}/close/"' in page
    assert "The cloud did not do it" in page


def test_an_open_page_asks_again_just_when_it_can_be_closed(lost: Action, bob: User) -> None:
    page = of(bob).get(f"/actions/{lost.pk}/").content.decode()
    asks = re.search(r'<p id="close-wait" hx-get="([^"]*)" hx-select="([^"]*)" hx-trigger="load delay:(\d+)s"', page)
    assert asks
    assert 14 * 60 < int(asks[3]) <= 15 * 60 + 1
    age(lost)
    then = of(bob).get(asks[1], headers={"HX-Request": "true"}).content.decode()
    assert ("close-wait" in then, 'id="close-now"' in then, "#close-now" in asks[2]) == (False, True, True)


def test_a_click_closes_it_and_leads_back_to_it(lost: Action, bob: User) -> None:
    age(lost)
    answer = of(bob).post(f"/actions/{lost.pk}/close/", SAID)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/actions/{lost.pk}/")
    lost.refresh_from_db()
    assert lost.state == State.CLOSED
    page = of(bob).get(f"/actions/{lost.pk}/").content.decode()
    assert "The console shows the test machine running." in page
    assert "Close it" not in page


def test_what_is_missing_is_said_and_what_was_written_stays(lost: Action, bob: User) -> None:
    age(lost)
    answer = of(bob).post(f"/actions/{lost.pk}/close/", {"verdict": "", "why": SAID["why"]})
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "Say what became of it." in page
    assert SAID["why"] in page


def test_who_may_not_close_it_sees_no_form_and_closes_nothing(lost: Action, victor: User, charlie: User) -> None:
    age(lost)
    assert "Your role cannot close it" in of(victor).get(f"/actions/{lost.pk}/").content.decode()
    assert of(victor).post(f"/actions/{lost.pk}/close/", SAID).status_code == 403
    assert of(charlie).post(f"/actions/{lost.pk}/close/", SAID).status_code == 404
    assert Client().post(f"/actions/{lost.pk}/close/", SAID).status_code == 302
    assert of(victor).get(f"/actions/{lost.pk}/close/").status_code == 405
    lost.refresh_from_db()
    assert lost.state == State.UNKNOWN


def test_the_evidence_is_there_to_the_byte_with_what_is_new(
    lost: Action, bob: User, simulator: Simulator, server: Server, polled: Poll
) -> None:
    task = str(uuid4())
    simulator.force_server(server.uuid, task=task)
    polled()
    page = of(bob).get(f"/actions/{lost.pk}/").content.decode()
    assert "latest, chosen by the cloud" in page
    assert "<pre>{}</pre>" in page
    before, sent, seen = (
        page.index(text) for text in ("Last seen before it was sent", "Sent to the cloud", f"new task {task}")
    )
    assert before < sent < seen
    assert "Server in the cloud&#x27;s console" in page.partition("Close it")[2]


BREAKS = {**SAID, "glass": "1", "warned": "on", "password": "alice"}


def test_an_admin_breaks_the_glass_with_their_password_and_everyone_is_told(
    lost: Action, alice: User, victor: User
) -> None:
    page = of(alice).get(f"/actions/{lost.pk}/").content.decode()
    assert "a duplicate may follow" in page
    answer = of(alice).post(f"/actions/{lost.pk}/close/", BREAKS)
    assert answer.status_code == 302
    lost.refresh_from_db()
    assert lost.state == State.CLOSED
    page = of(victor).get(f"/actions/{lost.pk}/").content.decode()
    assert f"The glass was broken: alice, to close it at once: {SAID['why']}" in page
    assert "Glass broken" in of(victor).get("/sites/").content.decode()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"password": "wrong"}, "That password is wrong"),
        ({"password": ""}, "That password is wrong"),
        ({"warned": None}, "a duplicate may follow"),
        ({"why": "I looked."}, "30 characters"),
        ({"glass": None}, "may still arrive"),
    ],
)
def test_the_glass_stays_whole_without_each_of_its_parts(
    lost: Action, alice: User, wrong: dict[str, Any], words: str
) -> None:
    sent = {name: value for name, value in {**BREAKS, **wrong}.items() if value is not None}
    answer = of(alice).post(f"/actions/{lost.pk}/close/", sent)
    assert (answer.status_code, words in answer.content.decode()) == (409, True)
    assert 'value="alice"' not in answer.content.decode(), "a password is not sent back"
    lost.refresh_from_db()
    assert (lost.state, lost.glass) == (State.UNKNOWN, "")


def test_with_a_script_what_is_wrong_is_put_beside_what_was_typed(lost: Action, alice: User) -> None:
    client, ask = of(alice), {"HX-Request": "true"}
    answer = client.post(f"/actions/{lost.pk}/close/", {**BREAKS, "password": "wrong"}, headers=ask)
    form = answer.content.decode().partition('id="close-glass"')[2].partition("</form>")[0]
    assert (answer.status_code, answer.headers["HX-Retarget"]) == (422, "#close-glass")
    assert 'required aria-invalid="true" aria-describedby="wrong-password" autofocus>' in form
    assert "That password is wrong" in form.partition('id="wrong-password"')[2]
    assert BREAKS["why"] in form
    assert "hx-preserve" not in form, "else the form that was sent stays instead"
    done = client.post(f"/actions/{lost.pk}/close/", BREAKS, headers=ask)
    assert done.headers["HX-Redirect"] == f"/actions/{lost.pk}/"


def test_an_operator_breaks_no_glass(lost: Action, bob: User) -> None:
    answer = of(bob).post(f"/actions/{lost.pk}/close/", {**BREAKS, "password": "bob"})
    assert (answer.status_code, "Only an admin" in answer.content.decode()) == (403, True)
    lost.refresh_from_db()
    assert lost.state == State.UNKNOWN


def test_what_went_over_it_is_said_on_both_pages(lost: Action, bob: User, tenant: Tenant, server: Server) -> None:
    over = Action.objects.create(
        tenant=tenant, user=bob, cloud=lost.cloud, server_uuid="another", kind=Kind.STOP, production=False,
        idempotency_key="over", state=State.REFUSED, requested_at=timezone.now(), sent_at=timezone.now(),
    )  # fmt: skip
    Action.objects.filter(pk=lost.pk).update(superseded_by=over)
    assert f"Stop test ({over.pk}) was to go over it" in of(bob).get(f"/actions/{lost.pk}/").content.decode()
    assert "whose outcome is as unknown as before" in of(bob).get(f"/actions/{over.pk}/").content.decode()
    Action.objects.filter(pk=lost.pk).update(state=State.CLOSED, finished_at=timezone.now())
    page = of(bob).get(f"/actions/{lost.pk}/").content.decode()
    assert "Superseded" in page
    assert "Closed by a person" not in page


def test_what_another_tenant_does_with_the_same_server_is_no_link(lost: Action, bob: User, tenant: Tenant) -> None:
    other = Tenant.objects.create(name="The same, once more", credential=tenant.credential)
    over = Action.objects.create(
        tenant=other, user=bob, cloud=lost.cloud, server_uuid="another", kind=Kind.STOP, production=False,
        idempotency_key="over", state=State.ACCEPTED, requested_at=timezone.now(), sent_at=timezone.now(),
    )  # fmt: skip
    Action.objects.filter(pk=lost.pk).update(superseded_by=over, state=State.CLOSED, finished_at=timezone.now())
    page = of(bob).get(f"/actions/{lost.pk}/").content.decode()
    assert ("An action of another tenant went over it" in page, f"/actions/{over.pk}/" in page) == (True, False)


def test_nul_and_far_too_much_text_is_no_failure(lost: Action, bob: User) -> None:
    age(lost)
    said = {"verdict": "happened", "why": "It runs in the console.\0" + "x" * 5000}
    assert of(bob).post(f"/actions/{lost.pk}/close/", said).status_code == 302
    lost.refresh_from_db()
    assert len(lost.error) < 2100
