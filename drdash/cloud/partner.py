"""A partner's customers, as the cloud lists them to the partner's own client."""

import re
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from drdash.cloud import wire
from drdash.cloud.client import Client
from drdash.cloud.errors import shortened
from drdash.cloud.transport import Deadline
from drdash.english import english

MOST_PAGES = 500
_LIMIT = 8 * 1024 * 1024
_ID = re.compile(r"[0-9A-Za-z-]{1,100}")


class Customer(msgspec.Struct, frozen=True):
    """One customer; its uuid in lower case."""

    uuid: str
    name: str


class Customers(msgspec.Struct, frozen=True):
    """The customers that are enabled, by name, and the partner's own uuid."""

    own: str
    items: tuple[Customer, ...]


def customers(client: Client, *, deadline: float) -> Customers:
    """Ask for them, page by page, with the partner's own token. Raises CloudError."""
    until = Deadline(deadline, client.monotonic)
    reply = client.beside(f"/api/2/clients/{quote(client.account.client_id, safe='')}", deadline=until.left)
    own = _id(wire.decipher(reply.status, reply.headers, reply.body), "tenant_id")
    if own is None:
        raise wire.NotUnderstood(english("The cloud does not say whose API client this is."))
    found: dict[str, Customer] = {}
    query = {"subtree_root_id": own, "lod": "basic"}
    cursors: set[str] = set()
    for _ in range(MOST_PAGES):
        reply = client.beside(f"/api/2/tenants?{urlencode(query)}", deadline=until.left, limit=_LIMIT)
        page = wire.page(reply.status, reply.headers, reply.body)
        found.update((one.uuid, one) for item in page.items if (one := _customer(item)))
        if page.after is None:
            return Customers(own=own, items=tuple(sorted(found.values(), key=lambda one: (one.name.lower(), one.uuid))))
        if page.after in cursors:
            raise wire.NotUnderstood(
                english("The cloud's list of customers goes in circles: it gave the same cursor twice.")
            )
        cursors.add(page.after)
        query["after"] = page.after
    raise wire.NotUnderstood(
        english(
            "The cloud's list of customers does not end: it has more than %(most_pages)s pages.", most_pages=MOST_PAGES
        )
    )


def _customer(item: msgspec.Raw) -> Customer | None:
    """An item that is an enabled customer."""
    try:
        it = msgspec.json.decode(item)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise wire.NotUnderstood(english("The cloud's list of customers cannot be read.")) from None
    if not isinstance(it, dict) or it.get("kind") != "customer" or it.get("enabled") is not True:
        return None
    if (uuid := _id(it, "id")) is None:
        raise wire.NotUnderstood(english("The cloud's list of customers cannot be read: one of them has no uuid."))
    name = it.get("name")
    return Customer(uuid=uuid, name=(shortened(name, longest=200) if isinstance(name, str) else "") or uuid)


def _id(it: Any, name: str) -> str | None:
    """UUIDs match in any case."""
    value = it.get(name) if isinstance(it, dict) else None
    return value.lower() if isinstance(value, str) and _ID.fullmatch(value) else None
