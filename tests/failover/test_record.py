"""Each step of an action is on record and in the audit, or neither, and every page is told."""

from collections.abc import Callable

import msgspec
import pytest
from django.db import transaction
from django.utils import timezone

from drdash.audit.models import Entry
from drdash.cloud.client import Sent
from drdash.cloud.wire import Accepted, Refused
from drdash.estate import aside
from drdash.estate.store import STREAM, store
from drdash.failover import record
from drdash.failover.models import Action, State
from tests.failover.cast import Cast

TAKEN = Sent(Accepted("f1b3b3b4-4b1b-4b1b-4b1b-4b1b4b1b4b1b"), 202, b"{}", "taken")
NO = Sent(Refused(404, "EntityNotFound", "It is gone."), 404, b"{}", "no")
SAID = "as it was told"


def announced() -> list[set[str]]:
    """The keys of each announcement."""
    aside.settle()
    return [set(msgspec.json.decode(fields[b"keys"])) for _, fields in store()._redis.xrange(STREAM)]


def last_entry() -> tuple[str, int | None, str, str]:
    entry = Entry.objects.order_by("number").last()
    assert entry is not None
    return entry.username, entry.action, entry.verb, entry.detail


def test_a_new_action_is_requested_by_a_person(cast: Cast) -> None:
    made = cast.action()
    fields = {name: getattr(made, name) for name in ("tenant", "cloud", "server_uuid", "server_name", "kind")}
    made.delete()
    now = timezone.now()
    with pytest.raises(RuntimeError), transaction.atomic():  # which may still be undone
        record.create(user=cast.alice, now=now, production=True, idempotency_key="k", **fields)
    action = record.create(user=cast.alice, now=now, production=True, idempotency_key="k", **fields)
    assert (action.state, action.requested_at) == (State.REQUESTED, now)
    assert last_entry() == ("alice", action.pk, "start_failover_prod Requested", "")
    assert announced() == [{"notice", f"server:{action.server_uuid}", f"action:{action.pk}"}]


Step = Callable[[Action], object]
STEPS: dict[str, tuple[Step, str]] = {
    "moved": (lambda one: record.move(one, [State.UNKNOWN], State.FAILED, now=timezone.now(), detail=SAID), "Failed"),
    "answered": (lambda one: record.keep_late_answer(one, now=timezone.now(), said=SAID, sent=TAKEN), "answered late"),
    "told": (lambda one: record.keep_late_word(one, now=timezone.now(), said=SAID), "told late"),
}


@pytest.mark.parametrize("step", STEPS)
def test_what_became_of_it_is_told_once_it_is_committed(cast: Cast, step: str) -> None:
    action, (take, verb) = cast.action(state=State.UNKNOWN), STEPS[step]
    with transaction.atomic():
        take(action)
        assert announced() == []
    assert announced() == [{"notice", f"server:{action.server_uuid}", f"action:{action.pk}"}]
    assert last_entry() == ("drdash", action.pk, f"start_failover_prod {verb}", SAID)


def test_what_moved_meanwhile_is_left_as_it_is_and_shown_so(cast: Cast) -> None:
    action = cast.action(state=State.SENDING)
    Action.objects.update(state=State.UNKNOWN)
    assert not record.move(action, [State.REQUESTED, State.SENDING], State.FAILED, now=timezone.now())
    assert (action.state, Entry.objects.exists(), announced()) == (State.UNKNOWN, False, [])


def test_a_late_answer_is_kept_beside_the_state(cast: Cast) -> None:
    action, other, now = cast.action(state=State.CLOSED), cast.action(state=State.CLOSED), timezone.now()
    for sent, task in ((TAKEN, "f1b3b3b4-4b1b-4b1b-4b1b-4b1b4b1b4b1b"), (NO, "")):
        record.keep_late_answer(action, now=now, said=SAID, sent=sent)
        assert (action.status, action.reply, action.task_uuid) == (sent.status, sent.reply, task)
    other.refresh_from_db()
    assert (action.state, action.answered_at, other.answered_at) == (State.CLOSED, now, None)


def test_a_late_word_is_not_written_over_a_persons(cast: Cast) -> None:
    closed, unknown = cast.action(state=State.CLOSED, error="alice: no"), cast.action(state=State.UNKNOWN)
    for action, error in ((closed, "alice: no"), (unknown, SAID)):
        record.keep_late_word(action, now=timezone.now(), said=SAID)
        assert action.error == error
