"""Orders about who is there: customers that come, go and return, API clients that lose their rights, and the issuer."""

from typing import TYPE_CHECKING

from drdash.simulator import partner
from drdash.simulator.answers import Invalid
from drdash.simulator.directory import CUSTOMER, Tenant
from drdash.simulator.issues import JSON
from drdash.simulator.tokens import Issuer

if TYPE_CHECKING:
    from drdash.simulator.simulation import Simulator

_FLAGS = frozenset({"present", "enabled", "ancestral_access", "has_dr"})
_SWITCHES = frozenset({"second_factor", "demands_client", "tells_expires_in"})
_REVOKES = {"all": (True, True), "access": (True, False), "refresh": (False, True)}


def customers(simulator: "Simulator") -> list[JSON]:
    """Every customer that ever was, with what may be ordered of it."""
    return [_shown(tenant) for tenant in simulator.issuer.directory if tenant.kind == CUSTOMER]


def add_customer(simulator: "Simulator", order: JSON) -> JSON:
    """A new customer: `{"name", "servers", "sites"}`, each of them optional. Raises Invalid."""
    _only(order, {"name", "servers", "sites"})
    above = [tenant for tenant in simulator.issuer.directory if tenant.kind != CUSTOMER]
    if not above:
        raise Invalid("only the scenario partner has customers")
    number, now = len(simulator.worlds), simulator.clock.now()
    size = {name: order[name] for name in ("servers", "sites") if name in order}
    tenant, world = partner.settle(number, above=above, now=now, seed=simulator.seed, **size)
    tenant.name = order.get("name") or tenant.name
    world.move_to(simulator.public_url)
    simulator.worlds[tenant.uuid] = world
    simulator.issuer.directory.add(tenant)
    return _shown(tenant)


def force_customer(simulator: "Simulator", order: JSON) -> JSON:
    """Change a customer: `{"customer": uuid}` and any of `name`, `present` (false: gone; true: back again), `enabled`,
    `ancestral_access` (false: it lets no partner in), `has_dr` (false: no disaster recovery). Raises Invalid.
    """
    _only(order, {"customer", "name", *_FLAGS})
    tenant = simulator.issuer.directory.known(str(order["customer"]))
    if tenant is None:
        raise Invalid("no such customer")
    for name in order.keys() & _FLAGS:
        if not isinstance(order[name], bool):
            raise Invalid(f"{name} is true or false")
    for name, value in order.items():
        if name != "customer":
            setattr(tenant, name, value)
    return _shown(tenant)


def force_client(issuer: Issuer, order: JSON) -> JSON:
    """Change an API client: `{"client": id}` and any of `secret`, `enabled`, `scopes`, `grants` (lists) and `revoke`
    ("access", "refresh" or "all" of its tokens; for the client `""`, those of users without one). Raises Invalid.
    """
    _only(order, {"client", "secret", "enabled", "scopes", "grants", "revoke"})
    client_id = str(order.get("client", ""))
    if "revoke" in order:
        if order["revoke"] not in _REVOKES:
            raise Invalid(f"revoke is one of {', '.join(_REVOKES)}")
        access, refresh = _REVOKES[order["revoke"]]
        issuer.revoke(client_id, access=access, refresh=refresh)
    client = issuer.directory.client(client_id)
    if client is None:
        if order.keys() <= {"client", "revoke"} and not client_id:
            return {}
        raise Invalid("no such client")
    client.secret = str(order.get("secret", client.secret))
    client.enabled = bool(order.get("enabled", client.enabled))
    client.scopes = frozenset(order.get("scopes", client.scopes))
    client.grants = frozenset(order.get("grants", client.grants))
    return {"client": client.id, "enabled": client.enabled, "scopes": sorted(client.scopes)}


def force_issuer(issuer: Issuer, order: JSON) -> JSON:
    """Change what the identity provider wants and tells: any of `second_factor`, `demands_client`, `tells_expires_in`
    (true or false) and `life` (a new token's, in seconds). Raises Invalid.
    """
    _only(order, {*_SWITCHES, "life"})
    for name, value in order.items():
        if isinstance(value, bool) != (name in _SWITCHES) or not isinstance(value, int | float) or value < 0:
            raise Invalid(f"{name} is {'true or false' if name in _SWITCHES else 'a number of seconds'}")
    for name, value in order.items():
        setattr(issuer, name, value)
    return {name: getattr(issuer, name) for name in (*sorted(_SWITCHES), "life")}


def assertion(simulator: "Simulator", order: JSON) -> str:
    """A signed assertion of the user: `{"lifetime": seconds, "tenant": uuid}`, both optional. Raises Invalid."""
    _only(order, {"lifetime", "tenant"})
    lifetime = order.get("lifetime", 3600)
    if not isinstance(lifetime, int | float):
        raise Invalid("lifetime is a number of seconds")
    return simulator.assertion(lifetime=lifetime, tenant=str(order.get("tenant", "")))


def _shown(tenant: Tenant) -> JSON:
    return {"id": tenant.uuid, "name": tenant.name} | {flag: getattr(tenant, flag) for flag in sorted(_FLAGS)}


def _only(order: JSON, known: set[str]) -> None:
    if unknown := sorted(order.keys() - known):
        raise Invalid(f"unknown: {', '.join(unknown)}")
