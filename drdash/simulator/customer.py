"""A believable customer: offices, their sites and servers, and what is the matter with some of them."""

from collections.abc import Callable
from itertools import count
from random import Random
from uuid import UUID

from drdash.simulator.incidents import PERIODS, rpo, screenshots
from drdash.simulator.issues import JSON, START_PROD, START_TEST, issue
from drdash.simulator.state import Server, Site, Task, iso
from drdash.simulator.world import World, latest_point

DAY = 86400.0
OFFICES = (
    ("ams", "Amsterdam"), ("ber", "Berlin"), ("vie", "Vienna"), ("zrh", "Zurich"), ("osl", "Oslo"),
    ("par", "Paris"), ("mad", "Madrid"), ("waw", "Warsaw"), ("lis", "Lisbon"), ("dub", "Dublin"),
)  # fmt: skip
WINDOWS = "Microsoft Windows Server 2022"
LINUX = "Ubuntu 24.04 LTS"
Role = tuple[str, str, str, int, int, tuple[int, ...]]  # name, OS, what it is, CPUs, memory in MiB, disks in GiB
ROLES: tuple[Role, ...] = (
    ("web", LINUX, "Web front end", 2, 4096, (40,)),
    ("sql", WINDOWS, "MS SQL server, orders and stock", 8, 32768, (80, 500, 200)),
    ("dc", WINDOWS, "Domain controller", 2, 4096, (60,)),
    ("mail", WINDOWS, "Mail server", 4, 16384, (80, 400)),
    ("erp", WINDOWS, "ERP application server", 8, 32768, (100, 250)),
    ("file", WINDOWS, "File server of the office", 4, 8192, (80, 2000)),
    ("app", LINUX, "Application server", 4, 8192, (60, 100)),
    ("crm", LINUX, "Customer database", 4, 16384, (60, 200)),
    ("pos", WINDOWS, "Tills and card payments", 2, 4096, (60,)),
    ("mon", LINUX, "Monitoring", 2, 4096, (40, 100)),
    ("hr", WINDOWS, "Payroll and time sheets", 2, 8192, (80,)),
    ("git", LINUX, "Source code and builds", 4, 16384, (60, 300)),
)  # fmt: skip
# Where the next twenty servers stand among five sites, and which of them are primary.
PLACES = (0, 1, 0, 1, 2, 0, 1, 0, 3, 0, 1, 2, 0, 1, 0, 4, 1, 0, 2, 1)
PRIMARY = frozenset({2, 6, 12, 17})
BLOCK = 40

Case = Callable[[World, Server], None]


