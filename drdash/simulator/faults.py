"""Things that go wrong on the wire, on order."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, get_args

from drdash.simulator import answers
from drdash.simulator.answers import Request, Response
from drdash.simulator.issues import JSON
from drdash.simulator.paging import WRONG

Kind = Literal[
    "400", "401", "403", "404", "429", "500", "502", "503", "504",
    "reset", "hang", "html", "half_body", "redirect", "garbage", "drip", "answer", "empty", "huge",
    "truncated", "wrong_types", "repeated_cursor", "shrinks", "grows", "duplicates",
]  # fmt: skip
KINDS: tuple[str, ...] = get_args(Kind)
# These deliver the world's own answer, badly.
SPOILING = frozenset({"truncated", "wrong_types"})
DELIVERING = frozenset({"half_body", "drip"}) | SPOILING | WRONG


@dataclass(kw_only=True)
class Fault:
    """A fault for the next `times` matching requests (None: all of them, until cleared).

    Without `after_effect` the world never hears of the request. `hang` waits until it is released, or `seconds`, and
    then answers as if nothing had been; `drip` sends its body a byte each `seconds`; `answer` sends what is given, and
    `huge` a document of `size` bytes, with its length or else `chunked` or by `gzip`. `half_body` ends early,
    `truncated` does as if that were all. What a list's page does wrong is said at paging.WRONG; once ordered, it goes
    on to the last page.
    """

    kind: Kind
    method: str | None = None
    path: str = ""  # a part of the path
    tenant: str = ""  # the customer whose token it is, or is to be
    client: str = ""  # the API client
    times: int | None = 1
    after_effect: bool = False
    retry_after: int = 30
    seconds: float | None = None
    status: int | None = None
    location: str = "/elsewhere"
    body: str = ""
    content_type: str = "application/json"
    size: int = 200 * 2**20
    encoding: Literal["", "chunked", "gzip"] = ""

    @property
    def takes_effect(self) -> bool:
        return self.after_effect or self.kind in DELIVERING

    def matches(self, request: Request, client: str, tenant: str) -> bool:
        return (
            self.times != 0
            and self.method in (None, request.method)
            and self.path in request.path
            and self.client in ("", client)
            and self.tenant.lower() in ("", tenant.lower())
        )


def from_order(order: JSON) -> Fault:
    """A fault as the control endpoint takes it. Raises Invalid."""
    match = order.get("match", {})
    known = {"match", "fault", "times", "after_effect", "retry_after", "seconds", "status", "location", "body"}
    known |= {"content_type", "size", "encoding"}
    unknown = sorted((order.keys() - known) | (match.keys() - {"method", "path", "tenant", "client"}))
    if unknown:
        raise answers.Invalid(f"unknown: {', '.join(unknown)}")
    if order.get("fault") not in KINDS:
        raise answers.Invalid(f"fault is one of {', '.join(KINDS)}")
    given = {name: value for name, value in order.items() if name not in ("match", "fault")}
    return Fault(kind=order["fault"], **match, **given)


class Faults:
    """The faults that wait for their request, oldest first."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._waiting.append(fault)

    def clear(self) -> None:
        self._waiting.clear()

    def take(self, request: Request, *, client: str = "", tenant: str = "") -> Fault | None:
        """The fault for this request, used up by one."""
        for fault in self._waiting:
            if fault.matches(request, client, tenant):
                if fault.times is not None:
                    fault.times -= 1
                self._waiting = [one for one in self._waiting if one.times != 0]
                return fault
        return None


def instead(fault: Fault) -> Response:
    """The complete response that the fault sends in place of the world's answer."""
    kind = fault.kind
    if kind in _ERRORS:
        return _ERRORS[kind]()
    if kind == "429":
        return answers.too_many_requests(fault.retry_after)
    if kind == "html":
        return answers.page(fault.status or 200, "<!doctype html><title>Proxy</title><h1>Please sign in</h1>")
    if kind == "redirect":
        return Response(fault.status or 307, b"", (("Location", fault.location),))
    if kind == "garbage":
        return answers.answer(fault.status or 200, b'{"task_uuid": \xff\xfe, "items": [')
    if kind == "empty":
        return answers.answer(fault.status or 200, b"")
    if kind == "answer":
        return Response(fault.status or 200, fault.body.encode(), (("Content-Type", fault.content_type),))
    raise ValueError(kind)


def huge(size: int) -> Iterator[bytes]:
    """A JSON document of so many bytes, in parts."""
    head, tail = b'{"items":[],"padding":"', b'"}'
    yield head
    left = max(0, size - len(head) - len(tail))
    while left:
        part = _PADDING[:left]
        left -= len(part)
        yield part
    yield tail


_PADDING = b"x" * 2**16


def spoiled(kind: Kind, response: Response) -> Response:
    """The world's answer, cut short or with values of other types in its first item, or in itself."""
    if kind == "truncated":
        return replace(response, body=response.body[: len(response.body) // 2])
    try:
        document = json.loads(response.body)
    except ValueError:
        return response
    items = document.get("items") or [document]
    items[0] |= {name: 7 if isinstance(value, str) else "seven" for name, value in items[0].items()}
    return replace(response, body=json.dumps(document).encode())


_ERRORS: dict[str, Callable[[], Response]] = {
    "400": lambda: answers.bad_request(['"" does not match "\\\\S+"']),
    "401": answers.unauthorized,
    "403": answers.forbidden,
    "404": lambda: answers.not_found("Deployment [777, server 67890]"),
    "500": answers.internal_error,
    "502": lambda: answers.page(502, "<!doctype html><title>502</title><h1>Bad Gateway</h1>"),
    "503": lambda: answers.page(503, "<!doctype html><title>503</title><h1>Service Unavailable</h1>"),
    "504": answers.gateway_timeout,
}
