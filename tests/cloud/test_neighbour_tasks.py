"""A task's progress and result beside the DR API."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drdash.cloud import wire
from drdash.cloud.neighbours import tasks
from drdash.cloud.neighbours.tasks import Task, TaskResult, TaskState
from drdash.cloud.transport import Reply
from tests.sizes import cases, sized

UUID = "74a662f8-6fab-4003-8e84-93e6c9996846"


def read(*items: Any, uuid: str = UUID) -> Task | None:
    asked: list[str] = []

    def get(path: str) -> Reply:
        asked.append(path)
        return Reply(status=200, headers={}, body=json.dumps({"items": items}).encode())

    found = tasks.read(uuid, get, now=0)
    assert asked == [f"/api/task_manager/v2/tasks?uuid={uuid}"]
    return found


def one(**fields: Any) -> Task:
    found = read({"uuid": UUID.upper(), "state": "started", **fields})
    assert found is not None
    return found


def test_a_running_task_tells_how_far_it_is_and_what_is_left() -> None:
    task = one(progress={"current": 30, "total": 120, "leftTime": 45}, startedAt="2026-01-01T00:00:00Z")
    assert (task.state, task.done, task.left, task.over) == (TaskState.STARTED, 0.25, timedelta(seconds=45), False)


def test_a_failed_task_tells_its_error() -> None:
    error = {"domain": "DisasterRecovery", "code": "ServerNotReady", "context": {"server": "web-1", "deep": {"x": 1}}}
    task = one(state="completed", result={"code": "error", "error": error})
    assert (task.result, task.error, task.domain, task.context, task.over) == (
        TaskResult.ERROR,
        "ServerNotReady",
        "DisasterRecovery",
        "server: web-1",
        True,
    )


def test_words_that_nobody_knows_survive() -> None:
    task = one(state="dreaming", result={"code": "maybe"})
    assert task.state is not None
    assert task.result is not None
    assert (str(task.state), task.state.known, str(task.result), task.result.known) == (
        "dreaming",
        False,
        "maybe",
        False,
    )


def test_another_task_is_never_taken_for_it() -> None:
    assert read({"uuid": "5bc9464f-87b6-4ea8-aa42-050824135e63", "state": "started"}) is None
    assert read({"state": "started"}) is None
    assert read() is None


@pytest.mark.parametrize("uuid", ["", "a b", "a&x=1", "../x", "a/b", "é", "a\n"])
def test_what_is_no_id_is_not_asked_for(uuid: str) -> None:
    assert tasks.read(uuid, lambda _: pytest.fail("asked"), now=0) is None


@pytest.mark.parametrize("current", [None, "30", True, -1, 10**400, [], {}])
@pytest.mark.parametrize("total", [100, 0, None, "x"])
def test_a_progress_that_is_none_is_not_told(current: Any, total: Any) -> None:
    assert one(progress={"current": current, "total": total}).done is None


def test_a_progress_beyond_its_end_is_the_end() -> None:
    assert one(progress={"current": 300, "total": 100}).done == 1.0


@pytest.mark.parametrize("left", [None, "5", -1, True, 10**12, 10**400])
def test_a_time_left_that_is_none_is_not_told(left: Any) -> None:
    assert one(progress={"leftTime": left}).left is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["code", "error", "current", "total"]), inner)
    ),
    max_leaves=6,
)
FIELDS = st.sampled_from(["uuid", "state", "result", "progress", "startedAt", "completedAt"])
ITEMS = st.dictionaries(FIELDS, JSON).map(lambda given: {"uuid": UUID, **given}) | JSON


@settings(sized, max_examples=cases(40, full=20_000))
@given(st.binary() | st.lists(ITEMS, max_size=3).map(lambda items: json.dumps({"items": items}).encode()))
def test_any_body_is_a_task_or_none_or_a_named_error(body: bytes) -> None:
    try:
        found = tasks.read(UUID, lambda _: Reply(status=200, headers={}, body=body), now=0)
    except wire.CloudError:
        return
    assert found is None or isinstance(found, Task)
