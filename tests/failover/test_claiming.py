"""The claim: all of it or nothing, and whoever is not let through is told why."""

from typing import Any

import pytest
from django.db import transaction

from drdash.audit.models import Entry
from drdash.cloud.client import body_of
from drdash.failover.claiming import claim, refuse
from drdash.failover.guard import Kind, Verdict
from drdash.failover.models import Action, Consent, State
from drdash.failover.reasons import Mark, Reason, Remedy, own
from drdash.failover.wish import Wish
from tests.failover.cast import LACKING, POINT, Cast, state

FREE = Verdict(Kind.START_PROD, True, ())
NOD = Reason("ReadinessWarning", "The site warns.", Remedy.WAIT, Mark.ACKNOWLEDGE)
WHY = "The main site burns, and nobody answers."


def claimed(action: Action, verdict: Verdict = FREE, **more: Any) -> bool:
    wish = Wish(kind=Kind.START_PROD, key=action.idempotency_key, recovery_point=POINT, **more.pop("wish", {}))
    usual: dict[str, Any] = {"ours": None, "approval": None, "still": lambda: True}
    return claim(action, wish, verdict, **{**usual, **more})


def codes(action: Action) -> list[str]:
    return [reason["code"] for reason in action.reasons]


def last_entry() -> tuple[int | None, str, str]:
    entry = Entry.objects.order_by("number").last()
    assert entry is not None
    return entry.action, entry.verb.partition(" ")[2], entry.detail


def test_what_is_claimed_is_on_record_with_all_that_is_about_to_be_sent(cast: Cast) -> None:
    action, test = cast.action(production=False), Verdict(Kind.START_TEST, True, (NOD,))
    assert claimed(action, test, wish={"acknowledge": frozenset({"b", "a"})}, sent_boot=7.5, evidence=[{"at": "now"}])
    kept = Action.objects.get()
    assert (kept.state, kept.production, codes(kept)) == (State.SENDING, True, ["ReadinessWarning"])
    assert (kept.body, kept.glass, kept.sent_boot) == (body_of(POINT).decode(), "", 7.5)
    assert (kept.sent_at is not None, kept.evidence) == (True, [{"at": "now"}])
    assert last_entry() == (action.pk, "Sending", "Acknowledged: a, b.")


def test_the_glass_that_was_broken_is_on_record_and_only_where_there_was_one(cast: Cast) -> None:
    broken, free = cast.action(), cast.action(server_uuid="another")
    assert claimed(broken, LACKING, wish={"glass": f"  {WHY.replace(' ', '  ')} "})
    assert broken.glass == WHY
    assert last_entry()[2] == f"Broke the glass: {WHY} It goes over NeedsApproval. Acknowledged: nothing."
    assert claimed(free, wish={"glass": WHY})
    assert (free.glass, last_entry()[2]) == ("", "Acknowledged: nothing.")


def test_what_it_goes_over_is_closed_by_it(cast: Cast) -> None:
    lost, action = cast.action(state=State.UNKNOWN), cast.action()
    assert claimed(action, ours=lost)
    assert (lost.state, lost.superseded_by, lost.finished_at) == (State.CLOSED, action, action.sent_at)
    assert Entry.objects.filter(action=lost.pk).values_list("detail", flat=True)[0] == (
        f"Superseded by the action {action.pk}."
    )


def test_a_server_that_another_action_took_meanwhile_is_not_taken_again(cast: Cast) -> None:
    approval = cast.given()
    cast.action(state=State.SENDING)
    action = cast.action()
    assert not claimed(action, approval=approval)
    assert (action.state, codes(action), action.sent_at) == (State.REFUSED, ["OurActionOpen"], None)
    assert (action.error, state(approval)) == (own("OurActionOpen", Mark.BLOCK).message, Consent.GIVEN)


@pytest.mark.parametrize("shifted", ["rights", "approval"])
def test_where_rights_or_a_second_persons_word_are_gone_nothing_of_it_is_kept(cast: Cast, shifted: str) -> None:
    lost, action, approval = cast.action(state=State.UNKNOWN), cast.action(), cast.given()
    if shifted == "approval":
        Action.objects.filter(pk=action.pk).update(recovery_point=None)  # not what was approved
        action.refresh_from_db()
    assert not claimed(action, ours=lost, approval=approval, still=lambda: shifted != "rights")
    lost.refresh_from_db()
    assert (action.state, codes(action), action.sent_at) == (State.REFUSED, ["Changed"], None)
    assert "changed meanwhile" in action.error
    assert (lost.state, lost.superseded_by, state(approval)) == (State.UNKNOWN, None, Consent.GIVEN)


def test_what_has_ended_meanwhile_takes_nothing_and_ends_nothing(cast: Cast) -> None:
    lost, action, approval = cast.action(state=State.UNKNOWN), cast.action(), cast.given()
    Action.objects.filter(pk=action.pk).update(state=State.EXPIRED)
    assert not claimed(action, ours=lost, approval=approval)
    lost.refresh_from_db()
    assert (action.state, lost.state, state(approval)) == (State.EXPIRED, State.UNKNOWN, Consent.GIVEN)


def test_nothing_is_claimed_within_a_transaction_that_may_still_be_undone(cast: Cast) -> None:
    action = cast.action()
    with pytest.raises(RuntimeError), transaction.atomic():
        claimed(action)
    assert Action.objects.get().state == State.REQUESTED


def test_a_second_persons_word_is_used_up_with_the_claim(cast: Cast) -> None:
    approval, action = cast.given(), cast.action()
    assert claimed(action, approval=approval)
    assert (action.state, state(approval)) == (State.SENDING, Consent.USED)


def test_a_refusal_lists_all_reasons_worst_first_and_says_what_stops_it(cast: Cast) -> None:
    action = cast.action()
    doubt = Reason("ReadinessUnknown", "Nobody knows.", Remedy.WAIT, Mark.GLASS)
    no, again = (Reason(code, "The cloud says no.", Remedy.ASK, Mark.BLOCK) for code in ("No", "NoAgain"))
    refuse(action, [NOD, doubt, no, again])
    assert (action.state, action.finished_at is not None) == (State.REFUSED, True)
    assert codes(action) == ["No", "NoAgain", "ReadinessUnknown", "ReadinessWarning"]
    assert action.error == last_entry()[2] == "The cloud says no. Nobody knows."
    Action.objects.update(state=State.SENDING, error="")
    refuse(action, [no])
    assert (action.state, action.error) == (State.SENDING, "")
