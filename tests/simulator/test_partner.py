"""A partner: its customers by list and by token, and what becomes of them."""

import json
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest

from drdash.simulator import partner
from drdash.simulator.directory import ADMIN, JWT_BEARER, READONLY
from drdash.simulator.server import running
from drdash.simulator.simulation import Simulator
from drdash.simulator.tokens import TENANT_SCOPE

SITES = "/api/dr/v2/sites"


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with running("partner") as simulator:
        yield simulator


def ask(simulator: Simulator, path: str, authorization: str, form: dict[str, str] | None = None) -> tuple[int, Any]:
    body = urlencode(form).encode() if form else None
    try:
        with urlopen(Request(simulator.url + path, body, {"Authorization": authorization})) as response:
            return response.status, json.loads(response.read())
    except HTTPError as error:
        return error.code, json.loads(error.read())


def own_token(simulator: Simulator, client_id: str = "", secret: str = "") -> tuple[int, Any]:
    basic = b64encode(f"{client_id or simulator.partner_id}:{secret or simulator.partner_secret}".encode()).decode()
    return ask(simulator, "/api/2/idp/token", f"Basic {basic}", {"grant_type": "client_credentials"})


@pytest.fixture
def bearer(simulator: Simulator) -> str:
    return f"Bearer {own_token(simulator)[1]['access_token']}"


def exchange(simulator: Simulator, bearer: str, tenant: str, **changed: str) -> tuple[int, Any]:
    form = {"grant_type": JWT_BEARER, "assertion": bearer.removeprefix("Bearer "), "scope": TENANT_SCOPE + tenant}
    return ask(simulator, "/api/2/idp/token", bearer, form | changed)


def of_customer(simulator: Simulator, bearer: str, tenant: str) -> str:
    status, document = exchange(simulator, bearer, tenant)
    assert status == 200
    return f"Bearer {document['access_token']}"


def listed(simulator: Simulator, bearer: str) -> list[dict[str, Any]]:
    root = ask(simulator, f"/api/2/clients/{simulator.partner_id}", bearer)[1]["tenant_id"]
    _, page = ask(simulator, f"/api/2/tenants?subtree_root_id={root}&lod=basic", bearer)
    found: list[dict[str, Any]] = page["items"]
    while after := page["paging"]["cursors"].get("after"):
        _, page = ask(simulator, f"/api/2/tenants?subtree_root_id={root}&lod=basic&after={after}", bearer)
        found += page["items"]
    return found


def test_the_customers_are_listed_page_by_page_among_others(simulator: Simulator, bearer: str) -> None:
    found = listed(simulator, bearer)
    assert Counter(one["kind"] for one in found) == {"customer": 13, "partner": 1, "folder": 1}
    assert {one["id"] for one in found if one["kind"] == "customer" and one["enabled"]} == simulator.worlds.keys()
    assert found[0].keys() == {"id", "name", "kind", "parent_id", "enabled", "ancestral_access"}
    assert len({request.query for request in simulator.requests if request.path == "/api/2/tenants"}) == 2


def test_each_customer_has_an_estate_of_its_own_in_a_health_of_its_own(simulator: Simulator, bearer: str) -> None:
    servers = Counter[str]()
    readiness = set()
    for tenant in simulator.worlds:
        token = of_customer(simulator, bearer, tenant)
        _, sites = ask(simulator, f"{SITES}?limit=50", token)
        assert {site["tenant_uuid"] for site in sites["items"]} == {tenant}
        readiness |= {site["failover_readiness"] for site in sites["items"]}
        _, page = ask(simulator, "/api/dr/v2/servers?limit=50", token)
        servers.update(server["uuid"] for server in page["items"])
    assert set(servers.values()) == {1}
    assert len(servers) == sum(len(world.servers) for world in simulator.worlds.values()) > 100
    assert readiness == {"OK", "WARNING", "ERROR"}
    statuses = Counter(one.status for world in simulator.worlds.values() for one in world.servers.values())
    assert statuses.keys() >= {"STAND_BY", "FAILOVER_TEST", "FAILOVER_PROD", "FINALIZATION"}
    assert any(not world.servers for world in simulator.worlds.values())


