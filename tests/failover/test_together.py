"""A production batch where a tenant wants two persons: one word for all of it, and each server's used up by itself."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from drdash.failover import batches, confirming, running, together
from drdash.failover.batches import NotDone
from drdash.failover.consents import NotApproved
from drdash.failover.guard import Kind
from drdash.failover.models import Action, Approval, Batch, Consent, Item, State
from drdash.failover.plan import plan_of
from drdash.failover.preflight import Line, preflight
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Membership, Tenant
from drdash.tenants.roles import Role
from tests.failover.batching import Clock, gone_on, posted, run
from tests.failover.test_preflight import named

THREE = ("ams-crm-01", "ams-erp-01", "ber-web-01")
WHY = "The main site burns."

pytestmark = pytest.mark.usefixtures("polled")
Confirm = Callable[..., Batch]


@pytest.fixture
def dora(tenant: Tenant) -> User:
    """The second admin."""
    Tenant.objects.update(two_persons=True)
    tenant.refresh_from_db()
    user = User.objects.create_user("dora", password="dora")
    Membership.objects.create(user=user, tenant=tenant, role=Role.ADMIN)
    return user


@pytest.fixture
def confirm(tenant: Tenant, alice: User, dora: User) -> Confirm:
    """Alice has a start of production of three confirmed, which asks for a second word."""

    def made(*, why: str = WHY, per_minute: int = 60, order: tuple[int, ...] = (2, 0, 1)) -> Batch:
        found = preflight(user=alice, chosen=named(tenant, *THREE), kind=Kind.START_PROD, production=True, before=None)
        plan, now = plan_of(found, user=alice.pk), timezone.now()
        return confirming.make(
            user=alice, plan=plan, order=order, nods=plan.nods, per_minute=per_minute, now=now, why=why
        )

    return made


def looked(tenant: Tenant, user: User, *names: str) -> dict[str, Line]:
    chosen = named(tenant, *(names or THREE))
    found = preflight(user=user, chosen=chosen, kind=Kind.START_PROD, production=True, before=None)
    return {line.server.key: line for line in found.lines}


def approve(batch: Batch, tenant: Tenant, by: User) -> None:
    asked = list(together.of(batch, Consent.ASKED))
    together.give(asked, by=by, said="Go.", found=looked(tenant, by), now=timezone.now())


def states() -> list[str]:
    return list(Approval.objects.order_by("item__position").values_list("state", flat=True))


def test_it_goes_when_a_second_admin_approved_all_of_it_in_its_order(
    simulator: Simulator, tenant: Tenant, alice: User, dora: User, confirm: Confirm
) -> None:
    batch = confirm()
    with pytest.raises(NotDone, match="approve 3 of them first"):
        gone_on(batch, Clock())
    approve(batch, tenant, dora)
    assert states() == ["given"] * 3
    run(batch)
    assert posted(simulator) == ["ber-web-01", "ams-crm-01", "ams-erp-01"]
    assert states() == ["used"] * 3
    assert {action.approval_id for action in Action.objects.all()} == set(Approval.objects.values_list("pk", flat=True))


def test_it_is_never_ones_own_word_nor_an_operators(
    tenant: Tenant, alice: User, bob: User, dora: User, confirm: Confirm, simulator: Simulator
) -> None:
    batch = confirm()
    for other in (alice, bob):
        with pytest.raises(NotApproved):
            approve(batch, tenant, other)
    assert (states(), simulator.posts) == (["asked"] * 3, [])


def test_when_one_of_them_changed_none_is_approved(
    simulator: Simulator, tenant: Tenant, dora: User, confirm: Confirm
) -> None:
    batch = confirm()
    (_, server), *_ = named(tenant, "ams-erp-01")
    simulator.force_server(server.uuid, issues=[["BackupOutdated", "WARNING", None]])
    with pytest.raises(NotApproved, match=r"Nothing was approved. ams-erp-01 cannot be approved: The approval is void"):
        approve(batch, tenant, dora)
    assert states() == ["asked", "asked", "void"]


def test_what_changes_after_the_word_is_not_sent_and_the_rest_is(
    simulator: Simulator, tenant: Tenant, dora: User, confirm: Confirm
) -> None:
    batch = confirm()
    approve(batch, tenant, dora)
    (_, server), *_ = named(tenant, "ams-crm-01")
    simulator.force_server(server.uuid, issues=[["BackupOutdated", "WARNING", None]])
    run(batch)
    assert posted(simulator) == ["ber-web-01", "ams-erp-01"]
    assert states() == ["used", "void", "used"]
    refused = Action.objects.get(state=State.REFUSED)
    assert "NeedsApproval" in {reason["code"] for reason in refused.reasons}


def test_a_word_that_is_too_old_or_was_taken_back_sends_nothing(
    simulator: Simulator, tenant: Tenant, dora: User, confirm: Confirm
) -> None:
    batch = confirm()
    approve(batch, tenant, dora)
    first, second, _ = together.of(batch, Consent.GIVEN)
    Approval.objects.filter(pk=first.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    together.decline([second], by=dora, said="Not this one, please.", now=timezone.now())
    run(batch)
    assert posted(simulator) == ["ams-erp-01"]
    told = list(Item.objects.order_by("position").values_list("skipped", flat=True))
    assert told == ["It was not approved. It is too old.", "It was not approved. It was declined.", ""]


def test_an_approver_who_lost_the_role_takes_the_word_along(
    simulator: Simulator, tenant: Tenant, dora: User, confirm: Confirm
) -> None:
    batch = confirm()
    approve(batch, tenant, dora)
    clock = Clock()
    runner = gone_on(batch, clock)
    running.step(batch, runner, now=clock)
    Membership.objects.filter(user=dora).update(role=Role.OPERATOR)
    clock.wait(60)
    running.step(batch, runner, now=clock)
    assert posted(simulator) == ["ber-web-01"]
    assert states() == ["used", "void", "given"]


def test_what_is_stopped_waits_for_nobody(tenant: Tenant, alice: User, dora: User, confirm: Confirm) -> None:
    batch = confirm()
    batches.stop(batch, by=alice, now=timezone.now())
    assert states() == ["withdrawn"] * 3
    with pytest.raises(NotApproved, match="nobody"):
        approve(batch, tenant, dora)


def test_why_is_asked_for_and_a_rate_at_which_the_word_is_enough(confirm: Confirm) -> None:
    with pytest.raises(NotDone, match="Write why"):
        confirm(why="now")
    assert (together.in_time(14, 1), together.in_time(15, 1), together.in_time(140, 10)) == (True, False, True)
    assert not Batch.objects.exists()


def test_who_would_be_asked_alone_sees_no_batch_that_needs_nobody(tenant: Tenant, alice: User) -> None:
    found = looked(tenant, alice)
    assert not any(line.approval for line in found.values())
