"""Which sites a list asks for, in which order, and with which columns."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import msgspec
from django.http import QueryDict
from django.urls import reverse

from drdash.cloud.records import Site
from drdash.estate.snapshot import Estate, Seen
from drdash.web import columns, wording
from drdash.web.finding import UNSAID, worst
from drdash.web.phrases import phrase
from drdash.web.wording import look_of

HEADINGS = {
    "name": phrase("Site"),
    "readiness": phrase("Readiness"),
    "status": phrase("Status"),
    "issues": phrase("Issues"),
    "servers": phrase("Servers"),
}
CHOOSABLE = tuple(name for name in HEADINGS if name != "name")
RANK = {"bad": 0, "warn": 1, "still": 2, "moving": 3, "good": 4}
WORST = {"error": 0, UNSAID: 1, "warning": 2, "none": 3}
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
    columns: str = ""

    @classmethod
    def of(cls, query: QueryDict) -> "Sought":
        """What a query asks for; what makes no sense there is as if it were not given."""
        sort = query.get("sort", "")
        return cls(
            readiness=query.get("readiness", "").strip().lower(),
            q=query.get("q", "").strip(),
            sort=sort if sort.removeprefix("-") in SORTS else FIRST,
            columns=columns.canonical(",".join(query.getlist("columns")), CHOOSABLE),
        )

    def params(self, **changed: str) -> dict[str, str]:
        """The same as the parameters of a query, but for what is changed."""
        given = {**msgspec.structs.asdict(self), **changed}
        return {name: value for name, value in given.items() if value and (name, value) != ("sort", FIRST)}

    def url(self, path: str = "", **changed: str) -> str:
        """Where that list is, but for what is changed."""
        params, here = self.params(**changed), path or reverse("sites")
        return f"{here}?{urlencode(params, safe=',')}" if params else here

    def finds(self, place: Place) -> bool:
        """Whether the text occurs in the site's id or its tenant's name."""
        needle = self.q.casefold()
        return needle in place.site.uuid.casefold() or needle in place.tenant.casefold()

    def matches(self, place: Place) -> bool:
        """Whether the text does, and its readiness is the one that is asked for."""
        return self.readiness in ("", place.readiness) and self.finds(place)


def ordered(places: list[Place], sort: str) -> list[Place]:
    """Sorted; the worst are first where the order is of how bad something is."""
    listed = sorted(places, key=lambda one: (one.tenant.casefold(), one.site.key))
    listed.sort(key=SORTS[sort.removeprefix("-")], reverse=sort.startswith("-"))
    return listed


def _issues(place: Place) -> tuple[int, int]:
    issues = place.site.issues
    return WORST[worst(issues)], -len(issues or ())


SORTS: dict[str, Callable[[Place], Any]] = {
    "name": lambda one: one.site.key,
    "readiness": lambda one: RANK[look_of(wording.READINESS, one.site.readiness).tone],
    "status": lambda one: look_of(wording.SITE_STATUS, one.site.status).word.casefold(),
    "issues": _issues,
    "servers": lambda one: one.servers,
}
