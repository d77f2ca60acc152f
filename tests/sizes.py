"""How many cases a test runs that has a full size: a few in the suite, all of them with ``make torture``.

Say ``cases(100, full=10_000)`` where the number is wanted; over Hypothesis ``@settings(sized, max_examples=cases(…))``.
``make torture`` finds the tests by their import of this module.
"""

import os
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

TORTURE = os.environ.get("DRDASH_TORTURE") == "1"
HEARTBEAT = 15

# Of Hypothesis, for every test: it writes no database of examples, refuses no case for being slow on a busy machine,
# and tries the same ones each time, but under torture.
sized = settings(
    database=None, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True, derandomize=not TORTURE
)
settings.register_profile("drdash", sized)
settings.load_profile("drdash")


def cases(few: int, *, full: int) -> int:
    """``few`` in the suite, ``full`` under torture."""
    return full if TORTURE else few


def tell(words: str) -> None:
    """What a test found, in words: on its own output, and under torture for whoever waits."""
    print(words)
    if TORTURE:
        os.write(2, f"\n{words}\n".encode())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Under torture a test that takes long says that it is still at it. (make torture leaves fd 2 free.)"""
    over = threading.Event()
    begun = time.monotonic()

    def beat() -> None:
        while not over.wait(HEARTBEAT):
            os.write(2, f"\n    {item.name}: {time.monotonic() - begun:.0f} s\n".encode())

    if TORTURE:
        threading.Thread(target=beat, daemon=True).start()
    try:
        return (yield)
    finally:
        over.set()
