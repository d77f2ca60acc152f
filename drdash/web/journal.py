"""The pages of what was done: actions, one action, the audit."""

from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from drdash.audit.models import Entry
from drdash.failover import closing
from drdash.failover.models import Action, State
from drdash.tenants.models import Tenant
from drdash.web import cards, finding, rows, wording
from drdash.web.actioncards import action_card, action_url, audit_words
from drdash.web.buttons import server_url
from drdash.web.frame import Frame, digest, frame_of, page, part, wants_part

PAGE = 50


@require_safe
def actions(request: HttpRequest) -> HttpResponse:
    """What was asked for and what came of it, the newest first; ``state`` and ``server`` filter."""
    frame = frame_of(request)
    asked = frame.reach.only(Action.objects.select_related("user", "tenant"))
    # A database need not take a NUL in a text.
    state, server = (request.GET.get(name, "").replace("\0", "") for name in ("state", "server"))
    server = server.lower()
    if state:
        asked = asked.filter(state=state)
    if server:
        asked = asked.filter(server_uuid=server)
    context = _paged(request, asked, reverse("actions"), {"state": state, "server": server})
    context["rows"] = [rows.action_row(action) for action in context["shown"]]
    context["have"] = digest([context["url"], context["count"], *(action.pk for action in context["shown"])])
    if wants_part(request, "results"):
        return part(request, "actions/_results.html", context)
    context["states"] = [(str(one), wording.STATE[one].word) for one in State]
    return page(request, "actions/page.html", context, frame=frame, topics=["action-row-*"])


@require_safe
def action(request: HttpRequest, pk: int) -> HttpResponse:
    """One action, from click to outcome."""
    frame = frame_of(request)
    found = frame.reach.only(Action.objects.select_related("user", "tenant").filter(pk=pk)).first()
    if found is None:
        raise Http404
    return _one(request, frame, found)


@require_POST
def close(request: HttpRequest, pk: int) -> HttpResponse:
    """A person's word on an action whose outcome is unknown."""
    frame = frame_of(request)
    found = frame.reach.only(Action.objects.select_related("user", "tenant").filter(pk=pk)).first()
    if found is None or not isinstance(request.user, User):
        raise Http404
    verdict, why = (request.POST.get(name, "").replace("\0", "")[:2000] for name in ("verdict", "why"))
    try:
        closing.close(
            found, by=request.user, verdict=verdict, why=why, alone="alone" in request.POST, now=timezone.now()
        )
    except closing.NotClosed as problem:
        return _one(request, frame, found, problem=str(problem), verdict=verdict, why=why)
    return redirect(action_url(found))


def _one(request: HttpRequest, frame: Frame, found: Action, **tried: str) -> HttpResponse:
    context: dict[str, Any] = {"card": action_card(found), "panel": rows.action_panel(found), "action": found, **tried}
    if found.state == State.UNKNOWN and isinstance(request.user, User):
        known = finding.one(frame.estates, found.server_uuid)
        context["closing"] = {
            "may": closing.may(request.user, found),
            "when": closing.from_when(found),
            "now": timezone.now() >= closing.from_when(found),
            "another": closing.needs_another(request.user, found),
            "verdicts": closing.Verdict.choices,
            "links": cards.links_out(known.server.links) if known else (),
        }
    topics = [f"action-panel-{found.pk}"]
    return page(request, "actions/one.html", context, frame=frame, topics=topics, status=409 if tried else 200)


@require_safe
def audit(request: HttpRequest) -> HttpResponse:
    """Who did what, when, with what outcome, the newest first. What belongs to no tenant, or to none that is left, is
    for superusers.
    """
    frame = frame_of(request)
    within = Q(tenant__in=list(frame.reach.tenants))
    if request.user.is_superuser:
        within |= Q(tenant=None) | Q(
            tenant__in=list(Tenant.objects.exclude(removed_at=None).values_list("pk", flat=True))
        )
    context = _paged(request, Entry.objects.filter(within), reverse("audit"), {})
    names = dict(Tenant.objects.filter(pk__in={entry.tenant for entry in context["shown"]}).values_list("pk", "name"))
    told = Action.objects.in_bulk([entry.action for entry in context["shown"] if entry.action])
    context["entries"] = [
        _shown(entry, told.get(entry.action), names.get(entry.tenant, "")) for entry in context["shown"]
    ]
    context["have"] = digest([context["url"], *(entry.pk for entry in context["shown"])])
    if wants_part(request, "results"):
        return part(request, "audit/_results.html", context)
    return page(request, "audit/page.html", context, frame=frame)


def _shown(entry: Entry, action: Action | None, tenant: str) -> dict[str, Any]:
    return {
        "entry": entry,
        "tenant": tenant,
        "words": audit_words(entry.verb, action),
        "action_url": action_url(action) if action else "",
        "server_url": server_url(entry.server_uuid) if entry.server_uuid else "",
        "server_name": (action.server_name if action else "") or entry.server_uuid,
    }


def _paged(request: HttpRequest, listed: Any, here: str, params: dict[str, str]) -> dict[str, Any]:
    pages = Paginator(listed, PAGE)
    shown = pages.get_page(request.GET.get("page"))
    given = {name: value for name, value in params.items() if value}

    def url(number: int) -> str:
        query = {**given, "page": str(number)} if number > 1 else given
        return f"{here}?{urlencode(query)}" if query else here

    return {
        "shown": shown,
        "count": pages.count,
        "url": url(shown.number),
        "earlier": url(shown.number - 1) if shown.has_previous() else "",
        "later": url(shown.number + 1) if shown.has_next() else "",
        "given": given,
    }
