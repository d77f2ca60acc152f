"""The pages of one server and one site, and the jump box."""

from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from drdash.failover import origins
from drdash.web import cards, finding, rows, shift, timeline
from drdash.web.columns import COLUMNS
from drdash.web.finding import Wanted
from drdash.web.frame import digest, frame_of, page, part, server_or_404, wants_part

JUMPS = 10


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
        **timeline.context(card, timeline.history(tenant, found.key, site=found.server.site_key)),
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
    return render(request, "servers/_jump.html", context)


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
        "columns": COLUMNS.items(),
        "tenant_name": frame.reach.tenants[estate.tenant].name,
    }
    if wants_part(request, "results"):
        return part(request, "sites/_servers.html", context)
    return page(request, "sites/one.html", context, frame=frame, topics=[f"site-panel-{key}", "server-row-*"])
