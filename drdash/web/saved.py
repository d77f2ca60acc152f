"""The lists that a person gave a name to: links to them, and keeping them."""

from collections import Counter
from collections.abc import Mapping
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from drdash.tenants.models import SavedView
from drdash.web.columns import asked
from drdash.web.facets import View, count_of, same
from drdash.web.finding import Wanted
from drdash.web.frame import user_of
from drdash.web.seeking import Sought

MOST = 30


class ViewForm(forms.Form):
    """A view's name; Django turns down a NUL in it."""

    name = forms.CharField(max_length=60)
    query = forms.CharField(max_length=2000, required=False)


def _servers(query: QueryDict) -> dict[str, str]:
    return asked(query).params(page=1)


def _sites(query: QueryDict) -> dict[str, str]:
    return Sought.of(query).params()


# Of each list whose views are kept, by its address: what a query asks for there.
LISTINGS = {"servers": _servers, "sites": _sites}


def of(user: AbstractBaseUser | AnonymousUser, listing: str) -> list[SavedView]:
    """What the person saved of the list at that address, by name."""
    return list(SavedView.objects.filter(user=user.pk, listing=listing)[:MOST])


def views(
    user: AbstractBaseUser | AnonymousUser,
    wanted: Wanted,
    counts: Mapping[str, Counter[str]],
) -> list[View]:
    """Those of the list of servers as links."""
    shown = []
    for one in of(user, "servers"):
        means = asked(QueryDict(one.query))
        shown.append(
            View(one.name, _url(one.listing, one.query), count_of(means, counts), same(means, wanted), own=one.pk)
        )
    return shown


@require_POST
def save(request: HttpRequest) -> HttpResponse:
    """Keep the list that is shown under a name; a name that is there already means this one from now on."""
    given, user = ViewForm(request.POST), user_of(request)
    listing = request.POST.get("listing", "servers")
    if listing not in LISTINGS:
        raise Http404
    query = _query(listing, request.POST.get("query", ""))
    if not given.is_valid():
        messages.error(request, gettext("The view was not saved: it needs a name of at most 60 characters."))
        return redirect(_url(listing, query))
    name = given.cleaned_data["name"]
    theirs = SavedView.objects.filter(user=user)
    if theirs.exclude(listing=listing, name=name).count() >= MOST:
        words = gettext("The view was not saved: %(most)s are kept for each person. Remove one first.")
        messages.error(request, words % {"most": MOST})
        return redirect(_url(listing, query))
    SavedView.objects.update_or_create(user=user, listing=listing, name=name, defaults={"query": query})
    messages.success(request, gettext("This list is saved as %(name)s.") % {"name": name})
    return redirect(_url(listing, query))


@require_POST
def change(request: HttpRequest, pk: int, deed: str) -> HttpResponse:
    """Give one's own view another name, or remove it."""
    one = SavedView.objects.filter(user=user_of(request), pk=pk).first()
    if one is None or deed not in {"rename", "remove"}:
        raise Http404
    if deed == "remove":
        one.delete()
        messages.success(request, gettext("The view %(name)s is removed.") % {"name": one.name})
        return redirect(one.listing)
    given = ViewForm(request.POST)
    if not given.is_valid():
        messages.error(request, gettext("The view keeps its name: a name has 1 to 60 characters."))
    elif (
        SavedView.objects.filter(user=one.user_id, listing=one.listing, name=given.cleaned_data["name"])
        .exclude(pk=pk)
        .exists()
    ):
        messages.error(request, gettext("The view keeps its name: another one is called so."))
    else:
        one.name = given.cleaned_data["name"]
        one.save(update_fields=["name"])
        messages.success(request, gettext("The view is called %(name)s now.") % {"name": one.name})
    return redirect(_url(one.listing, one.query))


def _query(listing: str, text: str) -> str:
    """A query in the one way that addresses write it; what is no query of the list is left out of it."""
    return urlencode(LISTINGS[listing](QueryDict(text.lstrip("?").replace("\0", "")[:2000])), safe=",")


def _url(listing: str, query: str) -> str:
    here = reverse(listing)
    return f"{here}?{query}" if query else here
