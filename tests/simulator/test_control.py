"""The control endpoints: faults, time, the log and force, for loopback clients."""

import json
from typing import Any

import pytest

from drdash.simulator import control
from drdash.simulator.answers import Request
from drdash.simulator.server import running
from drdash.simulator.simulation import Simulator
from drdash.simulator.state import Server
from tests.simulator.conftest import Client, start


def test_faults_come_over_the_wire_too(simulator: Simulator, client: Client, remote: Server) -> None:
    order = {"match": {"method": "POST", "path": ":start"}, "fault": "504", "after_effect": True, "times": 1}
    assert client.order("faults", order) == (200, {})
    assert client.send("POST", start(remote), b"{}")[0] == 504
    assert remote.task is not None
    client.order("faults", {"fault": "500", "times": None})
    assert client.send("GET", "/api/dr/v2/sites")[0] == client.send("GET", "/api/dr/v2/sites")[0] == 500
    client.order("faults", {}, "DELETE")
    assert client.send("GET", "/api/dr/v2/sites")[0] == 200
    assert client.order("clock", {"advance": 30})[0] == 200
    assert remote.status == "FAILOVER_TEST"
    client.order("clock", {"advance": 7200})
    assert client.send("GET", "/api/dr/v2/sites")[0] == 401


def test_the_world_is_changed_by_force(simulator: Simulator, client: Client, remote: Server) -> None:
    _, shown = client.order("world", {"server": remote.uuid, "issues": ["NotAllowed", ["X", "warning"]]})
    assert [(one["error"]["code"], one["severity"]) for one in shown["_issues"]] == [
        ("NotAllowed", "ERROR"),
        ("X", "warning"),
    ]
    _, shown = client.order(
        "world", {"server": remote.uuid, "issues": None, "set": {"status": "ODD"}, "remove": ["vm"]}
    )
    assert shown["status"] == "ODD"
    assert not {"_issues", "vm"} & shown.keys()
    _, shown = client.order("world", {"site": remote.site_uuid, "issues": ["VPNGatewayUnreachable"]})
    assert shown["failover_readiness"] == "ERROR"
    shown = simulator.force_server(remote.uuid, issues=[], set={"vm": {"status": "STARTED"}}, status="FAILOVER_PROD")
    assert "active_failover" in shown["recovery"]
    assert simulator.force_server(remote.uuid, task="t-1")["task_uuid"] == "t-1"
    simulator.force_site(remote.site_uuid, delete=True)
    assert client.send("GET", f"/api/dr/v2/sites/{remote.site_uuid}")[0] == 404
    client.order("world", {"server": remote.uuid, "delete": True})
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
        ("clock", {"skew": "an hour"}),
        ("customers", {"customer": "nobody", "present": False}),
        ("customers", {"name": "Nobody's"}),
        ("clients", {"client": "nobody"}),
        ("issuer", {"second_factor": 1}),
        ("issuer", {"life": True}),
        ("issuer", {"password": "simulated-secret-x"}),
        ("assertion", {"lifetime": "long"}),
        ("clients", {"client": "drdash-reader", "revoke": "everything"}),
        ("clients", {"client": "drdash-reader", "sceret": "x"}),
    ],
)
def test_an_order_that_does_not_fit_is_refused(client: Client, name: str, order: Any) -> None:
    assert client.order(name, order)[0] == 400


def test_customers_and_clients_take_orders_over_the_wire() -> None:
    with running("partner", customers=2) as simulator:
        client = Client(simulator)
        new = client.order("customers", {"name": "Newcomer Ltd", "servers": 1})[1]["id"]
        client.order("customers", {"customer": new, "present": False})
        _, found = client.order("customers", {}, "GET")
        assert [(one["name"], one["present"]) for one in found["customers"][-1:]] == [("Newcomer Ltd", False)]
        assert len(simulator.worlds) == 3
        _, shown = client.order("clients", {"client": simulator.reader_id, "enabled": False, "secret": "x"})
        assert shown == {"client": "drdash-reader", "enabled": False, "scopes": ["protection::readonly"]}
        assert client.send("GET", "/api/dr/v2/sites")[0] == 200
        client.order("clients", {"client": simulator.client_id, "revoke": "all"})
        assert client.send("GET", "/api/dr/v2/sites")[0] == 401
        client.connection.close()


def test_the_issuer_takes_orders_over_the_wire(client: Client) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    text = client.order("assertion", {"lifetime": 60})[1]["assertion"]
    form = f"grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion={text}".encode()
    assert client.order("issuer", {"tells_expires_in": False, "life": 90})[1]["life"] == 90
    status, _, body = client.send("POST", "/api/2/idp/token", form, headers)
    assert (status, "expires_in" in json.loads(body)) == (200, False)
    client.order("issuer", {"demands_client": True})
    assert client.send("POST", "/api/2/idp/token", form, headers)[0] == 401


def test_control_is_for_loopback_clients_alone(simulator: Simulator) -> None:
    request = Request(method="GET", path="/_control/requests")
    assert control.respond(request, simulator, "127.0.0.1").status == 200
    assert control.respond(request, simulator, "::1").status == 200
    assert control.respond(request, simulator, "192.0.2.7").status == 403


def test_a_web_page_cannot_order_anything(client: Client) -> None:
    headers = {"Content-Type": "text/plain"}
    assert client.send("POST", "/_control/clock", b'{"advance": 60}', headers)[0] == 400
