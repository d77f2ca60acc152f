"""The first page: the overview of all that is within reach, or of one tenant."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from drdash.estate.models import Moment
from drdash.failover import approvals, origins
from drdash.failover.models import Action, State
from drdash.tenants.access import Reach
from drdash.tenants.models import Tenant
from drdash.tenants.roles import Role
from drdash.web import batchcards, fleet, needs, overview, tenants, tested, watched
from drdash.web.fleet import overview_url
from drdash.web.frame import Frame, digest, frame_of, page, part, user_of, wants_part
from drdash.web.needs import Told
from drdash.web.overview import FEW, Line, section
from drdash.web.said import stored
from drdash.web.tenantcards import state_of
from drdash.web.watched import SiteTile, Watched, is_ready

# An action that failed is everybody's to know for so long, unless something was done there since.
OF_LATE = timedelta(hours=24)
MOMENTS = 500
TILES, READY_TILES = 24, 8


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The overview, worst first; ``?tenant=`` of that one alone."""
    frame = frame_of(request)
    if not frame.reach.tenants and tenants.begins(request):
        return redirect("connect")
    one = _chosen(frame.reach, request.GET.get("tenant", ""))
    shown = {one.pk: one} if one else dict(frame.reach.tenants)
    context = _context(request, frame, shown, timezone.now()) | {"one": one}
    body = render_to_string("overview/_overview.html", context, request)
    context = {
        "body": body,
        "have": digest([body]),
        "here": overview_url(one.pk) if one else reverse("home"),
        "one": one,
    }
    if wants_part(request, "overview"):
        return part(request, "overview/_live.html", context)
    return page(request, "overview/page.html", context, frame=frame)


def _chosen(reach: Reach, asked: str) -> Tenant | None:
    """The tenant that is asked for; 404 for what is not within reach."""
    if not asked:
        return None
    known = {str(pk): tenant for pk, tenant in reach.tenants.items()}
    if asked not in known:
        raise Http404
    return known[asked]


def _context(request: HttpRequest, frame: Frame, shown: Mapping[int, Tenant], now: datetime) -> dict[str, Any]:
    names = {pk: tenant.name for pk, tenant in shown.items()}
    live = {where: action for where, action in frame.live.items() if where[0] in shown}
    failed = _failed(shown, now)
    found = _watched(frame, shown, live, now)
    active = [seen for one in found for seen in one.active]
    runs = origins.running((seen.estate.tenant, seen.server) for seen in active)
    states = {pk: (frame.estates[pk].health, state_of(shown[pk], frame.estates[pk].health, now)) for pk in shown}
    keeps = _keeps(request, frame, shown)
    told = [told for one in found for told in one.needs]
    told += needs.of_actions(live.values(), failed, names)
    told += needs.of_tenants(((shown[pk], *states[pk]) for pk in shown), keeps, {pk: overview_url(pk) for pk in shown})
    told += _asked_of(request, frame, names)
    only = "".join(map(str, shown)) if len(shown) == 1 < len(frame.reach.tenants) else ""
    return {
        "fleet": fleet.fleet(found, states, [*live.values(), *failed], runs) if len(shown) >= fleet.MANY else None,
        "needs": _dated(section(needs.worst_first(told))),
        "needs_lists": needs.lists(told, only),
        "running": _dated(overview.running(active, live, names, runs)),
        "never_polled": bool(shown) and all(health.as_of is None for health, _ in states.values()),
        "troubled": [stored(one.error) for one, _ in states.values() if one.as_of is None and one.error][:1],
        "keeps_url": reverse("tenant", args=[min(keeps)]) if len(shown) == 1 and keeps else "",
        "no_tenant": not shown,
        "stale": any(frame.stale[pk] for pk in shown),
        "many_tenants": len(shown) > 1,
        **_counts(found, only, overview.tests_left(active, names, runs)),
        **_sites(found, frame.stale),
    }


def _watched(
    frame: Frame, shown: Mapping[int, Tenant], live: Mapping[tuple[int, str], Action], now: datetime
) -> list[Watched]:
    ours: dict[int, dict[str, Action]] = defaultdict(dict)
    for (pk, key), action in live.items():
        ours[pk][key] = action
    return [watched.watched(tenant, frame.estates[pk], ours[pk], now) for pk, tenant in shown.items()]


