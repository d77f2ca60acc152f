"""How long a 429 asks to wait."""

import time
from collections.abc import Iterator

import pytest

from drdash.cloud import wire
from tests.cloud.conftest import NOW, refusal


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
