import pytest

from drdash.estate.store import Changes
from drdash.web.announced import Announced, newest


def announced(*entries: tuple[str, int, str], kept: int = 500) -> Announced:
    log = Announced(kept=kept)
    for stream_id, tenant, key in entries:
        log.add(Changes(id=stream_id, tenant=tenant, keys=(key,)))
    return log


def test_what_came_after_a_known_id_is_told_once_by_tenant() -> None:
    log = announced(("9-0", 1, "health"), ("10-0", 1, "a"), ("10-1", 2, "b"), ("11-0", 1, "a"), ("12-0", 3, "c"))
    assert log.since("9-0", [1, 2]) == {1: {"a"}, 2: {"b"}}
    assert log.since("11-0", [1, 2]) == {}


@pytest.mark.parametrize("stream_id", ["", "8-0", "10-5", "99-0", "nonsense", "10-1-1", "-", "1" * 50 + "-0", "²-0"])
def test_an_id_that_is_not_in_the_stream_is_not_known(stream_id: str) -> None:
    assert announced(("10-0", 1, "a"), ("10-1", 1, "b")).since(stream_id, [1]) is None


def test_an_id_of_another_tenant_is_as_unknown_as_any_other() -> None:
    log = announced(("10-0", 1, "a"), ("11-0", 2, "b"))
    assert log.since("11-0", [1]) is None
    assert log.newest([1]) == "10-0"
    assert log.newest([3]) is None


def test_the_newest_of_each_tenant_is_known_until_there_is_a_gap() -> None:
    log = announced(("9-0", 1, "a"), ("10-0", 2, "b"), ("11-0", 1, "a"))
    latest = log.latest()
    log.clear()
    assert (latest, log.latest()) == ({1: "11-0", 2: "10-0"}, {})
    assert newest(latest, [1, 2, 3]) == "11-0"
    assert newest(latest, [3]) is None


def test_an_id_from_before_the_oldest_that_is_kept_is_not_known() -> None:
    log = announced(("9-0", 2, "x"), ("10-0", 1, "a"), ("11-0", 1, "b"), ("12-0", 1, "c"), kept=2)
    assert log.since("9-0", [1, 2]) is None
    assert log.since("11-0", [1, 2]) == {1: {"c"}}


def test_after_a_gap_nothing_from_before_is_known() -> None:
    log = announced(("10-0", 1, "a"))
    log.clear()
    assert log.since("10-0", [1]) is None
