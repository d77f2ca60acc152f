"""An estate's health and items as the bytes that are stored; an item's field is ``server:<key>`` or ``site:<key>``."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from django.conf import settings

from drdash.cloud import reading
from drdash.cloud.records import Server, Site
from drdash.estate.snapshot import Estate, Health, Seen


class _Item(msgspec.Struct, frozen=True):
    version: int
    missing_since: datetime | None
    read_at: datetime | None
    json: msgspec.Raw


class _Bundle(msgspec.Struct, frozen=True):
    version: int
    health: Health
    items: dict[str, msgspec.Raw]


def health_of(stored: bytes | None) -> Health:
    """The stored health; that of a tenant never polled where there is none."""
    return msgspec.json.decode(stored, type=Health) if stored else Health(interval=float(settings.POLL_SECONDS))


def pack(seen: Seen[Server] | Seen[Site]) -> bytes:
    """An item as it is stored."""
    return msgspec.json.encode(_Item(seen.version, seen.missing_since, seen.read_at, msgspec.Raw(seen.record.json)))


def is_of(estate: Estate, field: str, packed: bytes | None) -> bool:
    """Whether what is stored of an item is what the estate has of it."""
    kind, _, key = field.partition(":")
    seen = estate.servers.get(key) if kind == "server" else estate.sites.get(key)
    if packed is None or seen is None:
        return packed is None and seen is None
    item = msgspec.json.decode(packed, type=_Item)
    return (item.version, item.missing_since, item.read_at) == (seen.version, seen.missing_since, seen.read_at)


def updated(known: Estate, version: int, health: Health, items: Mapping[str, bytes | None]) -> Estate:
    """The estate with the items that were stored since, by field of the hash; None: dropped."""
    servers, sites = dict(known.servers), dict(known.sites)
    for field, packed in items.items():
        kind, _, key = field.partition(":")
        into: dict[str, Any] = servers if kind == "server" else sites
        if packed is None:
            into.pop(key, None)
            continue
        item = msgspec.json.decode(packed, type=_Item)
        record: Server | Site = reading.server(item.json) if kind == "server" else reading.site(item.json)
        into[key] = Seen(record, item.version, item.missing_since, item.read_at)
    return Estate(tenant=known.tenant, version=version, health=health, servers=servers, sites=sites)


def bundle(estate: Estate) -> bytes:
    """All of an estate in one piece."""
    items = {f"server:{key}": msgspec.Raw(pack(seen)) for key, seen in estate.servers.items()}
    items |= {f"site:{key}": msgspec.Raw(pack(seen)) for key, seen in estate.sites.items()}
    return msgspec.json.encode(_Bundle(estate.version, estate.health, items))


def unbundled(tenant: int, packed: bytes) -> Estate:
    """The estate back. Raises msgspec.MsgspecError."""
    read = msgspec.json.decode(packed, type=_Bundle)
    empty = Estate(tenant=tenant, version=0, health=read.health)
    return updated(empty, read.version, read.health, {field: bytes(item) for field, item in read.items.items()})
