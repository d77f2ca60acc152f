"""Plans in a real Redis: who is due, and what is known of each cloud."""

from datetime import UTC, datetime, timedelta

import pytest

from drdash.estate.plans import Plans
from drdash.estate.store import Store

NOW = datetime.now(UTC)
LONG_AGO = NOW - timedelta(days=30)
CLOUD = "https://cloud.example.com"


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.fixture
def plans(redis_url: str) -> Plans:
    return Plans(redis_url)


def test_tenants_are_due_when_never_planned_or_when_their_time_has_come(plans: Plans) -> None:
    plans.plan([1], after(5), now=NOW)
    plans.plan([2], after(-5), now=NOW)
    assert plans.due(dict.fromkeys([1, 2, 3], LONG_AGO), now=NOW) == [3, 2]
    assert plans.due(dict.fromkeys([1, 2, 3], LONG_AGO), now=after(5)) == [3, 2, 1]


def test_a_plan_from_before_the_clock_was_set_back_is_due(plans: Plans) -> None:
    plans.plan([1], after(3600 + 15), now=after(3600))
    plans.plan([2], after(900), now=NOW)
    assert plans.due({1: LONG_AGO, 2: LONG_AGO}, now=NOW) == [1]


def test_a_plan_from_before_the_credential_was_changed_is_due(plans: Plans) -> None:
    plans.plan([1, 2], after(900), now=NOW)
    assert plans.due({1: after(10), 2: LONG_AGO}, now=after(10)) == [1]


def test_a_hurry_during_a_pass_is_not_forgotten(plans: Plans) -> None:
    assert not plans.hurried(1)
    plans.hurry(1, NOW)
    assert plans.due({1: LONG_AGO}, now=NOW) == [1]
    plans.plan([1], after(15), now=NOW)
    assert plans.hurried(1)
    assert not plans.hurried(1)


def test_who_is_being_read_is_under_way(plans: Plans, redis_url: str) -> None:
    with Store(redis_url).passing(2):
        assert plans.under_way([1, 2, 3]) == {2}
    assert plans.under_way([1, 2, 3]) == set()


def test_the_last_try_of_each_tenant_counts(plans: Plans) -> None:
    plans.note_try(CLOUD, 1, at=NOW, good=True)
    plans.note_try(CLOUD, 1, at=after(1), good=False)
    plans.note_try(CLOUD, 2, at=after(2), good=True)
    plans.note_try(CLOUD, 3, at=after(3), good=False)
    plans.note_try(CLOUD, 3, at=after(4), good=None)
    tries = plans.tries([CLOUD, "https://another.example.com"])
    assert (tries[CLOUD].failed, tries[CLOUD].good) == ({1: after(1)}, {2: after(2)})
    assert tries["https://another.example.com"].failed == {}


def test_a_tenant_that_was_taken_off_leaves_nothing_behind(plans: Plans, redis_url: str) -> None:
    plans.note_try(CLOUD, 1, at=NOW, good=False)
    plans.note_scout(CLOUD, at=NOW)
    plans.note_try(CLOUD, 2, at=NOW, good=False)
    plans.hurry(1, NOW)
    plans.plan([1, 2], after(15), now=NOW)
    store = Store(redis_url)
    store._redis.hset("drdash:estate:1", "version", 5)
    store._redis.hset("drdash:wait:1", "7", "{}")
    store.drop(1)
    left = {key.decode() for key in store._redis.scan_iter()} - {"drdash:changes"}
    assert left == {"drdash:plans", f"drdash:cloud:{CLOUD}"}
    assert set(plans.tries([CLOUD])[CLOUD].failed) == {2}
    assert plans.due({1: LONG_AGO, 2: LONG_AGO}, now=NOW) == [1]
