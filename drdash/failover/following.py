"""From accepted to its end: what later reads of the cloud say about an action, and what time says of a silent one.

"Accepted" is only the cloud's promise. The words succeeded and failed are used on evidence alone; where there is none,
the word is unknown, and a person closes it.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from drdash.cloud.records import Server
from drdash.cloud.words import ServerStatus
from drdash.failover.guard import PRODUCTION, Kind
from drdash.failover.models import LIVE, Action, State
from drdash.failover.record import announce, move

REQUEST_SECONDS = 30
SEND_SECONDS = 75
SILENT = timedelta(minutes=10)
MOST_EVIDENCE = 50

MOVING = frozenset(
    {
        ServerStatus.STARTING_FAILOVER_TEST,
        ServerStatus.STARTING_FAILOVER_PROD,
        ServerStatus.STOPPING_FAILOVER,
        ServerStatus.POWERING_ON,
        ServerStatus.POWERING_OFF,
    }
)


def reached(kind: Kind, server: Server) -> bool:
    """Whether the server is in the state that the action wanted."""
    if kind is Kind.START_TEST:
        return server.status == ServerStatus.FAILOVER_TEST
    if kind is Kind.START_PROD:
        # In FINALIZATION the machine already runs: it can be used.
        return server.status in PRODUCTION - {ServerStatus.FINALIZATION_FAILED}
    return server.status == ServerStatus.STAND_BY and server.active_failover is None


def observe(tenant: int, servers: Iterable[Server], *, started: datetime, now: datetime) -> None:
    """Let a read that began at ``started`` be evidence for the tenant's accepted actions, and be kept with the unknown
    ones for the person who looks.
    """
    accepted = Q(state=State.ACCEPTED, answered_at__lt=started) | Q(state=State.UNKNOWN, sent_at__lt=started)
    actions = {action.server_uuid: action for action in Action.objects.filter(accepted, tenant_id=tenant)}
    for server in servers if actions else ():
        if action := actions.get(server.key):
            (_weigh if action.state == State.ACCEPTED else _keep)(action, server, started, now)


def _weigh(action: Action, server: Server, started: datetime, now: datetime) -> None:
    kind, tasks = Kind(action.kind), server.task_uuids
    ours_runs = action.task_uuid.lower() in tasks
    others_run = bool(tasks - {action.task_uuid.lower()})
    ours_seen = ours_runs or action.task_seen_at is not None
    if reached(kind, server) and (ours_seen or not (others_run or action.other_task_seen)):
        move(action, [State.ACCEPTED], State.SUCCEEDED, now=now, finished_at=now, detail=f"Seen: {server.status}.")
    elif ours_runs:
        _note(action, task_seen_at=action.task_seen_at or now, last_sign_at=now)
    elif ours_seen and _at_rest(server) and _past(action.last_sign_at, 0, started):
        error = f"The cloud ended the task, and the server is in {server.status}: not what was asked for."
        move(action, [State.ACCEPTED], State.FAILED, now=now, finished_at=now, error=error, detail=error)
    elif others_run and not ours_seen:
        _note(action, other_task_seen=True)


def _keep(action: Action, server: Server, started: datetime, _now: datetime) -> None:
    """What the read saw of the server, when it is not what the last one saw."""
    last_tests = [test.last_task_uuid for test in (server.test_failover, server.automated_test) if test]
    seen = {
        "status": server.status or "",
        "tasks": sorted(server.task_uuids),
        "busy": server.busy,
        "active_failover": server.active_failover.id if server.active_failover else "",
        "last_tasks": sorted(filter(None, last_tests)),
    }
    if not action.evidence or {**action.evidence[-1], "at": ""} != {**seen, "at": ""}:
        kept = [*action.evidence[: MOST_EVIDENCE - 1], {"at": started.isoformat(), **seen}]
        Action.objects.filter(pk=action.pk, state=State.UNKNOWN).update(evidence=kept)
        announce(action)


def _at_rest(server: Server) -> bool:
    """Whether the server is certainly not on its way: it says that no task runs, in a status that is known."""
    told = server.issues is not None and server.status is not None and server.status.known
    return told and not server.busy and server.status not in MOVING


def _note(action: Action, **seen: Any) -> None:
    """Keep what was seen; it changes no state, so it needs no audit."""
    Action.objects.filter(pk=action.pk, state=State.ACCEPTED).update(**seen)


def sweep(now: datetime) -> None:
    """Let time speak: a request that was not sent in time expires, a send without an outcome and an accepted action
    without a sign of life are unknown. By compare-and-set, so whoever reads first may do it."""
    for action in Action.objects.filter(state__in=[State.REQUESTED, State.SENDING, State.ACCEPTED]):
        settle(action, now)


def settle(action: Action, now: datetime) -> Action:
    """The same for one action, which is returned as it then is."""
    if action.state == State.REQUESTED and _past(action.requested_at, REQUEST_SECONDS, now):
        expire(action, now)
    elif action.state == State.SENDING and _past(action.sent_at, SEND_SECONDS, now):
        error = "It was sent, and the sender never told what came back."
        move(action, [State.SENDING], State.UNKNOWN, now=now, error=error, detail=error)
    elif action.state == State.ACCEPTED and _past(action.last_sign_at, SILENT.total_seconds(), now):
        error = "The cloud accepted it, and nothing was seen of it for 10 minutes."
        move(action, [State.ACCEPTED], State.UNKNOWN, now=now, error=error, detail=error)
    return action


def expire(action: Action, now: datetime) -> None:
    """End a request that was not sent in time."""
    error = "It was not sent in time, so it never was and never will be."
    move(action, [State.REQUESTED], State.EXPIRED, now=now, finished_at=now, error=error, detail=error)


def watched(tenant: int) -> frozenset[str]:
    """The keys of the tenant's servers on which an action of ours may be moving: read them closely."""
    live = Action.objects.filter(tenant_id=tenant, state__in=LIVE).exclude(state=State.UNKNOWN)
    return frozenset(live.values_list("server_uuid", flat=True))


def _past(moment: datetime | None, seconds: float, now: datetime) -> bool:
    return moment is None or now - moment > timedelta(seconds=seconds)
