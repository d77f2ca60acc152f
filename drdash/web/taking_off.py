"""The page on which a superuser takes a tenant off, its name typed: its data and secrets go, its audit stays."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from drdash.english import english
from drdash.estate import copies
from drdash.estate.replica import replica
from drdash.estate.store import StoreAway, store
from drdash.failover.guard import PRODUCTION, TESTS
from drdash.failover.models import OPEN, Action
from drdash.tenants import keeping
from drdash.tenants.checking import Refusal
from drdash.tenants.models import Tenant
from drdash.web.frame import frame_of, page, user_of
from drdash.web.said import said
from drdash.web.tenants import one_kept, superuser_only

STILL_OPEN = english("Some of its actions are not over, and only its own people can close them: see to these first.")
NOT_TAKEN_OFF = english("Nothing was taken off.")


@require_http_methods(["GET", "HEAD", "POST"])
def take_off(request: HttpRequest, pk: int) -> HttpResponse:
    """What goes and what stays, and the field for the name; a POST takes the tenant off, or says why not."""
    superuser_only(request)
    frame = frame_of(request)
    one = one_kept(request, frame.reach, pk)
    if one.removed_at:
        return redirect("tenant", pk)
    typed, problem, wrong = request.POST.get("confirm", ""), "", {}
    if request.method == "POST":
        try:
            return _taken_off(request, one, typed)
        except Refusal as refusal:
            problem = said(f"{refusal} {NOT_TAKEN_OFF}")
            wrong = dict.fromkeys(refusal.fields, problem)
    used = {one.credential, *([one.acting] if one.acting else [])}
    shared = {credential for credential in used if keeping.others_with(credential, one)}
    estate = replica().estates([pk])[pk]
    context = {
        "tenant": one,
        "typed": typed,
        "problem": problem,
        "wrong": wrong,
        "people": one.memberships.count(),
        "shared": sorted(credential.name for credential in shared),
        "last_of": sorted(credential.name for credential in used - shared),
        "running": sum(seen.record.status in TESTS | PRODUCTION for seen in estate.servers.values()),
    }
    return page(request, "tenants/take_off.html", context, frame=frame, status=422 if problem else 200)


def _taken_off(request: HttpRequest, one: Tenant, typed: str) -> HttpResponse:
    def held() -> str:
        # Nobody could close them any more, and their servers would stay barred, also for whoever connects it again.
        return STILL_OPEN if Action.objects.filter(tenant=one, state__in=OPEN).exists() else ""

    if typed.strip() != one.name.strip():
        raise Refusal(english("That is not the tenant's name."), "confirm")
    keeping.take_off(one, by=user_of(request), held=held)
    words = gettext("%(name)s is taken off. What was done with it is kept below.")
    messages.success(request, words % {"name": one.name})
    copies.drop(one.pk)
    try:
        store().drop(one.pk)
    except StoreAway:
        messages.warning(request, gettext("Redis does not answer, so what was last read of it is still there."))
    return redirect("tenant", one.pk)
