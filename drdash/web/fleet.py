"""Many tenants in one look: a line for each, the worst first, and those that are well in one. Pure but for words."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
from django.urls import reverse

from drdash.cloud.words import ServerStatus
from drdash.estate.snapshot import Health
from drdash.failover import origins
from drdash.failover.models import Action, State
from drdash.web import needs, overview, wording
from drdash.web.needs import Need
from drdash.web.overview import Runs, listed
from drdash.web.phrases import phrase
from drdash.web.tenantcards import STATES
from drdash.web.watched import Watched
from drdash.web.wording import Look

# From so many tenants on the overview begins with them.
MANY = 6
MOST = 20

PRODUCTION = Look(phrase("Production active"), "prod", "production")
TESTS_LEFT = Look(phrase("Test running"), "moving", "test")
SITE_NOT_READY = Look(phrase("Site not ready"), "bad", "bad")
WELL = Look(phrase("Well"), "good", "good")
RUNNING = Look(phrase("Under way"), "moving", "moving")

# What a tenant is shown by, the worst first. What is not here is no trouble.
_ORDER = (
    "unknown",
    "half-done",
    "failed",
    "production",
    "unread",
    "unready",
    "missing",
    "critical",
    "late",
    "test-failed",
    "blocked",
    "tests-left",
)
_LOOKS: dict[str, Look] = {
    "unknown": wording.STATE[State.UNKNOWN],
    "half-done": wording.SERVER_STATUS[ServerStatus.FINALIZATION_FAILED],
    "failed": Look(phrase("Action failed"), "bad", "bad"),
    "production": PRODUCTION,
    "unready": SITE_NOT_READY,
    "missing": needs.MISSING,
    "critical": wording.RPO["CRITICAL"],
    "late": wording.RPO["ERROR"],
    "test-failed": wording.AUTOMATED_TEST["FAILURE"],
    "blocked": overview.BLOCKED,
    "tests-left": TESTS_LEFT,
    "running": RUNNING,
    "due": overview.DUE,
}
_OF_NEED = {
    Need.HALF_DONE: "half-done",
    Need.UNREADY: "unready",
    Need.MISSING: "missing",
    Need.BACKUP_CRITICAL: "critical",
    Need.BACKUP_LATE: "late",
    Need.TEST_FAILED: "test-failed",
}
_OF_STATE: dict[str, str] = {State.UNKNOWN: "unknown", State.FAILED: "failed"}


class Mark(msgspec.Struct, frozen=True):
    """How many of a tenant's things are so, and where they are listed."""

    look: Look
    count: int
    url: str


class FleetLine(msgspec.Struct, frozen=True):
    """A tenant in one line. ``look``: the worst of it; ``text``: why it is not read, since ``at``."""

    tenant: int
    name: str
    look: Look
    url: str
    marks: tuple[Mark, ...]
    servers: int
    recovery: int
    sites: int
    text: str = ""
    at: datetime | None = None
    stale: bool = False


class Fleet(msgspec.Struct, frozen=True):
    """Every tenant: the worst, those that are not well besides, those that a person paused, and those that are well."""

    worst: tuple[FleetLine, ...]
    besides: tuple[FleetLine, ...]
    paused: tuple[FleetLine, ...]
    well: tuple[FleetLine, ...]
    count: int


def fleet(
    found: Sequence[Watched],
    states: Mapping[int, tuple[Health, str]],
    actions: Iterable[Action],
    runs: Runs,
) -> Fleet:
    """The tenants, each with its health and state (tenantcards.STATES), with our actions that are not over or failed of
    late, and what is known of what runs."""
    of_ours: dict[int, Counter[str]] = defaultdict(Counter)
    for action in actions:
        if action.state in _OF_STATE:
            of_ours[action.tenant_id][_OF_STATE[action.state]] += 1
    ranked: list[tuple[int, Watched, Counter[str]]] = []
    paused: list[FleetLine] = []
    well: list[FleetLine] = []
    for one in found:
        health, state = states[one.tenant]
        counts = of_ours[one.tenant] + _counts(one, runs) + Counter(unread=state not in {"watching", "paused"})
        trouble = next((rank for rank, kind in enumerate(_ORDER) if counts[kind]), None)
        if trouble is not None:
            ranked.append((trouble, one, counts))
        else:
            (paused if state == "paused" else well).append(_line(one, health, state))
    ranked.sort(key=lambda told: (told[0], told[1].name.casefold(), told[1].tenant))
    return Fleet(
        worst=tuple(_line(one, *states[one.tenant], counts) for _, one, counts in ranked[:MOST]),
        besides=tuple(_line(one, *states[one.tenant]) for _, one, _ in ranked[MOST:]),
        paused=tuple(paused),
        well=tuple(well),
        count=len(found),
    )


def overview_url(tenant: int) -> str:
    """The overview of one tenant."""
    return f"{reverse('home')}?tenant={tenant}"


def _counts(one: Watched, runs: Runs) -> Counter[str]:
    counts = Counter({"blocked": len(one.blocked), "due": len(one.due)})
    counts.update(_OF_NEED[need] for need, _ in one.needs)
    for seen in one.active:
        if seen.seen.missing_since:
            continue
        produces = origins.produces(seen.server, runs.get((one.tenant, seen.key)))
        counts["production" if produces else "tests-left" if overview.is_left(seen.server) else "running"] += 1
    return counts


def _line(one: Watched, health: Health, state: str, counts: Mapping[str, int] | None = None) -> FleetLine:
    counts = counts or {}
    looks = {**_LOOKS, "unread": STATES[state]}
    kinds = [kind for kind in (*_ORDER, "running", "due") if counts.get(kind)]
    worst = next((kind for kind in kinds if kind in _ORDER), "")
    return FleetLine(
        tenant=one.tenant,
        name=one.name,
        look=looks[worst] if worst else STATES["paused"] if state == "paused" else WELL,
        url=overview_url(one.tenant),
        marks=tuple(Mark(looks[kind], counts[kind], _url(kind, one.tenant)) for kind in kinds if kind != "unread"),
        servers=one.servers,
        recovery=one.recovery,
        sites=len(one.sites),
        text=needs.unread(health, state),
        at=health.failing_since,
        stale=state != "watching",
    )


def _url(kind: str, tenant: int) -> str:
    """Where what a mark counts is listed: filtered, where a list can do that, else in the tenant's own overview."""
    of = str(tenant)
    match kind:
        case "unknown" | "failed":
            return f"{reverse('actions')}?state={kind}"
        case "half-done":
            return listed(status=ServerStatus.FINALIZATION_FAILED, tenant=of)
        case "blocked":
            return listed(blocked="true", tenant=of)
        case "tests-left":
            return listed(status=ServerStatus.FAILOVER_TEST, tenant=of)
        case "due":
            return listed(tested="due", tenant=of)
        case "test-failed":
            return listed(tested="failed", tenant=of)
        case "unready":
            return f"{overview_url(tenant)}#sites"
        case "running" | "production":
            return f"{overview_url(tenant)}#running"
    return f"{overview_url(tenant)}#needs"
