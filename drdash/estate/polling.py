"""One pass over a tenant's estate: all of it at each interval, and in between, while a task runs, the busy servers
alone. A step that can be called once; the clock that calls it is elsewhere.
"""

import logging
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

import msgspec
from django.conf import settings

from drdash.cloud.client import Client, Patience
from drdash.cloud.errors import CloudError, NotUnderstood, TooManyRequests
from drdash.estate.replica import replica
from drdash.estate.snapshot import (
    CLOCK_SKEW,
    Change,
    Estate,
    Health,
    Read,
    failed,
    merge_part,
    merge_pass,
    next_version,
    without_future,
)
from drdash.estate.store import store
from drdash.estate.waiting import waits

log = logging.getLogger(__name__)

PASS_SECONDS = 120.0
BUSY_SECONDS = 2.0
RETRIES = 2
LONGEST_BACK_OFF = 60.0
HALF_A_TICK = 0.5  # the clock ticks each second: without it every interval would wait for the tick after its end

Now = Callable[[], datetime]
Pause = Callable[[float], None]
Merge = Callable[[Estate], tuple[Estate, Change]]


def run_pass(
    tenant: int, client: Client, *, watched: Collection[str], now: Now, pause: Pause, jitter: float
) -> Read | None:
    """Read what is due of the tenant's estate, publish it, and plan the next pass.

    ``watched``: keys of servers to follow as closely as busy ones. ``jitter``: 0 to 1, spreads the tries at a failing
    cloud; ``pause`` waits between them, for so many seconds. Returns what was read, as evidence; None when it failed
    (its health then says why), when it is not time yet, or when another process is at it. Raises StoreAway without
    Redis: there is nobody to tell then.
    """
    with store().passing(tenant) as ours:
        if not ours:
            return None
        store().hurried(tenant)  # it is read now
        estate = store().load(tenant, known=replica().known(tenant))
        read: Read | None = None
        begun = now()
        if until := waits.until(tenant, begun):
            estate = _waiting(estate, until)
        else:
            if begun >= next_whole(estate.health, now=begun, jitter=jitter):
                estate, read = _whole(estate, client, now, _patience(estate, pause, jitter))
            elif not estate.health.failures:
                estate, read = _part(estate, client, watched, now)
        planned = _next(estate, watched, now=now(), jitter=jitter)
        store().plan(tenant, now() if store().hurried(tenant) else planned)
        return read


def hurry(tenant: int, now: datetime) -> None:
    """Have the tenant's busy and watched servers read at once. Raises StoreAway."""
    store().hurry(tenant, now)


def take(tenant: int, read: Read, *, now: Now) -> None:
    """Publish what a fresh read of one server brought, like a pass of that server alone. Raises StoreAway."""
    _publish(tenant, lambda estate: merge_part(estate, read, version=next_version(estate.version, now())))


def fail(tenant: int, error: Exception, *, now: Now) -> None:
    """Note that the tenant cannot be polled at all, and why; planned again as after a failed pass. Raises StoreAway."""
    estate = _fail(store().load(tenant, known=replica().known(tenant)), error, now)
    store().plan(tenant, _next(estate, (), now=now(), jitter=0.0))


def next_whole(health: Health, *, now: datetime, jitter: float) -> datetime:
    """When the next whole pass is due: an interval after the last try, later while the cloud goes on failing."""
    if health.tried_at is None or health.tried_at > now + CLOCK_SKEW:
        return now
    back_off = min(LONGEST_BACK_OFF, settings.POLL_SECONDS * 2.0 ** min(health.failures - 1, 10))
    return health.tried_at + timedelta(seconds=max(settings.POLL_SECONDS, back_off * (1 + jitter / 4)) - HALF_A_TICK)


def _next(estate: Estate, watched: Collection[str], *, now: datetime, jitter: float) -> datetime:
    if until := waits.until(estate.tenant, now):
        return until
    whole = next_whole(estate.health, now=now, jitter=jitter)
    if estate.health.failures or not (estate.busy or watched):
        return whole
    return min(whole, now + timedelta(seconds=BUSY_SECONDS))


def _patience(estate: Estate, pause: Pause, jitter: float) -> Patience:
    """Two more tries, one to two seconds apart: what passes by itself so soon is no failed pass. A cloud that already
    fails gets one: its next pass is the next try."""

    def once_more(tries: int) -> bool:
        if estate.health.failures or tries > RETRIES:
            return False
        pause(1 + jitter)
        return True

    return once_more


