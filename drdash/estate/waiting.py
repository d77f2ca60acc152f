"""A 429 obeyed: until when the cloud wants no request for a tenant, over all processes."""

import threading
from datetime import datetime

from drdash.estate.aside import aside
from drdash.estate.replica import replica
from drdash.estate.store import StoreAway, store


class Waits:
    """The waits of this process, shared through the store while it answers; without it each process obeys its own."""

    def __init__(self) -> None:
        self._until: dict[int, datetime] = {}
        self._lock = threading.Lock()

    def hold(self, tenant: int, until: datetime) -> None:
        """No request for the tenant before ``until``; an earlier wait is never shortened."""
        with self._lock:
            until = max(until, self._until.get(tenant, until))
            self._until[tenant] = until
        aside(lambda: store().hold(tenant, until))

    def until(self, tenant: int, now: datetime) -> datetime | None:
        """Until when every process has to wait, if at all."""
        try:
            stored = store().held_until(tenant)
        except StoreAway:
            stored = None
        return _latest(now, stored, self._until.get(tenant))

    def until_at_hand(self, tenant: int, now: datetime) -> datetime | None:
        """The same without a trip to Redis: what this process was told, itself or by the last pass that it saw."""
        estate = replica().known(tenant)
        return _latest(now, estate.health.wait_until if estate else None, self._until.get(tenant))


def _latest(now: datetime, *waits: datetime | None) -> datetime | None:
    return max((until for until in waits if until is not None and until > now), default=None)


waits = Waits()
