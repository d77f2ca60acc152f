"""The dialogs of the actions: GET shows one from a fresh read of the cloud, POST carries the wish through."""

import json
from typing import Any

from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from drdash.failover import actions
from drdash.failover.actions import Invalid, KeyReused, Preview, TooMany
from drdash.failover.guard import Kind
from drdash.failover.models import Action, State
from drdash.failover.reasons import Mark
from drdash.failover.sighting import Expired
from drdash.tenants.models import Tenant
from drdash.tenants.roles import Role
from drdash.web import cards, points, rows
from drdash.web.actioncards import action_card, action_url
from drdash.web.buttons import dialog_url, server_url, shown_reason
from drdash.web.finding import Found
from drdash.web.forms import BY_IDS, LATEST, WishForm, new_key
from drdash.web.frame import Frame, frame_of, page, server_or_404, unkept
from drdash.web.wording import verb

GOING_WELL = frozenset({State.REQUESTED, State.SENDING, State.ACCEPTED, State.SUCCEEDED})
ROLE_REASONS = frozenset({"RoleViewer", "RoleOperator"})


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def dialog(request: HttpRequest, uuid: str, kind: str) -> HttpResponse:
    """An action's dialog."""
    if kind not in set(Kind):
        raise Http404
    frame = frame_of(request)
    found = server_or_404(frame, uuid)
    if request.method == "POST":
        return _send(request, frame, found, Kind(kind))
    return _ask(request, frame, found, Kind(kind))


def _ask(
    request: HttpRequest, frame: Frame, found: Found, kind: Kind, *, problem: str = "", status: int = 200
) -> HttpResponse:
    """The dialog as a fresh read of the cloud allows it. ``problem``: what was wrong with the last try."""
    user, tenant = _user(request), frame.reach.tenants[found.estate.tenant]
    seen = actions.preview(user=user, tenant=tenant, server=found.server, kind=kind)
    context = _context(seen, kind, tenant) | {
        "problem": problem,
        "key": new_key(),
        "seen": seen.token,
        "point": LATEST,
    }
    return _dialog(request, frame, context, status)


def _send(request: HttpRequest, frame: Frame, found: Found, kind: Kind) -> HttpResponse:
    user, tenant = _user(request), frame.reach.tenants[found.estate.tenant]
    form = WishForm(request.POST, kind=kind)
    try:
        if not form.is_valid():
            raise Invalid(" ".join(str(one) for errors in form.errors.values() for one in errors))
        wish = form.wish(user=user.pk, server=found.server)
        action, _ = actions.request(user=user, tenant=tenant, server=found.server, wish=wish)
    except Expired as problem:
        return _ask(request, frame, found, kind, problem=str(problem), status=409)
    except KeyReused as problem:
        return _ask(request, frame, found, kind, problem=str(problem), status=409)
    except Invalid as problem:
        return _again(request, frame, found, kind, str(problem), 422)
    except TooMany as problem:
        return _again(request, frame, found, kind, str(problem), 503)
    return _done(request, found, kind, action)


def _again(request: HttpRequest, frame: Frame, found: Found, kind: Kind, problem: str, status: int) -> HttpResponse:
    """The dialog once more, with what was typed, as nothing was recorded or sent."""
    user, tenant = _user(request), frame.reach.tenants[found.estate.tenant]
    seen = actions.preview(user=user, tenant=tenant, server=found.server, kind=kind)
    context = _context(seen, kind, tenant) | {
        "problem": problem,
        "key": request.POST.get("key") or new_key(),
        "seen": seen.token,
        "point": request.POST.get("point", LATEST),
        "typed": {name: request.POST.get(name, "") for name in ("backup_id", "archive_id", "vault_id", "confirm")},
        "ticked": request.POST.getlist("acknowledge"),
    }
    return _dialog(request, frame, context, status)


