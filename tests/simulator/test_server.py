"""The wire: what a client gets when all is well, and when it breaks on order."""

import http.client
import json
import threading
from base64 import b64encode
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from drdash.simulator import control
from drdash.simulator.answers import Request
from drdash.simulator.faults import KINDS, Kind
from drdash.simulator.server import running
from drdash.simulator.simulation import CLIENT_SECRET, Simulator
from drdash.simulator.state import Server


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
def server(simulator: Simulator) -> Server:
    return next(
        one
        for one in simulator.world.servers.values()
        if one.is_recovery and simulator.world.document(one)["_issues"] == [] and one.status == "STAND_BY"
    )


def start(server: Server) -> str:
    return f"/api/dr/v2/servers/{server.uuid}:start_failover_test"


def test_one_connection_serves_many_requests(simulator: Simulator, client: Client) -> None:
    for _ in range(3):
        status, headers, body = client.send("GET", "/api/dr/v2/servers?limit=50")
        assert status == 200
        assert headers["Server"] == "drdash-simulator"
        assert headers["Content-Type"] == "application/json"
        assert int(headers["Content-Length"]) == len(body)
    assert {request.connection for request in simulator.requests} == {1}


@pytest.mark.parametrize("target", ["/api/dr/v2/servers", "/bc/login", "/nothing", "/api/2/idp/token", "/_control/x"])
def test_every_response_names_the_simulator(client: Client, target: str) -> None:
    assert client.send("GET", target, headers={})[1]["Server"] == "drdash-simulator"


def test_links_point_to_the_simulator_itself(simulator: Simulator, client: Client) -> None:
    item = client.get("/api/dr/v2/servers")["items"][0]
    assert {link["href"].startswith(simulator.url) for link in item["_links"]} == {True}


def test_time_moves_only_when_it_is_told_to(simulator: Simulator, client: Client, server: Server) -> None:
    client.send("POST", start(server), b"{}")
    assert client.get(f"/api/dr/v2/servers?recovery.resource_id={server.resource_id}")["items"][0]["status"] == (
        "STARTING_FAILOVER_TEST"
    )
    simulator.advance(20)
    assert server.status == "FAILOVER_TEST"


def test_the_log_tells_requests_but_no_credentials(simulator: Simulator, client: Client, server: Server) -> None:
    client.send("POST", start(server), b'{"recovery_point": 1}')
    token, post = simulator.requests
    assert (token.path, token.body) == ("/api/2/idp/token", "grant_type=client_credentials")
    assert (post.method, post.path, post.body) == ("POST", start(server), '{"recovery_point": 1}')
    assert simulator.posts == [post]
    logged = json.dumps(client.order("requests", {}, "GET"))
    assert client.token not in logged
    assert CLIENT_SECRET not in logged
    assert logged.count('"number"') == 2


@pytest.mark.parametrize("status", ["400", "401", "403", "404", "500", "502", "503", "504"])
def test_an_error_on_order_comes_once(simulator: Simulator, client: Client, status: Kind) -> None:
    simulator.fail(status, path="/sites")
    assert client.send("GET", "/api/dr/v2/servers")[0] == 200
    assert client.send("GET", "/api/dr/v2/sites")[0] == int(status)
    assert client.send("GET", "/api/dr/v2/sites")[0] == 200


def test_a_504_has_no_body(simulator: Simulator, client: Client) -> None:
    simulator.fail("504")
    assert client.send("GET", "/api/dr/v2/sites")[2] == b""


def test_a_429_says_how_long_to_wait(simulator: Simulator, client: Client) -> None:
    simulator.fail("429", retry_after=7, times=2)
    for _ in range(2):
        status, headers, body = client.send("GET", "/api/dr/v2/sites")
        assert (status, headers["Retry-After"]) == (429, "7")
        assert json.loads(body)["error"]["context"] == {"retry_after": 7}


