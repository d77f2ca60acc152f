"""Long lists, a page at a time."""

from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import HttpRequest

PAGE = 50


def paged(request: HttpRequest, listed: Any, here: str, params: dict[str, str], *, size: int = PAGE) -> dict[str, Any]:
    """One page of a list, for its template: what is shown, how many there are, and the ways to its neighbours."""
    pages = Paginator(listed, size)
    shown = pages.get_page(request.GET.get("page"))
    given = {name: value for name, value in params.items() if value}

    def url(number: int) -> str:
        query = {**given, "page": str(number)} if number > 1 else given
        return f"{here}?{urlencode(query, safe=',')}" if query else here

    return {
        "shown": shown,
        "count": pages.count,
        "url": url(shown.number),
        "earlier": url(shown.number - 1) if shown.has_previous() else "",
        "later": url(shown.number + 1) if shown.has_next() else "",
        "given": given,
    }
