"""The control endpoints: faults, the clock, the log of requests and the hand of fate, for loopback clients only."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from ipaddress import ip_address
from typing import TYPE_CHECKING

from drdash.simulator import accounts, faults, incidents
from drdash.simulator.answers import Invalid, Request, Response, answer, bad_request, error, forbidden, wrong_method
from drdash.simulator.issues import JSON, issue
from drdash.simulator.state import Server, Site, Task
from drdash.simulator.world import World, latest_point

if TYPE_CHECKING:
    from drdash.simulator.simulation import Simulator

PREFIX = "/_control/"
_ALLOWED = {
    "faults": ("POST", "DELETE"),
    "clock": ("POST",),
    "requests": ("GET", "DELETE"),
    "world": ("POST",),
    "customers": ("GET", "POST"),
    "clients": ("POST",),
    "issuer": ("POST",),
    "assertion": ("POST",),
}


def respond(request: Request, simulator: "Simulator", client: str) -> Response:
    """Do what is ordered. A POST must be JSON, so that no web page can order anything."""
    if not ip_address(client).is_loopback:
        return forbidden()
    name = request.path.removeprefix(PREFIX)
    if name not in _ALLOWED:
        return error(404, "EntityNotFound", f"The control endpoints are {', '.join(_ALLOWED)}.")
    if request.method not in _ALLOWED[name]:
        return wrong_method(*_ALLOWED[name])
    try:
        return answer(200, _do(name, request, simulator))
    except Invalid as invalid:
        return bad_request(invalid.reasons)


def _do(name: str, request: Request, simulator: "Simulator") -> JSON:
    if request.method == "POST":
        order = _order(request)
        if name == "faults":
            simulator.add_fault(faults.from_order(order))
            return {}
        if name == "clock":
            return _clock(order, simulator)
        with simulator.lock:
            simulator.advance(0)
            if name == "clients":
                return accounts.force_client(simulator.issuer, order)
            if name == "issuer":
                return accounts.force_issuer(simulator.issuer, order)
            if name == "assertion":
                return {"assertion": accounts.assertion(simulator, order)}
            if name == "customers":
                change = accounts.force_customer if "customer" in order else accounts.add_customer
                return change(simulator, order)
            return force(simulator.worlds.values(), order)
    if name == "customers":
        return {"customers": accounts.customers(simulator)}
    if name == "requests":
        if request.method == "DELETE":
            simulator.forget_requests()
        return {"requests": [asdict(one) for one in simulator.requests]}
    simulator.clear_faults()
    return {}


def _clock(order: JSON, simulator: "Simulator") -> JSON:
    """`advance` moves time; `skew` lets the cloud's clock show so many seconds more than everybody else's."""
    if not order or order.keys() - {"advance", "skew"}:
        raise Invalid("an order to the clock is advance or skew")
    for name, value in order.items():
        if not isinstance(value, int | float) or (name == "advance" and value < 0):
            raise Invalid(f"{name} is a number of seconds")
    simulator.skew = order.get("skew", simulator.skew)
    simulator.advance(order.get("advance", 0))
    return {"now": simulator.clock.now()}


def _order(request: Request) -> JSON:
    if request.media_type != "application/json":
        raise Invalid("the order must be application/json")
    try:
        order = json.loads(request.body)
    except ValueError:
        raise Invalid("the order is not valid JSON") from None
    if not isinstance(order, dict):
        raise Invalid("the order is not an object")
    return order


def force(worlds: Iterable[World], order: JSON) -> JSON:
    """Change one item of one of the worlds behind the API's back; returns its document. Raises Invalid.

    `{"site": uuid}` or `{"server": uuid}`, and any of: `issues` (codes, or `[code, severity, link]`, or whole issues;
    null: a server without `_issues`), `status`, `set` (fields of the document), `remove` (names of fields),
    `delete: true`; for a server `task` (a UUID, or null: none), `fail_next: true` (its next task fails), and
    `run: "reboot"` or `"automated_test"`; for a site `restore: true`.
    """
    world, kind, item = _item(worlds, order)
    unknown = sorted(order.keys() - _ORDERS[kind] - {kind, "issues", "status", "set", "remove", "delete"})
    if unknown:
        raise Invalid(f"unknown: {', '.join(unknown)}")
    if order.get("issues", ()) is None and isinstance(item, Server):
        item.issues = None
    elif "issues" in order:
        item.issues = [_issue(one, item.uuid) for one in order["issues"]]
    item.overlay |= order.get("set", {})
    item.hidden = (item.hidden - order.get("set", {}).keys()) | set(order.get("remove", ()))
    if isinstance(item, Site):
        _force_site(world, item, order)
    else:
        _force_server(world, item, order)
    world.changed(item)
    return world.document(item)


_ORDERS = {"site": frozenset({"restore"}), "server": frozenset({"task", "fail_next", "run"})}


def _item(worlds: Iterable[World], order: JSON) -> tuple[World, str, Site | Server]:
    for world in worlds:
        if "site" in order and (site := world.site(str(order["site"]))) is not None:
            return world, "site", site
        if "server" in order and (server := world.server(str(order["server"]))) is not None:
            return world, "server", server
    raise Invalid("no such site or server")


def _force_site(world: World, site: Site, order: JSON) -> None:
    site.status = order.get("status", site.status)
    if order.get("delete"):
        site.deleted_at = world.now
    if order.get("restore"):
        site.deleted_at = None


def _force_server(world: World, server: Server, order: JSON) -> None:
    if "task" in order:
        server.task = Task(order["task"], "other") if order["task"] else None
    if "status" in order:
        status = order["status"]
        if status == "STAND_BY":
            world.stand_by(server)
        elif status in _RUNNING and "active_failover" not in server.recovery:
            world.running(server, status, latest_point(server))
        server.fields["status"] = status
    server.fails_next = order.get("fail_next", server.fails_next)
    if "run" in order:
        if order["run"] not in _RUNS or server.task is not None or not server.is_recovery:
            raise Invalid(f"run is one of {', '.join(_RUNS)}, on a recovery server that is not busy")
        _RUNS[order["run"]](world, server)
    if order.get("delete"):
        world.remove(server)


_RUNS = {"reboot": incidents.reboot, "automated_test": incidents.automated_test}
_RUNNING = frozenset({"FAILOVER_TEST", "FAILOVER_TEST_AUTO", "FINALIZATION", "FINALIZATION_FAILED", "FAILOVER_PROD"})


def _issue(order: object, target: str) -> JSON:
    if isinstance(order, str):
        return issue(order, target)
    if isinstance(order, list) and 1 <= len(order) <= 3:
        code, severity, link = order + ["ERROR", None][len(order) - 1 :]
        return issue(code, target, severity=severity, link=link)
    if isinstance(order, dict):
        return order
    raise Invalid("an issue is a code, [code, severity, link] or an object")
