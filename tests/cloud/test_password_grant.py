"""A user's password for a token: what is sent, how the token is renewed, and each way in which it is refused."""

import json
import logging
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import parse_qsl, quote_plus

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drdash.cloud import wire
from drdash.cloud.account import Account, Grant
from drdash.cloud.client import Client
from drdash.cloud.errors import CloudError
from drdash.cloud.grants import Token, first, granted
from drdash.cloud.oauth import Tokens
from drdash.cloud.transport import Deadline
from drdash.simulator.server import running
from drdash.simulator.simulation import Simulator
from tests.canaries import Watch
from tests.cloud.conftest import SECRET, RawCloud, reply, reset
from tests.cloud.conftest import granted as granting

NOW = 1_700_000_000.0
PASSWORD = "canary-secret pässword&x=1+%41\"'"
REFRESH = "canary-token-refresh"
USER = Account(cloud="https://cloud.example", grant=Grant.PASSWORD, username="ann", password=PASSWORD)
BOTH = msgspec.structs.replace(USER, client_id="the-client", client_secret=SECRET)


class Wire:
    """An account's tokens at a raw cloud, with a clock that a test moves."""

    def __init__(self, cloud: RawCloud, account: Account) -> None:
        self.cloud = cloud
        self.now = NOW
        self.tokens = Tokens(
            msgspec.structs.replace(account, cloud=cloud.url), now=lambda: self.now, monotonic=time.monotonic
        )

    def token(self) -> str:
        with Deadline(10, time.monotonic) as until:
            return self.tokens.current(until).text

    @property
    def forms(self) -> list[dict[str, str]]:
        return [dict(parse_qsl(one.body.decode(), strict_parsing=True)) for one in self.cloud.token_requests]

    @property
    def grants(self) -> list[str]:
        return [form["grant_type"] for form in self.forms]


@pytest.fixture
def at(cloud: RawCloud) -> Wire:
    return Wire(cloud, USER)


# What is sent


def test_the_password_goes_into_the_form_and_the_client_into_basic_authentication(cloud: RawCloud) -> None:
    at = Wire(cloud, BOTH)
    at.token()

    (request,) = cloud.requests
    assert (request.method, request.target) == ("POST", "/api/2/idp/token")
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.headers["Authorization"] == "Basic " + b64encode(f"the-client:{SECRET}".encode()).decode()
    assert at.forms == [{"grant_type": "password", "username": "ann", "password": PASSWORD}]


def test_without_a_client_nothing_is_said_of_one(at: Wire) -> None:
    at.token()

    (request,) = at.cloud.requests
    assert "Authorization" not in request.headers
    assert at.forms == [{"grant_type": "password", "username": "ann", "password": PASSWORD}]


# How it is renewed


def test_a_refresh_token_gets_the_next_token_and_each_new_one_replaces_it(at: Wire) -> None:
    at.cloud.tokens = [
        granting("one", expires_in=100, refresh_token=f"{REFRESH}-1"),
        granting("two", expires_in=100, refresh_token=f"{REFRESH}-2"),
        granting("three", expires_in=100),
        granting("four", expires_in=100),
    ]
    for text in ("one", "two", "three", "four"):
        assert at.token() == text
        assert at.token() == text
        at.now += 90

    assert at.grants == ["password", "refresh_token", "refresh_token", "refresh_token"]
    refreshed = [form["refresh_token"] for form in at.forms[1:]]
    assert refreshed == [f"{REFRESH}-1", f"{REFRESH}-2", f"{REFRESH}-2"]
    assert all("password" not in form and "username" not in form for form in at.forms[1:])


def test_a_refresh_is_authenticated_like_the_password(cloud: RawCloud) -> None:
    at = Wire(cloud, BOTH)
    cloud.tokens = [granting("one", expires_in=100, refresh_token=REFRESH), granting("two")]
    at.token()
    at.now += 90
    at.token()

    first, second = cloud.token_requests
    assert first.headers["Authorization"] == second.headers["Authorization"] != ""


