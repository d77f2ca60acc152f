"""What a credential that someone types is for: a new cloud, the place of another one, or acting for a tenant."""

from collections.abc import Callable
from typing import Any

import msgspec
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django_htmx.http import HttpResponseClientRedirect

from drdash.cloud.account import Grant
from drdash.cloud.oauth import Token
from drdash.tenants import replacing as replacement
from drdash.tenants.connect import Connected, connect
from drdash.tenants.models import Credential, Tenant
from drdash.web.phrases import Phrase, joined, phrase, phrases
from drdash.web.said import said
from drdash.web.wayforms import ConnectForm, CredentialForm
from drdash.web.ways import ASSERTION, CLIENT, PARTNER, PASSWORD, SIGN_IN, WAYS, Way


class Task(msgspec.Struct, frozen=True):
    """A page that takes a credential. ``cloud`` is where it is for, empty when that is typed too; ``way`` the one that
    is meant unless another is chosen; ``done`` does it, and gives the address to go on to: it raises connect.Refusal.
    """

    title: str
    url: str
    back: str
    button: str
    takes: str
    ways: tuple[Way, ...]
    done: Callable[[HttpRequest, User, dict[str, Any], Token | None], str]
    form: type[CredentialForm] = CredentialForm
    cloud: str = ""
    way: Way | None = None


def connecting() -> Task:
    """A cloud that is not watched yet."""
    return Task(
        title=phrase("Connect a cloud"),
        url=reverse("connect"),
        back=reverse("tenants"),
        button=phrase("Check and connect"),
        takes=phrase("It is tried at the cloud first. That takes seconds, or half a minute where the cloud is slow."),
        ways=tuple(WAYS.values()),
        done=_connect,
        form=ConnectForm,
    )


def replacing(credential: Credential) -> Task:
    """What takes the place of a credential; its tenants stay."""

    def done(request: HttpRequest, by: User, given: dict[str, Any], token: Token | None) -> str:
        replacement.replace(credential, by=by, token=token, **given)
        words = phrase("The credential %(name)s is replaced. Its tenants stay as they are.", name=credential.name)
        messages.success(request, words.said())
        return here

    here = reverse("credential", args=[credential.pk])
    ways = (PARTNER,) if credential.exchanges else (CLIENT, SIGN_IN, PASSWORD, ASSERTION)
    return Task(
        title=phrase("Replace the credential %(name)s", name=credential.name),
        url=reverse("replace", args=[credential.pk]),
        back=here,
        button=phrase("Check and replace"),
        takes=phrase("The new one is tried first, and must see the same tenants. Until then the old one stays."),
        ways=ways,
        done=done,
        cloud=credential.cloud,
        way=way_of(credential),
    )


def acting(tenant: Tenant) -> Task:
    """What starts and stops failovers of a tenant, apart from what reads it."""

    def done(request: HttpRequest, by: User, given: dict[str, Any], token: Token | None) -> str:
        caution = replacement.act_through(tenant, by=by, token=token, **given)
        words = phrase("%(tenant)s is acted on through a credential of its own from now on.", tenant=tenant.name)
        messages.success(request, words.said())
        if caution:
            messages.warning(request, said(caution))
        return here

    here = reverse("tenant", args=[tenant.pk])
    return Task(
        title=phrase("An acting credential for %(tenant)s", tenant=tenant.name),
        url=reverse("acting", args=[tenant.pk]),
        back=here,
        button=phrase("Check and use it"),
        takes=phrase("It is tried first, and must see the same tenant. Nothing is started with it."),
        ways=(CLIENT, *((PARTNER,) if tenant.credential.is_partner else ()), SIGN_IN, PASSWORD, ASSERTION),
        done=done,
        cloud=tenant.credential.cloud,
    )


TASKS: dict[str, Callable[[int], Task]] = {
    "connect": lambda pk: connecting(),
    "replace": lambda pk: replacing(_or_404(Credential, pk)),
    "acting": lambda pk: acting(_or_404(Tenant, pk)),
}


def way_of(credential: Credential) -> Way:
    """The way that a credential came by."""
    if credential.grant == Grant.JWT_BEARER:
        return PARTNER if credential.exchanges else ASSERTION
    return next((way for way in WAYS.values() if way.grant == credential.grant), CLIENT)


def _connect(request: HttpRequest, by: User, given: dict[str, Any], token: Token | None) -> str:
    found = connect(by=by, token=token, choose_later=True, **given)
    messages.success(request, told(found).said())
    if found.credential.is_partner:
        return reverse("customers", args=[found.credential.pk])
    return reverse("tenant", args=[found.tenant.pk])


def told(found: Connected) -> Phrase:
    """What was found at a cloud, and who may see it now."""
    if found.credential.is_partner:
        return phrases(
            "%(name)s is a partner with 1 customer. Choose whom to watch.",
            "%(name)s is a partner with %(count)s customers. Choose whom to watch.",
            found.customers,
            name=found.credential.name,
        )
    who = phrase("Nobody can see it yet.")
    if found.admins:
        who = phrase("Its admins: %(admins)s.", admins=", ".join(found.admins))
    return phrase(
        "Connected %(tenant)s: %(found)s. %(who)s", tenant=found.tenant.name, found=found_words(found), who=who
    )


def found_words(found: Connected) -> Phrase:
    """How many sites and servers were found."""
    return joined(
        phrase(", "),
        [phrases("1 site", "%(count)s sites", found.sites), phrases("1 server", "%(count)s servers", found.servers)],
    )


def _or_404(model: Any, pk: int) -> Any:
    if (found := model.objects.filter(pk=pk, removed_at=None).first()) is None:
        raise Http404
    return found


def onward(request: HttpRequest, url: str) -> HttpResponse:
    """To the next page, for htmx as well: it would put a redirect's page into this one."""
    return HttpResponseClientRedirect(url) if request.headers.get("HX-Request") == "true" else redirect(url)
