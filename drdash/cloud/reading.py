"""From an item's JSON to its record, and tolerant: a value that is not listed survives as it came, a field of the wrong
type reads as absent (but a task blocks whatever its name is), and only an item without a ``uuid`` is refused.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from drdash.cloud.records import (
    ActiveFailover,
    AutomatedTest,
    Disk,
    Issue,
    Link,
    RecoveryPoint,
    Rpo,
    Run,
    Server,
    Site,
    Vm,
)
from drdash.cloud.words import OpenEnum, Readiness, Rel, ServerStatus, ServerType, Severity, SiteStatus, VmStatus
from drdash.english import english

# What is read here is decoded again elsewhere, further down in the stack: it must be far from Python's own limit.
DEEPEST = 50
TOO_DEEP = english("an item is nested too deeply")

_Word = TypeVar("_Word", bound=OpenEnum)


class Malformed(ValueError):
    """An item that cannot be read at all; the message says what is wrong with it."""


def server(item: bytes | msgspec.Raw) -> Server:
    """Read one item of GET /servers. Raises Malformed when it is not an object with a ``uuid``."""
    it = _item(item)
    recovery = _object(it, "recovery") or {}
    primary = _object(it, "primary") or {}
    active = _object(recovery, "active_failover")
    return Server(
        uuid=_uuid(it),
        name=_text(it, "name"),
        description=_text(it, "description"),
        type=_word(ServerType, it, "type"),
        status=_word(ServerStatus, it, "status"),
        site_uuid=_text(it, "site_uuid"),
        task_uuid=_task(it.get("task_uuid")),
        public_ip=_text(it, "public_ip"),
        created_at=_time(it, "created_at"),
        vm=_vm(_object(it, "vm")),
        issues=_issues(it.get("_issues")),
        links=_links(it.get("_links")),
        resource_id=_text(recovery, "resource_id"),
        ip_mapped=_text(recovery, "ip_mapped"),
        active_failover=None
        if active is None
        else ActiveFailover(id=_text(active, "id"), vault_id=_text(active, "vault_id")),
        test_failover=_run(_object(recovery, "test_failover")),
        automated_test=_automated_test(_object(recovery, "automated_test_failover")),
        rpo=_rpo(_object(it, "rpo") or _object(recovery, "rpo")),
        vault_id=_text(primary, "vault_id"),
        json=msgspec.json.encode(it, order="sorted"),
    )


def site(item: bytes | msgspec.Raw) -> Site:
    """Read one item of GET /sites, or the body of GET /sites/{uuid}. Raises Malformed as ``server`` does."""
    it = _item(item)
    return Site(
        uuid=_uuid(it),
        tenant_uuid=_text(it, "tenant_uuid"),
        status=_word(SiteStatus, it, "status"),
        readiness=_word(Readiness, it, "failover_readiness"),
        default=default if isinstance(default := it.get("default"), bool) else None,
        deleted_at=_time(it, "deleted_at"),
        task_uuid=_text(it, "task_uuid"),
        issues=_issues(it.get("_issues")),
        links=_links(it.get("_links")),
        json=msgspec.json.encode(it, order="sorted"),
    )


def _item(item: bytes | msgspec.Raw) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(item)
        if not _harmless(bytes(item)):
            value = _without_backup_uri(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(english("an item is not JSON")) from error
    except RecursionError:
        raise Malformed(TOO_DEEP) from None
    if not isinstance(value, dict):
        raise Malformed(english("an item is not an object"))
    return value


def _harmless(item: bytes) -> bool:
    """Whether it surely has no ``backup_uri``, however that is spelled, and is not too deep: few need a closer look."""
    spelled_out = item.isascii() and b"\\" not in item
    return spelled_out and b"backup_uri" not in item.lower() and item.count(b"{") + item.count(b"[") <= DEEPEST


def _without_backup_uri(value: Any, depth: int = 0) -> Any:
    """``backup_uri`` carries account and storage details that nobody here needs: it goes no further, at any depth."""
    if depth > DEEPEST:
        raise Malformed(TOO_DEEP)
    if isinstance(value, dict):
        kept = ((key, inner) for key, inner in value.items() if key.lower() != "backup_uri")
        return {key: _without_backup_uri(inner, depth + 1) for key, inner in kept}
    if isinstance(value, list):
        return [_without_backup_uri(inner, depth + 1) for inner in value]
    return value


def _uuid(it: Mapping[str, Any]) -> str:
    if not (uuid := _text(it, "uuid").strip()):
        raise Malformed(english("an item has no uuid"))
    return uuid


def _text(it: Mapping[str, Any], name: str) -> str:
    value = it.get(name)
    return _clean(value) if isinstance(value, str) else ""


def _clean(text: str) -> str:
    """PostgreSQL takes no NUL in a text."""
    return text.replace("\0", "\ufffd")


def _as_text(value: Any) -> str:
    return msgspec.json.encode(value, order="sorted").decode()


def _object(it: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    value = it.get(name)
    return value if isinstance(value, dict) else None


def _whole(it: Mapping[str, Any], name: str) -> int | None:
    value = it.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(it: Mapping[str, Any], name: str) -> float | None:
    value = it.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _task(value: Any) -> str:
    """A task whose name cannot be read runs all the same: it must block like any other."""
    return "" if value is None else _clean(value) if isinstance(value, str) else _as_text(value)


def _word(kind: type[_Word], it: Mapping[str, Any], name: str) -> _Word | None:
    value = _text(it, name)
    return kind(value) if value else None


def _time(it: Mapping[str, Any], name: str) -> datetime | None:
    try:
        value = datetime.fromisoformat(_text(it, name))
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _issues(value: Any) -> tuple[Issue, ...] | None:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        return None
    return tuple(_issue(entry) for entry in value)


def _issue(entry: Mapping[str, Any]) -> Issue:
    error = _object(entry, "error") or {}
    tasks = (_object(error, "context") or {}).get("task_uuids")
    link = entry.get("link")
    return Issue(
        code=_text(error, "code"),
        message=_text(error, "message"),
        severity=Severity(_text(entry, "severity").upper()),
        link=None if link is None or link == "" else Rel(_clean(link) if isinstance(link, str) else _as_text(link)),
        domain=_text(entry, "domain"),
        target=_text(entry, "target"),
        task_uuids=tuple(_clean(task) for task in tasks if isinstance(task, str)) if isinstance(tasks, list) else (),
    )


def _links(value: Any) -> tuple[Link, ...] | None:
    if not isinstance(value, list) or not all(isinstance(entry, dict) and _text(entry, "rel") for entry in value):
        return None
    return tuple(Link(rel=Rel(entry["rel"]), href=_text(entry, "href"), type=_text(entry, "type")) for entry in value)


def _vm(vm: Mapping[str, Any] | None) -> Vm | None:
    if vm is None:
        return None
    storage = vm.get("storage")
    return Vm(
        status=_word(VmStatus, vm, "status"),
        cpu=_whole(vm, "cpu"),
        ram_mb=_whole(vm, "ram_mb"),
        os=_text(vm, "os"),
        storage=tuple(
            Disk(
                id=_text(disk, "id"),
                size_gb=_number(disk, "size_gb"),
                protected=kept if isinstance(kept := disk.get("protected"), bool) else None,
            )
            for disk in (storage if isinstance(storage, list) else [])
            if isinstance(disk, dict)
        ),
    )


def _recovery_point(point: Mapping[str, Any] | None) -> RecoveryPoint | None:
    if point is None:
        return None
    return RecoveryPoint(
        backup_id=_text(point, "backup_id"), archive_id=_text(point, "archive_id"), vault_id=_text(point, "vault_id")
    )


def _run(run: Mapping[str, Any] | None) -> Run | None:
    if run is None:
        return None
    return Run(
        last_start=_time(run, "last_start"),
        last_task_uuid=_text(run, "last_task_uuid"),
        recovery_point=_recovery_point(_object(run, "recovery_point")),
    )


def _automated_test(test: Mapping[str, Any] | None) -> AutomatedTest | None:
    if test is None:
        return None
    return AutomatedTest(
        schedule=_text(test, "schedule"),
        last_status=_text(test, "last_status"),
        last_start=_time(test, "last_start"),
        next_start=_time(test, "next_start"),
        last_task_uuid=_text(test, "last_task_uuid"),
        timeout=_whole(test, "timeout"),
        screenshot_link=_text(test, "screenshot_link"),
        screenshot_preview_link=_text(test, "screenshot_preview_link"),
        recovery_point=_recovery_point(_object(test, "recovery_point")),
    )


def _rpo(rpo: Mapping[str, Any] | None) -> Rpo | None:
    if rpo is None:
        return None
    return Rpo(
        status=_text(rpo, "status"),
        threshold_seconds=_whole(rpo, "threshold_seconds"),
        ratio=_number(rpo, "ratio"),
    )
