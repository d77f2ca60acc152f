"""What a person waits for, as every page of theirs tells it."""

from datetime import datetime
from typing import Any

import msgspec
from django.contrib.auth.models import User

from drdash.failover import bells
from drdash.tenants.access import Reach
from drdash.web.buttons import dialog_url, server_url
from drdash.web.wording import KIND


class BellCard(msgspec.Struct, frozen=True):
    """One wish to be told. ``free``: since when it is, as last seen."""

    pk: int
    what: str
    name: str
    url: str
    dialog: str
    free: datetime | None


def context(user: object, reach: Reach) -> dict[str, Any]:
    """For ``_bells.html``; ``bells_have`` changes with what is shown."""
    known = bells.of(user, list(reach.tenants)) if isinstance(user, User) else []
    cards = [
        BellCard(
            pk=one.pk,
            what=KIND.get(one.kind, one.kind),
            name=one.server_name,
            url=server_url(one.server_uuid),
            dialog=dialog_url(one.server_uuid, one.kind),
            free=one.free_at,
        )
        for one in known
    ]
    have = " ".join(f"{one.pk}.{one.free.isoformat() if one.free else ''}" for one in cards)
    return {"bells": sorted(cards, key=lambda one: one.free is None), "bells_have": have or "none"}
