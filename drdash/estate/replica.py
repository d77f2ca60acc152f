"""Each process's typed copy of the estates: one trip to Redis a request tells whether it is current."""

import threading
import time
from collections.abc import Callable, Collection, Iterable
from functools import cache

import msgspec
from django.conf import settings

from drdash.estate import copies
from drdash.estate.snapshot import Estate, Health
from drdash.estate.store import Store, StoreAway, store

# A Redis that hangs costs each trip its whole time-out: after one that failed, so long nobody else tries.
PAUSE_SECONDS = 2.0

Copied = Callable[[Collection[int]], dict[int, Estate]]


class Replica:
    """Estates by tenant, brought up to date from the store when asked; without Redis they serve as they are.

    ``copied``: where those are looked for that the store tells nothing of.
    """

    def __init__(self, source: Store, copied: Copied = lambda _: {}) -> None:
        self._store, self._copied = source, copied
        self._estates: dict[int, Estate] = {}
        # Of those that Redis told this process nothing of.
        self._copies: dict[int, Estate | None] = {}
        self._lock = threading.Lock()
        self._away_until = 0.0
        self.reachable = False

    def estates(self, tenants: Iterable[int]) -> dict[int, Estate]:
        """The estate of each tenant, as fresh as can be had. A tenant that was never seen has an empty one, never
        polled. Raises nothing for want of Redis: ``reachable`` tells, and the estates' age."""
        return self.look(tenants)[0]

    def look(self, tenants: Iterable[int]) -> tuple[dict[int, Estate], bool]:
        """The estates, and whether they hold all that was published before this was asked."""
        wanted, current = list(tenants), False
        if time.monotonic() >= self._away_until:
            try:
                self._refresh(wanted)
                self.reachable = current = True
            except StoreAway:
                self.reachable = False
                self._away_until = time.monotonic() + PAUSE_SECONDS
        known = {tenant: self._estates.get(tenant) or _never_seen(tenant) for tenant in wanted}
        if unread := [tenant for tenant, estate in known.items() if estate.health.as_of is None]:
            known |= {one: _kept(copy, known[one]) for one, copy in self._copies_of(unread).items()}
        return known, current

    def _copies_of(self, tenants: list[int]) -> dict[int, Estate]:
        if new := [one for one in tenants if one not in self._copies]:
            self._copies = {**dict.fromkeys(new), **self._copied(new), **self._copies}
        return {one: copy for one in tenants if (copy := self._copies[one]) is not None}

    def known(self, tenant: int) -> Estate | None:
        """What this process has of the tenant, however old; no trip to Redis."""
        return self._estates.get(tenant)

    def _refresh(self, wanted: list[int]) -> None:
        for tenant, stored in self._store.peek(wanted).items() if wanted else ():
            known = self._estates.get(tenant)
            if known is not None and (known.version, known.health) == (stored.version, stored.health):
                continue
            if known is None and stored.health is None:
                continue
            with self._lock:
                # A store that was emptied has nothing to teach: what was last seen is kept, with its age.
                if stored.health is not None:
                    known = self._estates.get(tenant)
                    self._estates[tenant] = _kept(known, self._store.load(tenant, known=known))


@cache
def replica() -> Replica:
    """This process's replica."""
    return Replica(store(), copies.of)


def _kept(known: Estate | None, loaded: Estate) -> Estate:
    """What was last seen, beside today's health, while the store has had no whole pass since it was lost."""
    if known is None or known.health.as_of is None or loaded.health.as_of is not None:
        return loaded
    health = msgspec.structs.replace(loaded.health, as_of=known.health.as_of, duration=known.health.duration)
    return msgspec.structs.replace(known, health=health)


def _never_seen(tenant: int) -> Estate:
    return Estate(tenant=tenant, version=0, health=Health(interval=float(settings.POLL_SECONDS)))
