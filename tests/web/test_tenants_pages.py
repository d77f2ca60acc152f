"""The pages on which tenants are kept. Root is a superuser; Alice, Bob, Victor and Charlie are as everywhere."""

import json
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from drdash.audit.models import Entry
from drdash.estate import aside
from drdash.estate.store import store
from drdash.failover.guard import Kind
from drdash.failover.models import Action, State
from drdash.simulator.simulation import Simulator
from drdash.tenants import keeping
from drdash.tenants.models import Credential, Membership, Tenant
from drdash.tenants.roles import Role
from tests.web.kept import Person
from tests.web.seen import fail, publish, server

Cast = Callable[[str], Person]


@pytest.fixture
def acme(fresh_process: None) -> Tenant:
    """A tenant whose admin is Alice; Bob is its operator, Victor its viewer, Charlie the admin of another."""
    credential = Credential(name="A client", cloud="https://eu.cloud.example", client_id="acme")
    credential.keep_secret("canary-secret-of-acme")
    credential.save()
    acme = Tenant.objects.create(name="Acme", uuid="t-acme", credential=credential)
    other = Tenant.objects.create(name="Other", uuid="t-other", credential=credential)
    people = {"alice": (acme, Role.ADMIN), "bob": (acme, Role.OPERATOR), "victor": (acme, Role.VIEWER)}
    for name, (tenant, role) in (people | {"charlie": (other, Role.ADMIN)}).items():
        Membership.objects.create(user=User.objects.create_user(name), tenant=tenant, role=role)
    User.objects.create_superuser("root")
    return acme


@pytest.fixture
def person(acme: Tenant) -> Cast:
    return lambda name: Person(User.objects.get(username=name))


# ---- who may


def pages_of(tenant: Tenant) -> dict[str, str]:
    """Each page with those who may open it: s superuser, a admin."""
    credential = tenant.credential_id
    return {
        "/tenants/": "sa",
        f"/tenants/{tenant.pk}/": "sa",
        "/tenants/connect/": "s",
        "/tenants/connect/?by=client": "s",
        f"/tenants/{tenant.pk}/acting/": "s",
        f"/tenants/{tenant.pk}/take-off/": "s",
        f"/credentials/{credential}/": "s",
        f"/credentials/{credential}/replace/": "s",
    }


def test_each_page_opens_for_those_whose_business_it_is(acme: Tenant, person: Cast) -> None:
    for path, allowed in pages_of(acme).items():
        assert person("root").open(path)
        person("alice").open(path, status=200 if "a" in allowed else 403)
        for name in ("bob", "victor"):
            person(name).open(path, status=403)
        assert Client().get(path).status_code == 302


def test_a_foreign_tenant_does_not_exist_for_an_admin(acme: Tenant, person: Cast) -> None:
    charlie = person("charlie")
    charlie.open(f"/tenants/{acme.pk}/", status=404)
    assert charlie.send(f"/tenants/{acme.pk}/pause/")[0] == 404
    assert "Acme" not in charlie.open("/tenants/")
    assert charlie.send("/tenants/", do="pause", which="all", tenant=acme.pk)[0] == 302
    acme.refresh_from_db()
    assert not acme.paused


@pytest.mark.parametrize("name", ["bob", "victor"])
def test_who_is_no_admin_changes_nothing(acme: Tenant, person: Cast, name: str) -> None:
    for deed in ("pause", "disarm", "take-off", "acting/none"):
        assert person(name).send(f"/tenants/{acme.pk}/{deed}/", confirm="Acme")[0] == 403
    assert person(name).send("/tenants/", do="pause", which="all")[0] == 403
    acme.refresh_from_db()
    assert (acme.paused, acme.armed, acme.removed_at) == (False, True, None)
    assert not done()


def test_two_persons_are_asked_for_by_an_admin_and_ended_by_a_superuser(acme: Tenant, person: Cast) -> None:
    alice, path = person("alice"), f"/tenants/{acme.pk}/"
    assert "no second admin" in alice.follow(f"{path}two-persons/")
    dora = User.objects.create_user("dora")
    Membership.objects.create(user=dora, tenant=acme, role=Role.ADMIN)
    assert alice.send(f"{path}one-person/")[0] == 403
    page = alice.follow(f"{path}two-persons/")
    assert "Production takes two persons here" in page
    assert "one-person" not in page
    for name in ("alice", "bob", "victor", "dora"):
        assert person(name).send(f"{path}one-person/")[0] == 403
    assert person("charlie").send(f"{path}one-person/")[0] == 404
    assert alice.send("/tenants/", do="one-person", which="all")[0] == 404
    acme.refresh_from_db()
    assert acme.two_persons
    User.objects.filter(pk=dora.pk).update(is_active=False)
    assert "There is no second admin" in alice.open(path)
    assert "Production takes two persons here" not in person("root").follow(f"{path}one-person/")


