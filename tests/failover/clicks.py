"""What is clicked, and what came of it."""

from uuid import uuid4

from drdash.cloud.records import Server
from drdash.estate.store import store
from drdash.failover.actions import Wish
from drdash.failover.guard import Kind
from drdash.failover.models import Action
from drdash.tenants.models import Tenant


def wish(kind: Kind = Kind.START_TEST, **more: object) -> Wish:
    return Wish(**{"kind": kind, "key": uuid4().hex, **more})  # type: ignore[arg-type]


def codes(action: Action) -> set[str]:
    return {reason["code"] for reason in action.reasons}


def seen_again(server: Server, tenant: Tenant) -> Server:
    return store().load(tenant.pk).servers[server.key].record
