"""Who asked to be told when an action is free is told, as soon as a pass has seen it."""

from datetime import timedelta

from django.contrib.auth.models import User
from django.utils import timezone

from drdash.cloud.records import Server
from drdash.estate.models import Bell
from drdash.failover import bells
from drdash.failover.guard import Kind
from drdash.simulator.simulation import Simulator
from drdash.tasks import prune
from drdash.tenants import keeping
from drdash.tenants.models import Membership, Tenant
from tests.stack import Poll

NOW = timezone.now()


def waits(user: User, tenant: Tenant, server: Server, kind: Kind = Kind.START_TEST) -> Bell:
    bells.ask(user, tenant, server, kind, now=NOW)
    return Bell.objects.get(user=user, server_uuid=server.key, kind=kind)


def free(bell: Bell) -> bool:
    bell.refresh_from_db()
    return bell.free_at is not None


def blocked(simulator: Simulator, server: Server, polled: Poll) -> None:
    simulator.force_server(server.uuid, issues=["ResourceBusy"])
    polled()


def test_what_was_blocked_is_free_once_a_pass_has_seen_it(
    simulator: Simulator, server: Server, tenant: Tenant, bob: User, polled: Poll
) -> None:
    blocked(simulator, server, polled)
    bell = waits(bob, tenant, server)
    polled()
    assert not free(bell)
    simulator.force_server(server.uuid, issues=[])
    polled()
    assert free(bell)
    since = bell.free_at
    polled()
    assert free(bell)
    assert bell.free_at == since


def test_what_is_blocked_again_is_not_called_free(
    simulator: Simulator, server: Server, tenant: Tenant, bob: User, polled: Poll
) -> None:
    bell = waits(bob, tenant, server)
    assert free(bell)
    blocked(simulator, server, polled)
    assert not free(bell)


def test_free_is_what_the_person_may_do(server: Server, tenant: Tenant, bob: User, polled: Poll) -> None:
    test, production = waits(bob, tenant, server), waits(bob, tenant, server, Kind.START_PROD)
    assert (free(test), free(production)) == (True, False)
    Membership.objects.filter(user=bob).delete()
    polled()
    assert not free(test)


def test_a_tenant_that_is_only_watched_has_nothing_free(
    server: Server, tenant: Tenant, bob: User, polled: Poll
) -> None:
    keeping.disarm(tenant, by=None)
    bell = waits(bob, tenant, server)
    polled()
    assert not free(bell)


def test_a_server_that_is_missing_is_not_free(
    simulator: Simulator, server: Server, tenant: Tenant, bob: User, polled: Poll
) -> None:
    bell = waits(bob, tenant, server)
    with simulator.lock:
        del simulator.world.servers[server.uuid]
    polled()
    assert not free(bell)


def test_asking_twice_is_asking_once(server: Server, tenant: Tenant, bob: User) -> None:
    waits(bob, tenant, server)
    waits(bob, tenant, server)
    assert Bell.objects.count() == 1


def test_of_many_wishes_the_newest_are_kept(server: Server, tenant: Tenant, bob: User) -> None:
    for number in range(bells.MOST + 3):
        Bell.objects.create(
            user=bob, tenant=tenant, server_uuid=f"s-{number}", server_name="", kind=Kind.STOP,
            asked_at=NOW - timedelta(hours=number + 1),
        )  # fmt: skip
    waits(bob, tenant, server)
    left = set(Bell.objects.values_list("server_uuid", flat=True))
    assert left == {server.key, *(f"s-{number}" for number in range(bells.MOST - 1))}


def test_after_a_week_nobody_waits_any_more(server: Server, tenant: Tenant, bob: User) -> None:
    bell = waits(bob, tenant, server)
    prune()
    assert Bell.objects.exists()
    Bell.objects.filter(pk=bell.pk).update(asked_at=timezone.now() - timedelta(days=8))
    prune()
    assert not Bell.objects.exists()
