"""Which failovers run, of what kind each is, and who started it: only what is certain is claimed as ours.

A failover is known by its ``active_failover.id``. Its kind is told while it starts and runs, and is remembered for when
the status does not tell any more. What is known already is known by the process too, so that a read with nothing new
costs no SQL.
"""

import logging
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

import msgspec
from django.db import DatabaseError
from django.db.models import Max

from drdash.cloud.records import Server
from drdash.cloud.words import OpenEnum, ServerStatus
from drdash.failover import notices
from drdash.failover.guard import PRODUCTION, TESTS, Kind
from drdash.failover.models import Action, Failover, Origin, State, Verdict

log = logging.getLogger(__name__)

AUTOMATED = frozenset({ServerStatus.STARTING_FAILOVER_TEST_AUTO, ServerStatus.FAILOVER_TEST_AUTO})
IN_PRODUCTION = PRODUCTION | {ServerStatus.STARTING_FAILOVER_PROD}
IN_TEST = TESTS | AUTOMATED | {ServerStatus.STARTING_FAILOVER_TEST}
# What was sent so long ago, and never cleared up, is not held against a failover that was not there then.
PERHAPS = timedelta(days=1)
LONGEST_ID, LONGEST_KEY = 200, 100
AT_ONCE = 500
# An action in one of these may have led to something; a request or a refusal cannot.
TAKEN = (State.SENDING, State.ACCEPTED, State.UNKNOWN, State.SUCCEEDED, State.FAILED, State.CLOSED)


class _Known(msgspec.Struct, frozen=True):
    """What this process knows of the failover that it last saw on a server. ``final``: its origin stays."""

    id: str
    production: bool | None
    origin: Origin
    final: bool


_known: dict[int, dict[str, _Known]] = {}
_in_production: dict[int, set[str]] = {}


def forget() -> None:
    """Know nothing any more, as a process that has just begun."""
    _known.clear()
    _in_production.clear()


def tells(status: OpenEnum | None) -> bool | None:
    """Whether what runs in this status is production; None where the status does not tell, or nothing runs."""
    if status in IN_PRODUCTION:
        return True
    return False if status in IN_TEST else None


def produces(server: Server, failover: Failover | None) -> bool:
    """Whether a production failover is active or beginning, by the status, or else by what was seen before."""
    told = tells(server.status)
    return bool(failover and failover.production) if told is None and failover_id(server) else bool(told)


def failover_id(server: Server) -> str:
    """The id of the failover that is active on the server; empty for none, and for one that cannot be remembered."""
    known = server.active_failover.id if server.active_failover else ""
    return known if len(known) <= LONGEST_ID and len(server.key) <= LONGEST_KEY else ""


def running(servers: Iterable[tuple[int, Server]]) -> dict[tuple[int, str], Failover]:
    """What is known of the failovers that run on these (tenant, server), by (tenant, server's key)."""
    ids = {(tenant, server.key): failover_id(server) for tenant, server in servers}
    wanted = sorted({one for one in ids.values() if one})
    rows: dict[tuple[int, str, str], Failover] = {}
    for start in range(0, len(wanted), AT_ONCE):
        part = Failover.objects.filter(failover_id__in=wanted[start : start + AT_ONCE])
        for row in part.select_related("action__user"):
            rows[row.tenant_id, row.server_uuid, row.failover_id] = row
    found = {where: rows.get((*where, one)) for where, one in ids.items() if one}
    return {where: row for where, row in found.items() if row is not None}


def note(tenant: int, servers: Collection[Server], *, started: datetime) -> None:
    """Remember what runs on these servers, as a read that began at ``started`` saw them; the tenant's actions have been
    weighed by it already. Never in the way of what else is done with the read.
    """
    known = _known.setdefault(tenant, {})
    news = []
    for server in servers:
        if not (failover := failover_id(server)):
            known.pop(server.key, None)
        elif _is_news(known.get(server.key), failover, server):
            news.append(server)
    try:
        told = _look_into(tenant, news, started, known) if news else []
    except DatabaseError as error:
        log.warning("What runs in tenant %s was not noted: %s", tenant, type(error).__name__)
        return
    if _moved(tenant, servers, known) or told:
        notices.changed(tenant, *(f"server:{key}" for key in told))


def _is_news(known: _Known | None, failover: str, server: Server) -> bool:
    if known is None or known.id != failover or not known.final:
        return True
    return known.production is not _kind(known.production, server) or (
        server.status in AUTOMATED and known.origin is not Origin.AUTOMATED
    )


def _kind(production: bool | None, server: Server) -> bool | None:
    """What the kind is after another look. Production it stays, whatever is said of it afterwards."""
    told = tells(server.status)
    return production if told is None else production or told


