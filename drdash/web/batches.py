"""The pages of batches: which there are, one with its progress, and what may be done with it."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from drdash.english import english
from drdash.failover import batches as domain
from drdash.failover import running, together
from drdash.failover.batches import NotDone
from drdash.failover.consents import alive
from drdash.failover.models import Batch, Consent, Item
from drdash.tenants.access import Reach
from drdash.web import preflights, proving
from drdash.web.batchcards import BatchCard, batch_card, batch_heads, batch_or_404, within
from drdash.web.frame import Frame, digest, frame_of, page, part, user_of, wants_part
from drdash.web.paging import paged
from drdash.web.said import said


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def batches(request: HttpRequest) -> HttpResponse:
    """The batches that touch a tenant within reach, the newest first; a POST makes one of a confirmed pre-flight."""
    if request.method == "POST":
        return preflights.confirm(request)
    frame = frame_of(request)
    context = paged(request, within(frame.reach), reverse("batches"), {})
    listed, user = list(context["shown"]), user_of(request).pk
    context["cards"] = batch_heads(listed, frame.reach, user=user, now=timezone.now())
    return page(request, "batches/page.html", context, frame=frame)


@require_safe
def batch(request: HttpRequest, pk: int) -> HttpResponse:
    """One batch, with what became of each server."""
    frame = frame_of(request)
    return _one(request, frame, batch_or_404(frame.reach, pk))


def _one(request: HttpRequest, frame: Frame, found: Batch, *, wrong: dict[str, str] | None = None) -> HttpResponse:
    card = _card(request, frame.reach, found)
    context: dict[str, Any] = {
        "card": card,
        "batch": found,
        "wrong": wrong,
        "may_stop": bool(card.left) and domain.may_stop(found, user_of(request), frame.reach),
        "password": found.production and not proving.proven(request),
        "do": preflights.name_of(found),
        "undone": [] if card.left or card.in_flight else [item.uuid for item in card.items if item.undone],
    }
    context |= _second(request, frame, found)
    context["have"] = digest([card, context["may_stop"], context["password"], context["asked"], context["answers"]])
    if wants_part(request, "batch"):
        return part(request, "batches/_batch.html", context)
    return page(request, "batches/one.html", context, frame=frame, status=409 if wrong else 200)


@sensitive_post_parameters("password")
@require_POST
def do(request: HttpRequest, pk: int, deed: str) -> HttpResponse:
    """Go on with it, pause it, or stop it."""
    frame, user, now = frame_of(request), user_of(request), timezone.now()
    found = batch_or_404(frame.reach, pk)
    try:
        if deed == "go-on":
            _go_on(request, found)
        elif deed == "pause":
            domain.pause(found, by=user, now=now)
        elif deed == "stop":
            domain.stop(found, by=user, now=now)
        else:
            raise Http404
    except NotDone as problem:
        words = said(str(problem))
        messages.error(request, words)
        if problem.fields:
            return _one(request, frame, found, wrong=dict.fromkeys(problem.fields, words))
    return redirect("batch", pk)


def _go_on(request: HttpRequest, found: Batch) -> None:
    user = user_of(request)
    # Of production it is a click as any other.
    asked = found.user_id == user.pk and found.production and not proving.proven(request)
    if asked and not proving.prove(request, request.POST.get("password", "")):
        raise NotDone(english("The password is not right, so nothing goes on."), "password")
    running.start(found, by=user, now=timezone.now())


def _second(request: HttpRequest, frame: Frame, found: Batch) -> dict[str, Any]:
    """What of it waits for a second admin's word, and whether the reader may give it."""
    waits = [one for one in frame.reach.only(together.of(found, Consent.ASKED)) if alive(one, timezone.now())]
    others = [one for one in waits if one.asked_by_id != user_of(request).pk]
    answers = any((role := frame.reach.role(one.tenant_id)) and role.runs_production for one in others)
    return {"asked": len(waits), "until": min((one.expires_at for one in waits), default=None), "answers": answers}


def _card(request: HttpRequest, reach: Reach, found: Batch) -> BatchCard:
    items = reach.only(
        Item.objects.filter(batch=found.pk).defer("seen", "action__evidence").select_related("tenant", "action")
    )
    seen = list(items)
    whole = found.items.count() == len(seen)
    return batch_card(found, seen, user=user_of(request).pk, whole=whole, now=timezone.now())
