"""The estates in a real Redis: all or nothing, by version, shared and announced."""

import asyncio
from datetime import UTC, datetime

import msgspec
import pytest

from drdash.cloud import reading
from drdash.estate.plans import Plans
from drdash.estate.replica import Replica
from drdash.estate.snapshot import Change, Estate, Read, failed, merge_part, merge_pass
from drdash.estate.store import LOCK_SECONDS, Changes, Store, StoreAway, changes
from tests.estate.test_snapshot import a_server, at, empty, whole

NOW = datetime.now(UTC)


@pytest.fixture
def store(redis_url: str) -> Store:
    return Store(redis_url)


def published(store: Store, estate: Estate, started: float, *names: str, version: int) -> Estate:
    """The estate after a pass that found servers of these names, under keys of the same names."""
    read = whole(started, *(a_server(name.lower(), name) for name in names))
    merged = merge_pass(estate, read, finished=at(started + 1), version=version)
    assert merged is not None
    assert store.publish(estate, *merged)
    return merged[0]


def test_what_is_published_is_what_is_loaded(store: Store) -> None:
    estate = published(store, empty(), 0, "A", "B", version=5)
    assert store.load(1) == estate
    assert store.load(2).servers == {}


def test_a_replica_takes_over_what_did_not_change(store: Store) -> None:
    first = published(store, empty(), 0, "A", "B", version=5)
    known = store.load(1)
    second = published(store, first, 15, "A", version=9)
    loaded = store.load(1, known=known)
    assert loaded == second
    assert loaded.servers["a"] is known.servers["a"]
    assert loaded.servers["b"].missing_since == at(15)


def test_a_server_that_was_dropped_leaves_the_replica_too(store: Store) -> None:
    first = published(store, empty(), 0, "A", "B", version=5)
    second = published(store, first, 15, "A", version=6)
    known = store.load(1)
    published(store, second, 90_000, "A", version=7)
    assert set(store.load(1, known=known).servers) == {"a"}


def test_two_passes_that_publish_over_the_same_version_do_not_both_win(store: Store) -> None:
    read = merge_pass(empty(), whole(0, a_server("a")), finished=at(1), version=5)
    late = merge_pass(empty(), whole(2, a_server("b")), finished=at(3), version=6)
    assert read is not None
    assert late is not None
    assert store.publish(empty(), *read)
    assert not store.publish(empty(), *late)
    assert set(store.load(1).servers) == {"a"}


def test_a_failed_pass_is_stored_beside_the_last_good_data(store: Store) -> None:
    estate = published(store, empty(), 0, "A", version=5)
    ill = Estate(1, estate.version, failed(estate.health, "No answer.", now=at(20)), estate.servers, estate.sites)
    assert store.publish(estate, ill, Change())
    replica = Replica(store).estates([1])[1]
    assert (replica.health.error, replica.health.as_of, set(replica.servers)) == ("No answer.", at(0), {"a"})


def test_without_redis_the_replica_serves_what_it_had(store: Store, redis_url: str) -> None:
    published(store, empty(), 0, "A", version=5)
    replica = Replica(store)
    assert set(replica.estates([1])[1].servers) == {"a"}
    replica._store = Store("redis://127.0.0.1:1/0")
    assert set(replica.estates([1])[1].servers) == {"a"}
    assert not replica.reachable


def test_an_emptied_redis_does_not_empty_the_replica(store: Store) -> None:
    published(store, empty(), 0, "A", version=5)
    replica = Replica(store)
    replica.estates([1])
    store._redis.flushdb()
    assert set(replica.estates([1])[1].servers) == {"a"}


def test_a_store_filled_anew_by_less_than_a_whole_pass_does_not_empty_the_replica(store: Store) -> None:
    published(store, empty(), 0, "A", "B", version=5)
    replica = Replica(store)
    replica.estates([1])
    store._redis.flushdb()
    lost = store.load(1)
    part, change = merge_part(lost, Read(started=at(20), servers=(a_server("a", "A"),)), version=9)
    assert store.publish(lost, part, change)
    ill = msgspec.structs.replace(part, health=failed(part.health, "No answer.", now=at(21)))
    assert store.publish(part, ill, Change())
    kept = replica.estates([1])[1]
    assert (set(kept.servers), kept.health.as_of, kept.health.error) == ({"a", "b"}, at(0), "No answer.")


def test_what_left_the_cloud_while_the_store_was_lost_leaves_the_replica(store: Store) -> None:
    published(store, empty(), 0, "A", "B", version=5)
    replica = Replica(store)
    replica.estates([1])
    store._redis.flushdb()
    published(store, store.load(1), 30, "A", version=9)
    assert set(replica.estates([1])[1].servers) == {"a"}


def test_what_is_written_over_a_failure_that_it_has_not_seen_is_refused(store: Store) -> None:
    estate = published(store, empty(), 0, "A", version=5)
    ill = msgspec.structs.replace(estate, health=failed(estate.health, "No answer.", now=at(20)))
    assert store.publish(estate, ill, Change())
    part, change = merge_part(estate, Read(started=at(19), servers=(a_server("a", "A"),)), version=6)
    assert not store.publish(estate, part, change)
    assert store.load(1).health.error == "No answer."


