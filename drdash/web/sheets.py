"""Tables to take away as CSV: sent line by line, with no cell that a spreadsheet would take for a formula."""

import csv
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from django.http import StreamingHttpResponse

TYPE = "text/csv; charset=utf-8"
# A spreadsheet takes a cell that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class _Line:
    """What csv writes to: each row is handed on as it is made."""

    def write(self, row: str) -> str:
        return row


def lines(head: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[bytes]:
    """The table as CSV, a line at a time."""
    sheet = csv.writer(_Line())
    yield sheet.writerow(list(head)).encode()
    for row in rows:
        yield sheet.writerow([cell(one) for one in row]).encode()


def cell(value: object) -> str:
    """A value as a cell: a moment in ISO 8601 with its zone, nothing for None, yes or no."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return repr(value)
    text = "" if value is None else value.isoformat() if isinstance(value, datetime) else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def sheet(name: str, head: Iterable[str], rows: Iterable[Iterable[object]], *, now: datetime) -> StreamingHttpResponse:
    """The answer that a browser keeps as a file of that name, with the time in it."""
    answer = StreamingHttpResponse(lines(head, rows), content_type=TYPE)
    stamp = f"{now.astimezone(UTC):%Y-%m-%dT%H%MZ}"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}-{stamp}.csv"'
    return answer
