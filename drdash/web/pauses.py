"""Who paused which tenant, and since when: the audit tells."""

from collections.abc import Iterable
from datetime import datetime

import msgspec
from django.db.models import Max

from drdash.audit.models import Entry
from drdash.tenants.models import Tenant

VERB = "paused"


class Pause(msgspec.Struct, frozen=True):
    """Who paused a tenant, and when."""

    by: str
    at: datetime


def pauses_of(tenants: Iterable[Tenant]) -> dict[int, Pause]:
    """The pause of each of the tenants that is paused, by id."""
    paused = [tenant.pk for tenant in tenants if tenant.paused]
    if not paused:
        return {}
    told = Entry.objects.filter(tenant__in=paused, verb=VERB)
    latest = told.values("tenant").annotate(last=Max("id")).values("last")
    entries = Entry.objects.filter(pk__in=latest)
    return {entry.tenant: Pause(entry.username, entry.at) for entry in entries if entry.tenant is not None}
