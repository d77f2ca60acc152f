"""Connecting by a person's sign-in and by a signed assertion: tried, sealed, and kept going by what was given."""

import time
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from drdash.audit.models import Entry
from drdash.clock import boot_seconds
from drdash.cloud.account import Grant
from drdash.cloud.client import Client
from drdash.cloud.errors import SignInAgain
from drdash.cloud.oauth import Token
from drdash.simulator.simulation import Simulator
from drdash.tenants.access import Denied
from drdash.tenants.accounts import account_of, shelf_of
from drdash.tenants.connect import WHERE, Refusal, connect
from drdash.tenants.models import Credential, KeptToken, Tenant
from tests.canaries import CANARIES
from tests.tenants.casts import customers, partner, root, signed_in

__all__ = ["partner", "root"]


def by_sign_in(simulator: Simulator, token: Token | None, **changed: Any) -> Tenant:
    usual: dict[str, Any] = {
        "by": None,
        "name": "Customer",
        "cloud": simulator.url,
        "grant": Grant.AUTHORIZATION_CODE,
        "client_id": simulator.client_id,
        "client_secret": simulator.client_secret,
        "token": token,
    }
    return connect(**{**usual, **changed}).tenant


def by_assertion(simulator: Simulator, **changed: Any) -> Tenant:
    usual: dict[str, Any] = {
        "by": None,
        "name": "Customer",
        "cloud": simulator.url,
        "grant": Grant.JWT_BEARER,
        "assertion": simulator.assertion(),
    }
    return connect(**{**usual, **changed}).tenant


def client(tenant: Tenant, *, later: float = 0) -> Client:
    """As a process that starts anew would have it."""
    credential = Credential.objects.get(pk=tenant.credential_id)
    shelf = shelf_of(credential)
    return Client(account_of(credential, tenant), now=lambda: time.time() + later, monotonic=boot_seconds, shelf=shelf)


def test_a_sign_in_is_kept_and_renewed_without_the_person(fresh_process: None, simulator: Simulator) -> None:
    tenant = by_sign_in(simulator, signed_in(simulator))
    assert (tenant.credential.grant, tenant.uuid) == ("authorization_code", simulator.world.tenant.lower())
    assert client(tenant).sites().items
    for later in (7200, 14400):
        simulator.advance(7200)
        assert client(tenant, later=later).sites().items
    simulator.issuer.revoke_all()
    with pytest.raises(SignInAgain, match="sign in there again"):
        client(tenant, later=21600).sites()


def test_without_a_sign_in_that_can_be_renewed_nothing_is_stored(fresh_process: None, simulator: Simulator) -> None:
    for token in (None, Token("canary-token", None)):
        with pytest.raises(Refusal, match=r"sign-in in the browser: open the page"):
            by_sign_in(simulator, token)
    with pytest.raises(Refusal, match="client's id"):
        by_sign_in(simulator, signed_in(simulator), client_id="")
    assert not Credential.objects.exists()


def test_an_assertion_is_sealed_and_its_token_kept(fresh_process: None, simulator: Simulator) -> None:
    assertion = simulator.assertion()
    tenant = by_assertion(simulator, assertion=assertion)
    credential = Credential.objects.get()
    assert assertion not in credential.sealed_assertion
    assert account_of(credential, tenant).assertion == assertion
    assert (credential.is_partner, account_of(credential, tenant).tenant) == (False, "")
    assert client(tenant).sites().items


def test_an_assertion_may_be_for_a_tenant_that_is_named(fresh_process: None, partner: Simulator) -> None:
    one, another, _ = customers(partner)
    tenant = by_assertion(partner, assertion=partner.assertion(tenant=one), tenant_uuid=one.upper())
    assert (tenant.uuid, account_of(tenant.credential, tenant).tenant) == (one, one)
    assert client(tenant).sites().items
    with pytest.raises(Refusal, match=r"does not|The cloud"):
        by_assertion(partner, name="Another", assertion=partner.assertion(tenant=one), tenant_uuid=another)


WRONG: list[tuple[float, dict[str, Any], str]] = [
    (-1, {}, "time of the assertion is over"),
    (60, {"assertion": "canary-secret.assertion"}, "does not accept the assertion"),
    (60, {"assertion": ""}, "needs a partner's API client with its secret, or an assertion"),
    (60, {"username": "ann"}, "has no use for a username"),
    (60, {"client_id": "someone"}, "client secret is empty"),
    (60, {"tenant_uuid": "0f0f0f0f-0000-4000-8000-000000000000"}, "The cloud was not connected"),
    (60, {"name": "x" * 201}, "longer than 200"),
    (60, {"name": "a\nb"}, "cannot be printed"),
]


