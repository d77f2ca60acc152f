"""Which servers a list shows, and in which order: filters, text, sort and pages. Pure; pages and JSON share it."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from drdash.cloud.records import Server, Site
from drdash.estate.snapshot import Estate, Seen
from drdash.web import tested
from drdash.web.wording import SERVER_STATUS, look_of

PAGE = 50
LONG_AGO = datetime.min.replace(tzinfo=UTC)


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


class Wanted(msgspec.Struct, frozen=True):
    """The filters of a list of servers; an empty one asks for nothing. ``tenant`` is an id, as text."""

    type: str = ""
    status: str = ""
    site: str = ""
    tenant: str = ""
    blocked: str = ""
    tested: str = ""
    q: str = ""
    sort: str = "name"
    page: int = 1

    @classmethod
    def of(cls, params: Mapping[str, str]) -> "Wanted":
        """The filters of a query string; what makes no sense there is as if it were not given."""
        sort = params.get("sort", "")
        page = params.get("page", "")
        return cls(
            **{name: params.get(name, "").strip() for name in ("type", "status", "site", "tenant", "q")},
            blocked=blocked if (blocked := params.get("blocked", "").lower()) in {"true", "false"} else "",
            tested="due" if params.get("tested") == "due" else "",
            sort=sort if sort.removeprefix("-") in SORTS else "name",
            page=int(page[:9]) if page.isascii() and page.isdigit() and int(page[:9]) > 0 else 1,
        )

    def params(self, **changed: Any) -> dict[str, str]:
        """The query parameters that ask for the same, but for what is ``changed``; defaults are left out."""
        now = {name: str(value) for name, value in {**msgspec.structs.asdict(self), **changed}.items()}
        return {name: value for name, value in now.items() if value and (name, value) not in _DEFAULTS}


_DEFAULTS = {("sort", "name"), ("page", "1")}


def find(
    estates: Mapping[int, Estate],
    wanted: Wanted,
    *,
    is_blocked: Callable[[Found], bool],
    is_due: Callable[[Server], bool] = tested.due_now,
) -> list[Found]:
    """Every server that the filters let through, sorted. ``is_due``: for a test."""
    found = [
        Found(estate, key, seen)
        for tenant, estate in estates.items()
        if not wanted.tenant or str(tenant) == wanted.tenant
        for key, seen in estate.servers.items()
        if _passes(seen.record, wanted) and (not wanted.tested or is_due(seen.record))
    ]
    if wanted.blocked:
        found = [one for one in found if is_blocked(one) is (wanted.blocked == "true")]
    order = SORTS[wanted.sort.removeprefix("-")]
    found.sort(key=lambda one: (one.server.name.casefold(), one.key))
    found.sort(key=lambda one: order(one.server), reverse=wanted.sort.startswith("-"))
    return found


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


def _passes(server: Server, wanted: Wanted) -> bool:
    return (
        (not wanted.type or (server.type or "").lower() == wanted.type.lower())
        and (not wanted.status or (server.status or "").lower() == wanted.status.lower())
        and (not wanted.site or server.site_key == wanted.site.lower())
        and (not wanted.q or matches(server, wanted.q))
    )


def _tested(server: Server) -> datetime:
    return (server.test_failover.last_start if server.test_failover else None) or LONG_AGO


SORTS: dict[str, Callable[[Server], Any]] = {
    "name": lambda server: server.name.casefold(),
    "status": lambda server: look_of(SERVER_STATUS, server.status).word.casefold(),
    "type": lambda server: server.type or "",
    "site": lambda server: server.site_key,
    "address": lambda server: _address(server.public_ip),
    "rpo": lambda server: -1.0 if server.rpo is None or server.rpo.ratio is None else server.rpo.ratio,
    "tested": _tested,
    "issues": lambda server: len(server.issues or ()),
}


def _address(address: str) -> tuple[tuple[int, ...], str]:
    parts = address.split(".")
    numeric = all(part.isascii() and part.isdigit() for part in parts)
    return (tuple(int(part) for part in parts) if numeric else (), address)