@pytest.mark.parametrize("after_effect", [False, True])
@pytest.mark.parametrize("kind", ["504", "500", "html", "garbage", "redirect", "429"])
def test_the_world_takes_an_action_only_if_that_is_ordered(
    simulator: Simulator, client: Client, server: Server, kind: Kind, after_effect: bool
) -> None:
    simulator.fail(kind, method="POST", path=":start_failover_test", after_effect=after_effect)
    status, _, body = client.send("POST", start(server), b"{}")
    assert (status, body[:1]) != (202, b"{")
    assert (server.task is not None) == after_effect
    assert len(simulator.posts) == 1


@pytest.mark.parametrize("after_effect", [False, True])
def test_a_reset_gives_no_answer_at_all(
    simulator: Simulator, client: Client, server: Server, after_effect: bool
) -> None:
    simulator.fail("reset", method="POST", after_effect=after_effect)
    with pytest.raises(ConnectionResetError) as reset:
        client.send("POST", start(server), b"{}")
    assert not isinstance(reset.value, http.client.RemoteDisconnected)  # that is how an orderly end looks
    assert (server.task is not None) == after_effect


def test_half_a_body_ends_early(simulator: Simulator, client: Client, server: Server) -> None:
    simulator.fail("half_body")
    with pytest.raises(http.client.IncompleteRead):
        client.send("POST", start(server), b"{}")
    assert server.task is not None


def test_a_body_that_drips_comes_whole_in_the_end(simulator: Simulator, client: Client, server: Server) -> None:
    simulator.fail("drip", seconds=0.001)
    status, _, body = client.send("POST", start(server), b"{}")
    assert (status, json.loads(body).keys()) == (202, {"task_uuid"})


@pytest.mark.parametrize(("kind", "expected"), [("html", 200), ("garbage", 200), ("redirect", 307)])
def test_what_is_no_answer_of_the_api(simulator: Simulator, client: Client, kind: Kind, expected: int) -> None:
    simulator.fail(kind)
    status, headers, body = client.send("GET", "/api/dr/v2/sites")
    assert status == expected
    assert ("Location" in headers) == (kind == "redirect")
    with pytest.raises(ValueError):
        json.loads(body)


def test_an_answer_may_be_ordered_word_for_word(simulator: Simulator, client: Client) -> None:
    simulator.fail("answer", status=202, body='{"task_uuid": 7}')
    assert client.send("GET", "/api/dr/v2/sites")[::2] == (202, b'{"task_uuid": 7}')


def test_a_request_that_hangs_goes_on_when_released(simulator: Simulator, client: Client, server: Server) -> None:
    simulator.fail("hang", method="POST", path=":start")
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(client.send("POST", start(server), b"{}")[0]))
    thread.start()
    assert simulator.arrived(method="POST", path=":start")
    assert server.task is None
    assert answers == []
    simulator.clear_faults()
    thread.join(10)
    assert answers == [202]


def test_a_simulator_that_stops_lets_nothing_hang(server: Server) -> None:
    with running("quiet") as simulator:
        client = Client(simulator)
        simulator.fail("hang", after_effect=True)
        ended: list[Exception] = []

        def post() -> None:
            try:
                client.send("POST", start(server), b"{}")
            except OSError as error:
                ended.append(error)

        thread = threading.Thread(target=post)
        thread.start()
        assert simulator.arrived(method="POST", path=":start")
    thread.join(10)
    client.connection.close()
    assert len(ended) == 1


def test_waiting_for_what_never_arrives_ends(simulator: Simulator) -> None:
    assert not simulator.arrived(path="/nothing", timeout=0.01)


