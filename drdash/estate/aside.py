"""Work that may fail or be late without anyone waiting for it: telling Redis about an action."""

import logging
import queue
import threading
from collections.abc import Callable
from functools import cache

from django.db import connection

from drdash.estate.store import StoreAway

log = logging.getLogger(__name__)
WAITING = 1000


def aside(work: Callable[[], object]) -> None:
    """Do ``work`` soon, in another thread, in order. Without Redis it is dropped: every page still says its age."""
    try:
        _works().put_nowait(work)
    except queue.Full:
        log.warning("Redis is too slow: an announcement was dropped.")


def settle() -> None:
    """Wait until all that was put aside before is done."""
    _works().join()


@cache
def _works() -> "queue.Queue[Callable[[], object]]":
    works: queue.Queue[Callable[[], object]] = queue.Queue(WAITING)
    _start(works)
    return works


def _start(works: "queue.Queue[Callable[[], object]]") -> None:
    threading.Thread(target=_run, args=(works,), name="aside", daemon=True).start()


def _run(works: "queue.Queue[Callable[[], object]]") -> None:
    try:
        while True:
            work = works.get()
            try:
                work()
            except StoreAway as away:
                log.debug("%s", away)
            finally:
                connection.close()  # there are more threads than a database has connections
                works.task_done()
    finally:
        # What nobody foresaw ends this thread, with its traceback in the log, and not the work of the others.
        _start(works)