def test_five_hundred_customers_have_names_and_servers_of_their_own() -> None:
    with running("partner", customers=500) as simulator:
        assert len({partner.name(number) for number in range(500)}) == len(simulator.worlds) == 500
        servers = [uuid for world in simulator.worlds.values() for uuid in world.servers]
        assert len(set(servers)) == len(servers)


def test_a_partners_own_token_opens_no_estate(simulator: Simulator, bearer: str) -> None:
    status, document = ask(simulator, SITES, bearer)
    assert (status, document["error"]["code"]) == (403, "MethodNotAllowed")
    folder = next(one["id"] for one in listed(simulator, bearer) if one["kind"] == "folder")
    assert ask(simulator, SITES, of_customer(simulator, bearer, folder))[0] == 403


def test_a_customers_token_ends_with_the_partners(simulator: Simulator, bearer: str) -> None:
    simulator.advance(7000)
    _, document = exchange(simulator, bearer, next(iter(simulator.worlds)))
    assert document["expires_in"] == 200
    token = f"Bearer {document['access_token']}"
    assert ask(simulator, SITES, token)[0] == 200
    simulator.advance(201)
    assert ask(simulator, SITES, token)[0] == 401
    assert exchange(simulator, bearer, next(iter(simulator.worlds)))[0] == 401


def test_a_customers_token_dies_with_the_partners(simulator: Simulator, bearer: str) -> None:
    token = of_customer(simulator, bearer, next(iter(simulator.worlds)))
    above = simulator.issuer.directory.clients[2].tenant
    simulator.force_customer(above, enabled=False)
    assert ask(simulator, SITES, token)[0] == 401
    simulator.force_customer(above, enabled=True)
    assert ask(simulator, SITES, token)[0] == 200
    simulator.force_client(simulator.partner_id, revoke="access")
    assert ask(simulator, SITES, token)[0] == 401


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"assertion": "simulated-token-another"}, 400, "invalid_grant"),
        ({"scope": ""}, 400, "invalid_scope"),
        ({"scope": f"{TENANT_SCOPE}1 {TENANT_SCOPE}2"}, 400, "invalid_scope"),
        ({"scope": f"{TENANT_SCOPE}00000000-0000-4000-8000-000000000000"}, 403, "access_denied"),
    ],
)
def test_an_exchange_that_does_not_fit_is_refused(
    simulator: Simulator, bearer: str, changed: dict[str, str], status: int, code: str
) -> None:
    found = exchange(simulator, bearer, next(iter(simulator.worlds)), **changed)
    assert (found[0], found[1]["error"]) == (status, code)


def test_a_reading_partner_gets_reading_tokens(simulator: Simulator) -> None:
    _, own = own_token(simulator, simulator.partner_reader_id, simulator.partner_reader_secret)
    assert own["scope"] == READONLY
    tenant = next(iter(simulator.worlds))
    bearer = f"Bearer {own['access_token']}"
    assert exchange(simulator, bearer, tenant, scope=f"{TENANT_SCOPE}{tenant} {ADMIN}")[1]["error"] == "invalid_scope"
    token = of_customer(simulator, bearer, tenant)
    assert ask(simulator, SITES, token)[0] == 200
    server = next(one for one in simulator.worlds[tenant].servers.values() if one.is_recovery)
    assert ask(simulator, f"/api/dr/v2/servers/{server.uuid}:stop_failover", token, {"a": "b"})[0] == 403


def test_one_customer_sees_nothing_of_another_nor_of_the_partner(simulator: Simulator, bearer: str) -> None:
    first, second, *_ = simulator.worlds
    token = of_customer(simulator, bearer, first)
    assert exchange(simulator, token, second)[1]["error"] == "access_denied"
    assert ask(simulator, f"/api/2/clients/{simulator.partner_id}", token)[0] == 404
    assert ask(simulator, f"/api/2/tenants?subtree_root_id={second}", token)[0] == 403
    assert ask(simulator, "/api/2/tenants", token)[0] == 400
    assert [one["id"] for one in ask(simulator, f"/api/2/tenants?subtree_root_id={first}", token)[1]["items"]] == [
        first
    ]


