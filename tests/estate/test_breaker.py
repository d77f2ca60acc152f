"""An outage of a cloud: what it costs, how soon its end is seen, and that it is no other cloud's matter."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from drdash.estate.breaker import FAILING_AT_ONCE, Tries, shared_out, turns
from drdash.simulator.server import running
from tests.estate.at_hand import Installation, neighbours
from tests.sizes import cases
from tests.stack import connected

NOW = datetime.now(UTC)
INTERVAL = timedelta(seconds=15)
A, B = "https://a.example.com", "https://b.example.com"


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def down(tries: Tries) -> bool:
    return tries.down(now=NOW, interval=INTERVAL)


def may(tries: Tries, *due: int) -> list[int]:
    return turns(tries, due, now=NOW, interval=INTERVAL)


def test_a_cloud_is_down_when_several_tenants_failed_and_none_succeeded_of_late() -> None:
    assert not down(Tries())
    assert not down(Tries(failed={1: ago(5)}))
    assert not down(Tries(failed={1: ago(5), 2: ago(9)}, good={3: ago(40)}))
    assert down(Tries(failed={1: ago(5), 2: ago(9)}))
    assert down(Tries(failed={1: ago(5), 2: ago(9)}, good={3: ago(50)}))
    # A success in the future was before the clock was set back.
    assert down(Tries(failed={1: ago(5), 2: ago(9)}, good={3: ago(-3600)}))


def test_a_cloud_that_is_down_is_tried_by_one_an_interval_who_waited_longest() -> None:
    failed = {1: ago(90), 2: ago(120), 3: ago(59)}
    assert may(Tries(failed=failed), 1, 2, 3) == [2]
    assert may(Tries(failed=failed), 3) == []  # it tried less than a minute ago
    assert may(Tries(failed=failed), 1, 3, 4) == [4]  # it never tried
    assert may(Tries(failed=failed, scouted_at=ago(14)), 1, 2, 3) == []
    assert may(Tries(failed=failed, scouted_at=ago(15)), 1, 2, 3) == [2]
    assert may(Tries(failed=failed, good={9: ago(1)}), 1, 2, 3) == [1, 2, 3]


def test_a_clock_that_was_set_back_keeps_nobody_from_their_turn() -> None:
    assert may(Tries(failed={1: ago(-3600), 2: ago(-3500)}, scouted_at=ago(-3590)), 1, 2) == [2]


def test_a_cloud_has_its_share_of_the_threads_and_its_failing_tenants_a_few_of_them() -> None:
    due = {A: list(range(100)), B: [200, 201]}
    idle: dict[str, set[int]] = {A: set(), B: set()}
    assert shared_out(due, idle, {A: Tries(), B: Tries()}, most=60) == [*range(30), 200, 201]
    failing = Tries(failed={tenant: ago(60) for tenant in range(40)})
    assert shared_out(due, idle, {A: failing, B: Tries()}, most=60)[:30] == [*range(FAILING_AT_ONCE), *range(40, 62)]
    freed = Tries(failed=failing.failed, recovered_at=ago(1))
    assert shared_out(due, idle, {A: freed, B: Tries()}, most=60)[:30] == list(range(30))
    busy = {A: set(range(30)), B: set()}
    assert shared_out(due, busy, {A: Tries(), B: Tries()}, most=60) == [200, 201]
    assert shared_out({A: due[A]}, {A: set()}, {A: Tries()}, most=60) == list(range(60))


@pytest.mark.parametrize("tenants", [1, 4, cases(12, full=50)])
def test_an_outage_costs_a_request_a_minute_at_most_and_its_end_is_seen_within_an_interval(
    installation: Installation, tenants: int
) -> None:
    minutes = cases(6, full=60)
    with running("quiet", servers=1, sites=1) as simulator:
        first = connected(simulator, "First")
        watched = [first.pk, *neighbours(first.credential, tenants - 1)]
        installation.run(16)
        assert not any(installation.health(tenant).error for tenant in watched)
        simulator.fail("504", method="GET", times=None)
        simulator.forget_requests()
        installation.read.clear()
        installation.run(60 * minutes)
        assert all(installation.health(tenant).error for tenant in watched)
        # In its first minute a tenant tries thrice, and twice more if it is the only one.
        assert len(simulator.requests) <= min((minutes + 4) * tenants, 4 * minutes + 3 * tenants)
        assert max(Counter(installation.read).values()) == 1
        began = min(at for at, _ in installation.read)
        later = [(at, tenant) for at, tenant in installation.read if at - began > timedelta(minutes=2)]
        for tenant in watched:
            own = [at for at, one in later if one == tenant]
            assert all(after - before >= timedelta(minutes=1) for before, after in pairwise(own))
        if tenants >= 4:
            assert max(after - before for (before, _), (after, _) in pairwise(later)) <= timedelta(seconds=15)
        simulator.clear_faults()
        end = installation.wall
        while any(installation.health(tenant).error for tenant in watched):
            installation.run(1)
        assert installation.wall - end <= timedelta(seconds=64 if tenants < 4 else 20)
