"""What becomes of a tenant: paused, armed, taken off, by whom, and what the audit keeps of it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from drdash.audit.models import Entry
from drdash.cloud.account import Grant
from drdash.cloud.oauth import Token
from drdash.simulator.simulation import Simulator
from drdash.tenants import access, keeping, partners
from drdash.tenants.access import Denied
from drdash.tenants.accounts import shelf_of
from drdash.tenants.connect import Refusal, connect
from drdash.tenants.models import Credential, KeptToken, Membership, Tenant
from drdash.tenants.roles import Role
from tests.tenants.casts import connected, customers, partner, root

__all__ = ["partner", "root"]

Deed = Callable[..., Any]
TOKEN = Token("canary-token", None)


def verbs(tenant: Tenant) -> list[tuple[str, str]]:
    return list(Entry.objects.filter(tenant=tenant.pk).order_by("id").values_list("username", "verb"))[1:]


@pytest.mark.parametrize(
    ("deed", "back", "field", "value"),
    [
        (keeping.pause, keeping.resume, "paused", True),
        (keeping.disarm, keeping.arm, "armed", False),
    ],
)
def test_an_admin_pauses_and_arms_and_each_is_written_once(
    tenant: Tenant, alice: User, deed: Deed, back: Deed, field: str, value: bool
) -> None:
    deed(tenant, by=alice)
    deed(tenant, by=alice)
    assert getattr(Tenant.objects.get(), field) is getattr(tenant, field) is value
    back(tenant, by=alice)
    assert getattr(Tenant.objects.get(), field) is getattr(tenant, field) is not value
    assert len(verbs(tenant)) == 2
    assert {username for username, _ in verbs(tenant)} == {"alice"}


def test_nobody_else_does(tenant: Tenant, bob: User, victor: User, charlie: User, root: User, alice: User) -> None:
    before = Entry.objects.count()
    deeds = (keeping.pause, keeping.resume, keeping.disarm, keeping.arm)
    for deed in deeds:
        for person in (bob, victor, charlie):
            with pytest.raises(Denied, match="admin of the tenant"):
                deed(tenant, by=person)
    Membership.objects.filter(user=alice).delete()
    for deed in deeds:
        with pytest.raises(Denied):
            deed(tenant, by=alice)
    assert Entry.objects.count() == before
    for deed in deeds:
        deed(tenant, by=root)
    assert [username for username, _ in verbs(tenant)] == ["root"] * 4


def test_an_admin_asks_for_two_persons_and_only_a_superuser_ends_it(
    tenant: Tenant, alice: User, bob: User, victor: User, charlie: User, root: User
) -> None:
    for person in (bob, victor, charlie):
        with pytest.raises(Denied, match="admin of the tenant"):
            keeping.ask_two_persons(tenant, by=person)
    with pytest.raises(Refusal, match="no second admin"):
        keeping.ask_two_persons(tenant, by=alice)
    assert not Tenant.objects.get(pk=tenant.pk).two_persons
    everywhere = User.objects.create_user("everywhere")
    Membership.objects.create(user=everywhere, tenant=None, role=Role.ADMIN)
    keeping.ask_two_persons(tenant, by=alice)
    keeping.ask_two_persons(tenant, by=alice)
    assert Tenant.objects.get(pk=tenant.pk).two_persons is tenant.two_persons is True
    for person in (alice, everywhere, bob, victor, charlie):
        with pytest.raises(Denied, match="superuser"):
            keeping.ask_one_person(tenant, by=person)
    keeping.ask_one_person(tenant, by=root)
    assert not Tenant.objects.get(pk=tenant.pk).two_persons
    assert verbs(tenant) == [("alice", "asks for two persons"), ("root", "asks for one person")]


def test_who_is_disabled_or_has_another_role_here_is_no_second_admin(tenant: Tenant, alice: User) -> None:
    everywhere = User.objects.create_user("everywhere")
    Membership.objects.create(user=everywhere, tenant=None, role=Role.ADMIN)
    assert access.count_admins(tenant) == 2
    here = Membership.objects.create(user=everywhere, tenant=tenant, role=Role.VIEWER)
    assert access.count_admins(tenant) == 1
    here.delete()
    User.objects.filter(pk=everywhere.pk).update(is_active=False)
    assert access.count_admins(tenant) == 1


OF_SUPERUSERS: list[Deed] = [
    lambda tenant, by: keeping.take_off(tenant, by=by),
    lambda tenant, by: keeping.drop(tenant.credential, by=by),
    lambda tenant, by: keeping.replace(tenant.credential, by=by, grant=Grant.CLIENT_CREDENTIALS),
    lambda tenant, by: keeping.act_through(tenant, by=by, grant=Grant.CLIENT_CREDENTIALS),
    lambda tenant, by: keeping.act_through_none(tenant, by=by),
    lambda tenant, by: partners.watch(tenant.credential, None, by=by),
    lambda tenant, by: partners.looked_at(tenant.credential, by=by),
]


def test_credentials_and_tenants_are_kept_by_superusers_alone(
    tenant: Tenant, alice: User, simulator: Simulator
) -> None:
    simulator.forget_requests()
    for deed in OF_SUPERUSERS:
        with pytest.raises(Denied, match="superuser"):
            deed(tenant, alice)
    assert not simulator.requests
    assert verbs(tenant) == []


def test_taking_off_leaves_the_row_and_the_audit_and_nothing_else(
    tenant: Tenant, alice: User, root: User, simulator: Simulator
) -> None:
    credential = tenant.credential
    shelf_of(credential).keep("", TOKEN)
    keeping.take_off(tenant, by=root)
    assert (tenant.enabled, tenant.removed_at is None) == (False, False)
    assert verbs(tenant) == [("root", "taken off")]
    assert access.reach(alice).tenants == {}
    assert not Membership.objects.exists()
    assert not KeptToken.objects.exists()
    credential.refresh_from_db()
    assert [getattr(credential, field) for field in (*Credential.SEALED, "client_id", "username")] == [""] * 5
    assert credential.removed_at
    keeping.take_off(tenant, by=root)
    assert len(verbs(tenant)) == 1
    for deed in (keeping.pause, keeping.disarm):
        deed(tenant, by=root)
    assert len(verbs(tenant)) == 1
    again = connect(
        by=root,
        name=tenant.name,
        cloud=simulator.url,
        client_id=simulator.client_id,
        client_secret=simulator.client_secret,
    ).tenant
    assert (again.uuid, again.name) == (tenant.uuid, tenant.name)
    assert again.pk != tenant.pk


def test_what_holds_a_tenant_is_asked_when_nothing_more_can_be_sent_there(tenant: Tenant, root: User) -> None:
    seen: list[bool] = []

    def held() -> str:
        seen.append(Tenant.objects.get(pk=tenant.pk).enabled)
        with ThreadPoolExecutor(1) as elsewhere:
            seen.append(elsewhere.submit(enabled_to_others).result())
        return "It runs."

    def enabled_to_others() -> bool:
        try:
            return Tenant.objects.get(pk=tenant.pk).enabled
        finally:
            connection.close()

    with pytest.raises(Refusal, match="It runs"):
        keeping.take_off(tenant, by=root, held=held)
    assert seen == [False, True]
    tenant.refresh_from_db()
    assert (tenant.enabled, tenant.removed_at, verbs(tenant)) == (True, None, [])
    assert Membership.objects.exists()


def test_what_others_need_stays_until_the_last_is_taken_off(
    fresh_process: None, partner: Simulator, root: User
) -> None:
    found = connected(partner)
    first, second, third = found.tenants
    for tenant in found.tenants:
        shelf_of(found.credential).keep(tenant.uuid, TOKEN)
    shelf_of(found.credential).keep("", TOKEN)
    assert keeping.others_with(found.credential, first) == 2
    keeping.take_off(first, by=root)
    assert set(KeptToken.objects.values_list("tenant", flat=True)) == {"", second.uuid, third.uuid}
    assert Credential.objects.get().sealed_secret
    with pytest.raises(Refusal, match=f'needed by "{min(second.name, third.name)}"'):
        keeping.drop(found.credential, by=root)
    keeping.take_off(second, by=root)
    keeping.take_off(third, by=root)
    assert not Credential.objects.get().sealed_secret
    assert not KeptToken.objects.exists()
    assert not found.credential.customers.exists()
    assert partners.due(found.credential.changed_at) == []
    connected(partner, tenant_uuid=customers(partner)[0])
    assert Credential.objects.count() == 2


def test_a_partner_of_whom_nobody_is_watched_can_be_dropped(
    fresh_process: None, partner: Simulator, root: User
) -> None:
    credential = connected(partner, choose_later=True).credential
    keeping.drop(credential, by=root)
    credential.refresh_from_db()
    assert (credential.sealed_secret, credential.removed_at is None) == ("", False)
    assert Entry.objects.get(verb="credential dropped").detail.startswith('"Quayside", API client drdash-partner')


def test_the_admin_site_gives_memberships_for_all_and_shows_nothing_that_was_taken_off(
    tenant: Tenant, root: User, bob: User
) -> None:
    client = Client()
    client.force_login(root)
    assert "Quiet customer" in client.get("/admin/tenants/tenant/").content.decode()
    page = f"/admin/auth/user/{bob.pk}/change/"
    fields = {
        "username": "bob",
        "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00:00",
        "is_active": "on",
        "memberships-TOTAL_FORMS": "1",
        "memberships-INITIAL_FORMS": "0",
        "memberships-0-user": str(bob.pk),
        "memberships-0-tenant": "",
        "memberships-0-role": "viewer",
    }
    answer = client.post(page, fields)
    assert answer.status_code == 302, answer.content.decode()
    assert Membership.objects.get(user=bob, tenant=None).role == "viewer"
    keeping.take_off(tenant, by=root)
    assert "Quiet customer" not in client.get("/admin/tenants/tenant/").content.decode()
    assert client.get(f"/admin/tenants/tenant/{tenant.pk}/change/").status_code == 302
    assert client.get("/admin/tenants/credential/").status_code == 200
