"""A second admin's word on a production action, where the tenant wants one: asked for, given, and used once.

It holds for what both of them saw: the server, the action, the recovery point, the status and the issues. When one of
these changes it is void, and so it is when one of the two is no admin any more. The action is made when it may go.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from django.contrib.auth.models import User
from django.utils import timezone

from drdash.audit.record import writing
from drdash.cloud.records import RecoveryPoint, Server
from drdash.english import english
from drdash.failover import consents
from drdash.failover.consents import (
    LIVES,
    NotApproved,
    alive,
    are_admins,
    changes,
    must_hold,
    rights_lost,
    settle,
    sweep,
)
from drdash.failover.guard import Kind, Verdict
from drdash.failover.models import Action, Approval, Consent
from drdash.failover.reasons import Mark
from drdash.failover.sighting import Sighting
from drdash.failover.wish import Invalid, Wish, check
from drdash.tenants import access
from drdash.tenants.models import Tenant
from drdash.tenants.roles import Role

__all__ = [
    "NotApproved",
    "ask",
    "changes",
    "decline",
    "give",
    "lacks_only_approval",
    "lifted",
    "one_of_each",
    "open_one",
    "settle",
    "sweep",
    "take",
    "usable",
    "waiting_for",
    "was_read",
    "withdraw",
]

NEEDED = "NeedsApproval"
SHORTEST = 10
OVER = {
    Consent.ASKED: english("Nobody approved it yet."),
    Consent.GIVEN: english("It was approved already."),
    Consent.DECLINED: english("It was declined."),
    Consent.WITHDRAWN: english("It was withdrawn."),
    Consent.VOID: english("It is void."),
    Consent.EXPIRED: english("It is too old."),
    Consent.USED: english("It was used already."),
}
UNREAD = frozenset({"ReadFailed", "ServerGone", "SiteUnread"})


def lacks_only_approval(verdict: Verdict) -> bool:
    """Whether a second admin's word is all that is missing: then it can be asked for."""
    return {reason.code for reason in verdict.reasons if reason.mark > Mark.ACKNOWLEDGE} == {NEEDED}


def lifted(verdict: Verdict) -> Verdict:
    """The verdict as it is with a second admin's word."""
    reasons = tuple(reason for reason in verdict.reasons if reason.code != NEEDED)
    return msgspec.structs.replace(verdict, reasons=reasons)


def was_read(verdict: Verdict) -> bool:
    """Whether the read behind it saw server and site: only then what differs is a difference."""
    return not UNREAD & {reason.code for reason in verdict.reasons}


def ask(
    *,
    user: User,
    tenant: Tenant,
    server: Server,
    kind: Kind,
    point: RecoveryPoint | None,
    verdict: Verdict,
    seen: Sighting,
    why: str,
    now: datetime,
) -> Approval:
    """Ask the other admins. ``verdict`` and ``seen``: of a fresh read. The same once more is the same approval; another
    one for the same server and action takes the place of the first. Raises NotApproved.
    """
    why, wanted = " ".join(why.split()), msgspec.to_builtins(point)
    if not lacks_only_approval(verdict):
        raise NotApproved(
            english("More than a second person's word stands against it now, or none is needed. Look again.")
        )
    try:
        check(Wish(kind=kind, key="asked", recovery_point=point), server)
    except Invalid as never:
        raise NotApproved(english("It could not go with any approval. %(never)s", never=never)) from never
    if len(why) < SHORTEST:
        raise NotApproved(
            english("Write why, in %(shortest)s characters at least: the second person goes by it.", shortest=SHORTEST),
            "why",
        )
    with writing():
        if not are_admins(tenant.pk, [user.pk]):
            raise NotApproved(english("Only an admin of the tenant starts and stops production, and asks for it."))
        for earlier in Approval.objects.filter(
            tenant=tenant, server_uuid=server.key, kind=kind, asked_by_id=user.pk, state__in=list(LIVES)
        ):
            if settle(earlier, now).state in LIVES:
                if earlier.recovery_point == wanted and not changes(earlier, seen):
                    return earlier
                consents.move(earlier, LIVES, Consent.WITHDRAWN, now=now, by=user, said=english("Asked for anew."))
        return consents.create(
            user=user,
            now=now,
            tenant=tenant,
            cloud=tenant.credential.cloud,
            server_uuid=server.key,
            server_name=server.name[:500],
            kind=kind.value,
            recovery_point=wanted,
            seen=msgspec.to_builtins(msgspec.structs.replace(seen, nonce=""), order="deterministic"),
            why=why,
        )


