"""What came of the POST is committed as what it is, whatever the database and time did meanwhile."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection

from drdash.audit.models import Entry
from drdash.cloud.client import Sent
from drdash.cloud.wire import Accepted, NeverSent, Refused, Unclear
from drdash.failover import outcomes
from drdash.failover.models import Action, State
from tests.failover.cast import Cast
from tests.failover.test_guard import a_server

TASK = "f1b3b3b4-4b1b-4b1b-4b1b-4b1b4b1b4b1b"
TAKEN = Sent(Accepted(TASK), 202, b"{}", "taken")
NO = Sent(Refused(404, "EntityNotFound", "It is gone."), 404, b"{}", "no")
MAY_NOT = Sent(Refused(403, "MethodNotAllowed", "No.", lacks="it lacks a scope"), 403, b"{}", "no")
LOST = Sent(Unclear("a time-out."), None, b"{}", "")
NEVER = Sent(NeverSent("no connection."), None, b"{}", "")
GONE = "The cloud refused it (404 EntityNotFound): It is gone."
UNSENT = "It was not sent: no connection."


def told(action: Action) -> tuple[str, str]:
    entry = Entry.objects.filter(action=action.pk).order_by("number").last()
    assert entry is not None
    return entry.verb.partition(" ")[2], entry.detail


@contextmanager
def unchangeable(table: str) -> Iterator[None]:
    """The database takes no change of what is in the table, over any connection."""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TRIGGER no BEFORE UPDATE ON {table} BEGIN SELECT RAISE(ABORT, 'no'); END")
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER no")


@contextmanager
def broken_at_the_commit() -> Iterator[None]:
    """The database takes every change of an action, and then none of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE nobody (id PRIMARY KEY)")
        cursor.execute("CREATE TABLE child (of REFERENCES nobody (id) DEFERRABLE INITIALLY DEFERRED)")
        cursor.execute("CREATE TRIGGER no AFTER UPDATE ON failover_action BEGIN INSERT INTO child VALUES (1); END")
    yield
    with connection.cursor() as cursor:
        for what in ("TRIGGER no", "TABLE child", "TABLE nobody"):
            cursor.execute(f"DROP {what}")


@pytest.mark.parametrize(
    ("sent", "state", "error", "detail"),
    [
        (TAKEN, State.ACCEPTED, "", f"Task {TASK}."),
        (NO, State.REFUSED, GONE, GONE),
        (LOST, State.UNKNOWN, *["Nobody can say whether the cloud took it: a time-out."] * 2),
    ],
)
def test_an_answer_is_on_record_with_what_it_means(
    cast: Cast, sent: Sent, state: State, error: str, detail: str
) -> None:
    action = cast.action(state=State.SENDING)
    outcomes.settle(action, sent, a_server())
    assert (action.state, action.status, action.reply, action.error) == (state, sent.status, sent.reply, error)
    assert action.answered_at is not None
    assert (action.task_uuid, action.last_sign_at) == ((TASK, action.answered_at) if sent is TAKEN else ("", None))
    assert action.finished_at == (action.answered_at if sent is NO else None)
    assert told(action) == (state.label, detail)


@pytest.mark.parametrize("before", [State.REQUESTED, State.SENDING])
def test_what_never_left_was_not_sent(cast: Cast, before: State) -> None:
    action = cast.action(state=before)
    outcomes.settle(action, NEVER, a_server())
    assert (action.state, action.error, action.answered_at) == (State.NOT_SENT, UNSENT, None)
    assert action.finished_at is not None
    assert told(action) == ("not sent", UNSENT)


@pytest.mark.parametrize("ended", [State.EXPIRED, State.REFUSED])
def test_what_has_ended_before_it_left_stays_as_it_ended(cast: Cast, ended: State) -> None:
    action = cast.action(state=ended, error="as it ended")
    outcomes.settle(action, NEVER, a_server())
    outcomes.leave(action, "too late")
    assert (action.state, action.error, Entry.objects.exists()) == (ended, "as it ended", False)


@pytest.mark.parametrize(("before", "error"), [(State.UNKNOWN, "Its sender told it late: "), (State.CLOSED, "")])
def test_whoever_closes_or_closed_an_unknown_one_is_told_that_it_never_left(
    cast: Cast, before: State, error: str
) -> None:
    action = cast.action(state=before)
    outcomes.settle(action, NEVER, a_server())
    assert (action.state, action.error) == (before, error and error + UNSENT)
    assert told(action) == ("told late", f"Its sender told it late: {UNSENT}")


@pytest.mark.parametrize(("sent", "said"), [(TAKEN, "Accepted."), (NO, f"Refused. {GONE}")])
def test_an_answer_that_is_late_is_noted_and_ends_nothing(cast: Cast, sent: Sent, said: str) -> None:
    action = cast.action(state=State.UNKNOWN)
    over = cast.action(state=State.CLOSED, superseded_by=action)
    outcomes.settle(action, sent, a_server())
    over.refresh_from_db()
    assert (action.state, action.status, over.state) == (State.UNKNOWN, sent.status, State.CLOSED)
    assert told(action) == ("answered late", said)


