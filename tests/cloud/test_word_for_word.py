"""What is said of an answer that is none, word for word."""

import json

import pytest

from drdash.cloud import wire
from drdash.cloud.errors import ErrorAnswer
from tests.cloud.conftest import TASK, refusal

SIGN_IN = b"<html>"
REDIRECT = "The cloud answered with a redirect ({}), which is never followed."
UNKNOWN = "The cloud answered {} with an empty body, which its reference does not know."


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (200, SIGN_IN, "The cloud answered with a page of HTML instead of JSON."),
        (200, b"", "The cloud answered with an empty body instead of JSON."),
        (200, b" " * 200 + b"x", "The cloud answered with an empty body instead of JSON."),
        (200, b" " * 199 + b"x", "The cloud answered with something that is not JSON instead of JSON."),
        (300, b"", REDIRECT.format(300)),
        (399, b"", REDIRECT.format(399)),
        (299, b"", UNKNOWN.format(299)),
        (499, b"", UNKNOWN.format(499)),
        (600, b"", UNKNOWN.format(600)),
        (418, b"[1]", "The cloud answered 418 with another JSON than documented, which its reference does not know."),
        (418, b"x", "The cloud answered 418 with something that is not JSON, which its reference does not know."),
    ],
)
def test_what_is_not_understood_is_said_in_full(status: int, body: bytes, sentence: str) -> None:
    for read in (wire.decipher, wire.page):
        with pytest.raises(wire.NotUnderstood) as caught:
            read(status, {}, body)
        assert str(caught.value) == sentence


def test_a_page_that_is_none_is_said_in_full() -> None:
    with pytest.raises(wire.NotUnderstood) as caught:
        wire.page(200, {}, b"{}")
    assert str(caught.value) == "The cloud answered with JSON that is not a page of a list of items."


def test_the_json_of_a_200_is_the_value() -> None:
    assert wire.decipher(200, {}, b' {"a": [1, null]}') == {"a": [1, None]}


@pytest.mark.parametrize("status", [500, 599])
def test_every_5xx_is_the_clouds_failure(status: int) -> None:
    assert type(wire.fault(status, {}, b"")) is wire.ServerFault


def test_an_error_of_another_status_is_quoted_where_it_is_documented() -> None:
    fault = wire.fault(418, {}, refusal())
    assert type(fault) is ErrorAnswer
    assert (fault.status, fault.code, fault.message) == (418, "ResourceBusy", "Busy.")


def test_what_a_conflict_and_a_bad_request_carry_without_a_readable_body() -> None:
    conflict, bad = wire.fault(409, {}, b""), wire.fault(400, {}, b"")
    assert isinstance(conflict, wire.Conflict)
    assert isinstance(bad, wire.BadRequest)
    assert (conflict.task_uuids, bad.additional) == ((), ())
    many = wire.fault(400, {}, json.dumps({"error": {"code": "x", "debug": {"additional": ["y"] * 30 + [7]}}}).encode())
    some = wire.fault(400, {}, b'{"error": {"code": "x", "debug": {"additional": [7, "y", null]}}}')
    odd = wire.fault(409, {}, refusal(task_uuids=[7, TASK.upper()]))
    assert isinstance(many, wire.BadRequest)
    assert isinstance(some, wire.BadRequest)
    assert isinstance(odd, wire.Conflict)
    assert (len(many.additional), some.additional, odd.task_uuids) == (20, ("y",), (TASK,))


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (
            202,
            b"",
            "The cloud answered 202, but with an empty body instead of the task that it started.",
        ),
        (409, refusal(task_uuids=7), "The cloud answered 409 ResourceBusy, but its list of tasks cannot be read."),
        (500, SIGN_IN, "The cloud answered 500 with a page of HTML, which does not tell whether it took the action."),
    ],
)
def test_an_unclear_answer_is_said_in_full_and_asks_for_no_wait(status: int, body: bytes, sentence: str) -> None:
    assert wire.answer(status, {"Retry-After": "9"}, body) == wire.Unclear(sentence)
    assert wire.Unclear(sentence).retry_after is wire.NeverSent(sentence).retry_after is None


@pytest.mark.parametrize("tasks", [None, 7, [7], "x"])
def test_a_refusal_says_nothing_that_the_cloud_did_not(tasks: object) -> None:
    error = {"code": "Odd", "context": {} if tasks is None else {"task_uuids": tasks}}
    refused = wire.answer(400, {"Retry-After": "9"}, json.dumps({"error": error}).encode())
    assert refused == wire.Refused(status=400, code="Odd", message="", task_uuids=(), retry_after=None, lacks="")
    assert wire.Refused(status=400, code="Odd", message="") == refused
