"""Processes that keep their tokens together: one renews for all, and no refresh token is lost or used twice."""

import threading
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from drdash.cloud import wire
from drdash.cloud.errors import CloudError, SignInAgain
from drdash.cloud.oauth import Memory, Token
from tests.cloud.conftest import NOW, RawCloud, reply
from tests.cloud.installations import CLIENT, CUSTOMER, REFRESH, SIGNED_IN, USER, Process, installed, signed_in

# One renews for all


def test_a_token_that_one_process_got_is_everybodys(cloud: RawCloud) -> None:
    at = installed(cloud)
    at.gives("one", "two")
    first, second = at.process(), at.process()

    assert [first().text, second().text] == ["one", "one"]
    at.now += 90
    assert [second().text, first().text] == ["two", "two"]
    assert len(at.forms) == 2
    assert [token.text for token in at.shelf.kept] == ["one", "two"]


def test_many_processes_that_need_one_at_once_ask_once(cloud: RawCloud) -> None:
    at = installed(cloud)
    processes = [at.process() for _ in range(8)]
    together = threading.Barrier(8)

    def ask(process: Process) -> str:
        together.wait()
        return process().text

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(ask, processes))) == 1
    assert len(at.forms) == 1


def test_who_was_refused_takes_anothers_newer_token_before_a_new_one(cloud: RawCloud) -> None:
    at = installed(cloud)
    at.gives("one", "two", "three")
    first, second = at.process(), at.process()
    one = first()
    assert second() == one

    two = first(instead_of=one)
    assert second(instead_of=one) == two
    assert (two.text, len(at.forms)) == ("two", 2)
    assert second(instead_of=two).text == "three"


def test_a_cloud_that_gives_a_refused_token_again_is_asked_once_a_call(cloud: RawCloud) -> None:
    at = installed(cloud)
    at.gives("one", "one", "one")
    process = at.process()
    one = process()
    assert process(instead_of=one) == one
    process.tokens.forget(one)
    assert process() == process() == one
    assert len(at.forms) == 3


def test_who_waits_for_another_process_takes_what_it_keeps(cloud: RawCloud) -> None:
    at = installed(cloud)
    process = at.process()
    with ThreadPoolExecutor(1) as threads:
        with at.shelf.renewing("") as ours:
            assert ours
            waiting = threads.submit(process)
            at.shelf.keep("", Token("theirs", None))
            assert waiting.result().text == "theirs"
    assert at.forms == []


def test_who_waits_for_another_process_waits_no_longer_than_his_own_deadline(cloud: RawCloud) -> None:
    at = installed(cloud)
    with (
        at.shelf.renewing(""),
        pytest.raises(wire.NotSent, match="gave no access token in time: another process is at it"),
    ):
        at.process()(seconds=0.15)
    assert at.forms == []


def test_what_another_process_kept_at_the_last_moment_is_not_renewed(cloud: RawCloud) -> None:
    at = installed(cloud)
    at.shelf.meanwhile = Token("theirs", None)
    assert at.process()().text == "theirs"
    assert cloud.requests == []


def test_a_renewal_that_fails_lets_the_next_one_try(cloud: RawCloud) -> None:
    at = installed(cloud)
    cloud.tokens = [reply(503)]
    first, second = at.process(), at.process()
    with pytest.raises(wire.ServerFault):
        first()
    assert second().text


def test_a_token_that_a_post_found_refused_is_nobodys_any_more(cloud: RawCloud) -> None:
    at = signed_in(cloud)
    first, second = at.process(), at.process()
    zero = first()
    first.tokens.forget(zero)

    at.gives("one", refresh=True)
    assert at.process()().text == "one"
    assert second(instead_of=zero).text == "one"
    assert first().text == "one"
    assert at.refreshed == ["zero"]


def test_a_refused_token_does_not_take_anothers_newer_one_along(cloud: RawCloud) -> None:
    at = installed(cloud)
    at.gives("one", "two")
    first, second = at.process(), at.process()
    one = first()
    two = second(instead_of=one)
    first.tokens.forget(one)
    assert first() == two
    assert len(at.forms) == 2


def test_to_forget_a_token_waits_for_no_renewal(cloud: RawCloud) -> None:
    at = installed(cloud)
    process, one = at.process(), Token("one", None)
    at.shelf.keep("", one)
    with ThreadPoolExecutor(1) as threads:
        with at.shelf.renewing(""):
            renewing = threads.submit(process, one)
            assert at.shelf.claimed.wait(10)
            process.tokens.forget(one)
        assert renewing.result() != one
    assert len(at.forms) == 1