@pytest.mark.parametrize(
    "refusal",
    [
        reply(400, b'{"error": "invalid_grant"}'),
        reply(400, b"{}"),
        reply(401, b"{}"),
        reply(401, b'{"error": "invalid_token"}'),
        reply(403, b"{}"),
        reply(403, b'{"error": "access_denied", "error_description": "TOTP"}'),
    ],
)
def test_a_refused_refresh_token_is_dropped_for_the_password(at: Wire, refusal: bytes) -> None:
    at.cloud.tokens = [granting("one", expires_in=100, refresh_token=REFRESH), refusal, granting("two", expires_in=100)]
    assert at.token() == "one"
    at.now += 90
    assert at.token() == "two"
    at.now += 90
    at.token()

    assert at.grants == ["password", "refresh_token", "password", "password"]


@pytest.mark.parametrize("failure", [reset, reply(503), reply(429, b"", "Retry-After: 5"), reply(200, b"<html>")])
def test_a_refresh_that_was_not_answered_is_no_reason_to_send_the_password(at: Wire, failure: Any) -> None:
    at.cloud.tokens = [granting("one", expires_in=100, refresh_token=REFRESH), failure]
    at.token()
    at.now += 90
    with pytest.raises(CloudError):
        at.token()
    assert at.grants == ["password", "refresh_token"]


def test_the_refresh_token_outlives_a_failure_of_the_cloud(at: Wire) -> None:
    at.cloud.tokens = [granting("one", expires_in=100, refresh_token=REFRESH), reply(503), granting("two")]
    at.token()
    at.now += 90
    with pytest.raises(wire.ServerFault):
        at.token()
    assert at.token() == "two"
    assert at.grants == ["password", "refresh_token", "refresh_token"]


def test_a_refresh_and_the_password_both_refused_is_a_wrong_password(at: Wire) -> None:
    refusal = reply(400, b'{"error": "invalid_grant"}')
    at.cloud.tokens = [granting("one", expires_in=100, refresh_token=REFRESH), refusal, refusal]
    at.token()
    at.now += 90
    with pytest.raises(wire.WrongCredential, match="username or the password is wrong"):
        at.token()
    assert len(at.cloud.token_requests) == 3


@pytest.mark.parametrize("refresh", [None, "", 7, ["x"], "a\r\nb", "\u00fc", "\U0001f600"])
def test_without_a_usable_refresh_token_it_is_the_password_again(at: Wire, refresh: object) -> None:
    at.cloud.tokens = [granting("one", expires_in=100, refresh_token=refresh)]
    at.token()
    at.now += 90
    at.token()
    assert at.grants == ["password", "password"]


def test_a_client_of_its_own_has_no_use_for_a_refresh_token(cloud: RawCloud) -> None:
    at = Wire(cloud, Account(cloud="https://cloud.example", client_id="the-client", client_secret=SECRET))
    cloud.tokens = [granting("one", expires_in=100, refresh_token=REFRESH)]
    at.token()
    at.now += 90
    at.token()
    assert at.grants == ["client_credentials", "client_credentials"]


# How it is refused

WRONG_USER = "The username or the password is wrong"
WRONG_CLIENT = "The client id or its secret is wrong"
SECOND_FACTOR = "drdash cannot use an account with two-factor sign-in: make an API client"


