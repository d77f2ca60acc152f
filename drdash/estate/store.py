"""The estates in Redis: what was last seen, shared by every process, and the stream that announces what changed.

The only importer of redis. Nothing here is the last word on anything: without Redis every process goes on with what it
has, and says how old that is. Keys: ``drdash:estate:<tenant>`` (hash of version, health and items),
``drdash:changed:<tenant>`` (item → version that last changed it), ``drdash:pass:<tenant>`` (the lock),
``drdash:changes`` (the stream); of ``plans``: ``drdash:plans`` (tenant → when its next pass was planned, and for when),
``drdash:hurry`` (tenants to read at once), ``drdash:cloud:<root>`` (how each tenant's last try of that cloud ended); of
``waiting``: ``drdash:wait:<tenant>`` (credential → the end of its 429).
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import msgspec
import redis
import redis.asyncio
from django.conf import settings
from redis.exceptions import RedisError

from drdash.estate.packing import health_of, is_of, pack, updated
from drdash.estate.snapshot import Change, Estate, Health

STREAM = "drdash:changes"
PASS, WAIT, CLOUD = "drdash:pass:", "drdash:wait:", "drdash:cloud:"
PLANS, HURRY = "drdash:plans", "drdash:hurry"
STREAM_LENGTH = 10_000
READ_SECONDS = 10

_DROP_OWN_LOCK = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"
_KEEP_OWN_LOCK = "return redis.call('get', KEYS[1]) == ARGV[1] and redis.call('pexpire', KEYS[1], ARGV[2])"

# A process that is killed leaves its lock for as long as this at most; one that lives renews it.
LOCK_SECONDS = 15.0


class StoreAway(Exception):
    """Redis does not answer. Go on with what is in memory, say how old it is, and try again later."""


class Changes(msgspec.Struct, frozen=True):
    """One announcement: ``keys`` are ``server:<key>``, ``site:<key>``, ``action:<id>``, ``health``, ``notice`` or
    ``estate``."""

    id: str
    tenant: int
    keys: tuple[str, ...]


class Stored(msgspec.Struct, frozen=True):
    """A tenant's version and health in the store; ``version`` 0 and no health when it is not there."""

    version: int
    health: Health | None


class Store:
    """The estates in one Redis. Every method raises StoreAway when it does not answer within two seconds."""

    def __init__(self, url: str) -> None:
        self._redis = connection(url)
        self._drop_own_lock = self._redis.register_script(_DROP_OWN_LOCK)
        self._keep_own_lock = self._redis.register_script(_KEEP_OWN_LOCK)

    def peek(self, tenants: Sequence[int]) -> dict[int, Stored]:
        """The version and health of each tenant, in one trip."""
        with away(), self._redis.pipeline(transaction=False) as pipe:
            for tenant in tenants:
                pipe.hmget(_estate(tenant), "version", "health")
            answers = pipe.execute()
        return {
            tenant: Stored(int(version or 0), msgspec.json.decode(health, type=Health) if health else None)
            for tenant, (version, health) in zip(tenants, answers, strict=True)
        }

    def load(self, tenant: int, *, known: Estate | None = None) -> Estate:
        """The estate as stored. Of ``known``, what has not changed since is taken over instead of read again."""
        with away():
            if known is None or known.version == 0:
                return self._load_all(tenant)
            with self._redis.pipeline(transaction=True) as pipe:
                pipe.hmget(_estate(tenant), "version", "health")
                pipe.zrange(_changed(tenant), f"({known.version}", "+inf", byscore=True)
                pipe.hlen(_estate(tenant))
                (version, health), changed, length = pipe.execute()
            # Lost, or begun anew: then what is known says nothing about it.
            if int(version or 0) < known.version:
                return self._load_all(tenant)
            fields = [field.decode() for field in changed]
            items = self._redis.hmget(_estate(tenant), fields) if fields else []
        estate = updated(known, int(version), health_of(health), dict(zip(fields, items, strict=True)))
        # A store that was lost and filled anew holds nothing of what was dropped in between.
        if len(estate.servers) + len(estate.sites) + 2 != length:
            with away():
                return self._load_all(tenant)
        return estate

    def _load_all(self, tenant: int) -> Estate:
        fields = {field.decode(): value for field, value in self._redis.hgetall(_estate(tenant)).items()}
        version, health = fields.pop("version", b"0"), fields.pop("health", None)
        return updated(
            Estate(tenant=tenant, version=0, health=health_of(health)), int(version), health_of(health), fields
        )

    def publish(self, old: Estate, new: Estate, change: Change) -> bool:
        """Write what changed and announce it, all or nothing. False: someone else published meanwhile, nothing was
        written."""
        keys = _announced(new, change)
        if new.health != old.health:
            keys.add("health")
            if _known(new.health) != _known(old.health):
                keys.add("estate")  # an outage begins or ends: pages count and say that, whatever it changed
        writes = {f"server:{key}": pack(seen) for key, seen in change.servers.items()}
        writes |= {f"site:{key}": pack(seen) for key, seen in change.sites.items()}
        drops = [f"server:{key}" for key in change.dropped_servers] + [f"site:{key}" for key in change.dropped_sites]
        with away(), self._redis.pipeline(transaction=True) as pipe:
            pipe.watch(_estate(new.tenant))
            version, health, *items = pipe.hmget(_estate(new.tenant), "version", "health", *writes, *drops)
            if int(version or 0) != old.version or (health is not None and health_of(health) != old.health):
                return False
            # Not every write moves the version: one that only tells when an item was read does not.
            if not all(is_of(old, field, item) for field, item in zip([*writes, *drops], items, strict=True)):
                return False
            pipe.multi()
            mapping = {**writes, "version": new.version, "health": msgspec.json.encode(new.health)}
            pipe.hset(_estate(new.tenant), mapping=mapping)
            if drops:
                pipe.hdel(_estate(new.tenant), *drops)
            if changed := dict.fromkeys([*writes, *drops], new.version):
                pipe.zadd(_changed(new.tenant), changed)
            if keys:
                self._announce(pipe, new.tenant, keys)
            try:
                pipe.execute()
            except redis.WatchError:
                return False
        return True

    def announce(self, tenant: int, keys: Iterable[str]) -> None:
        """Tell every process that what is shown of these keys has changed."""
        with away():
            self._announce(self._redis, tenant, keys)

    def _announce(self, to: Any, tenant: int, keys: Iterable[str]) -> None:
        fields = {"tenant": tenant, "keys": msgspec.json.encode(sorted(keys))}
        to.xadd(STREAM, fields, maxlen=STREAM_LENGTH, approximate=True)

    @contextmanager
    def passing(self, tenant: int | str) -> Iterator[bool]:
        """Hold the tenant's one pass, or another task of that name, for as long as the block takes; False when someone
        else holds it."""
        name, token = f"{PASS}{tenant}", uuid4().hex
        with away():
            held = bool(self._redis.set(name, token, nx=True, px=int(LOCK_SECONDS * 1000)))
        if not held:
            yield False
            return
        done = Event()
        renewal = Thread(target=self._keep, args=(name, token, done), name="pass lock", daemon=True)
        renewal.start()
        try:
            yield True
        finally:
            done.set()
            with away():
                self._drop_own_lock(keys=[name], args=[token])

    def _keep(self, name: str, token: str, done: Event) -> None:
        """Renew a lock until it is no longer needed, or someone else's."""
        while not done.wait(LOCK_SECONDS / 3):
            try:
                if not self._keep_own_lock(keys=[name], args=[token, int(LOCK_SECONDS * 1000)]):
                    return
            except RedisError:
                continue  # it may be back before the lock ends

    def drop(self, tenant: int) -> None:
        """Forget the tenant: its estate, its plan, its waits, and what is known of its tries. Announced as a change."""
        with away():
            clouds = list(self._redis.scan_iter(match=f"{CLOUD}*"))
            with self._redis.pipeline(transaction=True) as pipe:
                pipe.delete(_estate(tenant), _changed(tenant), f"{PASS}{tenant}", f"{WAIT}{tenant}")
                pipe.hdel(PLANS, str(tenant))
                pipe.srem(HURRY, str(tenant))
                for cloud in clouds:
                    pipe.hdel(cloud, str(tenant))
                self._announce(pipe, tenant, ["estate", "health"])
                pipe.execute()


