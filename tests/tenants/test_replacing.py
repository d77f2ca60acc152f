"""Another credential for a tenant, in place of its own or beside it: tried first, and it must see the same tenant."""

import time
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from drdash.audit.models import Entry
from drdash.clock import boot_seconds
from drdash.cloud.account import Grant
from drdash.cloud.client import Client
from drdash.simulator.building import build
from drdash.simulator.directory import ADMIN, READONLY, ApiClient
from drdash.simulator.directory import Tenant as CloudTenant
from drdash.simulator.simulation import Simulator
from drdash.tenants import keeping
from drdash.tenants.accounts import account_of, shelf_of
from drdash.tenants.connect import Refusal, connect
from drdash.tenants.models import Credential, KeptToken, Tenant
from drdash.tenants.secrets import unseal
from tests.canaries import CANARIES
from tests.tenants.casts import connected, customers, name_of, partner, root, signed_in

__all__ = ["partner", "root"]


def reader(simulator: Simulator) -> dict[str, Any]:
    return {
        "grant": Grant.CLIENT_CREDENTIALS,
        "client_id": simulator.reader_id,
        "client_secret": simulator.reader_secret,
    }


def user(simulator: Simulator) -> dict[str, Any]:
    return {"grant": Grant.PASSWORD, "username": simulator.username, "password": simulator.password}


def another_client(simulator: Simulator, tenant: str, scopes: frozenset[str] = frozenset({ADMIN})) -> dict[str, Any]:
    """A new API client of a tenant at the cloud."""
    client = ApiClient(id="another", secret="simulated-secret-another", tenant=tenant, scopes=scopes)
    simulator.issuer.directory.clients.append(client)
    return {"grant": Grant.CLIENT_CREDENTIALS, "client_id": "another", "client_secret": "simulated-secret-another"}


def another_tenant(simulator: Simulator) -> str:
    """A second customer at the same cloud."""
    world = build("quiet", seed=9).world
    simulator.worlds[world.tenant] = world
    simulator.issuer.directory.add(CloudTenant(uuid=world.tenant, name="Stranger"))
    return world.tenant


def client(tenant: Tenant) -> Client:
    credential = Credential.objects.get(pk=tenant.credential_id)
    shelf = shelf_of(credential)
    return Client(account_of(credential, tenant), now=time.time, monotonic=boot_seconds, shelf=shelf)


def as_stored() -> list[dict[str, Any]]:
    return [dict(row) for row in Credential.objects.order_by("pk").values()]


# In its place


def test_a_new_secret_takes_the_place_of_the_old_one(tenant: Tenant, root: User, simulator: Simulator) -> None:
    client(tenant).sites()
    before = tenant.credential.changed_at
    simulator.force_client(simulator.client_id, secret="simulated-secret-new", revoke="all")
    new: dict[str, Any] = {"client_id": simulator.client_id, "client_secret": "simulated-secret-new"}
    keeping.replace(tenant.credential, by=root, grant=Grant.CLIENT_CREDENTIALS, **new)
    credential = Credential.objects.get()
    assert unseal(credential.sealed_secret) == "simulated-secret-new"
    assert credential.changed_at > before
    assert not KeptToken.objects.exists()
    assert client(tenant).sites().items
    entry = Entry.objects.get(verb="credential replaced")
    assert (entry.username, entry.tenant) == ("root", tenant.pk)
    assert not any(canary in entry.detail for canary in CANARIES)


def test_every_grant_may_take_the_place_of_every_other(tenant: Tenant, root: User, simulator: Simulator) -> None:
    ways: list[dict[str, Any]] = [
        user(simulator),
        {"grant": Grant.JWT_BEARER, "assertion": simulator.assertion()},
        {
            "grant": Grant.AUTHORIZATION_CODE,
            "client_id": simulator.client_id,
            "client_secret": simulator.client_secret,
            "token": signed_in(simulator),
        },
        reader(simulator),
    ]
    for way in ways:
        keeping.replace(Credential.objects.get(), by=root, **way)
        credential = Credential.objects.get()
        assert credential.grant == way["grant"]
        sealed = {"client_secret": "sealed_secret", "password": "sealed_password", "assertion": "sealed_assertion"}
        for secret, field in sealed.items():
            assert bool(getattr(credential, field)) is (secret in way)
        assert client(tenant).sites().items
    assert Tenant.objects.get().pk == tenant.pk
    assert Credential.objects.get().scopes == READONLY