# What renews a token


def test_each_refresh_token_is_used_once_whoever_renews(cloud: RawCloud) -> None:
    at = signed_in(cloud)
    processes = [at.process() for _ in range(3)]
    texts = [f"t{number}" for number in range(6)]
    at.gives(*texts, refresh=True)
    for text in texts:
        at.now += 90
        with ThreadPoolExecutor(3) as threads:
            assert {token.text for token in threads.map(lambda process: process(), processes)} == {text}
    assert at.refreshed == ["zero", *texts[:-1]]


def test_a_token_is_kept_before_it_is_used(cloud: RawCloud) -> None:
    at = signed_in(cloud)
    at.now += 90
    at.gives("one", refresh=True)
    process = at.process()
    at.shelf.keeping.clear()
    at.shelf.may_keep.clear()
    with ThreadPoolExecutor(1) as threads:
        used = threads.submit(process)
        assert at.shelf.keeping.wait(10)
        assert not used.done()
        at.shelf.may_keep.set()
        assert used.result().text == "one"
    assert at.shelf.read("") == Token("one", at.now + 90, f"{REFRESH}-one")


def test_a_process_that_starts_anew_renews_from_the_shelf(cloud: RawCloud) -> None:
    at = installed(cloud, USER)
    at.gives("one", "two", refresh=True)
    at.process()()
    at.now += 90
    at.process()()
    assert [form["grant_type"] for form in at.forms] == ["password", "refresh_token"]


def test_a_refused_sign_in_is_not_asked_about_again_until_someone_signs_in(cloud: RawCloud) -> None:
    at = signed_in(cloud)
    at.now += 90
    cloud.tokens = [reply(400, b'{"error": "invalid_grant"}')]
    process = at.process()
    with pytest.raises(SignInAgain, match=r"no longer accepts the sign-in.*sign in there again"):
        process()
    for _ in range(3):
        with pytest.raises(SignInAgain, match="Nobody is signed in"):
            process()
    assert len(at.forms) == 1

    at.shelf.keep("", Token("anew", NOW, f"{REFRESH}-anew"))
    at.gives("two")
    assert process().text == "two"
    assert at.refreshed == ["zero", "anew"]


@pytest.mark.parametrize(
    "answer", [reply(503), reply(429), reply(400), reply(403, b'{"error": "access_denied"}'), reply(200, b"<html>")]
)
def test_a_sign_in_outlives_everything_but_its_own_refusal(cloud: RawCloud, answer: bytes) -> None:
    at = signed_in(cloud)
    at.now += 90
    cloud.tokens = [answer]
    at.gives("two")
    process = at.process()
    with pytest.raises(CloudError) as caught:
        process()
    assert not isinstance(caught.value, SignInAgain)
    at.now += 60
    assert process().text == "two"
    assert at.refreshed == ["zero", "zero"]


def test_without_a_sign_in_nothing_is_asked(cloud: RawCloud) -> None:
    with pytest.raises(SignInAgain, match="sign in there again"):
        installed(cloud, SIGNED_IN).process()()
    assert cloud.requests == []


def test_the_token_of_a_client_is_the_same_for_whatever_tenant_it_is_asked(cloud: RawCloud) -> None:
    at = installed(cloud, msgspec.structs.replace(CLIENT, tenant=CUSTOMER))
    at.gives("one")
    token = at.process()()
    assert (at.shelf.read(""), at.shelf.read(CUSTOMER.lower())) == (token, None)


# The shelf of a process alone


def test_the_own_memory_lets_one_renew_at_a_time() -> None:
    shelf = Memory()
    with shelf.renewing("a") as first, shelf.renewing("a") as second, shelf.renewing("b") as other:
        assert (first, second, other) == (True, False, True)
    with shelf.renewing("a") as again:
        assert again


def test_the_own_memory_forgets_a_token_but_not_what_renews_it() -> None:
    shelf = Memory()
    shelf.keep("a", Token("one", 1.0, REFRESH))
    shelf.forget("a", Token("two", None))
    shelf.forget("b", Token("one", None))
    assert shelf.read("a") == Token("one", 1.0, REFRESH)
    shelf.forget("a", Token("one", None))
    assert shelf.read("a") == Token("", 1.0, REFRESH)
    assert shelf.read("b") is None
