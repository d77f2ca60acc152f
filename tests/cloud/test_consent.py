"""An admin signs in at the cloud in the browser: what goes there, what comes back, and what it is worth."""

import re
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
import requests

from drdash.cloud import consent, wire
from drdash.cloud.account import Account, BadAddress, Grant
from drdash.cloud.client import Client
from drdash.cloud.errors import SignInAgain
from drdash.cloud.oauth import Memory, Token
from drdash.simulator.server import running
from drdash.simulator.simulation import Simulator
from tests.cloud.conftest import RawCloud, granted, reply

BACK = "http://127.0.0.1:8000/connect/back/"


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with running("quiet") as simulator:
        yield simulator


def account_of(simulator: Simulator) -> Account:
    return Account(
        cloud=simulator.url,
        grant=Grant.AUTHORIZATION_CODE,
        client_id=simulator.client_id,
        client_secret=simulator.client_secret,
    )


def agreed(account: Account, *, verifier: str, state: str = "the-state", decision: str = "allow") -> dict[str, str]:
    """What the browser brings back once its person has decided on the cloud's page."""
    url = consent.authorize_url(account, redirect_uri=BACK, state=state, verifier=verifier)
    page = requests.get(url, timeout=10)
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.text))
    decided = requests.post(url, data=fields | {"decision": decision}, allow_redirects=False, timeout=10)
    where = urlsplit(decided.headers["Location"])
    assert where._replace(query="").geturl() == BACK
    return {name: values[0] for name, values in parse_qs(where.query).items()}


def redeem(account: Account, simulator: Simulator, **how: str) -> Token:
    return consent.redeem(
        account, now=simulator.wall, monotonic=time.monotonic, deadline=10, **{"redirect_uri": BACK, **how}
    )


def test_the_page_is_asked_for_what_pkce_wants_and_not_told_the_verifier() -> None:
    account = Account(cloud="https://Cloud.example/", client_id="the client", client_secret="canary-secret")
    verifier = consent.verifier()
    url = urlsplit(consent.authorize_url(account, redirect_uri=BACK + "?a=b&c", state="s&t", verifier=verifier))

    assert (url.scheme, url.netloc, url.path) == ("https", "cloud.example", "/api/2/idp/authorize")
    assert parse_qs(url.query) == {
        "response_type": ["code"],
        "client_id": ["the client"],
        "redirect_uri": [BACK + "?a=b&c"],
        "scope": ["offline_access"],
        "state": ["s&t"],
        "code_challenge": [urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")],
        "code_challenge_method": ["S256"],
    }
    assert verifier not in url.geturl()


def test_a_verifier_is_long_enough_and_never_the_same() -> None:
    verifiers = {consent.verifier() for _ in range(100)}
    assert len(verifiers) == 100
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43,128}", one) for one in verifiers)


def test_an_address_that_is_none_has_no_page() -> None:
    with pytest.raises(BadAddress):
        consent.authorize_url(Account(cloud="http://cloud.example"), redirect_uri=BACK, state="s", verifier="v")


def test_a_sign_in_reads_and_goes_on_when_its_token_ends(simulator: Simulator) -> None:
    account, verifier = account_of(simulator), consent.verifier()
    back = agreed(account, verifier=verifier)
    assert back["state"] == "the-state"
    shelf = Memory()
    shelf.keep("", redeem(account, simulator, code=back["code"], verifier=verifier))

    with closing(Client(account, now=simulator.clock.now, monotonic=time.monotonic, shelf=shelf)) as client:
        assert client.sites().items
        simulator.advance(7200)
        assert client.sites().items
        simulator.issuer.revoke(simulator.client_id, refresh=False)
        assert client.sites().items
        simulator.issuer.revoke_all()
        for words in ("no longer accepts the sign-in", "Nobody is signed in"):
            with pytest.raises(SignInAgain, match=words):
                client.sites()
    asked = [one.body.removeprefix("grant_type=") for one in simulator.requests if one.path == "/api/2/idp/token"]
    assert asked == ["authorization_code", *["refresh_token"] * 3]


def test_a_code_is_worth_nothing_twice_or_without_its_verifier_or_elsewhere(simulator: Simulator) -> None:
    account, verifier = account_of(simulator), consent.verifier()

    def code() -> str:
        return agreed(account, verifier=verifier)["code"]

    used = code()
    redeem(account, simulator, code=used, verifier=verifier)
    wrong: list[dict[str, Any]] = [
        {"code": used, "verifier": verifier},
        {"code": code(), "verifier": consent.verifier()},
        {"code": code(), "verifier": verifier, "redirect_uri": BACK + "x"},
        {"code": "canary-secret-code", "verifier": verifier},
    ]
    for how in wrong:
        with pytest.raises(SignInAgain, match="does not accept this sign-in") as caught:
            redeem(account, simulator, **how)
        assert "canary" not in str(caught.value)
    with pytest.raises(wire.WrongCredential, match="client id or its secret is wrong"):
        redeem(msgspec.structs.replace(account, client_secret="canary-secret"), simulator, code=code(), verifier="v")


def test_a_person_who_says_no_brings_back_no_code(simulator: Simulator) -> None:
    back = agreed(account_of(simulator), verifier=consent.verifier(), decision="deny")
    assert back == {"error": "access_denied", "state": "the-state"}


def test_a_sign_in_that_cannot_be_renewed_is_refused(cloud: RawCloud) -> None:
    account = Account(cloud=cloud.url, client_id="the-client", client_secret="canary-secret")
    cloud.tokens = [granted("one"), granted("two", refresh_token="three"), reply(429)]
    told: dict[str, Any] = {"code": "c", "verifier": "v", "redirect_uri": BACK}
    told |= {"now": time.time, "monotonic": time.monotonic, "deadline": 10}
    with pytest.raises(wire.WrongCredential, match="cannot be renewed: have it allow offline_access"):
        consent.redeem(account, **told)
    assert consent.redeem(account, **told).refresh == "three"
    with pytest.raises(wire.TooManyRequests):
        consent.redeem(account, **told)
