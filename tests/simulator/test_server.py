"""The wire: what a client gets when all is well, and when it breaks on order."""

import http.client
import json
import threading

import pytest

from drdash.simulator.answers import Request
from drdash.simulator.faults import KINDS, Kind
from drdash.simulator.server import running
from drdash.simulator.simulation import CLIENT_SECRET, Simulator
from drdash.simulator.state import Server
from tests.simulator.conftest import Client, start


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


def test_links_to_screenshots_point_to_the_simulator_itself() -> None:
    with running("customer") as simulator:
        recovery = [server.recovery for server in simulator.world.servers.values() if server.is_recovery]
        tests = [one.get("automated_test_failover", {}) for one in recovery]
        links = [link for test in tests for name, link in test.items() if name.startswith("screenshot") and link]
        assert links
        assert all(link.startswith(f"{simulator.url}/") for link in links)


def test_time_moves_only_when_it_is_told_to(simulator: Simulator, client: Client, remote: Server) -> None:
    client.send("POST", start(remote), b"{}")
    assert client.get(f"/api/dr/v2/servers?recovery.resource_id={remote.resource_id}")["items"][0]["status"] == (
        "STARTING_FAILOVER_TEST"
    )
    simulator.advance(20)
    assert remote.status == "FAILOVER_TEST"


def test_the_log_tells_requests_but_no_credentials(simulator: Simulator, client: Client, remote: Server) -> None:
    client.send("POST", start(remote), b'{"recovery_point": 1}')
    token, post = simulator.requests
    assert (token.path, token.body) == ("/api/2/idp/token", "grant_type=client_credentials")
    assert (post.method, post.path, post.body) == ("POST", start(remote), '{"recovery_point": 1}')
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
    simulator: Simulator, client: Client, remote: Server, kind: Kind, after_effect: bool
) -> None:
    simulator.fail(kind, method="POST", path=":start_failover_test", after_effect=after_effect)
    status, _, body = client.send("POST", start(remote), b"{}")
    assert (status, body[:1]) != (202, b"{")
    assert (remote.task is not None) == after_effect
    assert len(simulator.posts) == 1


@pytest.mark.parametrize("after_effect", [False, True])
def test_a_reset_gives_no_answer_at_all(
    simulator: Simulator, client: Client, remote: Server, after_effect: bool
) -> None:
    simulator.fail("reset", method="POST", after_effect=after_effect)
    with pytest.raises(ConnectionResetError) as reset:
        client.send("POST", start(remote), b"{}")
    assert not isinstance(reset.value, http.client.RemoteDisconnected)  # that is how an orderly end looks
    assert (remote.task is not None) == after_effect


def test_half_a_body_ends_early(simulator: Simulator, client: Client, remote: Server) -> None:
    simulator.fail("half_body")
    with pytest.raises(http.client.IncompleteRead):
        client.send("POST", start(remote), b"{}")
    assert remote.task is not None


def test_a_body_that_drips_comes_whole_in_the_end(simulator: Simulator, client: Client, remote: Server) -> None:
    simulator.fail("drip", seconds=0.001)
    status, _, body = client.send("POST", start(remote), b"{}")
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


def test_a_request_that_hangs_goes_on_when_released(simulator: Simulator, client: Client, remote: Server) -> None:
    simulator.fail("hang", method="POST", path=":start")
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(client.send("POST", start(remote), b"{}")[0]))
    thread.start()
    assert simulator.arrived(method="POST", path=":start")
    assert remote.task is None
    assert answers == []
    simulator.clear_faults()
    thread.join(10)
    assert answers == [202]


def test_a_release_reaches_what_has_arrived_and_does_not_hang_yet(simulator: Simulator) -> None:
    simulator.fail("hang")
    _, release = simulator.receive(Request(method="GET", path="/"), 1)
    simulator.release()
    assert release.is_set()


def test_a_simulator_that_stops_lets_nothing_hang(remote: Server) -> None:
    with running("quiet") as simulator:
        client = Client(simulator)
        simulator.fail("hang", after_effect=True)
        ended: list[Exception] = []

        def post() -> None:
            try:
                client.send("POST", start(remote), b"{}")
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


def test_a_body_without_a_length_is_refused(simulator: Simulator, client: Client, remote: Server) -> None:
    headers = {"Authorization": f"Bearer {client.token}", "Transfer-Encoding": "chunked"}
    assert client.send("POST", start(remote), None, headers)[0] == 413
    assert remote.task is None


def test_twenty_clients_at_once_start_one_test(simulator: Simulator, remote: Server) -> None:
    clients = [Client(simulator) for _ in range(20)]
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda one=one: statuses.append(one.send("POST", start(remote), b"{}")[0]))
        for one in clients
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    for one in clients:
        one.connection.close()
    assert sorted(statuses) == [202, *[409] * 19]


def test_every_kind_of_fault_is_tried_here_or_beside() -> None:
    beside = {"empty", "huge", "truncated", "wrong_types", "repeated_cursor", "shrinks", "grows", "duplicates"}
    here = {"400", "401", "403", "404", "500", "502", "503", "504", "429", "html", "garbage", "redirect", "reset",
            "half_body", "drip", "hang", "answer"}  # fmt: skip
    assert set(KINDS) == here | beside
