"""Processes that keep their tokens together: one renews for all, and no refresh token is lost or used twice."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import pytest

from drdash.cloud import wire
from drdash.cloud.account import Account, Grant
from drdash.cloud.errors import CloudError, SignInAgain
from drdash.cloud.oauth import Memory, OwnHold, ShelfAway, Token, Tokens
from drdash.cloud.transport import Deadline
from tests.cloud.conftest import SECRET, RawCloud, reply
from tests.cloud.conftest import granted as granting

NOW = 1_700_000_000.0
REFRESH = "canary-token-refresh"
CUSTOMER = "AAAAAAAA-0000-4000-8000-000000000001"
CLIENT = Account(cloud="https://cloud.example", client_id="the-client", client_secret=SECRET)
SIGNED_IN = msgspec.structs.replace(CLIENT, grant=Grant.AUTHORIZATION_CODE)
USER = Account(cloud="https://cloud.example", grant=Grant.PASSWORD, username="ann", password="canary-secret pass")
PARTNER = msgspec.structs.replace(CLIENT, grant=Grant.JWT_BEARER)
OF_PARTNER = msgspec.structs.replace(PARTNER, tenant=CUSTOMER)


class Board(Memory):
    """A shelf that can be away, and tells what was done to it."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.frozen = False  # it can be read, and no more
        self.meanwhile: Token | None = None  # what another process kept just before a renewal
        self.trips = 0
        self.deaf = False  # away for what is to be kept
        self.kept: list[Token] = []
        self.keeping = threading.Event()
        self.may_keep = threading.Event()
        self.may_keep.set()
        self.claimed = threading.Event()  # by someone who may not have it

    def read(self, tenant: str) -> Token | None:
        self._there()
        return super().read(tenant)

    def keep(self, tenant: str, token: Token) -> None:
        self._there()
        if self.deaf:
            raise ShelfAway
        self.keeping.set()
        self.may_keep.wait(10)
        self.kept.append(token)
        super().keep(tenant, token)

    def forget(self, tenant: str, token: Token) -> None:
        self._there()
        super().forget(tenant, token)

    @contextmanager
    def renewing(self, tenant: str) -> Iterator[bool]:
        self._there()
        if self.frozen:
            raise ShelfAway
        if self.meanwhile:
            super().keep(tenant, self.meanwhile)
        with super().renewing(tenant) as ours:
            if not ours:
                self.claimed.set()
            yield ours

    def _there(self) -> None:
        self.trips += 1
        if self.away:
            raise ShelfAway


class Installation:
    """Processes of one account at a raw cloud that gives a token for each request; the test moves their clock."""

    def __init__(self, cloud: RawCloud, account: Account) -> None:
        self.cloud = cloud
        self.account = msgspec.structs.replace(account, cloud=cloud.url)
        self.shelf = Board()
        self.now = NOW

    def process(self, **changed: Any) -> "Process":
        usual: dict[str, Any] = {"now": lambda: self.now, "monotonic": lambda: self.now, "shelf": self.shelf}
        return Process(Tokens(self.account, **{**usual, **changed}))

    def gives(self, *texts: str, refresh: bool = False, life: float = 100.0) -> None:
        more = [{"refresh_token": f"{REFRESH}-{text}"} if refresh else {} for text in texts]
        self.cloud.tokens += [granting(text, expires_in=life, **one) for text, one in zip(texts, more, strict=True)]

    @property
    def forms(self) -> list[dict[str, str]]:
        return [dict(parse_qsl(one.body.decode(), strict_parsing=True)) for one in self.cloud.token_requests]

    @property
    def refreshed(self) -> list[str]:
        return [form["refresh_token"].removeprefix(f"{REFRESH}-") for form in self.forms if "refresh_token" in form]


