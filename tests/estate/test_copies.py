"""A copy of each estate in the database: whoever begins while Redis is away knows the servers, and how old that is."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from drdash.cloud.records import Server
from drdash.estate import copies
from drdash.estate.models import Copy
from drdash.estate.replica import replica
from drdash.estate.snapshot import Estate
from drdash.estate.store import store
from drdash.failover.actions import Wish, request
from drdash.failover.guard import Kind
from drdash.failover.models import State
from drdash.tenants.models import Tenant
from tests.stack import Poll

NOWHERE = "redis://127.0.0.1:1/0"


def begin_anew() -> None:
    """As a process does that was started just now."""
    replica.cache_clear()
    store.cache_clear()


def told(estate: Estate) -> tuple[Any, ...]:
    return estate.servers, estate.sites, estate.health.as_of


def test_a_process_that_begins_without_redis_knows_the_servers_and_their_age(
    polled: Poll, tenant: Tenant, alice: User, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    was = store().load(tenant.pk)
    monkeypatch.setattr(settings, "REDIS_URL", NOWHERE)
    begin_anew()
    found, current = replica().look([tenant.pk])
    assert (current, replica().reachable) == (False, False)
    assert told(found[tenant.pk]) == told(was)
    wish = Wish(kind=Kind.START_PROD, key="k", confirm=server.name)
    action, _ = request(user=alice, tenant=tenant, server=found[tenant.pk].servers[server.key].record, wish=wish)
    assert action.state == State.ACCEPTED


def test_a_redis_that_was_emptied_while_the_cloud_is_away_hides_nothing_either(polled: Poll, tenant: Tenant) -> None:
    was = store().load(tenant.pk)
    store()._redis.flushdb()
    begin_anew()
    found, current = replica().look([tenant.pk])
    assert (current, told(found[tenant.pk])) == (True, told(was))
    again = polled()
    assert replica().look([tenant.pk])[0][tenant.pk] == again


def test_it_is_written_anew_every_few_minutes_and_of_whole_passes_alone(polled: Poll, tenant: Tenant) -> None:
    kept = Copy.objects.get()
    polled()
    assert Copy.objects.get().at == kept.at
    now = timezone.now()
    assert not copies.due(tenant.pk, now)
    assert copies.due(tenant.pk, now + timedelta(minutes=6))
    assert copies.due(tenant.pk, now - timedelta(minutes=6)), "the clock was set back"


def test_what_another_version_wrote_is_no_copy(polled: Poll, tenant: Tenant) -> None:
    Copy.objects.update(packed=b"of another time")
    assert copies.of([tenant.pk]) == {}


def test_nothing_stays_of_a_tenant_that_is_dropped(polled: Poll, tenant: Tenant) -> None:
    copies.drop(tenant.pk)
    assert copies.of([tenant.pk]) == {}
