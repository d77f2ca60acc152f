"""Who is asked, with which credential, and how often: no more than has to be."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser
from django.utils import timezone

from drdash.cloud.account import Grant
from drdash.cloud.records import Server
from drdash.estate import clients
from drdash.estate.plans import plans
from drdash.estate.store import store
from drdash.failover.actions import Wish, request
from drdash.failover.guard import Kind
from drdash.failover.models import State
from drdash.simulator.server import running
from drdash.simulator.simulation import READER_ID, Simulator
from drdash.tasks import list_anew
from drdash.tenants.models import Credential, Tenant
from drdash.tenants.replacing import replace
from tests.estate.at_hand import Installation, customers
from tests.stack import Poll


def askers(simulator: Simulator) -> dict[str, set[str]]:
    """Which API client sent which kind of request."""
    found: dict[str, set[str]] = {"GET": set(), "POST": set()}
    for one in simulator.requests:
        if "/dr/v2/" in one.path:
            found[one.method].add(one.client)
    return found


def shown(simulator: Simulator) -> int:
    """How often the client's secret was shown."""
    return len([one for one in simulator.requests if one.body == "grant_type=client_credentials"])


@pytest.fixture
def apart(tenant: Tenant, simulator: Simulator) -> Tenant:
    """The tenant is read with a credential that can only read, and acted for with the other one."""
    tenant.acting = tenant.credential
    reading = Credential(name="Reading", cloud=simulator.url, client_id=READER_ID)
    reading.keep_secret(simulator.reader_secret)
    reading.save()
    tenant.credential = reading
    tenant.save()
    return tenant


def test_the_poller_never_touches_the_acting_credential(
    apart: Tenant, simulator: Simulator, polled: Poll, server: Server, bob: User
) -> None:
    simulator.forget_requests()
    clients.forget()
    polled()
    assert askers(simulator) == {"GET": {READER_ID}, "POST": set()}
    action, _ = request(user=bob, tenant=apart, server=server, wish=Wish(kind=Kind.START_TEST, key="one"))
    assert action.state == State.ACCEPTED, action.error
    assert askers(simulator) == {"GET": {READER_ID}, "POST": {simulator.client_id}}


def test_a_credential_that_was_changed_is_used_at_once_by_a_process_that_had_the_old_one(
    tenant: Tenant, simulator: Simulator, polled: Poll
) -> None:
    before = clients.reader(tenant)
    assert clients.reader(Tenant.objects.get()) is before
    replace(
        tenant.credential,
        by=None,
        grant=Grant.CLIENT_CREDENTIALS,
        client_id=READER_ID,
        client_secret=simulator.reader_secret,
    )
    simulator.forget_requests()
    assert polled().health.error is None
    assert askers(simulator)["GET"] == {READER_ID}


def test_a_secret_that_is_refused_is_shown_four_times_an_hour_and_a_new_one_at_once(
    installation: Installation,
) -> None:
    with running("partner", customers=1) as simulator:
        (tenant,) = customers(simulator)
        installation.tick()
        simulator.force_client(simulator.partner_id, secret="simulated-secret-changed", revoke="all")
        simulator.forget_requests()
        installation.run(3600, step=20)
        assert 4 <= shown(simulator) <= 5
        said = installation.health(tenant.pk).error or ""
        assert "every 15 minutes" in said
        tenant.credential.keep_secret("simulated-secret-changed")
        tenant.credential.save()
        installation.advance(1)
        Credential.objects.update(changed_at=installation.wall)
        installation.tick()
        assert installation.health(tenant.pk).error is None


def test_a_partners_secret_that_is_refused_is_not_shown_once_for_each_customer(installation: Installation) -> None:
    with running("partner", customers=5) as simulator:
        tenants = customers(simulator)
        installation.tick()
        simulator.force_client(simulator.partner_id, secret="simulated-secret-changed", revoke="all")
        simulator.forget_requests()
        installation.run(1800, step=30)
        assert all(installation.health(tenant.pk).error for tenant in tenants)
        assert 2 <= shown(simulator) <= 3


def test_a_customer_that_the_partner_may_not_see_does_not_keep_it_from_the_others(installation: Installation) -> None:
    with running("partner", customers=3) as simulator:
        hidden, *others = customers(simulator)
        simulator.force_customer(hidden.uuid, ancestral_access=False)
        installation.run(60, step=5)
        assert installation.health(hidden.pk).error
        assert {installation.health(tenant.pk).error for tenant in others} == {None}
        assert not any(installation.stale(tenant.pk) for tenant in others)


def test_a_tenant_that_is_paused_is_not_polled_and_grows_stale(installation: Installation) -> None:
    with running("partner", customers=2) as simulator:
        paused, watched = customers(simulator)
        installation.tick()
        Tenant.objects.filter(pk=paused.pk).update(paused=True)
        simulator.forget_requests()
        installation.run(60)
        installation.one_pass(paused.pk)  # a message that was under way
        assert {one.tenant for one in simulator.requests} == {watched.uuid}
        assert (installation.stale(paused.pk), installation.stale(watched.pk)) == (True, False)
        assert store().load(paused.pk).version > 0
        Tenant.objects.filter(pk=paused.pk).update(paused=False)
        installation.run(1)
        assert not installation.stale(paused.pk)


