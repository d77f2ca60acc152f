"""Pages without a script: those that only show are loaded again and again, unless whoever reads wants them to stay."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from drdash.web import choices
from drdash.web.back import way_back

COOKIE = "drdash_stay"
# None of those on which something is written: it would be lost.
SHOWING = frozenset(
    {"home", "sites", "site", "servers", "server", "actions", "action", "batches", "batch", "approvals"}
)


def reloading(request: HttpRequest) -> dict[str, object]:
    """For every template: how often data is read; whether this page only shows; and whether it is to stay."""
    showing = request.method == "GET" and request.resolver_match and request.resolver_match.url_name in SHOWING
    return {"poll": settings.POLL_SECONDS, "showing": bool(showing), "stays": bool(request.COOKIES.get(COOKIE))}


@require_POST
def choose(request: HttpRequest) -> HttpResponse:
    """Let pages stay as they are until this browser is closed, or let them reload; back to the page it was asked on."""
    answer = redirect(way_back(request))
    choices.keep(answer, COOKIE, "1" if request.POST.get("stay") else "", seconds=None)
    return answer
