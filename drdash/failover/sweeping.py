"""Time speaks about all that is under way, by whoever comes by."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime

from django.db import Error as DatabaseError

from drdash.failover import batches, following

log = logging.getLogger(__name__)
_one = threading.Lock()
_failing = threading.Event()


def sweep(now: datetime, *more: Callable[[datetime], None]) -> None:
    """Settle the actions and batches whose time is over, and do what ``more`` does, where that can be written down;
    whoever calls goes on either way. A database that is locked keeps one thread of the process waiting, not each.
    """
    if not _one.acquire(blocking=False):
        return
    try:
        following.sweep(now)
        batches.sweep(now)
        for work in more:
            work(now)
    except DatabaseError as error:
        if not _failing.is_set():
            log.error("What time says of actions cannot be written: %s.", type(error.__cause__ or error).__name__)
        _failing.set()
    else:
        if _failing.is_set():
            log.warning("What time says of actions is written again.")
        _failing.clear()
    finally:
        _one.release()
