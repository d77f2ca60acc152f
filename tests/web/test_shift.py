"""What people tell each other on a server's page: a note for the next shift, and who has a dialog open."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import override_settings
from django.utils import timezone

from drdash.audit.models import Entry
from drdash.cloud.records import Server
from drdash.estate import aside, lookers
from drdash.estate.lookers import Looker
from drdash.estate.models import Note
from drdash.tenants.models import Tenant
from tests.web.kept import Person


def stamp_on(page: str) -> str:
    return page.split('name="stamp" value="')[1].split('"')[0]


def leave(who: User, server: Server, text: str, *, stamp: str | None = None) -> tuple[int, str, str]:
    person = Person(who)
    path = f"/servers/{server.uuid}/"
    given = stamp_on(person.open(path)) if stamp is None else stamp
    return person.send(f"{path}note/", text=text, stamp=given)


def test_a_note_is_read_by_everyone_of_the_tenant(server: Server, bob: User, victor: User) -> None:
    status, to, _ = leave(bob, server, "Do not stop:\n<b>customer</b> tests.")
    assert (status, to) == (302, f"/servers/{server.uuid}/")
    page = Person(victor).open(to)
    assert "Do not stop:<br>&lt;b&gt;customer&lt;/b&gt; tests." in page
    assert "bob, <time" in page


def test_each_note_stays_in_the_audit(server: Server, alice: User, bob: User) -> None:
    for who, text in ((bob, "First."), (alice, "Second."), (bob, "")):
        leave(who, server, text)
    entries = Entry.objects.filter(server_uuid=server.key).order_by("number")
    told = [(one.username, one.verb, one.detail) for one in entries]
    assert told == [
        ("bob", "left a note", "First."),
        ("alice", "left a note", "Second."),
        ("bob", "took a note off", ""),
    ]
    assert not Note.objects.exists()


def test_a_note_that_says_the_same_is_no_other(server: Server, bob: User) -> None:
    for _ in range(2):
        leave(bob, server, "The same.")
    assert Entry.objects.filter(verb="left a note").count() == 1


def test_a_viewer_reads_and_does_not_write(server: Server, victor: User) -> None:
    person = Person(victor)
    assert 'name="stamp"' not in person.open(f"/servers/{server.uuid}/")
    assert person.send(f"/servers/{server.uuid}/note/", text="Mine.", stamp="")[0] == 403
    assert not Note.objects.exists()


def test_of_another_tenant_there_is_nothing(server: Server, bob: User, charlie: User) -> None:
    leave(bob, server, "Ours.")
    stranger = Person(charlie)
    for part in ("note/", "shift/"):
        stranger.open(f"/servers/{server.uuid}/{part}", status=404)
    assert stranger.send(f"/servers/{server.uuid}/note/", text="Theirs.", stamp="")[0] == 404
    assert Note.objects.get().text == "Ours."


def test_nobody_writes_over_a_note_that_they_did_not_read(server: Server, alice: User, bob: User) -> None:
    before = stamp_on(Person(alice).open(f"/servers/{server.uuid}/"))
    leave(bob, server, "Wait for Bob.")
    status, _, page = leave(alice, server, "Go ahead.", stamp=before)
    assert status == 409
    assert "Wait for Bob." in page
    assert "Go ahead." in page
    assert Note.objects.get().text == "Wait for Bob."
    assert leave(alice, server, "Go ahead.", stamp=stamp_on(page))[0] == 302
    assert Note.objects.get().text == "Go ahead."


def test_odd_texts_are_no_error(server: Server, bob: User) -> None:
    for text in ("nul\0nul", "x" * 100_000, "\0", "  "):
        assert leave(bob, server, text)[0] == 302
        assert all(len(one.text) <= 500 and "\0" not in one.text for one in Note.objects.all())


def test_whoever_has_a_dialog_open_is_named_to_the_others_until_it_is_sent(
    server: Server, alice: User, bob: User
) -> None:
    path = f"/servers/{server.uuid}/"
    his = Person(bob)
    dialog = his.open(f"{path}actions/start_failover_test/")
    aside.settle()
    open_ = "<b>bob</b> has “Start test” open since <time"
    assert open_ in Person(alice).open(path)
    assert open_ not in his.open(path)
    token = dialog.split('name="token" value="')[1].split('"')[0]
    assert his.send(f"{path}actions/start_failover_test/", token=token, point="latest")[0] == 302
    aside.settle()
    assert open_ not in Person(alice).open(path)


def test_a_dialog_that_may_not_be_sent_is_nobody_s_business(server: Server, alice: User, bob: User) -> None:
    Person(bob).open(f"/servers/{server.uuid}/actions/stop_failover/")
    aside.settle()
    assert "<b>bob</b>" not in Person(alice).open(f"/servers/{server.uuid}/")


def test_two_minutes_later_nobody_is_named(tenant: Tenant, server: Server) -> None:
    now = timezone.now()
    for user, age in ((1, 130), (2, 20), (3, 10)):
        since = now - timedelta(seconds=age)
        lookers.here(tenant.pk, server.key, user, Looker(f"p{user}", "stop_failover", False, since))
    aside.settle()
    assert [one.name for one in lookers.others(tenant.pk, server.key, 9, now=now)] == ["p2", "p3"]
    assert lookers.others(tenant.pk, server.key, 2, now=now + timedelta(seconds=100)) != []
    assert lookers.others(tenant.pk, server.key, 2, now=now + timedelta(seconds=111)) == []


def test_without_redis_dialogs_and_pages_go_on(
    server: Server, alice: User, bob: User, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(lookers._redis.cache_clear)
    lookers._redis.cache_clear()
    with override_settings(REDIS_URL="redis://127.0.0.1:1/0"):
        Person(bob).open(f"/servers/{server.uuid}/actions/start_failover_test/")
        aside.settle()
    assert "has “Start test” open" not in Person(alice).open(f"/servers/{server.uuid}/")


def test_the_part_says_when_nothing_is_new(server: Server, alice: User, bob: User) -> None:
    client, path = Person(alice).client, f"/servers/{server.uuid}/shift/"
    asks = {"HX-Request": "true", "HX-Target": "shift"}
    have = client.get(path, headers=asks).content.decode().split('data-have="')[1].split('"')[0]
    assert client.get(path, headers=asks | {"X-Have": have}).status_code == 204
    leave(bob, server, "New.")
    assert "New." in client.get(path, headers=asks | {"X-Have": have}).content.decode()
    assert client.get(path).status_code == 302
