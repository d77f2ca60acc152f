"""A second admin's word on a production batch, where a tenant wants one: asked for and given for all of it at once.

Each server has an approval of its own, as if it went alone: for its recovery point and what the pre-flight saw of it,
void when that changes, and used up in the claim of its action. The order is the batch's, which nobody changes.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import QuerySet

from drdash.english import english
from drdash.failover import approvals, consents
from drdash.failover.approvals import OVER
from drdash.failover.consents import LIVES, NotApproved
from drdash.failover.guard import Verdict
from drdash.failover.models import Approval, Batch, Consent, Item
from drdash.failover.preflight import Line
from drdash.tenants.models import Tenant


def in_time(count: int, per_minute: int) -> bool:
    """Whether so many are sent while a word that was given for all of them holds, with a minute to spare."""
    return count <= per_minute * (LIVES[Consent.GIVEN].total_seconds() / 60 - 1)


def ask(batch: Batch, items: Sequence[Item], *, why: str, now: datetime) -> None:
    """Ask for a word on each of the ``items``, in the transaction that makes the batch."""
    clouds = dict(
        Tenant.objects.filter(pk__in={item.tenant_id for item in items}).values_list("pk", "credential__cloud")
    )
    for item in items:
        item.approval = consents.create(
            user=batch.user,
            now=now,
            tenant_id=item.tenant_id,
            cloud=clouds[item.tenant_id],
            server_uuid=item.server_uuid,
            server_name=item.server_name,
            kind=batch.kind,
            recovery_point=item.recovery_point,
            seen=item.seen,
            why=why,
        )
    Item.objects.bulk_update(items, ["approval"])


def of(batch: Batch, *states: Consent) -> QuerySet[Approval]:
    """The approvals of what had no turn yet, in the batch's order."""
    left = Item.objects.filter(batch=batch.pk, action=None, skipped="", taken_at=None)
    found = Approval.objects.filter(item__in=left, state__in=states).order_by("item__position")
    return found.select_related("tenant__credential", "asked_by", "item")


def must_be_answered(batch: Batch, now: datetime) -> None:
    """Leave out what has no word that holds. Raises NotApproved while there is something to wait for."""
    for approval in of(batch, *Consent):
        consents.settle(approval, now)
    if waiting := of(batch, Consent.ASKED).count():
        raise NotApproved(english("A second admin has to approve %(waiting)s of them first.", waiting=waiting))
    for approval in of(batch, *(set(Consent) - {Consent.GIVEN})):
        why = english("It was not approved. %(how)s", how=OVER[Consent(approval.state)])
        Item.objects.filter(approval=approval.pk, action=None, skipped="").update(skipped=why)


def give(asked: Sequence[Approval], *, by: User, said: str, found: Mapping[str, Line], now: datetime) -> None:
    """The second admin's yes to all of them. ``found``: of a fresh read of their own, by server. When one of them could
    not go, or is not as it was seen, none is approved; what changed is void then. Raises NotApproved.
    """
    against = []
    for approval in asked:
        line = found.get(approval.server_uuid)
        if line is None:
            against.append(
                english("%(server)s is not among the servers that were last seen.", server=approval.server_name)
            )
            continue
        try:
            if approvals.was_read(_verdict(line)):
                consents.must_answer(approval, by)
                consents.must_hold(approval, line.sighting, now)
        except NotApproved as void:
            against.append(_not_now(approval, str(void)))
            continue
        against += [_not_now(approval, reason.message) for reason in line.against]
    if not asked:
        raise NotApproved(english("It waits for nobody."))
    if against:
        raise NotApproved(" ".join([english("Nothing was approved."), *against]))
    for approval in asked:
        line = found[approval.server_uuid]
        approvals.give(approval, by=by, said=said, verdict=_verdict(line), seen=line.sighting, now=now)


def decline(asked: Iterable[Approval], *, by: User, said: str, now: datetime) -> None:
    """Another admin's no to all of them; it takes back a yes that was not used yet. Raises NotApproved."""
    for approval in asked:
        approvals.decline(approval, by=by, said=said, now=now)


def withdraw(batch: Batch, items: QuerySet[Item], *, by: User, now: datetime) -> None:
    """What was stopped needs nobody's word any more."""
    for approval in of(batch, *LIVES).filter(item__in=items):
        consents.move(approval, LIVES, Consent.WITHDRAWN, now=now, by=by, said=english("The batch was stopped."))


def _not_now(approval: Approval, why: str) -> str:
    return english("%(server)s cannot be approved: %(why)s", server=approval.server_name, why=why)


def _verdict(line: Line) -> Verdict:
    return Verdict(line.sighting.kind, True, line.reasons)
