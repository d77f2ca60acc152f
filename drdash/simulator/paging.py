"""Query parameters and cursors of the two lists.

A cursor holds its filters and the ordinal that it stands at, so it stays right while items come and go. It is opaque
to clients by agreement only.
"""

import binascii
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs

from drdash.simulator.answers import Invalid
from drdash.simulator.issues import JSON

RESOURCE_ID = "^[a-zA-Z0-9-]+$"
# A list of two items or more that changes while it is read: its second page is asked for by the same cursor as the
# third; an item before it went away, or came, so that one is skipped or comes twice; one comes twice without a reason.
WRONG = frozenset({"repeated_cursor", "shrinks", "grows", "duplicates"})
DEFAULT_LIMIT = 10
MAX_LIMIT = 50


@dataclass(frozen=True, kw_only=True)
class FixedPages:
    """Pages of `limit` items whatever is asked, the second of two reached by a known `token`."""

    limit: int
    token: str


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What a client asks of a list: which items, and where to stand among them."""

    kind: str  # "servers", "sites" or "tenants"
    limit: int = DEFAULT_LIMIT
    after: int | None = None
    before: int | None = None
    type: str | None = None
    resource_ids: frozenset[str] = frozenset()  # lower case
    allow_deleted: bool = False
    root: str | None = None
    fixed: FixedPages | None = None
    wrong: str = ""

    def cursor(self, **place: int) -> str:
        if self.fixed:
            return self.fixed.token
        filters: JSON = {"k": self.kind, "l": self.limit, **place}
        if self.type:
            filters["t"] = self.type
        if self.resource_ids:
            filters["r"] = sorted(self.resource_ids)
        if self.allow_deleted:
            filters["d"] = True
        if self.root:
            filters["p"] = self.root
        if self.wrong:
            filters["w"] = self.wrong
        return urlsafe_b64encode(json.dumps(filters, separators=(",", ":")).encode()).decode().rstrip("=")

    def wrongly(self, wrong: str) -> "Listing":
        """The same list, to be paged wrongly from here on, if that is ordered."""
        return replace(self, wrong=wrong) if wrong else self


def listing(kind: str, query: str, fixed: FixedPages | None = None) -> Listing:
    """The query string of `GET /servers`, `/sites` or `/tenants`, checked. Raises Invalid with every reason."""
    given = parse_qs(query, keep_blank_values=True)
    cursors = [name for name in ("after", "before") if name in given]
    if cursors:
        together = [name for name in ("limit", "after", "before") if name in given]
        if len(together) > 1:
            raise Invalid(f"{', '.join(map(_quoted, together))} are mutually exclusive")
        (token,) = once(given, cursors[0])
        if fixed and token == fixed.token:
            start = Listing(kind=kind, limit=fixed.limit, fixed=fixed)
            return (
                replace(start, after=fixed.limit - 1) if cursors[0] == "after" else replace(start, before=fixed.limit)
            )
        return _from_cursor(kind, cursors[0], token)
    reasons: list[str] = []
    values: dict[str, Any] = {"kind": kind}
    for name, check in _CHECKS[kind].items():
        if name in given:
            try:
                values |= check(given[name] if name == "recovery.resource_id" else once(given, name))
            except Invalid as invalid:
                reasons += invalid.reasons
    if reasons:
        raise Invalid(*reasons)
    if fixed:
        values |= {"limit": fixed.limit, "fixed": fixed}
    return Listing(**values)


def boolean(texts: Sequence[str]) -> bool:
    if texts[0] not in ("true", "false"):
        raise Invalid(f"{_quoted(texts[0])} is not of type 'boolean'")
    return texts[0] == "true"


def turn(listing: Listing, ordinals: Sequence[int]) -> tuple[slice, JSON]:
    """Which part of the ordered items is the page, and what the response says about paging."""
    if not listing.wrong or listing.fixed or listing.before is not None:
        return _turn(listing, ordinals)
    # Half of them at most, so that there is a second page to go wrong.
    halved = replace(listing, limit=max(1, min(listing.limit, (len(ordinals) + 1) // 2)))
    part, paging = _turn(halved, ordinals)
    if listing.after is None:
        return part, paging
    if listing.wrong == "repeated_cursor":
        paging["cursors"]["after"] = listing.cursor(a=listing.after)
        return part, paging
    aside, more = {"shrinks": (1, -1), "grows": (-1, 1), "duplicates": (-1, 0)}[listing.wrong]
    start = max(0, part.start + aside)
    return slice(start, part.stop), paging | {"count": part.stop - start, "total": len(ordinals) + more}


def _turn(listing: Listing, ordinals: Sequence[int]) -> tuple[slice, JSON]:
    limit = listing.limit
    if listing.before is not None:
        end = sum(ordinal < listing.before for ordinal in ordinals)
        start = max(0, end - limit)
    else:
        start = 0 if listing.after is None else sum(ordinal <= listing.after for ordinal in ordinals)
        end = min(len(ordinals), start + limit)
    paging: JSON = {"count": end - start}
    cursors: JSON = {}
    if end < len(ordinals):
        cursors["after"] = listing.cursor(a=ordinals[end - 1] if end else -1)
    if start > 0:
        cursors["before"] = listing.cursor(b=ordinals[start] if start < len(ordinals) else ordinals[-1] + 1)
    if cursors:
        paging["cursors"] = cursors
    paging["total"] = len(ordinals)
    return slice(start, end), paging


def _limit(texts: Sequence[str]) -> JSON:
    if not re.fullmatch(r"-?[0-9]{1,9}", texts[0]):
        raise Invalid(f"{_quoted(texts[0])} is not of type 'integer'")
    value = int(texts[0])
    if value < 1:
        raise Invalid(f"{value} is less than the minimum of 1")
    if value > MAX_LIMIT:
        raise Invalid(f"{value} is greater than the maximum of {MAX_LIMIT}")
    return {"limit": value}


def _type(texts: Sequence[str]) -> JSON:
    if texts[0] not in ("PRIMARY", "RECOVERY"):
        raise Invalid(f"{_quoted(texts[0])} is not one of ['PRIMARY', 'RECOVERY']")
    return {"type": texts[0]}


def _resource_ids(texts: Sequence[str]) -> JSON:
    wrong = [text for text in texts if not re.fullmatch("[a-zA-Z0-9-]+", text)]
    if wrong:
        raise Invalid(*(f"{_quoted(text)} does not match {_quoted(RESOURCE_ID)}" for text in wrong))
    return {"resource_ids": frozenset(text.lower() for text in texts)}


_CHECKS: dict[str, dict[str, Any]] = {
    "servers": {"type": _type, "recovery.resource_id": _resource_ids, "limit": _limit},
    "sites": {"allow_deleted": lambda texts: {"allow_deleted": boolean(texts)}, "limit": _limit},
    "tenants": {"subtree_root_id": lambda texts: {"root": texts[0]}, "limit": _limit},
}


def _from_cursor(kind: str, side: str, token: str) -> Listing:
    if not token:
        raise Invalid('"" does not match "\\\\S+"')
    try:
        held = json.loads(urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        place = held["a" if side == "after" else "b"]
        if held["k"] != kind or type(place) is not int or type(held["l"]) is not int or not 0 < held["l"] <= MAX_LIMIT:
            raise ValueError(token)
        return Listing(
            kind=kind,
            limit=held["l"],
            after=place if side == "after" else None,
            before=place if side == "before" else None,
            type=held.get("t"),
            resource_ids=frozenset(held.get("r", ())),
            allow_deleted=held.get("d", False),
            root=held.get("p"),
            wrong=held.get("w", ""),
        )
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise Invalid(f"{_quoted(token)} is not a valid cursor") from None


def once(given: dict[str, list[str]], name: str) -> list[str]:
    """The values of a parameter that may be given once. Raises Invalid when it came more often."""
    if len(given[name]) > 1:
        raise Invalid(f"{_quoted(name)} is given more than once")
    return given[name]


def _quoted(text: str) -> str:
    return json.dumps(text)
