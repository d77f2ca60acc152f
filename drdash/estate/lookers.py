"""Who has an action's dialog open on a server, for the others who look at it. In Redis alone: it is gone in two
minutes, and nobody waits for it.
"""

from datetime import datetime, timedelta
from functools import cache
from typing import Any

import msgspec
from django.conf import settings

from drdash.estate.aside import aside
from drdash.estate.store import StoreAway, away, connection, store

# As long as what a dialog showed may be acted on.
SECONDS = 120
TIME_OUT = 0.5
_KEY = "drdash:looking:"


class Looker(msgspec.Struct, frozen=True):
    """One person with a dialog open: the action's kind, whether it counts as production, and since when."""

    name: str
    kind: str
    production: bool
    since: datetime


def here(tenant: int, server: str, user: int, looker: Looker) -> None:
    """A dialog of an action on the server (its key) is open."""

    def work() -> None:
        with away(), _redis().pipeline(transaction=True) as pipe:
            pipe.hset(_key(tenant, server), str(user), msgspec.json.encode(looker))
            pipe.expire(_key(tenant, server), SECONDS)
            pipe.execute()
        store().announce(tenant, ["estate"])

    aside(work)


def gone(tenant: int, server: str, user: int) -> None:
    """What was open there was sent."""

    def work() -> None:
        with away():
            told = _redis().hdel(_key(tenant, server), str(user))
        if told:
            store().announce(tenant, ["estate"])

    aside(work)


def others(tenant: int, server: str, user: int, *, now: datetime) -> list[Looker]:
    """Everyone but this user, whoever came first first; nobody where Redis is away."""
    try:
        with away():
            known = _redis().hgetall(_key(tenant, server))
        found = [msgspec.json.decode(one, type=Looker) for who, one in known.items() if who.decode() != str(user)]
    except (StoreAway, msgspec.MsgspecError):
        return []
    return sorted((one for one in found if now - one.since < timedelta(seconds=SECONDS)), key=lambda one: one.since)


@cache
def _redis() -> Any:
    return connection(settings.REDIS_URL, seconds=TIME_OUT)


def _key(tenant: int, server: str) -> str:
    return f"{_KEY}{tenant}:{server}"