class Process:
    """Called for a token."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens

    def __call__(self, instead_of: Token | None = None, *, seconds: float = 10.0) -> Token:
        with Deadline(seconds, time.monotonic) as until:
            return self.tokens.current(until, instead_of=instead_of)


def installed(cloud: RawCloud, account: Account = CLIENT) -> Installation:
    return Installation(cloud, account)


def signed_in(cloud: RawCloud) -> Installation:
    at = installed(cloud, SIGNED_IN)
    at.shelf.keep("", Token("zero", NOW + 90, f"{REFRESH}-zero"))
    return at


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


# The shelf is away


def test_a_refused_token_does_not_come_back_from_a_shelf_that_missed_its_refusal(cloud: RawCloud) -> None:
    at = installed(cloud)
    at.gives("one", "two", "three")
    process = at.process()
    one = process()
    at.shelf.away = True
    process.tokens.forget(one)
    two = process()
    at.shelf.away = False
    assert (two.text, process(instead_of=two).text) == ("two", "three")


def test_without_the_shelf_each_process_goes_on_by_itself(cloud: RawCloud) -> None:
    at = installed(cloud)
    at.gives("one", "two", "three", "four")
    first, second = at.process(), at.process()
    one = first()
    at.shelf.away = True
    assert first() == one
    assert second().text == "two"
    assert first(instead_of=one).text == "three"
    third = first()
    first.tokens.forget(third)
    assert first().text == "four"
    at.shelf.away = False
    at.now += 5
    assert first().text == "four"
    assert len(at.forms) == 4
    assert [token.text for token in at.shelf.kept] == ["one"]


def test_a_good_token_costs_no_trip_to_the_shelf_and_waits_for_nobody(cloud: RawCloud) -> None:
    at = installed(cloud)
    process = at.process()
    one = process()
    trips = at.shelf.trips
    assert process() == one
    assert at.shelf.trips == trips

    asked, release = threading.Event(), threading.Event()

    def slow(connection: socket.socket) -> None:
        asked.set()
        release.wait(10)
        connection.sendall(granting("two"))

    cloud.tokens = [slow]
    with ThreadPoolExecutor(1) as threads:
        renewing = threads.submit(process, one)
        assert asked.wait(10)
        assert process(seconds=0.2) == one
        release.set()
        assert renewing.result().text == "two"


def test_a_shelf_that_can_only_be_read_is_as_good_as_away(cloud: RawCloud) -> None:
    at = signed_in(cloud)
    process = at.process()
    process()
    at.gives("one", refresh=True)
    at.now += 90
    at.shelf.frozen = True
    assert process().text == "one"
    at.shelf.frozen = False
    at.now += 5
    assert process().text == "one"
    assert at.shelf.kept[-1].text == "one"


def test_a_shelf_that_is_away_is_not_tried_at_each_request(cloud: RawCloud) -> None:
    at = signed_in(cloud)
    process = at.process()
    process()
    at.gives("one", refresh=True, life=1000)
    at.now += 90
    at.shelf.away = True
    process()
    for tries in (0, 1):
        trips = at.shelf.trips
        for _ in range(3):
            process()
        assert at.shelf.trips == trips + tries
        at.now += 5
    at.shelf.away = False
    with at.shelf.renewing(""):
        process()
    assert [token.text for token in at.shelf.kept] == ["zero"]
    at.now += 5
    process()
    assert [token.text for token in at.shelf.kept] == ["zero", "one"]
    trips = at.shelf.trips
    at.now += 5
    process()
    assert at.shelf.trips == trips


def test_the_token_of_a_client_is_the_same_for_whatever_tenant_it_is_asked(cloud: RawCloud) -> None:
    at = installed(cloud, msgspec.structs.replace(CLIENT, tenant=CUSTOMER))
    at.gives("one")
    token = at.process()()
    assert (at.shelf.read(""), at.shelf.read(CUSTOMER.lower())) == (token, None)


def test_a_sign_in_that_is_renewed_while_the_shelf_is_away_comes_to_it_later(cloud: RawCloud) -> None:
    at = signed_in(cloud)
    first, second = at.process(), at.process()
    first()
    at.gives("one", "two", "three", refresh=True, life=50)
    at.now += 90
    at.shelf.away = True
    assert first().text == "one"
    at.now += 45
    assert first().text == "two"
    at.shelf.away = False
    assert first().text == "two"
    assert [token.text for token in at.shelf.kept] == ["zero"]
    at.now += 5
    assert first().text == "two"
    assert second().text == "two"
    at.now += 45
    assert second().text == "three"
    assert at.refreshed == ["zero", "one", "two"]


def test_what_the_shelf_missed_comes_to_it_before_anything_is_renewed(cloud: RawCloud) -> None:
    at = signed_in(cloud)
    first = at.process()
    first()
    at.gives("one", "two", refresh=True, life=4)
    at.now += 90
    at.shelf.away = True
    first()
    at.shelf.away = False
    at.now += 4
    assert first().text == "two"
    assert at.refreshed == ["zero", "one"]
    assert [token.text for token in at.shelf.kept] == ["zero", "one", "two"]


def test_a_token_that_could_not_be_kept_is_not_lost(cloud: RawCloud) -> None:
    at = signed_in(cloud)
    first = at.process()
    at.gives("one", refresh=True)
    at.now += 90
    at.shelf.deaf = True
    assert first().text == "one"
    at.shelf.deaf = False
    at.now += 5
    assert first().text == "one"
    assert at.process()().text == "one"
    assert at.refreshed == ["zero"]


def test_what_the_shelf_missed_does_not_replace_a_newer_sign_in(cloud: RawCloud) -> None:
    at = signed_in(cloud)
    first = at.process()
    first()
    at.gives("one", refresh=True)
    at.now += 90
    at.shelf.away = True
    first()
    at.shelf.away = False
    at.shelf.keep("", Token("anew", NOW + 1000, f"{REFRESH}-anew"))
    at.now += 5
    first()
    assert at.process()().text == "anew"
    assert at.shelf.kept[-1].text == "anew"


def test_a_sign_in_that_cannot_be_read_is_not_called_over(cloud: RawCloud) -> None:
    at = signed_in(cloud)
    at.shelf.away = True
    with pytest.raises(wire.NotSent, match=r"^Nothing was asked: the place where the sign-in"):
        at.process()()
    assert cloud.requests == []


# A partner's customers


def test_a_partners_token_is_exchanged_for_the_customers(cloud: RawCloud) -> None:
    at = installed(cloud, OF_PARTNER)
    at.gives("partners", life=1000)
    at.gives("customers", "again", life=100)
    process = at.process()

    assert process() == Token("customers", NOW + 90)
    own, exchange = cloud.token_requests
    assert own.headers["Authorization"].startswith("Basic ")
    assert exchange.headers["Authorization"] == "Bearer partners"
    assert at.forms == [
        {"grant_type": "client_credentials"},
        {
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "assertion": "partners",
            "scope": f"urn:acronis.com:tenant-id:{CUSTOMER}",
        },
    ]
    at.now += 90
    assert process().text == "again"
    assert len(at.forms) == 3
    assert [at.shelf.read(CUSTOMER.lower()), at.shelf.read("")] == [process(), Token("partners", NOW + 940)]


@pytest.mark.parametrize(
    ("own", "customers", "renew_at"),
    [(50, 1000, NOW + 45), (1000, 50, NOW + 45), (None, 50, NOW + 45), (50, None, NOW + 45), (None, None, None)],
)
def test_a_customers_token_ends_with_the_one_that_it_was_made_from(
    cloud: RawCloud, own: float | None, customers: float | None, renew_at: float | None
) -> None:
    at = installed(cloud, OF_PARTNER)
    cloud.tokens = [granting("p", expires_in=own), granting("c", expires_in=customers)]
    assert at.process()() == Token("c", renew_at)


def test_customers_of_a_partner_share_its_own_token(cloud: RawCloud) -> None:
    at = installed(cloud, OF_PARTNER)
    at.gives("partners", "a", "b")
    at.process()()
    at.account = msgspec.structs.replace(at.account, tenant="bbbb")
    at.process()()
    at.account = msgspec.structs.replace(at.account, tenant="")
    assert at.process()().text == "partners"
    assert [form["grant_type"][:6] for form in at.forms] == ["client", "urn:ie", "urn:ie"]


@pytest.mark.parametrize(
    "refusal",
    [
        reply(401),
        reply(401, b'{"error": "invalid_token"}'),
        reply(400, b'{"error": "invalid_token"}'),
        reply(400, b'{"error": "invalid_grant"}'),
    ],
)
def test_a_partners_token_that_is_no_longer_good_is_fetched_anew_once(cloud: RawCloud, refusal: bytes) -> None:
    at = installed(cloud, OF_PARTNER)
    process = at.process()
    cloud.tokens = [granting("p1"), refusal, granting("p2"), granting("c")]
    assert process().text == "c"
    assert [form.get("assertion") for form in at.forms] == [None, "p1", None, "p2"]

    cloud.tokens = [refusal, granting("p3"), refusal, granting("never")]
    with pytest.raises(wire.WrongCredential, match="partner's token"):
        process(instead_of=process())
    assert [form.get("assertion") for form in at.forms[4:]] == ["p2", None, "p3"]


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (reply(403, b'{"error": "access_denied"}'), r"for this customer's \(403 access_denied\)"),
        (reply(400, b'{"error": "invalid_scope"}'), r"for this customer's \(400 invalid_scope\)"),
        (reply(403), r"for this customer's \(403\)"),
        (reply(404), r"for this customer's \(404\)"),
        (reply(400, b'{"error": {"code": "x"}}'), r"for this customer's \(400\)"),
        (reply(400, b'{"error": "unauthorized_client"}'), r"does not exchange this client's token .* no partner's"),
        (reply(400, b'{"error": "unsupported_grant_type"}'), r"does not exchange this client's token .* no partner's"),
    ],
)
def test_a_customer_that_is_not_the_partners_costs_one_request(cloud: RawCloud, refusal: bytes, words: str) -> None:
    at = installed(cloud, OF_PARTNER)
    cloud.tokens = [granting("p1"), refusal]
    with pytest.raises(wire.WrongCredential, match=words):
        at.process()()
    assert len(at.forms) == 2


def test_a_429_for_one_customer_holds_back_no_other_and_not_the_partner(cloud: RawCloud) -> None:
    at = installed(cloud, OF_PARTNER)
    partner, one, other = (OwnHold(lambda: at.now) for _ in range(3))
    cloud.tokens = [granting("p"), reply(429, b"", "Retry-After: 50"), granting("others"), reply(429)]
    with pytest.raises(wire.TooManyRequests):
        at.process(hold=one, partner_hold=partner)()
    at.account = msgspec.structs.replace(at.account, tenant="other")
    assert at.process(hold=other, partner_hold=partner)().text == "others"
    with pytest.raises(wire.TooManyRequests):
        one.obey()

    at.shelf.forget("", Token("p", None))
    at.shelf.forget("other", Token("others", None))
    for hold in (other, OwnHold(lambda: at.now)):
        with pytest.raises(wire.TooManyRequests):
            at.process(hold=hold, partner_hold=partner)()
    other.obey()
    assert len(at.forms) == 4


@pytest.mark.parametrize("tenant", ["a b", "a\nb", "../x", "ä", "x" * 101, "a:b"])
def test_a_customer_whose_uuid_is_none_is_not_asked_for(cloud: RawCloud, tenant: str) -> None:
    at = installed(cloud, msgspec.structs.replace(OF_PARTNER, tenant=tenant))
    with pytest.raises(wire.NotSent, match="uuid"):
        at.process()()
    assert len(at.forms) <= 1


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
