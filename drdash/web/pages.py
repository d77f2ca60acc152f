"""The pages that show the estates: sites, servers."""

from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from drdash.cloud.records import Site
from drdash.estate.snapshot import Estate, Seen
from drdash.failover import origins
from drdash.web import cards, finding, preflights, rows, shift, timeline, wording
from drdash.web.finding import Found, Wanted
from drdash.web.frame import Frame, digest, frame_of, page, part, server_or_404, unkept, wants_part
from drdash.web.wording import look_of

COLUMNS = (
    ("name", "Server"),
    ("status", "Status"),
    ("site", "Site"),
    ("address", "Address"),
    ("rpo", "Backup"),
    ("tested", "Last test"),
    ("issues", "Issues"),
    ("", "Actions"),
)
JUMPS = 10


@require_safe
def servers(request: HttpRequest) -> HttpResponse:
    """The list of servers; its filters live in the URL."""
    frame = frame_of(request)
    wanted = Wanted.of(request.GET.dict())
    context = _results(frame, wanted)
    if wants_part(request, "results"):
        response = part(request, "servers/_results.html", context)
        if "X-Refresh" not in request.headers:
            response.headers["HX-Push-Url"] = context["url"]
        return response
    everything = finding.find(frame.estates, Wanted(), is_blocked=frame.is_blocked)
    context |= {"choices": _choices(frame, everything, wanted)}
    return page(request, "servers/page.html", context, frame=frame, topics=["server-row-*"])


@require_safe
def server(request: HttpRequest, uuid: str) -> HttpResponse:
    """Everything about one server."""
    frame = frame_of(request)
    found = server_or_404(frame, uuid)
    tenant = found.estate.tenant
    panel = rows.server_panel(
        frame.reach.tenants[tenant],
        found.estate,
        found.seen,
        role=frame.role(tenant),
        ours=frame.live.get((tenant, found.key)),
        runs=origins.running([(tenant, found.server)]).get((tenant, found.key)),
        stale=frame.stale[tenant],
    )
    card = cards.server_card(found.seen, found.site)
    context = {
        "card": card,
        "panel": panel,
        "tenant_name": frame.reach.tenants[tenant].name,
        **shift.context(request, frame, found),
        **timeline.context(card, timeline.history(tenant, found.key)),
    }
    return page(request, "servers/one.html", context, frame=frame, topics=[f"server-panel-{found.key}"])


@require_safe
def jump(request: HttpRequest) -> HttpResponse:
    """Links to the servers whose name or address contains what was typed."""
    frame = frame_of(request)
    text = request.GET.get("q", "").strip()
    found = finding.find(frame.estates, Wanted(q=text), is_blocked=frame.is_blocked) if text else []
    shown = [cards.server_card(one.seen, one.site) for one in found[:JUMPS]]
    more = f"{reverse('servers')}?{urlencode({'q': text})}" if len(found) > JUMPS else ""
    context = {"cards": shown, "text": text, "more": more, "count": len(found)}
    return unkept(render(request, "servers/_jump.html", context))


@require_safe
def sites(request: HttpRequest) -> HttpResponse:
    """The list of sites, those that are not ready first."""
    frame = frame_of(request)
    listed = _sites(frame)
    context = {
        "rows": [
            rows.site_row(frame.reach.tenants[estate.tenant], estate, seen, stale=frame.stale[estate.tenant])
            for estate, seen in listed
        ],
        "have": digest(seen.record.key for _, seen in listed),
    }
    if wants_part(request, "results"):
        return part(request, "sites/_results.html", context)
    return page(request, "sites/page.html", context, frame=frame, topics=["site-row-*"])


