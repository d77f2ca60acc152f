"""Whether it is still the person who signed in. Each test is one request after a sign-in, with its own clock."""

import threading
from datetime import timedelta

import pytest
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.db import connections
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.utils import timezone

from drdash.audit.models import Entry
from drdash.audit.record import write
from drdash.web.proving import prove, proven

PASSWORD = "correct horse battery"
HOME, ELSEWHERE = "203.0.113.7", "203.0.113.8"


@pytest.fixture
def alice(fresh_process: None) -> User:
    return User.objects.create_user("alice", password=PASSWORD)


@pytest.fixture
def session(alice: User) -> str:
    """Alice signed in at home, a moment ago."""
    return signed_in()


def signed_in() -> str:
    client = Client(REMOTE_ADDR=HOME)
    assert client.post("/login/", {"username": "alice", "password": PASSWORD}).status_code == 302
    return str(client.session.session_key)


def asking(session: str, address: str = HOME) -> HttpRequest:
    """A request with the session's cookie."""
    request = RequestFactory().post("/", REMOTE_ADDR=address)
    request.session = SessionStore(session)
    request.user = get_user(request)
    return request


def aged(session: str, *, wall: float = 0, boot: float = 0) -> str:
    """The same session, whose proof is as much older by the wall's clock and by the host's."""
    kept = SessionStore(session)
    kept["proven_at"] -= wall
    kept["proven_by"] = {**kept["proven_by"], "seconds": kept["proven_by"]["seconds"] - boot}
    kept.save()
    return session


def verbs() -> list[str]:
    return list(Entry.objects.order_by("number").values_list("verb", flat=True))


def test_a_sign_in_holds_for_five_minutes(session: str) -> None:
    assert proven(asking(aged(session, wall=295, boot=295)))
    assert not proven(asking(aged(session, wall=5, boot=5)))


def test_a_clock_set_back_prolongs_nothing(session: str) -> None:
    assert not proven(asking(aged(session, wall=10, boot=310)))
    assert not proven(asking(aged(session, wall=-60)))


def test_after_a_reboot_and_on_another_host_the_walls_clock_decides(session: str) -> None:
    kept = SessionStore(aged(session, wall=200))
    kept["proven_by"] = {**kept["proven_by"], "boot": "another", "seconds": 10**9}
    kept.save()
    assert proven(asking(session))
    assert not proven(asking(aged(session, wall=100)))


def test_the_password_proves_it_again(session: str) -> None:
    aged(session, wall=3600, boot=3600)
    assert not prove(asking(session), "wrong")
    assert not proven(asking(session))
    assert prove(asking(session), PASSWORD)
    assert proven(asking(session))
    assert verbs() == ["signed in", "password refused", "password given"]
    assert set(Entry.objects.values_list("detail", flat=True)) == {f"From {HOME}."}


def test_a_cookie_that_was_taken_elsewhere_proves_nothing_there(session: str) -> None:
    assert not proven(asking(session, ELSEWHERE))
    assert prove(asking(session, ELSEWHERE), PASSWORD)
    assert proven(asking(session, ELSEWHERE))
    assert not proven(asking(session))


def test_a_session_of_nobody_is_never_proven(session: str, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert not proven(asking(session))
    assert not prove(asking(session), PASSWORD)


def test_a_new_password_proves_nothing_until_it_is_typed(session: str) -> None:
    client = Client(REMOTE_ADDR=HOME)
    client.cookies["drdash_session"] = session
    new = {"old_password": PASSWORD, "new_password1": "another long one 17", "new_password2": "another long one 17"}
    assert client.post("/password/", new).status_code == 302
    ours = str(client.session.session_key)
    assert not proven(asking(ours))
    assert not prove(asking(ours), PASSWORD)
    assert prove(asking(ours), "another long one 17")
    assert proven(asking(ours))
    assert not asking(session).user.is_authenticated


def test_a_proof_after_the_sign_out_is_none(session: str) -> None:
    late = asking(session)
    assert late.user.is_authenticated
    SessionStore(session).delete()
    assert not prove(late, PASSWORD)


def test_guesses_are_counted_over_all_doors_of_an_address(session: str) -> None:
    door = Client(REMOTE_ADDR=HOME)
    for _ in range(2):
        assert not prove(asking(session), "wrong")
        door.post("/login/", {"username": "alice", "password": "wrong"})
    inside = Client(REMOTE_ADDR=HOME)
    inside.cookies["drdash_session"] = session
    inside.post("/password/", {"old_password": "wrong", "new_password1": "x", "new_password2": "x"})
    assert not prove(asking(session), PASSWORD)
    assert door.post("/login/", {"username": "alice", "password": PASSWORD}).status_code == 200
    refused = inside.post("/password/", {"old_password": PASSWORD, "new_password1": "x", "new_password2": "x"})
    assert "15 minutes later" in refused.content.decode()
    assert verbs().count("password refused") + verbs().count("sign-in refused") == 5
    assert prove(asking(session, ELSEWHERE), PASSWORD)


def test_the_right_password_makes_the_wrong_ones_before_it_forgotten(session: str) -> None:
    for _ in range(3):
        for _ in range(4):
            assert not prove(asking(session), "wrong")
        assert prove(asking(session), PASSWORD)
    assert not prove(asking(session, ELSEWHERE), "wrong")
    for _ in range(5):
        prove(asking(session), "wrong")
    assert prove(asking(session, ELSEWHERE), PASSWORD)
    assert not prove(asking(session), PASSWORD), "who is right elsewhere is not right here"


@pytest.mark.parametrize("door", ["/login/", "/admin/login/"])
def test_guesses_at_the_same_moment_are_no_more_than_five(alice: User, door: str) -> None:
    together = threading.Barrier(20)

    def guess() -> None:
        client = Client(REMOTE_ADDR=HOME)
        together.wait()
        client.post(door, {"username": "alice", "password": "wrong"})
        connections.close_all()

    everyone = [threading.Thread(target=guess) for _ in range(20)]
    for one in everyone:
        one.start()
    for one in everyone:
        one.join()
    assert verbs() == ["sign-in refused"] * 5
    assert Client(REMOTE_ADDR=HOME).post(door, {"username": "alice", "password": PASSWORD}).status_code == 200


def test_a_network_of_ipv6_is_one_address(alice: User) -> None:
    for number in range(5):
        client = Client(REMOTE_ADDR=f"2001:db8::{number}")
        client.post("/login/", {"username": "alice", "password": "wrong"})
    right = {"username": "alice", "password": PASSWORD}
    assert Client(REMOTE_ADDR="2001:db8::77").post("/login/", right).status_code == 200
    assert Client(REMOTE_ADDR="2001:db8:0:1::").post("/login/", right).status_code == 302
    assert Entry.objects.filter(detail="From 2001:db8::3, of 2001:db8::/64.").exists()
    assert Client(REMOTE_ADDR=f"::ffff:{HOME}").post("/login/", right).status_code == 302
    assert Entry.objects.filter(detail=f"From {HOME}.").exists()


def test_what_was_wrong_long_ago_is_forgiven(session: str) -> None:
    alice = User.objects.get()
    for _ in range(5):
        write(by=alice, verb="password refused", at=timezone.now() - timedelta(minutes=15), detail=f"From {HOME}.")
    assert prove(asking(session), PASSWORD)
