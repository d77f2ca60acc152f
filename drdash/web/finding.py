"""Which servers a list shows, and in which order: filters, text, sort and pages. Pure; pages and JSON share it."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import msgspec

from drdash.cloud.records import Issue, Server, Site
from drdash.cloud.words import ServerType, Severity
from drdash.estate.snapshot import Estate, Seen
from drdash.web import tested
from drdash.web.wording import SERVER_STATUS, VM_STATUS, look_of

PAGE = 50
SIZES = (PAGE, 200, 1000)
LONG_AGO = datetime.min.replace(tzinfo=UTC)
UNSAID = "unsaid"
LATE = frozenset({"WARNING", "ERROR", "CRITICAL"})


class Found(msgspec.Struct, frozen=True):
    """A server, with where it was found."""

    estate: Estate
    key: str
    seen: Seen[Server]

    @property
    def server(self) -> Server:
        """The record as last seen."""
        return self.seen.record

    @property
    def site(self) -> Site | None:
        """Its site, if that is among the known ones."""
        return self.estate.site_of(self.seen.record)


class Wanted(msgspec.Struct, frozen=True, dict=True):
    """The filters of a list of servers; an empty one asks for nothing. A filter may name several values, with commas
    between them. ``tenant`` is an id, as text; ``columns`` are those shown, in the way of a filter; ``show``: how many
    a page has."""

    type: str = ""
    status: str = ""
    vm: str = ""
    site: str = ""
    tenant: str = ""
    readiness: str = ""
    issues: str = ""
    backup: str = ""
    tested: str = ""
    blocked: str = ""
    missing: str = ""
    q: str = ""
    sort: str = "name"
    show: int = PAGE
    columns: str = ""
    page: int = 1

    @classmethod
    def of(cls, params: Mapping[str, str]) -> "Wanted":
        """The filters of a query string; what makes no sense there is as if it were not given."""
        sort, page, show = (params.get(name, "") for name in ("sort", "page", "show"))
        given = {name: params.get(name, "").strip() for name in (*FACETS, "q", "columns")}
        for name, values in CLOSED.items():
            given[name] = ",".join(dict.fromkeys(one for one in given[name].lower().split(",") if one in values))
        return cls(
            **given,
            sort=sort if sort.removeprefix("-") in SORTS else "name",
            show=next((size for size in SIZES if str(size) == show), PAGE),
            page=int(page[:9]) if page.isascii() and page.isdigit() and int(page[:9]) > 0 else 1,
        )

    def params(self, **changed: Any) -> dict[str, str]:
        """The query parameters that ask for the same, but for what is ``changed``; defaults are left out."""
        now = {name: str(value) for name, value in {**msgspec.structs.asdict(self), **changed}.items()}
        return {name: value for name, value in now.items() if value and (name, value) not in _DEFAULTS}

    @cached_property
    def asked(self) -> dict[str, frozenset[str]]:
        """The values that each filter in use lets through, in lower case. One value may have a comma in itself."""
        given = {name: str(getattr(self, name)).lower() for name in FACETS}
        return {name: frozenset((text, *text.split(","))) - {""} for name, text in given.items() if text}


_DEFAULTS = {("sort", "name"), ("page", "1"), ("show", str(PAGE))}


def find(
    estates: Mapping[int, Estate],
    wanted: Wanted,
    *,
    is_blocked: Callable[[Found], bool],
    is_due: Callable[[Server], bool] = tested.due_now,
) -> list[Found]:
    """Every server that the filters let through, sorted. ``is_due``: for a test."""
    traits = _traits(is_blocked, is_due)
    asked = [(traits[name], values) for name, values in wanted.asked.items()]
    found = [
        one
        for one in everything(estates)
        if (not wanted.q or matches(one.server, wanted.q))
        and all(not values.isdisjoint(trait(one)) for trait, values in asked)
    ]
    order = SORTS[wanted.sort.removeprefix("-")]
    found.sort(key=lambda one: (one.server.name.casefold(), one.key))
    found.sort(key=order, reverse=wanted.sort.startswith("-"))
    return found


def everything(estates: Mapping[int, Estate]) -> Iterable[Found]:
    """Every server there is, in no order."""
    return (Found(estate, key, seen) for estate in estates.values() for key, seen in estate.servers.items())


def tally(
    estates: Mapping[int, Estate],
    wanted: Wanted,
    *,
    is_blocked: Callable[[Found], bool],
    is_due: Callable[[Server], bool] = tested.due_now,
) -> dict[str, Counter[str]]:
    """How many servers each value of each filter would show, with the other filters as they are."""
    traits = _traits(is_blocked, is_due)
    counts: dict[str, Counter[str]] = {name: Counter() for name in traits}
    for one in everything(estates):
        if wanted.q and not matches(one.server, wanted.q):
            continue
        missed = [name for name, values in wanted.asked.items() if values.isdisjoint(traits[name](one))]
        if len(missed) > 1:
            continue
        for name in missed or traits:
            counts[name].update(traits[name](one))
    return counts


def one(estates: Mapping[int, Estate], uuid: str) -> Found | None:
    """The server of that id, in any case, within these estates."""
    key = uuid.lower()
    for estate in estates.values():
        if seen := estate.servers.get(key):
            return Found(estate, key, seen)
    return None


def matches(server: Server, text: str) -> bool:
    """Whether a text occurs in the server's name, description, addresses or id."""
    needle = text.casefold()
    held = (server.name, server.description, server.public_ip, server.ip_mapped, server.uuid)
    return any(needle in one.casefold() for one in held)


