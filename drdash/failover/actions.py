"""The protocol of an action, from click to outcome: at most one POST, and none without a committed record.

Everything runs in the caller's thread, outside any transaction, and needs the database and the cloud alone. The order
is what makes it safe: the row and its audit entry → a fresh read → the guard → a connection → the claim, by
compare-and-set → one POST on that connection → the outcome. A process that dies leaves a row that is settled without it
(``following``), never a second POST; one that was paused finds its time over, and sends nothing.
"""

from collections.abc import Callable
from threading import BoundedSemaphore
from uuid import uuid4

import msgspec
from django.contrib.auth.models import User
from django.db import DatabaseError, Error, IntegrityError
from django.utils import timezone

from drdash import senders
from drdash.clock import boot_seconds
from drdash.cloud.records import Server, Site
from drdash.estate import polling
from drdash.estate.aside import aside
from drdash.estate.clients import actor
from drdash.estate.fresh import Fresh
from drdash.failover import approvals, following, outcomes, sentences
from drdash.failover.claiming import claim, refuse
from drdash.failover.guard import Kind, Verdict, is_production, judge
from drdash.failover.looking import FRESH_SECONDS, look, sight_in, usable, without_token
from drdash.failover.models import Action, Approval
from drdash.failover.ours import live_actions, open_action, own_state
from drdash.failover.reasons import Mark, Reason, own
from drdash.failover.record import create
from drdash.failover.sighting import Sighting, differences, seal, sight_of
from drdash.failover.standing import Standing, forbidden, refused_often, standing
from drdash.failover.wish import Invalid, KeyReused, TooMany, TooOften, Wish, check, digest, names_it
from drdash.tenants.models import Tenant

__all__ = [
    "Invalid",
    "KeyReused",
    "Preview",
    "TooMany",
    "TooOften",
    "Unwritable",
    "Wish",
    "live_actions",
    "open_action",
    "own_state",
    "preview",
    "request",
]

# Each holds one of the web server's threads for as long as the cloud takes: some are always left for pages.
AT_ONCE = 12

_slots = BoundedSemaphore(AT_ONCE)
_looks = BoundedSemaphore(AT_ONCE)


class Unwritable(DatabaseError):
    """The database does not take what has to be written before anything is sent; nothing was sent."""

    def __init__(self) -> None:
        super().__init__(sentences.UNWRITABLE)


class Preview(msgspec.Struct, frozen=True):
    """What a fresh read shows before anyone decides. ``server`` is the fresh one where it could be read; ``token`` is
    the sealed sighting, for the form of this one dialog."""

    verdict: Verdict
    server: Server
    site: Site | None
    sighting: Sighting
    token: str
    ours: Action | None


def preview(*, user: User, tenant: Tenant, server: Server, kind: Kind, approved: bool = False) -> Preview:
    """A fresh read and the guard's word on it, for a dialog; without a read for who may only look. Sends nothing.
    ``approved``: a second admin has given their word. Raises Invalid without a membership."""
    now = standing(user, tenant)
    if not now.role.runs_tests:
        # What the cloud answers is for those who act: it takes so many questions, and no more.
        fresh = Fresh(timezone.now(), problem=sentences.ONLY_LOOKS)
    elif _looks.acquire(blocking=False):
        try:
            fresh = look(tenant, server)
        finally:
            _looks.release()
    else:
        fresh = Fresh(timezone.now(), problem=sentences.TOO_MANY_LOOKS)
    ours = open_action(tenant, server)
    shown = fresh.server or server
    seen = msgspec.structs.replace(_seen(kind, fresh, server, user, tenant, now), nonce=uuid4().hex)
    return Preview(
        verdict=_judged(kind, fresh, server, now, ours, approved=approved),
        server=shown,
        site=fresh.site,
        sighting=seen,
        token=seal(seen),
        ours=ours,
    )


