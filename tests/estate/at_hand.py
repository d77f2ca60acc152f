"""An installation whose clocks stand still until a test moves them: the clock's ticks and the worker's passes."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from drdash.cloud.account import Grant
from drdash.estate.clients import Clients
from drdash.estate.snapshot import Health
from drdash.estate.store import store
from drdash.simulator.simulation import Simulator
from drdash.tasks import hand_out, one_pass
from drdash.tenants.models import Credential, Tenant


class Installation:
    """``wall`` is what its clocks show; ``steady`` is the clock that nobody can set."""

    def __init__(self) -> None:
        self.wall = datetime.now(UTC)
        self.steady = 1_000.0
        self.clients = Clients(now=lambda: self.wall.timestamp(), monotonic=lambda: self.steady)
        self.paused: list[float] = []
        self.read: list[tuple[datetime, int]] = []

    def advance(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.steady += seconds

    def tick(self) -> list[int]:
        """Who is handed out now, and is read at once."""
        tenants = hand_out(self.wall)
        for tenant in tenants:
            self.read.append((self.wall, tenant))
            self.one_pass(tenant)
        return tenants

    def one_pass(self, tenant: int) -> None:
        one_pass(tenant, pause=self.paused.append, now=lambda: self.wall, through=self.clients)

    def one_pass_aside(self, tenant: int) -> None:
        """The same in a thread of a test."""
        try:
            self.one_pass(tenant)
        finally:
            connection.close()

    def run(self, seconds: float, *, step: float = 1.0) -> None:
        """Let time pass, with a tick each step."""
        for _ in range(round(seconds / step)):
            self.advance(step)
            self.tick()

    def health(self, tenant: int) -> Health:
        return store().load(tenant).health

    def stale(self, tenant: int) -> bool:
        return self.health(tenant).stale(self.wall)


@pytest.fixture
def installation(fresh_process: None) -> Iterator[Installation]:
    installation = Installation()
    yield installation
    installation.clients.forget()


def neighbours(credential: Credential, count: int) -> list[int]:
    """So many more tenants that are read with this credential."""
    made = [Tenant.objects.create(name=f"Customer {n}", uuid=f"c-{n}", credential=credential) for n in range(count)]
    return [tenant.pk for tenant in made]


def customers(simulator: Simulator) -> list[Tenant]:
    """The customers of the simulator's partner, watched through the partner's credential."""
    credential = Credential(
        name=simulator.url,
        cloud=simulator.url,
        grant=Grant.JWT_BEARER.value,
        client_id=simulator.partner_id,
        is_partner=True,
        by_tenant=True,
    )
    credential.keep_secret(simulator.partner_secret)
    credential.save()
    return [
        Tenant.objects.create(name=f"{uuid} at {simulator.url}", uuid=uuid, credential=credential)
        for uuid in simulator.worlds
    ]
