"""A 429 is obeyed to the second by all processes: by real ones, by the clock on the wall."""

import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise

from django.conf import settings

from drdash.simulator.clock import RunningClock
from drdash.simulator.server import running
from drdash.simulator.simulation import Received
from drdash.tenants.models import Tenant
from tests.estate.at_hand import customers
from tests.sizes import cases


@contextmanager
def another_worker(tenants: list[Tenant]) -> Iterator[None]:
    database = f"sqlite:///{settings.DATABASES['default']['NAME']}"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.estate.another_worker", *(str(tenant.pk) for tenant in tenants)],
        env={**os.environ, "DATABASE_URL": database, "DRDASH_LOG_LEVEL": "ERROR"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        try:
            assert process.stdout.readline() == b"ready\n"
            yield
        finally:
            process.stdin.close()
            assert process.wait(60) == 0


def test_no_process_asks_before_its_time(fresh_process: None) -> None:
    many = cases(8, full=20)
    wanted = cases(2 * many, full=1000)
    with running("partner", customers=many, clock=RunningClock()) as simulator:
        tenants = customers(simulator)
        simulator.fail("429", method="GET", times=None, retry_after=1)
        with ExitStack() as workers:
            for _ in range(2):
                workers.enter_context(another_worker(tenants))
            assert simulator.arrived(method="GET", path="/dr/v2/", times=wanted, timeout=30 + wanted / 5)
        received: dict[str, list[Received]] = defaultdict(list)
        for one in simulator.requests:
            if "/dr/v2/" in one.path:
                received[one.tenant].append(one)
        gaps = [after.at - before.at for own in received.values() for before, after in pairwise(own)]
        assert len(received) == many
        assert 1.0 <= min(gaps) < 2.0  # and who is not held up asks again at once
