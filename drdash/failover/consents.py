"""The record of an approval: what it holds for, whether it still does, and its moves, by compare-and-set alone."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.contrib.auth.models import User
from django.db import transaction

from drdash.audit.record import write, writing
from drdash.english import english
from drdash.failover import notices
from drdash.failover.models import Action, Approval, Consent
from drdash.failover.sighting import UNSAID, WAS, Sighting
from drdash.tenants import access
from drdash.tenants.roles import Role
from drdash.wrong import Wrong

LIVES = {Consent.ASKED: timedelta(minutes=30), Consent.GIVEN: timedelta(minutes=15)}
# Two machines' clocks may differ by so much.
SLACK = timedelta(minutes=1)


class NotApproved(Wrong):
    """What was wanted of the approval was not done; the message says why, and what to do."""


def create(*, user: User, now: datetime, **fields: Any) -> Approval:
    """A new approval that is asked for, and its audit entry."""
    with writing():
        approval = Approval.objects.create(
            asked_by=user, asked_at=now, expires_at=now + LIVES[Consent.ASKED], state=Consent.ASKED, **fields
        )
        _audit(approval, now, by=user, told=f"Why: {approval.why}")
        transaction.on_commit(lambda: _announce(approval))
    return approval


def move(
    approval: Approval,
    before: Iterable[Consent],
    after: Consent,
    *,
    now: datetime,
    by: User | None = None,
    said: str = "",
    action: Action | None = None,
) -> bool:
    """Move it with its audit entry; it is then as it is stored. False when it was not in ``before`` any more.

    ``by``: the person who did it, None where drdash did. Who answers must have the right to in the same transaction:
    raises NotApproved. ``said``: in place of what was said before.
    """
    fields: dict[str, Any] = {"said": said} if said else {}
    with writing():
        if by is not None and after in (Consent.GIVEN, Consent.DECLINED):
            must_answer(approval, by)
            fields |= {"answered_by": by, "answered_at": now, "said": said}
        if after == Consent.GIVEN:
            fields["expires_at"] = now + LIVES[Consent.GIVEN]
        moved = Approval.objects.filter(pk=approval.pk, state__in=list(before)).update(state=after, **fields)
        approval.refresh_from_db()
        if moved:
            _audit(approval, now, by=by, told=said, action=action)
            transaction.on_commit(lambda: _announce(approval))
    return bool(moved)


def must_answer(approval: Approval, by: User) -> None:
    """Whoever answers is another admin of the tenant. Raises NotApproved."""
    if by.pk == approval.asked_by_id:
        raise NotApproved(english("Nobody answers what they asked for themselves: another admin of the tenant does."))
    if not are_admins(approval.tenant_id, [by.pk]):
        raise NotApproved(english("Only an admin of the tenant answers this."))


def are_admins(tenant: int, users: Collection[int]) -> bool:
    """Whether all of them are admins of the tenant, and active, as the database says now."""
    roles = access.roles_of(users)
    return all(roles[user].get(tenant) is Role.ADMIN for user in users)


def sweep(now: datetime) -> None:
    """Let time, and rights that were lost, speak about what is asked for or given."""
    for approval in Approval.objects.filter(state__in=list(LIVES)):
        settle(approval, now)


def settle(approval: Approval, now: datetime) -> Approval:
    """The same for one approval, which is returned as it then is."""
    if approval.state not in LIVES:
        return approval
    if not alive(approval, now):
        move(approval, [Consent(approval.state)], Consent.EXPIRED, now=now)
    elif lost := rights_lost(approval):
        move(approval, LIVES, Consent.VOID, now=now, said=lost)
    return approval


def alive(approval: Approval, now: datetime) -> bool:
    """Whether its time is not over. No clock that was set back gives it more of it."""
    left = approval.expires_at - now
    return timedelta(0) < left <= LIVES[Consent(approval.state)] + SLACK


def rights_lost(approval: Approval) -> str:
    """Who of the two is no admin any more, in a sentence; empty while both are."""
    if not are_admins(approval.tenant_id, [approval.asked_by_id]):
        return english("Who asked for it is no admin of the tenant any more.")
    given_by = approval.answered_by_id
    if approval.state == Consent.GIVEN and (given_by is None or not are_admins(approval.tenant_id, [given_by])):
        return english("Who approved it is no admin of the tenant any more.")
    return ""


def must_hold(approval: Approval, seen: Sighting, now: datetime) -> None:
    """Void it when what is seen now is not what it holds for. Raises NotApproved."""
    if changed := changes(approval, seen):
        said = english("Since it was asked for, %(told)s.", told="; ".join(changed))
        move(approval, LIVES, Consent.VOID, now=now, said=said)
        raise NotApproved(english("The approval is void. %(said)s Look again, and ask for it anew.", said=said))


def changes(approval: Approval, now: Sighting) -> list[str]:
    """What differs between what the approval holds for and what is seen now, in words. Here an improvement counts too:
    it is another decision.
    """
    before = seen_then(approval)
    if before is None:
        return [english("what was seen then cannot be read any more")]
    named = [
        ("server", before.name or before.server, now.name or now.server),
        ("site", before.site, now.site),
        ("status", before.status, now.status),
    ]
    found = [
        WAS[what] % {"was": was or UNSAID, "now": is_now or UNSAID} for what, was, is_now in named if was != is_now
    ]
    if (before.tenant, before.server, before.kind) != (now.tenant, now.server, now.kind):
        found.append(english("it is another server or action"))
    if issues := now.issues - before.issues:
        found.append(WAS["new"] % {"issues": ", ".join(issue_words(issues))})
    if issues := before.issues - now.issues:
        found.append(WAS["gone"] % {"issues": ", ".join(issue_words(issues))})
    return found


def seen_then(approval: Approval) -> Sighting | None:
    """What the one who asked saw; None when it was kept by a version that saw other things."""
    try:
        return msgspec.convert(approval.seen, Sighting)
    except msgspec.ValidationError:
        return None


def issue_words(issues: Iterable[tuple[str, str, str]]) -> list[str]:
    """Issues of a sighting in words, each once."""
    return sorted(
        {f"{code or 'an unnamed issue'} ({severity.lower() or 'of no severity'})" for code, severity, _ in issues}
    )


def _audit(approval: Approval, now: datetime, *, by: User | None, told: str, action: Action | None = None) -> None:
    point = approval.recovery_point
    at = "latest" if point is None else ", ".join(f"{name} {value}" for name, value in sorted(point.items()))
    what = f"Approval {approval.pk}: {approval.kind} of {approval.server_name}, recovery point {at}."
    write(
        by=by,
        verb=f"approval {Consent(approval.state).label.lower()}",
        at=now,
        tenant=approval.tenant_id,
        action=action.pk if action else None,
        server_uuid=approval.server_uuid,
        detail=f"{what} {told}".strip(),
    )


def _announce(approval: Approval) -> None:
    """Have the pages that show the server, and those whom it waits for, look again some time soon: best effort."""
    notices.changed(approval.tenant_id, f"server:{approval.server_uuid}")
