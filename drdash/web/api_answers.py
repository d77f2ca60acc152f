"""From what is known to what the JSON API says of it."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from django.utils import timezone

from drdash.cloud import records
from drdash.estate.replica import replica
from drdash.estate.snapshot import Estate, Seen
from drdash.failover import models
from drdash.failover.actions import own_state
from drdash.failover.guard import Kind, Sight, Verdict, judge
from drdash.failover.models import State
from drdash.failover.reasons import Reason, Remedy
from drdash.tenants.models import Tenant
from drdash.tenants.roles import Role
from drdash.web.api_shapes import Action, EstateState, Offer, Offers, Refusal, Why
from drdash.web.finding import Found

STORE_AWAY = "Redis does not answer: this is what was last seen, and nothing newer can be."


def server(found: Found, *, role: Role, tenant: Tenant, ours: models.Action | None) -> dict[str, Any]:
    """A server with the cloud's own fields; where the cloud uses a name of ours, ours wins."""
    missing = found.seen.missing_since is not None
    sight = Sight(None) if missing else Sight(found.server, found.site)
    offers = {
        kind.value: _offer(
            judge(
                kind,
                sight,
                role=role,
                posture=tenant.posture,
                ours=own_state(ours),
                unapproved=tenant.two_persons,
            )
        )
        for kind in Kind
    }
    return {**_item(found.estate, found.seen), "actions": Offers(**offers)}


def site(estate: Estate, seen: Seen[records.Site]) -> dict[str, Any]:
    """A site with the cloud's own fields."""
    return _item(estate, seen)


def estate_state(estate: Estate) -> EstateState:
    """How fresh an estate is, now."""
    now, health = timezone.now(), estate.health
    age = health.age(now)
    return EstateState(
        tenant=estate.tenant,
        version=estate.version,
        as_of=health.as_of,
        age_seconds=None if age is None else round(max(age, 0.0), 1),
        stale=health.stale(now),
        error=health.error or (None if replica().reachable else STORE_AWAY),
    )


def action(record: models.Action, estates: Mapping[int, Estate]) -> Action:
    """An action; its ``user`` should be loaded. The server's uuid is written as the cloud writes it."""
    estate = estates.get(record.tenant_id)
    known = estate.servers.get(record.server_uuid) if estate else None
    return Action(
        id=record.pk,
        action=Kind(record.kind),
        server=known.record.uuid if known else record.server_uuid,
        state=State(record.state).value,
        requested_by=record.user.get_username(),
        requested_at=record.requested_at,
        sent_at=None if record.state == State.NOT_SENT else record.sent_at,
        finished_at=record.finished_at,
        task_uuid=record.task_uuid or None,
        error=record.error or None,
    )


def refusal(record: models.Action, estates: Mapping[int, Estate]) -> Refusal:
    """What the guard's refusal, which is on record, looks like."""
    return Refusal(
        detail=record.error or "It was refused.",
        reasons=tuple(msgspec.convert(reason, Why) for reason in record.reasons),
        action=action(record, estates),
    )


def why(reasons: Iterable[Reason]) -> tuple[Why, ...]:
    """The guard's reasons."""
    return tuple(Why(one.code, one.message, Remedy(one.remedy), one.task_uuids) for one in reasons)


def _item(estate: Estate, seen: Seen[Any]) -> dict[str, Any]:
    item: dict[str, Any] = msgspec.json.decode(seen.record.json)
    return {**item, "tenant": estate.tenant, "missing_since": seen.missing_since}


def _offer(verdict: Verdict) -> Offer:
    return Offer(
        allowed=verdict.allowed,
        break_glass=verdict.breakable,
        reasons=why(verdict.reasons),
        acknowledge=verdict.acknowledge,
    )
