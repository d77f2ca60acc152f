"""Tenants that hang, in real threads: what that costs the others."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

import pytest
import yaml
from django.conf import settings

from drdash import startup, tasks
from drdash.estate import polling
from drdash.estate.store import store
from drdash.simulator.server import running
from drdash.simulator.simulation import Simulator
from drdash.tasks import SPARE, hand_out
from drdash.tenants.models import Tenant
from tests.estate.at_hand import Installation, customers
from tests.sizes import cases


class Worker:
    """A worker's threads, with the clock of the installation: what does not hang is done before time goes on."""

    def __init__(self, installation: Installation, hanging: set[int], threads: int) -> None:
        self.installation, self.hanging = installation, hanging
        self.threads = ThreadPoolExecutor(threads)
        self.under_way: set[Future[None]] = set()
        self.oldest = 0.0

    def run(self, seconds: int, *, watch: list[Tenant]) -> None:
        for _ in range(seconds):
            self.installation.advance(1)
            handed_out = {
                self.threads.submit(self.installation.one_pass_aside, tenant): tenant
                for tenant in hand_out(self.installation.wall)
            }
            done, late = wait([one for one, tenant in handed_out.items() if tenant not in self.hanging], timeout=20)
            assert not late, "a pass found no thread"
            assert all(one.exception() is None for one in done)
            self.under_way |= handed_out.keys() - done
            ages = (self.installation.health(tenant.pk).age(self.installation.wall) for tenant in watch)
            self.oldest = max([self.oldest, *(age for age in ages if age is not None)])


@contextmanager
def working(installation: Installation, simulator: Simulator, hanging: list[Tenant], threads: int) -> Iterator[Worker]:
    for tenant in hanging:
        simulator.fail("hang", method="GET", tenant=tenant.uuid, times=None)
    worker = Worker(installation, {tenant.pk for tenant in hanging}, threads)
    try:
        yield worker
    finally:
        simulator.clear_faults()
        worker.threads.shutdown()


@pytest.mark.parametrize("hang", [1, 40][: cases(1, full=2)])
def test_tenants_that_hang_do_not_age_the_others(installation: Installation, hang: int) -> None:
    with running("partner", customers=cases(20, full=50)) as simulator:
        tenants = customers(simulator)
        with working(installation, simulator, tenants[:hang], startup.POLLS_AT_ONCE) as worker:
            worker.run(cases(35, full=120), watch=tenants[hang:])
            assert len(worker.under_way) == hang
            assert all(installation.stale(tenant.pk) for tenant in tenants[:hang])
            assert worker.oldest <= settings.POLL_SECONDS + 2


def test_a_cloud_that_hangs_leaves_threads_for_another_cloud_and_for_the_tick(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = 12
    monkeypatch.setattr(tasks, "POLLS_AT_ONCE", threads)
    with running("partner", customers=20) as ill, running("partner", customers=4) as well:
        hanging, others = customers(ill), customers(well)
        with working(installation, ill, hanging, threads) as worker:
            worker.run(35, watch=others)
            assert len(worker.under_way) == (threads - SPARE) // 2
            assert worker.oldest <= settings.POLL_SECONDS + 2


def test_the_workers_have_the_threads_that_the_tick_counts_on() -> None:
    compose = yaml.safe_load((settings.BASE_DIR / "docker-compose.yml").read_text())
    for command in (compose["services"]["worker"]["command"], startup.worker(settings.DATA_DIR)[0].command):
        assert command[command.index("-c") + 1] == str(startup.POLLS_AT_ONCE)


def test_a_tenant_that_failed_before_holds_its_thread_for_seconds_only(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running("partner", customers=1) as simulator:
        (tenant,) = customers(simulator)
        simulator.fail("504", method="GET", times=3)
        installation.tick()
        assert store().load(tenant.pk).health.failures == 1
        simulator.fail("hang", method="GET", times=None)
        with monkeypatch.context() as short:
            short.setattr(polling, "KNOCK_SECONDS", 0.2)
            installation.run(16)
        # The socket's own time-out and the deadline of the call end at the same moment.
        told = installation.health(tenant.pk).error or ""
        assert "was not there after 0.2 s" in told or "it did not answer in time" in told
        simulator.clear_faults()
        installation.run(31)
        assert installation.health(tenant.pk).error is None
