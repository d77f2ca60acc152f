"""When each tenant is read next, and how its last try of its cloud ended: in Redis, for the clock and every worker."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from django.conf import settings

from drdash.estate.breaker import Tries
from drdash.estate.snapshot import CLOCK_SKEW
from drdash.estate.store import CLOUD, HURRY, PASS, PLANS, away, connection

_SCOUTED, _RECOVERED = "scouted", "recovered"


class Plans:
    """The plans in one Redis. Every method raises StoreAway when it does not answer within two seconds."""

    def __init__(self, url: str) -> None:
        self._redis = connection(url)

    def due(self, tenants: Mapping[int, datetime], *, now: datetime) -> list[int]:
        """Those of the tenants whose next pass is due, the longest due first: also those that were never planned, or
        before the given time, when something about them changed, or before the clock was set back."""
        if not tenants:
            return []
        with away():
            plans = self._redis.hmget(PLANS, [str(tenant) for tenant in tenants])
        due: list[tuple[float, int]] = []
        for (tenant, changed), plan in zip(tenants.items(), plans, strict=True):
            planned, at = _times(plan)
            told_since = planned < changed.timestamp() <= (now + CLOCK_SKEW).timestamp()
            if at <= now.timestamp() or told_since or planned > (now + CLOCK_SKEW).timestamp():
                due.append((at, tenant))
        return [tenant for _, tenant in sorted(due)]

    def plan(self, tenants: Collection[int], at: datetime, *, now: datetime) -> None:
        """Plan the tenants' next pass, in place of the one planned before."""
        if tenants:
            with away():
                self._redis.hset(PLANS, mapping=dict.fromkeys(map(str, tenants), _plan(at, now)))

    def hurry(self, tenant: int, now: datetime) -> None:
        """Have the tenant read at once, also when a pass is under way that would plan the next one for later."""
        with away(), self._redis.pipeline(transaction=True) as pipe:
            pipe.sadd(HURRY, str(tenant))
            pipe.hset(PLANS, str(tenant), _plan(now, now))
            pipe.execute()

    def hurried(self, tenant: int) -> bool:
        """Whether someone hurried since this was last asked."""
        with away():
            return bool(self._redis.srem(HURRY, str(tenant)))

    def under_way(self, tenants: Sequence[int]) -> set[int]:
        """Those of the tenants that are being read just now."""
        if not tenants:
            return set()
        with away():
            locks = self._redis.mget([f"{PASS}{tenant}" for tenant in tenants])
        return {tenant for tenant, lock in zip(tenants, locks, strict=True) if lock}

    def tries(self, clouds: Iterable[str]) -> dict[str, Tries]:
        """How the tenants' last tries of each cloud ended."""
        asked = list(clouds)
        with away(), self._redis.pipeline(transaction=False) as pipe:
            for cloud in asked:
                pipe.hgetall(f"{CLOUD}{cloud}")
            answers = pipe.execute()
        return {cloud: _tries(answer) for cloud, answer in zip(asked, answers, strict=True)}

    def note_try(self, cloud: str, tenant: int, *, at: datetime, good: bool | None) -> None:
        """How a try of the cloud ended; ``good`` None: in a way that tells nothing of the cloud."""
        with away():
            if good is None:
                self._redis.hdel(f"{CLOUD}{cloud}", str(tenant))
            else:
                self._redis.hset(f"{CLOUD}{cloud}", str(tenant), f"{'+' if good else '-'} {at.timestamp()}")

    def note_scout(self, cloud: str, *, at: datetime) -> None:
        """A tenant was sent to try a cloud that is down."""
        with away():
            self._redis.hset(f"{CLOUD}{cloud}", _SCOUTED, at.timestamp())

    def note_recovery(self, cloud: str, others: Collection[int], *, at: datetime) -> None:
        """A cloud that was down answers: it is the turn of all the others now."""
        with away():
            self._redis.hset(f"{CLOUD}{cloud}", _RECOVERED, at.timestamp())
        self.plan(others, at, now=at)


@cache
def plans() -> Plans:
    """This process's plans, at REDIS_URL."""
    return Plans(settings.REDIS_URL)


def _plan(at: datetime, now: datetime) -> str:
    return f"{now.timestamp()} {at.timestamp()}"


def _times(plan: bytes | None) -> tuple[float, float]:
    """When it was planned, and for when."""
    if plan is None:
        return 0.0, 0.0
    planned, at = plan.split()
    return float(planned), float(at)


def _tries(stored: Mapping[bytes, bytes]) -> Tries:
    fields = {field.decode(): value for field, value in stored.items()}
    marks: dict[str, Any] = {
        name: _moment(fields.pop(field)) if field in fields else None
        for name, field in (("scouted_at", _SCOUTED), ("recovered_at", _RECOVERED))
    }
    good: dict[int, datetime] = {}
    failed: dict[int, datetime] = {}
    for tenant, value in fields.items():
        (good if value.startswith(b"+") else failed)[int(tenant)] = _moment(value.split()[1])
    return Tries(good=good, failed=failed, **marks)


def _moment(seconds: bytes) -> datetime:
    return datetime.fromtimestamp(float(seconds), UTC)
