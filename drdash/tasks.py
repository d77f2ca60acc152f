"""What the clock sets going. Neither task is needed for an action; without them the pages grow old, and say so."""

import random
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.utils import timezone
from kombu.exceptions import OperationalError

from drdash.celery import app
from drdash.cloud.errors import CloudError
from drdash.estate import breaker, clients, copies, history, polling
from drdash.estate.plans import plans
from drdash.estate.replica import replica
from drdash.estate.store import StoreAway, store
from drdash.failover import approvals, bells, following, sweeping
from drdash.startup import POLLS_AT_ONCE
from drdash.tenants import partners
from drdash.tenants.models import Tenant
from drdash.tenants.secrets import Unopenable

# A tenant that was handed out is not handed out again for so long, unless its pass plans otherwise.
HANDED_OUT = timedelta(seconds=5)
# Of the worker's threads these are never given to passes: the tick is one of the worker's tasks too.
SPARE = 4
# A tenant that its partner lists no more may come back.
VANISHED = timedelta(hours=1)


@app.task(name="drdash.tick")
def tick() -> None:
    """Hand out the tenants whose pass is due, and let time speak about actions and approvals that are under way."""
    now = timezone.now()
    try:
        for tenant in hand_out(now):
            poll.apply_async((tenant,), expires=HANDED_OUT.total_seconds())
        for credential in partners.due(now):
            customers.apply_async((credential.pk,), expires=HANDED_OUT.total_seconds())
    except (StoreAway, OperationalError):
        pass  # the broker is the same Redis: the worker itself says that it is away
    finally:
        # Last, and with no Redis needed: a database that cannot be written keeps no pass from being handed out.
        sweeping.sweep(now, approvals.sweep)
        connection.close()  # there are more threads than a database has connections


def hand_out(now: datetime) -> list[int]:
    """The tenants to be read now; each is given out once. Raises StoreAway."""
    watched = Tenant.objects.filter(enabled=True, paused=False)
    rows = watched.values_list("pk", "credential__cloud", "credential__changed_at")
    cloud_of = {tenant: cloud for tenant, cloud, _ in rows}
    interval = timedelta(seconds=settings.POLL_SECONDS)
    due: dict[str, list[int]] = {cloud: [] for cloud in cloud_of.values()}
    for tenant in plans().due({tenant: changed_at for tenant, _, changed_at in rows}, now=now):
        due[cloud_of[tenant]].append(tenant)
    if not any(due.values()):
        return []
    tries = plans().tries(due)
    under_way: dict[str, set[int]] = defaultdict(set)
    for tenant in plans().under_way(list(cloud_of)):
        under_way[cloud_of[tenant]].add(tenant)
    may = {cloud: breaker.turns(tries[cloud], due[cloud], now=now, interval=interval) for cloud in due}
    chosen = breaker.shared_out(may, under_way, tries, most=POLLS_AT_ONCE - SPARE)
    plans().plan(chosen, now + HANDED_OUT, now=now)
    for cloud in {cloud_of[tenant] for tenant in chosen}:
        if tries[cloud].down(now=now, interval=interval):
            plans().note_scout(cloud, at=now)
    return chosen


@app.task(name="drdash.poll")
def poll(tenant_id: int) -> None:
    """One pass over one tenant."""
    try:
        one_pass(tenant_id, pause=time.sleep)
    finally:
        connection.close()


@app.task(name="drdash.prune")
def prune() -> None:
    """Forget what is kept for a while only."""
    try:
        history.prune(timezone.now())
        bells.prune(timezone.now())
    finally:
        connection.close()


@app.task(name="drdash.customers")
def customers(credential_id: int) -> None:
    """Read the customers of one partner anew."""
    try:
        list_anew(credential_id)
    finally:
        connection.close()


def list_anew(credential_id: int, *, now: polling.Now = timezone.now, through: clients.Clients = clients.own) -> None:
    """A partner's customers, once a day and by one process at a time; which returned are read again at once."""
    try:
        with store().passing(f"customers of {credential_id}") as ours:
            credential = next((one for one in partners.due(now()) if one.pk == credential_id), None)
            if not ours or credential is None:
                return
            try:
                client = through.partner(credential)
            except (Unopenable, CloudError) as error:
                partners.note_failure(credential, error, now=now())
                return
            if partners.refresh(credential, client=client, now=now()).back:
                tenants = list(credential.tenants.filter(enabled=True).values_list("pk", flat=True))
                plans().plan(tenants, now(), now=now())
    except StoreAway:
        return


def one_pass(
    tenant_id: int,
    *,
    pause: Callable[[float], None],
    now: polling.Now = timezone.now,
    through: clients.Clients = clients.own,
) -> None:
    """The tenant's estate into the store, and what was read as evidence for its actions. ``pause``: between tries."""
    tenant = Tenant.objects.select_related("credential").filter(pk=tenant_id, enabled=True, paused=False).first()
    if tenant is None:
        return
    try:
        try:
            way = through.way(tenant)
        except (Unopenable, CloudError) as error:
            polling.fail(tenant_id, error, now=now)
            return
        watched = following.watched(tenant_id)
        connection.close()  # a pass may take two minutes, and needs no database
        read = polling.run_pass(tenant_id, way, watched=watched, now=now, pause=pause, jitter=random.random())
        if tenant.vanished_at is not None:
            plans().plan([tenant_id], now() + VANISHED, now=now())
        if not Tenant.objects.filter(pk=tenant_id, enabled=True).exists():
            store().drop(tenant_id)  # it was taken off meanwhile: nothing of it is to stay
            return
    except StoreAway:
        return
    if read is not None:
        following.observe(tenant_id, read.servers, started=read.started, now=now())
        bells.ring(tenant_id, now=now())
        with suppress(StoreAway):
            if copies.due(tenant_id, now()):
                copies.keep(store().load(tenant_id, known=replica().known(tenant_id)), now())
