"""A second admin's word: never one's own, for exactly what both saw, not for long, and once."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from drdash.audit.models import Entry
from drdash.cloud.records import RecoveryPoint, Server
from drdash.failover import approvals, consents
from drdash.failover.approvals import NotApproved
from drdash.failover.guard import Kind, Verdict
from drdash.failover.models import Approval, Consent
from drdash.failover.reasons import Mark, Reason, Remedy, own
from drdash.tenants.models import Tenant
from tests.failover.cast import LACKING, NEEDED, VPN, WHY, Cast, state, told
from tests.failover.test_guard import a_server


def test_one_asks_another_gives_and_it_lets_one_action_go(cast: Cast) -> None:
    approval = cast.ask()
    assert cast.usable(approval) == "The approval does not hold. Nobody approved it yet."
    cast.give(approval, said="Seen, go.")
    assert (approval.state, approval.answered_by, approval.said) == (Consent.GIVEN, cast.dora, "Seen, go.")
    assert cast.usable(approval) == ""
    action = cast.action()
    assert approvals.take(approval.pk, action)
    action.refresh_from_db()
    assert (action.approval_id, state(approval)) == (approval.pk, Consent.USED)
    assert told() == [("alice", "approval asked"), ("dora", "approval given"), ("alice", "approval used")]
    last = Entry.objects.first()
    assert last is not None
    assert (last.action, last.tenant, last.server_uuid) == (action.pk, cast.tenant.pk, a_server().key)
    asked = Entry.objects.last()
    assert asked is not None
    assert WHY in asked.detail
    assert "start_failover_prod of web-1, recovery point archive_id a-1, backup_id b-1, vault_id v-1." in asked.detail


def test_what_one_asked_for_is_open_until_its_time_is_over(cast: Cast) -> None:
    asked = cast.ask()
    mine: dict[str, Any] = {
        "user": cast.alice,
        "tenant": cast.tenant,
        "server": a_server(),
        "kind": Kind.START_PROD,
    }
    assert approvals.open_one(**mine, now=timezone.now()) == asked
    assert approvals.open_one(**{**mine, "user": cast.dora}, now=timezone.now()) is None
    assert approvals.open_one(**mine, now=asked.expires_at + timedelta(seconds=1)) is None


def test_issues_are_named_with_how_bad_they_are_each_once() -> None:
    issues = [("VPNDown", "WARNING", "a"), ("VPNDown", "WARNING", "b"), ("", "ERROR", ""), ("Odd", "", "")]
    assert consents.issue_words(issues) == ["Odd (of no severity)", "VPNDown (warning)", "an unnamed issue (error)"]


def test_it_is_used_once(cast: Cast) -> None:
    approval = cast.given()
    assert approvals.take(approval.pk, cast.action())
    again = cast.action()
    assert not approvals.take(approval.pk, again)
    again.refresh_from_db()
    assert again.approval is None
    assert "used already" in cast.usable(approval)


def test_what_is_rolled_back_did_not_use_it(cast: Cast) -> None:
    approval, action = cast.given(), cast.action()
    with transaction.atomic():
        assert approvals.take(approval.pk, action)
        transaction.set_rollback(True)
    assert cast.usable(approval) == ""
    assert approvals.take(approval.pk, action)


def test_nobody_gives_or_declines_their_own(cast: Cast) -> None:
    approval = cast.ask()
    herself = User.objects.get(username="alice")
    with pytest.raises(NotApproved, match="asked for themselves"):
        cast.give(approval, herself)
    with pytest.raises(NotApproved, match="asked for themselves"):
        approvals.decline(approval, by=herself, said="I changed my mind", now=timezone.now())
    assert state(approval) == Consent.ASKED


@pytest.mark.parametrize("name", ["bob", "charlie"])
def test_only_admins_of_the_tenant_ask_answer_and_hear_of_it(cast: Cast, name: str) -> None:
    person: User = getattr(cast, name)
    with pytest.raises(NotApproved, match="Only an admin"):
        cast.ask(user=person)
    approval = cast.ask()
    assert [one.pk for one in approvals.waiting_for(cast.dora, timezone.now())] == [approval.pk]
    for other in (person, cast.alice):
        assert approvals.waiting_for(other, timezone.now()) == []
    with pytest.raises(NotApproved, match="Only an admin"):
        cast.give(approval, person)
    with pytest.raises(NotApproved, match="Only an admin"):
        approvals.decline(approval, by=person, said="No, not today.", now=timezone.now())
    with pytest.raises(NotApproved, match="Only who asked"):
        approvals.withdraw(approval, by=person, now=timezone.now())
    assert state(approval) == Consent.ASKED


def test_who_may_not_answer_voids_nothing_either(cast: Cast) -> None:
    approval = cast.ask()
    for person in (cast.alice, cast.bob, cast.charlie):
        with pytest.raises(NotApproved):
            cast.give(approval, person, seen=cast.sees(person, name="renamed"))
    assert state(approval) == Consent.ASKED


def test_what_could_not_go_is_neither_asked_for_nor_approved(cast: Cast) -> None:
    busy = Verdict(Kind.START_PROD, True, (own("TaskRunning", Mark.BLOCK), NEEDED))
    with pytest.raises(NotApproved, match="More than a second person"):
        cast.ask(verdict=busy)
    with pytest.raises(NotApproved, match="none is needed"):
        cast.ask(verdict=Verdict(Kind.START_PROD, True, ()))
    approval = cast.ask()
    with pytest.raises(NotApproved, match="A task is running"):
        cast.give(approval, verdict=busy)
    assert state(approval) == Consent.ASKED


def test_what_asks_for_a_nod_only_is_asked_for_and_approved(cast: Cast) -> None:
    cautious = Verdict(Kind.START_PROD, True, (NEEDED, Reason(VPN[0], "VPN is down.", Remedy.FIX, Mark.ACKNOWLEDGE)))
    approval = cast.ask(verdict=cautious)
    cast.give(approval, verdict=cautious)
    assert cast.usable(approval) == ""


@pytest.mark.parametrize("why", ["", "go", "  go   \n  now "])
def test_words_are_asked_for(cast: Cast, why: str) -> None:
    with pytest.raises(NotApproved, match="10 characters"):
        cast.ask(why=why)
    approval = cast.ask()
    with pytest.raises(NotApproved, match="10 characters"):
        approvals.decline(approval, by=cast.dora, said=why, now=timezone.now())
    assert state(approval) == Consent.ASKED
    assert cast.ask(why="0123456789", server=a_server(uuid="another")).why == "0123456789"


def test_with_a_second_admins_word_everything_else_stands_as_it_did() -> None:
    doubt = Reason("ReadinessUnknown", "Nobody knows.", Remedy.WAIT, Mark.GLASS)
    assert approvals.lifted(LACKING) == Verdict(Kind.START_PROD, True, ())
    assert approvals.lifted(msgspec.structs.replace(LACKING, reasons=(NEEDED, doubt))).reasons == (doubt,)


def test_what_no_action_could_name_is_not_asked_for(cast: Cast) -> None:
    with pytest.raises(NotApproved, match="longer than the 100 characters"):
        cast.ask(server=msgspec.structs.replace(a_server(), uuid="s" * 101))
    with pytest.raises(NotApproved, match="all three ids"):
        cast.ask(point=RecoveryPoint(backup_id="b-1", archive_id="", vault_id="v-1"))
    assert not Approval.objects.exists()


def test_another_admin_declines_with_words_and_takes_a_yes_back(cast: Cast) -> None:
    asked, given_one = cast.ask(), cast.ask(server=a_server(uuid="other"))
    cast.give(given_one, seen=cast.sees(cast.dora, server="other"))
    for approval, state_before in ((asked, "asked"), (given_one, "given")):
        assert state(approval) == state_before
        approvals.decline(approval, by=cast.dora, said="The plan says otherwise.", now=timezone.now())
        assert (state(approval), approval.said) == (Consent.DECLINED, "The plan says otherwise.")
        with pytest.raises(NotApproved, match="It was declined"):
            approvals.decline(approval, by=cast.dora, said="The plan says otherwise.", now=timezone.now())
        with pytest.raises(NotApproved, match="It was declined"):
            cast.give(approval)
    assert "It was declined." in cast.usable(asked)


def test_who_asked_withdraws_it(cast: Cast) -> None:
    approval = cast.given()
    approvals.withdraw(approval, by=cast.alice, now=timezone.now())
    assert not approvals.take(approval.pk, cast.action())
    assert "It was withdrawn." in cast.usable(approval)
    with pytest.raises(NotApproved, match="nothing to withdraw"):
        approvals.withdraw(approval, by=cast.alice, now=timezone.now())


def test_the_same_asked_again_is_the_same_and_something_else_takes_its_place(cast: Cast) -> None:
    first = cast.ask()
    assert cast.ask().pk == first.pk
    cast.give(first)
    assert cast.ask().pk == first.pk, "also when it was given meanwhile"
    latest = cast.ask(point=None)
    assert (state(first), latest.pk != first.pk) == (Consent.WITHDRAWN, True)
    worse = frozenset({VPN, ("New", "WARNING", "")})
    third = cast.ask(point=None, seen=cast.sees(cast.alice, issues=worse))
    assert (state(latest), state(third)) == (Consent.WITHDRAWN, Consent.ASKED)
    elsewhere = cast.ask(server=a_server(uuid="other"))
    by_dora = cast.ask(user=cast.dora)
    assert {state(one) for one in (third, elsewhere, by_dora)} == {Consent.ASKED}


def test_what_another_version_saw_holds_no_more(cast: Cast) -> None:
    approval = cast.given()
    Approval.objects.filter(pk=approval.pk).update(seen={"another": "shape"})
    assert "cannot be read any more" in cast.usable(approval)
    assert state(approval) == Consent.VOID


def test_a_tenant_that_is_off_has_no_approvals(cast: Cast) -> None:
    approval = cast.given()
    Tenant.objects.filter(pk=cast.tenant.pk).update(enabled=False)
    assert not approvals.take(approval.pk, cast.action())
    assert consents.settle(approval, timezone.now()).state == Consent.VOID


def test_a_server_of_many_names_and_a_recovery_point_survive_the_record(cast: Cast) -> None:
    long: Server = a_server(name="n" * 5000)
    approval = cast.ask(server=long, point=None)
    approval.refresh_from_db()
    assert (len(approval.server_name), approval.recovery_point) == (500, None)
