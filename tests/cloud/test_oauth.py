import json
import threading
import time
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drdash.cloud import wire
from drdash.cloud.account import Account
from drdash.cloud.errors import CloudError
from drdash.cloud.grants import Token, first, granted
from drdash.cloud.oauth import Tokens
from drdash.cloud.transport import Deadline
from tests.cloud.conftest import SECRET, TOKEN, RawCloud, account_of, reply, reset
from tests.cloud.conftest import granted as granting

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"
AN_HOUR_LATER = "Tue, 14 Nov 2023 23:13:20 GMT"


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


CLIENT = Account(cloud="https://cloud.example", client_id="the-client", client_secret=SECRET)


def grant(status: int = 200, headers: dict[str, str] | None = None, **answer: Any) -> Token:
    return granted(status, headers or {}, json.dumps(answer).encode(), now=NOW, account=CLIENT, form=first(CLIENT))


def deadline(seconds: float = 10.0) -> Deadline:
    return Deadline(seconds, time.monotonic)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(cloud: RawCloud, clock: Clock) -> Tokens:
    return Tokens(account_of(cloud), now=clock, monotonic=time.monotonic)


# The answer of the token endpoint


@pytest.mark.parametrize(
    ("headers", "end", "renew_at"),
    [
        ({}, {"expires_on": NOW + 7200}, NOW + 7140),
        ({}, {"expires_on": str(int(NOW) + 7200)}, NOW + 7140),
        ({}, {"expires_in": 7200}, NOW + 7140),
        ({}, {"expires_in": 100}, NOW + 90),
        ({}, {"expires_in": 1}, NOW + 0.9),
        ({}, {"expires_in": 100, "expires_on": NOW + 7200}, NOW + 90),
        # The cloud's clock is an hour ahead of ours, or ours an hour behind: its own Date tells.
        ({"Date": AN_HOUR_LATER}, {"expires_on": NOW + 3600 + 7200}, NOW + 7140),
        ({"date": DATE}, {"expires_on": NOW + 7200}, NOW + 7140),
        ({"Date": "today"}, {"expires_on": NOW + 7200}, NOW + 7140),
        ({}, {}, None),
        ({}, {"expires_on": None, "expires_in": "soon"}, None),
        ({}, {"expires_on": True, "expires_in": [60]}, None),
        ({}, {"expires_on": 10**300}, None),
    ],
)
def test_a_token_is_renewed_a_little_before_the_end_that_the_cloud_gave_it(
    headers: dict[str, str], end: dict[str, object], renew_at: float | None
) -> None:
    assert grant(200, headers, access_token="t0k", token_type="bearer", **end) == Token("t0k", renew_at)


@pytest.mark.parametrize(
    ("status", "answer", "kind", "words"),
    [
        (400, {"error": "invalid_client"}, wire.WrongCredential, "client id or its secret is wrong"),
        (401, {"error": "invalid_client"}, wire.WrongCredential, "client id or its secret is wrong"),
        (401, {}, wire.WrongCredential, "client id or its secret is wrong"),
        (400, {"error": "unsupported_grant_type"}, wire.WrongCredential, "no access token .*unsupported_grant_type"),
        (403, {"error": "access_denied"}, wire.WrongCredential, "no access token .*access_denied"),
        (403, {"error": "DENIED: canary <b>"}, wire.WrongCredential, r"no access token to this client \(403\)"),
        (400, {}, wire.BadRequest, "400"),
        (403, {}, wire.Forbidden, "403"),
        (404, {}, wire.NotUnderstood, "not a DR cloud"),
        (405, {}, wire.NotUnderstood, "not a DR cloud"),
        (429, {}, wire.TooManyRequests, "wait for 60 s"),
        (500, {}, wire.ServerFault, "failed"),
        (302, {}, wire.NotUnderstood, "redirect"),
        (201, {"access_token": "t0k"}, wire.NotUnderstood, "201"),
        (200, {}, wire.NotUnderstood, "not a DR cloud"),
        (200, {"access_token": ""}, wire.NotUnderstood, "not a DR cloud"),
        (200, {"access_token": 7}, wire.NotUnderstood, "not a DR cloud"),
        (200, {"access_token": "t0k\r\nX: canary"}, wire.NotUnderstood, "of a kind"),
        (200, {"access_token": "t0k", "token_type": "mac"}, wire.NotUnderstood, "of a kind"),
    ],
)
def test_each_way_to_get_no_token_has_its_sentence(
    status: int, answer: dict[str, Any], kind: type[CloudError], words: str
) -> None:
    with pytest.raises(kind, match=words) as caught:
        grant(status, **answer)

    assert type(caught.value) is kind
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("body", [b"<html>Welcome</html>", b"", b"[]", b"null", b"\xff"])
def test_a_page_that_is_no_token_endpoint_is_not_a_dr_cloud(body: bytes) -> None:
    with pytest.raises(wire.NotUnderstood, match="not a DR cloud"):
        granted(200, {}, body, now=NOW, account=CLIENT, form=first(CLIENT))