def request(
    *,
    user: User,
    tenant: Tenant,
    server: Server,
    wish: Wish,
    asked: float | None = None,
    still: Callable[[], bool] = lambda: True,
    clock: Callable[[], float] = boot_seconds,
) -> tuple[Action, bool]:
    """Carry a wish through to its outcome: the action, and whether it was made by this call (False: a repeat).

    ``server`` is what is known of it; the cloud is asked again before anything is sent. ``asked``: when by ``clock`` it
    was asked for, if not just now; nothing is sent when that is too long ago. ``still``: whether the door that this
    came through is still open, asked with the claim. A refusal by the guard is an action in state ``refused`` without a
    ``status``. Raises Invalid, KeyReused, TooMany, Unwritable; then nothing was sent.
    """
    check(wish, server)
    never, content = forbidden(wish, standing(user, tenant)), digest(tenant, server, wish)
    if earlier := _earlier(user, wish, content):
        return earlier, False
    if never and refused_often(user, timezone.now()):
        raise TooOften(sentences.TOO_OFTEN)
    if not never and names_it(wish.kind, server) and wish.confirm.strip() != server.name.strip():
        raise Invalid(sentences.NAME_IT % {"server": server.name}, "confirm")
    if not _slots.acquire(blocking=False):
        raise TooMany(sentences.TOO_MANY)
    begun = clock() if asked is None else asked
    try:
        try:
            action = create(
                user=user,
                now=timezone.now(),
                tenant=tenant,
                cloud=tenant.credential.cloud,
                server_uuid=server.key,
                server_name=server.name[:500],
                kind=wish.kind,
                production=is_production(wish.kind, server),
                recovery_point=msgspec.to_builtins(wish.recovery_point),
                acknowledged=sorted(wish.acknowledge),
                idempotency_key=wish.key,
                content=content,
                sender=senders.me(),
            )
        except IntegrityError:
            # The same click at the same moment: the other one carries it out.
            if earlier := _earlier(user, wish, content):
                return earlier, False
            raise
        if never:
            refuse(action, [never])
        else:
            _carry_out(action, user, tenant, server, wish, begun, still, clock)
        return action, True
    except Invalid as lost:
        # Whoever asked has no access any more, since before the claim.
        refuse(action, [own("Changed", Mark.BLOCK, message=str(lost))])
        raise
    except Error as error:
        # Before the POST: what cannot be written after it is the outcome's to bear.
        raise Unwritable from error
    finally:
        _slots.release()


def _carry_out(
    action: Action,
    user: User,
    tenant: Tenant,
    known: Server,
    wish: Wish,
    begun: float,
    still: Callable[[], bool],
    clock: Callable[[], float],
) -> None:
    heeding = not wish.glass
    client = usable(actor, tenant, heeding=heeding)
    since = clock()
    fresh = look(tenant, known, heeding=heeding)
    # A token now, so that nothing but the POST itself is left to do once the guard has spoken.
    if not fresh.problem and (late := without_token(client)):
        fresh = Fresh(fresh.started, problem=late)
    read = clock()
    if read - since > FRESH_SECONDS:
        fresh = Fresh(fresh.started, problem=sentences.SLOW_READ % {"seconds": round(FRESH_SECONDS)})
    if fresh.problem:
        since = read  # what is decided without a read holds as long as what is decided with one
    now = standing(user, tenant)
    ours = open_action(tenant, known)
    approval, lacking = _approved(wish, fresh, known, user, tenant, now)
    verdict = _judged(wish.kind, fresh, known, now, ours, approved=approval is not None)
    reasons = [*lacking, *_stopped(wish, verdict, fresh, known, user, tenant, now), *verdict.reasons]
    over = Mark.GLASS if wish.glass else Mark.ACKNOWLEDGE
    if any(reason.mark > over for reason in reasons) or client is None:
        refuse(action, reasons)
        return

    def go() -> bool:
        """The last word, on the connection that is open: the claim, if there is time for it, and for the POST."""
        if clock() - begun > following.REQUEST_SECONDS:
            following.expire(action, timezone.now())
            return False
        if (at := clock()) - since > FRESH_SECONDS:
            words = sentences.SLOW_CONNECTION % {"seconds": round(FRESH_SECONDS)}
            refuse(action, [own("ReadFailed", Mark.BLOCK, message=words)])
            return False
        claimed = claim(
            action,
            wish,
            verdict,
            ours=ours,
            approval=approval,
            still=lambda: still() and standing(user, tenant) == now,
            sent_boot=at,
            evidence=[following.seen_of(fresh.server, fresh.started)] if fresh.server else [],
        )
        if not claimed:
            return False
        if clock() - since > FRESH_SECONDS:
            outcomes.leave(action, sentences.SLOW_CLAIM)
            return False
        return True

    sent = outcomes.post(wish.kind, client, wish.recovery_point, fresh.server or known, go)
    outcomes.settle(action, sent, fresh.server)
    if action.sent_at is not None:
        aside(lambda: polling.hurry(tenant.pk, timezone.now()))


