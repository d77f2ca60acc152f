"""The simulated APIs beside the DR API: recovery points, tasks, screenshots."""

import json
import struct
import zlib
from typing import Any
from urllib.parse import urlencode

import pytest

from drdash.simulator.answers import Request, Response
from drdash.simulator.neighbours import SCOPES, respond
from drdash.simulator.scenarios import build
from drdash.simulator.state import FAILURES, Server
from drdash.simulator.world import World

ADMIN = frozenset({"dr_service::admin"})
BACKUPS, TASKS = "/bc/api/vault_manager/v1/backups", "/api/task_manager/v2/tasks"


@pytest.fixture
def world() -> World:
    return build("quiet", now=1_800_000_000)


def recovery(world: World) -> Server:
    return next(one for one in world.servers.values() if one.is_recovery and one.status == "STAND_BY" and not one.task)


def get(world: World, path: str, held: frozenset[str] | None = ADMIN, **query: Any) -> Response:
    answer = respond(Request(method="GET", path=path, query=urlencode(query, doseq=True)), world, held)
    assert answer is not None
    return answer


def read(world: World, path: str, **query: Any) -> Any:
    answer = get(world, path, **query)
    assert answer.status == 200
    return json.loads(answer.body)


def test_a_server_has_its_recovery_points_the_newest_first(world: World) -> None:
    server = recovery(world)
    href = next(one["href"] for one in world.document(server)["_links"] if "RECOVERY_POINTS" in one["rel"])
    path, _, query = href.removeprefix(world.base_url).partition("?")
    answer = respond(Request(method="GET", path=path, query=query), world, ADMIN)
    assert answer is not None
    items = json.loads(answer.body)["items"]
    assert [one["created"] for one in items] == sorted((one["created"] for one in items), reverse=True)
    assert {one["backup_id"] for one in items} == {one["backup_id"] for one in server.points}
    assert all(
        {"vault_id", "archive_id", "type", "size", "deleted", "failover_check_info"} <= one.keys() for one in items
    )


def test_a_hundred_stand_on_a_page_and_the_cursor_goes_alone(world: World) -> None:
    server = recovery(world)
    one = server.points[0]
    server.points = [
        {**one, "backup_id": f"b{n}", "created": f"2026-01-01T00:{n // 60:02}:{n % 60:02}"} for n in range(250)
    ]
    ids: list[str] = []
    query: dict[str, Any] = {"resourceId": ["x", server.resource_id]}
    while True:
        page = read(world, BACKUPS, **query)
        assert len(page["items"]) <= 100
        ids += [item["backup_id"] for item in page["items"]]
        if not (after := page["paging"]["cursors"].get("after")):
            break
        query = {"after": after}
    assert ids == [f"b{n}" for n in reversed(range(250))]
    assert get(world, BACKUPS, after="nonsense").status == 400


def test_what_is_deleted_is_listed_on_demand_alone(world: World) -> None:
    server = recovery(world)
    server.points[0]["deleted"] = True
    assert len(read(world, BACKUPS, resourceId=server.uuid, showDeleted=0)["items"]) == len(server.points) - 1
    assert len(read(world, BACKUPS, resourceId=server.uuid, showDeleted=1)["items"]) == len(server.points)


def test_some_points_have_malware_or_did_not_pass_their_check(world: World) -> None:
    uuids = [one.uuid for one in world.servers.values() if one.is_recovery]
    items = read(world, BACKUPS, resourceId=uuids)["items"]
    assert {one["malware_assessment_result"] for one in items} == {0, 1}
    assert {one["failover_check_info"]["is_critical_error"] for one in items} == {True, False}


def test_a_task_moves_with_the_clock_and_ends(world: World) -> None:
    task = world.start(recovery(world).uuid, production=False)
    seen = []
    for _ in range(12):
        world.advance(world.now + 2)
        (item,) = read(world, TASKS, uuid=task.upper())["items"]
        seen.append(item)
    moving = [one["progress"] for one in seen if one["state"] == "started"]
    assert [one["current"] for one in moving] == sorted({one["current"] for one in moving})
    assert [one["leftTime"] for one in moving] == sorted({one["leftTime"] for one in moving}, reverse=True)
    assert seen[-1]["state"] == "completed"
    assert seen[-1]["result"] == {"code": "ok"}


def test_a_task_that_fails_says_why(world: World) -> None:
    server = recovery(world)
    server.fails_next = True
    task = world.start(server.uuid, production=False)
    world.advance(world.now + 60)
    result = read(world, TASKS, uuid=task)["items"][0]["result"]
    assert result["code"] == "error"
    assert result["error"]["code"] in FAILURES


def test_a_task_that_gave_way_is_cancelled(world: World) -> None:
    server = recovery(world)
    task = world.start(server.uuid, production=False)
    server.task = None
    world.advance(world.now + 60)
    assert read(world, TASKS, uuid=task)["items"][0]["result"] == {"code": "cancelled"}


def test_a_task_that_nobody_knows_is_not_listed(world: World) -> None:
    assert read(world, TASKS, uuid="5bc9464f-87b6-4ea8-aa42-050824135e63")["items"] == []


def test_a_screenshot_is_a_png_of_its_size(world: World) -> None:
    tested = [one for one in world.servers.values() if one.is_recovery and _tested(one)]
    for size, wide in (("full", 640), ("preview", 192)):
        answer = get(world, f"/bc/api/dr/v1/servers/{tested[0].uuid}/automatedTestFailover/screenshot", size=size)
        assert ("Content-Type", "image/png") in answer.headers
        width, height = struct.unpack(">II", answer.body[16:24])
        start = answer.body.index(b"IDAT")
        (length,) = struct.unpack(">I", answer.body[start - 4 : start])
        pixels = zlib.decompress(answer.body[start + 4 : start + 4 + length])
        assert (width, len(pixels)) == (wide, height * (3 * width + 1))


def test_a_server_without_a_test_has_no_screenshot(world: World) -> None:
    untested = next(one for one in world.servers.values() if one.is_recovery and not _tested(one))
    for uuid in (untested.uuid, "nobody"):
        assert get(world, f"/bc/api/dr/v1/servers/{uuid}/automatedTestFailover/screenshot").status == 404


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("backups", BACKUPS),
        ("tasks", TASKS),
        ("screenshots", "/api/dr/v1/servers/x/automatedTestFailover/screenshot"),
    ],
)
def test_each_is_behind_a_scope_of_its_own(world: World, name: str, path: str) -> None:
    assert get(world, path, None).status == 401
    assert get(world, path, frozenset({"other::scope"})).status == 403
    for scope in SCOPES[name]:
        assert get(world, path, frozenset({scope})).status != 403
    refused = respond(Request(method="POST", path=path), world, ADMIN)
    assert refused is not None
    assert refused.status == 405


def test_everything_else_is_none_of_its_business(world: World) -> None:
    assert respond(Request(method="GET", path="/api/dr/v2/servers"), world, ADMIN) is None


def _tested(server: Server) -> bool:
    return bool(server.recovery.get("automated_test_failover", {}).get("last_status"))
