"""Signing in and out, one's password, and API tokens. Each is in the audit, through whichever door it was done."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import views as auth
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.dispatch import receiver
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse, reverse_lazy
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from drdash.audit.record import write, writing
from drdash.tenants import access
from drdash.web import proving, tokens
from drdash.web.frame import frame_of, user_of
from drdash.web.said import said
from drdash.web.signing_in import SIGNED_IN, WRONG, NewPassword, Throttled, told_of
from drdash.web.tenants import one_kept, show

form = require_http_methods(["GET", "HEAD", "POST"])  # Django takes a PUT for a POST
_login = form(
    auth.LoginView.as_view(
        template_name="people/login.html",
        authentication_form=Throttled,
        redirect_authenticated_user=True,
        extra_context={"nobody": lambda: not User.objects.exists()},
    )
)


@login_not_required
def login(request: HttpRequest) -> HttpResponseBase:
    """Sign in. A page that only asked for a part of itself was signed out meanwhile: it is told to load anew."""
    answer = _login(request)
    if request.headers.get("HX-Request") == "true":
        answer.headers["HX-Refresh"] = "true"
    return answer


logout = require_POST(auth.LogoutView.as_view())


@method_decorator(form, name="dispatch")
class Password(auth.PasswordChangeView):
    """One's account: change the password, which ends other sessions and, unless it is kept, the API token."""

    template_name = "people/password.html"
    form_class = NewPassword
    success_url = reverse_lazy("home")

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "request": self.request}

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        return {**super().get_context_data(**more), "token": tokens.held_by(user_of(self.request))}

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        with writing():
            write(by=form.user, verb="changed their password", at=timezone.now())
            revoked = "keep_token" not in self.request.POST and tokens.revoke(form.user, by=form.user)
            changed = super().form_valid(form)
        told = gettext("Your password is changed. Other sessions of yours have ended.")
        also = gettext("Your API token is revoked.") if revoked else ""
        messages.success(self.request, f"{told} {also}".rstrip())
        return changed


@sensitive_post_parameters("password")
@form
def again(request: HttpRequest) -> HttpResponse:
    """The password once more, on the way to what wants it just now."""
    onward = request.POST.get("next") or request.GET.get("next") or ""
    if not url_has_allowed_host_and_scheme(onward, {request.get_host()}, require_https=request.is_secure()):
        onward = reverse("home")
    if request.method == "POST" and proving.prove(request, request.POST.get("password", "")):
        return redirect(onward)
    problem = said(WRONG) if request.method == "POST" else ""
    return render(request, "people/again.html", {"next": onward, "problem": problem}, status=422 if problem else 200)


@require_POST
def revoke_token(request: HttpRequest) -> HttpResponse:
    """One's own API token goes."""
    if tokens.revoke(user_of(request), by=user_of(request)):
        messages.success(request, gettext("Your API token is revoked."))
    return redirect("password")


@sensitive_post_parameters("password")
@require_POST
def member_token(request: HttpRequest, pk: int, user: int, deed: str) -> HttpResponse:
    """Let a member's token run production in a tenant, take that back, or revoke it."""
    frame = frame_of(request)
    tenant = one_kept(request, frame.reach, pk)
    whose = get_object_or_404(User, pk=user)
    if deed not in {"allow", "take-back", "revoke"} or access.reach(whose).role(pk) is None:
        raise Http404
    by, name = user_of(request), whose.get_username()
    if deed == "take-back":
        tokens.take_back(whose, tenant, by=by)
        messages.success(request, gettext("%(name)s's token runs no production here any more.") % {"name": name})
    elif deed == "revoke":
        tokens.revoke(whose, by=by, tenant=tenant)
        messages.success(request, gettext("%(name)s's token is revoked.") % {"name": name})
    elif not proving.proven(request) and not proving.prove(request, request.POST.get("password", "")):
        wrong = f"{said(WRONG)} {gettext('Nothing was allowed.')}"
        messages.error(request, wrong)
        return show(request, frame, tenant, wrong={f"token-{user}": wrong})
    else:
        try:
            tokens.allow(whose, tenant, mark=request.POST.get("mark", ""), by=by)
            words = gettext("%(name)s's token may run production of %(tenant)s.")
            messages.success(request, words % {"name": name, "tenant": tenant.name})
        except tokens.Gone as problem:
            messages.error(request, said(str(problem)))
    return redirect(f"{reverse('tenant', args=[pk])}#tokens")


@receiver(user_logged_in)
def signed_in(*, request: HttpRequest, user: User, **_: Any) -> None:
    """Note a sign-in, here or at Django's admin: in the audit, and in the session as a proof of who it is."""
    write(by=user, verb=SIGNED_IN, at=timezone.now(), detail=told_of(request))
    proving.mark(request)


@receiver(user_logged_out)
def signed_out(*, user: User | None, **_: Any) -> None:
    """Note a sign-out. None: the session was over already."""
    if user is not None:
        write(by=user, verb="signed out", at=timezone.now())
