"""What a batch would do, before it does anything: which of the chosen servers can go, which wait, which cannot."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from enum import StrEnum
from threading import BoundedSemaphore

import msgspec
from django.contrib.auth.models import User
from django.utils import timezone

from drdash.clock import boot_seconds
from drdash.cloud.neighbours.points import Point
from drdash.cloud.records import Server
from drdash.english import english
from drdash.estate.clients import reader
from drdash.estate.fresh import Fresh
from drdash.failover import approvals, points
from drdash.failover.actions import TooMany
from drdash.failover.guard import Kind, Verdict, judge
from drdash.failover.looking import sight_in, usable
from drdash.failover.ours import open_action, own_state
from drdash.failover.points import NoPoint
from drdash.failover.reasons import POINTLESS, Mark, Reason, Remedy, own
from drdash.failover.sighting import Sighting, sight_of
from drdash.failover.survey import survey
from drdash.failover.wish import LONGEST_ID
from drdash.tenants import access
from drdash.tenants.models import Tenant

MOST = 500
# The lists of recovery points are asked for so many at once, and for so long in all.
POINTS_AT_ONCE, POINTS_SECONDS, POINT_SECONDS = 4, 45.0, 8.0

# Each holds one of the web server's threads for as long as the clouds take.
_slots = BoundedSemaphore(4)


class Lot(StrEnum):
    """What becomes of one server."""

    GO = "go"
    WAIT = "wait"
    BLOCKED = "blocked"


class Line(msgspec.Struct, frozen=True):
    """One server: whether it can go, and if not, why. ``server``: the fresh one where it could be read. ``approval``:
    it goes with a second admin's word."""

    tenant: Tenant
    server: Server
    lot: Lot
    reasons: tuple[Reason, ...]
    sighting: Sighting
    point: Point | None = None
    approval: bool = False

    @property
    def nods(self) -> tuple[Reason, ...]:
        """What has to be acknowledged for it, when it goes."""
        return tuple(one for one in self.reasons if one.mark is Mark.ACKNOWLEDGE) if self.lot is Lot.GO else ()

    @property
    def against(self) -> tuple[Reason, ...]:
        """Why it does not go."""
        return tuple(one for one in self.reasons if one.mark > Mark.ACKNOWLEDGE)


class Preflight(msgspec.Struct, frozen=True):
    """What was found of all of them, as of ``at``, in the order of their names."""

    kind: Kind
    production: bool
    before: datetime | None
    at: datetime
    lines: tuple[Line, ...]

    def lot(self, lot: Lot) -> tuple[Line, ...]:
        """The servers that it becomes."""
        return tuple(line for line in self.lines if line.lot is lot)

    @property
    def nods(self) -> dict[str, list[tuple[Line, str]]]:
        """What has to be acknowledged: by code the servers, each with the cloud's words."""
        gathered: dict[str, list[tuple[Line, str]]] = {}
        for line in self.lot(Lot.GO):
            for code in dict.fromkeys(reason.code for reason in line.nods):
                words = " ".join(dict.fromkeys(one.message for one in line.nods if one.code == code))
                gathered.setdefault(code, []).append((line, words))
        return gathered


def preflight(
    *,
    user: User,
    chosen: Sequence[tuple[Tenant, Server]],
    kind: Kind,
    production: bool,
    before: datetime | None,
) -> Preflight:
    """Read the ``chosen`` servers anew, and judge each as the click will. Sends nothing. ``before``: each is to start
    from its newest recovery point before then; one for which none is known is blocked. Raises TooMany.
    """
    if not _slots.acquire(blocking=False):
        raise TooMany(english("Too many are being looked at just now: try again in a moment."))
    try:
        at = timezone.now()
        by_tenant: dict[int, tuple[Tenant, list[Server]]] = {}
        for tenant, server in chosen:
            by_tenant.setdefault(tenant.pk, (tenant, []))[1].append(server)
        fresh = survey(list(by_tenant.values()))
        reach = access.reach(user)
        lines = [
            _line(user, tenant, known, fresh[tenant.pk, known.key], reach, kind, production)
            for tenant, servers in by_tenant.values()
            for known in servers
            if tenant.pk in reach.tenants
        ]
        if before is not None:
            lines = _from_before(lines, before)
    finally:
        _slots.release()
    lines.sort(key=lambda line: (line.server.name.casefold(), line.server.key))
    return Preflight(kind=kind, production=production, before=before, at=at, lines=tuple(lines))


