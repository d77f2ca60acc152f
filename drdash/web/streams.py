"""One browser's event stream: what it asked for, what waits for it, and the bytes that go out."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from drdash.web.sessions import Watcher, eyes
from drdash.web.topics import BARE

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

# A browser takes in all that came at once in one task, so very many changes go out in slices, with a pause to draw.
SLICE = 24 * 1024  # bytes
BREATH = 0.05  # seconds
GRACE = 1.0  # seconds that an ended stream has to take its last bytes

_LINES = re.compile(r"\r\n|\r|\n")


def frame(event: str, data: str) -> bytes:
    """One event, without an id."""
    lines = "".join(f"data: {line}\n" for line in _LINES.split(data))
    return f"event: {event}\n{lines}\n".encode()


def bookmark(stream_id: str, of: str) -> str:
    """The id of an event: up to which announcement a page shows everything, and to whose eyes."""
    return f"{stream_id}.{of}"


RESYNC = frame("resync", "all")
RIGHTS_CHANGED = frame("rights-changed", "all")


class Stream:
    """One open connection. ``push`` and ``end`` return at once; ``run`` sends, at the pace of who reads.

    What waits is the newest frame of each topic and no more than ``most`` of them: beyond that, one ``resync``.
    """

    def __init__(self, watcher: Watcher, words: frozenset[str], *, language: str, most: int) -> None:
        self.watcher = watcher
        self.roles = dict(watcher.roles)
        self.eyes = eyes(watcher.user, watcher.roles)
        self.language = language
        self.words = words | {f"health-{tenant}" for tenant in self.roles} | BARE
        self._most = most
        self._waiting: dict[tuple[str, int], bytes] = {}
        self._reached: str | None = None
        self._last = b""
        self._ended = False
        self._wake = asyncio.Event()
        self._patience: asyncio.Timeout | None = None

    def push(self, topic: str, tenant: int, one: bytes) -> None:
        """Let a frame wait, in place of an older one of the same topic."""
        if self._ended:
            return
        if len(self._waiting) >= self._most and (topic, tenant) not in self._waiting:
            self._waiting = {("resync", 0): RESYNC}
        else:
            self._waiting[topic, tenant] = one
        self._wake.set()

    def resync(self) -> None:
        """Tell the page to fetch what it shows."""
        self.push("resync", 0, RESYNC)

    def reached(self, stream_id: str) -> None:
        """All that waits now brings the page to this announcement."""
        self._reached = stream_id

    def end(self, last: bytes = b"") -> None:
        """Drop what waits, send ``last``, and end. Who does not take it within GRACE seconds is cut off."""
        if self._ended:
            return
        self._ended, self._last = True, last
        self._waiting.clear()
        self._wake.set()
        if self._patience is not None and not self._patience.expired():
            self._patience.reschedule(asyncio.get_running_loop().time() + GRACE)

    async def run(self, send: Send, *, heartbeat: float, life: float, retry: float) -> None:
        """Send until it is ended, or for ``life`` seconds. Raises TimeoutError when its last bytes are not taken."""
        clock = asyncio.get_running_loop().time
        over, next_beat = clock() + life, clock()
        beginning = f"retry: {retry * 1000:.0f}\n\n".encode()
        async with asyncio.timeout_at(over + GRACE) as self._patience:
            while not self._ended and clock() < over:
                part = beginning + self._take()
                beginning = b""
                if clock() >= next_beat:
                    part += b": beat\n" + frame("beat", f"{time.time():.3f}")
                    next_beat = clock() + heartbeat
                if part:
                    await send({"type": "http.response.body", "body": part, "more_body": True})
                    if self._waiting:
                        await asyncio.sleep(BREATH)
                    continue
                self._wake.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(min(next_beat, over)):
                        await self._wake.wait()
            self._ended = True
            await send({"type": "http.response.body", "body": self._last})
            self._patience = None

    def _take(self) -> bytes:
        taken, size = [], 0
        for key in list(self._waiting):
            if size >= SLICE:
                break
            taken.append(self._waiting.pop(key))
            size += len(taken[-1])
        # An id says "everything up to here": it goes out with the last frame only.
        if taken and not self._waiting and self._reached:
            taken[-1] = f"id: {bookmark(self._reached, self.eyes)}\n".encode() + taken[-1]
            self._reached = None
        return b"".join(taken)
