"""The cloud's fields of a server and a site, as its reference documents them: for the schema alone.

What the JSON API sends is the cloud's own item, to the field: it may hold more than this, and other than this.
"""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType, field

Moment = Annotated[datetime, Meta(tz=True)]


class IssueError(msgspec.Struct):
    """What is wrong, by code and in the cloud's words."""

    code: str | UnsetType = UNSET
    domain: str | UnsetType = UNSET
    message: str | UnsetType = UNSET
    context: dict[str, Any] | UnsetType = UNSET


class CloudIssue(msgspec.Struct):
    """An issue as the cloud reports it; `link` names the rel that it blocks."""

    domain: str | UnsetType = UNSET
    target: str | UnsetType = UNSET
    severity: str | UnsetType = UNSET
    link: str | UnsetType = UNSET
    error: IssueError | UnsetType = UNSET


class CloudLink(msgspec.Struct):
    """A link of the cloud's; that it is there does not mean that the action is allowed."""

    rel: str | UnsetType = UNSET
    type: str | UnsetType = UNSET
    href: str | UnsetType = UNSET


class PointIds(msgspec.Struct):
    """The composite identifier of a recovery point, as the cloud tells it."""

    backup_id: str | UnsetType = UNSET
    archive_id: str | UnsetType = UNSET
    vault_id: str | UnsetType = UNSET


class CloudDisk(msgspec.Struct):
    """A disk; its size in GiB."""

    id: str | UnsetType = UNSET
    protected: bool | UnsetType = UNSET
    size_gb: float | UnsetType = UNSET


class CloudVm(msgspec.Struct):
    """The virtual machine; its memory in MiB."""

    status: str | UnsetType = UNSET
    cpu: int | UnsetType = UNSET
    ram_mb: int | UnsetType = UNSET
    os: str | UnsetType = UNSET
    storage: list[CloudDisk] | UnsetType = UNSET


class CloudFailover(msgspec.Struct):
    """The failover that is active."""

    id: str | UnsetType = UNSET
    vault_id: str | UnsetType = UNSET


class CloudTest(msgspec.Struct):
    """The last manual test failover; the cloud tells no result of it."""

    last_start: Moment | UnsetType | None = UNSET
    last_task_uuid: str | UnsetType | None = UNSET
    recovery_point: PointIds | UnsetType | None = UNSET


class CloudAutomatedTest(CloudTest):
    """The automated test failover; the schedule NEVER means that it is off."""

    schedule: str | UnsetType = UNSET
    last_status: str | UnsetType | None = UNSET
    next_start: Moment | UnsetType | None = UNSET
    timeout: int | UnsetType | None = UNSET
    screenshot_link: str | UnsetType | None = UNSET
    screenshot_preview_link: str | UnsetType | None = UNSET


class CloudRecovery(msgspec.Struct):
    """What only a recovery server has."""

    resource_id: str | UnsetType = UNSET
    ip_mapped: str | UnsetType = UNSET
    active_failover: CloudFailover | UnsetType = UNSET
    test_failover: CloudTest | UnsetType = UNSET
    automated_test_failover: CloudAutomatedTest | UnsetType = UNSET


class CloudPrimary(msgspec.Struct):
    """What only a primary server has."""

    vault_id: str | UnsetType = UNSET


class CloudRpo(msgspec.Struct):
    """How old the last backup is against its threshold."""

    status: str | UnsetType = UNSET
    threshold_seconds: int | UnsetType = UNSET
    ratio: float | UnsetType = UNSET


class CloudServer(msgspec.Struct, kw_only=True):
    uuid: str
    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    type: str | UnsetType = UNSET
    status: str | UnsetType = UNSET
    site_uuid: str | UnsetType = UNSET
    task_uuid: str | UnsetType = UNSET
    public_ip: str | UnsetType = UNSET
    created_at: Moment | UnsetType = UNSET
    vm: CloudVm | UnsetType = UNSET
    recovery: CloudRecovery | UnsetType = UNSET
    primary: CloudPrimary | UnsetType = UNSET
    rpo: CloudRpo | UnsetType = UNSET
    issues: list[CloudIssue] | UnsetType = field(default=UNSET, name="_issues")
    links: list[CloudLink] | UnsetType = field(default=UNSET, name="_links")


class CloudSite(msgspec.Struct, kw_only=True):
    uuid: str
    tenant_uuid: str | UnsetType = UNSET
    status: str | UnsetType = UNSET
    failover_readiness: str | UnsetType = UNSET
    default: bool | UnsetType = UNSET
    task_uuid: str | UnsetType = UNSET
    deleted_at: Moment | UnsetType = UNSET
    issues: list[CloudIssue] | UnsetType = field(default=UNSET, name="_issues")
    links: list[CloudLink] | UnsetType = field(default=UNSET, name="_links")