def _judged(kind: Kind, fresh: Fresh, known: Server, now: Standing, ours: Action | None, *, approved: bool) -> Verdict:
    sight, unapproved = sight_in(fresh, known), now.two_persons and not approved
    return judge(kind, sight, role=now.role, posture=now.posture, ours=own_state(ours), unapproved=unapproved)


def _approved(
    wish: Wish, fresh: Fresh, known: Server, user: User, tenant: Tenant, now: Standing
) -> tuple[Approval | None, list[Reason]]:
    """The second admin's word, where one is needed and holds; and why the one that was brought does not."""
    if wish.approval is None or not now.two_persons:
        return None, []
    read = fresh.server is not None and not fresh.site_unread
    approval, why = approvals.usable(
        wish.approval,
        user=user,
        tenant=tenant,
        server=fresh.server or known,
        kind=wish.kind,
        point=wish.recovery_point,
        seen=_seen(wish.kind, fresh, known, user, tenant, now) if read else None,
        now=timezone.now(),
    )
    lacking = [] if approval or wish.glass else [own("NeedsApproval", Mark.BLOCK, message=why)]
    return approval, lacking


def _seen(kind: Kind, fresh: Fresh, known: Server, user: User, tenant: Tenant, now: Standing) -> Sighting:
    shown = fresh.server or known
    return sight_of(user=user.pk, tenant=tenant.pk, kind=kind, server=shown, site=fresh.site, role=now.role)


def _stopped(
    wish: Wish, verdict: Verdict, fresh: Fresh, known: Server, user: User, tenant: Tenant, now: Standing
) -> list[Reason]:
    """What stops this click beyond the guard: a nod, a name or a proof that is missing, or ground that has shifted."""
    found: list[Reason] = []
    broken = bool(wish.glass) and verdict.breakable
    asked = [*verdict.acknowledge, *(verdict.glass if broken else ())]
    missing = [code for code in asked if code not in wish.acknowledge]
    if (verdict.allowed or broken) and missing:
        nods = sentences.NODS % {"missing": ", ".join(missing)}
        found.append(own("NotAcknowledged", Mark.BLOCK, message=nods))
    if verdict.production and wish.unproven:
        found.append(own(wish.unproven, Mark.BLOCK))
    if fresh.server is None and not broken:
        return found
    shown = fresh.server or known
    if verdict.production and wish.confirm.strip() != shown.name.strip():
        found.append(own("NotConfirmed", Mark.BLOCK))
    if wish.seen is not None:
        seen = _seen(wish.kind, fresh, known, user, tenant, now)
        if changed := differences(wish.seen, seen):
            told = sentences.CHANGED % {"told": "; ".join(changed)}
            found.append(own("Changed", Mark.BLOCK, message=told))
    return found


def _earlier(user: User, wish: Wish, content: str) -> Action | None:
    earlier = Action.objects.filter(user_id=user.pk, idempotency_key=wish.key).first()
    if earlier is None:
        return None
    if earlier.content != content:
        raise KeyReused(sentences.KEY_REUSED)
    return following.settle(earlier, timezone.now())