def give(approval: Approval, *, by: User, said: str, verdict: Verdict, seen: Sighting, now: datetime) -> None:
    """The second admin's yes. ``verdict`` and ``seen``: of a fresh read of their own. When that is not what the first
    one saw, it is void instead. Raises NotApproved.
    """
    consents.must_answer(approval, by)
    if settle(approval, now).state != Consent.ASKED:
        raise NotApproved(english("It waits for nobody. %(over)s", over=OVER[Consent(approval.state)]))
    standing = {one.code: one.message for one in verdict.reasons if one.mark > Mark.ACKNOWLEDGE and one.code != NEEDED}
    if was_read(verdict):
        must_hold(approval, seen, now)
    if standing:
        against = " ".join(standing.values())
        raise NotApproved(english("It could not go now, so it is not approved: %(against)s", against=against))
    if not consents.move(approval, [Consent.ASKED], Consent.GIVEN, now=now, by=by, said=" ".join(said.split())):
        raise NotApproved(english("Somebody was faster. %(over)s", over=OVER[Consent(approval.state)]))


def decline(approval: Approval, *, by: User, said: str, now: datetime) -> None:
    """Another admin's no, with words; it also takes back a yes that was not used yet. Raises NotApproved."""
    said = " ".join(said.split())
    if len(said) < SHORTEST:
        raise NotApproved(
            english("Write why not, in %(shortest)s characters at least: who asked has only this.", shortest=SHORTEST),
            "said",
        )
    if not consents.move(settle(approval, now), LIVES, Consent.DECLINED, now=now, by=by, said=said):
        raise NotApproved(english("There is nothing to decline any more. %(over)s", over=OVER[Consent(approval.state)]))


def withdraw(approval: Approval, *, by: User, now: datetime) -> None:
    """Who asked does not want it any more. Raises NotApproved."""
    if by.pk != approval.asked_by_id:
        raise NotApproved(english("Only who asked for it withdraws it. Another admin declines it."))
    if not consents.move(settle(approval, now), LIVES, Consent.WITHDRAWN, now=now, by=by):
        raise NotApproved(
            english("There is nothing to withdraw any more. %(over)s", over=OVER[Consent(approval.state)])
        )


def usable(
    pk: int,
    *,
    user: User,
    tenant: Tenant,
    server: Server,
    kind: Kind,
    point: RecoveryPoint | None,
    seen: Sighting | None,
    now: datetime,
) -> tuple[Approval | None, str]:
    """The approval if it lets exactly this go now, else None and why not. ``seen``: of the fresh read; None when server
    or site could not be read. What was approved and is so no more is void from then on.
    """
    approval = Approval.objects.filter(pk=pk, tenant=tenant).first()
    wanted = (user.pk, server.key, tenant.credential.cloud, str(kind), msgspec.to_builtins(point))
    if approval is None or wanted != _bound(approval):
        return None, english("The approval is for something else. Ask for one for just this.")
    if settle(approval, now).state != Consent.GIVEN:
        return None, english("The approval does not hold. %(over)s", over=OVER[Consent(approval.state)])
    try:
        if seen is not None:
            must_hold(approval, seen, now)
    except NotApproved as void:
        return None, str(void)
    return approval, ""


def take(pk: int, action: Action, *, now: datetime | None = None) -> bool:
    """Use the approval up for the action, in the caller's transaction; False when it does not let it go any more."""
    now = now or timezone.now()
    approval = Approval.objects.filter(pk=pk, tenant_id=action.tenant_id, state=Consent.GIVEN).first()
    wanted = (action.user_id, action.server_uuid, action.cloud, str(action.kind), action.recovery_point)
    if approval is None or wanted != _bound(approval) or not alive(approval, now) or rights_lost(approval):
        return False
    if not consents.move(approval, [Consent.GIVEN], Consent.USED, now=now, by=action.user, action=action):
        return False
    Action.objects.filter(pk=action.pk).update(approval=approval)
    return True


def open_one(*, user: User, tenant: Tenant, server: Server, kind: Kind, now: datetime) -> Approval | None:
    """What this person asked for on the server and may still get or use."""
    asked = Approval.objects.filter(tenant=tenant, server_uuid=server.key, kind=kind, asked_by_id=user.pk)
    return next((one for one in asked.filter(state__in=list(LIVES)) if settle(one, now).state in LIVES), None)


def waiting_for(user: User, now: datetime) -> list[Approval]:
    """What others asked for and this person may answer, the oldest first; of a batch its first stands for it."""
    roles = access.roles_of([user.pk])[user.pk]
    mine = [tenant for tenant, role in roles.items() if role is Role.ADMIN]
    asked = Approval.objects.filter(state=Consent.ASKED, tenant__in=mine, expires_at__gt=now).exclude(asked_by=user)
    return one_of_each(asked.select_related("tenant", "asked_by", "item").order_by("pk"))


def one_of_each(found: Iterable[Approval]) -> list[Approval]:
    """Of each batch the first, and what is of none; their ``item`` must be loaded."""
    kept: dict[tuple[str, int], Approval] = {}
    for one in found:
        item = getattr(one, "item", None)
        kept.setdefault(("batch", item.batch_id) if item else ("", one.pk), one)
    return list(kept.values())


def _bound(approval: Approval) -> tuple[int, str, str, str, Any]:
    """What it is bound to, apart from what was seen."""
    return approval.asked_by_id, approval.server_uuid, approval.cloud, approval.kind, approval.recovery_point
