"""The list of servers: its page, what keeps an open one up to date, and the same as a file."""

from collections.abc import Iterable
from functools import partial
from typing import Any
from urllib.parse import urlencode

import msgspec
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.views.decorators.http import require_safe

from drdash.clock import boot_seconds
from drdash.web import columns, facets, finding, preflights, saved, sheets, shown
from drdash.web.columns import asked
from drdash.web.finding import SIZES, Found, Wanted
from drdash.web.frame import Frame, digest, frame_of, page, part, wants_part
from drdash.web.phrases import phrase
from drdash.web.shown import Key, Shown, Steps


@require_safe
def servers(request: HttpRequest) -> HttpResponse:
    """The list of servers; its filters live in the URL."""
    frame, wanted = frame_of(request), asked(request.GET)
    if wants_part(request, "facets"):
        filters = _facets(request, frame, wanted)
        return part(request, "servers/_facets.html", filters | {"have": filters["facets_have"]})
    found = finding.find(frame.estates, wanted, is_blocked=frame.is_blocked)
    if wants_part(request, "follow"):
        return _followed(request, frame, wanted, found)
    context = _results(frame, wanted, found)
    if wants_part(request, "results") and "X-Refresh" in request.headers:
        return part(request, "servers/_results.html", context)
    context |= _facets(request, frame, wanted)
    if wants_part(request, "results"):
        response = render(request, "servers/_answer.html", context)
        response.headers["HX-Push-Url"] = context["url"]
        return response
    context["saved_views"] = saved.of(request.user, "servers")
    return page(request, "servers/page.html", context, frame=frame, topics=["server-row-*"])


@require_safe
def servers_csv(request: HttpRequest) -> StreamingHttpResponse:
    """All that the filter lets through, sorted, with the columns that are shown."""
    frame, wanted = frame_of(request), asked(request.GET)
    found = finding.find(frame.estates, wanted, is_blocked=frame.is_blocked)
    cells = columns.cells(columns.CELLS, columns.shown(wanted.columns))
    rows = (
        (
            *(cell(one) for cell in cells.values()),
            *columns.freshness(
                one.estate,
                frame.reach.tenants[one.estate.tenant].name,
                stale=frame.stale[one.estate.tenant],
                missing=one.seen.missing_since,
            ),
        )
        for one in found
    )
    return sheets.sheet("servers", (*cells, *columns.FRESHNESS), rows, now=timezone.now())


def address(wanted: Wanted, **changed: Any) -> str:
    """Where that list is, but for what is changed."""
    params, here = wanted.params(**changed), reverse("servers")
    return f"{here}?{urlencode(params, safe=',')}" if params else here


def _results(frame: Frame, wanted: Wanted, found: list[Found]) -> dict[str, Any]:
    now = Paginator(found, wanted.show).get_page(wanted.page)
    wanted = msgspec.structs.replace(wanted, page=now.number)
    state = Shown(tuple(map(_key, now)))
    chosen = columns.shown(wanted.columns)
    return {
        **_following(frame, wanted, found, now, state),
        "rows": frame.rows(now),
        "columns": columns.headings(columns.COLUMNS, wanted.sort, partial(address, wanted, page=1)),
        "hides": columns.hides(chosen),
        "filtered": bool(wanted.asked or wanted.q),
        "no_tenant": not frame.estates,
        "never_polled": all(estate.health.as_of is None for estate in frame.estates.values()),
        "answered": True,
    }


def _following(
    frame: Frame, wanted: Wanted, found: list[Found], now: Any, state: Shown, *, moved: bool = False
) -> dict[str, Any]:
    """What changes with any update of the list; it is remembered under what the page holds as ``have``."""
    many = len(preflights.eligible(frame, found))
    have = digest([wanted, len(found), many, moved, state.rows, sorted(state.leaving.items())])
    shown.remember(have, state)
    return {
        "wanted": wanted,
        "params": wanted.params(q="", page=1),
        "query": address(wanted).removeprefix(reverse("servers")),
        "url": address(wanted),
        "csv": f"{reverse('servers-csv')}{address(wanted, page=1, show=finding.PAGE).removeprefix(reverse('servers'))}",
        "count": len(found),
        "shown": now,
        "earlier": address(wanted, page=now.number - 1) if now.has_previous() else "",
        "later": address(wanted, page=now.number + 1) if now.has_next() else "",
        "offers": preflights.offered(frame),
        "many": many,
        "leaving": len(state.leaving),
        "moved": moved,
        "have": have,
    }


