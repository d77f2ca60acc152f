import http.client
import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from drdash.simulator import scenarios
from drdash.simulator.answers import Request, Response
from drdash.simulator.directory import ADMIN, ApiClient, Directory, Tenant
from drdash.simulator.routes import respond
from drdash.simulator.server import running
from drdash.simulator.simulation import CLIENT_SECRET, Simulator
from drdash.simulator.state import Server, Site
from drdash.simulator.tokens import Issuer
from drdash.simulator.world import Durations, World

NOW = 1_700_000_000.0
BASIC = "Basic " + b64encode(b"id:secret").decode()


@dataclass
class Answer:
    status: int
    document: Any
    headers: dict[str, str]


@dataclass
class Api:
    """The routes without a wire: requests of one client, answered from one world."""

    world: World
    scopes: frozenset[str] = frozenset({ADMIN})
    issuer: Issuer = field(init=False)
    bearer: str = field(init=False)

    def __post_init__(self) -> None:
        tenant = Tenant(uuid=self.world.tenant, name="Customer")
        client = ApiClient(id="id", secret="secret", tenant=tenant.uuid, scopes=self.scopes)
        self.issuer = Issuer(directory=Directory([tenant], [client]))
        self.bearer = f"Bearer {self.token().document['access_token']}"

    def token(self, body: bytes = b"grant_type=client_credentials", authorization: str = BASIC) -> Answer:
        headers = {"authorization": authorization, "content-type": "application/x-www-form-urlencoded"}
        return self.ask("POST", "/api/2/idp/token", body=body, headers=headers)

    def get(self, target: str) -> Answer:
        return self.ask("GET", f"/api/dr/v2{target}")

    def post(self, target: str, body: Any = None, media_type: str = "application/json") -> Answer:
        content = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
        return self.ask("POST", f"/api/dr/v2{target}", body=content, headers={"content-type": media_type})

    def ask(self, method: str, target: str, *, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        path, _, query = target.partition("?")
        sent = {"authorization": getattr(self, "bearer", "")} | (headers or {})
        request = Request(method=method, path=path, query=query, headers=sent, body=body, now=self.world.now)
        return answer(respond(request, self.world, self.issuer))

    def pages(self, target: str) -> list[Any]:
        """Every page, by the cursor `after`."""
        found = [self.get(target).document]
        while after := found[-1]["paging"].get("cursors", {}).get("after"):
            assert len(found) <= found[0]["paging"]["total"], "the pages never end"
            found.append(self.get(f"{target.partition('?')[0]}?after={quote(after)}").document)
        return found


def answer(response: Response) -> Answer:
    kind = dict(response.headers).get("Content-Type", "")
    document = json.loads(response.body) if response.body and kind == "application/json" else response.body
    return Answer(response.status, document, dict(response.headers))


@pytest.fixture
def world() -> World:
    """The customer at rest, with durations that are known to the second."""
    world = scenarios.build("quiet", now=NOW)
    world.durations = Durations(
        start_test=(10, 10), start_prod=(20, 20), finalization=(60, 60), stop=(8, 8), start_auto=(9, 9),
        automated_test=(15, 15), power=(5, 5),
    )  # fmt: skip
    return world


@pytest.fixture
def api(world: World) -> Api:
    return Api(world)


@pytest.fixture
def api_with_scopes(world: World) -> Callable[[str], Api]:
    return lambda scopes: Api(world, frozenset(scopes.split()))


@pytest.fixture
def server(world: World) -> Server:
    """A recovery server in stand-by, without any issue, on a site that is ready."""
    return next(
        one
        for one in world.servers.values()
        if one.is_recovery
        and one.status == "STAND_BY"
        and one.issues == []
        and world.document(world.sites[one.site_uuid])["failover_readiness"] == "OK"
    )


@pytest.fixture
def site(world: World, server: Server) -> Site:
    return world.sites[server.site_uuid]


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with running("quiet") as simulator:
        yield simulator


class Client:
    """One keep-alive connection with a token."""

    def __init__(self, simulator: Simulator) -> None:
        self.connection = http.client.HTTPConnection(urlsplit(simulator.url).netloc, timeout=10)
        basic = b64encode(f"{simulator.client_id}:{simulator.client_secret}".encode()).decode()
        headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}
        status, _, body = self.send(
            "POST", "/api/2/idp/token", f"grant_type=client_credentials&client_secret={CLIENT_SECRET}".encode(), headers
        )
        assert status == 200
        self.token = json.loads(body)["access_token"]

    def send(
        self, method: str, target: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        if headers is None:
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        self.connection.request(method, target, body, headers)
        response = self.connection.getresponse()
        return response.status, response.headers, response.read()

    def get(self, target: str) -> Any:
        status, _, body = self.send("GET", target)
        assert status == 200
        return json.loads(body)

    def order(self, name: str, document: Any, method: str = "POST") -> tuple[int, Any]:
        status, _, body = self.send(method, f"/_control/{name}", json.dumps(document).encode())
        return status, json.loads(body)


@pytest.fixture
def client(simulator: Simulator) -> Iterator[Client]:
    client = Client(simulator)
    yield client
    client.connection.close()


@pytest.fixture
def remote(simulator: Simulator) -> Server:
    return next(
        one
        for one in simulator.world.servers.values()
        if one.is_recovery and simulator.world.document(one)["_issues"] == [] and one.status == "STAND_BY"
    )


def start(server: Server) -> str:
    return f"/api/dr/v2/servers/{server.uuid}:start_failover_test"