def connection(url: str, *, seconds: float = 2.0) -> Any:
    """A client of the Redis there, which waits so long for an answer."""
    # Any: redis-py's types unite the answers of all its modes, str and bytes, present and awaited.
    return redis.Redis.from_url(url, socket_timeout=seconds, socket_connect_timeout=seconds)


@cache
def store() -> Store:
    """This process's store, at REDIS_URL."""
    return Store(settings.REDIS_URL)


async def changes(after: str | None, *, url: str | None = None) -> AsyncIterator[Changes]:
    """Announcements as they come, for ever: those after the stream id, or from now on. Raises StoreAway."""
    # A read blocks for READ_SECONDS: the client's own timeout has to be longer, or it would never return.
    client: Any = redis.asyncio.Redis.from_url(
        url or settings.REDIS_URL, socket_timeout=READ_SECONDS + 5, socket_connect_timeout=2
    )
    try:
        with away():
            if after is None:
                newest = await client.xrevrange(STREAM, count=1)
                after = newest[0][0].decode() if newest else "0-0"
            while True:
                answer = await client.xread({STREAM: after}, count=500, block=READ_SECONDS * 1000)
                for _, entries in answer or ():
                    for entry in entries:
                        changes = _changes(entry)
                        after = changes.id
                        yield changes
    finally:
        await client.aclose()


def _changes(entry: tuple[bytes, Mapping[bytes, bytes]]) -> Changes:
    stream_id, fields = entry
    keys = msgspec.json.decode(fields[b"keys"], type=tuple[str, ...])
    return Changes(id=stream_id.decode(), tenant=int(fields[b"tenant"]), keys=keys)


@contextmanager
def away() -> Iterator[None]:
    """Whatever Redis fails with in the block is a StoreAway."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise StoreAway(f"Redis does not answer: {type(error).__name__}") from error


def _estate(tenant: int) -> str:
    return f"drdash:estate:{tenant}"


def _changed(tenant: int) -> str:
    return f"drdash:changed:{tenant}"


def _known(health: Health) -> tuple[bool, bool]:
    return health.as_of is not None, health.error is None


def _announced(new: Estate, change: Change) -> set[str]:
    """What to draw anew: a server too when its site changed, as the site may block its actions."""
    sites = change.changed_sites | change.dropped_sites
    servers = change.changed_servers | {key for key, seen in new.servers.items() if seen.record.site_key in sites}
    keys = {f"server:{key}" for key in servers} | {f"site:{key}" for key in change.changed_sites}
    return keys | {"estate"} if change.visible else keys
