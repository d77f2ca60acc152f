"""Worlds to begin with, by name."""

import json
from importlib.resources import files

from drdash.simulator import customer, incidents
from drdash.simulator.paging import FixedPages
from drdash.simulator.state import Server, Site
from drdash.simulator.world import World

PARTNER = "partner"
SCENARIOS = {
    "customer": "40 servers on 5 sites, where things keep happening",
    "quiet": "the same, but nothing happens by itself",
    "reference": "the examples of the API reference, word for word; static",
    "empty": "a new customer: no site, no server",
    PARTNER: "a partner with 12 customers, in every state of health",
}
GENERATED = ("customer", "quiet")


def build(name: str, *, now: float, seed: int = 0, servers: int | None = None, sites: int | None = None) -> World:
    """The world of that name as it is at `now`. Raises KeyError for an unknown name, and for PARTNER: it has many."""
    if name not in SCENARIOS or name == PARTNER:
        raise KeyError(name)
    world = World(now=now, seed=seed)
    if name == "reference":
        _reference(world)
    elif name != "empty":
        customer.furnish(
            world, servers=40 if servers is None else servers, sites=5 if sites is None else sites, seed=seed
        )
    if name == "customer":
        incidents.begin(world, customer.fragile(world))
    return world


def _reference(world: World) -> None:
    examples = json.loads(files(__package__).joinpath("reference.json").read_bytes())
    for ordinal, item in enumerate(examples["sites"]):
        world.tenant = item["tenant_uuid"]
        world.add(Site(ordinal, item["uuid"], item["tenant_uuid"], item["default"], item["status"], verbatim=item))
    for ordinal, item in enumerate(examples["servers"]):
        world.add(Server(ordinal, item, verbatim=item))
    # Two items, then the third by the cursor that the reference shows.
    world.fixed_pages = FixedPages(limit=2, token="eyJSJdfQ")  # noqa: S106
