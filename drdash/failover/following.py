"""From accepted to its end: what later reads of the cloud say about an action, and what time says of a silent one.

"Accepted" is only the cloud's promise. The words succeeded and failed are used on evidence alone; where there is none,
the word is unknown, and a person closes it.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from drdash import senders
from drdash.cloud.records import Server
from drdash.cloud.words import ServerStatus
from drdash.english import english
from drdash.failover import origins
from drdash.failover.guard import PRODUCTION, Kind
from drdash.failover.models import LIVE, OPEN, Action, State
from drdash.failover.record import announce, move

REQUEST_SECONDS = 30
SEND_SECONDS = 75
SILENT = timedelta(minutes=10)
MOST_EVIDENCE, MOST_TASKS, LONGEST = 50, 20, 200  # a server may say anything, and is kept with each action
NOT_IN_TIME = english("It was not sent in time, so it never was and never will be.")

MOVING = frozenset(
    {
        ServerStatus.STARTING_FAILOVER_TEST,
        ServerStatus.STARTING_FAILOVER_PROD,
        ServerStatus.STOPPING_FAILOVER,
        ServerStatus.POWERING_ON,
        ServerStatus.POWERING_OFF,
    }
)
TOWARDS = {
    Kind.START_TEST: ServerStatus.STARTING_FAILOVER_TEST,
    Kind.START_PROD: ServerStatus.STARTING_FAILOVER_PROD,
    Kind.STOP: ServerStatus.STOPPING_FAILOVER,
}


def reached(kind: Kind, server: Server) -> bool:
    """Whether the server is in the state that the action wanted."""
    if kind is Kind.START_TEST:
        return server.status == ServerStatus.FAILOVER_TEST
    if kind is Kind.START_PROD:
        # In FINALIZATION the machine already runs: it can be used.
        return server.status in PRODUCTION - {ServerStatus.FINALIZATION_FAILED}
    return server.status == ServerStatus.STAND_BY and server.active_failover is None


def observe(tenant: int, servers: Collection[Server], *, started: datetime, now: datetime) -> None:
    """Let a read that began at ``started`` be evidence for the tenant's actions that are not over: kept with each for
    the person who looks, and, of those that the cloud accepted before, perhaps their end.
    """
    ours = Q(state=State.ACCEPTED, answered_at__lt=started)
    ours |= Q(state__in=[State.SENDING, State.UNKNOWN], sent_at__lt=started)
    actions = {action.server_uuid: action for action in Action.objects.filter(ours, tenant_id=tenant)}
    for server in servers if actions else ():
        if action := actions.get(server.key):
            _keep(action, server, started)
            if action.state == State.ACCEPTED:
                _weigh(action, server, started, now)
    origins.note(tenant, servers, started=started)


def seen_of(server: Server, at: datetime) -> dict[str, Any]:
    """What a read that began then saw of a server, as an action keeps it."""
    last_tests = [test.last_task_uuid for test in (server.test_failover, server.automated_test) if test]
    return {
        "at": at.isoformat(),
        "status": (server.status or "")[:LONGEST],
        "tasks": [task[:LONGEST] for task in sorted(server.task_uuids)[:MOST_TASKS]],
        "busy": server.busy,
        "active_failover": server.active_failover.id[:LONGEST] if server.active_failover else "",
        "last_tasks": [task[:LONGEST] for task in sorted(filter(None, last_tests))],
    }


def _weigh(action: Action, server: Server, started: datetime, now: datetime) -> None:
    kind, tasks, ours = Kind(action.kind), server.task_uuids, action.task_uuid.lower()
    others_run = bool(tasks - {ours})
    ours_seen = ours in tasks or action.task_seen_at is not None
    if reached(kind, server) and (ours_seen or _names(server, ours) or _undisturbed(action, server)):
        move(action, [State.ACCEPTED], State.SUCCEEDED, now=now, finished_at=now, detail=f"Seen: {server.status}.")
    elif ours in tasks:
        _note(action, task_seen_at=action.task_seen_at or now, last_sign_at=now)
    elif ours_seen and _at_rest(server) and _past(action.last_sign_at, 0, started):
        error = english(
            "The cloud ended the task, and the server is in %(status)s: not what was asked for.", status=server.status
        )
        move(action, [State.ACCEPTED], State.FAILED, now=now, finished_at=now, error=error, detail=error)
    elif others_run and not ours_seen:
        _note(action, other_task_seen=True)
    elif server.busy and not tasks and server.status == TOWARDS[kind] and not action.other_task_seen:
        # At work towards what was asked for, with a task that it does not name.
        _note(action, last_sign_at=now)


def _names(server: Server, task: str) -> bool:
    """Whether the server tells that its last test was this task's."""
    return server.test_failover is not None and server.test_failover.last_task_uuid.lower() == task


