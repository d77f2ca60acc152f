"""The whole stack in one process, for tests: a simulator, a tenant connected to it, people, and passes on demand.

Alice is an admin of the tenant, Bob an operator, Victor a viewer; Charlie is of another tenant and must see nothing.
"""

from collections.abc import Callable, Iterator

import msgspec
import pytest
from django.contrib.auth.models import User

from drdash.audit.mirror import mirror
from drdash.cloud.records import Server
from drdash.estate import aside, clients, waiting
from drdash.estate.plans import plans
from drdash.estate.replica import replica
from drdash.estate.snapshot import Change, Estate
from drdash.estate.store import store
from drdash.failover import origins
from drdash.failover.guard import Kind, Sight, judge
from drdash.simulator.server import running
from drdash.simulator.simulation import Simulator
from drdash.tasks import one_pass
from drdash.tenants import connect as connecting
from drdash.tenants.models import Membership, Tenant
from drdash.tenants.roles import Posture, Role
from drdash.web import people as people  # from the first sign-in on, each is noted

Poll = Callable[[], Estate]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown() -> None:
    """The audit's mirror is level with a test's entries before the database takes them away, and goes with them."""
    if mirror.cache_info().currsize:
        mirror().settle()
        mirror().close()
        mirror().path.unlink(missing_ok=True)
        mirror.cache_clear()


@pytest.fixture
def fresh_process(redis_url: str, transactional_db: None) -> Iterator[None]:
    """An empty Redis and database, and a process that knows nothing yet."""

    def forget() -> None:
        aside.settle()
        replica.cache_clear()
        store.cache_clear()
        plans.cache_clear()
        clients.forget()
        waiting.forget()
        origins.forget()

    forget()
    yield
    forget()


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A quiet customer: nothing happens by itself, and time moves by ``advance`` alone."""
    with running("quiet") as simulator:
        yield simulator


@pytest.fixture
def alice(fresh_process: None) -> User:
    return User.objects.create_user("alice", password="alice")


@pytest.fixture
def tenant(simulator: Simulator, alice: User) -> Tenant:
    """The simulator's customer, connected; Alice is its admin."""
    return connected(simulator, "Quiet customer", admin="alice")


@pytest.fixture
def bob(tenant: Tenant) -> User:
    return _member("bob", tenant, Role.OPERATOR)


@pytest.fixture
def victor(tenant: Tenant) -> User:
    return _member("victor", tenant, Role.VIEWER)


@pytest.fixture
def charlie(fresh_process: None) -> User:
    with running("quiet", seed=7) as elsewhere:
        other = connected(elsewhere, "Another customer")
    return _member("charlie", other, Role.ADMIN)


@pytest.fixture
def polled(tenant: Tenant) -> Poll:
    """The tenant's estate has been polled; call it to poll again at once, for the estate as it then is."""

    known: Estate | None = None

    def poll() -> None:
        nonlocal known
        aside.settle()
        known = store().load(tenant.pk, known=known)
        due = msgspec.structs.replace(known.health, tried_at=None, failures=0)
        store().publish(known, msgspec.structs.replace(known, health=due), Change())
        one_pass(tenant.pk, pause=lambda _seconds: None)

    def again() -> Estate:
        nonlocal known
        poll()
        known = store().load(tenant.pk, known=known)
        return known

    poll()
    return again


@pytest.fixture
def server(polled: Poll, tenant: Tenant) -> Server:
    """A recovery server at rest, whose test failover is allowed."""
    return at_rest(tenant)


def connected(simulator: Simulator, name: str, *, admin: str | None = None) -> Tenant:
    """The customer of a simulator, watched from now on; ``admin`` is its admin."""
    found = connecting.connect(
        by=None,
        name=name,
        cloud=simulator.url,
        client_id=simulator.client_id,
        client_secret=simulator.client_secret,
        admin=admin,
    )
    return found.tenant


def at_rest(tenant: Tenant) -> Server:
    """A recovery server whose failover may start, as a test and in production, without a nod to anything. Always the
    same one: Redis gives them in any order."""
    estate = store().load(tenant.pk)
    for _, seen in sorted(estate.servers.items()):
        sight = Sight(seen.record, site=estate.site_of(seen.record))
        verdicts = [
            judge(kind, sight, role=Role.ADMIN, posture=Posture.ARMED) for kind in (Kind.START_TEST, Kind.START_PROD)
        ]
        if not any(verdict.reasons for verdict in verdicts):
            return seen.record
    raise AssertionError("no server of the scenario is at rest")


def _member(name: str, tenant: Tenant, role: Role) -> User:
    user = User.objects.create_user(name, password=name)
    Membership.objects.create(user=user, tenant=tenant, role=role)
    return user
