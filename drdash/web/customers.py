"""A partner's customers: which of them are watched, and the choice of more."""

from typing import Any

import msgspec
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_http_methods

from drdash.english import english
from drdash.tenants import partners
from drdash.tenants.connect import Connected, Refusal
from drdash.tenants.models import Credential, Customer
from drdash.tenants.secrets import Unopenable
from drdash.web import tenants
from drdash.web.credentials import credential_or_404
from drdash.web.frame import frame_of, page, user_of
from drdash.web.goals import found_words, onward
from drdash.web.phrases import phrase
from drdash.web.said import said
from drdash.web.tenantcards import TenantCard
from drdash.web.wording import Look

SHOWN = 300
TOLD = 5
NEW = Look(phrase("New"), "moving", "moving")


class Choice(msgspec.Struct, frozen=True):
    """A customer; ``card``: the tenant that it is watched as."""

    customer: Customer
    card: TenantCard | None
    ticked: bool


@require_http_methods(["GET", "HEAD", "POST"])
def customers(request: HttpRequest, pk: int) -> HttpResponse:
    """The customers of a partner's credential, to choose from."""
    tenants.superuser_only(request)
    credential = credential_or_404(pk)
    if not credential.is_partner:
        raise Http404
    do, problem = request.POST.get("do", ""), ""
    try:
        if do == "watch":
            return onward(request, _watch(request, credential))
        if do == "leave":
            partners.looked_at(credential, by=user_of(request))
            messages.success(request, gettext("The new customers stay unwatched, and are announced no more."))
            return onward(request, reverse("credential", args=[pk]))
    except (Refusal, Unopenable) as refusal:
        problem = said(str(refusal))
    context = _context(request, credential) | {"problem": problem}
    return page(request, "tenants/customers.html", context, frame=frame_of(request), status=422 if problem else 200)


def _watch(request: HttpRequest, credential: Credential) -> str:
    asked, by = request.POST, user_of(request)
    everyone = asked.get("which") == "all"
    if not everyone and not asked.getlist("customer") and not credential.takes_all:
        raise Refusal(english("No customer is ticked."))
    watched = {one.customer.name for one in partners.customers_of(credential) if one.tenant}
    found = partners.watch(
        credential,
        None if everyone else asked.getlist("customer"),
        by=by,
        watch_only="watch_only" in asked,
        admin=asked.get("admin") or None,
    )
    partners.looked_at(credential, by=by)
    messages.success(request, _told(found, everyone=everyone))
    words = gettext("%(name)s is left out. %(why)s")
    left_out = [words % {"name": name, "why": said(why)} for name, why in found.left_out if name not in watched]
    for sentence in left_out[:TOLD]:
        messages.warning(request, sentence)
    if more := left_out[TOLD:]:
        words = ngettext(
            "%(count)s more is left out, for the like.", "%(count)s more are left out, for the like.", len(more)
        )
        messages.warning(request, words % {"count": len(more)})
    return reverse("credential", args=[credential.pk])


def _told(found: Connected, *, everyone: bool) -> str:
    many = len(found.tenants)
    if not many:
        if everyone:
            return gettext("No customer is added. Those to come are watched at once.")
        return gettext("No customer is added. Those to come are announced, and wait.")
    words = {"count": many, "name": found.tenants[0].name, "found": found_words(found).said()}
    begun = gettext("%(name)s is watched now: %(found)s.")
    if many > 1:
        begun = ngettext(
            "%(count)s customer is watched now: %(found)s.", "%(count)s customers are watched now: %(found)s.", many
        )
    who = gettext("Nobody can see them yet.")
    if found.admins:
        who = gettext("Their admins: %(names)s.") % {"names": ", ".join(found.admins)}
    to_come = gettext("Those to come will be watched too, unarmed.") if everyone else ""
    return f"{begun % words} {who} {to_come}".rstrip()


def _context(request: HttpRequest, credential: Credential) -> dict[str, Any]:
    asked = request.POST
    ticked, needle = set(asked.getlist("customer")), asked.get("q", "").strip().casefold()
    listed = partners.customers_of(credential)
    watched = {one.tenant.pk: one.tenant for one in listed if one.tenant}
    cards = {card.tenant.pk: card for card in tenants.cards_of(list(watched.values()), keeps=False)}
    choices = [
        Choice(one.customer, cards[one.tenant.pk] if one.tenant else None, one.customer.uuid in ticked)
        for one in listed
        if one.customer.uuid in ticked or needle in one.customer.name.casefold() or needle in one.customer.uuid
    ]
    # What is ticked stays in sight, whatever is searched for.
    choices.sort(
        key=lambda one: (
            not one.ticked,
            one.customer.vanished_at is not None,
            one.card is not None,
            not one.customer.is_new,
        )
    )
    return {
        "credential": credential,
        "total": sum(one.customer.vanished_at is None for one in listed),
        "watched": len(watched),
        "fresh": sum(one.customer.is_new and one.customer.vanished_at is None for one in listed),
        "q": asked.get("q", ""),
        "found": len(choices),
        "shown": choices[:SHOWN],
        "ticked": len(ticked),
        "which": asked.get("which", "all" if credential.takes_all else "some"),
        "watch_only": "watch_only" in asked if asked else True,
        "admin": asked.get("admin", ""),
        "admins": User.objects.filter(is_active=True).order_by("username").values_list("username", flat=True),
        "new": NEW,
    }
