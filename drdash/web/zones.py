"""The viewer's zone. The script knows it, and keeps it in a cookie: what the server writes is in that zone then too.

Rows and panels are drawn once for all who may see them, in UTC; so it is the finished page in which times are put into
the zone of whoever asked.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

COOKIE = "drdash_zone"
UTC = ZoneInfo("UTC")

_TIME = re.compile(r'(<time datetime="([^"]+)"[^>]*>)[^<]*(?=</time>)')


def of(request: HttpRequest) -> ZoneInfo:
    """The zone that the browser says it is in; UTC where it says none, or one that there is not."""
    name = request.COOKIES.get(COOKIE, "")
    return ZoneInfo(name) if name in _known() else UTC


def words(at: datetime, zone: tzinfo) -> str:
    """A moment in a zone, which is named: without a script nobody else says which one it is. At the ends of the
    calendar, where a cloud's moment may be, it stays in its own.
    """
    with suppress(OverflowError):
        at = at.astimezone(zone)
    return f"{at:%Y-%m-%d %H:%M:%S %Z}"


def zoned(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: the times of a page, or of a part of one, in the zone of whoever asked for it."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        zone = of(request)
        if zone is UTC or not isinstance(response, HttpResponse):
            return response
        if response.headers.get("Content-Type", "").startswith("text/html"):
            response.content = _TIME.sub(lambda found: _said(found, zone), response.content.decode())
        return response

    return middleware


@cache
def _known() -> frozenset[str]:
    return frozenset(available_timezones())


def _said(found: re.Match[str], zone: tzinfo) -> str:
    return found[1] + words(datetime.fromisoformat(found[2]), zone)