@pytest.mark.parametrize(
    ("account", "status", "answer", "sentence"),
    [
        (USER, 400, {"error": "invalid_grant"}, f"{WRONG_USER} (400 invalid_grant)."),
        (USER, 401, {"error": "invalid_grant"}, f"{WRONG_USER} (401 invalid_grant)."),
        (USER, 401, {}, f"{WRONG_USER} (401)."),
        (BOTH, 400, {"error": "invalid_grant"}, f"{WRONG_USER} (400 invalid_grant)."),
        (BOTH, 401, {"error": "invalid_client"}, f"{WRONG_CLIENT} (401 invalid_client)."),
        (BOTH, 400, {"error": "invalid_client"}, f"{WRONG_CLIENT} (400 invalid_client)."),
        (BOTH, 401, {}, f"{WRONG_USER}, or the client id or its secret (401)."),
        (USER, 401, {"error": "invalid_client"}, "wants an API client beside the user (401 invalid_client)"),
        (USER, 400, {"error": "unsupported_grant_type"}, "no access token for a password (400 unsupported_grant_type)"),
        (BOTH, 403, {"error": "unauthorized_client"}, "no access token for a password (403 unauthorized_client)"),
        (USER, 403, {"error": "access_denied"}, "gives no access token to this user (403 access_denied)."),
        (USER, 403, {"error": "canary <b>"}, "gives no access token to this user (403)."),
        (USER, 400, {"error": "totp_required"}, SECOND_FACTOR),
        (BOTH, 401, {"error": "mfa_required"}, SECOND_FACTOR),
        (USER, 403, {"error": "invalid_grant", "error_description": "Enter the OTP canary."}, SECOND_FACTOR),
        (USER, 401, {"error": {"code": 1037, "message": "Multi-Factor Authentication is required"}}, SECOND_FACTOR),
        (USER, 403, {"error": {"message": ["totp"]}}, "does not allow this"),
    ],
)
def test_each_way_to_be_wrong_has_its_sentence(
    account: Account, status: int, answer: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(CloudError) as caught:
        granted(status, {}, json.dumps(answer).encode(), now=NOW, account=account, form=first(account))
    assert sentence in str(caught.value)
    assert "canary" not in str(caught.value)


def test_only_a_user_can_be_asked_for_a_second_factor() -> None:
    client = Account(cloud="https://cloud.example", client_id="the-client", client_secret=SECRET)
    with pytest.raises(wire.WrongCredential, match="to this client"):
        granted(400, {}, b'{"error": "totp_required"}', now=NOW, account=client, form=first(client))


@pytest.mark.parametrize("status", [404, 405])
def test_what_is_no_cloud_is_told_apart(at: Wire, status: int) -> None:
    at.cloud.tokens = [reply(status)]
    with pytest.raises(wire.NotUnderstood, match="not a DR cloud"):
        at.token()


def test_what_cannot_be_reached_is_told_apart() -> None:
    account = msgspec.structs.replace(USER, cloud="http://127.0.0.1:1")
    tokens = Tokens(account, now=time.time, monotonic=time.monotonic)
    with pytest.raises(wire.NotSent, match="refuses connections"), Deadline(10, time.monotonic) as until:
        tokens.current(until)


@given(
    account=st.sampled_from([USER, BOTH]),
    status=st.sampled_from([200, 400, 401, 403, 404, 429, 500]) | st.integers(),
    answer=st.dictionaries(
        st.sampled_from(["access_token", "expires_in", "refresh_token", "error", "error_description"]),
        st.none() | st.text() | st.integers() | st.dictionaries(st.just("message"), st.text() | st.integers()),
    ),
)
def test_any_answer_is_a_token_or_a_named_error(account: Account, status: int, answer: dict[str, Any]) -> None:
    try:
        token = granted(status, {}, json.dumps(answer).encode(), now=NOW, account=account, form=first(account))
    except CloudError as error:
        sentence = str(error)
    else:
        assert token.text.isascii()
        assert token.refresh is None or token.refresh.isascii()
        sentence = f"{token}."
    assert sentence.endswith(".")


# What is never shown


def test_neither_an_account_nor_a_token_shows_what_is_secret() -> None:
    shown = f"{BOTH} {BOTH!r} {[BOTH]} {Token('canary-token', 1.0, REFRESH)!r}"
    assert "canary" not in shown
    assert "ann" in shown


@pytest.mark.parametrize("status", [400, 403, 409, 429, 500])
@pytest.mark.parametrize("secret", [PASSWORD, quote_plus(PASSWORD), SECRET])
def test_a_cloud_that_repeats_a_secret_is_not_quoted(status: int, secret: str) -> None:
    def sentence(words: str) -> str:
        body = json.dumps({"error": {"code": "Odd", "debug": {"msg": words}}}).encode()
        with pytest.raises(CloudError) as caught:
            granted(status, {"Retry-After": "7"}, body, now=NOW, account=BOTH, form=first(BOTH))
        return str(caught.value)

    assert "Odd: bad form" in sentence("bad form")
    assert "canary" not in sentence(f"bad form: password={secret}")
    assert str(status) in sentence(secret)


def test_an_answer_as_deep_as_can_be_read_is_a_named_error() -> None:
    for depth in range(800, 1000):
        with pytest.raises(wire.ServerFault):
            granted(500, {}, b'{"a":' * depth + b"1" + b"}" * depth, now=NOW, account=USER, form=first(USER))


@contextmanager
def watched() -> Iterator[Watch]:
    """What every logger says at DEBUG, those that the settings keep quiet too."""
    watch = Watch()
    loggers = [logging.getLogger(name) for name in (None, "requests_oauthlib", "oauthlib", "urllib3", "requests")]
    levels = [logger.level for logger in loggers]
    loggers[0].addHandler(watch)
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    try:
        yield watch
    finally:
        loggers[0].removeHandler(watch)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


# Against the simulator


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with running("quiet") as simulator:
        yield simulator


def user_of(simulator: Simulator, **changed: str) -> Account:
    usual: dict[str, Any] = {"cloud": simulator.url, "username": simulator.username, "password": simulator.password}
    return Account(grant=Grant.PASSWORD, **{**usual, **changed})


def grants(simulator: Simulator) -> list[str]:
    return [one.body.removeprefix("grant_type=") for one in simulator.requests if one.path == "/api/2/idp/token"]


def test_a_user_reads_and_acts_and_no_log_tells_a_secret(simulator: Simulator) -> None:
    account = user_of(simulator)
    now = simulator.clock.now
    with watched() as watch, closing(Client(account, now=now, monotonic=time.monotonic)) as client:
        assert client.sites().items
        server = next(one for one in client.servers().items if one.type == "RECOVERY")
        simulator.advance(7200)
        client.start_failover_test(server.uuid)
        simulator.issuer.revoke_all()
        assert client.sites().items
        simulator.issuer.revoke_all()
        simulator.issuer.password = "simulated-secret-anew"
        with pytest.raises(wire.WrongCredential, match=WRONG_USER) as caught:
            client.sites()

    assert grants(simulator) == ["password", "refresh_token", "refresh_token", "password", "refresh_token", "password"]
    assert len(simulator.posts) == 1
    assert watch.lines > 0
    assert watch.hits == []
    assert "simulated-" not in f"{caught.value!r} {caught.value.__cause__!r} {client!r}"


def test_a_cloud_may_want_a_client_or_a_second_factor_beside_the_password(simulator: Simulator) -> None:
    def read(account: Account) -> int:
        with closing(Client(account, now=simulator.clock.now, monotonic=time.monotonic)) as client:
            return len(client.sites().items)

    simulator.issuer.demands_client = True
    with pytest.raises(wire.WrongCredential, match="wants an API client beside the user"):
        read(user_of(simulator))
    client = {"client_id": simulator.client_id, "client_secret": simulator.client_secret}
    with pytest.raises(wire.WrongCredential, match=WRONG_CLIENT):
        read(user_of(simulator, **client | {"client_secret": "canary-secret"}))
    with pytest.raises(wire.WrongCredential, match=WRONG_USER):
        read(user_of(simulator, **client, username="nobody"))
    assert read(user_of(simulator, **client)) > 0
    simulator.issuer.second_factor = True
    with pytest.raises(wire.WrongCredential, match="two-factor"):
        read(user_of(simulator, **client))