def test_only_who_keeps_tenants_is_shown_the_way_to_them(acme: Tenant, person: Cast) -> None:
    publish(acme.pk, server())
    for name, shown in {"root": True, "alice": True, "bob": False, "victor": False}.items():
        assert ('href="/tenants/"' in person(name).open("/servers/")) is shown


def test_a_form_from_elsewhere_changes_nothing(acme: Tenant) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.get(username="root"))
    for path in (f"/tenants/{acme.pk}/pause/", f"/tenants/{acme.pk}/take-off/", "/tenants/", "/tenants/connect/"):
        assert client.post(path, {"do": "pause", "which": "all", "confirm": "Acme"}).status_code == 403
    acme.refresh_from_db()
    assert (acme.paused, acme.removed_at) == (False, None)


def test_nothing_secret_and_nothing_inline_is_on_any_page(acme: Tenant, person: Cast) -> None:
    for path in pages_of(acme):
        page = person("root").open(path)
        assert "canary-secret" not in page
        assert acme.credential.sealed_secret not in page
        assert "style=" not in page
        assert "<style" not in page
        assert "onclick" not in page


# ---- states


def test_a_tenant_is_watched_only_while_it_is_read(acme: Tenant, person: Cast) -> None:
    alice, path = person("alice"), f"/tenants/{acme.pk}/"
    assert "Not read yet" in alice.open(path)
    publish(acme.pk, server())
    assert "Watching" in alice.open(path)
    fail(acme.pk, "The cloud failed (503).")
    page = alice.open(path)
    assert "Failing" in page
    assert "The cloud failed (503)." in page
    assert 'class="look good"' not in page.split('class="panel"')[1]


def test_a_paused_tenant_says_who_paused_it_wherever_its_freshness_is_shown(acme: Tenant, person: Cast) -> None:
    publish(acme.pk, server())
    page = person("alice").follow(f"/tenants/{acme.pk}/pause/")
    assert "Acme: paused." in page
    assert "Paused by alice since" in page
    assert "Paused by alice since" in person("victor").open("/servers/")
    page = person("alice").follow(f"/tenants/{acme.pk}/resume/")
    assert "Paused by" not in page
    assert done() == [("alice", "resumed"), ("alice", "paused")]


def test_a_tenant_that_is_only_watched_says_so_everywhere(acme: Tenant, person: Cast) -> None:
    publish(acme.pk, server())
    assert "Watch only" in person("alice").follow(f"/tenants/{acme.pk}/disarm/")
    assert "Watch only</span></p>" in person("victor").open("/")
    assert "Watch only</span></p>" not in person("alice").follow(f"/tenants/{acme.pk}/arm/")


def test_a_tenant_that_its_partner_lost_is_marked_with_its_last_data(acme: Tenant, person: Cast) -> None:
    publish(acme.pk, server())
    Tenant.objects.filter(pk=acme.pk).update(vanished_at=timezone.now())
    assert "this is its last data" in person("victor").open("/")
    assert "Not at the partner any more" in person("alice").open(f"/tenants/{acme.pk}/")


def test_open_pages_learn_at_once_of_a_pause(acme: Tenant, person: Cast) -> None:
    publish(acme.pk, server())
    before = len(announced(acme))
    person("alice").follow(f"/tenants/{acme.pk}/pause/")
    told = set().union(*announced(acme)[before:])
    assert {"health", "server:s-1"} <= told


def done() -> list[tuple[str, str]]:
    """Who did what with tenants, the newest first."""
    return list(Entry.objects.exclude(tenant=None).values_list("username", "verb"))


def announced(tenant: Tenant) -> list[set[str]]:
    """The keys of each announcement of the tenant."""
    aside.settle()
    entries = store()._redis.xrange("drdash:changes")
    return [set(json.loads(fields[b"keys"])) for _, fields in entries if int(fields[b"tenant"]) == tenant.pk]


# ---- what a credential may do


def test_the_clouds_refusal_stands_beside_the_hint_of_the_token(acme: Tenant, person: Cast) -> None:
    refused = "start_failover_prod: this credential lacks dr_service::admin"
    Credential.objects.filter(pk=acme.credential_id).update(
        scopes="protection::readonly", refused_at=timezone.now(), refused_what=refused
    )
    page = person("alice").open(f"/tenants/{acme.pk}/")
    assert "read sites and servers" in page
    assert "not: start and stop tests, start production" in page
    assert "a hint: the cloud decides" in page
    assert "The cloud refused the start of production" in page
    assert ": this credential lacks dr_service::admin." in page