@pytest.mark.parametrize(
    ("sent", "left"),
    [(TAKEN, State.CLOSED), (LOST, State.CLOSED), (NO, State.UNKNOWN), (NEVER, State.UNKNOWN), (None, State.UNKNOWN)],
)
def test_what_it_went_over_is_unknown_again_when_the_cloud_certainly_did_not_take_it(
    cast: Cast, sent: Sent | None, left: State
) -> None:
    action = cast.action(state=State.SENDING)
    over = cast.action(state=State.CLOSED, superseded_by=action)
    if sent is None:
        outcomes.leave(action, "too late")
        assert (action.state, action.error) == (State.NOT_SENT, "It was not sent: too late")
        assert (told(action), action.finished_at is None) == (("not sent", action.error), False)
    elif sent is LOST:
        Action.objects.filter(pk=over.pk).update(server_uuid="another")  # or two would be open
        outcomes.settle(action, sent, a_server())
    else:
        outcomes.settle(action, sent, a_server())
    over.refresh_from_db()
    assert over.state == left


def test_an_outcome_that_one_connection_cannot_write_is_written_over_another(cast: Cast) -> None:
    action = cast.action(state=State.SENDING)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA query_only = ON")  # of this connection alone
    outcomes.settle(action, TAKEN, a_server())
    assert Action.objects.get().state == action.state == State.ACCEPTED


@pytest.mark.parametrize(("sent", "what"), [(TAKEN, f"Accepted 202 {TASK}"), (LOST, "Unknown  Nobody can say")])
def test_an_outcome_that_cannot_be_written_is_in_the_log_and_the_row_stays_as_it_was(
    cast: Cast, caplog: pytest.LogCaptureFixture, sent: Sent, what: str
) -> None:
    cast.credential.refused_what = f"{cast.action().kind}: before"
    cast.credential.save()
    action = cast.action(state=State.SENDING)
    with unchangeable("failover_action"):
        outcomes.settle(action, sent, a_server())
    cast.credential.refresh_from_db()
    assert (action.state, action.answered_at, Entry.objects.exists()) == (State.SENDING, None, False)
    (line,) = [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]
    assert line.startswith(f"What came of action {action.pk} could not be written (IntegrityError): {what}")
    assert cast.credential.refused_what, "an outcome that is not on record says nothing of the credential"


@pytest.mark.parametrize("readable", [True, False])
def test_what_the_database_did_not_take_in_the_end_is_not_what_the_action_tells(
    cast: Cast, readable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = cast.action(state=State.SENDING)
    with broken_at_the_commit(), monkeypatch.context() as patch:
        if not readable:
            patch.setitem(connection.settings_dict, "NAME", "/nowhere/at/all")  # once the connection is closed
        outcomes.settle(action, TAKEN, a_server())
        connection.close()
    assert (action.state, Action.objects.get().state) == (State.SENDING, State.SENDING)
    assert action.answered_at is None or not readable


def test_a_403_is_said_with_what_is_lacking_and_noted_with_the_credential(cast: Cast) -> None:
    for sent, noted in ((NO, ""), (MAY_NOT, "start_failover_prod: it lacks a scope"), (TAKEN, "")):
        action = cast.action(state=State.SENDING, server_uuid=f"s-{sent.status}")
        outcomes.settle(action, sent, a_server())
        cast.credential.refresh_from_db()
        assert cast.credential.refused_what == noted
        if sent is MAY_NOT:
            assert action.error == "The cloud refused it (403 MethodNotAllowed): it lacks a scope. No."


def test_what_cannot_be_noted_of_the_credential_is_not_in_the_way_of_the_outcome(
    cast: Cast, caplog: pytest.LogCaptureFixture
) -> None:
    action = cast.action(state=State.SENDING)
    with unchangeable("tenants_credential"):
        outcomes.settle(action, MAY_NOT, a_server())
    assert Action.objects.get().state == State.REFUSED
    assert "was not noted: IntegrityError" in caplog.text


def test_a_409_that_names_a_new_task_or_none_may_be_this_very_action() -> None:
    known = a_server(task_uuid=TASK)
    ours = "busy with a task that was not there before"
    for tasks, fresh, state in (
        ((TASK,), known, State.REFUSED),
        ((TASK,), None, State.UNKNOWN),
        ((TASK, "new"), known, State.UNKNOWN),
        ((), known, State.UNKNOWN),
    ):
        meant = outcomes.meaning(Refused(409, "ResourceBusy", "Busy.", tasks), fresh)
        assert (meant[0], ours in meant[1]) == (state, state is State.UNKNOWN)
