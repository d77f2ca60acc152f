"""What everyone of a tenant is told on every page, whatever they came for."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from drdash.failover.guard import Kind
from drdash.failover.models import Action, Approval, Batch, Failover, Item, Origin, State
from drdash.tenants.models import Credential, Membership, Tenant
from drdash.tenants.roles import Role
from tests.web.seen import publish, server

PATHS = ("/", "/servers/", "/servers/s-1/", "/sites/", "/actions/", "/audit/")


@pytest.fixture
def acme(fresh_process: None) -> Tenant:
    credential = Credential.objects.create(name="c", cloud="https://cloud.example", client_id="c")
    tenant = Tenant.objects.create(name="Acme", credential=credential)
    for name, role in (("alice", Role.ADMIN), ("carol", Role.ADMIN), ("victor", Role.VIEWER)):
        user = User.objects.create_user(name, password=name)
        Membership.objects.create(user=user, tenant=tenant, role=role)
    return tenant


@pytest.fixture
def acted(acme: Tenant) -> Callable[..., Action]:
    """An action of Alice's, sent five minutes ago."""

    def make(**fields: Any) -> Action:
        number, then = Action.objects.count(), timezone.now() - timedelta(minutes=5)
        given = {
            "tenant": acme,
            "user": User.objects.get(username="alice"),
            "cloud": "https://cloud.example",
            "server_uuid": f"s-{number}",
            "server_name": f"db-{number:02}",
            "kind": Kind.START_TEST,
            "production": False,
            "idempotency_key": f"k{number}",
            "state": State.UNKNOWN,
            "requested_at": then,
            "sent_at": then,
        }
        return Action.objects.create(**{**given, **fields})

    return make


Acted = Callable[..., Action]


def of(name: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(username=name))
    return client


def told(name: str, path: str = "/notices/") -> str:
    """The notices of a page, as text without markup would be read: tags are left in."""
    answer = of(name).get(path)
    assert answer.status_code == 200
    return answer.content.decode().split('id="notices"')[1].split("</section>")[0]


def test_an_unknown_outcome_is_told_to_every_member_on_every_page(acme: Tenant, acted: Acted) -> None:
    publish(acme.pk, server())
    action = acted()
    for path in PATHS:
        banners = told("victor", path)
        assert "Outcome unknown, a person has to look" in banners
        assert f'<a href="/actions/{action.pk}/">Start test of db-00</a>, sent by alice' in banners


def test_nothing_is_told_to_whoever_is_of_another_tenant(acme: Tenant, acted: Acted) -> None:
    publish(acme.pk, server(status="FAILOVER_PROD"))
    acted(glass="The main site burns.")
    other = Tenant.objects.create(name="Other", credential=acme.credential)
    charlie = User.objects.create_user("charlie")
    Membership.objects.create(user=charlie, tenant=other, role=Role.ADMIN)
    assert "bar" not in told("charlie", "/")
    assert Client().get("/notices/").status_code == 302


@pytest.mark.parametrize(
    ("fields", "hours", "shown"),
    [
        ({"state": State.ACCEPTED}, 30, True),
        ({"state": State.SUCCEEDED}, 23, True),
        ({"state": State.SUCCEEDED}, 25, False),
        ({"state": State.REFUSED, "sent_at": None}, 1, False),
    ],
)
def test_broken_glass_is_told_until_the_action_is_over_and_a_day_at_least(
    acted: Acted, fields: dict[str, Any], hours: int, shown: bool
) -> None:
    then = timezone.now() - timedelta(hours=hours)
    over = {} if fields["state"] == State.ACCEPTED else {"finished_at": then}
    acted(glass="The main site burns.", requested_at=then, last_sign_at=timezone.now(), **over, **fields)
    banners = told("victor")
    assert ("Glass broken" in banners) is shown
    assert ("asked for by alice" in banners and "The main site burns." in banners) is shown


