"""Telling a person when an action is free, wherever in drdash they are by then."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from drdash.failover import bells
from drdash.failover.guard import Kind
from drdash.tenants import access
from drdash.web import bellcards, cards
from drdash.web.buttons import never, server_url, tell_url
from drdash.web.frame import frame_of, page, part, server_or_404, user_of, wants_part
from drdash.web.wording import verb


@require_http_methods(["GET", "HEAD", "POST"])
def tell(request: HttpRequest, uuid: str, kind: str) -> HttpResponse:
    """Wait for an action of a server: asks without a script, and takes the answer."""
    if kind not in set(Kind):
        raise Http404
    frame = frame_of(request)
    found = server_or_404(frame, uuid)
    if never(Kind(kind), found.server, frame.role(found.estate.tenant)):
        raise PermissionDenied(gettext("Your role never does this."))
    if request.method != "POST":
        told = {
            "name": cards.name_of(found.server),
            "what": verb(kind, found.server.status),
            "back": server_url(found.server.uuid),
            "here": tell_url(found.server.uuid, kind),
        }
        return page(request, "servers/tell.html", told, frame=frame)
    tenant = frame.reach.tenants[found.estate.tenant]
    bells.ask(user_of(request), tenant, found.server, Kind(kind), now=timezone.now())
    return _answer(request, server_url(found.server.uuid))


@require_POST
def forget(request: HttpRequest, pk: int) -> HttpResponse:
    """They were told, or do not wait any more."""
    bells.forget(user_of(request), pk)
    back = request.POST.get("next", "")
    return _answer(request, back if url_has_allowed_host_and_scheme(back, allowed_hosts=None) else "/")


@require_safe
def shown(request: HttpRequest) -> HttpResponse:
    """What the person waits for, as the part that it is of every page."""
    if not wants_part(request, "bells"):
        return redirect("home")
    told = _context(request)
    return part(request, "_bells.html", {**told, "have": told["bells_have"]})


def _answer(request: HttpRequest, back: str) -> HttpResponse:
    if wants_part(request, "bells"):
        return render(request, "_bells.html", _context(request))
    return redirect(back)


def _context(request: HttpRequest) -> dict[str, Any]:
    return bellcards.context(request.user, access.reach(request.user))
