"""The pages that take a credential: which way in, what is typed for it, and over the cloud's consent page and back."""

import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from drdash.clock import boot_seconds
from drdash.cloud import consent
from drdash.cloud.account import Account
from drdash.cloud.errors import CloudError
from drdash.english import english
from drdash.tenants import accounts
from drdash.tenants.connect import WHERE, Refusal
from drdash.tenants.models import Tenant
from drdash.web import errands
from drdash.web.errands import SECONDS, Errand, Lost
from drdash.web.frame import frame_of, page, user_of
from drdash.web.goals import TASKS, Task, onward
from drdash.web.said import said
from drdash.web.tenants import superuser_only
from drdash.web.wayforms import CredentialForm
from drdash.web.ways import SIGN_IN, Way

REDEEM_SECONDS = 20.0
_TYPED = "typed"
_ENDED = english("The cloud ended the sign-in without agreement, so nothing was connected.")
_DENIED = {
    "access_denied": english(
        "At the cloud, nobody agreed that drdash may work in their name, so nothing was connected."
    ),
    "temporarily_unavailable": english("The cloud cannot take a sign-in now. Try again in a while."),
    "server_error": english("The cloud failed while you signed in there. Try again in a while."),
}


@sensitive_post_parameters()
@sensitive_variables()
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest, goal: str, pk: int = 0) -> HttpResponse:
    """The page of one goal: first the ways in, then the form of the one that was chosen."""
    superuser_only(request)
    task = TASKS[goal](pk)
    ways = {way.key: way for way in task.ways}
    way = ways.get(request.GET.get("by", "")) or (task.ways[0] if len(task.ways) == 1 else None)
    if way is None:
        context = {"task": task, "usual": task.way, "first": not Tenant.objects.filter(removed_at=None).exists()}
        return page(request, "tenants/ways.html", context, frame=frame_of(request))
    if request.method != "POST":
        return _form(request, task, way, task.form(way=way, initial=request.session.pop(_TYPED, None)))
    form = task.form(request.POST, way=way)
    if not form.is_valid():
        form.fields[next(iter(form.errors))].widget.attrs["autofocus"] = True
        return _form(request, task, way, form, status=422)
    given = {"cloud": task.cloud, **form.given()}
    try:
        if way is SIGN_IN:
            account = _account(given)
            verifier = consent.verifier()
            consent.authorize_url(account, redirect_uri=errands.redirect_uri(request), state="", verifier=verifier)
            errands.begin(request, goal=goal, pk=pk, verifier=verifier, given=given, now=time.time())
            return onward(request, reverse("connect-consent"))
        return onward(request, _done(request, task, way, given))
    except (Refusal, CloudError) as problem:
        return _form(request, task, way, form, problem=said(str(problem)), status=422)


@require_safe
def consent_page(request: HttpRequest) -> HttpResponse:
    """Where the way to the cloud's own page begins: a link, for a form must not lead there."""
    superuser_only(request)
    if (errand := errands.current(request, now=time.time())) is None:
        messages.error(request, gettext("Nothing waits for a sign-in at the cloud: begin again."))
        return redirect("connect")
    account, back = _account(errand.given), errands.redirect_uri(request)
    task = TASKS[errand.goal](errand.pk)
    context = {
        "task": task,
        "host": urlsplit(account.root).netloc,
        "url": consent.authorize_url(account, redirect_uri=back, state=errand.state, verifier=errand.verifier),
        "redirect_uri": back,
        "until": datetime.fromtimestamp(errand.at + SECONDS, UTC),
    }
    return page(request, "tenants/consent.html", context, frame=frame_of(request))


@require_safe
@sensitive_variables()
def come_back(request: HttpRequest) -> HttpResponse:
    """The way back from the cloud: it leads on at once, so that no code stays in the address bar."""
    superuser_only(request)
    try:
        errand = errands.finish(request, state=request.GET.get("state", ""), now=time.time())
    except Lost as lost:
        messages.error(request, said(str(lost)))
        return redirect("connect")
    task = TASKS[errand.goal](errand.pk)
    try:
        token = _redeemed(request, errand)
        return redirect(_done(request, task, SIGN_IN, errand.given, token))
    except (Refusal, CloudError) as problem:
        messages.error(request, said(str(problem)))
        request.session[_TYPED] = task.form.without_secrets(errand.given)
        return redirect(f"{task.url}?{urlencode({'by': SIGN_IN.key})}")


def _redeemed(request: HttpRequest, errand: Errand) -> Any:
    if error := request.GET.get("error", ""):
        raise Refusal(_DENIED.get(error, _ENDED))
    if not (code := request.GET.get("code", "")):
        raise Refusal(english("The cloud sent you back without the code that it should give. Begin again."))
    return consent.redeem(
        _account(errand.given),
        code=code,
        verifier=errand.verifier,
        redirect_uri=errands.redirect_uri(request),
        now=time.time,
        monotonic=boot_seconds,
        deadline=REDEEM_SECONDS,
    )


def _done(request: HttpRequest, task: Task, way: Way, given: dict[str, Any], token: Any = None) -> str:
    typed = {name: value for name, value in given.items() if not task.cloud or name != "cloud"}
    return task.done(request, user_of(request), {"grant": way.grant, **typed}, token)


def _account(given: dict[str, Any]) -> Account:
    return accounts.typed(
        cloud=given["cloud"],
        grant=SIGN_IN.grant,
        client_id=given.get("client_id", ""),
        client_secret=given.get("client_secret", ""),
    )


def _form(
    request: HttpRequest, task: Task, way: Way, form: CredentialForm, *, problem: str = "", status: int = 200
) -> HttpResponse:
    context = {"task": task, "way": way, "form": form, "problem": problem, "where": WHERE, "ways": len(task.ways)}
    return page(request, "tenants/connect.html", context, frame=frame_of(request), status=status)
