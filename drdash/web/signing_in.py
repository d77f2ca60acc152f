"""The form that asks for name and password, at every door: who guesses has to wait, and the audit knows.

Counted by person and address, from the audit itself: whoever guesses at one person keeps no other out, and with Redis
away it is the same. Behind a proxy on another machine all have its address.
"""

from datetime import timedelta
from ipaddress import ip_address
from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils import timezone

from drdash.audit.models import Entry
from drdash.audit.record import write

TRIES = 5
WAIT = timedelta(minutes=15)
REFUSED = "sign-in refused"


class Throttled(AuthenticationForm):
    """After TRIES wrong passwords from one address within WAIT, no password is looked at until the first is so old.
    The page says so to everyone who fails.
    """

    def clean(self) -> dict[str, Any]:
        now = timezone.now()
        user = User.objects.filter(username=self.cleaned_data.get("username", "")).first()
        address = _address(self.request.META.get("REMOTE_ADDR", "") if self.request else "")
        told = f"From {address}."
        # A name that nobody has may be a password that slipped: it is not written down, and opens nothing.
        if user is not None:
            wrong = Entry.objects.filter(verb=REFUSED, user=user, detail=told, at__gt=now - WAIT)
            if wrong.count() >= TRIES:
                # In the same words as for any other: who waits here would be a name that exists.
                # And after as much work.
                User().set_password(self.cleaned_data.get("password", ""))
                raise self.get_invalid_login_error()
        try:
            return super().clean()
        except ValidationError:
            if user is not None:
                write(by=user, verb=REFUSED, at=now, detail=told)
            raise


def _address(told: str) -> str:
    """As the web server tells it; what is no address counts as one and the same."""
    try:
        return str(ip_address(told))
    except ValueError:
        return "an unknown address"


class ThrottledAdmin(Throttled, AdminAuthenticationForm):
    """The same at Django's admin."""