def _done(request: HttpRequest, found: Found, kind: Kind, action: Action) -> HttpResponse:
    """What became of it: the dialog closes when it goes well, and else says why; the page shows it either way."""
    if request.headers.get("HX-Request") != "true":
        return redirect(action_url(action), permanent=False)
    refused = action.state == State.REFUSED and action.status is None
    well = action.state in GOING_WELL
    card = action_card(action)
    context = {
        "card": card,
        "label": verb(kind, found.server.status),
        "again_url": dialog_url(found.server.uuid, kind),
        "well": well,
        "refused": refused,
    }
    html = render_to_string("dialogs/_done.html", context, request) + _beside(request, found)
    status = 200
    if refused:
        codes = {reason.get("code") for reason in action.reasons}
        status = 403 if codes & ROLE_REASONS else 409
    response = HttpResponse(html, status=status, headers={"X-Dialog": "1"})
    if well:
        response.headers["HX-Trigger-After-Swap"] = json.dumps(
            {"drdash:done": {"words": f"{card.name}: {card.state.word}"}}
        )
    return unkept(response)


def _beside(request: HttpRequest, found: Found) -> str:
    """The server's row and panel and its tenant's health as they are now, to be put where the page shows them."""
    frame = frame_of(request)
    tenant = found.estate.tenant
    role: Role | None = frame.reach.role(tenant)
    if role is None:
        return ""
    shown = request.headers.get("X-Shows", "").split()
    topics = [topic for topic in _topics(tenant, found.key) if topic in shown]
    drawn = [rows.render(topic, tenant=tenant, role=role) for topic in topics]
    parts = [one.replace(" ", ' hx-swap-oob="true" ', 1) for one in drawn if one]
    return "".join(f"<template>{one}</template>" for one in parts)


def _topics(tenant: int, key: str) -> tuple[str, ...]:
    return (f"server-row-{key}", f"server-panel-{key}", f"health-{tenant}")


def _context(seen: Preview, kind: Kind, tenant: Tenant) -> dict[str, Any]:
    verdict, server = seen.verdict, seen.server
    asked: dict[str, str] = {}
    for reason in verdict.reasons:
        if reason.mark is Mark.ACKNOWLEDGE:
            asked[reason.code] = f"{asked[reason.code]} {reason.message}" if reason.code in asked else reason.message
    return {
        "verdict": verdict,
        "server": server,
        "name": cards.name_of(server),
        "tenant": tenant,
        "tenant_name": tenant.name,
        "beside": " ".join(_topics(tenant.pk, server.key)),
        "label": verb(kind, server.status),
        "url": dialog_url(server.uuid, kind),
        "back": server_url(server.uuid),
        "kind": kind,
        "starts": kind is not Kind.STOP,
        "production": verdict.production,
        "card_status": cards.server_status(server),
        "vm_started": bool(server.vm and server.vm.status == "STARTED"),
        "asked": asked.items(),
        "blocking": [shown_reason(reason) for reason in verdict.reasons if reason.mark > Mark.ACKNOWLEDGE],
        "by_ids": BY_IDS,
        "latest": LATEST,
        "ours": seen.ours,
    }


def _dialog(request: HttpRequest, frame: Frame, context: dict[str, Any], status: int) -> HttpResponse:
    if context["starts"] and context["verdict"].allowed:
        context |= _points(request, context)
    if request.headers.get("HX-Request") == "true":
        html = render_to_string("dialogs/_dialog.html", context, request)
        return unkept(HttpResponse(html, status=status, headers={"X-Dialog": "1"}))
    return page(request, "dialogs/page.html", context, frame=frame, status=status)


def _points(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The recovery points at hand, and where the cloud's are loaded from; a page without a script asks for them."""
    server = context["server"]
    choices = points.above(server, context["point"])
    shown: dict[str, Any] = {"choices": choices, "points_url": points.url(server, choices)}
    if "points" in request.GET:
        offer = points.offered(context["tenant"], server, choices)
        shown |= {"choices": offer.above, "offer": offer}
    return shown


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 - LoginRequiredMiddleware sees to it
    return request.user
