"""A copy of each estate in the database, some minutes old at most while all is well: for a process that begins while
Redis is away, so that a server is known, and can be acted on, when the worst comes at once. Pages say how old it is.
"""

import zlib
from collections.abc import Collection
from datetime import datetime, timedelta

import msgspec

from drdash.estate.models import Copy
from drdash.estate.packing import bundle, unbundled
from drdash.estate.snapshot import CLOCK_SKEW, Estate

EVERY = timedelta(minutes=5)


def due(tenant: int, now: datetime) -> bool:
    """Whether the tenant's copy is so old that it should be written anew."""
    return not Copy.objects.filter(tenant=tenant, at__range=(now - EVERY, now + CLOCK_SKEW)).exists()


def keep(estate: Estate, now: datetime) -> None:
    """Put the estate in place of the copy that there is, if it was ever read as a whole."""
    if estate.health.as_of is not None:
        packed = zlib.compress(bundle(estate), 1)
        Copy.objects.update_or_create(tenant_id=estate.tenant, defaults={"at": now, "packed": packed})


def of(tenants: Collection[int]) -> dict[int, Estate]:
    """The copies that there are and that can be read; none of what another version wrote in another way."""
    found = {}
    for tenant, packed in Copy.objects.filter(tenant__in=tenants).values_list("tenant", "packed"):
        try:
            found[tenant] = unbundled(tenant, zlib.decompress(bytes(packed)))
        except (zlib.error, msgspec.MsgspecError):
            continue
    return found


def drop(tenant: int) -> None:
    """Forget the tenant's copy."""
    Copy.objects.filter(tenant=tenant).delete()
