"""The pages on which a second admin's word is waited for, given, declined and taken back."""

from typing import Any

import msgspec
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from drdash.english import english
from drdash.failover import actions, approvals, sighting
from drdash.failover.actions import Preview
from drdash.failover.approvals import NotApproved
from drdash.failover.consents import LIVES
from drdash.failover.guard import Kind
from drdash.failover.models import Approval, Consent
from drdash.failover.reasons import Mark
from drdash.failover.sighting import Expired, Sighting
from drdash.web import dialogs, finding, proving
from drdash.web.approvalcards import ApprovalCard, approval_card, approval_url, asked_of, lines
from drdash.web.buttons import shown_reason
from drdash.web.dialogcards import Tried, Typed
from drdash.web.drifts import drifts
from drdash.web.finding import Found
from drdash.web.forms import AskForm
from drdash.web.frame import Frame, digest, frame_of, page, part, server_or_404, user_of, wants_part
from drdash.web.paging import paged
from drdash.web.phrases import phrase
from drdash.web.said import said

LONGEST = 2000
LOADED = ("tenant__credential", "asked_by", "answered_by", "action", "item")


@require_safe
def listed(request: HttpRequest) -> HttpResponse:
    """What waits for the reader, what they asked for, and what was asked for before, the newest first."""
    frame, user, now = frame_of(request), user_of(request), timezone.now()
    approvals.sweep(now)
    every = frame.reach.only(Approval.objects.select_related(*LOADED))
    waiting = every.filter(pk__in=[one.pk for one in approvals.waiting_for(user, now)]).order_by("pk")
    asked = every.filter(asked_by=user, state__in=list(LIVES))
    mine, shown = approvals.one_of_each(asked), [*waiting, *asked]
    # What is open of a batch is seen as one, or on its page.
    rest = every.exclude(pk__in=[one.pk for one in shown]).exclude(item__isnull=False, state__in=list(LIVES))
    context = paged(request, rest, reverse("approvals"), {})
    context |= {
        "groups": [
            (phrase("Waits for your word"), [_together(one) for one in waiting]),
            (phrase("You asked for"), [_together(one) for one in mine]),
            (phrase("Others and earlier ones"), [approval_card(one) for one in context["shown"]]),
        ],
        "have": digest([context["url"], *((one.pk, one.state) for one in [*shown, *context["shown"]])]),
    }
    if wants_part(request, "results"):
        return part(request, "approvals/_results.html", context)
    return page(request, "approvals/page.html", context, frame=frame)


def _together(one: Approval) -> ApprovalCard:
    """The card of an approval that is open; one of a batch stands for all of it."""
    what, url = asked_of(one)
    card = approval_card(one)
    return msgspec.structs.replace(card, server_name=what, server_url=url, url=url) if url != card.url else card


@require_safe
def approval(request: HttpRequest, pk: int) -> HttpResponse:
    """One approval. Whoever may answer it sees the server as the cloud tells it at this moment."""
    frame = frame_of(request)
    found = _found(frame, pk)
    if wants_part(request, "panel"):
        context = _state(request, found)
        same = request.GET.get("have") == context["have"]
        return HttpResponse(status=204) if same else part(request, "approvals/_panel.html", context)
    return _one(request, frame, found)


@require_POST
def ask(request: HttpRequest, uuid: str, kind: str) -> HttpResponse:
    """Ask the other admins, from an action's dialog, for what its reader saw and the cloud still tells."""
    if kind not in set(Kind):
        raise Http404
    frame = frame_of(request)
    found = server_or_404(frame, uuid)
    user, tenant, wanted = user_of(request), frame.reach.tenants[found.estate.tenant], Kind(kind)
    if not frame.role(tenant.pk).runs_production:
        raise PermissionDenied
    form, before = AskForm(request.POST, kind=wanted), None
    try:
        before = _before(request, user.pk, wanted, found)
        if not form.is_valid():
            raise NotApproved(form.problems(), *form.errors)
        seen = actions.preview(user=user, tenant=tenant, server=found.server, kind=wanted)
        if drifts(before, seen.sighting):
            raise NotApproved(english("Nobody was asked yet: something changed since you looked."))
        asked = approvals.ask(
            user=user,
            tenant=tenant,
            server=seen.server,
            kind=wanted,
            point=form.cleaned_data.get("recovery_point"),
            verdict=seen.verdict,
            seen=seen.sighting,
            why=form.cleaned_data["why"],
            now=timezone.now(),
        )
    except (Expired, NotApproved) as problem:
        fields = problem.fields if isinstance(problem, NotApproved) else ()
        tried = Tried(said(str(problem)), 409, Typed.of(request.POST), before, fields=fields)
        return dialogs.show(request, frame, found, wanted, tried)
    if request.headers.get("HX-Request") == "true":
        return HttpResponse(status=204, headers={"HX-Redirect": approval_url(asked)})
    return redirect(approval_url(asked))


