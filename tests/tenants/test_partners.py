"""A partner's credential: all of its customers or some, read again each day, and what comes and goes among them."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from drdash.audit.models import Entry
from drdash.clock import boot_seconds
from drdash.cloud.account import Grant
from drdash.cloud.client import Client
from drdash.simulator.server import running
from drdash.simulator.simulation import Simulator
from drdash.tenants import access, partners
from drdash.tenants.access import Denied
from drdash.tenants.accounts import account_of, shelf_of
from drdash.tenants.adding import free_name
from drdash.tenants.connect import Connected, Refusal, connect
from drdash.tenants.models import Credential, Customer, Membership, Tenant
from drdash.tenants.partners import Refreshed
from drdash.tenants.roles import Role
from tests.tenants.casts import connected, customers, name_of, names, partner, root

__all__ = ["partner", "root"]

NOBODY = "0f0f0f0f-0000-4000-8000-000000000000"


def refreshed(credential: Credential) -> Refreshed:
    credential.refresh_from_db()
    client = Client(account_of(credential), now=time.time, monotonic=boot_seconds, shelf=shelf_of(credential))
    return partners.refresh(credential, client=client, now=timezone.now())


def new_ones(credential: Credential) -> list[str]:
    return [choice.customer.name for choice in partners.customers_of(credential) if choice.customer.is_new]


# Connecting


def test_without_a_choice_all_customers_are_watched_each_with_a_token_of_its_own(
    fresh_process: None, partner: Simulator, root: User
) -> None:
    found = connected(partner, by=root)
    assert (found.customers, found.left_out, found.admins) == (3, (), ("root",))
    assert sorted(names()) == sorted(name_of(partner, uuid) for uuid in customers(partner))
    assert Credential.objects.count() == 1
    assert all(tenant.armed for tenant in found.tenants)
    assert set(access.reach(root).tenants) == {tenant.pk for tenant in found.tenants}
    for tenant in found.tenants:
        credential = tenant.credential
        account = account_of(credential, tenant)
        client = Client(account, now=time.time, monotonic=boot_seconds, shelf=shelf_of(credential))
        assert {site.tenant_uuid.lower() for site in client.sites().items} == {tenant.uuid}
    assert account_of(found.credential).tenant == ""
    with pytest.raises(ValueError, match="too many values"):
        _ = found.tenant


def test_one_customer_may_be_named_and_others_later_join_the_same_credential(
    fresh_process: None, partner: Simulator
) -> None:
    first, second, third = customers(partner)
    found = connected(partner, name="My own name", tenant_uuid=first.upper())
    assert (found.tenant.name, found.tenant.uuid, found.customers) == ("My own name", first, 3)
    more = connected(partner, name="The second", tenant_uuid=second)
    assert more.credential == found.credential
    rest = connected(partner)
    assert [tenant.uuid for tenant in rest.tenants] == [third]
    assert {why for _, why in rest.left_out} == {
        'It is watched already, as "My own name".',
        'It is watched already, as "The second".',
    }
    with pytest.raises(Refusal, match=r"None of the customers can be watched.*watched already"):
        connected(partner)
    assert Credential.objects.count() == 1


def test_the_choice_may_come_later(fresh_process: None, partner: Simulator, root: User, alice: User) -> None:
    credential = connected(partner, choose_later=True).credential
    assert names() == []
    assert [choice.tenant for choice in partners.customers_of(credential)] == [None] * 3
    assert new_ones(credential) == []
    one, another, _ = customers(partner)
    with pytest.raises(Denied):
        partners.watch(credential, [one], by=alice)
    found = partners.watch(credential, [one.upper()], by=root, watch_only=True, admin="alice")
    assert [(tenant.uuid, tenant.armed) for tenant in found.tenants] == [(one, False)]
    assert access.reach(alice).role(found.tenant.pk) is Role.ADMIN
    with pytest.raises(Refusal, match=f"has no customer {NOBODY}"):
        partners.watch(credential, [another, NOBODY], by=root)
    assert len(names()) == 1


def test_a_name_that_is_taken_gets_the_partners_beside_it_and_then_a_number(
    fresh_process: None, partner: Simulator
) -> None:
    one = customers(partner)[0]
    partner.force_customer(customers(partner)[1], name=name_of(partner, one))
    partner.force_customer(customers(partner)[2], name=name_of(partner, one))
    name = name_of(partner, one)
    connected(partner)
    assert sorted(names()) == sorted([name, f"{name} (Quayside)", f"{name} (2)"])
    taken = {"x" * 200}
    assert [len(free_name("x" * 200, partner="p" * 200, taken=taken)) for _ in range(3)] == [200, 194, 194]


def test_customers_that_cannot_be_read_are_left_out_and_named(fresh_process: None, partner: Simulator) -> None:
    one, another, third = customers(partner)
    partner.force_customer(one, has_dr=False)
    partner.force_customer(another, ancestral_access=False)
    found = connected(partner)
    assert [tenant.uuid for tenant in found.tenants] == [third]
    assert dict(found.left_out).keys() <= {name_of(partner, one), name_of(partner, another)}
    partner.force_customer(third, has_dr=False)
    with pytest.raises(Refusal, match="None of the customers can be watched"):
        partners.watch(found.credential, [one], by=None)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"client_secret": "canary-secret"}, "client id or its secret is wrong"),
    ({"client_secret": ""}, "client secret is empty"),
    ({"client_id": ""}, "needs a partner's API client"),
    ({"name": " "}, "Give the partner a name"),
    ({"name": " ", "tenant_uuid": NOBODY}, "Give the tenant a name"),
    ({"tenant_uuid": NOBODY}, f"The partner has no customer {NOBODY} .* among its 3 customers"),
    ({"cloud": "http://127.0.0.1:1"}, "refuses connections"),
    ({"cloud": "https://cloud.example.com/api"}, "root alone"),
    ({"admin": "nobody"}, "no active user"),
    ({"grant": Grant.CLIENT_CREDENTIALS}, "partner's API client, with 3 customers .* with the grant jwt-bearer"),
]


def test_what_is_wrong_is_said_and_nothing_is_stored(fresh_process: None, partner: Simulator) -> None:
    for changed, sentence in WRONG:
        with pytest.raises(Refusal, match=sentence) as caught:
            connected(partner, **changed)
        assert "canary" not in str(caught.value)
    assert (Credential.objects.count(), Tenant.objects.count(), Customer.objects.count()) == (0, 0, 0)


def test_a_partner_without_customers_and_a_client_that_is_no_partners_have_their_sentences(
    fresh_process: None, simulator: Simulator
) -> None:
    with running("partner", customers=0) as empty, pytest.raises(Refusal, match="no customers that are enabled"):
        connected(empty)
    with pytest.raises(Refusal, match="with the grant client_credentials"):
        connected(simulator, client_id=simulator.client_id, client_secret=simulator.client_secret)
    assert not Credential.objects.exists()


def test_a_partner_that_may_not_exchange_its_token_is_told_so(fresh_process: None, partner: Simulator) -> None:
    partner.force_client(partner.partner_id, grants=["client_credentials"])
    with pytest.raises(Refusal, match=r"None of the customers can be watched.*does not exchange"):
        connected(partner)


# From day to day


def test_new_customers_are_announced_until_somebody_looked(fresh_process: None, partner: Simulator, root: User) -> None:
    credential = connected(partner).credential
    assert refreshed(credential) == Refreshed()
    partner.add_customer("Brand & New", servers=1, sites=1)
    assert refreshed(credential).new == ("Brand & New",)
    assert refreshed(credential).new == ()
    assert new_ones(credential) == ["Brand & New"]
    assert Entry.objects.get(verb="customer found").detail.startswith('"Brand & New"')
    assert "Brand & New" not in names()
    partners.looked_at(credential, by=root)
    assert new_ones(credential) == []


def test_whoever_chose_all_gets_those_that_come_too_but_not_armed(
    fresh_process: None, partner: Simulator, root: User
) -> None:
    credential = connected(partner, choose_later=True).credential
    partners.watch(credential, None, by=root)
    partner.add_customer("Brand & New", servers=1, sites=1)
    refreshed(credential)
    come = Tenant.objects.get(name="Brand & New")
    assert (come.armed, come.credential) == (False, credential)
    assert all(tenant.armed for tenant in Tenant.objects.exclude(pk=come.pk))
    assert new_ones(credential) == []
    partners.watch(credential, None, by=root)
    partner.add_customer("No disaster recovery", servers=1, sites=1)
    partner.force_customer(customers(partner)[-1], has_dr=False)
    refreshed(credential)
    assert "No disaster recovery" not in names()
    assert new_ones(credential) == ["No disaster recovery"]


def test_who_vanishes_is_marked_and_kept_and_who_comes_back_is_unmarked(
    fresh_process: None, partner: Simulator
) -> None:
    credential = connected(partner).credential
    one = customers(partner)[0]
    tenant = Tenant.objects.get(uuid=one)
    partner.force_customer(one, present=False)
    assert refreshed(credential).vanished == (tenant.name,)
    assert refreshed(credential) == Refreshed()
    tenant.refresh_from_db()
    assert tenant.vanished_at
    assert tenant.enabled
    assert Tenant.objects.filter(vanished_at=None).count() == 2
    partner.force_customer(one, present=True)
    assert refreshed(credential).back == (tenant.name,)
    tenant.refresh_from_db()
    assert tenant.vanished_at is None
    told = Entry.objects.filter(tenant=tenant.pk).order_by("id").values_list("username", "verb")
    assert list(told) == [
        ("drdash", "connected"),
        ("drdash", "customer vanished"),
        ("drdash", "customer came back"),
    ]


def test_a_read_that_fails_changes_nothing_but_says_so_and_is_tried_again_within_the_hour(
    fresh_process: None, partner: Simulator
) -> None:
    credential = connected(partner).credential
    now = timezone.now()
    assert partners.due(now) == []
    assert partners.due(now + timedelta(hours=23)) == []
    assert partners.due(now + timedelta(hours=25)) == [credential]
    partner.fail("500", path="/api/2/tenants")
    Credential.objects.update(customers_read_at=now - timedelta(days=2))
    assert refreshed(credential) == Refreshed()
    credential.refresh_from_db()
    assert "500" in credential.customers_error
    assert not Tenant.objects.exclude(vanished_at=None).exists()
    assert partners.due(now + timedelta(minutes=50)) == []
    assert partners.due(now + timedelta(minutes=61)) == [credential]
    refreshed(credential)
    credential.refresh_from_db()
    assert credential.customers_error == ""


def test_a_refresh_leaves_the_tokens_of_the_credential_alone(fresh_process: None, partner: Simulator) -> None:
    credential = connected(partner).credential
    before = Credential.objects.get().changed_at
    refreshed(credential)
    partners.watch(credential, None, by=None)
    assert Credential.objects.get().changed_at == before


# Memberships for all


def test_a_membership_for_all_reaches_the_tenants_that_come_and_one_of_a_tenant_wins_over_it(
    fresh_process: None, partner: Simulator, alice: User
) -> None:
    Membership.objects.create(user=alice, tenant=None, role=Role.OPERATOR)
    assert access.reach(alice).tenants == {}
    first, second, third = connected(partner).tenants
    Membership.objects.create(user=alice, tenant=second, role=Role.VIEWER)
    Tenant.objects.filter(pk=third.pk).update(enabled=False)
    expected = {first.pk: Role.OPERATOR, second.pk: Role.VIEWER}
    assert access.reach(alice).roles == expected
    assert access.roles_of([alice.pk]) == {alice.pk: expected}
    alice.is_active = False
    alice.save()
    assert access.reach(alice).roles == {}
    assert access.roles_of([alice.pk]) == {alice.pk: {}}


def test_who_is_admin_of_all_gets_no_membership_of_each(fresh_process: None, partner: Simulator, root: User) -> None:
    Membership.objects.create(user=root, tenant=None, role=Role.ADMIN)
    found = connected(partner)
    assert Membership.objects.count() == 1
    assert len(access.reach(root).tenants) == len(found.tenants)


# The command


def test_the_command_takes_all_customers_or_the_one_with_a_uuid(
    fresh_process: None, partner: Simulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DRDASH_CLIENT_SECRET", partner.partner_secret)
    arguments = ["--cloud", partner.url, "--grant", "jwt-bearer", "--client-id", partner.partner_id]
    with pytest.raises(CommandError, match="Give the partner a name"):
        call_command("connect", *arguments)
    call_command("connect", *arguments, "--name", "One alone", "--tenant", customers(partner)[1])
    assert names() == ["One alone"]
    call_command("connect", *arguments, "--name", "Quayside")
    said = capsys.readouterr().out
    assert "2 of 3 customers are watched" in said
    assert 'as "One alone"' in said
    assert len(names()) == 3


def test_two_who_connect_the_same_at_once_make_one_of_it(
    fresh_process: None, partner: Simulator, simulator: Simulator
) -> None:
    def ordinary() -> Connected:
        return connect(
            by=None,
            name="Customer",
            cloud=simulator.url,
            client_id=simulator.client_id,
            client_secret=simulator.client_secret,
        )

    for attempt, refusal in ((ordinary, "There is a tenant called"), (lambda: connected(partner), "watched already")):
        met, done, refused = threading.Barrier(2, timeout=20), [], []

        def both(attempt: Callable[[], Connected] = attempt) -> None:
            met.wait()  # noqa: B023
            try:
                done.append(attempt())  # noqa: B023
            except Refusal as problem:
                refused.append(str(problem))  # noqa: B023
            finally:
                connection.close()

        threads = [threading.Thread(target=both) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert (len(done), len(refused)) == (1, 1)
        assert refusal in refused[0]
    assert len(names()) == 4
    assert Credential.objects.count() == 2
