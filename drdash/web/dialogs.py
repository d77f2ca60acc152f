"""The dialogs of the actions: GET shows one from a fresh read of the cloud, POST carries the wish through."""

import json
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from drdash.english import english
from drdash.failover import actions, approvals, sighting
from drdash.failover.actions import Invalid, KeyReused, TooMany, TooOften
from drdash.failover.guard import Kind
from drdash.failover.models import Action, State
from drdash.failover.sighting import Expired, Sighting
from drdash.tenants.roles import Role
from drdash.web import approvalcards, dialogcards, points, proving, rows, shift
from drdash.web.actioncards import action_card, action_url
from drdash.web.buttons import dialog_url
from drdash.web.dialogcards import Tried, Typed
from drdash.web.finding import Found
from drdash.web.forms import WishForm
from drdash.web.frame import Frame, frame_of, page, server_or_404, user_of
from drdash.web.said import said
from drdash.web.wording import verb

GOING_WELL = frozenset({State.REQUESTED, State.SENDING, State.ACCEPTED, State.SUCCEEDED})
FORBIDDEN = frozenset({"RoleViewer", "RoleOperator", "SignInAgain", "TokenNoProduction"})
WRONG_PASSWORD = english("That password is wrong, or a wrong one came too often. Nothing was sent.")
NO_PASSWORD = english("Type your password: breaking the glass always asks for it. Nothing was sent.")


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
    return show(request, frame, found, Kind(kind), Tried())


def show(request: HttpRequest, frame: Frame, found: Found, kind: Kind, tried: Tried) -> HttpResponse:
    """The dialog as a fresh read of the cloud allows it, with what the last try held."""
    user, tenant = user_of(request), frame.reach.tenants[found.estate.tenant]
    try:
        seen = actions.preview(user=user, tenant=tenant, server=found.server, kind=kind)
    except Invalid as lost:
        raise Http404(str(lost)) from lost  # it was theirs when they asked
    asked = approvals.open_one(user=user, tenant=tenant, server=found.server, kind=kind, now=timezone.now())
    seen, second = approvalcards.in_dialog(seen, asked, breaks="glass" in request.GET or tried.typed.breaks)
    context = dialogcards.context(seen, kind, tenant, tried, proven=proving.proven(request)) | second
    if context["offers"]:
        shift.opened(user, found, kind, production=seen.verdict.production)
    if context["starts"] and context["offers"]:
        context |= _points(request, context)
    if request.headers.get("HX-Request") != "true":
        return page(request, "dialogs/page.html", context | {"whole": True}, frame=frame, status=tried.status)
    html: str = render_to_string("dialogs/_dialog.html", context, request)
    if tried.refused:
        html += _beside(request, found)
    return HttpResponse(html, status=tried.status, headers={"X-Dialog": "1"})


def _send(request: HttpRequest, frame: Frame, found: Found, kind: Kind) -> HttpResponse:
    user, tenant = user_of(request), frame.reach.tenants[found.estate.tenant]
    form, typed = WishForm(request.POST, kind=kind), Typed.of(request.POST)
    seen: Sighting | None = None
    try:
        seen = sighting.unseal(request.POST.get("token", ""), user=user.pk, kind=kind, server=found.server.key)
        if not form.is_valid():
            raise Invalid(form.problems(), *form.errors)
        wish = form.wish(seen, unproven=_unproven(request, form))
        action, _ = actions.request(user=user, tenant=tenant, server=found.server, wish=wish)
    except Expired as problem:
        return show(request, frame, found, kind, Tried(said(str(problem)), 409, typed, problem.seen))
    except KeyReused as problem:
        return show(request, frame, found, kind, Tried(said(str(problem)), 409, typed, seen))
    except Invalid as problem:
        tried = Tried(said(str(problem)), 422, typed, seen, fields=problem.fields)
        return show(request, frame, found, kind, tried)
    except TooMany as problem:
        status = 429 if isinstance(problem, TooOften) else 503
        return show(request, frame, found, kind, Tried(said(str(problem)), status, typed, seen))
    if _refused(action) and dialogcards.repairable(action):
        return show(request, frame, found, kind, Tried("", _status(action), typed, seen, action))
    shift.sent(user, found)
    return _done(request, found, kind, action)


def _unproven(request: HttpRequest, form: WishForm) -> str:
    """Why whoever asks is not known to be there in person; empty when they are. A password that is given is checked."""
    password = form.cleaned_data["password"]
    if password and not proving.prove(request, password):
        raise Invalid(WRONG_PASSWORD, "password")
    if form.cleaned_data["breaks"] and not password:
        raise Invalid(NO_PASSWORD, "password")
    return "" if proving.proven(request) else "SignInAgain"


def _refused(action: Action) -> bool:
    """Whether the guard refused it: it was never sent."""
    return action.state == State.REFUSED and action.status is None


def _status(action: Action) -> int:
    if not _refused(action):
        return 200
    return 403 if {reason.get("code") for reason in action.reasons} & FORBIDDEN else 409


def _done(request: HttpRequest, found: Found, kind: Kind, action: Action) -> HttpResponse:
    """What became of it: the dialog closes when it goes well, and else says why; the page shows it either way."""
    if request.headers.get("HX-Request") != "true":
        return redirect(action_url(action), permanent=False)
    well = action.state in GOING_WELL
    card = action_card(action)
    context = {
        "card": card,
        "label": verb(kind, found.server.status),
        "again_url": dialog_url(found.server.uuid, kind),
        "well": well,
        "refused": _refused(action),
        "body": "" if action.state == State.NOT_SENT else action.body,  # it is written down before it is sent
    }
    html = render_to_string("dialogs/_done.html", context, request) + _beside(request, found)
    response = HttpResponse(html, status=_status(action), headers={"X-Dialog": "1"})
    if well:
        response.headers["HX-Trigger-After-Swap"] = json.dumps(
            {"drdash:done": {"words": f"{said(card.name)}: {said(card.state.word)}"}}
        )
    return response


def _beside(request: HttpRequest, found: Found) -> str:
    """The server's row and panel and its tenant's health as they are now, to be put where the page shows them."""
    frame = frame_of(request)
    tenant = found.estate.tenant
    role: Role | None = frame.reach.role(tenant)
    if role is None:
        return ""
    shown = request.headers.get("X-Shows", "").split()
    topics = [topic for topic in dialogcards.topics(tenant, found.key) if topic in shown]
    drawn = [rows.render(topic, tenant=tenant, role=role) for topic in topics]
    parts = [one.replace(" ", ' hx-swap-oob="quick" ', 1) for one in drawn if one]
    return "".join(f"<template>{one}</template>" for one in parts)


def _points(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The recovery points at hand, and where the cloud's are loaded from; a page without a script asks for them."""
    server = context["server"]
    choices = points.above(server, context["point"])
    test = not context["production"]
    shown: dict[str, Any] = {"choices": choices, "test": test, "points_url": points.url(server, choices, test=test)}
    if "points" in request.GET:
        offer = points.offered(context["tenant"], server, choices, test=test)
        shown |= {"choices": offer.above, "offer": offer}
    return shown
