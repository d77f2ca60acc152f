"""No cache keeps what is answered: going back must not show older data as current, nor what only one person may see."""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase


def unkept(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware, around all others: every answer says so that does not say otherwise itself, as a style sheet does."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response

    return middleware
