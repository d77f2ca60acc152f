"""Times as the viewer reads them: in their zone, which the script knows and keeps in a cookie, and ages in words.

Rows and panels are drawn once for all who may see them and at any time, as moments in UTC; so it is the finished page
in which they are put into the zone and the language of whoever asked, as old as they are now. The script finds the
words that it would write itself, and lets them tick.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, tzinfo
from functools import cache
from math import floor
from zoneinfo import ZoneInfo, available_timezones

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from drdash.web.phrases import Phrase, phrases

COOKIE = "drdash_zone"
UTC = ZoneInfo("UTC")

_TIME = re.compile(r'<time datetime="([^"]+)" data-show="(at|age|until)"[^>]*>[^<]*(?=</time>)')
_AGO: dict[int, Callable[[int], Phrase]] = {
    86400: lambda n: phrases("%(count)s day ago", "%(count)s days ago", n),
    3600: lambda n: phrases("%(count)s hour ago", "%(count)s hours ago", n),
    60: lambda n: phrases("%(count)s minute ago", "%(count)s minutes ago", n),
    1: lambda n: phrases("%(count)s second ago", "%(count)s seconds ago", n),
}
_AHEAD: dict[int, Callable[[int], Phrase]] = {
    86400: lambda n: phrases("in %(count)s day", "in %(count)s days", n),
    3600: lambda n: phrases("in %(count)s hour", "in %(count)s hours", n),
    60: lambda n: phrases("in %(count)s minute", "in %(count)s minutes", n),
    1: lambda n: phrases("in %(count)s second", "in %(count)s seconds", n),
}


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


def away(at: datetime, now: datetime) -> str:
    """How far away a moment is: "3 minutes ago", "in 2 hours", in the words that browsers have for it."""
    seconds = floor((at - now).total_seconds() + 0.5)
    unit = next(one for one in _AGO if abs(seconds) >= one * 1.5 or one == 1)
    number = floor(seconds / unit + 0.5) or -1
    return (_AGO if number < 0 else _AHEAD)[unit](abs(number)).said()


def zoned(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: the times of a page, or of a part of one, as whoever asked for it reads them."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        html = response.headers.get("Content-Type", "").startswith("text/html")
        if html and isinstance(response, HttpResponse):
            zone, now = of(request), timezone.now()
            response.content = _TIME.sub(lambda found: _said(found, zone, now), response.content.decode())
        return response

    return middleware


@cache
def _known() -> frozenset[str]:
    return frozenset(available_timezones())


def _said(found: re.Match[str], zone: tzinfo, now: datetime) -> str:
    moment, show = found.groups()
    at = datetime.fromisoformat(moment)
    exact = words(at, zone)
    text = away(at, now) if show == "age" else exact
    if show == "until" and at > now:
        text = f"{exact} ({away(at, now)})"
    return f'<time datetime="{moment}" data-show="{show}" title="{exact}">{text}'
