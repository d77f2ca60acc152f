"""Connecting a cloud: checked before anything is stored, and every way to be wrong has its own sentence."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from drdash.simulator.simulation import Simulator
from drdash.tenants import access
from drdash.tenants.accounts import account_of
from drdash.tenants.connect import Refusal, connect
from drdash.tenants.models import Credential, Membership, Tenant
from drdash.tenants.roles import Role
from drdash.tenants.secrets import Unopenable, unseal


def connected(simulator: Simulator, **changed: str) -> Tenant:
    usual: dict[str, Any] = {
        "by": None,
        "name": "Customer",
        "cloud": simulator.url,
        "client_id": simulator.client_id,
        "client_secret": simulator.client_secret,
    }
    return connect(**{**usual, **changed}).tenant


def test_what_was_found_is_told_and_the_secret_is_sealed(fresh_process: None, simulator: Simulator) -> None:
    User.objects.create_superuser("root", password="root")
    tenant = connected(simulator, cloud=simulator.url.upper().replace("HTTP", "http") + "/")
    credential = tenant.credential
    assert credential.cloud == simulator.url
    assert simulator.client_secret not in credential.sealed_secret
    assert account_of(credential).client_secret == simulator.client_secret
    assert credential.is_simulator
    assert Membership.objects.get(tenant=tenant).user.username == "root"


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"client_secret": "wrong"}, "secret"),
        ({"client_id": "nobody"}, "client"),
        ({"cloud": "http://127.0.0.1:1"}, "127.0.0.1"),
        ({"cloud": "http://cloud.example.com"}, "https"),
        ({"cloud": "ftp://cloud.example.com"}, "https://"),
        ({"cloud": "https://user:secret@cloud.example.com"}, "password"),
        ({"name": "   "}, "name"),
        ({"admin": "nobody"}, "nobody"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_stored(
    fresh_process: None, simulator: Simulator, changed: dict[str, str], sentence: str
) -> None:
    with pytest.raises(Refusal, match=sentence):
        connected(simulator, **changed)
    assert (Tenant.objects.count(), Credential.objects.count()) == (0, 0)


def test_a_cloud_that_is_none_is_told_apart(fresh_process: None, simulator: Simulator) -> None:
    simulator.fail("html", path="/idp/token")
    with pytest.raises(Refusal, match="not"):
        connected(simulator)


def test_the_same_tenant_is_refused_twice(fresh_process: None, simulator: Simulator) -> None:
    connected(simulator)
    with pytest.raises(Refusal, match='"Customer"'):
        connected(simulator, name="The same again")
    with pytest.raises(Refusal, match="another name"):
        connected(simulator, cloud="http://127.0.0.1:1")


def test_a_credential_that_may_not_read_is_refused(fresh_process: None, simulator: Simulator) -> None:
    simulator.fail("403", path="/sites")
    with pytest.raises(Refusal, match="lacks dr_service::admin"):
        connected(simulator)


def test_the_command_takes_the_secret_from_the_environment_alone(
    fresh_process: None, simulator: Simulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--name", "Customer", "--cloud", simulator.url, "--grant", "client_credentials")
    with pytest.raises(CommandError, match="DRDASH_CLIENT_SECRET"):
        call_command("connect", *arguments, "--client-id", simulator.client_id)
    monkeypatch.setenv("DRDASH_CLIENT_SECRET", simulator.client_secret)
    call_command("connect", *arguments, "--client-id", simulator.client_id)
    said = capsys.readouterr().out
    assert "sites" in said
    assert simulator.client_secret not in said


def test_keys_that_do_not_fit_are_a_clear_error(fresh_process: None, simulator: Simulator) -> None:
    connected(simulator)
    with pytest.raises(Unopenable, match="DRDASH_ENCRYPTION_KEYS"):
        unseal("gAAAAAB" + "x" * 100)


def test_a_tenant_without_membership_does_not_exist(tenant: Tenant, alice: User, charlie: User) -> None:
    assert access.reach(alice).role(tenant.pk) is Role.ADMIN
    assert access.reach(charlie).role(tenant.pk) is None
    assert tenant.pk not in access.reach(charlie).tenants


def test_who_is_disabled_or_whose_tenant_is_disabled_reaches_nothing(tenant: Tenant, alice: User) -> None:
    Tenant.objects.filter(pk=tenant.pk).update(enabled=False)
    assert access.reach(alice).tenants == {}
    Tenant.objects.filter(pk=tenant.pk).update(enabled=True)
    alice.is_active = False
    assert access.reach(alice).tenants == {}


def test_a_tenant_that_named_no_uuid_at_first_is_not_connected_twice(fresh_process: None, simulator: Simulator) -> None:
    simulator.fail("answer", path="/sites", body='{"items": [], "paging": {"count": 0, "total": 0}}')
    assert connected(simulator).uuid == ""
    with pytest.raises(Refusal, match='"Customer"'):
        connected(simulator, name="The same again")


def test_a_tenant_that_names_no_uuid_any_more_is_not_connected_twice(fresh_process: None, simulator: Simulator) -> None:
    connected(simulator)
    simulator.fail("answer", path="/sites", body='{"items": [], "paging": {"count": 0, "total": 0}}')
    with pytest.raises(Refusal, match='"Customer"'):
        connected(simulator, name="The same again")
