"""The look at the cloud that comes before an action: what it shows, and whether there is a token to act with."""

from collections.abc import Callable

from django.utils import timezone

from drdash.cloud.client import Client
from drdash.cloud.errors import CloudError
from drdash.cloud.records import Server
from drdash.english import english
from drdash.estate import polling
from drdash.estate.aside import aside
from drdash.estate.clients import reader
from drdash.estate.fresh import Fresh, read_fresh
from drdash.failover import following
from drdash.failover.guard import Sight
from drdash.tenants.models import Tenant
from drdash.tenants.roles import Posture
from drdash.tenants.secrets import Unopenable

FRESH_SECONDS = 5.0


def look(tenant: Tenant, server: Server, *, heeding: bool = True) -> Fresh:
    """The fresh read, which is evidence like a poll: it may first close an earlier action. Nothing is read of a tenant
    that is paused. Not ``heeding``, the wait of a 429 does not keep it.
    """
    if tenant.posture is Posture.PAUSED:
        return Fresh(timezone.now(), problem=english("Nothing is read of a tenant that is paused."))
    client = usable(reader, tenant, heeding=heeding)
    if client is None:
        return Fresh(timezone.now(), problem=english("The cloud's credential cannot be used: connect it again."))
    fresh = read_fresh(client, server, now=timezone.now)
    read = fresh.read
    following.observe(tenant.pk, read.servers, started=fresh.started, now=timezone.now())
    aside(lambda: polling.take(tenant.pk, read, now=timezone.now))
    return fresh


def without_token(client: Client | None) -> str:
    """Why the client has no token to post with, in a sentence; empty when it has one."""
    if client is None:
        return english("The acting credential cannot be used: connect it again.")
    try:
        client.ready(deadline=FRESH_SECONDS)
    except CloudError as error:
        return english("The cloud could not be asked: %(error)s", error=error)
    return ""


def usable(client_of: Callable[..., Client], tenant: Tenant, *, heeding: bool = True) -> Client | None:
    """The reader or the actor; None when its credential cannot be used."""
    try:
        return client_of(tenant, heeding=heeding)
    except (Unopenable, CloudError):
        return None


def sight_in(fresh: Fresh, known: Server) -> Sight:
    """What the guard is shown of a fresh read; ``known``: the server as it was before."""
    if fresh.problem:
        return Sight(known, problem=fresh.problem)
    return Sight(fresh.server, site=fresh.site, site_unread=fresh.site_unread)
