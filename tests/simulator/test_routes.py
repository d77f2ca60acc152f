"""Errors by the reference's own examples, scopes by endpoint, bodies by their schema."""

from collections.abc import Callable
from typing import Any

import pytest

from drdash.simulator import answers
from drdash.simulator.directory import ADMIN, READONLY, SUPPORT
from drdash.simulator.state import Server, Site
from drdash.simulator.world import World
from tests.simulator.conftest import Api, answer

UNKNOWN = "00000000-0000-4000-8000-000000000000"
POINT = {"backup_id": "c4d81250-bd8a", "archive_id": "b595c974@archive", "vault_id": "0a959777"}
NAMES = ("start_failover_prod", "start_failover_test", "stop_failover")


def error(code: str, debug: dict[str, Any], context: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"error": {"code": code, "context": context or {}, "debug": debug, "domain": "DisasterRecovery"}}


def test_a_bad_request_is_the_references_own(api: Api) -> None:
    found = api.get("/servers?after=")
    assert found.status == 400
    assert found.document == error(
        "BadRequest",
        {
            "additional": ['"" does not match "\\\\S+"'],
            "msg": "Failed to validate the request against the RAML schema.",
        },
    )


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer wrong", "bearer", "Basic aWQ6c2VjcmV0"])
def test_without_a_valid_token_it_is_a_401(api: Api, authorization: str) -> None:
    api.bearer = authorization
    for found in (api.get("/servers"), api.get(f"/sites/{UNKNOWN}"), api.post(f"/servers/{UNKNOWN}:stop_failover")):
        assert found.status == 401
        assert found.document == error("Unauthorized", {"msg": "Authorization header is invalid."})


def test_without_the_scope_it_is_a_403(api_with_scopes: Callable[[str], Api]) -> None:
    found = api_with_scopes("partner_admin").get("/sites")
    assert found.status == 403
    assert found.document == error("MethodNotAllowed", {"msg": "This method is not allowed for this user account."})


def test_what_is_unknown_is_a_404(api: Api, world: World) -> None:
    primary = next(one for one in world.servers.values() if not one.is_recovery)
    for found in (
        api.get(f"/sites/{UNKNOWN}"),
        api.get(f"/servers/{UNKNOWN}"),
        api.get("/nothing"),
        *(api.post(f"/servers/{uuid}:{name}") for name in NAMES for uuid in (UNKNOWN, primary.uuid)),
        api.post(f"/servers/{UNKNOWN}:reboot"),
        api.post(f"/sites/{UNKNOWN}:stop_failover"),
    ):
        assert found.status == 404
        assert found.document["error"].keys() == {"code", "context", "debug", "domain"}
        assert found.document["error"]["code"] == "EntityNotFound"
        assert found.document["error"]["debug"]["msg"].endswith("was not found in the DR infrastructure.")


def test_a_conflict_names_the_tasks(api: Api, server: Server) -> None:
    task = api.post(f"/servers/{server.uuid}:start_failover_prod").document["task_uuid"]
    for name in NAMES:
        found = api.post(f"/servers/{server.uuid}:{name}")
        message = (
            f"Resource [{server.uuid}] is busy with other tasks [{task}] that are currently in progress."
            " Try again later."
        )
        context = {"resource_id": server.uuid, "task_uuids": [task]}
        assert found.status == 409
        assert found.document == error("ResourceBusy", {"msg": message}, context)


def test_too_many_requests_says_how_long_to_wait_twice() -> None:
    found = answer(answers.too_many_requests(300))
    assert found.headers["Retry-After"] == "300"
    assert found.document["error"]["context"] == {"retry_after": 300}
    assert found.document["error"]["code"] == "TooManyRequests"


def test_the_other_errors_have_their_shapes() -> None:
    message = "An error occurred while performing the operation in the DR infrastructure."
    found = answer(answers.internal_error())
    assert found.document == error("InternalError", {"additional": ["Some error"], "msg": message})
    assert answer(answers.gateway_timeout()).document == b""


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        (ADMIN, {"servers", "sites", "site", *NAMES}),
        (SUPPORT, {"servers", "sites", "site", "start_failover_test", "stop_failover"}),
        (READONLY, {"servers", "sites", "site"}),
        ("root_admin partner_admin acep::consumer", set()),
        (f"{READONLY} {SUPPORT}", {"servers", "sites", "site", "start_failover_test", "stop_failover"}),
    ],
)
def test_each_endpoint_wants_its_scopes(
    api_with_scopes: Callable[[str], Api], server: Server, site: Site, scope: str, allowed: set[str]
) -> None:
    api = api_with_scopes(scope)
    found = {
        "servers": api.get("/servers").status,
        "sites": api.get("/sites").status,
        "site": api.get(f"/sites/{site.uuid}").status,
        **{name: api.post(f"/servers/{server.uuid}:{name}").status for name in NAMES},
    }
    assert {name for name, status in found.items() if status != 403} == allowed


@pytest.mark.parametrize("name", NAMES)
def test_actions_are_reached_by_both_paths(api: Api, world: World, name: str) -> None:
    servers = [one for one in world.servers.values() if one.is_recovery and one.issues == [] and one.task is None]
    for server, prefix in zip(servers, ("", "/bc"), strict=False):
        headers = {"content-type": "application/json; charset=utf-8"}
        found = api.ask("POST", f"{prefix}/api/dr/v2/servers/{server.uuid.upper()}:{name}", body=b"{}", headers=headers)
        assert found.status in (202, 409)


