"""Every way in which a list can fail to be one: each is a named error whose sentence says what came, and the next read
is well.
"""

import json
import socket
import time
import tracemalloc
from contextlib import closing
from email.utils import formatdate

import msgspec
import pytest

from drdash.cloud import listing, wire
from drdash.cloud.client import Client
from drdash.cloud.errors import CloudError
from tests.cloud.conftest import Answer, RawCloud, account_of, example, granted, reply, reset

NOW = 1_700_000_000.0
HOUR = 3600.0


def page(*items: object, **paging: object) -> bytes:
    return reply(200, json.dumps({"items": items, "paging": paging}).encode())


def of(*uuids: str) -> list[dict[str, str]]:
    return [{"uuid": uuid} for uuid in uuids]


def half(body: bytes) -> Answer:
    def answer(connection: socket.socket) -> None:
        connection.sendall(reply(200, body)[: -len(body) // 2])
        connection.shutdown(socket.SHUT_RDWR)

    return answer


GOOD = page(*of("a"), total=1)
FAILED: dict[str, tuple[list[Answer], type[CloudError], str]] = {
    "HTML": ([reply(200, b"<!doctype html><title>Sign in</title>")], wire.NotUnderstood, "a page of HTML instead"),
    "HTML of a proxy": ([reply(502, b"<html>Bad Gateway</html>")], wire.ServerFault, "The cloud failed .502."),
    "truncated JSON": ([reply(200, example("servers_first")[:-9])], wire.NotUnderstood, "not JSON instead of JSON"),
    "half a body": ([half(example("servers_first"))], wire.Broken, "broke before the answer was whole"),
    "a reset": ([reset], wire.Broken, "was reset"),
    "an empty body": ([reply(200)], wire.NotUnderstood, "an empty body instead of JSON"),
    "no content": ([reply(204)], wire.NotUnderstood, "answered 204 with an empty body"),
    "a list": ([reply(200, b"[]")], wire.NotUnderstood, "not a page of a list of items"),
    "no items": ([reply(200, b"{}")], wire.NotUnderstood, "not a page of a list of items"),
    "items that are none": ([page(7, total=1)], wire.NotUnderstood, "an item is not an object"),
    "an item without uuid": ([page({"name": "x"}, total=1)], wire.NotUnderstood, "an item has no uuid"),
    "a uuid that is none": ([page({"uuid": 7}, total=1)], wire.NotUnderstood, "an item has no uuid"),
    "a total that is none": ([page(*of("a"), total="1")], wire.NotUnderstood, "not a page of a list of items"),
    "a cursor that is none": ([page(cursors={"after": 7})], wire.NotUnderstood, "not a page of a list of items"),
    "bytes that are no text": ([reply(200, b'{"items": [{"uuid": "\xff"}]}')], wire.NotUnderstood, "JSON|item"),
    "a redirect": ([reply(307, b"", "Location: /elsewhere")], wire.NotUnderstood, "redirect .307., which is never"),
    "a cursor twice": (
        [page(*of(name), cursors={"after": "x"}) for name in "ab"], wire.NotUnderstood, "goes in circles",
    ),
    "an item twice": (
        [page(*of("a", "b"), cursors={"after": "x"}, total=2), page(*of("B"), total=2)],
        wire.NotUnderstood, "same item twice",
    ),
    "a list that grew": (
        [page(*of("a", "b"), cursors={"after": "x"}, total=2), page(*of("c"), total=3)],
        wire.NotUnderstood, "counted 2 items at first, then 3",
    ),
    "a list that shrank": (
        [page(*of("a", "b"), cursors={"after": "x"}, total=4), page(*of("d"), total=3)],
        wire.NotUnderstood, "counted 4 items at first, then 3",
    ),
    "a later page that fails": (
        [page(*of("a"), cursors={"after": "x"}, total=2), reply(504)], wire.ServerFault, "504",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("answers", "kind", "words"), FAILED.values(), ids=FAILED)
def test_what_is_no_whole_list_is_an_error_with_its_reason(
    cloud: RawCloud, client: Client, answers: list[Answer], kind: type[CloudError], words: str
) -> None:
    for read in (client.servers, client.sites):
        cloud.answers = [*answers, GOOD]
        with pytest.raises(kind, match=words) as caught:
            read()
        assert type(caught.value) is kind
        assert str(caught.value).endswith(".")
        assert str(caught.value).isprintable()
        assert read().whole


def test_200_megabytes_take_no_more_memory_than_a_page_may(cloud: RawCloud, client: Client) -> None:
    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n")
        for _ in range(200):
            connection.sendall(b" " * 1_000_000)

    client.ready()
    cloud.answers = [flood, GOOD]
    tracemalloc.start()
    try:
        with pytest.raises(wire.Broken, match="larger than 8192 KiB"):
            client.servers()
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()
    assert client.servers().whole


def test_a_list_of_many_large_pages_is_bounded_too() -> None:
    size = listing.MOST_BYTES // 10
    read: list[listing.Query] = []

    def get(query: listing.Query) -> wire.Page:
        read.append(query)
        raw = msgspec.Raw(json.dumps({"uuid": str(len(read))}).encode())
        return wire.Page((raw,), after=str(len(read)), total=None, size=size)

    with pytest.raises(wire.NotUnderstood, match="larger than 256 MiB"):
        listing.gather(get, [], listing.sites)
    assert len(read) == 11


# A clock an hour off, ours or the cloud's


@pytest.mark.parametrize("off", [-HOUR, 0.0, HOUR])
@pytest.mark.parametrize("tells", ["Date", "expires_in", "neither"])
def test_a_token_is_not_fetched_anew_for_each_request_of_a_wrong_clock(cloud: RawCloud, off: float, tells: str) -> None:
    """The cloud's token lives 40 minutes by its own clock, and it refuses nothing."""
    date = [f"Date: {formatdate(NOW + off, usegmt=True)}"] if tells == "Date" else []
    more = {"expires_in": 2400} if tells == "expires_in" else {}
    body = json.dumps({"access_token": "t0k", "expires_on": NOW + off + 2400, **more}).encode()
    cloud.tokens = [reply(200, body, *date)] * 5
    now = [NOW]
    with closing(Client(account_of(cloud), now=lambda: now[0], monotonic=time.monotonic)) as client:
        for minute in range(0, 39, 2):
            now[0] = NOW + minute * 60
            cloud.answers = [GOOD]
            client.servers()
        assert len(cloud.token_requests) == 1
        now[0] = NOW + 2400
        cloud.answers = [GOOD]
        client.servers()
    assert len(cloud.token_requests) == (2 if tells != "neither" or off == 0 else 1)


@pytest.mark.parametrize("off", [-HOUR, 0.0, HOUR])
def test_a_token_that_ended_by_the_clouds_clock_alone_costs_one_401(cloud: RawCloud, off: float) -> None:
    cloud.tokens = [granted("first", expires_on=NOW + off + 7200), granted("second")]
    with closing(Client(account_of(cloud), now=lambda: NOW, monotonic=time.monotonic)) as client:
        cloud.answers = [GOOD, reply(401), GOOD, GOOD]
        for _ in range(3):
            assert client.servers().whole
    assert len(cloud.token_requests) == 2


@pytest.mark.parametrize("off", [-HOUR, 0.0, HOUR])
@pytest.mark.parametrize("wait", [1, 90, 3600])
def test_a_retry_after_date_is_obeyed_by_the_clouds_own_clock(cloud: RawCloud, off: float, wait: int) -> None:
    cloud.answers = [
        reply(
            429,
            b"",
            f"Date: {formatdate(NOW + off, usegmt=True)}",
            f"Retry-After: {formatdate(NOW + off + wait, usegmt=True)}",
        ),
        GOOD,
    ]
    elapsed = [0.0]
    with closing(Client(account_of(cloud), now=lambda: NOW, monotonic=lambda: elapsed[0])) as client:
        with pytest.raises(wire.TooManyRequests) as told:
            client.servers()
        assert told.value.retry_after == wait
        elapsed[0] = wait - 0.001
        with pytest.raises(wire.TooManyRequests):
            client.servers()
        elapsed[0] = wait
        assert client.servers().whole
    assert len(cloud.calls) == 2
