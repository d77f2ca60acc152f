import json
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import example as case
from hypothesis import given
from hypothesis import strategies as st

from drdash.cloud import wire
from drdash.cloud.errors import CloudError, ErrorAnswer, shortened
from tests.cloud.conftest import example

TASK = "f1b3b3b4-4b1b-4b1b-4b1b-4b1b4b1b4b1b"
NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
ERROR = ["error", "code", "context", "debug", "msg", "additional", "task_uuids", "retry_after"]
NAMES = st.sampled_from([*ERROR, "task_uuid", "items", "paging", "cursors", "after", "total"])
shaped = st.recursive(
    json_values, lambda inner: st.dictionaries(NAMES, inner, max_size=5) | st.lists(inner, max_size=3), max_leaves=15
)
bodies = (
    st.binary(max_size=80)
    | shaped.map(lambda value: json.dumps(value).encode())
    | st.sampled_from([example(name) for name in ("servers_first", "error_409", "error_429", "accepted")]).flatmap(
        lambda body: st.integers(0, len(body)).map(lambda length: body[:length])
    )
)
statuses = st.sampled_from([200, 202, 204, 301, 307, 400, 401, 403, 404, 409, 418, 429, 500, 504]) | st.integers()
headers = st.dictionaries(
    st.sampled_from(["Retry-After", "retry-after", "Date", "Server", "Content-Type"]),
    st.text(max_size=30) | st.sampled_from(["9" * 5000, "-5", "Fri, 31 Dec 9999 23:59:59 GMT", "Tue, 14 Nov 2023"]),
)


def refusal(code: str = "ResourceBusy", **context: Any) -> bytes:
    return json.dumps({"error": {"code": code, "context": context, "debug": {"msg": "Busy."}}}).encode()


# A value or a named error


@given(status=statuses, headers=headers, body=bodies)
@case(status=200, headers={}, body=b"[" * 100_000)
@case(status=429, headers={}, body=b'{"error":{"code":"x","context":{"retry_after":' + b"9" * 300 + b"}}}")
def test_any_answer_is_a_value_or_a_named_error(status: int, headers: dict[str, str], body: bytes) -> None:
    for read in (wire.decipher, wire.page):
        try:
            read(status, headers, body, now=NOW)
            got = None
        except CloudError as error:
            got = error
        assert (got is None) <= (status == 200) <= (got is None or isinstance(got, wire.NotUnderstood))
        assert str(got).isprintable()
        assert got is None or str(got).endswith(".")


@given(status=statuses, headers=headers, body=bodies)
def test_an_answer_to_a_post_is_definite_only_in_the_references_own_shape(
    status: int, headers: dict[str, str], body: bytes
) -> None:
    match wire.answer(status, headers, body, now=NOW):
        case wire.Accepted(task_uuid=task):
            assert status == 202
            assert json.loads(body)["task_uuid"] == task
        case wire.Refused() as refused:
            assert status in {400, 401, 403, 404, 409, 429}
            assert isinstance(json.loads(body)["error"]["code"], str)
            assert (refused.retry_after is not None) == (status == 429)
        case wire.Unclear(sentence=sentence):
            assert sentence.isprintable()


# The reference's own examples


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, wire.BadRequest, "BadRequest"),
        (401, wire.Unauthorized, "Unauthorized"),
        (403, wire.Forbidden, "MethodNotAllowed"),
        (404, wire.NotFound, "EntityNotFound"),
        (409, wire.Conflict, "ResourceBusy"),
        (429, wire.TooManyRequests, "TooManyRequests"),
        (500, wire.ServerFault, "InternalError"),
    ],
)
def test_each_documented_error_has_its_name(status: int, kind: type[ErrorAnswer], code: str) -> None:
    with pytest.raises(kind) as caught:
        wire.decipher(status, {}, example(f"error_{status}"))

    assert type(caught.value) is kind
    assert caught.value.code == code
    assert caught.value.message == json.loads(example(f"error_{status}"))["error"]["debug"]["msg"]
    assert str(status) in str(caught.value)
    assert code in str(caught.value)


