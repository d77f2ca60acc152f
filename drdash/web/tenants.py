"""The pages on which tenants are kept: which there are, in which state, and what their admins may do with them."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from drdash.audit.models import Entry
from drdash.estate.aside import aside
from drdash.estate.replica import replica
from drdash.estate.store import store
from drdash.tenants import access
from drdash.tenants.access import Denied, Reach
from drdash.tenants.checking import Refusal
from drdash.tenants.models import Credential, Membership, Tenant
from drdash.tenants.roles import Role
from drdash.web import proving, tenantcards, tokens
from drdash.web.frame import Frame, frame_of, page, user_of, wants_part
from drdash.web.paging import paged
from drdash.web.pauses import pauses_of
from drdash.web.phrases import Phrase
from drdash.web.said import said
from drdash.web.tenantcards import TenantCard, credential_card, tenant_card
from drdash.web.tenantdeeds import DEEDS, MANY, Deed

PAGE = 100
TOLD = 20


@require_http_methods(["GET", "HEAD", "POST"])
def tenants(request: HttpRequest) -> HttpResponse:
    """The tenants that the reader keeps; a POST does one thing with many of them."""
    frame = frame_of(request)
    cards = cards_of(kept(request, frame.reach), keeps=True)
    given = {name: request.GET.get(name, "").strip() for name in ("q", "state", "acts")}
    found = tenantcards.found(cards, **given)
    if request.method == "POST":
        return _do_many(request, found, given)
    context = paged(request, found, reverse("tenants"), given, size=PAGE) | {
        "keeps": sum(card.keeps for card in found),
        "states": tenantcards.STATES.items(),
        "partners": _partners() if user_of(request).is_superuser else [],
    }
    if wants_part(request, "results"):
        response = render(request, "tenants/_results.html", context)
        response.headers["HX-Push-Url"] = context["url"]
        return response
    return page(request, "tenants/page.html", context, frame=frame)


@require_safe
def tenant(request: HttpRequest, pk: int) -> HttpResponse:
    """One tenant: its state, what it is read with, what acts, who may see it, what was done with it."""
    frame = frame_of(request)
    return show(request, frame, one_kept(request, frame.reach, pk))


def show(request: HttpRequest, frame: Frame, one: Tenant, *, wrong: dict[str, str] | None = None) -> HttpResponse:
    """A tenant's page. ``wrong``: what is, with the password that was given for someone's token."""
    [card] = cards_of([one], keeps=True)
    deeds = ["resume" if one.paused else "pause", "disarm" if one.armed else "arm"]
    if not one.two_persons or user_of(request).is_superuser:
        deeds.append("one-person" if one.two_persons else "two-persons")
    people = Membership.objects.filter(Q(tenant=one) | Q(tenant=None), user__is_active=True).select_related("user")
    context = {
        "card": card,
        "wrong": wrong,
        "within": one.pk in frame.reach.tenants,
        "admins": access.count_admins(one),
        "offers": [(name, DEEDS[name]) for name in deeds],
        "reading": credential_card(one.credential),
        "acting": credential_card(one.acting) if one.acting else None,
        "people": _people(people),
        "tokens": tokens.held_in(one),
        "proven": proving.proven(request),
        "entries": Entry.objects.filter(tenant=one.pk, action=None, server_uuid="")[:TOLD],
    }
    return page(request, "tenants/one.html", context, frame=frame, status=409 if wrong else 200)


@require_POST
def do(request: HttpRequest, pk: int, deed: str) -> HttpResponse:
    """Pause, resume, arm or disarm one tenant; or say how many persons production takes there."""
    if deed not in DEEDS:
        raise Http404
    one = one_kept(request, frame_of(request).reach, pk)
    try:
        _carry_out(request, DEEDS[deed], one)
        words = gettext("%(name)s: %(done)s.")
        messages.success(request, words % {"name": one.name, "done": DEEDS[deed].done.said()})
    except Refusal as problem:
        messages.error(request, said(str(problem)))
    return redirect("tenant", pk)


def kept(request: HttpRequest, reach: Reach) -> list[Tenant]:
    """The tenants that the reader keeps: all for a superuser, otherwise those whose admin they are; 403 for none."""
    every = Tenant.objects.select_related("credential", "acting")
    if user_of(request).is_superuser:
        return list(every.order_by("removed_at", "name"))
    own = [pk for pk, role in reach.roles.items() if role is Role.ADMIN]
    if not own:
        raise PermissionDenied
    return list(every.filter(pk__in=own))


def one_kept(request: HttpRequest, reach: Reach, pk: int) -> Tenant:
    """A tenant that the reader keeps; 403 for its other members, 404 for everyone else."""
    if not user_of(request).is_superuser and pk not in reach.roles:
        raise Http404
    if (one := next((one for one in kept(request, reach) if one.pk == pk), None)) is None:
        raise PermissionDenied if pk in reach.roles else Http404
    return one


def begins(request: HttpRequest) -> bool:
    """Whether a superuser looks at a drdash that watches nothing yet."""
    return user_of(request).is_superuser and not Tenant.objects.filter(removed_at=None).exists()


def superuser_only(request: HttpRequest) -> None:
    """403 for everyone else."""
    if not user_of(request).is_superuser:
        raise PermissionDenied


def cards_of(listed: Sequence[Tenant], *, keeps: bool) -> list[TenantCard]:
    """The cards of tenants, whose credentials must be loaded."""
    estates, pauses, now = replica().estates([one.pk for one in listed]), pauses_of(listed), timezone.now()
    return [tenant_card(one, estates[one.pk].health, now=now, pause=pauses.get(one.pk), keeps=keeps) for one in listed]


def _do_many(request: HttpRequest, found: Sequence[TenantCard], given: dict[str, str]) -> HttpResponse:
    if (deed := request.POST.get("do", "")) not in MANY:
        raise Http404
    ticked = set(request.POST.getlist("tenant"))
    everything = request.POST.get("which") == "all"
    meant = [card.tenant for card in found if card.keeps and (everything or str(card.tenant.pk) in ticked)]
    for one in meant:
        _carry_out(request, DEEDS[deed], one)
    if meant:
        messages.success(request, _done(DEEDS[deed].done_to, meant))
    else:
        messages.error(request, gettext("No tenant was ticked, so nothing was done."))
    given = {name: value for name, value in given.items() if value}
    return redirect(f"{reverse('tenants')}?{urlencode(given)}" if given else "tenants")


def _done(done: Phrase, to: Sequence[Tenant]) -> str:
    if len(to) == 1:
        return gettext("%(done)s: %(name)s.") % {"done": done.said(), "name": to[0].name}
    words = ngettext("%(done)s: %(count)s tenant.", "%(done)s: %(count)s tenants.", len(to))
    return words % {"done": done.said(), "count": len(to)}


def _carry_out(request: HttpRequest, deed: Deed, one: Tenant) -> None:
    try:
        deed.act(one, by=user_of(request))
    except Denied as denied:
        raise PermissionDenied(str(denied)) from denied
    # Open pages draw it anew: its buttons too.
    servers = [f"server:{key}" for key in replica().estates([one.pk])[one.pk].servers]
    aside(lambda: store().announce(one.pk, ["health", *servers]))


def _partners() -> list[Credential]:
    counted = Count("customers", filter=Q(customers__vanished_at=None))
    return list(Credential.objects.filter(is_partner=True, removed_at=None).annotate(many=counted).order_by("name"))


def _people(memberships: Any) -> list[Membership]:
    """One membership a person: that of the tenant wins over that of all."""
    by_user: dict[int, Membership] = {}
    for one in memberships.order_by("user__username"):
        if one.tenant_id or one.user_id not in by_user:
            by_user[one.user_id] = one
    return list(by_user.values())
