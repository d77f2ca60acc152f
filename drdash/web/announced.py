"""The latest announcements, as far as streams that were cut need them to catch up."""

from collections import deque
from collections.abc import Collection, Mapping

from drdash.estate.store import Changes

KEPT = 500  # announcements a tenant

Id = tuple[int, int]


def numeric(stream_id: str) -> Id | None:
    """A Redis stream id as numbers that can be compared; None when it is not one."""
    first, _, second = stream_id.partition("-")
    if not (first.isascii() and first.isdigit() and second.isascii() and second.isdigit() and len(stream_id) <= 41):
        return None
    return int(first), int(second)


def newest(latest: Mapping[int, str], tenants: Collection[int]) -> str | None:
    """Of each tenant's newest id, the newest of these tenants."""
    return max(
        (latest[tenant] for tenant in tenants if tenant in latest), key=lambda one: numeric(one) or (0, 0), default=None
    )


class Announced:
    """What was announced of each tenant, without gaps since it was last cleared. One tenant's never tells of another.

    ``kept``: how many announcements of a tenant.
    """

    def __init__(self, *, kept: int = KEPT) -> None:
        self._kept = kept
        self._tenants: dict[int, deque[tuple[Id, Changes]]] = {}
        self._forgotten: dict[int, Id] = {}
        self._latest: dict[int, str] = {}

    def add(self, change: Changes) -> None:
        """Keep one more; its id must be above those before."""
        at = numeric(change.id)
        if at is None:
            raise ValueError(f"{change.id!r} is not the id of a stream's entry")
        entries = self._tenants.setdefault(change.tenant, deque(maxlen=self._kept))
        if len(entries) == self._kept:
            self._forgotten[change.tenant] = entries[0][0]
        entries.append((at, change))
        self._latest[change.tenant] = change.id

    def clear(self) -> None:
        """Forget everything: from here on there may be a gap."""
        self._tenants.clear()
        self._forgotten.clear()
        self._latest.clear()

    def newest(self, tenants: Collection[int]) -> str | None:
        """The id of the newest announcement of these tenants."""
        return newest(self._latest, tenants)

    def latest(self) -> Mapping[int, str]:
        """Each tenant's newest id, as it is now. Any thread may ask."""
        return self._latest.copy()

    def since(self, stream_id: str, tenants: Collection[int]) -> dict[int, set[str]] | None:
        """The keys announced after ``stream_id``, by tenant; None when it is not known whether these are all.

        Only an id of one of these tenants is known.
        """
        start = numeric(stream_id)
        if start is None:
            return None
        known = False
        missed: dict[int, set[str]] = {}
        for tenant in tenants:
            if self._forgotten.get(tenant, (0, 0)) > start:
                return None
            for at, change in reversed(self._tenants.get(tenant, ())):
                if at <= start:
                    known = known or at == start
                    break
                missed.setdefault(tenant, set()).update(change.keys)
        return missed if known else None