def test_one_that_is_wrong_or_sees_another_tenant_changes_nothing(
    tenant: Tenant, root: User, simulator: Simulator
) -> None:
    before = as_stored()
    stranger = another_tenant(simulator)
    foreign = another_client(simulator, stranger)
    wrong: list[tuple[dict[str, Any], str]] = [
        (foreign, f'sees the tenant {stranger}, and not "Quiet customer"'),
        (reader(simulator) | {"client_secret": "canary-secret"}, "secret is wrong"),
        (reader(simulator) | {"client_secret": ""}, "secret is empty"),
        ({"grant": Grant.JWT_BEARER, "client_id": "a", "client_secret": "b"}, "takes the place of a partner's alone"),
        ({"grant": Grant.AUTHORIZATION_CODE, "client_id": "a"}, "sign-in in the browser"),
    ]
    for given, sentence in wrong:
        with pytest.raises(Refusal, match=sentence) as caught:
            keeping.replace(tenant.credential, by=root, **given)
        assert "canary" not in str(caught.value)
        assert as_stored() == before
    simulator.fail("answer", path="/sites", body='{"items": [], "paging": {"count": 0, "total": 0}}')
    with pytest.raises(Refusal, match="sees no site that names its tenant"):
        keeping.replace(tenant.credential, by=root, **reader(simulator))
    # The same client with a new secret needs no site to be known by.
    simulator.fail("answer", path="/sites", body='{"items": [], "paging": {"count": 0, "total": 0}}')
    same: dict[str, Any] = {"client_id": simulator.client_id, "client_secret": simulator.client_secret}
    keeping.replace(tenant.credential, by=root, grant=Grant.CLIENT_CREDENTIALS, **same)


def test_a_partners_is_replaced_by_one_that_sees_the_same_customers(
    fresh_process: None, partner: Simulator, root: User
) -> None:
    found = connected(partner)
    first = found.tenants[0]
    new: dict[str, Any] = {"client_id": partner.partner_reader_id, "client_secret": partner.partner_reader_secret}
    with pytest.raises(Refusal, match="for 3 tenants: replace it with a partner's API client"):
        keeping.replace(found.credential, by=root, **another_client(partner, first.uuid))
    partner.force_customer(first.uuid, present=False)
    with pytest.raises(Refusal, match=f"does not see all of the tenants that are watched: {first.name}"):
        keeping.replace(found.credential, by=root, grant=Grant.JWT_BEARER, **new)
    # Whom the partner itself has lost is not asked for.
    Tenant.objects.filter(pk=first.pk).update(vanished_at=first.credential.changed_at)
    keeping.replace(found.credential, by=root, grant=Grant.JWT_BEARER, **new)
    credential = Credential.objects.get()
    assert (credential.client_id, credential.is_partner, credential.by_tenant) == (new["client_id"], True, True)
    assert credential.tenants.count() == 3
    assert client(found.tenants[1]).sites().items
    assert Entry.objects.filter(verb="credential replaced").count() == 3


# Beside it


def read_with_the_reader(simulator: Simulator) -> Tenant:
    return connect(by=None, name="Customer", cloud=simulator.url, **reader(simulator)).tenant


def all_round(simulator: Simulator) -> dict[str, Any]:
    return {
        "grant": Grant.CLIENT_CREDENTIALS,
        "client_id": simulator.client_id,
        "client_secret": simulator.client_secret,
    }


def test_a_tenant_may_be_acted_on_with_a_credential_of_its_own(
    fresh_process: None, root: User, simulator: Simulator
) -> None:
    tenant = read_with_the_reader(simulator)
    assert keeping.act_through(tenant, by=root, **all_round(simulator)) == ""
    stored = Tenant.objects.select_related("acting").get()
    assert stored.acting == tenant.acting
    assert stored.acting
    assert (stored.acting.client_id, stored.acting.scopes) == (simulator.client_id, ADMIN)
    assert stored.acting.name == "Customer (acting)"
    assert stored.credential.client_id == simulator.reader_id
    assert Entry.objects.get(verb="acting credential set").tenant == tenant.pk
    # Another one: what is needed no more is emptied.
    keeping.act_through(tenant, by=root, **user(simulator))
    assert Credential.objects.exclude(removed_at=None).count() == 1
    keeping.act_through_none(tenant, by=root)
    keeping.act_through_none(tenant, by=root)
    assert Tenant.objects.get().acting is None
    assert Credential.objects.filter(removed_at=None).get().client_id == simulator.reader_id
    assert Entry.objects.filter(verb="acting credential removed").count() == 1


def test_one_that_says_that_it_may_not_act_is_taken_with_a_warning(
    fresh_process: None, tenant: Tenant, root: User, simulator: Simulator
) -> None:
    warning = keeping.act_through(tenant, by=root, **reader(simulator))
    assert "lacks dr_service::admin or dr::support_operator" in warning
    assert Tenant.objects.get().acting


