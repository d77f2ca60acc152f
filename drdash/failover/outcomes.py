"""The one POST, and what its answer means. Only a definite answer counts as one; everything else is unknown."""

import logging
from contextlib import suppress
from datetime import datetime
from typing import Any

from django.db import Error as DatabaseError
from django.db import connection
from django.utils import timezone

from drdash.audit.record import writing
from drdash.cloud.client import Client, Sent
from drdash.cloud.records import RecoveryPoint, Server
from drdash.cloud.transport import Go
from drdash.cloud.wire import Accepted, NeverSent, Refused, Unclear
from drdash.english import english
from drdash.failover import following
from drdash.failover.guard import Kind
from drdash.failover.models import Action, State
from drdash.failover.record import keep_late_answer, keep_late_word, move
from drdash.tenants import allowed

log = logging.getLogger(__name__)

REFUSED = english("The cloud refused it (%(status)s %(code)s): %(message)s")
LACKING = english("The cloud refused it (%(status)s %(code)s): %(lacks)s. %(message)s")


def post(kind: Kind, client: Client, point: RecoveryPoint | None, server: Server, go: Go) -> Sent:
    """Post once, if ``go`` says so on the open connection; it is what claims the action."""
    if kind is Kind.START_TEST:
        return client.start_failover_test(server.uuid, point, go=go)
    if kind is Kind.START_PROD:
        return client.start_failover_prod(server.uuid, point, go=go)
    return client.stop_failover(server.uuid, go=go)


def leave(action: Action, why: str) -> None:
    """End the claimed action without sending it."""
    now, error = timezone.now(), english("It was not sent: %(why)s", why=why)
    _end(action, [State.SENDING], State.NOT_SENT, now=now, finished_at=now, error=error, detail=error)


def meaning(answer: Accepted | Refused | Unclear | NeverSent, fresh: Server | None) -> tuple[State, str]:
    """The state that an answer leads to, and why, in a sentence. ``fresh``: the server as read before the POST; None
    when it could not be, and the glass was broken."""
    match answer:
        case Accepted():
            return State.ACCEPTED, ""
        case NeverSent():
            return State.NOT_SENT, english("It was not sent: %(why)s", why=answer.sentence)
        case Unclear():
            return State.UNKNOWN, english(
                "Nobody can say whether the cloud took it: %(sentence)s", sentence=answer.sentence
            )
        case Refused(status=409) if _may_be_ours(answer, fresh):
            return State.UNKNOWN, (
                english(
                    "The cloud says that the server is busy with a task that was not there before: that may "
                    "be this very action."
                )
            )
        case Refused():
            words = LACKING if answer.lacks else REFUSED
            told = {"status": answer.status, "code": answer.code, "message": answer.message, "lacks": answer.lacks}
            return State.REFUSED, words % told


def _may_be_ours(answer: Refused, fresh: Server | None) -> bool:
    """Whether a 409 may be our own POST coming back: it names a task that the fresh read did not show, or none where
    it should."""
    if not answer.task_uuids:
        return answer.code == "ResourceBusy"
    return fresh is None or not set(answer.task_uuids) <= fresh.task_uuids


def settle(action: Action, sent: Sent, fresh: Server | None) -> None:
    """Commit what came of the POST. ``fresh`` as in ``meaning``."""
    now = timezone.now()
    state, error = meaning(sent.answer, fresh)
    if isinstance(sent.answer, NeverSent):
        # Without a connection it was never claimed; after a last word that was no, it has ended already.
        _end(action, [State.REQUESTED, State.SENDING], state, now=now, finished_at=now, error=error, detail=error)
        if action.state in (State.UNKNOWN, State.CLOSED):
            # Time made it unknown meanwhile, for a person to close: this is for them to read.
            keep_late_word(action, now=now, said=english("Its sender told it late: %(error)s", error=error))
        return
    try:
        _write(action, sent, state, error, now)
    except DatabaseError:
        connection.close()  # another one may do
        try:
            _write(action, sent, state, error, now)
        except DatabaseError as problem:
            # The row stays as it was claimed, and is unknown once this process is gone or its time is over.
            task = sent.answer.task_uuid if isinstance(sent.answer, Accepted) else ""
            told = (action.pk, type(problem).__name__, state.label, sent.status or "", task or error)
            log.error("What came of action %s could not be written (%s): %s %s %s", *told)
            action.state = State.SENDING
            with suppress(DatabaseError):
                action.refresh_from_db()
            return
    _note_what_is_allowed(action, sent, now)


def _write(action: Action, sent: Sent, state: State, error: str, now: datetime) -> None:
    fields: dict[str, Any] = {"status": sent.status, "reply": sent.reply, "error": error, "answered_at": now}
    if isinstance(sent.answer, Accepted):
        fields |= {"task_uuid": sent.answer.task_uuid, "last_sign_at": now}
    elif state is not State.UNKNOWN:
        fields["finished_at"] = now
    detail = error or f"Task {fields['task_uuid']}."
    if not _end(action, [State.SENDING], state, now=now, detail=detail, **fields):
        # Time made it unknown meanwhile, and only a person closes that: what came is for them to read.
        keep_late_answer(action, now=now, said=f"{state.label}. {error}".strip(), sent=sent)


def _end(action: Action, before: list[State], state: State, *, now: datetime, **fields: Any) -> bool:
    """Move the action; when the cloud certainly did not take it, what it went over is unknown again, with it."""
    with writing():
        moved = move(action, before, state, now=now, **fields)
        if moved and state in (State.REFUSED, State.NOT_SENT):
            following.reopen(action, now)
    return moved


def _note_what_is_allowed(action: Action, sent: Sent, now: datetime) -> None:
    """What the answer tells of the credential itself. Never in the way of the outcome."""
    credential = action.tenant.acting or action.tenant.credential
    try:
        if isinstance(sent.answer, Accepted):
            allowed.note_taken(credential, action.kind)
        elif isinstance(sent.answer, Refused) and sent.answer.status == 403:
            allowed.note_refused(credential, action.kind, sent.answer.lacks, now=now)
    except DatabaseError as error:
        log.warning("What the credential may do was not noted: %s", type(error).__name__)
