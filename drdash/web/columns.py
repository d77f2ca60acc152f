"""The columns of the lists: what they are called, which are shown, and what each is in a file."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from django.http import QueryDict

from drdash.cloud.records import Issue
from drdash.cloud.words import Severity
from drdash.estate.snapshot import Estate
from drdash.web import tested
from drdash.web.cards import site_name
from drdash.web.finding import Found, Wanted
from drdash.web.phrases import phrase

SERVER = "name"
COLUMNS = {
    SERVER: phrase("Server"),
    "status": phrase("Status"),
    "vm": phrase("VM"),
    "site": phrase("Site"),
    "address": phrase("Address"),
    "rpo": phrase("Backup"),
    "tested": phrase("Last test"),
    "issues": phrase("Issues"),
    "actions": phrase("Actions"),
}
CHOOSABLE = tuple(name for name in COLUMNS if name != SERVER)
UNSORTED = frozenset({"actions"})


class Heading(msgspec.Struct, frozen=True):
    """A column's head; ``url`` sorts by it, ``order`` is that of now."""

    name: str
    label: str
    url: str = ""
    order: str = ""


def shown(text: str, choosable: tuple[str, ...] = CHOOSABLE) -> frozenset[str]:
    """The columns that a query names, beside the first; without one that is known, all of them."""
    return frozenset(text.lower().replace(" ", "").split(",")) & frozenset(choosable) or frozenset(choosable)


def canonical(text: str, choosable: tuple[str, ...] = CHOOSABLE) -> str:
    """The same choice in the one way that addresses write it; empty for all."""
    chosen = shown(text, choosable)
    return "" if len(chosen) == len(choosable) else ",".join(name for name in choosable if name in chosen)


def hides(chosen: frozenset[str], choosable: tuple[str, ...] = CHOOSABLE) -> str:
    """The classes of a list that does not show the others."""
    return " ".join(f"no-{name}" for name in choosable if name not in chosen)


def asked(query: QueryDict) -> Wanted:
    """What a query asks for. A filter that is given several times asks for any of its values."""
    given = Wanted.of({name: ",".join(map(str, query.getlist(name))) for name in query})
    return msgspec.structs.replace(given, columns=canonical(given.columns))


def headings(labels: Mapping[str, str], sort: str, url: Callable[..., str]) -> list[Heading]:
    """The heads of a list, by each of which it can be sorted, and then the other way round."""
    order = {sort.removeprefix("-"): "descending" if sort.startswith("-") else "ascending"}
    return [
        Heading(
            name,
            label,
            "" if name in UNSORTED else url(sort=f"-{name}" if sort == name else name),
            order.get(name, ""),
        )
        for name, label in labels.items()
    ]


_Line = TypeVar("_Line")
Cells = Mapping[str, Callable[[_Line], Any]]


def cells(columns: Mapping[str, Cells[_Line]], chosen: frozenset[str]) -> dict[str, Callable[[_Line], Any]]:
    """What a file has of the columns that are shown; the first always is."""
    first = next(iter(columns))
    return {
        name: cell
        for column, held in columns.items()
        if column == first or column in chosen
        for name, cell in held.items()
    }


# Of each column, what is written to a file; times are whole moments, words are the cloud's own.
CELLS: dict[str, Cells[Found]] = {
    SERVER: {
        "name": lambda one: one.server.name,
        "uuid": lambda one: one.server.uuid,
        "type": lambda one: one.server.type,
        "description": lambda one: one.server.description,
    },
    "status": {"status": lambda one: one.server.status, "busy": lambda one: one.server.busy},
    "vm": {"vm_status": lambda one: one.server.vm.status if one.server.vm else None},
    "site": {
        "site_uuid": lambda one: one.server.site_uuid,
        "site_readiness": lambda one: one.site.readiness if one.site else None,
    },
    "address": {"public_ip": lambda one: one.server.public_ip, "ip_mapped": lambda one: one.server.ip_mapped},
    "rpo": {
        "rpo_status": lambda one: one.server.rpo.status if one.server.rpo else None,
        "rpo_ratio": lambda one: one.server.rpo.ratio if one.server.rpo else None,
    },
    "tested": {
        "last_test_start": lambda one: tested.last_start(one.server),
        "automated_test_status": lambda one: (
            one.server.automated_test.last_status if one.server.automated_test else None
        ),
        "automated_test_start": lambda one: one.server.automated_test.last_start if one.server.automated_test else None,
        "test_due": lambda one: tested.due_now(one.server),
    },
    "issues": {"issues": lambda one: told(one.server.issues)},
}


def told(issues: tuple[Issue, ...] | None) -> str:
    """Issues as one text, the worst first; not said is not the same as none."""
    if issues is None:
        return "not said"
    ordered = sorted(issues, key=lambda issue: issue.severity != Severity.ERROR)
    return "; ".join(f"{issue.severity} {issue.code}: {issue.message}" for issue in ordered)


def freshness(estate: Estate, name: str, *, stale: bool, missing: datetime | None) -> tuple[Any, ...]:
    """What every line of a file says of itself: whose it is, since when it is missing, and how old that is."""
    return name, missing, estate.health.as_of, stale


FRESHNESS = ("tenant", "missing_since", "as_of", "stale")


def short(uuid: str) -> str:
    """How a site is called in a list."""
    return site_name(uuid, None).short