def _look_into(tenant: int, servers: list[Server], started: datetime, known: dict[str, _Known]) -> list[str]:
    """Store what is new of these servers' failovers, for all and for the process. The keys of those that changed."""
    rows = running((tenant, server) for server in servers)
    latest = _latest(tenant, [server.key for server in servers])
    made, told, learned = [], [], {}
    for server in servers:
        row, failover = rows.get((tenant, server.key)), failover_id(server)
        production = _kind(row.production if row else None, server)
        # A test that gives way to production may keep its id: whoever started the one need not have started the other.
        anew = row is None or (row.production is False and production is True)
        cause, final = (latest.get(server.key), False) if row is None or anew else (row.action, True)
        if server.status in AUTOMATED:
            origin, final = Origin.AUTOMATED, True
        elif row is None or anew or row.origin == Origin.UNKNOWN:
            origin, final = _origin(server, failover, cause, started, tied=not anew)
        else:
            origin = Origin(row.origin)
        action = cause if origin in (Origin.OURS, Origin.UNKNOWN) else None
        learned[server.key] = _Known(failover, production, origin, final)
        if row is None:
            row = Failover(tenant_id=tenant, server_uuid=server.key, failover_id=failover, seen_at=started)
            row.production, row.origin, row.action = production, origin, action
            made.append(row)
        elif (row.production, row.origin, row.action) == (production, origin, action):
            continue
        else:
            seen_at = started if anew else row.seen_at
            same = Failover.objects.filter(pk=row.pk, production=row.production, origin=row.origin)
            same.update(production=production, origin=origin, action=action, seen_at=seen_at)
        told.append(server.key)
    Failover.objects.bulk_create(made, ignore_conflicts=True)
    known.update(learned)
    return told


def _origin(
    server: Server, failover: str, action: Action | None, started: datetime, *, tied: bool
) -> tuple[Origin, bool]:
    """Whether the action led to this failover, and whether that is the last word. ``tied``: the failover came while
    nobody knew what became of the action."""
    if action is None or action.kind == Kind.STOP:
        return Origin.OUTSIDE, True
    told, ours = tells(server.status), action.task_uuid.lower()
    led = {one.failover_id for one in action.failovers.all() if one.origin == Origin.OURS}
    if led - {failover} or (told is not None and told is not (action.kind == Kind.START_PROD)):
        return Origin.OUTSIDE, True
    # The last read that bore on the action's end is the last of its evidence.
    at_its_end = str(action.evidence[-1].get("active_failover", "")) if action.evidence else ""
    match State(action.state):
        case State.SENDING | State.UNKNOWN:
            return Origin.UNKNOWN, False
        case State.ACCEPTED if action.answered_at and action.answered_at < started:
            ours_seen = action.task_seen_at is not None or ours in server.task_uuids
            undisturbed = not action.other_task_seen and not server.task_uuids - {ours}
            return (Origin.OURS, True) if ours_seen or undisturbed else (Origin.UNKNOWN, False)
        case State.ACCEPTED:
            return Origin.UNKNOWN, False
        case State.SUCCEEDED if at_its_end == failover:
            return Origin.OURS, True
        case State.SUCCEEDED if not at_its_end and _lately(action, started):
            return Origin.UNKNOWN, True
        case State.FAILED if tied or at_its_end == failover:
            return Origin.UNKNOWN, True
        case State.CLOSED if action.verdict == Verdict.HAPPENED and tied:
            return Origin.OURS, True
        case State.CLOSED if action.verdict != Verdict.NOT_HAPPENED and (tied or _lately(action, started)):
            return Origin.UNKNOWN, bool(action.verdict)
    return Origin.OUTSIDE, True


def _lately(action: Action, started: datetime) -> bool:
    return action.sent_at is not None and started - action.sent_at < PERHAPS


def _latest(tenant: int, keys: list[str]) -> dict[str, Action]:
    """The last action on each of these servers that the cloud may have taken."""
    found = {}
    for start in range(0, len(keys), AT_ONCE):
        taken = Action.objects.filter(
            tenant_id=tenant, server_uuid__in=keys[start : start + AT_ONCE], state__in=TAKEN, sent_at__isnull=False
        )
        last = taken.order_by().values("server_uuid").annotate(last=Max("pk")).values("last")
        for action in Action.objects.filter(pk__in=last).prefetch_related("failovers"):
            found[action.server_uuid] = action
    return found


def _moved(tenant: int, servers: Collection[Server], known: dict[str, _Known]) -> bool:
    """Whether production begins or ends to be active on any of these servers, as far as this process saw."""
    before = _in_production.setdefault(tenant, set())
    moved = False
    for server in servers:
        told, one = tells(server.status), known.get(server.key)
        produces = bool(one and one.production) if told is None else told
        if produces != (server.key in before):
            moved = True
            before ^= {server.key}
    return moved
