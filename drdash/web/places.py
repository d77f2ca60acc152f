"""The list of sites: its page, and the same as a file."""

from collections import Counter

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from drdash.cloud.words import Readiness
from drdash.web import columns, rows, saved, sheets, wording
from drdash.web.columns import Cells
from drdash.web.facets import View
from drdash.web.finding import UNSAID
from drdash.web.frame import Frame, digest, frame_of, page, part, wants_part
from drdash.web.paging import paged
from drdash.web.phrases import phrase
from drdash.web.seeking import CHOOSABLE, HEADINGS, Place, Sought, ordered
from drdash.web.wording import look_of

# Of each column, what is written to a file; times are whole moments, words are the cloud's own.
CELLS: dict[str, Cells[Place]] = {
    "name": {"uuid": lambda one: one.site.uuid, "default": lambda one: one.site.default},
    "readiness": {"failover_readiness": lambda one: one.site.readiness},
    "status": {"status": lambda one: one.site.status, "deleted_at": lambda one: one.site.deleted_at},
    "issues": {"issues": lambda one: columns.told(one.site.issues)},
    "servers": {"servers": lambda one: one.servers},
}


def all_of(frame: Frame) -> list[Place]:
    """Every site within reach."""
    found = []
    for pk, estate in frame.estates.items():
        named = Counter(one.record.site_key for one in estate.servers.values())
        name = frame.reach.tenants[pk].name
        found += [Place(estate, seen, name, named[key]) for key, seen in estate.sites.items()]
    return found


@require_safe
def sites(request: HttpRequest) -> HttpResponse:
    """The list of sites, those that are not ready first; its filters live in the URL."""
    frame, sought = frame_of(request), Sought.of(request.GET)
    every = all_of(frame)
    found = [one for one in every if sought.finds(one)]
    listed = ordered([one for one in found if sought.matches(one)], sought.sort)
    views = [*_built_in(found, sought), *_own(request.user, every, sought)]
    chosen = columns.shown(sought.columns, CHOOSABLE)
    turned = paged(request, listed, reverse("sites"), sought.params())
    context = {
        **turned,
        "sought": sought,
        "params": sought.params(q=""),
        "query": sought.url().removeprefix(reverse("sites")),
        "rows": [
            rows.site_row(
                frame.reach.tenants[one.estate.tenant], one.estate, one.seen, stale=frame.stale[one.estate.tenant]
            )
            for one in turned["shown"]
        ],
        "columns": columns.headings(HEADINGS, sought.sort, sought.url),
        "hides": columns.hides(chosen, CHOOSABLE),
        "shape": [(name, HEADINGS[name], name in chosen) for name in CHOOSABLE],
        "kept": sought.params(columns=""),
        "listing": "sites",
        "views": views,
        "all": sought.url(readiness=""),
        "unfiltered": not sought.readiness,
        "total": len(found),
        "csv": sought.url(reverse("sites-csv")),
        "filtered": bool(sought.q or sought.readiness),
        "no_tenant": not frame.estates,
        "have": digest([turned["url"], views, *((one.estate.tenant, one.site.key) for one in turned["shown"])]),
    }
    if not wants_part(request, "results"):
        context["saved_views"] = saved.of(request.user, "sites")
        return page(request, "sites/page.html", context, frame=frame, topics=["site-row-*"])
    if "X-Refresh" in request.headers:
        return part(request, "sites/_results.html", context)
    response = render(request, "sites/_results.html", context)
    response.headers["HX-Push-Url"] = turned["url"]
    return response


@require_safe
def sites_csv(request: HttpRequest) -> StreamingHttpResponse:
    """All that the filter lets through, sorted, with the columns that are shown."""
    frame, sought = frame_of(request), Sought.of(request.GET)
    cells = columns.cells(CELLS, columns.shown(sought.columns, CHOOSABLE))
    lines = (
        (
            *(cell(one) for cell in cells.values()),
            *columns.freshness(
                one.estate, one.tenant, stale=frame.stale[one.estate.tenant], missing=one.seen.missing_since
            ),
        )
        for one in ordered([one for one in all_of(frame) if sought.matches(one)], sought.sort)
    )
    return sheets.sheet("sites", (*cells, *columns.FRESHNESS), lines, now=timezone.now())


def _built_in(found: list[Place], sought: Sought) -> list[View]:
    """One link for each readiness, with its count."""
    counts = Counter(one.readiness for one in found)
    words = {value.lower(): look_of(wording.READINESS, value).word for value in reversed(Readiness)}
    names = list(dict.fromkeys([*words, *sorted(counts), *filter(None, [sought.readiness])]))
    known = words | {UNSAID: phrase("Readiness not said")}
    return [
        View(known.get(one, one.upper()), sought.url(readiness=one), counts[one], sought.readiness == one)
        for one in names
    ]


def _own(user: AbstractBaseUser | AnonymousUser, every: list[Place], sought: Sought) -> list[View]:
    """The views that the person saved, each with its count."""
    views = []
    for one in saved.of(user, "sites"):
        means = Sought.of(QueryDict(one.query))
        count = sum(means.matches(place) for place in every)
        views.append(View(one.name, means.url(), count, means == sought, own=one.pk))
    return views
