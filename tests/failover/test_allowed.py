"""What the cloud's 403 tells of the credential, until it takes the same call."""

from uuid import uuid4

from django.contrib.auth.models import User

from drdash.cloud.records import Server
from drdash.failover.actions import Wish, request
from drdash.failover.guard import Kind
from drdash.failover.models import Action, State
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Credential, Tenant


def start_a_test(bob: User, tenant: Tenant, server: Server) -> Action:
    action, _ = request(user=bob, tenant=tenant, server=server, wish=Wish(kind=Kind.START_TEST, key=uuid4().hex))
    return action


def test_a_403_is_kept_with_the_credential_until_the_cloud_takes_the_call(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    held = tenant.credential.changed_at
    simulator.fail("403", method="POST", path=":start_failover_test")
    refused = start_a_test(bob, tenant, server)
    assert refused.state == State.REFUSED
    assert "this credential lacks dr_service::admin" in refused.error

    credential = Credential.objects.get()
    assert credential.refused_at is not None
    assert credential.refused_what.startswith("start_failover_test: this credential lacks dr_service::admin")
    assert credential.changed_at == held, "or every process would throw its tokens away"

    assert start_a_test(bob, tenant, server).state == State.ACCEPTED
    credential.refresh_from_db()
    assert not credential.refused_what
    assert not credential.refused_at


def test_it_is_the_acting_credential_that_was_refused(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    reading = tenant.credential
    acting = Credential.objects.get(pk=reading.pk)
    acting.pk, acting.name = None, "acting"
    acting.save()
    tenant.acting = acting
    tenant.save()
    simulator.fail("403", method="POST", path=":start_failover_test")
    start_a_test(bob, tenant, server)
    reading.refresh_from_db()
    acting.refresh_from_db()
    assert (reading.refused_at, acting.refused_at is not None) == (None, True)
