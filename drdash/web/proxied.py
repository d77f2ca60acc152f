"""https through a proxy that nobody named is not believed, and said so: Django alone would send it round for ever."""

import logging
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

log = logging.getLogger(__name__)

PROBED = ("/healthz", "/readyz")
UNNAMED = (
    "drdash does not know the proxy that this came through, so it does not believe that it came by https. "
    "Name the proxy in DRDASH_TRUSTED_PROXIES, and start drdash anew: its log has the proxy's address."
)
_told: set[str] = set()


def proxied(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """What is https is for the web server to tell, by the headers of the proxies in DRDASH_TRUSTED_PROXIES alone."""

    def answer(request: HttpRequest) -> HttpResponse:
        claims = request.headers.get("X-Forwarded-Proto", "").strip() == "https"
        if not settings.HTTPS or not claims or request.is_secure() or request.path in PROBED:
            return get_response(request)
        address = request.META.get("REMOTE_ADDR", "")
        if address not in _told and len(_told) < 10:
            _told.add(address)
            log.warning("A proxy at %s says https, and is not in DRDASH_TRUSTED_PROXIES: it is not believed", address)
        return HttpResponse(UNNAMED, status=400, content_type="text/plain; charset=utf-8")

    return answer