# ---- many at once


def test_those_that_are_ticked_are_paused_with_one_button(acme: Tenant, person: Cast) -> None:
    page = person("root").follow("/tenants/", do="pause", which="ticked", tenant=[acme.pk])
    assert "Paused: Acme." in page
    assert set(Tenant.objects.filter(paused=True)) == {acme}


def test_all_that_the_filter_finds_are_armed_with_one_button(acme: Tenant, person: Cast) -> None:
    credential = acme.credential
    Tenant.objects.bulk_create(
        Tenant(name=f"Customer {number}", uuid=f"u-{number}", credential=credential, armed=False)
        for number in range(150)
    )
    page = person("root").follow("/tenants/?q=customer", do="arm", which="all")
    assert "Armed: 150 tenants." in page
    assert not Tenant.objects.filter(armed=False).exists()
    assert Entry.objects.filter(verb="armed").count() == 150


def test_nothing_ticked_is_nothing_done(acme: Tenant, person: Cast) -> None:
    assert "nothing was done" in person("root").follow("/tenants/", do="pause", which="ticked")
    assert not Tenant.objects.filter(paused=True).exists()


def test_the_filters_find_by_state_and_by_what_is_allowed(acme: Tenant, person: Cast) -> None:
    keeping.pause(Tenant.objects.get(name="Other"), by=None)
    root = person("root")
    assert ">Acme</a>" not in root.open("/tenants/?state=paused")
    assert ">Other</a>" in root.open("/tenants/?state=paused")
    assert "No tenant matches" in root.open("/tenants/?acts=watch-only")
    assert "No tenant matches" in root.open("/tenants/?q=%00")


# ---- taking off


def test_taking_off_wants_the_name_typed(acme: Tenant, person: Cast) -> None:
    root, path = person("root"), f"/tenants/{acme.pk}/take-off/"
    page = root.open(path)
    assert "stays: other tenants use it" in page.replace("\n", " ")
    assert "3 people" in page
    status, _, page = root.send(path, confirm="acme corp")
    assert (status, "Nothing was taken off" in page, "acme corp" in page) == (422, True, True)
    acme.refresh_from_db()
    assert acme.removed_at is None


def test_nothing_is_taken_off_with_an_action_that_nobody_could_close_any_more(acme: Tenant, person: Cast) -> None:
    lost = Action.objects.create(
        tenant=acme,
        user=User.objects.get(username="bob"),
        cloud=acme.credential.cloud,
        server_uuid="s-1",
        server_name="one",
        kind=Kind.START_TEST,
        production=False,
        idempotency_key="lost",
        content="",
        state=State.UNKNOWN,
        requested_at=timezone.now(),
    )
    path = f"/tenants/{acme.pk}/take-off/"
    status, _, page = person("root").send(path, confirm="Acme")
    acme.refresh_from_db()
    assert (status, "actions are not over" in page, acme.removed_at) == (422, True, None)
    Action.objects.filter(pk=lost.pk).update(state=State.CLOSED)
    assert "Acme is taken off" in person("root").follow(path, confirm="Acme")


def test_a_tenant_that_was_taken_off_leaves_its_row_and_its_audit(acme: Tenant, person: Cast) -> None:
    publish(acme.pk, server())
    page = person("root").follow(f"/tenants/{acme.pk}/take-off/", confirm="Acme")
    assert "Acme is taken off" in page
    assert ">taken off</span>" in page
    assert "Taken off" in person("root").open("/tenants/?state=removed")
    assert store().load(acme.pk).servers == {}
    person("alice").open(f"/tenants/{acme.pk}/", status=404)
    assert person("root").send(f"/tenants/{acme.pk}/arm/")[0] == 302


def test_the_last_tenant_takes_the_secret_along(tenant: Tenant, simulator: Simulator) -> None:
    root = Person(User.objects.create_superuser("root"))
    page = root.open(f"/tenants/{tenant.pk}/take-off/")
    assert "no other tenant needs it" in page
    root.follow(f"/tenants/{tenant.pk}/take-off/", confirm=tenant.name)
    assert Credential.objects.get().sealed_secret == ""


def test_the_overview_calls_nothing_blocked_that_a_person_holds_back(acme: Tenant, person: Cast) -> None:
    publish(acme.pk, server(), server("s-2"))
    person("alice").follow(f"/tenants/{acme.pk}/disarm/")
    page = person("alice").open("/")
    assert 'Blocked <span class="n">0</span>' in page
    assert "2 recovery servers are of tenants that are only watched, or paused." in page
    assert "?blocked=true" not in page
