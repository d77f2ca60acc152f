"""A 429 obeyed: until when the cloud wants no request with a credential for a tenant, over all processes."""

import threading
import time
from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from django.conf import settings

from drdash.clock import boot_seconds
from drdash.cloud.errors import TooManyRequests, WrongCredential
from drdash.cloud.wire import LONGEST_WAIT
from drdash.english import english
from drdash.estate.store import WAIT, StoreAway, away, connection

# A Redis that hangs costs whoever asks it this time-out: after one that failed, so long nobody else asks.
TIME_OUT, PAUSE_SECONDS = 1.0, 3.0
_Answer = TypeVar("_Answer")

# Later than the one that is noted, by Redis's own clock: then nothing is written.
_NOTE = (
    "local now = redis.call('TIME') local until_ = now[1] + now[2] / 1000000 + ARGV[2] "
    "local held = redis.call('hget', KEYS[1], ARGV[1]) "
    "if held and cjson.decode(held).by_redis > until_ then return end "
    "redis.call('hset', KEYS[1], ARGV[1], cjson.encode({by_redis = until_, boot = ARGV[3], by_boot = ARGV[4]}))"
)


class _Noted(msgspec.Struct, frozen=True):
    """The end of a wait: by the clock of Redis, and by that of the machine ``boot``, which nobody can set."""

    by_redis: float
    boot: str
    by_boot: str


class SharedHold:
    """The waits for one credential and tenant (None: the credential's own requests), as ``cloud.oauth.Hold``. This
    process knows them at once, and through Redis every other; without Redis each obeys what it was told itself."""

    def __init__(
        self, credential: int | str, tenant: int | None, *, monotonic: Callable[[], float] = boot_seconds
    ) -> None:
        self._key = f"{WAIT}{'own' if tenant is None else tenant}"
        self._credential = str(credential)
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._until = 0.0
        self._untold = False

    def note(self, seconds: int) -> None:
        """Nothing for so many seconds from now; a longer wait is never shortened."""
        with self._lock:
            self._until = max(self._until, self._monotonic() + seconds)
            self._untold = True
        self._tell()

    def obey(self) -> None:
        """Raise TooManyRequests, with what is left of it, while there is a wait."""
        if (left := self.left()) > 0:
            raise TooManyRequests(429, retry_after=ceil(left))

    def left(self) -> float:
        """How many seconds there are to wait; 0 or less: none."""
        left = self._until - self._monotonic()
        if left > 0:
            if self._untold:
                self._tell()
            return left
        noted = _line.ask(lambda redis: self._ask(redis))
        if noted and noted > 0:
            with self._lock:
                self._until = max(self._until, self._monotonic() + noted)
        return noted or 0.0

    def _tell(self) -> None:
        until = self._until
        left = until - self._monotonic()
        given = [self._credential, left, BOOT, repr(until)]

        def write(redis: Any) -> bool:
            redis.eval(_NOTE, 1, self._key, *given)
            return True

        if left > 0 and _line.ask(write):
            with self._lock:
                self._untold = self._until != until

    def _ask(self, redis: Any) -> float:
        with redis.pipeline(transaction=False) as pipe:
            pipe.hget(self._key, self._credential)
            pipe.time()
            stored, (seconds, micros) = pipe.execute()
        if stored is None:
            return 0.0
        noted = msgspec.json.decode(stored, type=_Noted)
        if noted.boot == BOOT:
            left = float(noted.by_boot) - self._monotonic()
        else:
            left = noted.by_redis - (seconds + micros / 1e6)
        # More than any cloud may ask for: Redis's clock was set back since.
        return left if left <= LONGEST_WAIT + 1 else 0.0


class Barred(WrongCredential):
    """The cloud turned the credential down a while ago, so it was not shown to it again. Remedy: replace it."""


class BarredHold:
    """A hold that also keeps a credential that was turned down from being shown again, which may lock it out."""

    def __init__(self, hold: SharedHold, bar: SharedHold) -> None:
        self._hold, self._bar = hold, bar

    def note(self, seconds: int) -> None:
        self._hold.note(seconds)

    def obey(self) -> None:
        """Raise Barred or TooManyRequests while there is something to wait for."""
        if (left := self._bar.left()) > 0:
            raise Barred(
                english(
                    "The cloud turned the credential down; in %(minutes)s min it is shown to it again.",
                    minutes=ceil(left / 60),
                )
            )
        self._hold.obey()


class UnheededHold:
    """A hold that is noted and not obeyed: for the one read and the one POST of a broken glass."""

    def __init__(self, hold: SharedHold) -> None:
        self._hold = hold

    def note(self, seconds: int) -> None:
        self._hold.note(seconds)

    def obey(self) -> None:
        """Never raises."""


class _Line:
    """The way to Redis, which is not taken again for a while after it failed."""

    def __init__(self) -> None:
        self._redis: Any = None
        self._closed_until = 0.0

    def ask(self, work: Callable[[Any], _Answer]) -> _Answer | None:
        """What ``work`` gives with Redis at hand; None without it."""
        if time.monotonic() < self._closed_until:
            return None
        if self._redis is None:
            self._redis = connection(settings.REDIS_URL, seconds=TIME_OUT)
        try:
            with away():
                return work(self._redis)
        except StoreAway:
            self._closed_until = time.monotonic() + PAUSE_SECONDS
            return None

    def forget(self) -> None:
        self._redis, self._closed_until = None, 0.0


def _boot() -> str:
    """Which start of which machine this is: the clock of deadlines says nothing to another."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return f"no other {time.time_ns()}"


BOOT = _boot()
_line = _Line()


def forget() -> None:
    """Forget how Redis did, as if another process began."""
    _line.forget()
