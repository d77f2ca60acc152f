"""A 429 of one process holds all of them back, to the second; without Redis each keeps to what it was told itself."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from drdash.cloud.errors import TooManyRequests
from drdash.estate import waiting
from drdash.estate.store import connection
from drdash.estate.waiting import SharedHold


class Clock:
    """A clock of deadlines that stands still."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock(redis_url: str) -> Iterator[Clock]:
    waiting.forget()
    yield Clock()
    waiting.forget()


def test_a_wait_ends_to_the_second_in_every_process(clock: Clock) -> None:
    told, other = (SharedHold(1, 2, monotonic=clock) for _ in range(2))
    told.note(30)
    for hold in (told, other):
        with pytest.raises(TooManyRequests) as wait:
            hold.obey()
        assert wait.value.retry_after == 30
    clock.seconds += 29.9
    assert 0 < told.left() < 0.2
    assert 0 < SharedHold(1, 2, monotonic=clock).left() < 0.2
    clock.seconds += 0.1
    told.obey()
    other.obey()
    SharedHold(1, 2, monotonic=clock).obey()


def test_a_wait_is_for_its_credential_and_tenant_alone(clock: Clock) -> None:
    SharedHold(1, 2, monotonic=clock).note(30)
    for credential, tenant in ((1, 3), (1, None), (4, 2)):
        SharedHold(credential, tenant, monotonic=clock).obey()


def test_a_wait_is_never_shortened(clock: Clock) -> None:
    told, other = (SharedHold(1, 2, monotonic=clock) for _ in range(2))
    told.note(60)
    other.note(10)
    assert (told.left(), other.left()) == (60, 10)
    clock.seconds += 11
    assert (told.left(), other.left()) == (49, 49)
    other.note(90)
    assert SharedHold(1, 2, monotonic=clock).left() == 90


def test_without_redis_a_process_keeps_to_its_own(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "REDIS_URL", "redis://127.0.0.1:1/0")
    told, other = (SharedHold(1, 2, monotonic=clock) for _ in range(2))
    told.note(30)
    assert told.left() == 30
    other.obey()


def test_what_redis_missed_is_told_once_it_is_back(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    told, other = (SharedHold(1, 2, monotonic=clock) for _ in range(2))
    with monkeypatch.context() as away:
        away.setattr(settings, "REDIS_URL", "redis://127.0.0.1:1/0")
        told.note(30)
        other.obey()
    waiting.forget()
    assert (told.left(), other.left()) == (30, 30)


def test_a_redis_that_hangs_is_not_asked_for_each_request(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "TIME_OUT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        monkeypatch.setattr(settings, "REDIS_URL", f"redis://127.0.0.1:{deaf.getsockname()[1]}/0")
        for _ in range(100):
            SharedHold(1, 2, monotonic=clock).obey()
        deaf.accept()[0].close()
        deaf.setblocking(False)
        with pytest.raises(BlockingIOError):
            deaf.accept()


def test_a_clock_that_is_set_changes_no_wait_on_the_machine(clock: Clock) -> None:
    # Redis's own clock an hour back or forward is the same as an end that it notes an hour later or earlier.
    SharedHold(1, 2, monotonic=clock).note(30)
    redis = connection(settings.REDIS_URL)
    for moved in (b"3600", b"-3600"):
        redis.eval(
            "local noted = cjson.decode(redis.call('hget', KEYS[1], '1')) noted.by_redis = noted.by_redis + ARGV[1] "
            "redis.call('hset', KEYS[1], '1', cjson.encode(noted))",
            1,
            "drdash:wait:2",
            moved,
        )
        assert SharedHold(1, 2, monotonic=clock).left() == 30


def test_another_machine_goes_by_the_clock_of_redis(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    SharedHold(1, 2, monotonic=clock).note(30)
    monkeypatch.setattr(waiting, "BOOT", "another machine")
    elsewhere = Clock()
    elsewhere.seconds = 5.0
    assert 28 < SharedHold(1, 2, monotonic=elsewhere).left() <= 30


def test_the_start_of_this_machine_is_known() -> None:
    assert Path("/proc/sys/kernel/random/boot_id").read_text().strip() == waiting.BOOT
