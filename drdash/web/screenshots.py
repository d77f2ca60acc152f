"""What the automated test of a server saw, fetched with the credential from the cloud's own host alone. From anywhere
else it stays a link, which the browser follows or not.
"""

from collections.abc import Hashable

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from drdash.cloud.neighbours import links, screenshots
from drdash.cloud.neighbours.screenshots import Picture
from drdash.cloud.records import AutomatedTest
from drdash.tenants.models import Tenant
from drdash.web import beside, cards
from drdash.web.beside import Trouble
from drdash.web.buttons import server_url
from drdash.web.finding import Found
from drdash.web.frame import frame_of, page, server_or_404
from drdash.web.kept import Kept
from drdash.web.phrases import phrase

# No longer than it takes to look at a page.
PICTURE_SECONDS, PASSING_SECONDS, REFUSED_SECONDS = 300.0, 10.0, 60.0
MOST_BYTES = 32 * 1024 * 1024
SIZES = ("preview", "full")

_Got = Picture | Trouble


def _good_for(answer: _Got) -> float:
    if isinstance(answer, Picture):
        return PICTURE_SECONDS
    return PASSING_SECONDS if answer.passing else REFUSED_SECONDS


kept: Kept[_Got] = Kept(
    good_for=_good_for,
    meanwhile=Trouble(phrase("The cloud is being asked for it: look again in a moment."), passing=True),
    most=MOST_BYTES,
    weight=lambda answer: len(answer.body) if isinstance(answer, Picture) else 1000,
)


@require_safe
def shown(request: HttpRequest, uuid: str) -> HttpResponse:
    """The screenshot as a part of the server's page, or in words why there is none."""
    frame = frame_of(request)
    found = server_or_404(frame, uuid)
    test, whole = found.server.automated_test, request.headers.get("HX-Request") != "true"
    size = SIZES[whole]
    href = _href(test, size)
    answer = _got(frame.reach.tenants[found.estate.tenant], test, href) if test and href else None
    context = {
        "name": cards.name_of(found.server),
        "at": test.last_start if test else None,
        "source": f"{_url(found)}{size}/" if isinstance(answer, Picture) else "",
        "page": _url(found),
        "problem": answer.sentence if isinstance(answer, Trouble) else "",
        "href": href if answer is None else "",
        "back": server_url(found.server.uuid),
        "whole": whole,
    }
    if whole:
        return page(request, "servers/screenshot.html", context, frame=frame)
    return render(request, "servers/_screenshot.html", context)


@require_safe
def picture(request: HttpRequest, uuid: str, size: str) -> HttpResponse:
    """The picture itself."""
    frame = frame_of(request)
    found = server_or_404(frame, uuid)
    test = found.server.automated_test
    href = _href(test, size) if size in SIZES else ""
    answer = _got(frame.reach.tenants[found.estate.tenant], test, href) if test and href else None
    if answer is None:
        raise Http404
    if isinstance(answer, Trouble):
        return HttpResponse(answer.sentence, content_type="text/plain; charset=utf-8", status=404)
    headers = {
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Content-Disposition": f'inline; filename="screenshot.{answer.type.partition("/")[2]}"',
    }
    return HttpResponse(answer.body, content_type=answer.type, headers=headers)


def _got(tenant: Tenant, test: AutomatedTest, href: str) -> _Got | None:
    """The picture, or why there is none; None for a link that is not followed here."""
    path = links.own_path(href, tenant.credential.cloud, api=links.ANY_API)
    if path is None:
        return None
    now = timezone.now().timestamp()
    # The link is the same for each test: what it leads to is not.
    key: Hashable = (tenant.pk, href, test.last_task_uuid, test.last_start)
    return kept.get(
        key, lambda: beside.ask(tenant, beside.SCREENSHOTS, lambda get: screenshots.read(path, get, now=now))
    )


def _href(test: AutomatedTest | None, size: str) -> str:
    if test is None:
        return ""
    return (size == "preview" and test.screenshot_preview_link) or test.screenshot_link


def _url(found: Found) -> str:
    return f"{server_url(found.server.uuid)}screenshot/"