def _followed(request: HttpRequest, frame: Frame, wanted: Wanted, found: list[Found]) -> HttpResponse:
    """What an open list has to do to be up to date: row by row, or all of it where nobody knows what it shows."""
    now = Paginator(found, wanted.show).get_page(wanted.page)
    was = shown.recall(request.headers.get("X-Have", ""))
    if was is not None and was.rows and found and now.number == wanted.page:
        held = "X-Hand" in request.headers
        state, steps = shown.step(was, list(map(_key, now)), boot_seconds(), held=held)
        if not steps.many:
            context = _following(frame, wanted, found, now, state, moved=steps.moved)
            return part(request, "servers/_steps.html", context | _rows(frame, found, steps))
    elif was is not None and not was.rows and not found:
        return HttpResponse(status=204)
    response = render(request, "servers/_results.html", _results(frame, wanted, found))
    response.headers["HX-Retarget"], response.headers["HX-Reswap"] = "#results", "quick"
    return response


def _rows(frame: Frame, found: list[Found], steps: Steps) -> dict[str, Any]:
    matching = {_key(one): one for one in found}
    coming = dict(steps.comes)
    there = [matching[key] for key in (*steps.back, *coming)]
    drawn = dict(zip((_key(one) for one in there), frame.rows(there), strict=True))
    left = [one for key in steps.leaves if (one := _still(frame, key))]
    return {
        "gone": [row_id(key) for key in (*steps.gone, *(key for key in steps.leaves if not _still(frame, key)))],
        "leaves": [_leaves(row) for row in frame.rows(left)],
        "back": [_swapped(drawn[key]) for key in steps.back],
        "comes": [(place(before), drawn[key]) for key, before in steps.comes],
    }


def _still(frame: Frame, key: Key) -> Found | None:
    """A server that is known, though it may not match."""
    tenant, name = key
    estate = frame.estates.get(tenant)
    seen = estate.servers.get(name) if estate else None
    return Found(estate, name, seen) if estate and seen else None


def _leaves(row: str) -> str:
    """A row that no longer matches, and says so."""
    words = format_html('<span class="sub leaves">{}</span></th>', phrase("No longer matches, and leaves this list."))
    return _swapped(row).replace('class="row', 'class="row is-leaving', 1).replace("</th>", words, 1)


def _swapped(row: str) -> str:
    return row.replace("<tr ", '<tr hx-swap-oob="quick" ', 1)


def row_id(key: Key) -> str:
    """The row's place in the page."""
    return f"server-row-{key[1]}"


def place(before: Key | None) -> str:
    """Where a row is put: behind another, or first. Ids may be anything."""
    if before is None:
        return "afterbegin:#rows"
    escaped = row_id(before).replace("\\", "\\\\").replace("'", "\\'")
    return f"afterend:[id='{escaped}']"


def _facets(request: HttpRequest, frame: Frame, wanted: Wanted) -> dict[str, Any]:
    """The filters, with their counts, and the views."""
    count = partial(finding.tally, frame.estates, is_blocked=frame.is_blocked)
    counts = count(wanted)
    of_all = counts if not (wanted.asked or wanted.q) else count(Wanted())
    names = {
        "tenant": {str(pk): tenant.name for pk, tenant in frame.reach.tenants.items()},
        "site": {value: columns.short(value) for value in of_all["site"] if value != finding.UNSAID},
    }
    chosen = columns.shown(wanted.columns)
    views = facets.built_in(wanted, of_all, address)
    views += saved.views(request.user, wanted, of_all)
    shape = [(name, columns.COLUMNS[name], name in chosen) for name in columns.CHOOSABLE]
    context: dict[str, Any] = {
        "facets": facets.facets(wanted, counts, names, partial(address, wanted)),
        "views": views,
        "all": address(Wanted(sort=wanted.sort, show=wanted.show, columns=wanted.columns)),
        "unfiltered": not (wanted.asked or wanted.q),
        "total": sum(len(estate.servers) for estate in frame.estates.values()),
        "shape": shape,
        "listing": "servers",
        "kept": wanted.params(columns="", show=finding.PAGE, page=1),
        "sizes": [(size, size == wanted.show) for size in SIZES],
        "here": address(wanted),
    }
    told: Iterable[object] = (context["facets"], views, shape, wanted.show, context["total"])
    return context | {"facets_have": digest(told)}


def _key(one: Found) -> Key:
    return one.estate.tenant, one.key
