"""The live hub: `/events/`, a plain ASGI callable beside Django.

One reader of Redis feeds every stream of the process. A stream begins with a session, sees the tenants of its person
and nothing of any other, and ends when that is no longer so.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Protocol, TypeVar

from django.db import Error as DatabaseError
from django.db import close_old_connections
from django.utils import translation

from drdash.estate.store import StoreAway, changes, store
from drdash.tenants.roles import Role
from drdash.web import rows, sessions
from drdash.web.fanout import Fanout
from drdash.web.streams import GRACE, RIGHTS_CHANGED, Send, Stream
from drdash.web.topics import BadQuery, wanted

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Result = TypeVar("Result")

THREADS = 4
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
]


class Render(Protocol):
    """The HTML of one topic as a role sees it, in the language that is active; None when there is no such thing any
    more."""

    def __call__(self, topic: str, *, tenant: int, role: Role) -> str | None: ...


class Hub:
    """The streams of one process. Times are seconds.

    ``recheck``: how often everyone's rights are looked at. ``life``: after it a stream ends, and its browser comes
    again. ``per_user``: one stream more ends the user's oldest. ``waiting``: frames that may wait at one stream.
    ``backoff``: the first and the longest pause while Redis is away.
    """

    def __init__(
        self,
        *,
        heartbeat: float = 15,
        recheck: float = 2,
        life: float = 600,
        retry: float = 2,
        per_user: int = 12,
        overall: int = 2000,
        waiting: int = 2000,
        backoff: tuple[float, float] = (0.5, 5),
        render: Render = rows.render,
    ) -> None:
        self._heartbeat = heartbeat
        self._recheck = recheck
        self._life = life
        self._retry = retry
        self._per_user = per_user
        self._overall = overall
        self._waiting = waiting
        self._backoff = backoff
        self._render = render
        self._fanout = Fanout(self._draw)
        self._tasks: list[asyncio.Task[None]] = []
        self._serving: set[asyncio.Task[Any]] = set()
        self._threads: ThreadPoolExecutor | None = None

    def latest(self) -> Mapping[int, str]:
        """The newest announcement of each tenant that a stream here can go on from. Any thread may ask."""
        return self._fanout.latest()

    async def start(self) -> None:
        """Begin to read and to take streams, in the event loop that this is called in."""
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="live")
        self._fanout = Fanout(self._draw)  # an event loop's own
        works = (self._read, self._fanout.work, self._watch)
        self._tasks = [asyncio.create_task(self._kept_going(work)) for work in works]

    async def stop(self) -> None:
        """End every stream, with a second's grace for its last bytes; further ones get 503. May be called again."""
        threads, self._threads = self._threads, None
        for stream in list(self._fanout.streams):
            stream.end()
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            # While it connects, Redis's client swallows a cancellation, and then reads on for ever.
            _, going_on = await asyncio.wait(self._tasks, timeout=0.1)
            self._tasks = list(going_on)
        if self._serving:
            await asyncio.wait(self._serving, timeout=2 * GRACE)
        if threads is not None:
            threads.shutdown(wait=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one stream to its end."""
        if scope["method"] != "GET":
            return await _refuse(405, "The stream is read with GET.", send, (b"allow", b"GET"))
        if self._threads is None:
            return await _refuse(503, "This server is about to end.", send, (b"retry-after", b"1"))
        cookies = "; ".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"cookie")
        try:
            watcher = await self._in_thread(sessions.watcher, cookies)
            if watcher is None:
                return await _refuse(401, "Sign in first.", send)
            asked = wanted(scope["query_string"])
        except DatabaseError as error:
            log.warning("The database does not answer, so nobody can be let in: %s", type(error).__name__)
            return await _refuse(503, "The database does not answer.", send, (b"retry-after", b"2"))
        except BadQuery as problem:
            return await _refuse(400, str(problem), send)
        if self._threads is None or len(self._fanout.streams) >= self._overall:
            return await _refuse(503, "This server has as many streams as it takes.", send, (b"retry-after", b"10"))
        self._make_room(watcher.user)
        stream = Stream(watcher, asked.topics, language=asked.language, most=self._waiting)
        # A browser that comes again by itself has the page's first address, and the id of the last event.
        last_id = next((value for name, value in scope["headers"] if name == b"last-event-id"), b"")
        self._fanout.join(stream, last_id.decode("latin-1") or asked.after)
        leaving = asyncio.create_task(_end_when_gone(receive, stream))
        if serving := asyncio.current_task():
            self._serving.add(serving)
            serving.add_done_callback(self._serving.discard)
        # Streams that began together shall neither end together nor come back together.
        apart = random.uniform(0.75, 1)
        try:
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            with suppress(TimeoutError):
                await stream.run(send, heartbeat=self._heartbeat, life=self._life * apart, retry=self._retry * apart)
        finally:
            leaving.cancel()
            self._fanout.leave(stream)
        return None

    def _make_room(self, user: int) -> None:
        """End the user's oldest stream where one more would be too many: most likely its connection is dead."""
        theirs = [stream for stream in self._fanout.streams if stream.watcher.user == user]
        for oldest in theirs[: max(0, len(theirs) - self._per_user + 1)]:
            oldest.end()
            self._fanout.leave(oldest)

    async def _read(self) -> None:
        """Take in the announcements: first all that Redis still has, as streams that come may have missed them."""
        after = "0-0"
        shortest, longest = self._backoff
        pause = shortest
        while True:
            try:
                async for change in changes(after):
                    after, pause = change.id, shortest
                    self._fanout.take(change)
            except StoreAway as away:
                log.warning("The live streams have nothing to tell: %s", away)
            self._fanout.gap()
            while True:
                await asyncio.sleep(pause)
                pause = min(pause * 2, longest)
                if await self._redis_answers():
                    break
            log.warning("Redis answers again: the pages are told to fetch what they show.")
            self._fanout.resync()

    async def _redis_answers(self) -> bool:
        try:
            await self._in_thread(store().peek, [0])
        except StoreAway:
            return False
        return True

    async def _watch(self) -> None:
        """End the streams of those who may no longer see what they show; when nobody can be asked, all streams."""
        unanswered = 0
        while True:
            await asyncio.sleep(self._recheck)
            watchers = {stream.watcher for stream in self._fanout.streams}
            if not watchers:
                continue
            try:
                async with asyncio.timeout(2 * self._recheck):
                    lapsed = await self._in_thread(sessions.lapsed, watchers)
                unanswered = 0
            except (DatabaseError, TimeoutError) as error:
                unanswered += 1
                if unanswered < 2:
                    continue
                log.warning("The database does not answer, so the streams end: %s", type(error).__name__)
                for stream in list(self._fanout.streams):
                    stream.end()
                continue
            for stream in list(self._fanout.streams):
                if stream.watcher in lapsed:
                    stream.end(RIGHTS_CHANGED)

    async def _kept_going(self, work: Callable[[], Awaitable[None]]) -> None:
        """Work that ends is a bug, but the streams must not go silent for it: begin again."""
        while True:
            (problem,) = await asyncio.gather(work(), return_exceptions=True)
            log.error("The live hub failed, and begins again", exc_info=problem)
            await asyncio.sleep(1)
            self._fanout.resync()

    async def _draw(self, topic: str, *, tenant: int, role: Role, language: str) -> str | None:
        def drawn() -> str | None:
            with translation.override(language):
                return self._render(topic, tenant=tenant, role=role)

        return await self._in_thread(drawn)

    async def _in_thread(self, call: Callable[..., Result], *args: Any, **named: Any) -> Result:
        work = partial(_connected, call, *args, **named)
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _connected(call: Callable[..., Result], *args: Any, **named: Any) -> Result:
    """Call with database connections that are neither dead nor too old: no request does that for these threads."""
    close_old_connections()
    try:
        return call(*args, **named)
    finally:
        close_old_connections()


async def _end_when_gone(receive: Receive, stream: Stream) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.end()


async def _refuse(status: int, sentence: str, send: Send, *more: tuple[bytes, bytes]) -> None:
    body = sentence.encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        *more,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


hub = Hub()
