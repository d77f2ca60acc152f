"""Passwords, at every door where one is typed: who guesses has to wait, and the audit knows.

Counted by person and address, from the audit itself: whoever guesses at one person keeps no other out, nor that person
at another address, and with Redis away it is the same. Behind a proxy that DRDASH_TRUSTED_PROXIES does not name all
have the proxy's address.
"""

from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.contrib.auth.hashers import check_password
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from drdash.audit.models import Entry
from drdash.audit.record import write, writing
from drdash.english import english
from drdash.web.said import said

TRIES = 5
WAIT = timedelta(minutes=15)
SIGNED_IN, SIGN_IN_REFUSED = "signed in", "sign-in refused"
GIVEN, REFUSED = "password given", "password refused"
UNKNOWN = "an unknown address"
WRONG = english(
    "That is not your password; or it is, after five wrong ones from your address: then the right one counts only "
    "15 minutes later."
)


class Throttled(AuthenticationForm):
    """After TRIES wrong passwords from one address within WAIT none counts until the first is so old. The page says so
    to everyone who fails: in the same words and after the same work, as who waits here would be a name that exists.
    """

    def clean(self) -> dict[str, Any]:
        user = User.objects.filter(username=self.cleaned_data.get("username", "")).first()
        if not self.cleaned_data.get("password"):
            return super().clean()
        problem, cleaned = None, self.cleaned_data
        try:
            cleaned = super().clean()
        except ValidationError as error:
            problem = error
        # A name that nobody has may be a password that slipped: it is not written down, and opens nothing.
        if user is not None and not counts(user, self.request, right=problem is None, refused=SIGN_IN_REFUSED):
            problem = problem or self.get_invalid_login_error()
        if problem:
            raise problem
        return cleaned


class ThrottledAdmin(Throttled, AdminAuthenticationForm):
    """The same at Django's admin."""


class NewPassword(PasswordChangeForm):
    """The old password is looked at like one at a sign-in: a session that was left open is no place to guess it."""

    error_messages = {**PasswordChangeForm.error_messages, "password_incorrect": WRONG}

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._request = request

    @sensitive_variables("typed")
    def clean_old_password(self) -> str:
        typed = str(self.cleaned_data["old_password"])
        if not counts(self.user, self._request, right=is_theirs(self.user, typed), refused=REFUSED):
            raise ValidationError(said(WRONG), code="password_incorrect")
        return typed


@sensitive_variables("password")
def is_theirs(user: User, password: str) -> bool:
    """Whether it is the person's password, by the hash that is kept here: nobody else is asked, and nothing changed."""
    return user.is_active and check_password(password, user.password)


def counts(user: User, request: HttpRequest | None, *, right: bool, refused: str, given: str = "") -> bool:
    """Whether a password that was just looked at counts: it is right, and the person did not try too often from here.

    Decided when it is written down, which one does after the other: of a thousand that are tried at the same moment
    no more come to count than of a thousand in a row. ``refused`` and ``given``: the verbs for the audit.
    """
    place, now = place_of(request), timezone.now()
    with writing():
        if _wrong(user, place, now) >= TRIES:
            return False
        if not right:
            write(by=user, verb=refused, at=now, detail=told_of(request))
        elif given:
            write(by=user, verb=given, at=now, detail=told_of(request))
    return right


def told_of(request: HttpRequest | None) -> str:
    """Where a request comes from, for the audit."""
    address, place = _address(request), place_of(request)
    return f"From {place}." if place == str(address) or address is None else f"From {address}, of {place}."


def place_of(request: HttpRequest | None) -> str:
    """The address that the tries are counted by. Whoever has one of IPv6 has the network of 2**64 that it is of."""
    address = _address(request)
    if isinstance(address, IPv6Address):
        return str(ip_network((int(address), 64), strict=False))
    return str(address or UNKNOWN)


def _address(request: HttpRequest | None) -> Any:
    """As the web server tells it; None for what is no address."""
    try:
        address = ip_address(request.META.get("REMOTE_ADDR", "") if request else "")
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _wrong(user: User, place: str, now: datetime) -> int:
    """The wrong passwords of late from there, since the last that was right."""
    told = Entry.objects.filter(user=user, at__gt=now - WAIT, detail__endswith=f" {place}.")
    right = told.filter(verb__in=(SIGNED_IN, GIVEN)).values_list("number", flat=True).first() or 0
    return told.filter(verb__in=(SIGN_IN_REFUSED, REFUSED), number__gt=right).count()
