"""An estate as last seen, and how a new read changes it. Pure: the time is always an argument."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Generic, TypeVar

import msgspec

from drdash.cloud.records import Server, Site

KEPT_WHEN_MISSING = timedelta(days=1)
# How far the clocks of two machines may be apart. What is further in the future was written before ours was set back.
CLOCK_SKEW = timedelta(seconds=30)

Record = TypeVar("Record", Server, Site)


class Health(msgspec.Struct, frozen=True):
    """How well an estate is known. Times are aware; ``duration`` and ``interval`` are seconds.

    ``as_of`` is the first request of the last good whole pass (None: never polled). ``tried_at`` is the last try, good
    or not; ``error`` says why it failed, since ``failing_since``. Before ``wait_until`` the cloud wants no request;
    before ``barred_until`` none is made with a credential that it turned down, unless that is changed.
    """

    interval: float
    as_of: datetime | None = None
    duration: float = 0.0
    tried_at: datetime | None = None
    error: str | None = None
    failing_since: datetime | None = None
    failures: int = 0
    wait_until: datetime | None = None
    barred_until: datetime | None = None

    @property
    def stale_after(self) -> float:
        """Seconds after ``as_of`` at which the estate counts as stale."""
        return 2 * max(self.interval, self.duration)

    def age(self, now: datetime) -> float | None:
        """Seconds since ``as_of``; None when never polled."""
        return None if self.as_of is None else (now - self.as_of).total_seconds()

    def stale(self, now: datetime) -> bool:
        """Whether the estate may no longer be shown as current."""
        age = self.age(now)
        # An age below zero: the clock was set back since, so nobody can say how old it is.
        return age is None or not -CLOCK_SKEW.total_seconds() <= age <= self.stale_after


class Seen(msgspec.Struct, Generic[Record], frozen=True):
    """A record as last seen. ``version``: the estate's version that last changed it. ``missing_since``: a whole pass no
    longer held it. ``read_at``: a partial read gave it, begun then, later than the estate's ``as_of``."""

    record: Record
    version: int
    missing_since: datetime | None = None
    read_at: datetime | None = None


class Estate(msgspec.Struct, frozen=True):
    """A tenant's sites and servers by key (uuid in lower case), with their version and health."""

    tenant: int
    version: int
    health: Health
    servers: Mapping[str, Seen[Server]] = {}
    sites: Mapping[str, Seen[Site]] = {}

    def site_of(self, server: Server) -> Site | None:
        """The server's site, if it is among the known ones."""
        seen = self.sites.get(server.site_key)
        return seen.record if seen else None

    @property
    def busy(self) -> list[Server]:
        """The servers on which a task runs, as last seen."""
        return [seen.record for seen in self.servers.values() if seen.record.busy and not seen.missing_since]


class Read(msgspec.Struct, frozen=True):
    """What one read of the cloud brought. ``whole_servers``/``whole_sites``: everything there is was read, so what is
    absent is missing; otherwise the read only adds and changes."""

    started: datetime
    servers: tuple[Server, ...]
    sites: tuple[Site, ...] = ()
    whole_servers: bool = False
    whole_sites: bool = False


class Change(msgspec.Struct, frozen=True):
    """What a merge changed: the records to write, which of them look different now, and the keys that were dropped."""

    servers: Mapping[str, Seen[Server]] = {}
    sites: Mapping[str, Seen[Site]] = {}
    changed_servers: frozenset[str] = frozenset()
    changed_sites: frozenset[str] = frozenset()
    dropped_servers: frozenset[str] = frozenset()
    dropped_sites: frozenset[str] = frozenset()

    @property
    def visible(self) -> bool:
        """Whether anything looks different now."""
        return bool(self.changed_servers or self.changed_sites or self.dropped_servers or self.dropped_sites)


def merge_pass(estate: Estate, read: Read, *, finished: datetime, version: int) -> tuple[Estate, Change] | None:
    """The estate after a good pass; None when a newer pass was already merged. ``version`` must exceed the estate's."""
    as_of = estate.health.as_of
    if as_of is not None and read.started <= as_of:
        return None
    health = Health(
        interval=estate.health.interval,
        as_of=read.started,
        duration=(finished - read.started).total_seconds(),
        tried_at=read.started,
    )
    return _merge(estate, read, health, version, partial=False)


