"""From what changed to the streams that show it: each topic is drawn once per role and language, for all who asked."""

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from typing import Protocol

from drdash.estate.store import Changes
from drdash.tenants.roles import Role
from drdash.web.announced import Announced
from drdash.web.streams import RIGHTS_CHANGED, Stream, frame
from drdash.web.topics import BARE, Touched

log = logging.getLogger(__name__)

Topic = tuple[int, str]

AT_ONCE = 50  # what is to be drawn must not keep others waiting for the threads


class Draw(Protocol):
    """The HTML of one topic as a role reads it, once it is drawn; None when there is no such thing any more."""

    def __call__(self, topic: str, *, tenant: int, role: Role, language: str) -> Awaitable[str | None]: ...


class Fanout:
    """The open streams, the oldest first, and what has to be told to them. ``draw``: renders away from the loop."""

    def __init__(self, draw: Draw) -> None:
        self.streams: dict[Stream, None] = {}
        self._draw = draw
        self._announced = Announced()
        self._fresh: dict[int, set[str]] = {}
        self._catching_up: list[tuple[Stream, dict[int, set[str]]]] = []
        self._something = asyncio.Event()

    def take(self, change: Changes) -> None:
        """Note an announcement; ``work`` hands it out."""
        self._announced.add(change)
        self._fresh.setdefault(change.tenant, set()).update(change.keys)
        self._something.set()

    def latest(self) -> Mapping[int, str]:
        """The newest announcement of each tenant. Any thread may ask."""
        return self._announced.latest()

    def join(self, stream: Stream, after: str) -> None:
        """Add a stream whose page shows everything up to a bookmark: it is told the rest, or else to fetch what it
        shows; where the page is of other eyes, that the rights changed."""
        last_id, _, eyes = after.partition(".")
        if eyes and eyes != stream.eyes:
            stream.end(RIGHTS_CHANGED)
            return
        self.streams[stream] = None
        missed = self._announced.since(last_id, stream.roles) if eyes else None
        if missed is None:
            stream.resync()
            if newest := self._announced.newest(stream.roles):
                stream.reached(newest)
        elif missed:
            self._catching_up.append((stream, missed))
            self._something.set()

    def leave(self, stream: Stream) -> None:
        """Drop a stream, if it is still there."""
        self.streams.pop(stream, None)

    def gap(self) -> None:
        """From here on announcements may have been lost: nobody can catch up from before."""
        self._announced.clear()

    def resync(self) -> None:
        """Tell every page to fetch what it shows."""
        for stream in self.streams:
            stream.resync()

    async def work(self) -> None:
        """Hand out what is fresh, and what those missed who came back: whatever gathered while the last was rendered
        is rendered together, once."""
        while True:
            await self._something.wait()
            self._something.clear()
            fresh, self._fresh = self._fresh, {}
            catching_up, self._catching_up = self._catching_up, []
            told: dict[Topic, set[Stream]] = {}
            told_up_to: dict[Stream, str | None] = {}

            def tell(stream: Stream, touched: Touched) -> None:
                for topic in touched.asked_for(stream.words):
                    told.setdefault((touched.tenant, topic), set()).add(stream)  # noqa: B023 - used in this turn only
                told_up_to[stream] = self._announced.newest(stream.roles)  # noqa: B023

            for touched in [Touched(tenant, keys) for tenant, keys in fresh.items()]:
                for stream in self.streams:
                    if touched.tenant in stream.roles:
                        tell(stream, touched)
            for stream, missed in catching_up:
                for tenant, keys in missed.items():
                    tell(stream, Touched(tenant, keys))
            await self._tell(told)
            for stream, newest in told_up_to.items():
                if newest is not None:
                    stream.reached(newest)

    async def _tell(self, told: dict[Topic, set[Stream]]) -> None:
        wishes = [
            (tenant, topic, role, language)
            for (tenant, topic), streams in told.items()
            if topic not in BARE
            for role, language in {(stream.roles[tenant], stream.language) for stream in streams}
        ]
        drawn: dict[tuple[int, str, Role, str], str | BaseException | None] = {}
        for start in range(0, len(wishes), AT_ONCE):
            part = wishes[start : start + AT_ONCE]
            found = await asyncio.gather(
                *(self._draw(topic, tenant=tenant, role=role, language=into) for tenant, topic, role, into in part),
                return_exceptions=True,  # one thing that cannot be drawn must not hold up the others
            )
            drawn |= zip(part, found, strict=True)
        frames = {wish: frame(wish[1], html) for wish, html in drawn.items() if isinstance(html, str)}
        failed = {wish: error for wish, error in drawn.items() if isinstance(error, BaseException)}
        for (tenant, topic, role, language), error in failed.items():
            log.error("%s of tenant %s cannot be drawn for %s (%s)", topic, tenant, role, language, exc_info=error)
        for (tenant, topic), streams in told.items():
            for stream in streams:
                wish = (tenant, topic, stream.roles[tenant], stream.language)
                if topic in BARE:
                    stream.push(topic, tenant, frame(topic, str(tenant)))
                elif wish in frames:
                    stream.push(topic, tenant, frames[wish])
                elif wish in failed:
                    stream.resync()