@require_safe
def site(request: HttpRequest, uuid: str) -> HttpResponse:
    """Everything about one site, and the servers that name it."""
    frame = frame_of(request)
    key = uuid.lower()
    for estate in frame.estates.values():
        if seen := estate.sites.get(key):
            break
    else:
        raise Http404
    stale = frame.stale[estate.tenant]
    on_site = finding.find({estate.tenant: estate}, Wanted(site=key), is_blocked=frame.is_blocked)
    context = {
        "card": cards.site_card(seen, estate),
        "panel": rows.site_panel(frame.reach.tenants[estate.tenant], estate, seen, stale=stale),
        "rows": frame.rows(on_site[: finding.PAGE]),
        "have": digest([len(on_site), *(one.key for one in on_site[: finding.PAGE])]),
        "count": len(on_site),
        "columns": [{"name": name, "label": label} for name, label in COLUMNS],
        "tenant_name": frame.reach.tenants[estate.tenant].name,
    }
    if wants_part(request, "results"):
        return part(request, "sites/_servers.html", context)
    return page(request, "sites/one.html", context, frame=frame, topics=[f"site-panel-{key}", "server-row-*"])


def _sites(frame: Frame) -> list[tuple[Estate, Seen[Site]]]:
    """Every site within reach, those that are not ready first."""
    rank = {"bad": 0, "warn": 1, "still": 2, "moving": 3, "good": 4}
    listed = [(estate, seen) for estate in frame.estates.values() for seen in estate.sites.values()]
    listed.sort(key=lambda one: (rank[look_of(wording.READINESS, one[1].record.readiness).tone], one[1].record.key))
    return listed


def _results(frame: Frame, wanted: Wanted) -> dict[str, Any]:
    found = finding.find(frame.estates, wanted, is_blocked=frame.is_blocked)
    pages = Paginator(found, finding.PAGE)
    shown = pages.get_page(wanted.page)
    here = reverse("servers")

    def url(**changed: Any) -> str:
        params = wanted.params(**changed)
        return f"{here}?{urlencode(params)}" if params else here

    columns = [
        {
            "name": name,
            "label": label,
            "url": url(sort=f"-{name}" if wanted.sort == name else name, page=1) if name else "",
            "order": {name: "ascending", f"-{name}": "descending"}.get(wanted.sort, "") if name else "",
        }
        for name, label in COLUMNS
    ]
    many = preflights.eligible(frame, found)
    return {
        "wanted": wanted,
        "many": len(many),
        "offers": preflights.offered(frame) if many else [],
        "query": f"?{urlencode(wanted.params())}" if wanted.params() else "",
        "rows": frame.rows(shown),
        "shown": shown,
        "count": len(found),
        "columns": columns,
        "url": url(page=shown.number),
        "earlier": url(page=shown.number - 1) if shown.has_previous() else "",
        "later": url(page=shown.number + 1) if shown.has_next() else "",
        "have": digest([wanted, len(found), *((one.estate.tenant, one.key) for one in shown)]),
        "filtered": bool(wanted.params(sort="name", page=1)),
        "never_polled": all(estate.health.as_of is None for estate in frame.estates.values()),
    }


def _choices(frame: Frame, everything: list[Found], wanted: Wanted) -> dict[str, list[tuple[str, str]]]:
    """What the filters offer: what is there, and what was asked for."""
    statuses = {str(one.server.status) for one in everything if one.server.status} | {wanted.status} - {""}
    types = {str(one.server.type) for one in everything if one.server.type} | {wanted.type, "PRIMARY", "RECOVERY"} - {
        ""
    }
    places = {one.server.site_uuid: cards.site_name(one.server.site_uuid, one.site).short for one in everything}
    places = {uuid: short for uuid, short in places.items() if uuid}
    if wanted.site and wanted.site.lower() not in {uuid.lower() for uuid in places}:
        places[wanted.site] = wanted.site
    return {
        "status": sorted(((one, look_of(wording.SERVER_STATUS, one).word) for one in statuses), key=lambda one: one[1]),
        "type": sorted((one, one.capitalize()) for one in types),
        "site": sorted(places.items(), key=lambda one: one[1]),
        "tenant": [(str(pk), tenant.name) for pk, tenant in frame.reach.tenants.items()],
    }