def test_running_production_is_told_with_who_started_it(acme: Tenant, acted: Acted) -> None:
    runs: dict[str, Any] = {"recovery": {"active_failover": {"id": "f-1"}}}
    publish(acme.pk, server(status="FAILOVER_PROD", **runs))
    assert '<a href="/servers/s-1/">db-01</a>' in told("victor")
    known = Failover.objects.create(
        tenant=acme, server_uuid="s-1", failover_id="f-1", production=True, origin="outside", seen_at=timezone.now()
    )
    assert "started in the cloud's own console; first seen" in told("victor").replace("&#x27;", "'")
    action = acted(kind=Kind.START_PROD, production=True, state=State.SUCCEEDED, finished_at=timezone.now())
    Failover.objects.filter(pk=known.pk).update(origin=Origin.OURS, action=action)
    assert "started by alice from here" in told("victor")


def test_production_whose_status_does_not_tell_is_still_told(acme: Tenant) -> None:
    publish(acme.pk, server(status="POWERING_OFF", recovery={"active_failover": {"id": "f-1"}}))
    assert "Production" not in told("victor")
    Failover.objects.create(
        tenant=acme, server_uuid="s-1", failover_id="f-1", production=True, origin="outside", seen_at=timezone.now()
    )
    assert "Production failover active" in told("victor")


def test_many_are_counted_in_one_line_that_leads_to_their_list(acme: Tenant) -> None:
    publish(acme.pk, *(server(f"s-{n}", name=f"db-{n:03}", status="FAILOVER_PROD") for n in range(50)))
    banners = told("victor")
    assert banners.count('class="bar') == 1
    assert "Production failover active: db-000, db-001 and 48 more" in banners
    assert banners.count("<li>") == 20
    assert '<a href="/servers/?status=FAILOVER_PROD">50 Production running</a>' in banners


def test_an_approval_waits_for_the_other_admin_alone(acme: Tenant) -> None:
    now = timezone.now()
    Tenant.objects.update(two_persons=True)
    Approval.objects.create(
        tenant=acme, cloud="c", server_uuid="s-1", server_name="db-01", kind=Kind.START_PROD, seen={}, why="Fire.",
        asked_by=User.objects.get(username="alice"), asked_at=now, expires_at=now + timedelta(minutes=10),
    )  # fmt: skip
    assert "Waits for your approval" in told("carol")
    assert "Start production of db-01</a>, asked for by alice" in told("carol")
    for other in ("alice", "victor"):
        assert "approval" not in told(other)


def test_a_paused_batch_waits_for_its_owner_alone(acme: Tenant) -> None:
    now = timezone.now()
    batch = Batch.objects.create(
        user=User.objects.get(username="alice"), kind=Kind.START_TEST, production=False, per_minute=6,
        made_at=now, changed_at=now, why="Stopped by a restart.",
    )  # fmt: skip
    Item.objects.create(batch=batch, position=1, tenant=acme, server_uuid="s-1", server_name="db-01")
    assert "Stopped by a restart." in told("alice")
    assert "restart" not in told("carol")


def test_a_page_that_has_them_just_so_is_told_nothing_again(acted: Acted) -> None:
    acted()
    have = told("victor").split('X-Have": "')[1].split('"')[0]
    ask = {"HX-Request": "true", "X-Have": have}
    assert of("victor").get("/notices/", headers=ask).status_code == 204
    acted()
    assert of("victor").get("/notices/", headers=ask).status_code == 200


def test_hostile_names_are_escaped(acme: Tenant, acted: Acted) -> None:
    acted(server_name="<script>x</script>", glass="<script>y</script>")
    publish(acme.pk, server(name="<script>z</script>", status="FAILOVER_PROD"))
    assert "<script" not in told("victor")


def test_they_cost_the_same_few_queries_however_many_there_are(acme: Tenant, acted: Acted) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            told("alice")
        return len(queries)

    runs = [server(f"s-{n}", status="FAILOVER_PROD", recovery={"active_failover": {"id": f"f-{n}"}}) for n in range(60)]
    publish(acme.pk, runs[0])
    acted(glass="Fire.")
    first = asked()
    publish(acme.pk, *runs)
    for _ in range(20):
        acted(glass="Fire.")
    assert asked() == first
