"""Requests and responses as values, and the error bodies of the DR API."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from drdash.simulator.issues import JSON


@dataclass(frozen=True, kw_only=True)
class Request:
    """`path` is decoded, `query` is not. `headers` has lower-case names. `now` is the world's time of arrival. `wrong`
    is how a list is to be paged wrongly, on order (paging.WRONG).
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    now: float = 0.0
    wrong: str = ""

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True)
class Response:
    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class Invalid(Exception):
    """The request does not fit the API's schema, for these reasons."""

    def __init__(self, *reasons: str) -> None:
        super().__init__(*reasons)
        self.reasons = reasons


def answer(status: int, document: Any, *headers: tuple[str, str]) -> Response:
    body = document if isinstance(document, bytes) else json.dumps(document, separators=(",", ":")).encode()
    return Response(status, body, (("Content-Type", "application/json"), *headers))


def page(status: int, html: str) -> Response:
    return Response(status, html.encode(), (("Content-Type", "text/html; charset=utf-8"),))


def error(
    status: int,
    code: str,
    message: str,
    *headers: tuple[str, str],
    context: JSON | None = None,
    additional: Sequence[str] = (),
) -> Response:
    debug: JSON = {"additional": list(additional)} if additional else {}
    debug["msg"] = message
    return answer(
        status,
        {"error": {"code": code, "context": context or {}, "debug": debug, "domain": "DisasterRecovery"}},
        *headers,
    )


def bad_request(reasons: Sequence[str]) -> Response:
    return error(400, "BadRequest", "Failed to validate the request against the RAML schema.", additional=reasons)


def unauthorized() -> Response:
    return error(401, "Unauthorized", "Authorization header is invalid.", ("WWW-Authenticate", "Bearer"))


def forbidden() -> Response:
    return error(403, "MethodNotAllowed", "This method is not allowed for this user account.")


def not_found(what: str) -> Response:
    return error(404, "EntityNotFound", f"{what} was not found in the DR infrastructure.")


def wrong_method(*allowed: str) -> Response:
    return error(
        405, "MethodNotAllowed", "This method is not allowed for this resource.", ("Allow", ", ".join(allowed))
    )


def too_many_requests(retry_after: int) -> Response:
    message = (
        "Service failed to process the request due to a high load at the moment. Please try again after number of"
        ' seconds that is indicated in the "context.retry_after" field or in the "Retry-After" response header.'
    )
    context = {"retry_after": retry_after}
    return error(429, "TooManyRequests", message, ("Retry-After", str(retry_after)), context=context)


def internal_error() -> Response:
    message = "An error occurred while performing the operation in the DR infrastructure."
    return error(500, "InternalError", message, additional=["Some error"])


def gateway_timeout() -> Response:
    return Response(504)
