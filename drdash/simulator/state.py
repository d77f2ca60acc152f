"""What the simulated cloud holds: sites and servers, and the documents that the API shows of them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from drdash.simulator.issues import CONSOLE, JSON, START_PROD, START_TEST, STOP, busy, is_error, issue

# What a site's error means for its servers: SiteNotReady and a lost gateway are repeated on each of them.
REPEATED_ON_SERVERS = ("SiteNotReady", "VPNGatewayUnreachable")
# What a task that fails says for itself, one server this and the next that; nobody documents the last one.
FAILURES = ("ServerNotReady", "CloudConnectionIssue", "QuotaExceededComputePoints", "GuestDidNotBoot")


@dataclass(slots=True, eq=False)
class Task:
    """What keeps a server busy. Without `began` nothing is known of it but that it runs; `result` is ok, cancelled, or
    the code of the error that it ended with.
    """

    uuid: str
    name: str
    began: float | None = None
    ends: float | None = None
    finished: float | None = None
    result: str = ""


@dataclass(slots=True, eq=False)
class Site:
    """A DR site. Its readiness follows from its issues, unless `overlay` says otherwise."""

    ordinal: int
    uuid: str
    tenant_uuid: str
    default: bool = False
    status: str = "PROVISIONED"
    issues: list[JSON] = field(default_factory=list)
    task_uuid: str | None = None
    deleted_at: float | None = None
    overlay: JSON = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    verbatim: JSON | None = None
    rendered: bytes | None = None

    @property
    def key(self) -> str:
        return self.uuid.lower()

    def document(self, base_url: str) -> JSON:
        if self.verbatim is not None:
            return _overlaid(self.verbatim, self.overlay, self.hidden)
        issues = list(self.issues)
        if self.status != "PROVISIONED":
            issues.insert(0, issue("SiteNotReady", self.uuid))
        document: JSON = {
            "tenant_uuid": self.tenant_uuid,
            "uuid": self.uuid,
            "failover_readiness": "ERROR" if any(map(is_error, issues)) else "WARNING" if issues else "OK",
            "_issues": issues,
            "status": self.status,
            "default": self.default,
        }
        if self.task_uuid is not None:
            document["task_uuid"] = self.task_uuid
        if self.deleted_at is not None:
            document["deleted_at"] = iso(self.deleted_at)
        href = f"{base_url}/dr/sites/{self.uuid}/connectivity"
        document["_links"] = [{"rel": "DR_SITE_CONNECTIVITY_PAGE", "type": "text/html", "href": href}]
        return _overlaid(document, self.overlay, self.hidden)


@dataclass(slots=True, eq=False)
class Server:
    """A cloud server. `fields` are the API's own, less those that follow from the state: issues, links, the task."""

    ordinal: int
    fields: JSON
    issues: list[JSON] | None = field(default_factory=list)  # None: the cloud says nothing about issues
    points: list[JSON] = field(default_factory=list)  # recovery points, the newest first
    idle_vm: str = "NOT_READY"
    task: Task | None = None
    fails_next: bool = False
    taken_at: float | None = None  # when an API client last acted on it: such a server is left alone
    restless: bool = False  # things happen to it by themselves
    overlay: JSON = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    verbatim: JSON | None = None  # an example, shown as it is and never changed
    rendered: bytes | None = None

    @property
    def uuid(self) -> str:
        return str(self.fields["uuid"])

    @property
    def key(self) -> str:
        return self.uuid.lower()

    @property
    def site_uuid(self) -> str:
        return str(self.fields["site_uuid"])

    @property
    def status(self) -> str:
        return str(self.fields["status"])

    @property
    def is_recovery(self) -> bool:
        return bool(self.fields["type"] == "RECOVERY")

    @property
    def recovery(self) -> JSON:
        found: JSON = self.fields["recovery"]
        return found

    @property
    def resource_id(self) -> str:
        return str(self.recovery.get("resource_id", "")) if self.is_recovery else ""

    def document(self, base_url: str, site: Site | None) -> JSON:
        if self.verbatim is not None:
            return _overlaid(self.verbatim, self.overlay, self.hidden)
        document = dict(self.fields)
        if document["vm"]["status"] == "NOT_READY":
            document["vm"] = {key: value for key, value in document["vm"].items() if key not in ("os", "storage")}
        if self.issues is not None:
            document["_issues"] = self._all_issues(site)
        if self.task is not None:
            document["task_uuid"] = self.task.uuid
        document["_links"] = self._links(base_url)
        return _overlaid(document, self.overlay, self.hidden)

    def _all_issues(self, site: Site | None) -> list[JSON]:
        found = list(self.issues or ())
        if self.is_recovery:
            if self.task is not None:
                found = busy(self.uuid, [self.task.uuid]) + found
            found += [
                issue(code, self.uuid, link=link)
                for code in REPEATED_ON_SERVERS
                if site is not None and _has(site, code)
                for link in (START_PROD, START_TEST, STOP)
            ]
        elif self.task is not None:
            found.append(issue("ServerNotReady", self.uuid, link=CONSOLE))
        return found

    def _links(self, base_url: str) -> list[JSON]:
        console = f"{base_url}/bc/login?tenant_id=46&return_url=%2Fui%2F"
        resources = [self.resource_id, self.uuid] if self.is_recovery else [self.uuid]
        points = "backupType=differential&backupType=full&backupType=incremental&embed=archive&order=desc(created)"
        query = "&".join([points, "showDeleted=0", "type=image", *(f"resourceId={one}" for one in resources)])
        backups = f"{base_url}/bc/api/vault_manager/v1/backups?{query}"
        links = [
            ("DR_CLOUD_SERVER_PAGE", "text/html", f"{console}#/dr-servers?id={self.uuid}"),
            ("DR_CLOUD_SERVER_RECOVERY_POINTS", "application/json", backups),
            (CONSOLE, "text/html", f"{console}#/dr-server-remote-console"),
        ]
        if self.is_recovery:
            verb = f"{base_url}/bc/api/dr/v2/servers/{self.uuid}:"
            links += [
                (START_PROD, "application/json", f"{verb}start_failover_prod"),
                (START_TEST, "application/json", f"{verb}start_failover_test"),
                (STOP, "application/json", f"{verb}stop_failover"),
            ]
        return [{"rel": rel, "type": kind, "href": href} for rel, kind, href in links]


def iso(seconds: float) -> str:
    """A moment as the API writes it: 2018-11-13T20:20:39+00:00."""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()


def _has(site: Site, code: str) -> bool:
    if code == "SiteNotReady":
        return site.status != "PROVISIONED"
    return any(found["error"]["code"] == code and is_error(found) for found in site.issues)


def _overlaid(document: JSON, overlay: JSON, hidden: set[str]) -> JSON:
    return {key: value for key, value in (document | overlay).items() if key not in hidden}
