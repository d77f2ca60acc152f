"""Estates put together by hand, and published as a pass would: what the cloud might say, however odd."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from django.utils import timezone

from drdash.cloud import reading
from drdash.cloud.records import Server, Site
from drdash.estate.snapshot import Change, Estate, Health, Read, Seen, failed, merge_pass, next_version
from drdash.estate.store import store

RELS = ("START_FAILOVER_TEST", "START_FAILOVER_PROD", "STOP_FAILOVER")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def server(uuid: str = "s-1", **fields: Any) -> Server:
    """A recovery server at rest, but for the fields given; None takes a field away."""
    item = {
        "uuid": uuid,
        "name": "db-01",
        "description": "The database",
        "type": "RECOVERY",
        "status": "STAND_BY",
        "site_uuid": "p-1",
        "vm": {"status": "STOPPED", "cpu": 2, "ram_mb": 4096},
        "_issues": [],
        "_links": [{"rel": f"DR_CLOUD_SERVER_{rel}", "href": "https://cloud.example/x", "type": ""} for rel in RELS],
        "recovery": {"resource_id": f"r-{uuid}"},
    } | fields
    return reading.server(json.dumps({key: value for key, value in item.items() if value is not None}).encode())


def site(uuid: str = "p-1", **fields: Any) -> Site:
    """A site that is ready, but for the fields given; None takes a field away."""
    item = {"uuid": uuid, "status": "PROVISIONED", "failover_readiness": "OK", "_issues": [], "_links": []} | fields
    return reading.site(json.dumps({key: value for key, value in item.items() if value is not None}).encode())


def issue(code: str, severity: str = "ERROR", *, rel: str = "", tasks: tuple[str, ...] = ()) -> dict[str, Any]:
    """One entry of _issues; ``rel`` is what it blocks."""
    error = {"code": code, "message": f"It is {code}.", "context": {"task_uuids": list(tasks)}}
    link = {"link": f"DR_CLOUD_SERVER_{rel}"} if rel else {}
    return {"domain": "DisasterRecovery", "severity": severity, "error": error, **link}


def estate(*servers: Server, sites: tuple[Site, ...] = (site(),), tenant: int = 1) -> Estate:
    """An estate in memory, never polled."""
    return Estate(
        tenant=tenant,
        version=1,
        health=Health(interval=15),
        servers={one.key: Seen(one, 1) for one in servers},
        sites={one.key: Seen(one, 1) for one in sites},
    )


def publish(tenant: int, *servers: Server, sites: tuple[Site, ...] = (site(),), age: float = 0) -> Estate:
    """Have the store hold what a pass that began ``age`` seconds ago would have found."""
    known, started = store().load(tenant), timezone.now() - timedelta(seconds=age)
    read = Read(started=started, servers=servers, sites=sites, whole_servers=True, whole_sites=True)
    merged = merge_pass(known, read, finished=started, version=next_version(known.version, started))
    assert merged is not None
    assert store().publish(known, *merged)
    return merged[0]


def fail(tenant: int, sentence: str) -> None:
    """Have the store hold a pass that failed just now."""
    known = store().load(tenant)
    health = failed(known.health, sentence, now=timezone.now())
    assert store().publish(known, msgspec.structs.replace(known, health=health), Change())


def timeless(html: str) -> str:
    """HTML without how its moments are written, which only a whole page knows: the reader's zone, and how long ago."""
    return re.sub(r'(<time datetime="[^"]+" data-show="\w+")[^>]*>[^<]*', r"\1>", html)
