"""The pages of what was done: actions, and one action with its end."""

from collections.abc import Sequence
from math import ceil
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from drdash import senders
from drdash.english import english
from drdash.failover import closing
from drdash.failover.models import Action, State
from drdash.web import cards, finding, proving, rows, wording
from drdash.web.actioncards import action_card, action_url
from drdash.web.frame import Frame, digest, frame_of, page, part, user_of, wants_part
from drdash.web.goals import onward
from drdash.web.paging import paged
from drdash.web.said import said

WRONG_PASSWORD = english("That password is wrong, or a wrong one came too often. Nothing was closed.")


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
    context = paged(request, asked, reverse("actions"), {"state": state, "server": server})
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
@sensitive_post_parameters("password")
def close(request: HttpRequest, pk: int) -> HttpResponse:
    """A person's word on an action whose outcome is unknown; with ``glass``, before it is certain to have arrived."""
    frame, user = frame_of(request), user_of(request)
    found = frame.reach.only(Action.objects.select_related("user", "tenant").filter(pk=pk)).first()
    if found is None:
        raise Http404
    # A database need not take a NUL in a text.
    tried = {name: request.POST.get(name, "").replace("\0", "")[:2000] for name in ("verdict", "why")}
    tried |= {name: "1" for name in ("alone", "glass", "warned") if name in request.POST}
    try:
        if "glass" in tried and not proving.prove(request, request.POST.get("password", "")):
            raise closing.NotClosed(WRONG_PASSWORD, "password")
        closing.close(
            found,
            by=user,
            verdict=tried["verdict"],
            why=tried["why"],
            alone="alone" in tried,
            glass="glass" in tried,
            warned="warned" in tried,
            now=timezone.now(),
        )
    except closing.NotYours as problem:
        return _one(request, frame, found, problem=said(str(problem)), tried=tried, status=403)
    except closing.NotClosed as problem:
        words, wrong = said(str(problem)), problem.fields
        if request.headers.get("HX-Request") != "true":
            return _one(request, frame, found, problem=words, tried=tried, wrong=wrong, status=409)
        if not wrong:  # what was typed is still there
            return render(request, "actions/_problem.html", {"problem": words}, status=422)
        form = "#close-glass" if "glass" in tried else "#close-now"
        answer = _one(request, frame, found, problem=words, tried=tried, wrong=wrong, status=422)
        for name, value in (("Retarget", form), ("Reselect", "#close-glass, #close-now"), ("Reswap", "outerHTML")):
            answer.headers[f"HX-{name}"] = value
        return answer
    return onward(request, action_url(found))


def _one(
    request: HttpRequest,
    frame: Frame,
    found: Action,
    *,
    problem: str = "",
    tried: dict[str, str] | None = None,
    wrong: Sequence[str] = (),
    status: int = 200,
) -> HttpResponse:
    context: dict[str, Any] = {"card": action_card(found), "panel": rows.action_panel(found), "action": found}
    context |= {"problem": problem, "tried": tried or {}, "wrong": dict.fromkeys(wrong, problem)}
    if found.state == State.UNKNOWN:
        user, known, now = user_of(request), finding.one(frame.estates, found.server_uuid), timezone.now()
        left = closing.left(found, now)
        context["closing"] = {
            "may": closing.may(user, found),
            "wait": left,
            "seconds": ceil(left.total_seconds()) + 1,
            "when": now + left,
            "breaks": closing.may_break(user, found),
            "gone": senders.gone(found.sender),
            "another": closing.needs_another(user, found),
            "longest": closing.SHORTEST_ALONE,
            "verdicts": closing.Verdict.choices,
            "links": cards.links_out(known.server.links) if known else (),
        }
    topics = [f"action-panel-{found.pk}"]
    return page(request, "actions/one.html", context, frame=frame, topics=topics, status=status)