def test_what_the_errors_carry_besides() -> None:
    with pytest.raises(wire.BadRequest) as bad:
        wire.decipher(400, {}, example("error_400"))
    with pytest.raises(wire.Conflict) as conflict:
        wire.decipher(409, {}, example("error_409"))
    with pytest.raises(wire.TooManyRequests) as too_many:
        wire.decipher(429, {}, example("error_429"))

    assert bad.value.additional == ('"" does not match "\\\\S+"',)
    assert conflict.value.task_uuids == ("9c616a68-8011-44fd-be2f-1b2b3a374d84",)
    assert too_many.value.retry_after == 300


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 502, 503, 504])
def test_an_error_of_a_get_is_named_by_its_status_even_without_a_body(status: int) -> None:
    with pytest.raises(ErrorAnswer) as caught:
        wire.decipher(status, {}, b"")

    assert (caught.value.status, caught.value.code, caught.value.message) == (status, "", "")


def test_the_pages_of_the_reference() -> None:
    first = wire.page(200, {}, example("servers_first"))
    last = wire.page(200, {}, example("servers_last"))
    none = wire.page(200, {}, example("servers_none"))

    assert [len(page.items) for page in (first, last, none)] == [2, 1, 0]
    assert [page.after for page in (first, last, none)] == ["eyJSJdfQ", None, None]
    assert [page.total for page in (first, last, none)] == [3, 3, 0]
    assert json.loads(bytes(first.items[1]))["uuid"] == "565cf826-5332-4fd8-9109-2b81630e486d"


# What is no answer of a DR cloud


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (200, b"", "an empty body"),
        (200, b"  <!DOCTYPE html><title>Sign in</title>", "a page of HTML"),
        (200, b'{"items": [', "not JSON"),
        (200, b'{"items": []} trailing', "JSON"),
        (204, b"", "204"),
        (206, b'{"items": []}', "206"),
        (307, b"", "redirect"),
        (405, b"<html>", "405"),
    ],
)
def test_what_is_not_understood_is_said_without_quoting_it(status: int, body: bytes, words: str) -> None:
    for read in (wire.decipher, wire.page):
        with pytest.raises(wire.NotUnderstood, match=words):
            read(status, {"Location": "https://elsewhere.example/?code=canary"}, body)


@pytest.mark.parametrize("body", [b"[]", b"null", b'"text"', b"{}", b'{"items": null}', b'{"items": {"0": 1}}'])
def test_a_listing_without_a_list_of_items_is_not_understood(body: bytes) -> None:
    with pytest.raises(wire.NotUnderstood, match="not a page of a list of items"):
        wire.page(200, {}, body)


@pytest.mark.parametrize(
    "paging", [None, {}, {"count": "x", "cursors": None, "total": None}, {"cursors": {"after": None, "before": 7}},
               {"cursors": {"after": ""}}]
)  # fmt: skip
def test_absent_paging_reads_as_no_cursor_and_no_total(paging: object) -> None:
    body = msgspec.json.encode({"items": [{}], "paging": paging})

    assert wire.page(200, {}, body) == wire.Page((msgspec.Raw(b"{}"),), after=None, total=None, size=len(body))
    assert wire.page(200, {}, b'{"items": []}') == wire.Page((), after=None, total=None, size=13)


@pytest.mark.parametrize(
    "paging", [7, "x", [], True, {"cursors": 5}, {"cursors": []}, {"cursors": {"after": 7}}, {"total": "3"},
               {"cursors": {"after": ["x"]}}, {"total": True}, {"total": -1}, {"total": 2.5}, {"total": [3]}]
)  # fmt: skip
def test_paging_of_a_wrong_type_is_not_understood(paging: object) -> None:
    with pytest.raises(wire.NotUnderstood, match="not a page of a list"):
        wire.page(200, {}, msgspec.json.encode({"items": [], "paging": paging}))


def test_a_list_may_be_empty_and_its_total_zero() -> None:
    assert wire.page(200, {}, b'{"items": [], "paging": {"total": 0}}').total == 0


# How long a 429 asks to wait


