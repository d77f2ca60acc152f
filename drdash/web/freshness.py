"""How fresh many tenants are, in few sentences: those with the same trouble are told of once, and listed behind it."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from drdash.estate.snapshot import Estate
from drdash.tenants.models import Tenant
from drdash.web.tenantcards import STATES, state_of
from drdash.web.wording import Look

# From so many tenants on they are told of together.
MANY = 6
# So many reasons why tenants cannot be read are told each by itself.
REASONS = 3

_WORDS = {
    "waiting": "{} tenants are not read for now, as the cloud asked for it.",
    "unread": "{} tenants were never read so far: what is there is not known.",
    "stale": "{} tenants are not read in time: what is shown of them may no longer be true.",
    "vanished": "{} tenants are not at the partner any more: this is their last data.",
    "paused": "{} tenants are paused: nothing is read, and nothing can be started or stopped.",
    "watching": "{} tenants are read as they should be.",
}
_ORDER = ("failing", "stale", "unread", "vanished", "waiting", "paused", "watching")


class Group(msgspec.Struct, frozen=True):
    """Tenants of which the same is to be said; ``tenants`` by id, in the order of their names."""

    key: str
    look: Look
    sentence: str
    tenants: tuple[int, ...]


def groups(tenants: Mapping[int, Tenant], estates: Mapping[int, Estate], now: datetime) -> tuple[Group, ...]:
    """The tenants by what is to be said of them, the worst first; those that are well stand last."""
    alike: dict[str, list[int]] = {}
    failing: dict[str, list[int]] = {}
    for pk, tenant in tenants.items():
        health = estates[pk].health
        state = state_of(tenant, health, now)
        if state == "failing" and health.error:
            failing.setdefault(health.error, []).append(pk)
        else:
            alike.setdefault(state, []).append(pk)
    reasons = sorted(failing.items(), key=lambda one: (-len(one[1]), one[0]))
    told = [
        Group(f"failing-{number}", STATES["failing"], f"{len(of)} tenants cannot be read. {error}", tuple(of))
        for number, (error, of) in enumerate(reasons[:REASONS])
    ]
    if rest := [pk for _, of in reasons[REASONS:] for pk in of]:
        words = f"{len(rest)} more tenants cannot be read, for other reasons."
        told.append(Group("failing-more", STATES["failing"], words, tuple(pk for pk in tenants if pk in set(rest))))
    told += [
        Group(state, STATES[state], _WORDS[state].format(len(alike[state])), tuple(alike[state]))
        for state in _ORDER
        if state in alike
    ]
    return tuple(told)
