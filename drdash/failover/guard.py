"""Whether an action may go, and every reason why not: one truth table over what a read of the cloud shows.

Pure. The same function draws the buttons from the snapshot and decides on the click from a fresh read. Each row that
applies gives a reason with the mark of its column; the worst mark decides, and all reasons are listed, worst first.
"""

from collections.abc import Iterator
from enum import StrEnum

import msgspec

from drdash.cloud.records import Issue, Server, Site
from drdash.cloud.words import Readiness, Rel, ServerStatus, ServerType, Severity, SiteStatus
from drdash.english import english
from drdash.failover.reasons import START_ONLY, Mark, Reason, own, remedy_of
from drdash.tenants.roles import Posture, Role

FREE, ACKNOWLEDGE, GLASS, BLOCK = Mark.FREE, Mark.ACKNOWLEDGE, Mark.GLASS, Mark.BLOCK


class Kind(StrEnum):
    """What an action does, by the cloud's verb for it."""

    START_TEST = "start_failover_test"
    START_PROD = "start_failover_prod"
    STOP = "stop_failover"

    @property
    def rel(self) -> Rel:
        """The rel that the cloud's links and issues name for it."""
        return _RELS[self]


_RELS = {Kind.START_TEST: Rel.START_TEST, Kind.START_PROD: Rel.START_PROD, Kind.STOP: Rel.STOP}

TESTS = frozenset({ServerStatus.FAILOVER_TEST, ServerStatus.FAILOVER_TEST_AUTO})
PRODUCTION = frozenset({ServerStatus.FINALIZATION, ServerStatus.FINALIZATION_FAILED, ServerStatus.FAILOVER_PROD})
UNSETTLED = frozenset(
    {
        ServerStatus.STARTING_FAILOVER_TEST,
        ServerStatus.STARTING_FAILOVER_TEST_AUTO,
        ServerStatus.STARTING_FAILOVER_PROD,
        ServerStatus.POWERING_ON,
        ServerStatus.POWERING_OFF,
    }
)


class OwnState(StrEnum):
    """What an open action of ours on the server means to the guard."""

    NONE = "none"
    OPEN = "open"
    START_UNKNOWN = "start unknown"
    STOP_UNKNOWN = "stop unknown"


class Sight(msgspec.Struct, frozen=True):
    """What a read shows of one server. ``problem``: why it could not be read, in a sentence; ``server`` is then only
    what was known before, to tell a test from production. ``server`` None without a problem: the cloud lists no such
    server. ``site`` None: not found, or with ``site_unread``, not answered."""

    server: Server | None
    site: Site | None = None
    site_unread: bool = False
    problem: str = ""


class Verdict(msgspec.Struct, frozen=True):
    """The guard's answer. ``allowed`` still asks for a nod to every code in ``acknowledge``."""

    kind: Kind
    production: bool
    reasons: tuple[Reason, ...]

    @property
    def worst(self) -> Mark:
        """The mark that decides."""
        return max((reason.mark for reason in self.reasons), default=FREE)

    @property
    def allowed(self) -> bool:
        """Whether the action may go."""
        return self.worst <= ACKNOWLEDGE

    @property
    def breakable(self) -> bool:
        """Whether it is blocked by nothing but our own not-knowing, so that an admin may break the glass."""
        return self.worst is GLASS

    @property
    def acknowledge(self) -> tuple[str, ...]:
        """The codes that whoever clicks has to acknowledge, each once."""
        return tuple(dict.fromkeys(reason.code for reason in self.reasons if reason.mark is ACKNOWLEDGE))

    @property
    def glass(self) -> tuple[str, ...]:
        """The codes over which the glass is broken, each once: who breaks it acknowledges them too."""
        return tuple(dict.fromkeys(reason.code for reason in self.reasons if reason.mark is GLASS))


def is_production(kind: Kind, server: Server | None) -> bool:
    """Whether the action counts as production, for the role and the typed name: a stop does unless a test runs."""
    if kind is Kind.STOP:
        return server is None or server.status not in TESTS
    return kind is Kind.START_PROD


def judge(
    kind: Kind,
    sight: Sight,
    *,
    role: Role,
    posture: Posture,
    ours: OwnState = OwnState.NONE,
    unapproved: bool = False,
) -> Verdict:
    """Every row of the table that applies to ``kind``. Never raises: what is not understood blocks. ``unapproved``:
    production needs a second admin's word here, and there is none.
    """
    column = _Column(kind, is_production(kind, sight.server))
    rows = [*_of_role(column, role), *_of_posture(posture), *_of_ours(column, ours, sight)]
    if unapproved:
        rows.append(own("NeedsApproval", column("-O-B")))
    if sight.problem:
        rows.append(own("ReadFailed", column("BOBB"), message=sight.problem))
    elif sight.server is None:
        rows.append(own("ServerGone", BLOCK))
    else:
        rows += [*_of_server(column, sight.server), *_of_site(column, sight), *_of_status(column, sight.server)]
    applying = {(row.code, row.message, row.task_uuids, row.mark): row for row in rows if row.mark is not FREE}
    reasons = sorted(applying.values(), key=lambda reason: -reason.mark)
    return Verdict(kind=kind, production=column.production, reasons=tuple(reasons))