@given(
    status=st.sampled_from([200, 200, 400, 401, 403, 404, 429, 500]) | st.integers(),
    answer=st.dictionaries(
        st.sampled_from(["access_token", "token_type", "expires_in", "expires_on", "error", "scope"]),
        st.none() | st.text() | st.integers() | st.floats(allow_nan=False) | st.lists(st.integers(), max_size=2),
    ),
    headers=st.dictionaries(st.sampled_from(["Date", "Retry-After"]), st.text()),
)
def test_any_answer_of_the_token_endpoint_is_a_token_or_a_named_error(
    status: int, answer: dict[str, Any], headers: dict[str, str]
) -> None:
    try:
        token = grant(status, headers, **answer)
    except CloudError as error:
        sentence = str(error)
    else:
        assert token.text.isascii()
        sentence = f"{token}."
    assert sentence.endswith(".")


# What is sent


def test_the_request_is_form_encoded_with_basic_authentication(cloud: RawCloud, tokens: Tokens) -> None:
    with deadline() as until:
        assert tokens.current(until).text == TOKEN

    (request,) = cloud.requests
    assert (request.method, request.target) == ("POST", "/api/2/idp/token")
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.headers["Authorization"] == "Basic " + b64encode(f"the-client:{SECRET}".encode()).decode()
    assert request.body == b"grant_type=client_credentials"
    assert request.headers["User-Agent"] == "drdash"


def test_a_redirect_of_the_token_endpoint_is_not_followed(cloud: RawCloud, tokens: Tokens) -> None:
    for status in (301, 302, 307, 308):
        cloud.tokens = [reply(status, b"", f"Location: {cloud.url}/elsewhere")]
        with pytest.raises(wire.NotUnderstood, match="redirect"), deadline() as until:
            tokens.current(until)

    assert [request.target for request in cloud.requests] == ["/api/2/idp/token"] * 4


def test_a_token_endpoint_that_breaks_is_named_as_such(cloud: RawCloud, tokens: Tokens) -> None:
    cloud.tokens = [reset, reply(200, b"x" * 2_000_000)]
    for words in ("was reset", "larger than 1024 KiB"):
        with pytest.raises(wire.Broken, match=words), deadline() as until:
            tokens.current(until)


# When it is sent


def test_a_token_is_kept_until_shortly_before_its_end(cloud: RawCloud, tokens: Tokens, clock: Clock) -> None:
    cloud.tokens = [granting("first", expires_in=7200), granting("second", expires_in=7200)]
    with deadline() as until:
        assert tokens.current(until).text == "first"
        clock.now += 7139
        assert tokens.current(until).text == "first"
        clock.now += 1
        assert tokens.current(until).text == "second"

    assert len(cloud.token_requests) == 2


def test_a_token_without_an_end_is_kept_until_it_is_refused(cloud: RawCloud, tokens: Tokens, clock: Clock) -> None:
    cloud.tokens = [granting("first"), granting("second")]
    with deadline() as until:
        first = tokens.current(until)
        clock.now += 10 * 365 * 86400
        assert tokens.current(until) is first
        second = tokens.current(until, instead_of=first)
        assert second.text == "second"
        # Another thread that was refused with the first one gets the second, not a third.
        assert tokens.current(until, instead_of=first) is second
        tokens.forget(first)
        assert tokens.current(until) is second


def test_threads_share_one_fetch(cloud: RawCloud, tokens: Tokens) -> None:
    together = threading.Barrier(8)

    def ask() -> str:
        together.wait()
        with deadline() as until:
            return tokens.current(until).text

    with ThreadPoolExecutor(8) as threads:
        assert [future.result() for future in [threads.submit(ask) for _ in range(8)]] == [TOKEN] * 8
    assert len(cloud.token_requests) == 1


def test_who_waits_for_anothers_fetch_waits_no_longer_than_his_own_deadline(cloud: RawCloud, tokens: Tokens) -> None:
    asked, release = threading.Event(), threading.Event()

    def slow(connection: Any) -> None:
        asked.set()
        release.wait(10)
        connection.sendall(granting())

    def ask() -> str:
        with deadline() as until:
            return tokens.current(until).text

    cloud.tokens = [slow]
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(ask)
        assert asked.wait(10)
        with pytest.raises(wire.NotSent, match=r"^The cloud gave no access token in time"), deadline(0.05) as until:
            tokens.current(until)
        release.set()
        assert first.result() == TOKEN
