"""Our own actions that are not over, and what they mean to the next one."""

from django.utils import timezone

from drdash.cloud.records import Server
from drdash.failover import following
from drdash.failover.guard import Kind, OwnState
from drdash.failover.models import LIVE, OPEN, Action, State
from drdash.tenants.models import Tenant


def open_action(tenant: Tenant, server: Server) -> Action | None:
    """Our action on the server that is being sent, accepted or unknown, settled by time first."""
    on_server = Action.objects.filter(cloud=tenant.credential.cloud, server_uuid=server.key, state__in=OPEN)
    for action in on_server:
        if following.settle(action, timezone.now()).state in OPEN:
            return action
    return None


def live_actions(tenants: list[int]) -> dict[tuple[int, str], Action]:
    """The actions that are not over, by (tenant id, server key), for all of the tenants in one query. A request that
    waits for its fresh read never hides the open action that may refuse it."""
    live = sorted(
        Action.objects.filter(tenant__in=tenants, state__in=LIVE).select_related("user"),
        key=lambda one: (one.state in OPEN, one.pk),
    )
    return {(action.tenant_id, action.server_uuid): action for action in live}


def own_state(action: Action | None) -> OwnState:
    """What our action on a server means to the guard."""
    if action is None or action.state not in OPEN:
        return OwnState.NONE
    if action.state != State.UNKNOWN:
        return OwnState.OPEN
    return OwnState.STOP_UNKNOWN if action.kind == Kind.STOP else OwnState.START_UNKNOWN
