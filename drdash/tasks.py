"""What the clock sets going. Neither task is needed for an action; without them the pages grow old, and say so."""

import random
import time
from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone
from kombu.exceptions import OperationalError

from drdash.celery import app
from drdash.cloud.errors import CloudError
from drdash.estate import polling
from drdash.estate.store import StoreAway, store
from drdash.failover import following
from drdash.tenants.connect import client_of
from drdash.tenants.models import Tenant
from drdash.tenants.secrets import Unopenable

# A tenant that was handed out is not handed out again for so long, unless its pass plans otherwise.
HANDED_OUT_SECONDS = 5


@app.task(name="drdash.tick")
def tick() -> None:
    """Hand out the tenants whose pass is due, and let time speak about the actions that are under way."""
    now = timezone.now()
    following.sweep(now)
    enabled = list(Tenant.objects.filter(enabled=True).values_list("pk", flat=True))
    try:
        for tenant in store().due(enabled, now=now):
            store().plan(tenant, now + timedelta(seconds=HANDED_OUT_SECONDS))
            poll.apply_async((tenant,), expires=HANDED_OUT_SECONDS)
    except (StoreAway, OperationalError):
        return  # the broker is the same Redis: the worker itself says that it is away


@app.task(name="drdash.poll")
def poll(tenant_id: int) -> None:
    """One pass over one tenant."""
    one_pass(tenant_id, pause=time.sleep)


def one_pass(tenant_id: int, *, pause: Callable[[float], None]) -> None:
    """The tenant's estate into the store, and what was read as evidence for its actions. ``pause``: between tries."""
    tenant = Tenant.objects.select_related("credential").filter(pk=tenant_id, enabled=True).first()
    if tenant is None:
        return
    try:
        try:
            client = client_of(tenant)
        except (Unopenable, CloudError) as error:
            polling.fail(tenant_id, error, now=timezone.now)
            return
        watched = following.watched(tenant_id)
        read = polling.run_pass(
            tenant_id, client, watched=watched, now=timezone.now, pause=pause, jitter=random.random()
        )
    except StoreAway:
        return
    if read is not None:
        following.observe(tenant_id, read.servers, started=read.started, now=timezone.now())
