"""The APIs beside the DR API, each behind scopes of its own: recovery points, tasks, screenshots."""

import binascii
import json
import re
import struct
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from functools import cache
from urllib.parse import parse_qs

from drdash.simulator.answers import (
    Invalid,
    Request,
    Response,
    answer,
    bad_request,
    forbidden,
    not_found,
    unauthorized,
    wrong_method,
)
from drdash.simulator.issues import JSON
from drdash.simulator.state import Server, Task, iso
from drdash.simulator.world import World

PATH = re.compile(
    r"(?:/bc)?/api/(?:(?P<backups>vault_manager/v1/backups)|(?P<tasks>task_manager/v2/tasks)"
    r"|dr/v1/servers/(?P<screenshots>[^/]+)/automatedTestFailover/screenshot)"
)
_EVERYBODY = frozenset({"dr_service::admin", "dr::support_operator"})
SCOPES = {
    "backups": _EVERYBODY | {"protection::readonly", "vault_manager::read"},
    "tasks": _EVERYBODY | {"urn:acronis.com::task_manager::viewer"},
    "screenshots": _EVERYBODY | {"protection::readonly"},
}
PAGE = 100
DOMAIN = "DisasterRecovery"
DOT = 4  # pixels of a screenshot that have one colour, in both directions


def respond(request: Request, world: World, held: frozenset[str] | None) -> Response | None:
    """The answer to a request with these scopes (None: without a good token); None: it is for no neighbour."""
    if (matched := PATH.fullmatch(request.path)) is None:
        return None
    if request.method != "GET":
        return wrong_method("GET")
    if held is None:
        return unauthorized()
    name = str(matched.lastgroup)
    if not held & SCOPES[name]:
        return forbidden()
    query = parse_qs(request.query, keep_blank_values=True)
    try:
        return _ANSWERS[name](world, matched[name], query)
    except Invalid as invalid:
        return bad_request(invalid.reasons)


def _backups(world: World, _path: str, query: dict[str, list[str]]) -> Response:
    """Where DR_CLOUD_SERVER_RECOVERY_POINTS leads, the newest first. A cursor knows what was asked, and goes alone."""
    if "after" in query:
        resources, deleted, start = _opened(query["after"][0])
    else:
        resources = sorted(text.lower() for text in query.get("resourceId", []))
        deleted, start = query.get("showDeleted", ["0"])[0] != "0", 0
    points = [
        _backup(server, number, point)
        for server in world.servers.values()
        if {server.key, server.resource_id.lower()} & set(resources)
        for number, point in enumerate(server.points)
    ]
    points = [point for point in points if deleted or not point["deleted"]]
    points.sort(key=lambda point: str(point["created"]), reverse=True)
    cursors = {}
    if start + PAGE < len(points):
        held = json.dumps([resources, deleted, start + PAGE]).encode()
        cursors["after"] = urlsafe_b64encode(held).decode()
    return answer(200, {"items": points[start : start + PAGE], "paging": {"cursors": cursors}})


def _backup(server: Server, number: int, point: JSON) -> JSON:
    """A recovery point as the vault manager shows it. On some servers one has malware, or did not pass its check."""
    case = (server.ordinal % 4, number)
    check = {
        (1, 2): {"error": "The file system of the system volume is damaged.", "is_critical_error": True},
        (2, 1): {"error": "A driver for the virtual disk is missing.", "is_critical_error": False},
    }.get(case, {"error": None, "is_critical_error": False})
    return {
        "deleted": False,
        "malware_assessment_result": 1 if case == (1, 1) else 0,
        "failover_check_info": check,
        "archive": {"name": f"{server.fields['name']} backup"},
        **point,
    }


def _opened(cursor: str) -> tuple[list[str], bool, int]:
    try:
        resources, deleted, start = json.loads(urlsafe_b64decode(cursor))
        return list(map(str, resources)), bool(deleted), int(start)
    except (ValueError, TypeError, binascii.Error):
        raise Invalid(f"{json.dumps(cursor)} is not a valid cursor") from None


def _tasks(world: World, _path: str, query: dict[str, list[str]]) -> Response:
    wanted = [text.lower() for text in query.get("uuid", [])]
    running = {server.task.uuid.lower(): server.task for server in world.servers.values() if server.task}
    known = running | {uuid.lower(): task for uuid, task in world.tasks.items()}
    items = [_task(known[uuid], world.now) for uuid in wanted if uuid in known]
    return answer(200, {"items": items, "paging": {"cursors": {}}})


def _task(task: Task, now: float) -> JSON:
    shown: JSON = {"uuid": task.uuid, "type": f"dr.{task.name}", "state": "started"}
    if task.began is None:
        return shown
    shown["startedAt"] = iso(task.began)
    if task.finished is not None:
        shown |= {"state": "completed", "completedAt": iso(task.finished), "result": _result(task.result)}
        return shown
    if task.ends is not None:
        whole = max(task.ends - task.began, 1.0)
        current = int(100 * min(1.0, (now - task.began) / whole))
        shown["progress"] = {"current": current, "total": 100, "leftTime": max(0, round(task.ends - now))}
    return shown


def _result(result: str) -> JSON:
    if result in ("ok", "cancelled"):
        return {"code": result}
    return {"code": "error", "error": {"domain": DOMAIN, "code": result, "context": {}}}


def _screenshot(world: World, uuid: str, query: dict[str, list[str]]) -> Response:
    server = world.server(uuid)
    test: JSON = server.recovery.get("automated_test_failover", {}) if server and server.is_recovery else {}
    if server is None or not test.get("last_status"):
        return not_found(f"Screenshot [{uuid}]")
    big = query.get("size", ["full"])[0] != "preview"
    picture = _picture(640 if big else 192, 400 if big else 120, test["last_status"] == "SUCCESS")
    return Response(200, picture, (("Content-Type", "image/png"),))


_ANSWERS: dict[str, Callable[[World, str, dict[str, list[str]]], Response]] = {
    "backups": _backups,
    "tasks": _tasks,
    "screenshots": _screenshot,
}


@cache
def _picture(width: int, height: int, booted: bool) -> bytes:
    """A PNG of a screen: a window to sign in when the machine has booted, else white lines on black."""
    rows, colours = bytearray(), _booted if booted else _crashed
    for y in range(0, height, DOT):
        rows += (b"\0" + b"".join(colours(x / width, y / height) * DOT for x in range(0, width, DOT))) * DOT
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(bytes(rows), 9)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _booted(x: float, y: float) -> bytes:
    if 0.36 < x < 0.64 and 0.3 < y < 0.7:
        field = 0.4 < x < 0.6 and (0.42 < y < 0.48 or 0.53 < y < 0.59)
        return bytes((250, 250, 252)) if field else bytes((214, 222, 233))
    return bytes((int(18 + 20 * y), int(60 + 60 * y), int(110 + 70 * x)))


def _crashed(x: float, y: float) -> bytes:
    line = int(y * 40)
    lit = line % 2 == 1 and line < 24 and 0.03 < x < 0.25 + 0.07 * (line * 7 % 9) and int(x * 90) % 7 > 0
    return bytes((205, 205, 205)) if lit else bytes((8, 8, 10))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
