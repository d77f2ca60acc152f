"""Answers to a POST: accepted, refused, or unclear."""

import json

import pytest

from drdash.cloud import wire
from tests.cloud.conftest import TASK, example, refusal


def test_a_202_with_its_task_is_accepted() -> None:
    assert wire.answer(202, {}, example("accepted")) == wire.Accepted(task_uuid=TASK)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429])
def test_a_documented_no_is_refused(status: int) -> None:
    refused = wire.answer(status, {}, example(f"error_{status}"))

    assert isinstance(refused, wire.Refused)
    assert refused.status == status
    assert refused.code
    assert refused.message
    assert wire.answer(status, {}, refusal()) == wire.Refused(
        status=status, code="ResourceBusy", message="Busy.", retry_after=60 if status == 429 else None
    )


def test_a_409_names_its_tasks_in_lower_case_and_a_429_its_wait() -> None:
    busy = wire.answer(409, {}, refusal(task_uuids=[TASK.upper(), "another"]))
    limited = wire.answer(429, {"Retry-After": "400"}, example("error_429"))

    assert isinstance(busy, wire.Refused)
    assert busy.task_uuids == (TASK, "another")
    assert isinstance(limited, wire.Refused)
    assert limited.retry_after == 400


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, example("accepted")),
        (201, example("accepted")),
        (203, example("accepted")),
        (202, b""),
        (202, b"{}"),
        (202, example("accepted")[:-3]),
        (202, b'{"task_uuid": ""}'),
        (202, b'{"task_uuid": "soon"}'),
        (202, json.dumps({"task_uuid": TASK + "\n"}).encode()),
        (202, json.dumps([{"task_uuid": TASK}]).encode()),
        (202, json.dumps({"task_uuid": [TASK]}).encode()),
        (202, b"<html>"),
        (301, example("accepted")),
        (307, b""),
        (400, b"<html>"),
        (400, b'{"error": "bad"}'),
        (403, b'{"error": {"code": 7}}'),
        (404, b'{"error": {"code": " "}}'),
        (404, b"<html>not here</html>"),
        (408, refusal()),
        (409, refusal()[:-5]),
        (409, refusal(task_uuids="not a list")),
        (409, refusal(task_uuids=[TASK, 7])),
        (429, b"<html>"),
        (500, example("error_500")),
        (502, b"<html>"),
        (504, b""),
    ],
)
def test_everything_else_is_unclear(status: int, body: bytes) -> None:
    unclear = wire.answer(status, {}, body)

    assert isinstance(unclear, wire.Unclear)
    assert str(status) in unclear.sentence


def test_an_unclear_429_still_asks_to_wait() -> None:
    assert wire.answer(429, {"Retry-After": "90"}, b"<html>") == wire.Unclear(
        "The cloud answered 429 with a page of HTML, which does not tell whether it took the action.", retry_after=90
    )
