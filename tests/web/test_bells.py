"""A person who waits for an action is told of it on every page, and nobody else is."""

import re

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from drdash.cloud.records import Server
from drdash.estate.models import Bell
from drdash.simulator.simulation import Simulator
from tests.stack import Poll
from tests.web.kept import Person


@pytest.fixture
def busy(simulator: Simulator, server: Server, polled: Poll) -> Server:
    """A server on which nothing can be started for now."""
    simulator.force_server(server.uuid, issues=["ResourceBusy"])
    polled()
    return server


def tell_path(server: Server, kind: str = "start_failover_test") -> str:
    return f"/servers/{server.uuid}/tell/{kind}/"


def bells_on(page: str) -> str:
    found = re.search(r'<section id="bells".*?</section>', page, re.DOTALL)
    assert found
    return found[0]


def test_beside_each_blocked_button_one_can_ask_to_be_told(busy: Server, bob: User) -> None:
    page = Person(bob).open(f"/servers/{busy.uuid}/")
    assert tell_path(busy) in page
    assert tell_path(busy, "stop_failover") not in page  # there is nothing to stop


def test_a_free_button_needs_no_bell(server: Server, bob: User) -> None:
    assert "Tell me when" not in Person(bob).open(f"/servers/{server.uuid}/")


def test_it_is_told_on_every_page_until_it_is_dismissed(
    simulator: Simulator, busy: Server, bob: User, alice: User, polled: Poll
) -> None:
    person = Person(bob)
    assert "Tell me" in person.open(tell_path(busy))
    person.follow(tell_path(busy))
    for path in ("/", "/sites/", f"/servers/{busy.uuid}/"):
        assert f'You are told here when “Start test” of <a href="/servers/{busy.uuid}/">' in bells_on(person.open(path))
    simulator.force_server(busy.uuid, issues=[])
    polled()
    for path in ("/", "/audit/", f"/servers/{busy.uuid}/"):
        told = bells_on(person.open(path))
        assert 'id="free"' in told
        assert "Free since <time" in told
    assert bells_on(Person(alice).open("/")) == '<section id="bells" aria-label="What you wait for"></section>'
    status, to, _ = person.send(f"/bells/{Bell.objects.get().pk}/forget/", next="/sites/?x=1")
    assert (status, to) == (302, "/sites/?x=1")
    assert "<div" not in bells_on(person.open(to))


def test_of_many_that_are_free_one_marks_the_page(server: Server, bob: User) -> None:
    person = Person(bob)
    for kind in ("start_failover_test", "stop_failover"):
        person.send(tell_path(server, kind))
    Bell.objects.update(free_at=timezone.now())
    told = bells_on(person.open("/"))
    assert told.count("Free since") == 2
    assert told.count('id="free"') == 1


def test_the_part_is_sent_when_it_changed(simulator: Simulator, busy: Server, bob: User, polled: Poll) -> None:
    client, asks = Person(bob).client, {"HX-Request": "true", "HX-Target": "bells"}
    first = client.post(tell_path(busy), headers=asks)
    assert first.status_code == 200
    have = first.content.decode().split('data-have="')[1].split('"')[0]
    assert client.get("/bells/", headers=asks | {"X-Have": have}).status_code == 204
    simulator.force_server(busy.uuid, issues=[])
    polled()
    answer = client.get("/bells/", headers=asks | {"X-Have": have})
    assert 'id="free"' in answer.content.decode()
    assert client.get("/bells/").status_code == 302


def test_nobody_dismisses_what_another_waits_for(busy: Server, bob: User, alice: User) -> None:
    Person(bob).send(tell_path(busy))
    Person(alice).send(f"/bells/{Bell.objects.get().pk}/forget/")
    assert Bell.objects.exists()


def test_who_never_may_is_not_told(busy: Server, bob: User, victor: User, charlie: User) -> None:
    assert Person(victor).send(tell_path(busy))[0] == 403
    assert Person(bob).send(tell_path(busy, "start_failover_prod"))[0] == 403
    assert Person(charlie).send(tell_path(busy))[0] == 404
    assert Person(bob).send(tell_path(busy, "explode"))[0] == 404
    assert not Bell.objects.exists()


def test_dismissing_leads_nowhere_else(bob: User) -> None:
    for to in ("https://evil.example/", "//evil.example", "javascript:alert(1)", ""):
        assert Person(bob).send("/bells/1/forget/", next=to)[1] == "/"
