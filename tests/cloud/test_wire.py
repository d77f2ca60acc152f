import json

import msgspec
import pytest
from hypothesis import example as case
from hypothesis import given
from hypothesis import strategies as st

from drdash.cloud import wire
from drdash.cloud.errors import CloudError, ErrorAnswer, shortened
from tests.cloud.conftest import NOW, example

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
