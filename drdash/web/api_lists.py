"""The queries of the JSON API's lists: what is asked for, and the part of a list that answers it."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from django.http import QueryDict
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ParseError
from rest_framework.request import Request

from drdash.cloud.words import ServerType
from drdash.estate.snapshot import Estate
from drdash.web import api_answers, finding
from drdash.web.finding import Wanted

DEFAULT, MOST, FARTHEST = 50, 200, 1_000_000_000
_WHOLE = re.compile(r"[0-9]{1,18}")

PART = [
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT},
        description="How many there are in a part.",
    ),
    OpenApiParameter(
        "offset",
        {"type": "integer", "minimum": 0, "maximum": FARTHEST, "default": 0},
        description="How many to leave out before it.",
    ),
]
# Filters that take these values alone.
ENUMS = {
    "issues": (("error", "warning", "none", finding.UNSAID), "The worst of its issues."),
    "backup": (finding.CLOSED["backup"], "late: its last backup is older than it may be."),
    "tested": (finding.CLOSED["tested"], "Of recovery servers, whether a test is due, none was ever run, or one was."),
    "missing": (finding.CLOSED["missing"], "true: those that the cloud lists no more."),
}
FILTERS = [
    OpenApiParameter(
        "type",
        {"type": "string", "enum": [kind.value for kind in ServerType]},
        description="Only these fail over: RECOVERY.",
    ),
    OpenApiParameter("status", str, description="A status of the cloud's; of an unknown one there are no servers."),
    OpenApiParameter("site", str, description="The uuid of a site."),
    OpenApiParameter("tenant", {"type": "integer", "minimum": 0}, description="A tenant's number, as in `estate`."),
    OpenApiParameter(
        "blocked", bool, description="true: recovery servers with no action allowed, roles aside. false: all others."
    ),
    OpenApiParameter("vm", str, description="A status of its machine, in the cloud's words; `unsaid`: none is told."),
    OpenApiParameter("readiness", str, description="How ready its site is, in the cloud's words; `unsaid`: not told."),
    *(
        OpenApiParameter(name, {"type": "string", "enum": list(values)}, description=words)
        for name, (values, words) in ENUMS.items()
    ),
    OpenApiParameter("q", str, description="A text in the name, description, addresses or uuid."),
]


class Part(msgspec.Struct, frozen=True):
    """Which part of a list is asked for."""

    limit: int
    offset: int

    @classmethod
    def of(cls, params: QueryDict) -> "Part":
        """As the query says. Raises ParseError for nonsense."""
        return cls(_whole(params, "limit", DEFAULT, 1, MOST), _whole(params, "offset", 0, 0, FARTHEST))


def wanted(params: QueryDict) -> Wanted:
    """The filters of a list of servers. Raises ParseError for what can be no filter at all."""
    kind, blocked = params.get("type"), params.get("blocked")
    if kind is not None and kind.upper() not in set(ServerType):
        raise ParseError("'type' is PRIMARY or RECOVERY.")
    if blocked is not None and blocked.lower() not in {"true", "false"}:
        raise ParseError("'blocked' is true or false.")
    tenant = params.get("tenant")
    if tenant is not None and not _WHOLE.fullmatch(tenant):
        raise ParseError("'tenant' is the number of a tenant, as 'estate' gives it beside the results.")
    for name, (values, _) in ENUMS.items():
        if (given := params.get(name)) is not None and given.lower() not in values:
            raise ParseError(f"'{name}' is {' or '.join(values)}.")
    further: dict[str, Any] = {name: params.get(name, "").strip().lower() for name in ("vm", "readiness", *ENUMS)}
    return Wanted(
        type=kind or "",
        status=params.get("status", "").strip(),
        site=params.get("site", "").strip(),
        tenant="" if tenant is None else str(int(tenant)),
        blocked=(blocked or "").lower(),
        **further,
        q=params.get("q", "").strip(),
    )


def page(
    request: Request,
    estates: Iterable[Estate],
    *,
    count: int,
    part: Part,
    items: Callable[[int, int], Sequence[Any]],
) -> dict[str, Any]:
    """The part of a list of ``count``, with the addresses of the parts beside it; ``items(first, end)`` makes it."""
    end = part.offset + part.limit
    before = max(0, part.offset - part.limit)
    return {
        "count": count,
        "next": _address(request, part.limit, end) if end < count else None,
        "previous": _address(request, part.limit, before) if part.offset else None,
        "results": items(part.offset, end),
        "estate": [api_answers.estate_state(estate) for estate in estates],
    }


def _address(request: Request, limit: int, offset: int) -> str:
    params = request.query_params.copy()
    params["limit"], params["offset"] = str(limit), str(offset)
    return request.build_absolute_uri(f"{request.path}?{params.urlencode()}")


def _whole(params: QueryDict, name: str, default: int, low: int, high: int) -> int:
    given = params.get(name)
    if given is None:
        return default
    if not _WHOLE.fullmatch(given) or not low <= int(given) <= high:
        raise ParseError(f"'{name}' is a whole number from {low} to {high}.")
    return int(given)