def test_what_is_wrong_is_said_and_nothing_is_stored(fresh_process: None, simulator: Simulator) -> None:
    for lifetime, changed, sentence in WRONG:
        given = {"assertion": simulator.assertion(lifetime=lifetime), **changed}
        with pytest.raises(Refusal, match=sentence) as caught:
            by_assertion(simulator, **given)
        assert not given["assertion"] or given["assertion"] not in str(caught.value)
    assert (Tenant.objects.count(), Credential.objects.count(), KeptToken.objects.count()) == (0, 0, 0)


def test_a_uuid_that_is_not_the_one_of_the_sites_is_refused(fresh_process: None, simulator: Simulator) -> None:
    with pytest.raises(Refusal, match=f"sees the tenant {simulator.world.tenant.lower()}, and not"):
        by_sign_in(simulator, signed_in(simulator), tenant_uuid="0f0f0f0f-0000-4000-8000-000000000000")


def test_wrong_rights_and_what_is_no_dr_cloud_have_their_sentences(fresh_process: None, simulator: Simulator) -> None:
    simulator.issuer.scopes = frozenset({"acep::consumer"})
    with pytest.raises(Refusal, match=r"lacks dr_service::admin.*Its token says that it may: acep::consumer"):
        by_sign_in(simulator, signed_in(simulator))
    simulator.fail("404", path="/sites")
    with pytest.raises(Refusal, match="not a DR cloud"):
        by_sign_in(simulator, signed_in(simulator))
    simulator.fail("html", path="/sites")
    with pytest.raises(Refusal, match="was not connected"):
        by_sign_in(simulator, signed_in(simulator))


def test_only_superusers_connect_and_the_audit_says_who_did(
    fresh_process: None, simulator: Simulator, root: User, alice: User
) -> None:
    with pytest.raises(Denied, match="superuser"):
        by_assertion(simulator, by=alice)
    root.is_active = False
    with pytest.raises(Denied):
        by_assertion(simulator, by=root)
    root.is_active = True
    assert not simulator.requests
    tenant = by_assertion(simulator, by=root, watch_only=True)
    entry = Entry.objects.get()
    assert (entry.username, entry.verb, entry.tenant) == ("root", "connected", tenant.pk)
    assert "a signed assertion (jwt-bearer)" in entry.detail
    assert "watch-only" in entry.detail
    assert not any(canary in entry.detail for canary in CANARIES)
    assert not Tenant.objects.get().armed


def test_nothing_that_shows_a_credential_shows_its_secrets(fresh_process: None, simulator: Simulator) -> None:
    by_assertion(simulator, client_id=simulator.client_id, client_secret=simulator.client_secret)
    credential, kept = Credential.objects.get(), KeptToken.objects.first()
    shown = f"{credential!r}{credential}{kept!r}{kept}{account_of(credential)!r}{shelf_of(credential)!r}"
    shown += f"{vars(credential)}{vars(kept) if kept else ''}"
    for secret in (*CANARIES, account_of(credential).assertion):
        assert secret not in shown


# The command


def test_the_command_sends_a_sign_in_to_the_browser() -> None:
    with pytest.raises(CommandError, match=r"in a browser: open the page Connect a cloud"):
        call_command("connect", "--name", "C", "--cloud", "https://cloud.example", "--grant", "authorization_code")


def test_the_command_takes_an_assertion_from_the_environment(
    fresh_process: None, simulator: Simulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--name", "Customer", "--cloud", simulator.url, "--grant", "jwt-bearer", "--watch-only"]
    with pytest.raises(CommandError, match="DRDASH_ASSERTION"):
        call_command("connect", *arguments)
    monkeypatch.setenv("DRDASH_ASSERTION", simulator.assertion())
    call_command("connect", *arguments)
    assert "until an admin arms it" in capsys.readouterr().out
    assert not Tenant.objects.get().armed


def test_the_command_tells_where_a_client_is_made(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        call_command("connect", "--help")
    said = " ".join(capsys.readouterr().out.split())
    assert "Settings, API clients" in said
    assert "dr_service::admin" in WHERE
