"""A fresh look at many servers at once, tenant by tenant: before a batch, as ``looking`` is before an action."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from django.utils import timezone

from drdash.cloud.records import Server
from drdash.english import english
from drdash.estate import polling
from drdash.estate.aside import aside
from drdash.estate.clients import actor, reader
from drdash.estate.fresh import Fresh, read_many
from drdash.estate.snapshot import Read
from drdash.failover import following
from drdash.failover.looking import usable, without_token
from drdash.tenants.models import Tenant
from drdash.tenants.roles import Posture

AT_ONCE = 8


def survey(chosen: Sequence[tuple[Tenant, Sequence[Server]]]) -> dict[tuple[int, str], Fresh]:
    """What the cloud says of each server just now, by (tenant id, key); it is evidence like a poll. Nothing is read of
    a tenant that is paused; what it cannot be asked, or that there is no token to act with, is each server's problem.
    """
    found: dict[tuple[int, str], Fresh] = {}
    asked: list[tuple[Tenant, Sequence[Server], Future[dict[str, Fresh]], Future[str]]] = []
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="survey") as pool:
        for tenant, servers in chosen:
            if tenant.posture is Posture.PAUSED:
                found |= _all(tenant, servers, english("Nothing is read of a tenant that is paused."))
            elif (client := usable(reader, tenant)) is None:
                found |= _all(tenant, servers, english("The cloud's credential cannot be used: connect it again."))
            else:
                read = pool.submit(read_many, client, servers, now=timezone.now)
                asked.append((tenant, servers, read, pool.submit(without_token, usable(actor, tenant))))
    for tenant, servers, read, token in asked:
        brought = read.result()
        _is_evidence(tenant, list(brought.values()))
        late = token.result()
        found |= _all(tenant, servers, late) if late else {(tenant.pk, key): one for key, one in brought.items()}
    return found


def _is_evidence(tenant: Tenant, brought: list[Fresh]) -> None:
    """Have it close earlier actions, and show on the pages."""
    servers = tuple(one.server for one in brought if one.server)
    if not servers:
        return
    started, sites = brought[0].started, {one.site.key: one.site for one in brought if one.site}
    following.observe(tenant.pk, servers, started=started, now=timezone.now())
    read = Read(started=started, servers=servers, sites=tuple(sites.values()))
    aside(lambda: polling.take(tenant.pk, read, now=timezone.now))


def _all(tenant: Tenant, servers: Sequence[Server], problem: str) -> dict[tuple[int, str], Fresh]:
    fresh = Fresh(timezone.now(), problem=problem)
    return {(tenant.pk, one.key): fresh for one in servers}
