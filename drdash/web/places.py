"""The list of sites: which it shows, in which order, its page, and the same as a file."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from drdash.cloud.records import Site
from drdash.cloud.words import Readiness
from drdash.estate.snapshot import Estate, Seen
from drdash.phrases import phrase
from drdash.web import columns, rows, sheets, wording
from drdash.web.columns import Heading
from drdash.web.frame import Frame, digest, frame_of, page, part, unkept, wants_part
from drdash.web.wording import look_of

UNSAID = "unsaid"
RANK = {"bad": 0, "warn": 1, "still": 2, "moving": 3, "good": 4}
HEADINGS = {
    "name": phrase("Site"),
    "readiness": phrase("Readiness"),
    "status": phrase("Status"),
    "issues": phrase("Issues"),
    "servers": phrase("Servers"),
}
FIRST = "readiness"


class Place(msgspec.Struct, frozen=True):
    """A site, with where it was found and how many servers name it."""

    estate: Estate
    seen: Seen[Site]
    tenant: str
    servers: int

    @property
    def site(self) -> Site:
        """The record as last seen."""
        return self.seen.record

    @property
    def readiness(self) -> str:
        """Its readiness, as the filter calls it."""
        return (self.site.readiness or UNSAID).lower()


class Sought(msgspec.Struct, frozen=True):
    """The filters of a list of sites; an empty one asks for nothing."""

    readiness: str = ""
    q: str = ""
    sort: str = FIRST

    @classmethod
    def of(cls, params: Mapping[str, str]) -> "Sought":
        """The filters of a query string; what makes no sense there is as if it were not given."""
        sort = params.get("sort", "")
        return cls(
            readiness=params.get("readiness", "").strip().lower(),
            q=params.get("q", "").strip(),
            sort=sort if sort.removeprefix("-") in SORTS else FIRST,
        )

    def url(self, path: str = "", **changed: str) -> str:
        """Where that list is, but for what is changed."""
        given = {**msgspec.structs.asdict(self), **changed}
        params = {name: value for name, value in given.items() if value and (name, value) != ("sort", FIRST)}
        here = path or reverse("sites")
        return f"{here}?{urlencode(params)}" if params else here

    def matches(self, place: Place) -> bool:
        """Whether the text occurs in the site's id or its tenant's name."""
        needle = self.q.casefold()
        return needle in place.site.uuid.casefold() or needle in place.tenant.casefold()


def ordered(places: list[Place], sort: str) -> list[Place]:
    """Sorted; the worst are first where the order is of how bad something is."""
    listed = sorted(places, key=lambda one: (one.tenant.casefold(), one.site.key))
    listed.sort(key=SORTS[sort.removeprefix("-")], reverse=sort.startswith("-"))
    return listed


def _issues(place: Place) -> tuple[int, int]:
    issues = place.site.issues
    worst = 1 if issues is None else 3 if not issues else 0 if any(one.severity == "ERROR" for one in issues) else 2
    return worst, -len(issues or ())


SORTS: dict[str, Callable[[Place], Any]] = {
    "name": lambda one: one.site.key,
    "readiness": lambda one: RANK[look_of(wording.READINESS, one.site.readiness).tone],
    "status": lambda one: look_of(wording.SITE_STATUS, one.site.status).word.casefold(),
    "issues": _issues,
    "servers": lambda one: one.servers,
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
    frame, sought = frame_of(request), Sought.of(request.GET.dict())
    places = [one for one in all_of(frame) if sought.matches(one)]
    listed = ordered([one for one in places if sought.readiness in ("", one.readiness)], sought.sort)
    views = _views(places, sought)
    url, order = sought.url(), {sought.sort.removeprefix("-"): sought.sort}
    context = {
        "sought": sought,
        "rows": [
            rows.site_row(
                frame.reach.tenants[one.estate.tenant], one.estate, one.seen, stale=frame.stale[one.estate.tenant]
            )
            for one in listed
        ],
        "count": len(listed),
        "columns": [
            Heading(
                name,
                label,
                sought.url(sort=f"-{name}" if sought.sort == name else name),
                {name: "ascending", f"-{name}": "descending"}.get(order.get(name, ""), ""),
            )
            for name, label in HEADINGS.items()
        ],
        "views": views,
        "url": url,
        "csv": sought.url(reverse("sites-csv")),
        "filtered": bool(sought.q or sought.readiness),
        "no_tenant": not frame.estates,
        "have": digest([sought, views, *((one.estate.tenant, one.site.key) for one in listed)]),
    }
    if not wants_part(request, "results"):
        return page(request, "sites/page.html", context, frame=frame, topics=["site-row-*"])
    if "X-Refresh" in request.headers:
        return part(request, "sites/_results.html", context)
    response = unkept(render(request, "sites/_results.html", context))
    response.headers["HX-Push-Url"] = url
    return response


@require_safe
def sites_csv(request: HttpRequest) -> StreamingHttpResponse:
    """All that the filter lets through, sorted."""
    frame, sought = frame_of(request), Sought.of(request.GET.dict())
    listed = [one for one in all_of(frame) if sought.matches(one) and sought.readiness in ("", one.readiness)]
    cells = (
        (
            one.site.uuid,
            one.site.default,
            one.site.readiness,
            one.site.status,
            columns.told(one.site.issues),
            one.servers,
            one.site.deleted_at,
            *columns.freshness(
                one.estate, one.tenant, stale=frame.stale[one.estate.tenant], missing=one.seen.missing_since
            ),
        )
        for one in ordered(listed, sought.sort)
    )
    head = ("uuid", "default", "failover_readiness", "status", "issues", "servers", "deleted_at", *columns.FRESHNESS)
    return sheets.sheet("sites", head, cells, now=timezone.now())


def _views(places: list[Place], sought: Sought) -> list[tuple[str, str, str, int, bool]]:
    """One link for each readiness, with its count: its id, word and address, and whether it is that of now."""
    counts = Counter(one.readiness for one in places)
    words = {value.lower(): look_of(wording.READINESS, value).word for value in reversed(Readiness)}
    names = list(dict.fromkeys([*words, *sorted(counts), *filter(None, [sought.readiness])]))
    known = words | {UNSAID: phrase("Readiness not said")}
    return [("all", phrase("All"), sought.url(readiness=""), len(places), not sought.readiness)] + [
        (one, known.get(one, one.upper()), sought.url(readiness=one), counts[one], sought.readiness == one)
        for one in names
    ]