def _before(request: HttpRequest, user: int, kind: Kind, found: Found) -> Sighting:
    """What the dialog showed. An old one will do here: it only has to show what still is. Raises Expired."""
    try:
        return sighting.unseal(request.POST.get("token", ""), user=user, kind=kind, server=found.key)
    except Expired as old:
        if old.seen is None:
            raise
        return old.seen


@sensitive_post_parameters()
@require_POST
def answer(request: HttpRequest, pk: int, deed: str) -> HttpResponse:
    """Approve, decline or withdraw."""
    if deed not in _DEEDS:
        raise Http404
    frame = frame_of(request)
    found = _found(frame, pk)
    told = words_of(request)
    try:
        _DEEDS[deed](request, frame, found, told)
    except NotApproved as problem:
        words = said(str(problem))
        wrong = {f"{deed}-{field}": words for field in problem.fields}
        return _one(request, frame, _found(frame, pk), problem=words, wrong=wrong, said=told, deed=deed)
    return redirect(approval_url(found))


def must_prove(request: HttpRequest) -> None:
    """Whoever approves is there in person, by the password that came along or by one of late. Raises NotApproved."""
    password = request.POST.get("password", "")
    if password and not proving.prove(request, password):
        raise NotApproved(
            english("That password is wrong, or a wrong one came too often. Nothing is approved."), "password"
        )
    if not proving.proven(request):
        raise NotApproved(
            english("Type your password: your sign-in is older than 5 minutes. Nothing is approved."), "password"
        )


def words_of(request: HttpRequest) -> str:
    """What an admin wrote beside the answer. A database need not take a NUL in a text."""
    return request.POST.get("said", "").replace("\0", "")[:LONGEST]


def _give(request: HttpRequest, frame: Frame, found: Approval, told: str) -> None:
    _admins_only(frame, found)
    must_prove(request)
    seen = _preview(request, frame, found)
    if seen is None:
        raise NotApproved(english("The server is not among those that were last seen. Nothing is approved."))
    user, now = user_of(request), timezone.now()
    approvals.give(found, by=user, said=told, verdict=seen.verdict, seen=seen.sighting, now=now)
    words = gettext("You approved it. %(name)s can go on now.")
    messages.success(request, words % {"name": found.asked_by.get_username()})


def _decline(request: HttpRequest, frame: Frame, found: Approval, told: str) -> None:
    _admins_only(frame, found)
    approvals.decline(found, by=user_of(request), said=told, now=timezone.now())


def _withdraw(request: HttpRequest, frame: Frame, found: Approval, told: str) -> None:
    if found.asked_by_id != request.user.pk:
        raise PermissionDenied
    approvals.withdraw(found, by=user_of(request), now=timezone.now())


_DEEDS = {"give": _give, "decline": _decline, "withdraw": _withdraw}


def _one(request: HttpRequest, frame: Frame, found: Approval, **tried: Any) -> HttpResponse:
    context: dict[str, Any] = {**_state(request, found), **tried}
    admin = frame.role(found.tenant_id).runs_production
    context["declines"] = admin and not context["mine"] and context["card"].open
    context["gives"] = context["declines"] and found.state == Consent.ASKED
    seen = _preview(request, frame, found) if context["gives"] else None
    context["lines"] = lines(found, seen.sighting if seen else None)
    context["looked"] = seen is not None
    if seen:
        reasons = approvals.lifted(seen.verdict).reasons
        context |= {
            "differs": any(line.differs for line in context["lines"]) or not context["lines"],
            "blocking": [shown_reason(one) for one in reasons if one.mark > Mark.ACKNOWLEDGE],
            "nods": [shown_reason(one) for one in reasons if one.mark is Mark.ACKNOWLEDGE],
            "starts": found.kind != Kind.STOP,
            "newest": found.kind != Kind.STOP and found.recovery_point is None,
            "proven": proving.proven(request),
        }
    return page(request, "approvals/one.html", context, frame=frame, status=409 if tried else 200)


def _state(request: HttpRequest, found: Approval) -> dict[str, Any]:
    """What is shown of the approval itself, without a look at the cloud."""
    mine = found.asked_by_id == request.user.pk
    return {
        "card": approval_card(found),
        "mine": mine,
        "goes_on": mine and found.state == Consent.GIVEN,
        "have": digest([found.pk, found.state, found.expires_at]),
    }


def _found(frame: Frame, pk: int) -> Approval:
    """The approval as it is now, if it is within reach."""
    found = frame.reach.only(Approval.objects.select_related(*LOADED).filter(pk=pk)).first()
    if found is None:
        raise Http404
    return approvals.settle(found, timezone.now())


def _preview(request: HttpRequest, frame: Frame, found: Approval) -> Preview | None:
    """What the cloud tells the reader of the server at this moment; None: it is not known here."""
    known = finding.one({found.tenant_id: frame.estates[found.tenant_id]}, found.server_uuid)
    if known is None:
        return None
    tenant = frame.reach.tenants[found.tenant_id]
    return actions.preview(user=user_of(request), tenant=tenant, server=known.server, kind=Kind(found.kind))


def _admins_only(frame: Frame, found: Approval) -> None:
    if not frame.role(found.tenant_id).runs_production:
        raise PermissionDenied
