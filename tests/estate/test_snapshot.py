"""How a read changes what is known: whole passes replace, part reads add, and nothing older overwrites."""

from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from drdash.cloud import reading
from drdash.cloud.records import Server, Site
from drdash.estate.snapshot import (
    Estate,
    Health,
    Read,
    failed,
    merge_part,
    merge_pass,
    next_version,
    without_future,
)

T0 = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def a_server(uuid: str, name: str = "web") -> Server:
    return reading.server(msgspec.json.encode({"uuid": uuid, "name": name}))


def a_site(uuid: str) -> Site:
    return reading.site(msgspec.json.encode({"uuid": uuid}))


def empty(interval: float = 15) -> Estate:
    return Estate(tenant=1, version=0, health=Health(interval=interval))


def whole(started: float, *servers: Server) -> Read:
    return Read(started=at(started), servers=servers, whole_servers=True, whole_sites=True)


def after_pass(estate: Estate, read: Read, version: int) -> Estate:
    merged = merge_pass(estate, read, finished=read.started + timedelta(seconds=1), version=version)
    assert merged is not None
    return merged[0]


def test_an_estate_that_was_never_polled_is_stale_and_has_no_age() -> None:
    health = Health(interval=15)
    assert (health.age(T0), health.stale(T0)) == (None, True)


def test_stale_is_older_than_twice_the_longer_of_interval_and_last_pass() -> None:
    assert not Health(interval=15, as_of=T0, duration=1).stale(at(30))
    assert Health(interval=15, as_of=T0, duration=1).stale(at(30.1))
    assert not Health(interval=15, as_of=T0, duration=40).stale(at(79))


def test_the_age_counts_from_the_first_request_of_the_pass() -> None:
    read = whole(0, a_server("a"))
    merged = merge_pass(empty(), read, finished=at(12), version=1)
    assert merged is not None
    assert (merged[0].health.age(at(20)), merged[0].health.duration) == (20, 12)


def test_a_pass_that_began_before_the_last_one_changes_nothing() -> None:
    estate = after_pass(empty(), whole(10, a_server("a", "new")), 1)
    assert merge_pass(estate, whole(5, a_server("a", "old")), finished=at(30), version=2) is None


def test_only_what_changed_gets_the_new_version_and_an_unchanged_pass_keeps_the_estates() -> None:
    estate = after_pass(empty(), whole(0, a_server("a"), a_server("b")), 1)
    merged = merge_pass(estate, whole(15, a_server("a"), a_server("b", "renamed")), finished=at(16), version=2)
    assert merged is not None
    estate, change = merged
    assert (set(change.changed_servers), estate.version) == ({"b"}, 2)
    assert [estate.servers[key].version for key in "ab"] == [1, 2]
    again = merge_pass(estate, whole(30, a_server("a"), a_server("b", "renamed")), finished=at(31), version=3)
    assert again is not None
    assert (again[0].version, again[1].visible, again[0].health.as_of) == (2, False, at(30))


def test_a_server_that_a_whole_pass_does_not_hold_is_missing_since_and_dropped_a_day_later() -> None:
    estate = after_pass(empty(), whole(0, a_server("a"), a_server("b")), 1)
    estate = after_pass(estate, whole(15, a_server("a")), 2)
    assert estate.servers["b"].missing_since == at(15)
    estate = after_pass(estate, whole(86400, a_server("a")), 3)
    assert estate.servers["b"].missing_since == at(15)
    merged = merge_pass(estate, whole(86400 + 16, a_server("a")), finished=at(86420), version=4)
    assert merged is not None
    assert (set(merged[0].servers), set(merged[1].dropped_servers)) == ({"a"}, {"b"})


def test_a_missing_server_that_comes_back_is_no_longer_missing() -> None:
    estate = after_pass(empty(), whole(0, a_server("a")), 1)
    estate = after_pass(estate, whole(15), 2)
    estate = after_pass(estate, whole(30, a_server("a")), 3)
    assert (estate.servers["a"].missing_since, estate.servers["a"].version) == (None, 3)


def test_a_pass_that_cannot_tell_whether_it_is_whole_deletes_nothing() -> None:
    estate = after_pass(empty(), whole(0, a_server("a"), a_server("b")), 1)
    estate = after_pass(estate, Read(started=at(15), servers=(a_server("a", "renamed"),)), 2)
    assert estate.servers["b"].missing_since is None
    assert estate.servers["a"].record.name == "renamed"


def test_a_part_read_changes_its_servers_and_not_the_age_of_the_estate() -> None:
    estate = after_pass(empty(), whole(0, a_server("a"), a_server("b")), 1)
    estate, change = merge_part(estate, Read(started=at(5), servers=(a_server("a", "moving"),)), version=2)
    assert (set(change.changed_servers), estate.health.as_of) == ({"a"}, at(0))


