"""The overview as a page: of many tenants, of one, of nothing yet; and the queries that it costs."""

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from drdash.estate.models import Moment
from drdash.failover.guard import Kind
from drdash.failover.models import Action, State
from drdash.tenants.models import Credential, Membership, Tenant
from drdash.tenants.roles import Role
from tests.web.seen import fail, publish, server, site

TESTED = {"test_failover": {"last_start": timezone.now().isoformat()}}


@pytest.fixture
def bob(fresh_process: None) -> Client:
    """The browser of Bob, an operator of every tenant."""
    user = User.objects.create_user("bob")
    Membership.objects.create(user=user, tenant=None, role=Role.OPERATOR)
    client = Client()
    client.force_login(user)
    return client


def tenants(count: int) -> list[Tenant]:
    """Tenants that are well, each with one server."""
    credential, _ = Credential.objects.get_or_create(name="c", cloud="https://eu.cloud.example", client_id="c")
    begun = Tenant.objects.count()
    made = [Tenant.objects.create(name=f"T-{begun + n:03}", credential=credential) for n in range(count)]
    for one in made:
        place = f"p-{one.pk}"
        held = server(f"s-{one.pk}", name=f"db of {one.name}", site_uuid=place, recovery=TESTED)
        publish(one.pk, held, sites=(site(place),))
    return made


def read(client: Client, path: str = "/") -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def section(page: str, name: str) -> str:
    return page.split(f'id="{name}"')[1].split("</section>")[0]


def failed(tenant: Tenant, state: State = State.FAILED, **fields: Any) -> Action:
    now, key = timezone.now(), str(Action.objects.count())
    given = {"tenant": tenant, "user": User.objects.get(), "cloud": "c", "server_uuid": f"s-{tenant.pk}"}
    given |= {"server_name": "db", "kind": Kind.START_TEST, "production": False, "idempotency_key": key, "content": "c"}
    given |= {"state": state, "requested_at": now, "sent_at": now, "finished_at": now}
    return Action.objects.create(**given | fields)


def test_few_tenants_need_no_fleet_and_many_are_told_worst_first(bob: Client) -> None:
    few = tenants(5)
    assert 'id="tenants"' not in read(bob)
    tenants(3)
    publish(few[2].pk, server("late", name="late", rpo={"status": "CRITICAL"}, recovery=TESTED))
    fail(few[4].pk, "The cloud does not answer.")
    told = section(read(bob), "tenants")
    assert re.findall(r'<details id="fleet-(\w+)"', told) == [str(few[4].pk), str(few[2].pk), "well"]
    assert "6 tenants are well." in told
    assert f'href="/?tenant={few[2].pk}#needs"' in told


def test_one_tenant_of_many_has_an_overview_of_its_own(bob: Client) -> None:
    first, second = tenants(2)
    page = read(bob, f"/?tenant={first.pk}")
    assert f"Overview of {first.name}" in page
    assert f'hx-get="/?tenant={first.pk}"' in page
    assert f'href="/servers/?status=STAND_BY&amp;tenant={first.pk}"' in page
    assert f"/sites/p-{first.pk}/" in page
    assert f"/sites/p-{second.pk}/" not in page


def test_the_overview_of_a_tenant_that_is_out_of_reach_does_not_exist(bob: Client) -> None:
    ours, theirs = tenants(2)
    Membership.objects.update(tenant=ours)
    read(bob, f"/?tenant={ours.pk}")
    for asked in (str(theirs.pk), "999", "x", "%00", "9" * 5000):
        assert bob.get(f"/?tenant={asked}").status_code == 404


def test_more_tenants_cost_no_more_queries(bob: Client) -> None:
    def cost(pages: Iterable[str] = ("/", "/freshness/")) -> list[int]:
        queries = []
        for path in pages:
            with CaptureQueriesContext(connection) as asked:
                read(bob, path)
            queries.append(len(asked))
        return queries

    for one in tenants(6):
        publish(one.pk, server(f"x-{one.pk}", status="FAILOVER_PROD", recovery={"active_failover": {"id": "f"}}))
    cost()
    six = cost()
    for one in tenants(24):
        publish(one.pk, server(f"x-{one.pk}", status="FAILOVER_PROD", recovery={"active_failover": {"id": "f"}}))
    assert cost() == six


def test_of_many_tenants_that_cannot_be_read_the_strip_says_one_sentence(bob: Client) -> None:
    found = tenants(8)
    for one in found[:3]:
        fail(one.pk, "The cloud does not answer.")
    answer = bob.get("/freshness/")
    strip = answer.content.decode()
    assert "3 tenants cannot be read. The cloud does not answer." in strip
    assert "5 tenants are read as they should be." in strip
    assert all(f'id="health-{one.pk}"' in strip for one in found)
    [have] = re.findall(r'data-have="(\w+)"', strip)
    assert bob.get("/freshness/", headers={"X-Have": have}).status_code == 204
    fail(found[3].pk, "The cloud does not answer.")
    assert bob.get("/freshness/", headers={"X-Have": have}).status_code == 200


