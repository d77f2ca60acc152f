"""Whether it is still the person who signed in: they did so, or typed their password again, within five minutes.

Decided here alone, by the session and the hash that the database keeps: it works with any identity provider down.
"""

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import UpdateError
from django.http import HttpRequest
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from drdash.clock import boot_seconds
from drdash.estate.waiting import BOOT
from drdash.web.signing_in import GIVEN, REFUSED, UNKNOWN, counts, is_theirs, place_of

SECONDS = 300
_AT, _BY = "proven_at", "proven_by"


def proven(request: HttpRequest) -> bool:
    """Whether the person proved who they are within SECONDS, from the address that asks now, with the password that
    they have now.
    """
    at, by = request.session.get(_AT), request.session.get(_BY)
    if not request.user.is_authenticated or not isinstance(at, int | float) or not isinstance(by, dict):
        return False
    # Whoever has the cookie may not have the address; nor the password, once it is another.
    if by.get("place") not in (place_of(request), UNKNOWN) or by.get("stamp") != request.session.get(HASH_SESSION_KEY):
        return False
    # The wall's clock may be set back; this host's other one only goes on. Another host has only the first.
    if by.get("boot") == BOOT and not 0 <= boot_seconds() - by.get("seconds", 0) < SECONDS:
        return False
    return 0 <= timezone.now().timestamp() - at < SECONDS


@sensitive_variables("password")
def prove(request: HttpRequest, password: str) -> bool:
    """Take a password for proof that it is still they. Counted and written down like one at a sign-in."""
    user = request.user
    if not isinstance(user, User):
        return False
    if not counts(user, request, right=is_theirs(user, password), refused=REFUSED, given=GIVEN):
        return False
    if request.session.get(SESSION_KEY) != str(user.pk):
        return True  # they came with a token: a session beside it may be someone else's, and is proven by nothing
    mark(request)
    try:
        # At once: an action takes a minute, and by its end the person may have signed out elsewhere.
        request.session.save()
    except UpdateError:
        return False
    request.session.modified = False
    return True


def mark(request: HttpRequest) -> None:
    """They proved it just now."""
    request.session[_AT] = timezone.now().timestamp()
    request.session[_BY] = {
        "boot": BOOT,
        "seconds": boot_seconds(),
        "place": place_of(request),
        "stamp": request.session.get(HASH_SESSION_KEY),
    }
