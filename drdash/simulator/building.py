"""A simulator from a scenario: its worlds, and who may come in."""

from collections.abc import Mapping

from drdash.simulator import partner, scenarios
from drdash.simulator.clock import Clock, ManualClock
from drdash.simulator.directory import ADMIN, READONLY, ApiClient, Directory, Tenant
from drdash.simulator.simulation import (
    CLIENT_ID,
    CLIENT_SECRET,
    PARTNER_ID,
    PARTNER_READER_ID,
    READER_ID,
    SECRETS,
    Simulator,
)
from drdash.simulator.tokens import USERNAME, USERS_PASSWORD, Issuer
from drdash.simulator.world import World

READING = frozenset({READONLY})


def build(
    world: World | str = "customer",
    *,
    clock: Clock | None = None,
    client_id: str = CLIENT_ID,
    client_secret: str = CLIENT_SECRET,
    secrets: Mapping[str, str] | None = None,
    username: str = USERNAME,
    password: str = USERS_PASSWORD,
    second_factor: bool = False,
    scopes: frozenset[str] = frozenset({ADMIN}),
    token_life: float = 7200.0,
    seed: int = 0,
    servers: int | None = None,
    sites: int | None = None,
    customers: int = partner.CUSTOMERS,
) -> Simulator:
    """A simulator that is not on a port yet. Without a clock, time stands still until `advance`. `secrets` are those of
    the API clients beside the usual one, where they are not SECRETS.
    """
    if clock is None:
        clock = ManualClock(None if isinstance(world, str) else world.now)
    tenants: list[Tenant] = []
    worlds: dict[str, World] = {}
    if world == scenarios.PARTNER:
        tenants = partner.found(seed)
        for number in range(customers):
            tenant, small = partner.settle(number, above=tenants, now=clock.now(), seed=seed)
            worlds[tenant.uuid] = small
            tenants.append(tenant)
    else:
        if isinstance(world, str):
            world = scenarios.build(world, now=clock.now(), seed=seed, servers=servers, sites=sites)
        worlds[world.tenant] = world
        tenants.append(Tenant(uuid=world.tenant, name="Simulated customer"))
    known = SECRETS | dict(secrets or {})
    usual = next(iter(worlds), tenants[0].uuid)
    clients = [
        ApiClient(id=client_id, secret=client_secret, tenant=usual, scopes=scopes),
        ApiClient(id=READER_ID, secret=known[READER_ID], tenant=usual, scopes=READING),
    ]
    if tenants[0].kind == "partner":
        above = tenants[0].uuid
        clients += [
            ApiClient(id=PARTNER_ID, secret=known[PARTNER_ID], tenant=above),
            ApiClient(id=PARTNER_READER_ID, secret=known[PARTNER_READER_ID], tenant=above, scopes=READING),
        ]
    issuer = Issuer(
        directory=Directory(tenants, clients),
        username=username,
        password=password,
        second_factor=second_factor,
        life=token_life,
        speed=clock.speed,
    )
    return Simulator(worlds, clock, issuer, seed=seed)
