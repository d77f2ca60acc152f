"""Back to the page that a choice was made on: a theme, a language, whether pages stay."""

from urllib.parse import urlsplit

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.urls import Resolver404, resolve, reverse
from django.utils.http import url_has_allowed_host_and_scheme

# Nothing can be read there: what is sent there may be answered with a page, to which nobody can come back.
ONLY_SENT = frozenset(
    {
        *("approval-ask", "approval-do", "batch-do", "bell-forget", "close", "view-change", "view-save"),
        *("acting-none", "forget", "tenant-do", "tenant-token", "token-revoke"),
        *("language", "logout", "stay", "theme"),
    }
)


def way_back(request: HttpRequest) -> str:
    """Where a choice was made, as far as that is a page here that can be read; otherwise the overview."""
    return _first(request, request.POST.get("back", ""), request.headers.get("Referer", ""))


def back(request: HttpRequest) -> dict[str, object]:
    """For every template: where to come back to from a choice that is made on this page."""
    # What a query wants to lead on to is for the sign-in alone to judge.
    here = request.path if "next" in request.GET else request.get_full_path()
    return {"return_to": _first(request, here, request.headers.get("Referer", ""))}


def _first(request: HttpRequest, *places: str) -> str:
    return next((place for place in places if _readable(request, place)), reverse("home"))


def _hosts(request: HttpRequest) -> set[str]:
    """Ours, as the browser calls it; none for whoever calls it by another's name, and is told so."""
    try:
        return {request.get_host()}
    except DisallowedHost:
        return set()


def _readable(request: HttpRequest, place: str) -> bool:
    if not url_has_allowed_host_and_scheme(place, _hosts(request), require_https=request.is_secure()):
        return False
    try:
        return resolve(urlsplit(place).path).url_name not in ONLY_SENT
    except Resolver404:
        return True