def test_an_action_that_failed_of_late_is_told_until_another_is_taken_up_there(bob: Client) -> None:
    [one] = tenants(1)
    long_ago = timezone.now() - timedelta(days=2)
    failed(one, requested_at=long_ago, finished_at=long_ago)
    assert "Start test: db" not in section(read(bob), "needs")
    failed(one)
    assert "Look at what was seen of it" in section(read(bob), "needs")
    failed(one, State.REFUSED)
    assert "Start test: db" in section(read(bob), "needs")
    failed(one, State.SUCCEEDED)
    assert "Start test: db" not in section(read(bob), "needs")


def test_a_line_without_a_time_has_that_of_the_change_that_a_poll_saw(bob: Client) -> None:
    [one] = tenants(1)
    publish(one.pk, server("late", rpo={"status": "CRITICAL"}, recovery=TESTED))
    at = timezone.now() - timedelta(hours=3)
    for what, when in (("backup", at), ("backup", at - timedelta(hours=1)), ("status", timezone.now())):
        Moment.objects.create(tenant=one, server_uuid="late", at=when, changes=[{"what": what, "after": "CRITICAL"}])
    assert f'datetime="{at:%Y-%m-%dT%H:%M:%S}' in section(read(bob), "needs")


def test_tests_that_are_due_lead_to_the_list_of_them(bob: Client) -> None:
    [one] = tenants(1)
    publish(one.pk, *(server(f"n-{number}", name=f"never-{number}") for number in range(9)))
    due = section(read(bob), "due")
    assert due.count("Never tested") - 1 == 6
    assert '<a href="/servers/?tested=due">All 9</a>' in due
    assert read(bob, "/servers/?tested=due").count('<a href="/servers/n-') >= 9


def test_of_what_needs_a_person_more_than_is_shown_leads_to_lists(bob: Client) -> None:
    [one] = tenants(1)
    broken = {"automated_test_failover": {"last_status": "FAILURE", "last_start": timezone.now().isoformat()}}
    servers = [server(f"f-{number}", name=f"fails-{number}", recovery=broken) for number in range(16)]
    well = server(f"s-{one.pk}", recovery=TESTED)
    publish(one.pk, well, *servers[:15])
    assert 'href="/servers/?tested=failed"' not in section(read(bob), "needs")
    publish(one.pk, well, *servers)
    assert "15 of 16 are shown." in section(read(bob), "needs")
    assert '<a href="/servers/?tested=failed">Automated test failed</a>' in section(read(bob), "needs")
    listed = read(bob, "/servers/?tested=failed")
    assert listed.count('<a href="/servers/f-') == 16
    assert f"/servers/s-{one.pk}/" not in listed


def test_a_tenant_that_fails_says_when_it_is_tried_again(bob: Client) -> None:
    [one] = tenants(1)
    assert "The next try" not in read(bob)
    fail(one.pk, "The cloud does not answer.")
    assert re.search(r'The next try comes at <time [^>]*data-show="until"', read(bob))


def test_sites_that_are_ready_stand_behind_those_that_are_not_and_folded_when_they_are_many(bob: Client) -> None:
    [one] = tenants(1)
    places = [site(f"r-{number}") for number in range(30)]
    publish(one.pk, sites=(*places, site("z", failover_readiness="ERROR"), site("y", failover_readiness="WARNING")))
    told = section(read(bob), "sites")
    assert re.findall(r'href="/sites/([a-z])', told)[:4] == ["z", "p", "y", "r"]
    assert "Missing" in told
    assert "30 sites are ready" in told.split("<details")[1]
    assert "And 6 more" in told


def test_who_has_no_role_is_told_what_to_ask_for(fresh_process: None) -> None:
    client = Client()
    client.force_login(User.objects.create_user("dora"))
    for path in ("/", "/servers/", "/sites/"):
        page = read(client, path)
        assert "an administrator has to give you a role" in page
        assert "<b>dora</b>" in page


def test_a_superuser_is_led_from_no_cloud_to_a_connected_one(fresh_process: None) -> None:
    client = Client()
    assert "manage.py createsuperuser" in read(client, "/login/")
    client.force_login(User.objects.create_superuser("root"))
    assert "manage.py createsuperuser" not in read(Client(), "/login/")
    assert client.get("/").headers["Location"] == "/tenants/connect/"


def test_a_tenant_that_was_never_read_says_why_and_where_that_is_put_right(fresh_process: None) -> None:
    client = Client()
    credential = Credential.objects.create(name="c", cloud="https://eu.cloud.example", client_id="c")
    one = Tenant.objects.create(name="New", credential=credential)
    client.force_login(User.objects.create_superuser("root"))
    Membership.objects.create(user=User.objects.get(), tenant=one, role=Role.VIEWER)
    assert "The first one takes a few seconds" in read(client)
    fail(one.pk, "The cloud does not answer.")
    page = read(client)
    assert "The last one failed: The cloud does not answer." in page
    assert f'href="/tenants/{one.pk}/"' in page
