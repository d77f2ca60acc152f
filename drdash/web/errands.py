"""What someone went to the cloud's consent page for: kept sealed in their session, for ten minutes and one return."""

import hmac
import secrets
from typing import Any

import msgspec
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from drdash.english import english
from drdash.tenants.secrets import Unopenable, seal, unseal

SECONDS = 600
_KEPT = "errand"


class Errand(msgspec.Struct, frozen=True):
    """Where the way leads: ``goal`` is the page that it began on, ``pk`` what that is about; ``given`` what was typed.

    It has the client's secret and the PKCE verifier in it: nowhere but sealed.
    """

    goal: str
    user: int
    at: float
    state: str
    verifier: str
    given: dict[str, Any]
    pk: int = 0

    def __repr__(self) -> str:
        return f"Errand({self.goal!r})"


class Lost(Exception):
    """The way back does not belong to a way there; the sentence says what to do."""


def begin(request: HttpRequest, *, goal: str, verifier: str, given: dict[str, Any], now: float, pk: int = 0) -> None:
    """Keep an errand in the session, instead of any before."""
    errand = Errand(
        goal=goal,
        user=request.user.pk or 0,
        at=now,
        state=secrets.token_urlsafe(32),
        verifier=verifier,
        given=given,
        pk=pk,
    )
    request.session[_KEPT] = seal(msgspec.json.encode(errand).decode())


def current(request: HttpRequest, *, now: float) -> Errand | None:
    """The errand that is under way, if there is one; one that is too old is dropped."""
    if (sealed := request.session.get(_KEPT)) is None:
        return None
    try:
        errand = msgspec.json.decode(unseal(sealed), type=Errand)
    except (Unopenable, msgspec.DecodeError):
        errand = None
    if errand is None or errand.user != request.user.pk or not 0 <= now - errand.at < SECONDS:
        del request.session[_KEPT]
        return None
    return errand


def finish(request: HttpRequest, *, state: str, now: float) -> Errand:
    """The errand that this return belongs to. It is dropped, whether it fits or not. Raises Lost."""
    errand = current(request, now=now)
    request.session.pop(_KEPT, None)
    # At once, and not when the cloud has answered: a second return finds nothing in the meantime.
    request.session.save()
    if errand is None:
        raise Lost(
            english("Nothing waits for this way back: it was used, or it is more than 10 minutes old. Begin again.")
        )
    if not hmac.compare_digest(errand.state.encode(), state.encode(errors="replace")):
        raise Lost(english("This way back belongs to another way there, so nothing was connected. Begin again."))
    return errand


def redirect_uri(request: HttpRequest) -> str:
    """Where the cloud sends people back to: DRDASH_PUBLIC_URL, or else the loopback address that they came by."""
    origin = settings.PUBLIC_URL or f"{request.scheme}://{request.get_host()}"
    return f"{origin}{reverse('connect-return')}"
