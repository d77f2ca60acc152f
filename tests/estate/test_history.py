"""What passes saw change is written down once, in the database, and forgotten in time."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from drdash.cloud.records import Server
from drdash.estate import clients, history, polling
from drdash.estate.models import Moment
from drdash.estate.store import store
from drdash.failover.looking import look
from drdash.simulator.simulation import Simulator
from drdash.tasks import prune
from drdash.tenants.models import Tenant
from tests.stack import Poll


def told(server: Server) -> list[list[dict[str, Any]]]:
    """The changes of a server's moments, the oldest first."""
    return [one.changes for one in Moment.objects.filter(server_uuid=server.key).order_by("id")]


def test_the_first_pass_of_a_tenant_has_nothing_to_tell(polled: Poll) -> None:
    assert not Moment.objects.exists()


def test_what_a_pass_saw_change_is_told_once(simulator: Simulator, server: Server, polled: Poll) -> None:
    simulator.force_server(server.uuid, status="FAILOVER_TEST", issues=["NotAllowed"])
    began = timezone.now()
    polled()
    polled()
    [changes] = told(server)
    assert [one["what"] for one in changes] == ["status", "machine", "came"]
    assert (changes[0]["before"], changes[0]["after"]) == ("STAND_BY", "FAILOVER_TEST")
    assert changes[2]["code"] == "NotAllowed"
    assert began <= Moment.objects.get().at <= timezone.now()


def test_what_a_site_does_is_told_once_for_all_its_servers(simulator: Simulator, server: Server, polled: Poll) -> None:
    simulator.force_site(
        server.site_uuid, set={"failover_readiness": "ERROR"}, issues=[["VpnGatewayUnreachable", "ERROR", None]]
    )
    polled()
    simulator.force_site(server.site_uuid, set={"failover_readiness": "OK"}, issues=[])
    polled()
    of_it = Moment.objects.filter(server_uuid=history.of_site(server.site_key)).order_by("id")
    first, then = ([(one["what"], one.get("code", ""), one.get("link", "")) for one in it.changes] for it in of_it)
    assert first == [("readiness", "", ""), ("came", "VpnGatewayUnreachable", "site")]
    assert then == [("readiness", "", ""), ("went", "VpnGatewayUnreachable", "site")]


def test_a_server_that_goes_and_comes_back_is_missing_and_returned(
    simulator: Simulator, server: Server, polled: Poll
) -> None:
    with simulator.lock:
        gone = simulator.world.servers.pop(server.uuid)
    polled()
    with simulator.lock:
        simulator.world.servers[server.uuid] = gone
    polled()
    assert [[one["what"] for one in changes] for changes in told(server)] == [["missing"], ["returned"]]


def test_what_the_look_before_an_action_saw_is_told_too(
    simulator: Simulator, server: Server, tenant: Tenant, polled: Poll
) -> None:
    simulator.force_server(server.uuid, status="FAILOVER_TEST")
    look(tenant, server)
    polled()
    assert [[one["what"] for one in changes] for changes in told(server)] == [["status", "machine"]]


def test_a_pass_without_a_change_asks_nothing_of_the_database(tenant: Tenant, polled: Poll) -> None:
    assert pass_queries(tenant) == []


def test_a_pass_writes_what_a_hundred_servers_did_in_one_go(simulator: Simulator, tenant: Tenant, polled: Poll) -> None:
    with simulator.lock:
        servers = [one.uuid for one in simulator.world.servers.values() if one.is_recovery]
    for uuid in servers:
        simulator.force_server(uuid, status="POWERING_ON")
    written = [one for one in pass_queries(tenant) if "INSERT" in one]
    assert len(written) == 1
    assert Moment.objects.count() == len(servers) > 1


def test_a_database_that_is_away_does_not_fail_the_pass(
    simulator: Simulator, server: Server, tenant: Tenant, polled: Poll, without_writes: None
) -> None:
    simulator.force_server(server.uuid, status="FAILOVER_TEST")
    pass_queries(tenant)
    estate = store().load(tenant.pk)
    assert estate.servers[server.key].record.status == "FAILOVER_TEST"
    assert estate.health.error is None


def test_the_history_is_forgotten_after_ninety_days(tenant: Tenant) -> None:
    now = timezone.now()
    for age in (1, 89, 91, 400):
        moment(tenant, "s-1", now - timedelta(days=age))
    prune()
    assert [(now - one.at).days for one in Moment.objects.all()] == [1, 89]


def test_of_a_restless_server_only_the_newest_are_kept(tenant: Tenant) -> None:
    now = timezone.now()
    moments = [now - timedelta(minutes=minute) for minute in range(history.MOST + 5)]
    Moment.objects.bulk_create(Moment(tenant=tenant, server_uuid="s-1", at=at, changes=[]) for at in moments)
    moment(tenant, "s-2", now - timedelta(days=1))
    prune()
    kept = Moment.objects.filter(server_uuid="s-1")
    assert [one.at for one in kept] == moments[: history.MOST]
    assert Moment.objects.filter(server_uuid="s-2").exists()


def moment(tenant: Tenant, uuid: str, at: datetime) -> None:
    Moment.objects.create(tenant=tenant, server_uuid=uuid, at=at, changes=[])


def pass_queries(tenant: Tenant) -> list[str]:
    """What one pass, a second from now, asks of the database."""
    way = clients.own.way(tenant)
    way.client.ready(deadline=5)
    later = timedelta(seconds=60)
    with CaptureQueriesContext(connection) as queries:
        read = polling.run_pass(
            tenant.pk, way, watched=(), now=lambda: timezone.now() + later, pause=lambda _: None, jitter=0.0
        )
    assert read is not None
    return [one["sql"] for one in queries.captured_queries]


@pytest.fixture
def without_writes(polled: Poll) -> Iterator[None]:
    """The database can be read, and takes no write."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA query_only = 1")
    yield
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA query_only = 0")
