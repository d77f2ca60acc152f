"""One pass over a tenant's estate: all of it at each interval, and in between, while a task runs, the busy servers
alone. A step that can be called once; the clock that calls it is elsewhere.
"""

import logging
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

import msgspec
from django.conf import settings

from drdash.cloud.client import Patience
from drdash.cloud.errors import CloudError, NotUnderstood, TooManyRequests, WrongCredential
from drdash.english import english
from drdash.estate import history
from drdash.estate.breaker import THE_CLOUDS
from drdash.estate.clients import Way
from drdash.estate.plans import plans
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
from drdash.estate.waiting import Barred

log = logging.getLogger(__name__)

PASS_SECONDS = 120.0
# How long a tenant that failed is waited for, to see whether it answers again: one that hangs must not hold a thread.
KNOCK_SECONDS = 10.0
BUSY_SECONDS = 2.0
RETRIES = 2
# A try that hung for longer than that is not one that another a second later would mend.
PATIENT_SECONDS = 20.0
LONGEST_BACK_OFF = 60.0
BARRED = timedelta(minutes=15)
FEWER_SERVERS = english(
    "The cloud counts %(total)s servers, but listed %(items)s: the list changed while it was read, or is cut short."
)
FEWER_SITES = english(
    "The cloud counts %(total)s sites, but listed %(items)s: the list changed while it was read, or is cut short."
)
ONLY_SO_OFTEN = english(
    "Lest it be locked out, it is tried again every 15 minutes only, and at once when it is replaced."
)
HALF_A_TICK = 0.5  # the clock ticks each second: without it every interval would wait for the tick after its end

Now = Callable[[], datetime]
Pause = Callable[[float], None]
Merge = Callable[[Estate], tuple[Estate, Change]]


def run_pass(tenant: int, way: Way, *, watched: Collection[str], now: Now, pause: Pause, jitter: float) -> Read | None:
    """Read what is due of the tenant's estate, publish it, and plan the next pass.

    ``watched``: keys of servers to follow as closely as busy ones. ``jitter``: 0 to 1, spreads the tries at a failing
    cloud; ``pause`` waits between them, for so many seconds. Returns what was read, as evidence; None when it failed
    (its health then says why), when it is not time yet, or when another process is at it. Raises StoreAway without
    Redis: there is nobody to tell then.
    """
    with store().passing(tenant) as ours:
        if not ours:
            return None
        plans().hurried(tenant)  # it is read now
        estate = store().load(tenant, known=replica().known(tenant))
        read: Read | None = None
        begun = now()
        if (left := way.hold.left()) > 0:
            estate = _waiting(estate, begun + timedelta(seconds=left))
        elif begun >= next_whole(estate.health, now=begun, jitter=0.0, news=_news(estate, way)):
            estate, read = _whole(estate, way, now, pause, jitter)
        elif not estate.health.failures:
            estate, read = _part(estate, way, watched, now)
        planned = _next(estate, way, watched, now=now(), jitter=jitter)
        plans().plan([tenant], now() if plans().hurried(tenant) else planned, now=now())
        return read


def hurry(tenant: int, now: datetime) -> None:
    """Have the tenant's busy and watched servers read at once. Raises StoreAway."""
    plans().hurry(tenant, now)


def take(tenant: int, read: Read, *, now: Now) -> None:
    """Publish what a fresh read of one server brought, like a pass of that server alone. Raises StoreAway."""
    _publish(tenant, lambda estate: merge_part(estate, read, version=next_version(estate.version, now())), read=read)


def fail(tenant: int, error: Exception, *, now: Now) -> None:
    """Note that the tenant cannot be polled at all, and why; planned again as after a failed pass. Raises StoreAway."""
    estate = _fail(store().load(tenant, known=replica().known(tenant)), error, now)
    plans().plan([tenant], next_whole(estate.health, now=now(), jitter=0.0), now=now())


def next_whole(health: Health, *, now: datetime, jitter: float, news: datetime | None = None) -> datetime:
    """When the next whole pass is due: an interval after the last try, later while the cloud goes on failing or turns
    the credential down; at once if since then there is ``news``."""
    tried = health.tried_at
    if tried is None or tried > now + CLOCK_SKEW or (news is not None and tried < news <= now + CLOCK_SKEW):
        return now
    back_off = min(LONGEST_BACK_OFF, settings.POLL_SECONDS * 2.0 ** min(health.failures - 1, 10))
    again = tried + timedelta(seconds=max(settings.POLL_SECONDS, back_off * (1 + jitter / 20)) - HALF_A_TICK)
    return max(again, health.barred_until or again)


def next_try(health: Health) -> datetime | None:
    """The earliest that a tenant which fails is tried again by itself; None where it does not fail, or the cloud said
    when."""
    if health.error is None or health.tried_at is None or health.wait_until is not None:
        return None
    return next_whole(health, now=health.tried_at, jitter=0.0)


def _news(estate: Estate, way: Way) -> datetime | None:
    """When something happened for which a tenant that fails is to be tried again at once."""
    if not estate.health.failures:
        return way.changed_at
    tries = plans().tries([way.cloud])[way.cloud]
    return max(way.changed_at, tries.recovered_at or way.changed_at)


def _next(estate: Estate, way: Way, watched: Collection[str], *, now: datetime, jitter: float) -> datetime:
    if (left := way.hold.left()) > 0:
        return now + timedelta(seconds=left)
    if estate.health.failures and plans().tries([way.cloud])[way.cloud].down(now=now, interval=_interval()):
        jitter = 0.0  # by turns, nobody meets another
    whole = next_whole(estate.health, now=now, jitter=jitter)
    if estate.health.failures or not (estate.busy or watched):
        return whole
    return min(whole, now + timedelta(seconds=BUSY_SECONDS))


