"""Signing in and out, and changing one's password. Each is in the audit, through whichever door it was done."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import views as auth
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

from drdash.audit.record import write, writing
from drdash.web import proving
from drdash.web.signing_in import SIGNED_IN, NewPassword, Throttled, told_of

login = never_cache(
    auth.LoginView.as_view(
        template_name="people/login.html", authentication_form=Throttled, redirect_authenticated_user=True
    )
)
logout = auth.LogoutView.as_view()


@method_decorator(never_cache, name="dispatch")
class Password(auth.PasswordChangeView):
    """Change one's own password; other sessions of it end."""

    template_name = "people/password.html"
    form_class = NewPassword
    success_url = reverse_lazy("home")

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "request": self.request}

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        messages.success(self.request, "Your password is changed. Other sessions of yours have ended.")
        with writing():
            write(by=form.user, verb="changed their password", at=timezone.now())
            return super().form_valid(form)


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
