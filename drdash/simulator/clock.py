"""Clocks for a simulated world."""

import time
from typing import Protocol


class Clock(Protocol):
    """`now` is the world's time, `wall` what everybody else's clock shows; both in Unix seconds."""

    speed: float

    def now(self) -> float: ...

    def wall(self) -> float: ...

    def advance(self, seconds: float) -> None: ...


class ManualClock:
    """Time moves by `advance` alone."""

    speed = 1.0

    def __init__(self, start: float | None = None) -> None:
        self._now = time.time() if start is None else start

    def now(self) -> float:
        return self._now

    def wall(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += seconds


class RunningClock:
    """Time goes on, `speed` times as fast as outside, and may be put forward."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self._start = time.time()
        self._since = _steady()
        self._ahead = 0.0

    def now(self) -> float:
        return self._start + (_steady() - self._since) * self.speed + self._ahead

    def wall(self) -> float:
        return time.time()

    def advance(self, seconds: float) -> None:
        self._ahead += seconds


def _steady() -> float:
    # A laptop that slept: the boot clock went on, the monotonic one did not.
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
