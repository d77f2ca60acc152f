"""The consent page, and the code that it sends a browser back with."""

import re
from html import unescape
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from drdash.simulator.codes import challenge
from drdash.simulator.directory import ADMIN
from tests.simulator.conftest import BASIC, Answer, Api

VERIFIER = "simulated-token-verifier-" + "v" * 30
CALLBACK = "http://127.0.0.1:8000/back?from=cloud"
PATH = "/api/2/idp/authorize"
ASKED = {
    "response_type": "code",
    "client_id": "id",
    "redirect_uri": CALLBACK,
    "scope": "offline_access",
    "state": "s&t",
    "code_challenge": challenge(VERIFIER),
    "code_challenge_method": "S256",
}


def show(api: Api, **changed: str) -> Answer:
    return api.ask("GET", f"{PATH}?{urlencode(ASKED | changed)}")


def decide(api: Api, decision: str = "allow", **changed: str) -> dict[str, list[str]]:
    """What the browser brings back, after the form that was shown."""
    page = show(api, **changed).document.decode()
    form = dict(re.findall(r'name="([^"]+)" value="([^"]*)">(?!Allow|Deny)', page))
    body = urlencode({name: unescape(value) for name, value in form.items()} | {"decision": decision}).encode()
    found = api.ask("POST", PATH, body=body)
    assert found.status == 303
    location = found.headers["Location"]
    assert location.startswith(f"{CALLBACK}&")
    return parse_qs(urlsplit(location).query)


def redeem(api: Api, code: str, authorization: str = BASIC, **changed: str) -> Answer:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    return api.token(urlencode(form | changed).encode(), authorization=authorization)


def test_the_page_says_who_asks_for_what(api: Api) -> None:
    page = show(api, state='"><script>').document.decode()
    assert "Allow drdash to see and act in Customer?" in page
    assert ADMIN in page
    assert "<script>" not in page


def test_allowed_means_a_code_and_the_state(api: Api) -> None:
    back = decide(api)
    assert back.keys() == {"from", "code", "state"}
    assert back["state"] == ["s&t"]
    found = redeem(api, back["code"][0])
    assert found.status == 200
    assert found.document["refresh_token"].startswith("simulated-token")
    api.bearer = f"Bearer {found.document['access_token']}"
    assert api.get("/sites").status == 200


def test_the_refresh_token_is_the_clients_alone_and_good_once(api: Api) -> None:
    token = redeem(api, decide(api)["code"][0]).document["refresh_token"]
    form = urlencode({"grant_type": "refresh_token", "refresh_token": token}).encode()
    assert api.token(form, authorization="").document["error"] == "invalid_grant"
    found = api.token(form)
    assert found.status == 200
    assert found.document["refresh_token"] != token
    assert api.token(form).document["error"] == "invalid_grant"


def test_there_is_nothing_to_refresh_with_unless_asked_for(api: Api) -> None:
    assert "refresh_token" not in redeem(api, decide(api, scope=ADMIN)["code"][0]).document


def test_denied_is_said_too(api: Api) -> None:
    assert decide(api, "deny") == {"from": ["cloud"], "error": ["access_denied"], "state": ["s&t"]}


def test_a_code_is_good_once(api: Api) -> None:
    code = decide(api)["code"][0]
    assert redeem(api, code).status == 200
    assert redeem(api, code).document["error"] == "invalid_grant"


@pytest.mark.parametrize("changed", [{"code_verifier": "v" * 50}, {"redirect_uri": "http://127.0.0.1:8000/"}])
def test_a_code_is_for_who_asked(api: Api, changed: dict[str, str]) -> None:
    assert redeem(api, decide(api)["code"][0], **changed).document["error"] == "invalid_grant"


def test_a_code_needs_its_client(api: Api) -> None:
    assert redeem(api, decide(api)["code"][0], authorization="").status == 401


@pytest.mark.parametrize(("seconds", "status"), [(299, 200), (301, 400)])
def test_a_code_is_good_for_five_minutes(api: Api, seconds: int, status: int) -> None:
    code = decide(api)["code"][0]
    api.world.advance(api.world.now + seconds)
    assert redeem(api, code).status == status


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "root_admin"}, "invalid_scope"),
    ],
)
def test_what_does_not_fit_is_told_on_the_way_back(api: Api, changed: dict[str, str], error: str) -> None:
    found = show(api, **changed)
    assert found.status == 303
    assert parse_qs(urlsplit(found.headers["Location"]).query)["error"] == [error]


@pytest.mark.parametrize(
    "changed", [{"client_id": "nobody"}, {"redirect_uri": "javascript:alert(1)"}, {"redirect_uri": ""}]
)
def test_a_stranger_is_led_nowhere(api: Api, changed: dict[str, str]) -> None:
    found = show(api, **changed)
    assert found.status == 400
    assert "Location" not in found.headers
