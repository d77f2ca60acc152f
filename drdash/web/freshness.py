"""How fresh many tenants are, in few sentences: those with the same trouble are told of once, and listed behind it."""

from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from drdash.estate.snapshot import Estate
from drdash.tenants.models import Tenant
from drdash.web.phrases import phrases
from drdash.web.said import stored
from drdash.web.tenantcards import STATES, state_of
from drdash.web.wording import Look

# From so many tenants on they are told of together.
MANY = 6
# So many reasons why tenants cannot be read are told each by itself.
REASONS = 3

_WORDS: dict[str, Callable[[int], str]] = {
    "waiting": lambda count: phrases(
        "%(count)s tenant is not read for now, as the cloud asked for it.",
        "%(count)s tenants are not read for now, as the cloud asked for it.",
        count,
    ),
    "unread": lambda count: phrases(
        "%(count)s tenant was never read so far: what is there is not known.",
        "%(count)s tenants were never read so far: what is there is not known.",
        count,
    ),
    "stale": lambda count: phrases(
        "%(count)s tenant is not read in time: what is shown of it may no longer be true.",
        "%(count)s tenants are not read in time: what is shown of them may no longer be true.",
        count,
    ),
    "vanished": lambda count: phrases(
        "%(count)s tenant is not at the partner any more: this is its last data.",
        "%(count)s tenants are not at the partner any more: this is their last data.",
        count,
    ),
    "paused": lambda count: phrases(
        "%(count)s tenant is paused: nothing is read, and nothing can be started or stopped.",
        "%(count)s tenants are paused: nothing is read, and nothing can be started or stopped.",
        count,
    ),
    "watching": lambda count: phrases(
        "%(count)s tenant is read as it should be.",
        "%(count)s tenants are read as they should be.",
        count,
    ),
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
        Group(f"failing-{number}", STATES["failing"], _unread(len(of), error), tuple(of))
        for number, (error, of) in enumerate(reasons[:REASONS])
    ]
    if rest := [pk for _, of in reasons[REASONS:] for pk in of]:
        words = phrases(
            "%(count)s more tenant cannot be read, for other reasons.",
            "%(count)s more tenants cannot be read, for other reasons.",
            len(rest),
        )
        told.append(Group("failing-more", STATES["failing"], words, tuple(pk for pk in tenants if pk in set(rest))))
    told += [
        Group(state, STATES[state], _WORDS[state](len(alike[state])), tuple(alike[state]))
        for state in _ORDER
        if state in alike
    ]
    return tuple(told)


def _unread(count: int, error: str) -> str:
    return phrases(
        "%(count)s tenant cannot be read. %(error)s",
        "%(count)s tenants cannot be read. %(error)s",
        count,
        error=stored(error),
    )