def test_a_customer_goes_and_comes_back_as_it_was(simulator: Simulator, bearer: str) -> None:
    gone = next(iter(simulator.worlds))
    token = of_customer(simulator, bearer, gone)
    _, before = ask(simulator, SITES, token)
    simulator.force_customer(gone, present=False)
    assert gone not in {one["id"] for one in listed(simulator, bearer)}
    assert exchange(simulator, bearer, gone)[0] == 403
    assert ask(simulator, SITES, token)[0] == 401
    simulator.force_customer(gone.upper(), present=True)
    assert gone in {one["id"] for one in listed(simulator, bearer)}
    assert ask(simulator, SITES, of_customer(simulator, bearer, gone)) == (200, before)


def test_a_new_customer_is_listed_with_its_estate(simulator: Simulator, bearer: str) -> None:
    new = simulator.add_customer("Newcomer Ltd", servers=3, sites=2)
    assert [one["name"] for one in listed(simulator, bearer) if one["id"] == new] == ["Newcomer Ltd"]
    _, page = ask(simulator, "/api/dr/v2/servers", of_customer(simulator, bearer, new))
    assert page["paging"]["total"] == 3
    assert page["items"][0]["_links"][0]["href"].startswith(simulator.url)
    assert simulator.force_server(page["items"][0]["uuid"], set={"status": "ODD"})["status"] == "ODD"


def test_a_customer_may_deny_the_partner_its_estate_or_have_none(simulator: Simulator, bearer: str) -> None:
    closed, disabled, without, *_ = simulator.worlds
    simulator.force_customer(closed, ancestral_access=False)
    simulator.force_customer(disabled, enabled=False)
    simulator.force_customer(without, has_dr=False)
    assert (exchange(simulator, bearer, closed)[0], exchange(simulator, bearer, disabled)[0]) == (403, 403)
    assert ask(simulator, SITES, of_customer(simulator, bearer, without))[0] == 403
    shown = {one["id"]: one for one in listed(simulator, bearer)}
    assert (shown[closed]["ancestral_access"], shown[disabled]["enabled"]) == (False, False)


def test_a_client_may_lose_its_secret_its_exchange_or_itself(simulator: Simulator, bearer: str) -> None:
    tenant = next(iter(simulator.worlds))
    simulator.force_client(simulator.partner_id, secret="simulated-secret-rotated")
    assert own_token(simulator, secret="simulated-secret-partner")[0] == 401
    assert own_token(simulator, secret="simulated-secret-rotated")[0] == 200
    assert exchange(simulator, bearer, tenant)[0] == 200
    simulator.force_client(simulator.partner_id, grants=["client_credentials"])
    assert exchange(simulator, bearer, tenant)[1]["error"] == "unauthorized_client"
    simulator.force_client(simulator.partner_id, enabled=False)
    assert own_token(simulator)[0] == 401
    assert ask(simulator, f"/api/2/clients/{simulator.partner_id}", bearer)[0] == 401


def test_a_partner_may_have_nobody() -> None:
    with running("partner", customers=0) as simulator:
        found = listed(simulator, f"Bearer {own_token(simulator)[1]['access_token']}")
        assert [one["kind"] for one in found if one["enabled"]] == ["partner", "folder"]


def test_the_log_tells_whose_each_request_was(simulator: Simulator, bearer: str) -> None:
    first, second, *_ = simulator.worlds
    token = of_customer(simulator, bearer, second)
    ask(simulator, SITES, token)
    ask(simulator, SITES, "Bearer nonsense")
    above = simulator.issuer.directory.clients[2].tenant
    assert [(one.client, one.tenant) for one in simulator.requests] == [
        ("drdash-partner", above),
        ("drdash-partner", second),
        ("drdash-partner", second),
        ("", ""),
    ]
    assert first != second


def test_one_customer_alone_may_be_told_to_wait_or_hang(simulator: Simulator, bearer: str) -> None:
    first, second, *_ = simulator.worlds
    tokens = {tenant: of_customer(simulator, bearer, tenant) for tenant in (first, second)}
    simulator.fail("429", tenant=first.upper(), times=None)
    assert [ask(simulator, SITES, token)[0] for token in tokens.values()] == [429, 200]
    assert exchange(simulator, bearer, first)[0] == 429
    assert exchange(simulator, bearer, second)[0] == 200
    assert [one.fault for one in simulator.requests][-4:] == ["429", "", "429", ""]
    simulator.clear_faults()
    simulator.fail("503", client=simulator.reader_id)
    assert ask(simulator, SITES, tokens[first])[0] == 200