def test_to_act_it_must_see_the_same_tenant_and_be_another_one(
    fresh_process: None, root: User, simulator: Simulator
) -> None:
    tenant = read_with_the_reader(simulator)
    before = as_stored()
    with pytest.raises(Refusal, match="one and the same credential"):
        keeping.act_through(tenant, by=root, **reader(simulator))
    stranger = another_tenant(simulator)
    with pytest.raises(Refusal, match=f'sees the tenant {stranger}, and not "Customer"'):
        keeping.act_through(tenant, by=root, **another_client(simulator, stranger))
    simulator.fail("answer", path="/sites", body='{"items": [], "paging": {"count": 0, "total": 0}}')
    with pytest.raises(Refusal, match="sees no site that names its tenant"):
        keeping.act_through(tenant, by=root, **all_round(simulator))
    assert as_stored() == before
    keeping.act_through(tenant, by=root, **all_round(simulator))
    assert tenant.acting
    with pytest.raises(Refusal, match="one and the same credential"):
        keeping.replace(tenant.credential, by=root, **all_round(simulator))
    keeping.take_off(tenant, by=root)
    with pytest.raises(Refusal, match="taken off"):
        keeping.act_through(tenant, by=root, **all_round(simulator))
    assert not Credential.objects.filter(removed_at=None).exists()


def test_a_tenant_whose_uuid_was_never_told_is_asked_for_it(
    fresh_process: None, root: User, simulator: Simulator
) -> None:
    simulator.fail("answer", path="/sites", body='{"items": [], "paging": {"count": 0, "total": 0}}')
    tenant = read_with_the_reader(simulator)
    assert tenant.uuid == ""
    simulator.fail("answer", path="/sites", body='{"items": [], "paging": {"count": 0, "total": 0}}')
    with pytest.raises(Refusal, match="nobody can tell"):
        keeping.act_through(tenant, by=root, **all_round(simulator))
    keeping.act_through(tenant, by=root, **all_round(simulator))
    assert Tenant.objects.get().acting


def test_a_partners_client_may_act_for_one_customer_and_is_stored_once(
    fresh_process: None, partner: Simulator, root: User
) -> None:
    reading: dict[str, Any] = {"client_id": partner.partner_reader_id, "client_secret": partner.partner_reader_secret}
    found = connected(partner, **reading)
    acting: dict[str, Any] = {
        "grant": Grant.JWT_BEARER,
        "client_id": partner.partner_id,
        "client_secret": partner.partner_secret,
    }
    for tenant in found.tenants:
        assert keeping.act_through(tenant, by=root, **acting) == ""
    assert Credential.objects.count() == 2
    first = Tenant.objects.select_related("acting").get(uuid=customers(partner)[0])
    assert first.acting
    assert not first.acting.is_partner
    assert first.acting.name == partner.partner_id, "the other customers must not learn of this one by its name"
    assert account_of(first.acting, first).tenant == first.uuid
    assert first.name == name_of(partner, first.uuid)
    with pytest.raises(Refusal, match="one and the same credential"):
        keeping.replace(first.acting, by=root, grant=Grant.JWT_BEARER, **reading)
    with pytest.raises(Refusal, match="replace it with a partner's API client"):
        keeping.replace(first.acting, by=root, **another_client(partner, first.uuid))
    keeping.replace(first.acting, by=root, **acting)
    keeping.take_off(first, by=root)
    assert Credential.objects.filter(removed_at=None).count() == 2


# The command


def test_the_command_gives_a_tenant_something_to_act_with(
    fresh_process: None,
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    read_with_the_reader(simulator)
    monkeypatch.setenv("DRDASH_CLIENT_SECRET", simulator.client_secret)
    arguments = ["--grant", "client_credentials", "--client-id", simulator.client_id]
    with pytest.raises(CommandError, match='no tenant called "Nobody"'):
        call_command("connect", *arguments, "--cloud", simulator.url, "--acting-for", "Nobody")
    with pytest.raises(CommandError, match=f"is at {simulator.url}, and not at https://cloud.example.com"):
        call_command("connect", *arguments, "--cloud", "https://cloud.example.com", "--acting-for", "Customer")
    with pytest.raises(CommandError, match="https://"):
        call_command("connect", *arguments, "--cloud", "cloud.example.com", "--acting-for", "Customer")
    arguments += ["--cloud", simulator.url, "--acting-for", "Customer"]
    with pytest.raises(CommandError, match="leave out --tenant, --admin and --watch-only"):
        call_command("connect", *arguments, "--watch-only")
    call_command("connect", *arguments)
    assert "are started and stopped with this credential" in capsys.readouterr().out
    assert Tenant.objects.get().acting