def test_a_tenant_that_was_taken_off_is_not_polled_and_leaves_nothing_in_redis(installation: Installation) -> None:
    with running("partner", customers=2) as simulator:
        gone, watched = customers(simulator)
        installation.tick()
        Tenant.objects.filter(pk=gone.pk).update(enabled=False, removed_at=installation.wall)
        store().drop(gone.pk)
        simulator.forget_requests()
        installation.run(60)
        installation.one_pass(gone.pk)
        assert {one.tenant for one in simulator.requests} == {watched.uuid}
        assert store().load(gone.pk).version == 0


def test_a_pass_that_was_under_way_leaves_nothing_of_a_tenant_that_was_taken_off(installation: Installation) -> None:
    with running("partner", customers=1) as simulator:
        (gone,) = customers(simulator)
        simulator.fail("hang", method="GET", path="/sites")
        with ThreadPoolExecutor(1) as thread:
            under_way = thread.submit(installation.one_pass_aside, gone.pk)
            assert simulator.arrived(method="GET", path="/sites")
            Tenant.objects.filter(pk=gone.pk).update(enabled=False, removed_at=installation.wall)
            store().drop(gone.pk)
            simulator.release()
            under_way.result(20)
        assert len(simulator.requests) > 2
    assert store().load(gone.pk).version == 0


def test_who_is_not_polled_does_not_make_the_installation_unready(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timezone, "now", lambda: installation.wall)
    with running("partner", customers=3) as simulator:
        paused, vanished, _ = customers(simulator)
        installation.tick()
        Tenant.objects.filter(pk=paused.pk).update(paused=True)
        installation.run(90, step=5)
        assert Browser().get("/readyz").status_code == 200
        Tenant.objects.filter(pk=paused.pk).update(paused=False)
        assert Browser().get("/readyz").status_code == 503
        installation.run(5)
        assert Browser().get("/readyz").status_code == 200
        Tenant.objects.filter(pk=vanished.pk).update(vanished_at=installation.wall)
        installation.run(90, step=5)
        assert Browser().get("/readyz").status_code == 200


def test_a_customer_that_vanished_is_tried_once_an_hour_and_at_once_when_it_is_back(installation: Installation) -> None:
    with running("partner", customers=2) as simulator:
        gone, _ = customers(simulator)
        list_anew(gone.credential_id, now=lambda: installation.wall, through=installation.clients)
        installation.tick()
        simulator.force_customer(gone.uuid, enabled=False)
        installation.advance(86_400)
        list_anew(gone.credential_id, now=lambda: installation.wall, through=installation.clients)
        assert Tenant.objects.get(pk=gone.pk).vanished_at is not None
        installation.read.clear()
        installation.run(4 * 3_600, step=600)
        assert len([at for at, tenant in installation.read if tenant == gone.pk]) in (4, 5)
        assert store().load(gone.pk).servers
        simulator.force_customer(gone.uuid, enabled=True)
        installation.advance(86_400)
        list_anew(gone.credential_id, now=lambda: installation.wall, through=installation.clients)
        assert Tenant.objects.get(pk=gone.pk).vanished_at is None
        installation.tick()
        assert installation.health(gone.pk).error is None


def test_the_customers_are_listed_once_a_day_by_one_process(installation: Installation) -> None:
    with running("partner", customers=2) as simulator:
        credential = customers(simulator)[0].credential

        def listed() -> int:
            simulator.forget_requests()
            list_anew(credential.pk, now=lambda: installation.wall, through=installation.clients)
            return len([one for one in simulator.requests if one.path == "/api/2/tenants"])

        assert [listed(), listed()] == [1, 0]
        installation.advance(23 * 3_600)
        assert listed() == 0
        installation.advance(3_600)
        with store().passing(f"customers of {credential.pk}"):
            assert listed() == 0
        assert listed() == 1
        simulator.fail("500", path="/api/2/tenants", times=None)
        installation.advance(86_400)
        assert [listed(), listed()] == [1, 0]
        installation.advance(3_600)
        assert listed() == 1
        assert Credential.objects.get(pk=credential.pk).customers_error
        credential.sealed_secret = "forged"
        credential.save()
        installation.advance(3_600)
        listed()
        assert "DRDASH_ENCRYPTION_KEYS" in Credential.objects.get(pk=credential.pk).customers_error


def test_nobody_is_due_before_the_clock_says_so(installation: Installation) -> None:
    assert plans().due({}, now=installation.wall) == []
    assert installation.tick() == []


def test_a_person_may_show_a_credential_that_the_poller_may_not(
    tenant: Tenant, simulator: Simulator, bob: User, server: Server, polled: Poll
) -> None:
    secret = simulator.client_secret
    simulator.force_client(simulator.client_id, secret="simulated-secret-changed", revoke="all")
    assert "every 15 minutes" in (polled().health.error or "")
    simulator.force_client(simulator.client_id, secret=secret)
    asked = len(simulator.requests)
    polled()
    assert len(simulator.requests) == asked, "the poller waits"
    action, _ = request(user=bob, tenant=tenant, server=server, wish=Wish(kind=Kind.START_TEST, key="one"))
    assert action.state == State.ACCEPTED, action.error