def _patience(estate: Estate, now: Now, pause: Pause, jitter: float) -> Patience:
    """Two more tries, one to two seconds apart: what passes by itself so soon is no failed pass. A cloud that already
    fails gets one: its next pass is the next try."""
    begun = now()

    def once_more(tries: int) -> bool:
        if estate.health.failures or tries > RETRIES or now() - begun > timedelta(seconds=PATIENT_SECONDS):
            return False
        pause(1 + jitter)
        return True

    return once_more


def _whole(estate: Estate, way: Way, now: Now, pause: Pause, jitter: float) -> tuple[Estate, Read | None]:
    started, patience = now(), _patience(estate, now, pause, jitter)
    try:
        knock = KNOCK_SECONDS if estate.health.failures else PASS_SECONDS
        sites = way.client.sites(deadline=knock, patience=patience)
        # One deadline for both: a pass must not last longer than what stale means.
        left = min(PASS_SECONDS, max(1.0, PASS_SECONDS - (now() - started).total_seconds()))
        servers = way.client.servers(deadline=left, patience=patience)
        for listing, short in ((servers, FEWER_SERVERS), (sites, FEWER_SITES)):
            if listing.total is not None and not listing.whole:
                raise NotUnderstood(short % {"total": listing.total, "items": len(listing.items)})
    except CloudError as error:
        told = False if isinstance(error, THE_CLOUDS) else None
        plans().note_try(way.cloud, estate.tenant, at=started, good=told)
        return _fail(estate, error, now, barred=_barred(error, way)), None
    _note_success(estate, way, now())
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

    return _publish(estate.tenant, merge, first=estate, read=read), read


def _barred(error: CloudError, way: Way) -> timedelta | None:
    """How long the credential is not shown again after it was turned down: each try counts there, and too many lock an
    account out. Where no other tenant of it would fare better, it is not shown for them either."""
    if isinstance(error, Barred):
        return timedelta(seconds=way.bar.left())
    if not isinstance(error, WrongCredential):
        return None
    if not way.shared or error.code == "invalid_client":
        way.bar.note(int(BARRED.total_seconds()))
    return BARRED


def _note_success(estate: Estate, way: Way, now: datetime) -> None:
    """The cloud answered; if it was down, that is news for all its tenants."""
    doubtful = estate.health.failures or estate.health.as_of is None
    before = plans().tries([way.cloud])[way.cloud] if doubtful else None
    plans().note_try(way.cloud, estate.tenant, at=now, good=True)
    if before is not None and before.down(now=now, interval=_interval()):
        plans().note_recovery(way.cloud, before.failed.keys() - {estate.tenant}, at=now)


def _part(estate: Estate, way: Way, watched: Collection[str], now: Now) -> tuple[Estate, Read | None]:
    followed = {server.key: server for server in estate.busy}
    followed |= {key: estate.servers[key].record for key in watched if key in estate.servers}
    resource_ids = tuple(sorted({server.resource_id for server in followed.values() if server.resource_id}))
    if not resource_ids:
        return estate, None
    started = now()
    try:
        listing = way.client.servers(resource_ids=resource_ids, deadline=PASS_SECONDS)
    except TooManyRequests as error:
        return _fail(estate, error, now), None
    except CloudError as error:
        # The whole pass decides how the cloud is doing; this one only misses its news.
        log.debug("Tenant %s: its busy servers were not read: %s", estate.tenant, error)
        return estate, None
    read = Read(started=started, servers=listing.items)

    def merge(current: Estate) -> tuple[Estate, Change]:
        return merge_part(current, read, version=next_version(current.version, now()))

    return _publish(estate.tenant, merge, first=estate, read=read), read


def _fail(estate: Estate, error: Exception, now: Now, *, barred: timedelta | None = None) -> Estate:
    until = now() + timedelta(seconds=error.retry_after) if isinstance(error, TooManyRequests) else None
    barred_until = now() + barred if barred else None
    said = f"{error} {ONLY_SO_OFTEN}" if barred else str(error)
    if not estate.health.error:
        log.warning("Tenant %s cannot be polled: %s", estate.tenant, error)

    def merge(current: Estate) -> tuple[Estate, Change]:
        health = failed(_at_interval(current).health, said, now=now(), wait_until=until, barred_until=barred_until)
        return msgspec.structs.replace(current, health=health), Change()

    return _publish(estate.tenant, merge, first=estate)


def _waiting(estate: Estate, until: datetime) -> Estate:
    """With a wait that someone else was told: the pages count it down."""
    told = estate.health.wait_until
    if told is not None and abs(told - until) < timedelta(seconds=2):
        return estate

    def merge(current: Estate) -> tuple[Estate, Change]:
        health = msgspec.structs.replace(current.health, wait_until=until)
        return msgspec.structs.replace(current, health=health), Change()

    return _publish(estate.tenant, merge, first=estate)


def _publish(tenant: int, merge: Merge, *, first: Estate | None = None, read: Read | None = None) -> Estate:
    """Merge into what is stored, again if someone else published meanwhile; the estate as it then is. What a ``read``
    changed goes into the history, once it is published."""
    current = first or store().load(tenant, known=replica().known(tenant))
    while True:
        merged, change = merge(current)
        if merged is current:
            return merged
        if store().publish(current, merged, change):
            if read is not None:
                history.note(current, merged, change, at=read.started)
            return merged
        current = store().load(tenant)


def _interval() -> timedelta:
    return timedelta(seconds=settings.POLL_SECONDS)


def _at_interval(estate: Estate) -> Estate:
    """With today's poll interval: it may have been set anew since the estate was stored."""
    return msgspec.structs.replace(
        estate, health=msgspec.structs.replace(estate.health, interval=float(settings.POLL_SECONDS))
    )
