"""All pages of a listing as one, and how many ids to ask for at once."""

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar
from urllib.parse import urlencode

import msgspec

from drdash.cloud import reading, wire
from drdash.cloud.records import Server, Site
from drdash.english import english

MOST_PAGES = 2000
MOST_BYTES = 256 * 1024 * 1024
LONGEST_QUERY = 3500

Query = list[tuple[str, str]]
Item = TypeVar("Item", Server, Site)


class Listing(msgspec.Struct, Generic[Item], frozen=True):
    """All that a listing gave.

    ``whole`` tells whether what is not in it does not exist: there are as many items as the cloud's last ``total``.
    """

    items: tuple[Item, ...]
    total: int | None
    whole: bool


def gather(
    get: Callable[[Query], wire.Page], query: Query, read: Callable[[Sequence[msgspec.Raw]], list[Item]]
) -> Listing[Item]:
    """Read page after page. Raises NotUnderstood when they are not one list: when they do not end, or when the list
    changed between them, since an item may then be on none of them.
    """
    items: dict[str, Item] = {}
    cursors: set[str] = set()
    total: int | None = None
    size = 0
    query = [*query, ("limit", "50")]
    for _ in range(MOST_PAGES):
        page = get(query)
        size += page.size
        if size > MOST_BYTES:
            raise wire.NotUnderstood(
                english("The cloud's list is larger than %(size)s MiB.", size=MOST_BYTES // 1024**2)
            )
        if total is not None and page.total not in {None, total}:
            raise wire.NotUnderstood(
                english(
                    "The cloud's list changed while it was read: it counted %(total)s items at first, then %(now)s.",
                    total=total,
                    now=page.total,
                )
            )
        total = total if page.total is None else page.total
        for item in read(page.items):
            if item.key in items:
                raise wire.NotUnderstood(
                    english("The cloud's list gave the same item twice: it changed while it was read, or is wrong.")
                )
            items[item.key] = item
        if page.after is None:
            whole = page.total is not None and len(items) >= page.total
            return Listing(items=tuple(items.values()), total=page.total, whole=whole)
        if page.after in cursors:
            raise wire.NotUnderstood(english("The cloud's list goes in circles: it gave the same cursor twice."))
        cursors.add(page.after)
        query = [("after", page.after)]
    raise wire.NotUnderstood(
        english("The cloud's list does not end: it has more than %(most_pages)s pages.", most_pages=MOST_PAGES)
    )


def servers(items: Sequence[msgspec.Raw]) -> list[Server]:
    """Read a page's servers. Raises NotUnderstood when one cannot be read."""
    try:
        return [reading.server(item) for item in items]
    except reading.Malformed as error:
        raise wire.NotUnderstood(english("The cloud's list of servers cannot be read: %(told)s.", told=error)) from None


def sites(items: Sequence[msgspec.Raw]) -> list[Site]:
    """Read a page's sites. Raises NotUnderstood when one cannot be read."""
    try:
        return [reading.site(item) for item in items]
    except reading.Malformed as error:
        raise wire.NotUnderstood(english("The cloud's sites cannot be read: %(told)s.", told=error)) from None


def chunks(resource_ids: Sequence[str]) -> Iterator[list[str]]:
    """As many ids at once as a URL of usual length takes; one empty chunk when there are none."""
    chunk: list[str] = []
    length = 0
    for entry in dict.fromkeys(resource_ids):
        more = len(urlencode([("recovery.resource_id", entry)])) + 1
        if chunk and length + more > LONGEST_QUERY:
            yield chunk
            chunk, length = [], 0
        chunk.append(entry)
        length += more
    yield chunk


def merged(parts: Sequence[Listing[Item]]) -> Listing[Item]:
    """What several requests brought, as one listing."""
    if len(parts) == 1:
        return parts[0]
    items = {item.key: item for part in parts for item in part.items}
    totals = [part.total for part in parts if part.total is not None]
    return Listing(
        items=tuple(items.values()),
        total=sum(totals) if len(totals) == len(parts) else None,
        whole=all(part.whole for part in parts),
    )