def test_faults_come_over_the_wire_too(simulator: Simulator, client: Client, server: Server) -> None:
    order = {"match": {"method": "POST", "path": ":start"}, "fault": "504", "after_effect": True, "times": 1}
    assert client.order("faults", order) == (200, {})
    assert client.send("POST", start(server), b"{}")[0] == 504
    assert server.task is not None
    client.order("faults", {"fault": "500", "times": None})
    assert client.send("GET", "/api/dr/v2/sites")[0] == client.send("GET", "/api/dr/v2/sites")[0] == 500
    client.order("faults", {}, "DELETE")
    assert client.send("GET", "/api/dr/v2/sites")[0] == 200
    assert client.order("clock", {"advance": 30})[0] == 200
    assert server.status == "FAILOVER_TEST"
    client.order("clock", {"advance": 7200})
    assert client.send("GET", "/api/dr/v2/sites")[0] == 401


def test_the_world_is_changed_by_force(simulator: Simulator, client: Client, server: Server) -> None:
    _, shown = client.order("world", {"server": server.uuid, "issues": ["NotAllowed", ["X", "warning"]]})
    assert [(one["error"]["code"], one["severity"]) for one in shown["_issues"]] == [
        ("NotAllowed", "ERROR"),
        ("X", "warning"),
    ]
    _, shown = client.order(
        "world", {"server": server.uuid, "issues": None, "set": {"status": "ODD"}, "remove": ["vm"]}
    )
    assert shown["status"] == "ODD"
    assert not {"_issues", "vm"} & shown.keys()
    _, shown = client.order("world", {"site": server.site_uuid, "issues": ["VPNGatewayUnreachable"]})
    assert shown["failover_readiness"] == "ERROR"
    shown = simulator.force_server(server.uuid, issues=[], set={"vm": {"status": "STARTED"}}, status="FAILOVER_PROD")
    assert "active_failover" in shown["recovery"]
    assert simulator.force_server(server.uuid, task="t-1")["task_uuid"] == "t-1"
    simulator.force_site(server.site_uuid, delete=True)
    assert client.send("GET", f"/api/dr/v2/sites/{server.site_uuid}")[0] == 404
    client.order("world", {"server": server.uuid, "delete": True})
    assert client.get("/api/dr/v2/servers?limit=50")["paging"]["total"] == 39


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("world", {"server": "unknown"}),
        ("world", {}),
        ("world", []),
        ("clock", {"advance": -1}),
        ("clock", {}),
        ("faults", {"fault": "nonsense"}),
        ("faults", {"fault": "500", "match": {"verb": "POST"}}),
        ("faults", {"fault": "500", "tiems": 2}),
    ],
)
def test_an_order_that_does_not_fit_is_refused(client: Client, name: str, order: Any) -> None:
    assert client.order(name, order)[0] == 400


def test_control_is_for_loopback_clients_alone(simulator: Simulator) -> None:
    request = Request(method="GET", path="/_control/requests")
    assert control.respond(request, simulator, "127.0.0.1").status == 200
    assert control.respond(request, simulator, "::1").status == 200
    assert control.respond(request, simulator, "192.0.2.7").status == 403


def test_a_web_page_cannot_order_anything(client: Client) -> None:
    headers = {"Content-Type": "text/plain"}
    assert client.send("POST", "/_control/clock", b'{"advance": 60}', headers)[0] == 400


def test_a_body_without_a_length_is_refused(simulator: Simulator, client: Client, server: Server) -> None:
    headers = {"Authorization": f"Bearer {client.token}", "Transfer-Encoding": "chunked"}
    assert client.send("POST", start(server), None, headers)[0] == 413
    assert server.task is None


def test_twenty_clients_at_once_start_one_test(simulator: Simulator, server: Server) -> None:
    clients = [Client(simulator) for _ in range(20)]
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda one=one: statuses.append(one.send("POST", start(server), b"{}")[0]))
        for one in clients
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    for one in clients:
        one.connection.close()
    assert sorted(statuses) == [202, *[409] * 19]


def test_every_kind_of_fault_is_tried_here() -> None:
    tried = {"400", "401", "403", "404", "500", "502", "503", "504", "429", "html", "garbage", "redirect", "reset",
             "half_body", "drip", "hang", "answer"}  # fmt: skip
    assert set(KINDS) == tried
