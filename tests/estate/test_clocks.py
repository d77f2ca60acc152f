"""Clocks that are an hour off, or are set while everything runs; and waits, in the middle of a pass or out of it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client

from drdash.estate.clients import Clients
from drdash.simulator.server import running
from drdash.simulator.simulation import Simulator
from drdash.tasks import poll
from drdash.tenants.models import Membership
from drdash.tenants.roles import Role
from tests.estate.at_hand import Installation, customers

HOUR = 3600.0


def reads(simulator: Simulator) -> int:
    """How many requests there were for data since this was last asked."""
    found = [one for one in simulator.requests if "/dr/v2/" in one.path]
    simulator.forget_requests()
    return len(found)


def set_clock(installation: Installation, seconds: float) -> None:
    installation.wall += timedelta(seconds=seconds)


@pytest.mark.parametrize("skew", [HOUR, -HOUR])
def test_a_cloud_whose_clock_is_an_hour_off_is_read_as_any_other(installation: Installation, skew: float) -> None:
    with running("partner", customers=1) as simulator:
        simulator.skew = skew
        (tenant,) = customers(simulator)
        installation.run(60)
        health = installation.health(tenant.pk)
        assert health.error is None
        assert installation.wall - timedelta(seconds=15) < (health.as_of or installation.wall) <= installation.wall
        assert not installation.stale(tenant.pk)
        assert len([one for one in simulator.requests if one.path.endswith("/idp/token")]) == 2


@pytest.mark.parametrize("moved", [HOUR, -HOUR])
def test_our_clock_may_be_set_while_it_runs(installation: Installation, moved: float) -> None:
    with running("partner", customers=1) as simulator:
        (tenant,) = customers(simulator)
        installation.run(20)
        set_clock(installation, moved)
        assert installation.stale(tenant.pk)  # nobody can say how old it is
        reads(simulator)
        installation.run(1)
        assert not installation.stale(tenant.pk)
        assert installation.health(tenant.pk).as_of == installation.wall
        assert reads(simulator) == 2
        installation.run(60)
        assert reads(simulator) == 4 * 2


@pytest.mark.parametrize("moved", [HOUR, -HOUR])
def test_a_wait_is_kept_to_the_second_when_our_clock_is_set(installation: Installation, moved: float) -> None:
    with running("partner", customers=1) as simulator:
        (tenant,) = customers(simulator)
        simulator.fail("429", method="GET", retry_after=60)
        installation.tick()
        reads(simulator)
        installation.run(10)
        set_clock(installation, moved)
        installation.run(49)
        assert reads(simulator) == 0
        told = installation.health(tenant.pk).wait_until
        assert told is not None
        assert abs(told - installation.wall - timedelta(seconds=1)) < timedelta(seconds=2)
        installation.run(2)
        assert reads(simulator) == 2
        assert installation.health(tenant.pk).wait_until is None


def test_a_failing_cloud_is_tried_again_soon_when_our_clock_is_set_back(installation: Installation) -> None:
    with running("partner", customers=3) as simulator:
        tenants = customers(simulator)
        simulator.fail("504", method="GET", times=None)
        installation.run(300)
        set_clock(installation, -HOUR)
        simulator.clear_faults()
        installation.run(20)
        assert {installation.health(tenant.pk).error for tenant in tenants} == {None}


def test_a_secret_that_was_turned_down_is_not_shown_sooner_when_our_clock_is_set_back(
    installation: Installation,
) -> None:
    with running("partner", customers=1) as simulator:
        customers(simulator)
        simulator.force_client(simulator.partner_id, secret="simulated-secret-changed")
        installation.run(60, step=5)
        set_clock(installation, -HOUR)
        simulator.forget_requests()
        installation.run(14 * 60, step=10)
        assert simulator.requests == []
        installation.run(2 * 60, step=10)
        assert len(simulator.requests) == 1


def test_a_wait_of_one_tenant_is_no_other_tenants(installation: Installation) -> None:
    with running("partner", customers=3) as simulator:
        held, *others = customers(simulator)
        simulator.fail("429", method="GET", tenant=held.uuid, retry_after=300)
        installation.run(60)
        assert {one.tenant for one in simulator.requests if one.fault == "429"} == {held.uuid}
        assert len([one for one in simulator.requests if one.tenant == held.uuid and "/dr/v2/" in one.path]) == 1
        assert not any(installation.stale(tenant.pk) for tenant in others)
        assert installation.stale(held.pk)


def test_a_wait_that_another_process_is_told_in_the_middle_of_a_pass_ends_it(installation: Installation) -> None:
    with running("partner", customers=1) as simulator:
        (tenant,) = customers(simulator)
        simulator.fail("hang", method="GET", path="/sites")
        other = Clients(monotonic=lambda: installation.steady)
        with ThreadPoolExecutor(1) as thread:
            under_way = thread.submit(installation.one_pass_aside, tenant.pk)
            assert simulator.arrived(method="GET", path="/sites")
            other.way(tenant).hold.note(30)
            simulator.release()
            under_way.result(20)
        assert [one for one in simulator.requests if one.path.endswith("/servers")] == []
        health = installation.health(tenant.pk)
        assert "asks to wait for 30 s" in (health.error or "")
        assert health.wait_until == installation.wall + timedelta(seconds=30)


def test_the_page_counts_a_wait_down(fresh_process: None) -> None:
    viewer = User.objects.create_user("victor", password="victor")
    with running("partner", customers=1) as simulator:
        (tenant,) = customers(simulator)
        Membership.objects.create(user=viewer, tenant=tenant, role=Role.VIEWER)
        simulator.fail("429", method="GET", retry_after=300)
        poll(tenant.pk)
    browser = Client()
    browser.force_login(viewer)
    html = browser.get("/").content.decode()
    assert "The cloud wants no request before" in html
    assert 'data-show="until"' in html
