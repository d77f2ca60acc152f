"""Canaries: over the whole suite every logger of this process runs at DEBUG, and no secret may come out of one.

The simulator's tokens and its client secret, and whatever the tests use as secrets, carry one of ``CANARIES``.
"""

import logging
from collections.abc import Iterator

import pytest

CANARIES = ("simulated-secret", "simulated-token", "canary-secret", "canary-token")


class Watch(logging.Handler):
    """Remembers each line of a log that carries a canary."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines = 0
        self.hits: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        line = self.format(record)
        self.lines += 1
        if any(canary in line for canary in CANARIES):
            self.hits.append(line)


watch = Watch()


def pytest_runtest_setup() -> None:
    """Before each test: whoever imports drdash.asgi sets up Django's logging anew, which drops every other handler."""
    logging.getLogger().addHandler(watch)  # once, however often it is said


@pytest.fixture(autouse=True)
def no_secret_is_logged() -> Iterator[None]:
    """Whichever test it was in, or between."""
    yield
    found, watch.hits = watch.hits, []
    assert not found