def without_future(estate: Estate, now: datetime) -> Estate:
    """The estate without times that are still to come: they would keep out all that is read until then."""
    health, latest = estate.health, now + CLOCK_SKEW
    if health.as_of is None or health.as_of <= latest:
        return estate
    return msgspec.structs.replace(
        estate,
        health=msgspec.structs.replace(health, as_of=None),
        servers={key: msgspec.structs.replace(seen, read_at=None) for key, seen in estate.servers.items()},
        sites={key: msgspec.structs.replace(seen, read_at=None) for key, seen in estate.sites.items()},
    )


def merge_part(estate: Estate, read: Read, *, version: int) -> tuple[Estate, Change]:
    """The estate after a read of some servers (and perhaps sites): nothing is missed, and its age stays as it was."""
    if estate.health.as_of is not None and read.started <= estate.health.as_of:
        return estate, Change()
    return _merge(estate, read, estate.health, version, partial=True)


def failed(
    health: Health,
    error: str,
    *,
    now: datetime,
    wait_until: datetime | None = None,
    barred_until: datetime | None = None,
) -> Health:
    """The health after a failed pass: the last good data keeps its time, and the reason is kept beside it."""
    return msgspec.structs.replace(
        health,
        tried_at=now,
        error=error,
        failing_since=health.failing_since or now,
        failures=health.failures + 1,
        wait_until=wait_until,
        barred_until=barred_until,
    )


def next_version(version: int, now: datetime) -> int:
    """A version above ``version``: milliseconds, so that versions still grow after the store was lost."""
    return max(version + 1, int(now.timestamp() * 1000))


def _merge(estate: Estate, read: Read, health: Health, version: int, *, partial: bool) -> tuple[Estate, Change]:
    read_at = read.started if partial else None
    servers, dropped_servers = _merged(estate.servers, read.servers, read.whole_servers, read, version, read_at)
    sites, dropped_sites = _merged(estate.sites, read.sites, read.whole_sites, read, version, read_at)
    written_servers = {key: seen for key, seen in servers.items() if estate.servers.get(key) != seen}
    written_sites = {key: seen for key, seen in sites.items() if estate.sites.get(key) != seen}
    change = Change(
        servers=written_servers,
        sites=written_sites,
        changed_servers=frozenset(key for key, seen in written_servers.items() if seen.version == version),
        changed_sites=frozenset(key for key, seen in written_sites.items() if seen.version == version),
        dropped_servers=dropped_servers,
        dropped_sites=dropped_sites,
    )
    version = version if change.visible else estate.version
    return Estate(tenant=estate.tenant, version=version, health=health, servers=servers, sites=sites), change


def _merged(
    old: Mapping[str, Seen[Record]],
    records: Iterable[Record],
    whole: bool,
    read: Read,
    version: int,
    read_at: datetime | None,
) -> tuple[dict[str, Seen[Record]], frozenset[str]]:
    merged = dict(old)
    found = set()
    for record in records:
        found.add(record.key)
        merged[record.key] = _seen_again(old.get(record.key), record, read.started, version, read_at)
    dropped = set()
    for key, seen in old.items() if whole else ():
        if key in found or _newer(seen, read.started):
            continue
        if seen.missing_since is None:
            merged[key] = Seen(seen.record, version, missing_since=read.started)
        elif read.started - seen.missing_since > KEPT_WHEN_MISSING:
            del merged[key]
            dropped.add(key)
    return merged, frozenset(dropped)


def _seen_again(
    old: Seen[Record] | None, record: Record, started: datetime, version: int, read_at: datetime | None
) -> Seen[Record]:
    if old is not None and _newer(old, started):
        return old
    if old is None or old.missing_since is not None or old.record.json != record.json:
        return Seen(record, version, read_at=read_at)
    # Unchanged. A partial read still has to be remembered, or a pass begun before it could bring older news back.
    return old if old.read_at == read_at else Seen(old.record, old.version, read_at=read_at)


def _newer(seen: Seen[Record], started: datetime) -> bool:
    """Whether a read that began later than ``started`` already gave this record."""
    return seen.read_at is not None and seen.read_at > started