def furnish(world: World, *, servers: int, sites: int, seed: int) -> None:
    """Fill an empty world. The same seed gives the same sites and servers, by the same UUIDs."""
    random = Random(seed)
    tenant = world.tenant = new_uuid(random)
    gone = Site(sites, new_uuid(random), tenant, status="DEPROVISIONING", deleted_at=world.now - 9 * DAY)
    places = [_site(number, new_uuid(random), tenant) for number in range(sites)]
    for site in (*places, gone):
        world.add(site)
    numbers: dict[str, count[int]] = {}
    made: list[Server] = []
    for ordinal in range(servers if sites else 0):
        group = ordinal // len(PLACES) % (1 + (sites - 1) // 5)
        place = (5 * group + PLACES[ordinal % len(PLACES)]) % sites
        short, office = OFFICES[place % len(OFFICES)]
        role = ROLES[(ordinal * 5 + ordinal // len(ROLES)) % len(ROLES)]
        name = f"{short}-{role[0]}"
        number = next(numbers.setdefault(name, count(1)))
        server = _server(world, random, ordinal, places[place], f"{name}-{number:02}", f"{role[2]}, {office}", role)
        if ordinal % BLOCK == BLOCK - 10 and server.is_recovery:
            server.fields["site_uuid"] = gone.uuid  # its site is no longer listed
        made.append(server)
        world.add(server)
    for start in range(0, len(made), BLOCK):
        _trouble(world, made[start : start + BLOCK])


def fragile(world: World) -> list[Site]:
    """The sites that break and heal: those that only have warnings."""
    return [site for site in world.sites.values() if world.document(site)["failover_readiness"] == "WARNING"]


def new_uuid(random: Random) -> str:
    return str(UUID(int=random.getrandbits(128), version=4))


def _site(number: int, uuid: str, tenant: str) -> Site:
    site = Site(number, uuid, tenant, default=number == 0)
    if number == 2:
        site.issues = [issue("VPNS2SApplianceNotRegistered", uuid, severity="WARNING")]
    elif number == 3:
        site.issues = [
            issue("SubscriptionNotFoundComputePoints", uuid),
            issue("QuotaReachedDrStorage", uuid, severity="warning"),
        ]
    elif number == 4:
        site.status = "PROVISIONING"
        site.task_uuid = str(UUID(int=UUID(uuid).int ^ 1, version=4))
    elif number % 5 == 2:
        site.issues = [issue("VPNIPSecConnectionError", uuid, severity="warning")]
    return site


def _server(world: World, random: Random, ordinal: int, site: Site, name: str, description: str, role: Role) -> Server:
    _, system, _, cpu, ram, disks = role
    primary = ordinal % len(PLACES) in PRIMARY
    storage = [
        {"id": f"{name}-disk{number}", "protected": number == 1 or ordinal % 3 > 0, "size_gb": size}
        for number, size in enumerate(disks, 1)
    ]
    fields: JSON = {
        "name": name,
        "description": description,
        "uuid": new_uuid(random),
        "vm": {"cpu": cpu, "ram_mb": ram, "os": system, "storage": storage, "status": "NOT_READY"},
        "site_uuid": site.uuid,
        "status": "STAND_BY",
        "created_at": iso(world.now - random.uniform(100, 1500) * DAY),
        "type": "PRIMARY" if primary else "RECOVERY",
    }
    if ordinal % 3 == 0:
        fields["public_ip"] = f"203.0.113.{ordinal % 250 + 1}"
    vault = new_uuid(random).upper()
    server = Server(ordinal, fields, restless=primary, idle_vm="STOPPED" if ordinal % 4 == 0 else "NOT_READY")
    if primary:
        fields["vm"]["status"] = "STARTED"
        fields["primary"] = {"vault_id": vault}
        return server
    archive = new_uuid(random).upper() + ("@archive" if ordinal % 5 == 0 else "")
    server.points = [
        {
            "vault_id": vault,
            "archive_id": archive,
            "backup_id": new_uuid(random).upper(),
            "created": iso(world.now - (number + random.random()) * DAY),
            "type": "full" if number == 5 else "incremental",
            "size": int(random.uniform(1, 60) * 2**30),
        }
        for number in range(6)
    ]
    fields["vm"]["status"] = server.idle_vm
    fields["recovery"] = _recovery(world, random, ordinal, server)
    lag = (0.3, 0.6, 0.1, 1.4, 0.8, 2.6, 0.4, 0.2, 5.1, 0.5, None)[ordinal % 11]
    if lag is not None:
        fields["rpo"] = rpo(86400 if ordinal % 2 else 14400, lag)
    return server


def _recovery(world: World, random: Random, ordinal: int, server: Server) -> JSON:
    resource = new_uuid(random)
    recovery: JSON = {"resource_id": resource.upper() if ordinal % 2 else resource}
    if ordinal % 4 == 1:
        recovery["ip_mapped"] = f"10.{ordinal // 250 % 250}.{ordinal % 250}.10"
    if ordinal % 3 != 2:
        recovery["test_failover"] = {
            "recovery_point": latest_point(server),
            "last_start": iso(world.now - random.uniform(3, 120) * DAY),
            "last_task_uuid": new_uuid(random),
        }
    test: JSON | None = (
        {"schedule": "NEVER"},
        _tested(world, random, server, "SUCCESS", "WEEKLY"),
        _never_tested("MONTHLY"),
        _tested(world, random, server, "SUCCESS", "MONTHLY"),
        _tested(world, random, server, "FAILURE", "WEEKLY"),
        None,
        _tested(world, random, server, "SUCCESS", "DAILY"),
    )[ordinal % 7]
    if test is not None:
        recovery["automated_test_failover"] = test
    return recovery


def _tested(world: World, random: Random, server: Server, status: str, schedule: str) -> JSON:
    last = world.now - random.random() * PERIODS[schedule]
    return {
        **screenshots(world.base_url, server.uuid),
        "recovery_point": latest_point(server),
        "next_start": iso(last + PERIODS[schedule]),
        "last_status": status,
        "schedule": schedule,
        "last_task_uuid": new_uuid(random),
        "last_start": iso(last),
        "timeout": 300,
    }


def _never_tested(schedule: str) -> JSON:
    unset = ("screenshot_link", "recovery_point", "next_start", "screenshot_preview_link", "last_status",
             "last_task_uuid", "last_start")  # fmt: skip
    return {**dict.fromkeys(unset), "schedule": schedule, "timeout": 600}


def _trouble(world: World, servers: list[Server]) -> None:
    """What is the matter with some of these servers. Most of those on a site that is ready can start a failover."""
    by_readiness: dict[str, list[Server]] = {}
    for server in servers:
        site = world.document(world.sites[server.site_uuid])
        state = site["failover_readiness"] if site["status"] == "PROVISIONED" else site["status"]
        if server.is_recovery:
            by_readiness.setdefault(state, []).append(server)
    ready, warned = by_readiness.get("OK", []), by_readiness.get("WARNING", [])
    for server, case in zip(ready[1::2], _CASES[: len(ready) // 2], strict=False):
        case(world, server)
    for server in ready[-1:] + warned[3:]:
        server.restless = server.status == "STAND_BY"
    for server, case in zip(warned, _CASES_UNDER_WARNING, strict=False):
        case(world, server)
    for server in by_readiness.get("PROVISIONING", [])[1:]:
        server.fields["status"] = "CREATING"
        server.task = Task(world.new_uuid(), "other")


def _runs(status: str, since: float) -> Case:
    def case(world: World, server: Server) -> None:
        world.running(server, status, latest_point(server))
        if status == "FAILOVER_TEST":
            server.recovery["test_failover"] = {
                "recovery_point": latest_point(server),
                "last_start": iso(world.now - since),
                "last_task_uuid": world.new_uuid(),
            }
            server.restless = since < DAY
        elif status == "FINALIZATION":
            world.finalize(server, 3600)

    return case


def _has(*issues: tuple[str, str, str | None]) -> Case:
    def case(_world: World, server: Server) -> None:
        server.issues = [issue(code, server.uuid, severity=severity, link=link) for code, severity, link in issues]

    return case


def _says_nothing_of_issues(_world: World, server: Server) -> None:
    server.issues = None


_CASES: tuple[Case, ...] = (
    _runs("FAILOVER_TEST", 4.3 * DAY),
    _has(("QuotaExceededCloudServers", "ERROR", START_TEST), ("QuotaExceededCloudServers", "ERROR", START_PROD)),
    _has(("ServerNotReady", "warning", START_TEST)),
    _runs("FAILOVER_PROD", 0),
    _has(("CloudConnectionIssue", "ERROR", START_PROD)),
    _has(("ServerNotLicensed", "error", None)),
    _runs("FINALIZATION", 0),
    _has(("BaseDrTestFailoverLimitReached", "ERROR", START_TEST)),
    _has(("QuotaReachedComputePoints", "warning", None)),
    _has(("BackupPlanSuspended", "WARNING", START_PROD)),
)
_CASES_UNDER_WARNING: tuple[Case, ...] = (
    _runs("FAILOVER_TEST", 2 * 3600.0),
    _says_nothing_of_issues,
    _runs("FINALIZATION_FAILED", 0),
)