def _counts(found: Sequence[Watched], only: str, lefts: list[Line]) -> dict[str, Any]:
    """What is listed elsewhere: counted, with the first few. ``only``: the one tenant of several that is shown."""
    due = sorted((line for one in found for line in one.due), key=overview.by_age)
    blocked = [line for one in found for line in one.blocked]
    return {
        "tests": section(lefts, overview.listed(status="FAILOVER_TEST", tenant=only)),
        "blocked": section(blocked, overview.listed(blocked="true", tenant=only), shown=FEW),
        "due": section(due, overview.listed(tested="due", tenant=only), shown=FEW),
        "due_days": tested.DUE_DAYS,
        "tiles": overview.by_status(sum((Counter(one.statuses) for one in found), Counter()), only),
        "recovery_url": overview.listed(type="RECOVERY", tenant=only),
        "held": sum(one.held for one in found),
        "total": sum(one.servers for one in found),
        "recovery": sum(one.recovery for one in found),
    }


def _failed(shown: Mapping[int, Tenant], now: datetime) -> list[Action]:
    """The actions that failed of late, but for those after which another was taken up on the same server."""
    late = Action.objects.filter(tenant__in=list(shown), state=State.FAILED, finished_at__gt=now - OF_LATE)
    failed = list(late.select_related("user"))
    if not failed:
        return []
    since = Action.objects.filter(tenant__in=list(shown), server_uuid__in={one.server_uuid for one in failed})
    since = since.filter(state__in=origins.TAKEN).order_by("pk")
    last = {(tenant, key): pk for tenant, key, pk in since.values_list("tenant_id", "server_uuid", "pk")}
    return [one for one in failed if last.get((one.tenant_id, one.server_uuid)) == one.pk]


def _keeps(request: HttpRequest, frame: Frame, shown: Iterable[int]) -> frozenset[int]:
    """The tenants whose page the reader may open."""
    return frozenset(pk for pk in shown if request.user.is_superuser or frame.role(pk) is Role.ADMIN)


def _asked_of(request: HttpRequest, frame: Frame, names: Mapping[int, str]) -> list[Told]:
    """What waits for the reader: an approval, a batch of their own."""
    user, two = user_of(request), any(tenant.two_persons for tenant in frame.reach.tenants.values())
    asked = approvals.waiting_for(user, timezone.now()) if two else []
    paused = batchcards.waiting(user.pk, frame.reach)
    return [
        *needs.of_approvals((one for one in asked if one.tenant_id in names), names),
        *needs.of_batches(paused.filter(items__tenant__in=list(names)).distinct()),
    ]


def _dated(of: overview.Section) -> overview.Section:
    """The section with the time of the change behind each line that has no time, where a poll saw that change."""
    wanted = {line.changed for line in of.lines if line.changed and line.at is None}
    if not wanted:
        return of
    moments = Moment.objects.filter(
        tenant__in={tenant for tenant, _, _ in wanted}, server_uuid__in={key for _, key, _ in wanted}
    )
    seen: dict[tuple[int, str, str], datetime] = {}
    for tenant, key, at, changes in moments.values_list("tenant_id", "server_uuid", "at", "changes")[:MOMENTS]:
        for change in changes:
            seen.setdefault((tenant, key, str(change.get("what", ""))), at)
    lines = tuple(
        msgspec.structs.replace(line, at=seen[line.changed]) if line.changed in seen and line.at is None else line
        for line in of.lines
    )
    return msgspec.structs.replace(of, lines=lines)


def _sites(found: Iterable[Watched], stale: Mapping[int, bool]) -> dict[str, Any]:
    """The sites: those that are not ready first, then those with caution; those that are ready stand folded when they
    are many."""
    every = [tile for one in found for tile in one.sites]
    worse = sorted((tile for tile in every if not is_ready(tile)), key=_badness)
    ready = [tile for tile in every if is_ready(tile)]
    return {
        "sites": [(tile, stale[tile.tenant]) for tile in worse[:TILES]],
        "sites_more": max(0, len(worse) - TILES),
        "ready": [(tile, stale[tile.tenant]) for tile in ready[:TILES]],
        "ready_more": max(0, len(ready) - TILES),
        "ready_count": len(ready),
        "folded": len(ready) > READY_TILES,
        "sites_count": len(every),
    }


def _badness(tile: SiteTile) -> tuple[int, str, str]:
    return {"bad": 0, "warn": 1}.get(tile.readiness.tone, 2), tile.owner.casefold(), tile.name.uuid