def _undisturbed(action: Action, server: Server) -> bool:
    """Whether no task but ours can have led here, as far as was seen: none was named, and none is kept quiet now."""
    return server.issues is not None and not server.busy and not action.other_task_seen


def _keep(action: Action, server: Server, started: datetime) -> None:
    """What the read saw of the server, when it is not what the last one saw."""
    seen = seen_of(server, started)
    if not _is_new(seen, action.evidence):
        return
    with transaction.atomic():
        held = Action.objects.select_for_update().filter(pk=action.pk, state__in=OPEN).first()
        if held is None or not _is_new(seen, held.evidence):
            return
        action.evidence = [*held.evidence[: MOST_EVIDENCE - 1], seen]
        Action.objects.filter(pk=action.pk).update(evidence=action.evidence)
    announce(action)


def _is_new(seen: dict[str, Any], evidence: list[dict[str, Any]]) -> bool:
    return not evidence or {**evidence[-1], "at": ""} != {**seen, "at": ""}


def _at_rest(server: Server) -> bool:
    """Whether the server is certainly not on its way: it says that no task runs, in a status that is known."""
    told = server.issues is not None and server.status is not None and server.status.known
    return told and not server.busy and server.status not in MOVING


def _note(action: Action, **seen: Any) -> None:
    """Keep what was seen; it changes no state, so it needs no audit."""
    Action.objects.filter(pk=action.pk, state=State.ACCEPTED).update(**seen)


def sweep(now: datetime) -> None:
    """Let time speak: a request that was not sent in time expires, a send without an outcome and an accepted action
    without a sign of life are unknown; the first two at once when their process is certainly gone. By compare-and-set,
    so whoever reads first may do it."""
    for action in Action.objects.filter(state__in=[State.REQUESTED, State.SENDING, State.ACCEPTED]):
        settle(action, now)


def settle(action: Action, now: datetime) -> Action:
    """The same for one action, which is returned as it then is."""
    if action.state == State.REQUESTED:
        if _past(action.requested_at, REQUEST_SECONDS, now):
            expire(action, now)
        elif senders.gone(action.sender):
            expire(action, now, english("Its process ended before it was sent, so it never was and never will be."))
    elif action.state == State.SENDING:
        if _past(action.sent_at, SEND_SECONDS, now):
            _lose(action, now, english("It was on its way, and the sender never told what came of it."))
        elif senders.gone(action.sender):
            _lose(action, now, english("Its process ended while it was being sent, and never told what came back."))
    elif action.state == State.ACCEPTED and _past(action.last_sign_at, SILENT.total_seconds(), now):
        _lose(action, now, english("The cloud accepted it, and nothing was seen of it for 10 minutes."))
    return action


def expire(action: Action, now: datetime, error: str = NOT_IN_TIME) -> None:
    """End a request that was not sent."""
    move(action, [State.REQUESTED], State.EXPIRED, now=now, finished_at=now, error=error, detail=error)


def reopen(superseding: Action, now: datetime) -> None:
    """Have it unknown again what the action, which the cloud never took, had gone over: nobody has said a word about
    that yet, and it may still arrive. In the transaction that ends the action, so that nothing comes between."""
    for action in superseding.superseded.filter(state=State.CLOSED, verdict=""):
        detail = f"Action {superseding.pk} was to go over it, and was not taken: its outcome is as unknown as before."
        move(action, [State.CLOSED], State.UNKNOWN, now=now, finished_at=None, detail=detail)


def _lose(action: Action, now: datetime, error: str) -> None:
    move(action, [State(action.state)], State.UNKNOWN, now=now, error=error, detail=error)


def watched(tenant: int) -> frozenset[str]:
    """The keys of the tenant's servers on which an action of ours may be moving: read them closely."""
    live = Action.objects.filter(tenant_id=tenant, state__in=LIVE).exclude(state=State.UNKNOWN)
    return frozenset(live.values_list("server_uuid", flat=True))


def _past(moment: datetime | None, seconds: float, now: datetime) -> bool:
    return moment is None or now - moment > timedelta(seconds=seconds)
