"""What reads saw change on servers and sites, kept in the database: Redis is a cache, and forgets."""

import logging
from datetime import datetime, timedelta

import msgspec
from django.db import Error
from django.db.models import Count

from drdash.estate.changes import differences, site_differences
from drdash.estate.models import LONGEST_UUID, Moment
from drdash.estate.snapshot import Change, Estate

log = logging.getLogger(__name__)

KEPT = timedelta(days=90)
MOST = 500


def of_site(key: str) -> str:
    """What stands in a moment for a site, by its key: its servers' histories have it."""
    return f"site:{key}"


def note(old: Estate, new: Estate, change: Change, *, at: datetime) -> None:
    """Write down what a read that began ``at`` changed: in one go, and nothing where nothing did. Of a first look
    nothing is told, as all would be new. A database that is away costs these lines, and not the read.
    """
    if old.health.as_of is None:
        return
    moments = []
    seen = [(key, differences(old.servers.get(key), new.servers[key])) for key in sorted(change.changed_servers)]
    sites = [(key, site_differences(old.sites.get(key), new.sites[key])) for key in sorted(change.changed_sites)]
    for key, changes in (*seen, *((of_site(key), told) for key, told in sites)):
        if changes and len(key) <= LONGEST_UUID and "\0" not in key:
            told = msgspec.to_builtins(changes)
            moments.append(Moment(tenant_id=new.tenant, server_uuid=key, at=at, changes=told))
    if not moments:
        return
    try:
        Moment.objects.bulk_create(moments)
    except Error as error:
        log.warning("Tenant %s: what changed was not written down: %s", new.tenant, error)


def prune(now: datetime) -> None:
    """Forget what is older than KEPT, and of a server all but its newest MOST."""
    Moment.objects.filter(at__lt=now - KEPT).delete()
    servers = Moment.objects.order_by().values_list("tenant_id", "server_uuid")
    for tenant, server, _ in servers.annotate(moments=Count("id")).filter(moments__gt=MOST):
        of_it = Moment.objects.filter(tenant_id=tenant, server_uuid=server)
        for last in of_it.values_list("at", flat=True)[MOST - 1 : MOST]:
            of_it.filter(at__lt=last).delete()