def test_a_pass_that_began_before_a_part_read_does_not_bring_older_news_back() -> None:
    estate = after_pass(empty(), whole(0, a_server("a", "still")), 1)
    estate, _ = merge_part(estate, Read(started=at(16), servers=(a_server("a", "moving"),)), version=2)
    estate = after_pass(estate, whole(15, a_server("a", "still")), 3)
    assert estate.servers["a"].record.name == "moving"
    estate = after_pass(estate, whole(30, a_server("a", "done")), 4)
    assert estate.servers["a"].record.name == "done"


def test_a_part_read_that_began_before_the_last_pass_is_ignored() -> None:
    estate = after_pass(empty(), whole(10, a_server("a", "new")), 1)
    merged, change = merge_part(estate, Read(started=at(9), servers=(a_server("a", "old"),)), version=2)
    assert (merged, change.visible) == (estate, False)


def test_a_failed_pass_keeps_the_last_good_data_and_its_time_and_says_why_since_when() -> None:
    estate = after_pass(empty(), whole(0, a_server("a")), 1)
    first = failed(estate.health, "The cloud timed out.", now=at(15))
    second = failed(first, "The cloud is broken.", now=at(30))
    assert (second.as_of, second.error, second.failing_since) == (at(0), "The cloud is broken.", at(15))
    assert second.failures == 2
    healed = after_pass(msgspec.structs.replace(estate, health=second), whole(45, a_server("a")), 2).health
    assert (healed.error, healed.failing_since, healed.failures, healed.as_of) == (None, None, 0, at(45))


def test_data_from_the_future_is_stale_as_nobody_can_say_how_old_it_is() -> None:
    health = after_pass(empty(), whole(1000, a_server("a")), 1).health
    assert not health.stale(at(990))  # another machine's clock
    assert health.stale(at(900))


def test_a_clock_that_was_set_back_does_not_keep_new_passes_out() -> None:
    estate = after_pass(empty(), whole(10_000, a_server("a", "old")), 1)
    estate, _ = merge_part(estate, Read(started=at(10_001), servers=(a_server("a", "moving"),)), version=2)
    new = whole(15, a_server("a", "new"))
    assert without_future(estate, at(9_990)) is estate
    merged = merge_pass(without_future(estate, at(16)), new, finished=at(16), version=3)
    assert merged is not None
    assert (merged[0].servers["a"].record.name, merged[0].health.as_of) == ("new", at(15))


def test_versions_grow_even_when_the_store_was_lost() -> None:
    assert next_version(0, at(1)) > next_version(0, at(0)) > 1_000_000
    assert next_version(10**15, at(0)) == 10**15 + 1


reads = st.lists(
    st.tuples(
        st.integers(0, 20),  # when the read began
        st.booleans(),  # whole or part
        st.frozensets(st.sampled_from("abc")),
        st.integers(0, 3),  # what it saw
    ),
    max_size=12,
)


@given(reads)
def test_in_whatever_order_reads_arrive_no_server_is_older_than_the_newest_read_of_it(
    arrivals: list[tuple[int, bool, frozenset[str], int]],
) -> None:
    estate, newest = empty(), dict[str, int]()
    for version, (began, is_whole, keys, _) in enumerate(arrivals, 1):
        servers = tuple(a_server(key, str(began)) for key in sorted(keys))
        if is_whole:
            merged = merge_pass(estate, whole(began, *servers), finished=at(began + 1), version=version)
            taken = merged is not None
            estate = merged[0] if merged else estate
        else:
            as_of = estate.health.as_of
            taken = as_of is None or at(began) > as_of
            estate, _ = merge_part(estate, Read(started=at(began), servers=servers), version=version)
        for key in keys if taken else ():
            newest[key] = max(began, newest.get(key, began))
    for key, began in newest.items():
        if key in estate.servers:
            assert int(estate.servers[key].record.name) == began


@given(reads)
def test_a_version_never_falls_and_moves_only_with_what_is_visible(
    arrivals: list[tuple[int, bool, frozenset[str], int]],
) -> None:
    estate = empty()
    for version, (began, is_whole, keys, seen) in enumerate(arrivals, 1):
        before = estate
        servers = tuple(a_server(key, str(seen)) for key in sorted(keys))
        if is_whole:
            merged = merge_pass(estate, whole(began, *servers), finished=at(began + 1), version=version)
            estate = merged[0] if merged else estate
        else:
            estate, _ = merge_part(estate, Read(started=at(began), servers=servers), version=version)
        shown = {key: (s.record.json, s.missing_since) for key, s in estate.servers.items()}
        shown_before = {key: (s.record.json, s.missing_since) for key, s in before.servers.items()}
        assert (estate.version == before.version) is (shown == shown_before)
        assert estate.version >= before.version