@pytest.mark.parametrize(
    ("told", "context", "seconds"),
    [
        ({"Retry-After": "120"}, None, 120),
        ({"retry-after": " 120 "}, None, 120),
        ({}, 120, 120),
        ({}, "120", 120),
        ({"Retry-After": "30"}, 120, 120),
        ({"Retry-After": "120"}, 30, 120),
        ({"Retry-After": "1.2"}, None, 2),
        ({"Retry-After": "0"}, None, 1),
        ({"Retry-After": "86400"}, None, 3600),
        ({"Retry-After": "9" * 5000}, None, 3600),
        ({"Retry-After": "-5"}, None, 60),
        ({"Retry-After": "soon"}, True, 60),
        ({"Retry-After": ""}, [5], 60),
        ({}, -5, 60),
        ({}, None, 60),
        ({"Retry-After": "Tue, 14 Nov 2023 22:15:20 GMT"}, None, 120),
        ({"Retry-After": "Tue, 14 Nov 2023 22:15:20 -0000"}, None, 120),
        ({"Retry-After": "Tue, 14 Nov 2023 22:15:20 GMT"}, 300, 300),
        ({"Retry-After": "Tue, 14 Nov 2023 22:00:00 GMT", "Date": "Tue, 14 Nov 2023 22:00:01 GMT"}, None, 1),
        # By our own clock it is past: that one is fast, and nothing can be read.
        ({"Retry-After": "Tue, 14 Nov 2023 22:00:00 GMT"}, None, 60),
        ({"Retry-After": "Tue, 14 Nov 2023 22:13:20 GMT"}, None, 60),
        # An hour off: the cloud's own Date counts.
        ({"Retry-After": "Tue, 14 Nov 2023 23:15:20 GMT", "Date": "Tue, 14 Nov 2023 23:13:20 GMT"}, None, 120),
        ({"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}, None, 3600),
    ],
)
def test_a_429_tells_how_long_to_wait(told: dict[str, str], context: object, seconds: int) -> None:
    body = refusal("TooManyRequests") if context is None else refusal("TooManyRequests", retry_after=context)

    with pytest.raises(wire.TooManyRequests) as caught:
        wire.decipher(429, told, body, now=NOW)

    assert caught.value.retry_after == seconds
    assert f"{seconds} s" in str(caught.value)


def test_a_date_alone_is_unreadable_without_any_clock() -> None:
    told = {"Retry-After": "Tue, 14 Nov 2023 22:15:20 GMT"}
    for read in (wire.decipher, wire.page):
        with pytest.raises(wire.TooManyRequests) as caught:
            read(429, told, b"")
        assert caught.value.retry_after == 60
    assert wire.wait(told, b"") == 60
    fault = wire.fault(429, told, b"")
    assert isinstance(fault, wire.TooManyRequests)
    assert fault.retry_after == 60
    answer = wire.answer(429, told, b"")
    assert isinstance(answer, wire.Unclear)
    assert answer.retry_after == 60


@pytest.fixture
def in_tokyo() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "JST-9")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("Tue, 14 Nov 2023 22:15:20 GMT", 0), ("Tue, 14 Nov 2023 22:15:20 -0000", 0),
     ("Tue, 14 Nov 2023 23:15:20 +0100", 0), ("Tue, 99 Nov 2023 22:15:20 GMT", None), ("", None), (None, None)],
)  # fmt: skip
def test_an_http_date_is_a_moment_wherever_it_was_written(header: str | None, seconds: int | None) -> None:
    assert wire.moment(header) == (None if seconds is None else NOW + 120 + seconds)


def test_an_http_date_is_the_same_moment_wherever_it_is_read(in_tokyo: None) -> None:
    for zone in ("GMT", "-0000"):
        assert wire.moment(f"Tue, 14 Nov 2023 22:15:20 {zone}") == NOW + 120


def test_no_wait_at_all_is_the_shortest_one() -> None:
    now = "Tue, 14 Nov 2023 22:15:20 GMT"
    assert wire.wait({"Retry-After": now, "Date": now}, b"") == 1
    assert wire.wait({}, refusal(retry_after=0)) == 1


# Word for word

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


# Answers to a POST


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


# What is quoted of the cloud's own words


def test_a_message_is_one_short_printable_line_without_tokens() -> None:
    secrets = "Bearer abc.def and eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.c2ln"
    line = shortened(f"Header\n\x00is {secrets} wrong " + "very " * 200)

    assert line.startswith("Header is [removed] and [removed] wrong very")
    assert line.isprintable()
    assert len(line) == 300
    assert "abc.def" not in line


def test_a_uuid_and_a_path_are_not_taken_for_tokens() -> None:
    line = "Resource [952957a6-25ca-4c19-aff8-9d32dbf0e068] at /servers/1 is busy."

    assert shortened(line) == line


@given(st.text())
def test_whatever_the_cloud_says_fits_in_a_sentence(text: str) -> None:
    line = shortened(text)

    assert line.isprintable()
    assert len(line) <= 300