def _whole(estate: Estate, client: Client, now: Now, patience: Patience) -> tuple[Estate, Read | None]:
    started = now()
    try:
        servers = client.servers(deadline=PASS_SECONDS, patience=patience)
        # One deadline for both: a pass must not last longer than what stale means.
        left = min(PASS_SECONDS, max(1.0, PASS_SECONDS - (now() - started).total_seconds()))
        sites = client.sites(deadline=left, patience=patience)
        for listing, what in ((servers, "servers"), (sites, "sites")):
            if listing.total is not None and not listing.whole:
                raise NotUnderstood(
                    f"The cloud counts {listing.total} {what}, but listed {len(listing.items)}: the list changed while "
                    "it was read, or is cut short."
                )
    except CloudError as error:
        return _fail(estate, error, now), None
    read = Read(
        started=started,
        servers=servers.items,
        sites=sites.items,
        whole_servers=servers.whole,
        whole_sites=sites.whole,
    )
    if estate.health.error:
        log.warning("Tenant %s is polled again: the cloud answers.", estate.tenant)
    finished = min(now(), started + timedelta(seconds=PASS_SECONDS))

    def merge(current: Estate) -> tuple[Estate, Change]:
        merged = merge_pass(
            without_future(_at_interval(current), now()),
            read,
            finished=finished,
            version=next_version(current.version, finished),
        )
        return merged or (current, Change())

    return _publish(estate.tenant, merge, first=estate), read


def _part(estate: Estate, client: Client, watched: Collection[str], now: Now) -> tuple[Estate, Read | None]:
    followed = {server.key: server for server in estate.busy}
    followed |= {key: estate.servers[key].record for key in watched if key in estate.servers}
    resource_ids = tuple(sorted({server.resource_id for server in followed.values() if server.resource_id}))
    if not resource_ids:
        return estate, None
    started = now()
    try:
        listing = client.servers(resource_ids=resource_ids, deadline=PASS_SECONDS)
    except TooManyRequests as error:
        return _fail(estate, error, now), None
    except CloudError as error:
        # The whole pass decides how the cloud is doing; this one only misses its news.
        log.debug("Tenant %s: its busy servers were not read: %s", estate.tenant, error)
        return estate, None
    read = Read(started=started, servers=listing.items)

    def merge(current: Estate) -> tuple[Estate, Change]:
        return merge_part(current, read, version=next_version(current.version, now()))

    return _publish(estate.tenant, merge, first=estate), read


def _fail(estate: Estate, error: Exception, now: Now) -> Estate:
    until = None
    if isinstance(error, TooManyRequests):
        until = now() + timedelta(seconds=error.retry_after)
        waits.hold(estate.tenant, until)
    if not estate.health.error:
        log.warning("Tenant %s cannot be polled: %s", estate.tenant, error)

    def merge(current: Estate) -> tuple[Estate, Change]:
        health = failed(_at_interval(current).health, str(error), now=now(), wait_until=until)
        return msgspec.structs.replace(current, health=health), Change()

    return _publish(estate.tenant, merge, first=estate)


def _waiting(estate: Estate, until: datetime) -> Estate:
    """With a wait that someone else was told: the pages count it down."""
    if estate.health.wait_until is not None and estate.health.wait_until >= until:
        return estate

    def merge(current: Estate) -> tuple[Estate, Change]:
        health = msgspec.structs.replace(current.health, wait_until=until)
        return msgspec.structs.replace(current, health=health), Change()

    return _publish(estate.tenant, merge, first=estate)


def _publish(tenant: int, merge: Merge, *, first: Estate | None = None) -> Estate:
    """Merge into what is stored, again if someone else published meanwhile; the estate as it then is."""
    current = first or store().load(tenant, known=replica().known(tenant))
    while True:
        merged, change = merge(current)
        if merged is current or store().publish(current, merged, change):
            return merged
        current = store().load(tenant)


def _at_interval(estate: Estate) -> Estate:
    """With today's poll interval: it may have been set anew since the estate was stored."""
    return msgspec.structs.replace(
        estate, health=msgspec.structs.replace(estate.health, interval=float(settings.POLL_SECONDS))
    )
