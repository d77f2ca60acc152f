"""The page of a credential: what it is, without anything secret, and whom it is for."""

from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from drdash.tenants import keeping, replacing
from drdash.tenants.connect import Refusal
from drdash.tenants.models import Credential, Tenant
from drdash.web.frame import frame_of, page, user_of
from drdash.web.said import said
from drdash.web.tenantcards import credential_card
from drdash.web.tenants import cards_of, one_kept, superuser_only


@require_safe
def credential(request: HttpRequest, pk: int) -> HttpResponse:
    """One credential, its tenants and, if it is a partner's, its customers."""
    superuser_only(request)
    one = credential_or_404(pk)
    through = Tenant.objects.filter(Q(credential=one) | Q(acting=one), removed_at=None)
    listed = list(through.select_related("credential", "acting"))
    context = {
        "one": credential_card(one),
        "cards": cards_of(listed, keeps=False),
        "customers": one.customers.filter(vanished_at=None).count(),
        "watched": sum(tenant.credential_id == pk for tenant in listed),
        "fresh": one.customers.filter(is_new=True, vanished_at=None).count(),
    }
    return page(request, "tenants/credential.html", context, frame=frame_of(request))


@require_POST
def forget(request: HttpRequest, pk: int) -> HttpResponse:
    """A credential that no tenant uses goes, its secrets first."""
    superuser_only(request)
    one = credential_or_404(pk)
    try:
        keeping.drop(one, by=user_of(request))
    except Refusal as refusal:
        messages.error(request, said(str(refusal)))
        return redirect("credential", pk)
    words = gettext("The credential %(name)s and its secrets are deleted.")
    messages.success(request, words % {"name": one.name})
    return redirect("tenants")


@require_POST
def acting_none(request: HttpRequest, pk: int) -> HttpResponse:
    """A tenant's acting credential goes: what it is read with acts as well."""
    superuser_only(request)
    tenant = one_kept(request, frame_of(request).reach, pk)
    replacing.act_through_none(tenant, by=user_of(request))
    words = gettext("%(name)s: what it is read with starts and stops as well from now on.")
    messages.success(request, words % {"name": tenant.name})
    return redirect("tenant", pk)


def credential_or_404(pk: int) -> Credential:
    """A credential that was not removed."""
    if (one := Credential.objects.filter(pk=pk, removed_at=None).first()) is None:
        raise Http404
    return one