def worst(issues: tuple[Issue, ...] | None) -> str:
    """The worst of a server's or site's issues, as the filter calls it."""
    if issues is None:
        return UNSAID
    if not issues:
        return "none"
    return "error" if any(issue.severity == Severity.ERROR for issue in issues) else "warning"


def _traits(
    is_blocked: Callable[[Found], bool], is_due: Callable[[Server], bool]
) -> dict[str, Callable[[Found], tuple[str, ...]]]:
    def tests(one: Found) -> tuple[str, ...]:
        if one.server.type != ServerType.RECOVERY:
            return ()
        when = "never" if tested.last_start(one.server) is None else "once"
        told = {"due": is_due(one.server), "failed": tested.failed(one.server), when: True}
        return tuple(value for value, so in told.items() if so)

    return FACETS | {"blocked": lambda one: ("true" if is_blocked(one) else "false",), "tested": tests}


def _said(value: str | None) -> tuple[str, ...]:
    return ((value or UNSAID).lower(),)


def _nothing(_: Found) -> tuple[str, ...]:
    return ()


# What a server is, in the words of each filter.
FACETS: dict[str, Callable[[Found], tuple[str, ...]]] = {
    "type": lambda one: _said(one.server.type),
    "status": lambda one: _said(one.server.status),
    "vm": lambda one: _said(one.server.vm.status if one.server.vm else None),
    "site": lambda one: _said(one.server.site_key),
    "tenant": lambda one: (str(one.estate.tenant),),
    "readiness": lambda one: _said(site.readiness if (site := one.site) else None),
    "issues": lambda one: (worst(one.server.issues),),
    "backup": lambda one: ("late",) if one.server.rpo and one.server.rpo.status in LATE else (),
    "tested": _nothing,
    "blocked": _nothing,
    "missing": lambda one: ("true",) if one.seen.missing_since else (),
}
# Filters that take no other values.
CLOSED = {
    "backup": ("late",),
    "tested": ("due", "failed", "never", "once"),
    "blocked": ("true", "false"),
    "missing": ("true",),
}
_WORST = {"error": 0, "warning": 1, UNSAID: 2, "none": 3}


def _worst(one: Found) -> tuple[int, int]:
    return -_WORST[worst(one.server.issues)], len(one.server.issues or ())


SORTS: dict[str, Callable[[Found], Any]] = {
    "name": lambda one: one.server.name.casefold(),
    "status": lambda one: look_of(SERVER_STATUS, one.server.status).word.casefold(),
    "vm": lambda one: look_of(VM_STATUS, one.server.vm.status if one.server.vm else None).word.casefold(),
    "type": lambda one: one.server.type or "",
    "site": lambda one: one.server.site_key,
    "address": lambda one: _address(one.server.public_ip),
    "rpo": lambda one: -1.0 if one.server.rpo is None or one.server.rpo.ratio is None else one.server.rpo.ratio,
    "tested": lambda one: tested.last_start(one.server) or LONG_AGO,
    "issues": _worst,
}


def _address(address: str) -> tuple[tuple[int, ...], str]:
    parts = address.split(".")
    numeric = all(part.isascii() and part.isdigit() for part in parts)
    return (tuple(int(part) for part in parts) if numeric else (), address)
