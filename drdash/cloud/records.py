"""The cloud's objects as frozen records.

Absence is kept apart from emptiness: ``issues is None`` means "not said, or not readable", which is never the same as
"no issues". Texts that are absent read as empty; every other absent value is None.
"""

from datetime import datetime

import msgspec

from drdash.cloud.words import Readiness, Rel, ServerStatus, ServerType, Severity, SiteStatus, VmStatus


class Issue(msgspec.Struct, frozen=True):
    """One entry of ``_issues``: what is wrong, how badly, and which rel it blocks (``link`` None: it names none)."""

    code: str
    message: str
    severity: Severity
    link: Rel | None
    domain: str
    target: str
    task_uuids: tuple[str, ...]


class Link(msgspec.Struct, frozen=True):
    """One entry of ``_links``; ``href`` is for people to follow, and is never called for an action."""

    rel: Rel
    href: str
    type: str


class RecoveryPoint(msgspec.Struct, frozen=True):
    """The composite identifier of a recovery point; the ids are not always UUIDs."""

    backup_id: str
    archive_id: str
    vault_id: str


class Disk(msgspec.Struct, frozen=True):
    """One entry of ``vm.storage``; sizes in GiB."""

    id: str
    size_gb: float | None
    protected: bool | None


class Vm(msgspec.Struct, frozen=True):
    """The virtual machine of a server; memory in MiB."""

    status: VmStatus | None
    cpu: int | None
    ram_mb: int | None
    os: str
    storage: tuple[Disk, ...]


class Rpo(msgspec.Struct, frozen=True):
    """How old the last backup is against its threshold: ``ratio`` = age / threshold."""

    status: str
    threshold_seconds: int | None
    ratio: float | None


class Run(msgspec.Struct, frozen=True):
    """What is said of the last manual test failover (it has no result anywhere)."""

    last_start: datetime | None
    last_task_uuid: str
    recovery_point: RecoveryPoint | None


class AutomatedTest(msgspec.Struct, frozen=True):
    """The automated test failover of a server; ``schedule`` NEVER means that it is off."""

    schedule: str
    last_status: str
    last_start: datetime | None
    next_start: datetime | None
    last_task_uuid: str
    timeout: int | None
    screenshot_link: str
    screenshot_preview_link: str
    recovery_point: RecoveryPoint | None


class ActiveFailover(msgspec.Struct, frozen=True):
    """The failover that is active on a server; missing in STAND_BY."""

    id: str
    vault_id: str


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """A cloud server (reference: GET /servers). ``json`` is its item without ``backup_uri``, keys sorted."""

    uuid: str
    name: str
    description: str
    type: ServerType | None
    status: ServerStatus | None
    site_uuid: str
    task_uuid: str
    public_ip: str
    created_at: datetime | None
    vm: Vm | None
    issues: tuple[Issue, ...] | None
    links: tuple[Link, ...] | None
    resource_id: str
    ip_mapped: str
    active_failover: ActiveFailover | None
    test_failover: Run | None
    automated_test: AutomatedTest | None
    rpo: Rpo | None
    vault_id: str
    json: bytes

    @property
    def key(self) -> str:
        """The uuid in lower case: UUIDs match in any case."""
        return self.uuid.lower()

    @property
    def site_key(self) -> str:
        """The site's uuid in lower case; empty when the server names none."""
        return self.site_uuid.lower()

    @property
    def busy(self) -> bool:
        """Whether the cloud says that a task runs on it."""
        return bool(self.task_uuid) or any(issue.code == "ResourceBusy" for issue in self.issues or ())

    @property
    def task_uuids(self) -> frozenset[str]:
        """Every task that the cloud names as running on it, in lower case."""
        named = {task for issue in self.issues or () for task in issue.task_uuids}
        return frozenset(task.lower() for task in named | ({self.task_uuid} if self.task_uuid else set()))


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """A disaster recovery site (reference: GET /sites/{uuid}). ``json`` is its item, keys sorted."""

    uuid: str
    tenant_uuid: str
    status: SiteStatus | None
    readiness: Readiness | None
    default: bool | None
    deleted_at: datetime | None
    task_uuid: str
    issues: tuple[Issue, ...] | None
    links: tuple[Link, ...] | None
    json: bytes

    @property
    def key(self) -> str:
        """The uuid in lower case: UUIDs match in any case."""
        return self.uuid.lower()