def _line(
    user: User, tenant: Tenant, known: Server, fresh: Fresh, reach: access.Reach, kind: Kind, production: bool
) -> Line:
    role, now, shown = reach.roles[tenant.pk], reach.tenants[tenant.pk], fresh.server or known
    ours = own_state(open_action(tenant, known))
    verdict = judge(kind, sight_in(fresh, known), role=role, posture=now.posture, ours=ours, unapproved=now.two_persons)
    approval = approvals.lacks_only_approval(verdict)
    reasons = _reasons(approvals.lifted(verdict) if approval else verdict, production, shown)
    return Line(
        tenant=tenant,
        server=shown,
        lot=_lot(reasons),
        reasons=reasons,
        sighting=sight_of(user=user.pk, tenant=tenant.pk, kind=kind, server=shown, site=fresh.site, role=role),
        approval=approval,
    )


def _reasons(verdict: Verdict, production: bool, server: Server) -> tuple[Reason, ...]:
    """The guard's, and what only a batch minds."""
    reasons = list(verdict.reasons)
    if any(reason.code == "NothingToStop" for reason in reasons):
        # The role is asked for what could be stopped, and the kind is told by it; there is nothing.
        return tuple(reason for reason in reasons if reason.code != "RoleOperator")
    if verdict.production is not production:
        reasons.insert(0, own("OtherKind", Mark.BLOCK))
    if len(server.key) > LONGEST_ID:
        reasons.insert(0, Reason("", english("Its id is longer than an action can name."), Remedy.ASK, Mark.BLOCK))
    return tuple(reasons)


def _lot(reasons: Sequence[Reason]) -> Lot:
    against = [reason for reason in reasons if reason.mark > Mark.ACKNOWLEDGE]
    if not against:
        return Lot.GO
    passing = all(reason.remedy is Remedy.WAIT and reason.code not in POINTLESS for reason in against)
    return Lot.WAIT if passing else Lot.BLOCKED


def _from_before(lines: Sequence[Line], before: datetime) -> list[Line]:
    """Each line that can go with its recovery point; without one it is blocked, never "the latest"."""
    ends = boot_seconds() + POINTS_SECONDS

    def find(line: Line) -> Point | NoPoint:
        seconds = min(POINT_SECONDS, ends - boot_seconds())
        client = clients[line.tenant.pk]
        try:
            if client is None or seconds <= 0:
                raise NoPoint(
                    english("Its recovery points were not read in time.")
                    if client
                    else english("The cloud cannot be asked.")
                )
            cloud = line.tenant.credential.cloud
            return points.newest(client, line.server, before=before, cloud=cloud, now=timezone.now(), seconds=seconds)
        except NoPoint as none:
            return none

    clients = {line.tenant.pk: usable(reader, line.tenant) for line in lines}
    going = [line for line in lines if line.lot is Lot.GO]
    with ThreadPoolExecutor(POINTS_AT_ONCE, thread_name_prefix="points") as pool:
        found = dict(zip((id(line) for line in going), pool.map(find, going), strict=True))
    return [_with_point(line, found[id(line)]) if line.lot is Lot.GO else line for line in lines]


def _with_point(line: Line, point: Point | NoPoint) -> Line:
    if isinstance(point, NoPoint):
        reason = own("NoPoint", Mark.BLOCK, message=str(point))
        return msgspec.structs.replace(line, lot=Lot.BLOCKED, reasons=(reason, *line.reasons))
    return msgspec.structs.replace(line, point=point)
