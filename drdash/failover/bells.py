"""Who asked to be told when an action is free. That is judged after each pass, as the button is."""

from datetime import datetime, timedelta

from django.contrib.auth.models import User

from drdash.cloud.records import Server
from drdash.estate.aside import aside
from drdash.estate.models import LONGEST_UUID, Bell
from drdash.estate.replica import replica
from drdash.estate.store import store
from drdash.failover.guard import Kind, Sight, judge
from drdash.failover.ours import live_actions, own_state
from drdash.tenants import access
from drdash.tenants.models import Tenant

MOST = 20
KEPT = timedelta(days=7)


def ask(user: User, tenant: Tenant, server: Server, kind: Kind, *, now: datetime) -> None:
    """Tell this person when the action is free: within a week, and of their newest MOST such wishes."""
    if len(server.key) > LONGEST_UUID or "\0" in server.key:
        return
    name = (server.name.strip() or server.uuid).replace("\0", "")[:500]
    Bell.objects.update_or_create(
        user=user,
        tenant=tenant,
        server_uuid=server.key,
        kind=kind.value,
        defaults={"server_name": name, "asked_at": now, "free_at": None},
    )
    theirs = Bell.objects.filter(user=user)
    for last in theirs.order_by("-asked_at").values_list("asked_at", flat=True)[MOST - 1 : MOST]:
        theirs.filter(asked_at__lt=last).delete()
    ring(tenant.pk, now=now)


def of(user: User, tenants: list[int]) -> list[Bell]:
    """What this person waits for in these tenants, and what is free of it."""
    return list(Bell.objects.filter(user=user, tenant__in=tenants))


def forget(user: User, bell: int) -> None:
    """They know by now, or do not want to any more."""
    Bell.objects.filter(user=user, pk=bell).delete()


def ring(tenant: int, *, now: datetime) -> None:
    """Note of each wish in the tenant since when it is free, as last seen; or that it is not, any more."""
    bells = list(Bell.objects.filter(tenant_id=tenant).select_related("tenant"))
    if not bells:
        return
    estate, live = replica().estates([tenant])[tenant], live_actions([tenant])
    roles = access.roles_of({bell.user_id for bell in bells})
    changed = False
    for bell in bells:
        role, seen = roles[bell.user_id].get(tenant), estate.servers.get(bell.server_uuid)
        free = False
        if role and seen and not seen.missing_since:
            sight = Sight(seen.record, estate.site_of(seen.record))
            ours = own_state(live.get((tenant, bell.server_uuid)))
            free = judge(Kind(bell.kind), sight, role=role, posture=bell.tenant.posture, ours=ours).allowed
        if free != (bell.free_at is not None):
            Bell.objects.filter(pk=bell.pk).update(free_at=now if free else None)
            changed = True
    if changed:
        aside(lambda: store().announce(tenant, ["estate"]))


def prune(now: datetime) -> None:
    """Forget what was asked for too long ago."""
    Bell.objects.filter(asked_at__lt=now - KEPT).delete()
