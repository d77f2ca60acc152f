"""The page on which a person closes an action whose outcome is unknown."""

from datetime import timedelta
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


def test_it_says_when_it_can_be_closed_and_then_how(lost: Action, bob: User) -> None:
    page = of(bob).get(f"/actions/{lost.pk}/").content.decode()
    assert "It can be closed from" in page
    assert f"/actions/{lost.pk}/close/" not in page
    age(lost)
    page = of(bob).get(f"/actions/{lost.pk}/").content.decode()
    assert f'action="/actions/{lost.pk}/close/"' in page
    assert "The cloud did not do it" in page


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
    assert of(victor).post(f"/actions/{lost.pk}/close/", SAID).status_code == 409
    assert of(charlie).post(f"/actions/{lost.pk}/close/", SAID).status_code == 404
    assert Client().post(f"/actions/{lost.pk}/close/", SAID).status_code == 302
    assert of(victor).get(f"/actions/{lost.pk}/close/").status_code == 405
    lost.refresh_from_db()
    assert lost.state == State.UNKNOWN
