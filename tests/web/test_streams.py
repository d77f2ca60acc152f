"""One stream, without sockets: what it sends when, to a reader whose pace the test sets."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import pytest

from drdash.tenants.roles import Role
from drdash.web.sessions import Watcher
from drdash.web.streams import BREATH, GRACE, RIGHTS_CHANGED, SLICE, Stream, frame

Message = MutableMapping[str, Any]
LARGE = "x" * SLICE


def stream(most: int = 100) -> Stream:
    return Stream(
        Watcher("session", 1, "stamp", ((1, Role.VIEWER),)), frozenset({"server-row-*"}), language="en", most=most
    )


class Reader:
    """Takes what is sent, one message each time it is let."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.more: list[bool] = []
        self._let = asyncio.Semaphore(0)

    async def send(self, message: Message) -> None:
        await self._let.acquire()
        self.got.append(message["body"])
        self.more.append(message.get("more_body", False))

    async def take(self, count: int) -> None:
        wanted = len(self.got) + count
        for _ in range(count):
            self._let.release()
        while len(self.got) < wanted:
            await asyncio.sleep(0)


def running(test: Callable[[Stream, Reader, "asyncio.Task[None]"], Awaitable[None]], life: float = 60) -> None:
    async def run() -> None:
        one, reader = stream(), Reader()
        task = asyncio.create_task(one.run(reader.send, heartbeat=60, life=life, retry=2))
        await reader.take(1)
        await test(one, reader, task)
        task.cancel()

    asyncio.run(run())


def test_the_first_bytes_say_when_to_come_again_and_that_it_lives() -> None:
    async def test(one: Stream, reader: Reader, task: "asyncio.Task[None]") -> None:
        assert reader.got[0].startswith(b"retry: 2000\n\n")
        assert b"event: beat\ndata: " in reader.got[0]

    running(test)


def test_an_id_goes_out_with_the_last_frame_that_it_stands_for_and_no_earlier() -> None:
    async def test(one: Stream, reader: Reader, task: "asyncio.Task[None]") -> None:
        for number in range(3):
            one.push(f"server-row-{number}", 1, frame(f"server-row-{number}", LARGE))
        one.reached("7-0")
        await reader.take(3)
        assert [b"id: 7-0" in body for body in reader.got[1:]] == [False, False, True]

    running(test)


def test_between_slices_a_page_has_time_to_draw() -> None:
    async def test(one: Stream, reader: Reader, task: "asyncio.Task[None]") -> None:
        for number in range(3):
            one.push(f"server-row-{number}", 1, frame(f"server-row-{number}", LARGE))
        await reader.take(1)
        began = asyncio.get_running_loop().time()
        await reader.take(2)
        assert asyncio.get_running_loop().time() - began >= 2 * BREATH - 0.01

    running(test)


def test_what_waits_is_the_newest_of_each_topic_in_the_place_of_the_oldest() -> None:
    async def test(one: Stream, reader: Reader, task: "asyncio.Task[None]") -> None:
        one.push("server-row-a", 1, frame("server-row-a", "old"))
        one.push("server-row-b", 1, frame("server-row-b", "b"))
        one.push("server-row-a", 1, frame("server-row-a", "new"))
        await reader.take(1)
        assert reader.got[1] == frame("server-row-a", "new") + frame("server-row-b", "b")

    running(test)


def test_an_ended_stream_sends_its_last_words_and_nothing_that_waited() -> None:
    async def test(one: Stream, reader: Reader, task: "asyncio.Task[None]") -> None:
        one.push("server-row-a", 1, frame("server-row-a", "secret by now"))
        one.end(RIGHTS_CHANGED)
        one.push("server-row-a", 1, frame("server-row-a", "more"))
        await reader.take(1)
        await task
        assert (reader.got[1:], reader.more[-1]) == ([RIGHTS_CHANGED], False)

    running(test)


def test_who_does_not_take_the_last_words_is_cut_off() -> None:
    async def test(one: Stream, reader: Reader, task: "asyncio.Task[None]") -> None:
        one.push("server-row-a", 1, frame("server-row-a", "never taken"))
        await asyncio.sleep(0)
        one.end(RIGHTS_CHANGED)
        one.end()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(task), GRACE + 2)
        assert task.done()

    running(test)


def test_lines_of_any_kind_stay_inside_their_event() -> None:
    assert frame("t", "a\r\nb\rc\nd") == b"event: t\ndata: a\ndata: b\ndata: c\ndata: d\n\n"
    assert frame("t", "") == b"event: t\ndata: \n\n"
