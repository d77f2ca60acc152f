"""The token endpoint's grants, with the errors that it gives."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest

from drdash.simulator import accounts
from drdash.simulator.directory import ADMIN, JWT_BEARER, READONLY
from drdash.simulator.tokens import TENANT_SCOPE, USERNAME
from drdash.simulator.tokens import USERS_PASSWORD as PASSWORD
from tests.simulator.conftest import BASIC, Answer, Api


def ask(api: Api, authorization: str = "", **form: str) -> Answer:
    return api.token(urlencode(form).encode(), authorization=authorization)


def sign_in(api: Api, authorization: str = "", **changed: str) -> Answer:
    return ask(api, authorization, **{"grant_type": "password", "username": USERNAME, "password": PASSWORD, **changed})


def refresh(api: Api, token: str, **more: str) -> Answer:
    return ask(api, grant_type="refresh_token", refresh_token=token, **more)


def test_a_password_is_good_for_a_token_and_for_what_renews_it(api: Api) -> None:
    found = sign_in(api)
    assert found.status == 200
    assert found.document.keys() >= {"access_token", "expires_on", "refresh_token"}
    assert found.document["refresh_token"].startswith("simulated-token")
    api.bearer = f"Bearer {found.document['access_token']}"
    assert api.get("/sites").status == 200


def test_a_client_gets_nothing_to_refresh_with(api: Api) -> None:
    assert "refresh_token" not in api.token().document


def test_a_refresh_token_is_good_once(api: Api) -> None:
    first = sign_in(api).document
    second = refresh(api, first["refresh_token"])
    assert second.status == 200
    assert second.document["refresh_token"] != first["refresh_token"]
    assert second.document["scope"] == ADMIN
    again = refresh(api, first["refresh_token"])
    assert (again.status, again.document["error"]) == (400, "invalid_grant")
    api.bearer = f"Bearer {second.document['access_token']}"
    assert api.get("/sites").status == 200


@pytest.mark.parametrize(
    ("form", "status", "code"),
    [
        ({"password": "wrong"}, 400, "invalid_grant"),
        ({"username": "nobody"}, 400, "invalid_grant"),
        ({"username": f"{USERNAME}\n{PASSWORD}", "password": ""}, 400, "invalid_grant"),
        ({"scope": "root_admin"}, 400, "invalid_scope"),
        ({"authorization": "Basic aWQ6d3Jvbmc="}, 401, "invalid_client"),
        ({"grant_type": "refresh_token"}, 400, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "simulated-token-refresh-x"}, 400, "invalid_grant"),
        ({"grant_type": "client_credentials"}, 401, "invalid_client"),
    ],
)
def test_what_does_not_fit_is_refused(api: Api, form: dict[str, Any], status: int, code: str) -> None:
    found = sign_in(api, **form)
    assert (found.status, found.document["error"]) == (status, code)
    assert found.document.keys() == {"error", "error_description"}


@pytest.mark.parametrize("missing", ["username", "password"])
def test_a_user_without_a_name_or_a_password_is_no_request(api: Api, missing: str) -> None:
    form = {"grant_type": "password", "username": USERNAME, "password": PASSWORD}
    del form[missing]
    found = ask(api, **form)
    assert (found.status, found.document["error"]) == (400, "invalid_request")


def test_a_second_factor_is_asked_for_after_the_right_password_alone(api: Api) -> None:
    api.issuer.second_factor = True
    assert sign_in(api, password="wrong").document["error"] == "invalid_grant"
    found = sign_in(api)
    assert found.status == 403
    assert "TOTP" in found.document["error_description"]


def test_a_client_may_be_demanded_of_users(api: Api) -> None:
    token = sign_in(api).document["refresh_token"]
    api.issuer.demands_client = True
    assert (sign_in(api).status, refresh(api, token).status) == (401, 401)
    assert sign_in(api, authorization="Basic aWQ6c2VjcmV0").status == 200


def test_revoked_means_refreshing_too(api: Api) -> None:
    token = sign_in(api).document["refresh_token"]
    api.issuer.revoke_all()
    assert refresh(api, token).status == 400


def test_a_refreshed_token_may_not_do_more_than_the_first(api: Api) -> None:
    api.issuer.scopes = frozenset({ADMIN, READONLY})
    token = sign_in(api, scope=READONLY).document["refresh_token"]
    assert refresh(api, token, scope=ADMIN).document["error"] == "invalid_scope"


def believe(api: Api, text: str, authorization: str = "", **form: str) -> Answer:
    return ask(api, authorization, grant_type=JWT_BEARER, assertion=text, **form)


def assertion(api: Api, lifetime: float = 60.0, tenant: str = "") -> str:
    return api.issuer.assertion(now=api.world.now, lifetime=lifetime, tenant=tenant)


def test_a_signed_assertion_is_good_for_a_token_while_it_lasts(api: Api) -> None:
    text = assertion(api)
    assert [len(part) > 10 for part in text.split(".")] == [True, True, True]
    assert "simulated-token" in text
    found = believe(api, text)
    assert found.status == believe(api, text, BASIC).status == 200
    assert "refresh_token" not in found.document
    api.bearer = f"Bearer {found.document['access_token']}"
    assert api.get("/sites").status == 200
    named = believe(api, text, scope=f"{TENANT_SCOPE}{api.world.tenant}")
    assert named.document["scope"].split() == [ADMIN, f"{TENANT_SCOPE}{api.world.tenant}"]
    api.world.advance(api.world.now + 61)
    assert believe(api, text).document["error"] == "invalid_grant"


def test_an_assertion_that_somebody_else_signed_is_refused(api: Api) -> None:
    other = Api(api.world)
    good = assertion(api)
    for text in (assertion(other), good[:-1], good.replace(".", "", 1), assertion(api, lifetime=-1), "", "a.b.c", "ü"):
        assert believe(api, text).document["error"] == "invalid_grant"


def test_an_assertion_reaches_no_tenant_that_is_not_its_own(api: Api) -> None:
    scope = f"{TENANT_SCOPE}00000000-0000-4000-8000-000000000000"
    assert believe(api, assertion(api), scope=scope).document["error"] == "access_denied"


def test_a_client_gets_no_token_by_a_grant_that_it_may_not_use(api: Api) -> None:
    api.issuer.directory.clients[0].grants = frozenset({JWT_BEARER})
    assert api.token().document["error"] == "unauthorized_client"
    assert believe(api, assertion(api), BASIC).status == 200


def test_a_client_gets_no_scope_that_it_lacks(api_with_scopes: Callable[[str], Api]) -> None:
    api = api_with_scopes(f"{READONLY} {ADMIN}")
    asked = ask(api, BASIC, grant_type="client_credentials", scope=READONLY)
    assert (asked.status, asked.document["scope"]) == (200, READONLY)
    api.issuer.scopes = frozenset({READONLY})
    refused = ask(api, BASIC, grant_type="client_credentials", scope=ADMIN)
    assert (refused.status, refused.document["error"]) == (400, "invalid_scope")


@pytest.mark.parametrize(("what", "reads", "renews"), [("access", 401, 200), ("refresh", 200, 400)])
def test_what_is_revoked_may_be_chosen(api: Api, what: str, reads: int, renews: int) -> None:
    found = sign_in(api, BASIC).document
    api.bearer = f"Bearer {found['access_token']}"
    accounts.force_client(api.issuer, {"client": "id", "revoke": what})
    assert api.get("/sites").status == reads
    again = ask(api, BASIC, grant_type="refresh_token", refresh_token=found["refresh_token"])
    assert again.status == renews


def test_the_issuer_shows_nothing_secret(api: Api) -> None:
    sign_in(api)
    assert "simulated-" not in repr(api.issuer)