def test_a_pass_that_has_not_seen_a_newer_read_of_the_same_does_not_write_over_it(store: Store) -> None:
    estate = published(store, empty(), 0, "A", version=5)
    part, change = merge_part(estate, Read(started=at(20), servers=(a_server("a", "A"),)), version=6)
    assert (part.version, change.visible) == (5, False)
    assert store.publish(estate, part, change)
    older = merge_pass(estate, whole(15, a_server("a", "older")), finished=at(21), version=7)
    assert older is not None
    assert not store.publish(estate, *older)
    assert store.load(1) == part


def test_two_part_reads_over_the_same_version_do_not_both_win(store: Store) -> None:
    estate = published(store, empty(), 0, "A", "B", version=5)
    one = merge_part(estate, Read(started=at(20), servers=(a_server("a", "new"),)), version=9)
    other = merge_part(estate, Read(started=at(20), servers=(a_server("b", "new"),)), version=8)
    assert store.publish(estate, *one)
    assert not store.publish(estate, *other)  # a replica at version 9 would never hear of it


def test_a_tenant_that_was_never_seen_is_empty_and_stale(store: Store) -> None:
    estate = Replica(store).estates([99])[99]
    assert (estate.version, estate.health.as_of, estate.health.stale(NOW)) == (0, None, True)


def test_one_pass_holds_the_tenant_at_a_time(store: Store) -> None:
    with store.passing(1) as mine:
        with store.passing(1) as theirs, store.passing(2) as elsewhere:
            assert (mine, theirs, elsewhere) == (True, False, True)
    with store.passing(1) as again:
        assert again


def test_a_process_that_was_killed_in_a_pass_leaves_its_lock_for_seconds_only(store: Store) -> None:
    killed = store.passing(1)
    killed.__enter__()
    assert 0 < store._redis.pttl("drdash:pass:1") <= LOCK_SECONDS * 1000 <= 15_000


def test_a_lock_that_is_held_is_renewed_and_never_someone_elses(store: Store) -> None:
    with store.passing(1):
        (name,) = store._redis.keys("drdash:pass:*")
        token = store._redis.get(name)
        store._redis.pexpire(name, 50)
        assert store._keep_own_lock(keys=[name], args=[token, 9000])
        assert store._redis.pttl(name) > 8000
        assert not store._keep_own_lock(keys=[name], args=["another", 9000])


def newest_id(store: Store) -> str:
    return str(store._redis.xrevrange("drdash:changes", count=1)[0][0].decode())


def announced(store: Store, after: str) -> list[Changes]:
    """What was announced since that id."""
    entries = store._redis.xrange("drdash:changes", min=f"({after}")
    return [
        Changes(entry.decode(), int(fields[b"tenant"]), tuple(msgspec.json.decode(fields[b"keys"])))
        for entry, fields in entries
    ]


def test_a_change_of_a_site_announces_its_servers_too(store: Store, redis_url: str) -> None:
    server = reading.server(b'{"uuid": "W", "site_uuid": "S"}')
    for version, status in enumerate(("PROVISIONING", "PROVISIONED"), 1):
        site = reading.site(msgspec.json.encode({"uuid": "s", "status": status}))
        read = Read(started=at(version), servers=(server, a_server("other")), sites=(site,))
        known = store.load(1)
        merged = merge_pass(known, read, finished=at(version + 1), version=version)
        assert merged is not None
        before = newest_id(store) if known.version else ""
        assert store.publish(known, *merged)
    told = announced(store, before)
    assert [set(entry.keys) for entry in told] == [{"site:s", "server:w", "estate", "health"}]


def test_an_outage_is_announced_to_what_pages_count_when_it_begins_and_when_it_ends(store: Store) -> None:
    good = published(store, empty(), 1, "a", version=1)
    before = newest_id(store)
    down = msgspec.structs.replace(good, health=failed(good.health, "It is away.", now=at(3)))
    still = msgspec.structs.replace(down, health=failed(down.health, "It is away.", now=at(4)))
    back = msgspec.structs.replace(good, health=msgspec.structs.replace(good.health, as_of=at(5)))
    for old, new in ((good, down), (down, still), (still, back), (back, good)):
        assert store.publish(old, new, Change())
    assert [set(one.keys) for one in announced(store, before)] == [
        {"health", "estate"},
        {"health"},
        {"health", "estate"},
        {"health"},
    ]


def test_announcements_are_heard_as_they_come(store: Store, redis_url: str) -> None:
    store.announce(1, ["health"])

    async def heard() -> list[tuple[str, ...]]:
        stream = changes(newest_id(store), url=redis_url)
        found = []
        for key in ("action:1", "action:2"):
            next_one = asyncio.ensure_future(anext(stream))
            await asyncio.to_thread(store.announce, 1, [key])
            found.append((await next_one).keys)
        return found

    assert asyncio.run(heard()) == [("action:1",), ("action:2",)]


def test_without_redis_everything_says_so(redis_url: str) -> None:
    away = Store("redis://127.0.0.1:1/0")
    for call in (
        lambda: away.load(1),
        lambda: away.peek([1]),
        lambda: away.announce(1, ["health"]),
        lambda: Plans("redis://127.0.0.1:1/0").due({1: NOW}, now=NOW),
    ):
        with pytest.raises(StoreAway):
            call()
