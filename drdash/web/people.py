"""Signing in and out, and changing one's password."""

from django.contrib import messages
from django.contrib.auth import views as auth
from django.contrib.auth.forms import PasswordChangeForm
from django.http import HttpResponse
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

login = never_cache(auth.LoginView.as_view(template_name="people/login.html", redirect_authenticated_user=True))
logout = auth.LogoutView.as_view()


@method_decorator(never_cache, name="dispatch")
class Password(auth.PasswordChangeView):
    """Change one's own password; other sessions of it end."""

    template_name = "people/password.html"
    success_url = reverse_lazy("home")

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        messages.success(self.request, "Your password is changed. Other sessions of yours have ended.")
        return super().form_valid(form)
