"""Time speaks about all that is under way; a database that does not listen is said once, and stops nobody."""

import logging
import threading
from datetime import datetime, timedelta

import pytest
from django.db import DatabaseError, OperationalError
from django.utils import timezone

from drdash.failover import sweeping
from drdash.failover.models import Action, Batch, State
from tests.failover.cast import Cast

NOW = timezone.now()
LONG = timedelta(hours=1)


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    found = [(one.levelno, one.getMessage()) for one in caplog.records if one.name == sweeping.__name__]
    caplog.clear()
    return found


def broken(_now: datetime) -> None:
    raise DatabaseError from OperationalError("database is locked")


def also_broken(_now: datetime) -> None:
    raise OperationalError


def test_it_speaks_about_actions_batches_and_what_else_is_asked(fresh_process: None) -> None:
    cast, also = Cast(), list[datetime]()
    cast.action(requested_at=NOW - LONG)
    Batch.objects.create(
        user=cast.bob, key="k", kind="start_failover_test", production=False, per_minute=6, state=Batch.State.RUNNING,
        made_at=NOW - LONG, changed_at=NOW - LONG, runner="elsewhere boot ns 1 2", runner_at=NOW - LONG,
    )  # fmt: skip
    sweeping.sweep(NOW, also.append)
    assert (Action.objects.get().state, Batch.objects.get().state, also) == (State.EXPIRED, Batch.State.PAUSED, [NOW])


def test_what_cannot_be_written_is_said_once_and_once_that_it_is_over(
    fresh_process: None, caplog: pytest.LogCaptureFixture
) -> None:
    for work, line in (
        (broken, (logging.ERROR, "What time says of actions cannot be written: OperationalError.")),
        (broken, None),
        (None, (logging.WARNING, "What time says of actions is written again.")),
        (None, None),
        (also_broken, (logging.ERROR, "What time says of actions cannot be written: OperationalError.")),
        (None, (logging.WARNING, "What time says of actions is written again.")),
    ):
        sweeping.sweep(NOW, *([work] if work else []))
        assert said(caplog) == ([line] if line else [])


def test_whoever_comes_by_while_another_is_at_it_goes_on_at_once(fresh_process: None) -> None:
    came = list[datetime]()

    def meanwhile(_now: datetime) -> None:
        other = threading.Thread(target=sweeping.sweep, args=(NOW, came.append))
        other.start()
        other.join(60)
        assert not other.is_alive()

    sweeping.sweep(NOW, meanwhile)
    assert came == []
    sweeping.sweep(NOW, came.append)
    assert came == [NOW]
