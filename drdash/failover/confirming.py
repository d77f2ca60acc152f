"""A batch is made of a confirmed plan: what was seen, in the order that was set, with what was nodded to."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from django.contrib.auth.models import User

from drdash.audit.record import writing
from drdash.english import english
from drdash.failover import batches, together
from drdash.failover.approvals import SHORTEST
from drdash.failover.batches import NotDone
from drdash.failover.models import Batch, Item
from drdash.failover.plan import VALID, Plan

NO_WHY = english("Write why, in %(least)s characters at least: the second person goes by it.", least=SHORTEST)
TOO_SLOW = english("An approval holds for 15 minutes, and that many take longer: have more go a minute, or fewer.")


def make(
    *,
    user: User,
    plan: Plan,
    order: Sequence[int],
    nods: Iterable[str],
    per_minute: int,
    now: datetime,
    why: str = "",
) -> Batch:
    """The batch of a confirmed plan, paused until it is gone on with; a plan makes one batch, however often it is
    confirmed. ``order``: the places of ``plan.going``, first to last. ``why``: for the second admin, where some of it
    needs one, who is asked with this. Raises NotDone.
    """
    why = " ".join(why.split())
    if now - plan.at > VALID:
        raise NotDone(english("The pre-flight is older than 10 minutes: this is a new one. Look again."))
    if sorted(order) != list(range(len(plan.going))) or not order:
        raise NotDone(english("Nothing can go, so there is nothing to confirm."))
    if missing := sorted(plan.nods - frozenset(nods)):
        raise NotDone(
            english("Acknowledge what stands against it: %(missing)s.", missing=", ".join(missing)), "acknowledge"
        )
    if not batches.FEWEST <= per_minute <= batches.MOST:
        fewest, most = batches.FEWEST, batches.MOST
        raise NotDone(english("The rate is %(fewest)s to %(most)s a minute.", fewest=fewest, most=most), "per_minute")
    if plan.asks and len(why) < SHORTEST:
        raise NotDone(NO_WHY, "why")
    if plan.asks and not together.in_time(len(order), per_minute):
        raise NotDone(TOO_SLOW, "per_minute")
    in_order = [plan.going[place] for place in order] + [line for line in plan.lines if line.left_out]
    with writing(durable=True):
        if made := Batch.objects.filter(user=user, key=plan.key).first():
            return made
        batch = Batch.objects.create(
            user=user,
            key=plan.key,
            kind=plan.kind,
            production=plan.production,
            acknowledged=sorted(plan.nods),
            before=plan.before,
            per_minute=per_minute,
            state=Batch.State.PAUSED,
            made_at=now,
            changed_at=now,
            why=english("It was confirmed, and nothing was sent yet."),
        )
        items = Item.objects.bulk_create(
            Item(
                batch=batch,
                position=position,
                tenant_id=line.tenant,
                server_uuid=line.server[:100],
                server_name=line.name[:500],
                recovery_point=msgspec.to_builtins(line.point),
                seen=msgspec.to_builtins(line.seen),
                acknowledged=list(line.nods),
                skipped=line.left_out,
            )
            for position, line in enumerate(in_order, 1)
        )
        for tenant in sorted({line.tenant for line in plan.lines}):
            codes = ", ".join(sorted({code for line in plan.going if line.tenant == tenant for code in line.nods}))
            detail = f"{per_minute} a minute.{f' Acknowledged: {codes}.' if codes else ''}"
            batches.audit(batch, "made", now, by=user, detail=detail, tenants=[tenant])
        together.ask(batch, [items[at] for at, line in enumerate(in_order) if line.approval], why=why, now=now)
    return batch
