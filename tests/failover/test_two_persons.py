"""Where a tenant wants two persons, production goes with a second admin's word, and with it once."""

from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from drdash.cloud.records import RecoveryPoint, Server
from drdash.failover import approvals
from drdash.failover.actions import Wish, preview, request
from drdash.failover.guard import Kind
from drdash.failover.models import Action, Approval, Consent, State
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Membership, Tenant
from drdash.tenants.roles import Role
from tests.failover.clicks import codes

WHY = "The main site burns."
POINT = RecoveryPoint(backup_id="b-1", archive_id="a-1", vault_id="v-1")


@pytest.fixture
def erin(tenant: Tenant) -> User:
    """The second admin."""
    user = User.objects.create_user("erin", password="erin")
    Membership.objects.create(user=user, tenant=tenant, role=Role.ADMIN)
    return user


@pytest.fixture
def approved(tenant: Tenant, alice: User, erin: User, server: Server) -> Approval:
    """Alice may start production from the latest recovery point, says Erin."""
    Tenant.objects.update(two_persons=True)
    now = timezone.now()
    seen = preview(user=alice, tenant=tenant, server=server, kind=Kind.START_PROD)
    asked = approvals.ask(
        user=alice,
        tenant=tenant,
        server=seen.server,
        kind=Kind.START_PROD,
        point=None,
        verdict=seen.verdict,
        seen=seen.sighting,
        why=WHY,
        now=now,
    )
    hers = preview(user=erin, tenant=tenant, server=server, kind=Kind.START_PROD)
    approvals.give(asked, by=erin, said="Yes, go.", verdict=hers.verdict, seen=hers.sighting, now=now)
    return asked


def start(user: User, tenant: Tenant, server: Server, **more: object) -> Action:
    given = {"kind": Kind.START_PROD, "key": uuid4().hex, "confirm": server.name, **more}
    return request(user=user, tenant=tenant, server=server, wish=Wish(**given))[0]  # type: ignore[arg-type]


def test_what_was_approved_goes_once(
    simulator: Simulator, tenant: Tenant, alice: User, server: Server, approved: Approval
) -> None:
    action = start(alice, tenant, server, approval=approved.pk)
    approved.refresh_from_db()
    assert (action.state, action.approval_id, approved.state) == (State.ACCEPTED, approved.pk, Consent.USED)
    Action.objects.update(state=State.CLOSED)
    again = start(alice, tenant, server, approval=approved.pk)
    assert again.state == State.REFUSED
    assert "NeedsApproval" in codes(again)
    assert len(simulator.posts) == 1


def test_without_a_second_word_nothing_is_sent(
    simulator: Simulator, tenant: Tenant, alice: User, server: Server
) -> None:
    Tenant.objects.update(two_persons=True)
    action = start(alice, tenant, server)
    assert (action.state, codes(action), simulator.posts) == (State.REFUSED, {"NeedsApproval"}, [])


def test_it_is_for_that_recovery_point_and_that_person(
    simulator: Simulator, tenant: Tenant, alice: User, erin: User, server: Server, approved: Approval
) -> None:
    other_point = start(alice, tenant, server, approval=approved.pk, recovery_point=POINT)
    other_person = start(erin, tenant, server, approval=approved.pk)
    assert codes(other_point) == codes(other_person) == {"NeedsApproval"}
    assert "The approval is for something else" in other_point.error
    assert simulator.posts == []


def test_it_is_void_when_the_cloud_shows_something_else(
    simulator: Simulator, tenant: Tenant, alice: User, server: Server, approved: Approval
) -> None:
    simulator.force_site(server.site_uuid, issues=[["VPNS2SConnectionFailure", "WARNING", None]])
    nodded = frozenset({"VPNS2SConnectionFailure"})
    action = start(alice, tenant, server, approval=approved.pk, acknowledge=nodded)
    approved.refresh_from_db()
    assert (action.state, approved.state, simulator.posts) == (State.REFUSED, Consent.VOID, [])
    assert "NeedsApproval" in codes(action)


def test_it_still_holds_when_the_cloud_could_not_be_read(
    simulator: Simulator, tenant: Tenant, alice: User, server: Server, approved: Approval
) -> None:
    Approval.objects.update(seen={**approved.seen, "issues": [["VPNS2SConnectionFailure", "WARNING", "site"]]})
    simulator.fail("500", method="GET", times=None)
    action = start(alice, tenant, server, approval=approved.pk)
    approved.refresh_from_db()
    assert (action.state, codes(action), approved.state) == (State.REFUSED, {"ReadFailed"}, Consent.GIVEN)


def test_an_approver_who_lost_the_role_after_the_read_takes_the_word_along(
    simulator: Simulator, tenant: Tenant, alice: User, erin: User, server: Server, approved: Approval
) -> None:
    looks = iter(range(9))

    def clock() -> float:
        if next(looks) == 4:  # in the last word, just before the claim
            Membership.objects.filter(user=erin).update(role=Role.OPERATOR)
        return 0.0

    given = {"kind": Kind.START_PROD, "key": "k", "confirm": server.name, "approval": approved.pk}
    action, _ = request(user=alice, tenant=tenant, server=server, wish=Wish(**given), clock=clock)  # type: ignore[arg-type]
    approved.refresh_from_db()
    assert (action.state, action.approval_id, simulator.posts) == (State.REFUSED, None, [])
    assert approved.state != Consent.USED


def test_one_admin_alone_breaks_the_glass(simulator: Simulator, tenant: Tenant, alice: User, server: Server) -> None:
    Tenant.objects.update(two_persons=True)
    glass = "Nobody else can be reached, and the main site burns."
    action = start(alice, tenant, server, glass=glass, acknowledge=frozenset({"NeedsApproval"}))
    assert (action.state, action.glass, len(simulator.posts)) == (State.ACCEPTED, glass, 1)


def test_a_test_failover_asks_nobody(simulator: Simulator, tenant: Tenant, bob: User, server: Server) -> None:
    Tenant.objects.update(two_persons=True)
    action = start(bob, tenant, server, kind=Kind.START_TEST)
    assert action.state == State.ACCEPTED