class _Column(msgspec.Struct, frozen=True):
    """One column of the table: start test, start production, stop test, stop production."""

    kind: Kind
    production: bool

    def __call__(self, row: str) -> Mark:
        """This column's mark in ``row``, which spells all four: B, O, A, or - where nothing is wrong."""
        index = {Kind.START_TEST: 0, Kind.START_PROD: 1, Kind.STOP: 3 if self.production else 2}[self.kind]
        return {"B": BLOCK, "O": GLASS, "A": ACKNOWLEDGE, "-": FREE}[row[index]]


def _of_role(column: _Column, role: Role) -> Iterator[Reason]:
    if not role.runs_tests:
        yield own("RoleViewer", BLOCK)
    elif column.production and not role.runs_production:
        yield own("RoleOperator", BLOCK)


def _of_posture(posture: Posture) -> Iterator[Reason]:
    if posture is Posture.WATCH_ONLY:
        yield own("WatchOnly", BLOCK)
    elif posture is not Posture.ARMED:
        yield own("TenantPaused", BLOCK)


def _of_ours(column: _Column, ours: OwnState, sight: Sight) -> Iterator[Reason]:
    if ours is OwnState.OPEN:
        yield own("OurActionOpen", BLOCK)
    elif ours is OwnState.START_UNKNOWN:
        server = sight.server if not sight.problem else None
        at_rest = server is not None and server.status == ServerStatus.STAND_BY and not server.busy
        yield own("OurStartUnknown", column("BOAA" if at_rest else "BBAA"))
    elif ours is OwnState.STOP_UNKNOWN:
        yield own("OurStopUnknown", column("BOBB"))


def _of_server(column: _Column, server: Server) -> Iterator[Reason]:
    if server.type != ServerType.RECOVERY:
        yield own("NotRecovery", BLOCK)
    if server.links is None:
        yield own("LinksUnknown", column("BOBB"))
    elif column.kind.rel not in {link.rel for link in server.links}:
        yield own("NotOffered", BLOCK)
    if server.issues is None:
        yield own("IssuesUnknown", column("BOBB"))
    for issue in server.issues or ():
        yield _of_issue(column, issue)


def _of_issue(column: _Column, issue: Issue) -> Reason:
    if not issue.severity.known:
        return _reason(issue, column("BOBB"), fallback="SeverityUnknown")
    if issue.link is not None and not issue.link.known:
        return _reason(issue, ACKNOWLEDGE)
    if issue.link is not None and issue.link != column.kind.rel:
        return _reason(issue, FREE)
    if issue.severity == Severity.WARNING:
        return _reason(issue, ACKNOWLEDGE)
    if issue.link is None and issue.code.startswith(START_ONLY):
        return _reason(issue, column("BBAA"))
    return _reason(issue, BLOCK)


def _of_site(column: _Column, sight: Sight) -> Iterator[Reason]:
    site = sight.site
    if site is None:
        yield own("SiteUnread" if sight.site_unread else "SiteUnknown", column("BOBB"))
        return
    if site.status != SiteStatus.PROVISIONED or site.deleted_at is not None:
        yield own("SiteNotProvisioned", BLOCK)
    if site.issues is None:
        yield own("SiteIssuesUnknown", column("BOBB"))
    for issue in site.issues or ():
        yield _of_site_issue(column, issue)
    if site.readiness == Readiness.WARNING:
        if not any(issue.severity == Severity.WARNING for issue in site.issues or ()):
            yield own("ReadinessWarning", column("AA--"))
    elif site.readiness != Readiness.OK:
        code = "ReadinessError" if site.readiness == Readiness.ERROR else "ReadinessUnknown"
        yield own(code, column("BO--"))


def _of_site_issue(column: _Column, issue: Issue) -> Reason:
    if issue.code == "SiteNotReady":
        return _reason(issue, BLOCK)
    if not issue.severity.known:
        return _reason(issue, column("BOBB"), fallback="SeverityUnknown")
    if issue.severity == Severity.WARNING:
        return _reason(issue, column("AA--"))
    return _reason(issue, column("BO--" if issue.code.startswith(START_ONLY) else "BOBB"))


def _of_status(column: _Column, server: Server) -> Iterator[Reason]:
    status, tasks = server.status, tuple(sorted(server.task_uuids))
    if server.task_uuid:
        yield own("TaskRunning", BLOCK, task_uuids=tasks)
    if status is None or not status.known:
        yield own("StatusUnknown", column("BOBB"))
    elif status == ServerStatus.STAND_BY:
        yield own("NothingToStop", column("--BB"))
    elif status in TESTS:
        yield own("TestRunning", column("BA--"))
    elif status in PRODUCTION:
        yield own("ProductionStop" if column.kind is Kind.STOP else "ProductionRunning", column("BB-A"))
    elif status in UNSETTLED and not server.busy:
        yield own("Unsettled", column("BBAA"))
    elif not server.task_uuid:
        yield own("StatusBusy", BLOCK, task_uuids=tasks)


def _reason(issue: Issue, mark: Mark, *, fallback: str = "Unnamed") -> Reason:
    """The cloud's issue as a reason, in its own words where it has any."""
    code = issue.code or fallback
    message = issue.message or english("The cloud reports %(code)s, without a word of explanation.", code=code)
    return Reason(code, message, remedy_of(issue.code), mark, issue.task_uuids)
