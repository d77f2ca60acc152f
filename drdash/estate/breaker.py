"""Who may try a cloud now. One that fails for all of its tenants is tried by turns: one of them each interval, none
twice a minute; the first that succeeds sets the others free. And none of several clouds takes all the threads. Pure.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from drdash.cloud.errors import Broken, NotSent, ServerFault
from drdash.estate.snapshot import CLOCK_SKEW

# What speaks against the cloud itself; everything else is a tenant's own.
THE_CLOUDS = (Broken, NotSent, ServerFault)
A_TURN = timedelta(minutes=1)
HALF_A_TICK = timedelta(seconds=0.5)  # the clock ticks each second: a turn must not wait for the tick after its time
# A tenant that failed may hang again: so many of a cloud's at once, and the rest of its share is for the good ones.
FAILING_AT_ONCE = 8
MOST_SHARES = 3


class Tries(msgspec.Struct, frozen=True):
    """How the last try of each of a cloud's tenants ended, by tenant, with its time. ``scouted_at``: when one was last
    sent to see whether it is still down; ``recovered_at``: when the first one succeeded after all had failed."""

    good: Mapping[int, datetime] = {}
    failed: Mapping[int, datetime] = {}
    scouted_at: datetime | None = None
    recovered_at: datetime | None = None

    def down(self, *, now: datetime, interval: timedelta) -> bool:
        """Whether it is the cloud that fails: several of its tenants did, and none succeeded of late."""
        lately = any(now - 3 * interval < at <= now + CLOCK_SKEW for at in self.good.values())
        return len(self.failed) > 1 and not lately

    def freed(self, tenant: int) -> bool:
        """Whether the cloud came back after this tenant's last try of it."""
        tried = self.failed.get(tenant)
        return tried is not None and self.recovered_at is not None and tried < self.recovered_at


def turns(tries: Tries, due: Sequence[int], *, now: datetime, interval: timedelta) -> list[int]:
    """Those of a cloud's due tenants that may try it now: all, or one while it is down, who waited the longest."""
    if not tries.down(now=now, interval=interval):
        return list(due)
    latest = [at for at in (*tries.failed.values(), tries.scouted_at) if at is not None and at <= now + CLOCK_SKEW]
    if latest and now - max(latest) < interval - HALF_A_TICK:
        return []
    rested = [tenant for tenant in due if not _resting(tries.failed.get(tenant), now)]
    never = datetime.min.replace(tzinfo=now.tzinfo)
    return sorted(rested, key=lambda tenant: tries.failed.get(tenant, never))[:1]


def shared_out(
    due: Mapping[str, Sequence[int]],
    under_way: Mapping[str, Collection[int]],
    tries: Mapping[str, Tries],
    *,
    most: int,
) -> list[int]:
    """Of the due tenants, by cloud (all clouds, also those with none), those that there is room for: ``most`` in all
    with those under way, no cloud more than its share, and of a cloud's failing tenants only a few."""
    share = most // max(1, min(len(due), MOST_SHARES))
    room = most - sum(map(len, under_way.values()))
    chosen: list[int] = []
    for cloud in sorted(due, key=lambda one: len(under_way[one])):
        doubtful = {tenant for tenant in tries[cloud].failed if not tries[cloud].freed(tenant)}
        taken = set(under_way[cloud])
        for tenant in due[cloud]:
            if len(taken) >= share or len(chosen) >= room:
                break
            if tenant in taken or (tenant in doubtful and len(doubtful & taken) >= FAILING_AT_ONCE):
                continue
            taken.add(tenant)
            chosen.append(tenant)
    return chosen


def _resting(tried: datetime | None, now: datetime) -> bool:
    return tried is not None and timedelta(0) <= now - tried < A_TURN