def test_an_action_answers_with_its_task_alone(api: Api, server: Server) -> None:
    found = api.post(f"/servers/{server.uuid}:start_failover_test", {"recovery_point": POINT})
    assert found.status == 202
    assert found.document == {"task_uuid": server.task.uuid if server.task else None}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"\xff",
        {"recovery_point": None},
        {"recovery_point": "latest"},
        {"recovery_point": {}},
        {"recovery_point": {**POINT, "vault_id": ""}},
        {"recovery_point": {**POINT, "vault_id": 7}},
        {"recovery_point": {**POINT, "vault_id": "a b"}},
        {"recovery_point": {**POINT, "vault_id": "a\n"}},
        {"recovery_point": {"backup_id": "a", "archive_id": "b"}},
        {"recovery_point": {**POINT, "more": "x"}},
        {"recoverypoint": POINT},
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_a_body_that_does_not_fit_starts_nothing(api: Api, server: Server, name: str, body: Any) -> None:
    found = api.post(f"/servers/{server.uuid}:{name}", body)
    assert found.status == 400
    assert found.document["error"]["debug"]["additional"]
    assert server.task is None


def test_a_stop_takes_no_recovery_point(api: Api, server: Server) -> None:
    assert api.post(f"/servers/{server.uuid}:stop_failover", {"recovery_point": POINT}).status == 400


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_a_body_that_is_not_json_by_its_type_starts_nothing(api: Api, server: Server, media_type: str) -> None:
    assert api.post(f"/servers/{server.uuid}:start_failover_test", {}, media_type).status == 400
    assert server.task is None


@pytest.mark.parametrize(
    ("method", "target", "allowed"),
    [
        ("POST", "/api/dr/v2/servers", "GET"),
        ("DELETE", f"/api/dr/v2/sites/{UNKNOWN}", "GET"),
        ("GET", f"/api/dr/v2/servers/{UNKNOWN}:stop_failover", "POST"),
        ("GET", "/api/2/idp/token", "POST"),
        ("POST", "/bc/login", "GET"),
    ],
)
def test_another_method_is_a_405_that_names_the_right_one(api: Api, method: str, target: str, allowed: str) -> None:
    found = api.ask(method, target)
    assert (found.status, found.headers["Allow"]) == (405, allowed)
    assert found.document["error"]["code"] == "MethodNotAllowed"


def test_every_link_leads_somewhere(api: Api, world: World) -> None:
    items = api.get("/servers?limit=50").document["items"] + api.get("/sites").document["items"]
    hrefs = [link["href"] for item in items for link in item["_links"] if ":st" not in link["href"].rpartition("/")[2]]
    assert len(hrefs) > 100
    for href in hrefs:
        assert href.startswith(world.base_url)
        found = api.ask("GET", href.removeprefix(world.base_url).partition("#")[0])
        assert found.status == 200
        assert "resourceId" in href or b"vendor's console" in found.document


def test_the_recovery_points_of_a_server_can_start_it(api: Api, server: Server) -> None:
    (href,) = [link["href"] for link in api.world.document(server)["_links"] if "RECOVERY_POINTS" in link["rel"]]
    points = api.ask("GET", href.removeprefix(api.world.base_url)).document["items"]
    assert len(points) == 6
    assert points[0]["created"] > points[-1]["created"]
    point = {name: points[3][name] for name in POINT}
    assert api.post(f"/servers/{server.uuid}:start_failover_test", {"recovery_point": point}).status == 202


def test_tokens_are_given_to_the_client_alone(api: Api) -> None:
    found = api.token(authorization="Basic aWQ6d3Jvbmc=")
    assert (found.status, found.document["error"]) == (401, "invalid_client")
    assert found.document.keys() == {"error", "error_description"}
    for authorization in ("", "Basic", "Basic !", "Bearer aWQ6c2VjcmV0", "Basic /w=="):
        assert api.token(authorization=authorization).status == 401


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_request"),
        (b"grant_type=magic", "unsupported_grant_type"),
        (b"grant_type=client_credentials&scope=root_admin", "invalid_scope"),
    ],
)
def test_a_token_request_that_does_not_fit_says_why(api: Api, body: bytes, code: str) -> None:
    found = api.token(body)
    assert (found.status, found.document["error"]) == (400, code)


def test_a_token_request_must_be_a_form(api: Api) -> None:
    found = api.ask("POST", "/api/2/idp/token", body=b"{}", headers={"content-type": "application/json"})
    assert (found.status, found.document["error"]) == (400, "invalid_request")


def test_a_token_tells_its_end_and_ends_then(api: Api, world: World) -> None:
    found = api.token().document
    assert found["expires_on"] == world.now + 7200
    assert (found["expires_in"], found["token_type"], found["scope"]) == (7200, "bearer", ADMIN)
    world.advance(world.now + 7199)
    assert api.get("/sites").status == 200
    world.advance(world.now + 1)
    assert api.get("/sites").status == 401


def test_a_token_may_have_less_scope_than_was_granted(api_with_scopes: Callable[[str], Api], server: Server) -> None:
    api = api_with_scopes(f"{ADMIN} {READONLY}")
    token = api.token(f"grant_type=client_credentials&scope={READONLY}".encode()).document
    api.bearer = f"Bearer {token['access_token']}"
    assert token["scope"] == READONLY
    assert api.get("/servers").status == 200
    assert api.post(f"/servers/{server.uuid}:start_failover_test").status == 403
