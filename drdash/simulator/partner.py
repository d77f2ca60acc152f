"""A partner and its customers, each with a small world of its own and in a health of its own."""

from collections.abc import Callable
from random import Random

from drdash.simulator import customer, incidents
from drdash.simulator.directory import Tenant
from drdash.simulator.issues import issue
from drdash.simulator.state import Server
from drdash.simulator.world import World, latest_point

CUSTOMERS = 12
NAMES = (
    "Hollmann Logistics", "Brückner & Söhne", "Aldgate Dental Group", "Nordlys Shipping", "Castellano Foods",
    "Penrose Legal", "Vitkov Steel", "Lumière Optics", "Harbour & Pike Insurance", "Tannenberg Clinics",
    "Okafor Pharmaceuticals", "Greenfield Schools Trust", "Sørensen Print", "Marchetti Ceramics",
    "Whitlock Estate Agents", "Baltic Grain", "Duval Aerospace", "Kestrel Payroll", "Zielinski Bakeries",
    "Ashdown Veterinary", "Meridian Freight", "Oranje Bloemen", "St. Brendan's Hospice", "Falkner Machine Tools",
)  # fmt: skip
KINDS = ("Holding", "Benelux", "Services", "International", "Nord", "Retail", "Energy", "Labs")

Mood = Callable[[World], None]


def found(seed: int) -> list[Tenant]:
    """The partner itself, with one folder below it; and what a list of its tenants also has: who is no customer to
    watch.
    """
    random = Random(f"partner {seed}")
    partner = Tenant(uuid=customer.new_uuid(random), name="Quayside Managed IT", kind="partner")
    folder = Tenant(uuid=customer.new_uuid(random), name="South", kind="folder", parent=partner.uuid)
    left = Tenant(uuid=customer.new_uuid(random), name="Crane & Hobb (left)", parent=partner.uuid, enabled=False)
    return [partner, folder, left]


def settle(
    number: int, *, above: list[Tenant], now: float, seed: int, servers: int | None = None, sites: int | None = None
) -> tuple[Tenant, World]:
    """The customer of that number, below the partner or its folder, and its world."""
    mood = _MOODS[number % len(_MOODS)]
    if servers is None:
        servers = 0 if mood is _begins else 6 + 5 * number % 13
    own = 1000 * (seed + 1) + number
    world = World(now=now, seed=own)
    customer.furnish(world, servers=servers, sites=1 + number % 2 if sites is None else sites, seed=own)
    mood(world)
    below = above[1] if number % 4 == 3 else above[0]
    return Tenant(uuid=world.tenant, name=name(number), parent=below.uuid), world


def name(number: int) -> str:
    """A company's name; no two numbers have the same."""
    turn, place = divmod(number, len(NAMES))
    if turn == 0:
        return NAMES[place]
    more, kind = divmod(turn - 1, len(KINDS))
    return f"{NAMES[place]} {KINDS[kind]}{f' {more + 1}' if more else ''}"


def _at_rest(world: World) -> None:
    """All is well, and stays so."""
    for site in world.sites.values():
        if site.deleted_at is None:
            site.status, site.issues, site.task_uuid = "PROVISIONED", [], None
    for server in world.servers.values():
        server.issues, server.task, server.restless = [], None, False
        if server.is_recovery:
            server.fields.pop("rpo", None)
            server.fields["rpo"] = incidents.rpo(14400, 0.2 + server.ordinal % 5 / 10)
            server.recovery.get("automated_test_failover", {}).pop("last_status", None)
            world.stand_by(server)


def _as_it_comes(world: World) -> None:
    """Something is the matter with some of them, and nothing happens by itself."""


def _lives(world: World) -> None:
    incidents.begin(world, customer.fragile(world))


def _runs_here(world: World) -> None:
    _at_rest(world)
    for server, status in zip(_recovery(world), ("FAILOVER_PROD", "FINALIZATION"), strict=False):
        world.running(server, status, latest_point(server))
        if status == "FINALIZATION":
            world.finalize(server, 1800)


def _tests(world: World) -> None:
    _at_rest(world)
    for server in _recovery(world)[:2]:
        world.running(server, "FAILOVER_TEST", latest_point(server))


def _cut_off(world: World) -> None:
    _at_rest(world)
    site = next(iter(world.sites.values()))
    site.issues = [issue("VPNGatewayUnreachable", site.uuid)]
    world.changed(site)


def _late(world: World) -> None:
    _at_rest(world)
    site = next(iter(world.sites.values()))
    site.issues = [issue("QuotaReachedDrStorage", site.uuid, severity="warning")]
    world.changed(site)
    for server, ratio in zip(_recovery(world), (5.3, 2.4, 1.2), strict=False):
        server.fields["rpo"] = incidents.rpo(14400, ratio)
        world.changed(server)


def _begins(world: World) -> None:
    """A new customer: a site, and no server yet."""


def _recovery(world: World) -> list[Server]:
    return [server for server in world.servers.values() if server.is_recovery]


_MOODS: tuple[Mood, ...] = (
    _as_it_comes, _at_rest, _lives, _runs_here, _at_rest, _cut_off, _tests, _at_rest, _late, _begins, _lives, _at_rest,
)  # fmt: skip
