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
from django.db import IntegrityError, transaction
from django.utils import timezone

from drdash.audit.record import writing
from drdash.clock import boot_seconds
from drdash.cloud.client import body_of
from drdash.cloud.records import Server, Site
from drdash.estate import polling
from drdash.estate.aside import aside
from drdash.estate.clients import actor
from drdash.estate.fresh import Fresh
from drdash.failover import following, outcomes, senders
from drdash.failover.guard import Kind, Verdict, is_production, judge
from drdash.failover.looking import FRESH_SECONDS, look, sight_in, usable, without_token
from drdash.failover.models import Action, State
from drdash.failover.ours import live_actions, open_action, own_state
from drdash.failover.reasons import Mark, Reason, own
from drdash.failover.record import create, move
from drdash.failover.sighting import Sighting, differences, seal, sight_of
from drdash.failover.standing import Standing, forbidden, standing
from drdash.failover.wish import Invalid, Wish, check, digest, names_it
from drdash.tenants.models import Tenant

__all__ = [
    "Invalid",
    "KeyReused",
    "Preview",
    "TooMany",
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


class KeyReused(Exception):
    """The idempotency key belongs to another wish of this person; nothing was sent."""


class TooMany(Exception):
    """As many actions as this process takes are under way; nothing was recorded or sent. Try again."""


class _Shifted(Exception):
    """What the guard was told of the rights is true no more."""


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
    """A fresh read and the guard's word on it, for a dialog. Sends nothing. ``approved``: a second admin has given
    their word. Raises Invalid without a membership."""
    now = standing(user, tenant)
    if _looks.acquire(blocking=False):
        try:
            fresh = look(tenant, server)
        finally:
            _looks.release()
    else:
        fresh = Fresh(timezone.now(), problem="Too many are being looked at just now: try again in a moment.")
    ours = open_action(tenant, server)
    shown = fresh.server or server
    seen = sight_of(user=user.pk, tenant=tenant.pk, kind=kind, server=shown, site=fresh.site, role=now.role)
    seen = msgspec.structs.replace(seen, nonce=uuid4().hex)
    return Preview(
        verdict=_judged(kind, fresh, server, now, ours, approved=approved),
        server=shown,
        site=fresh.site,
        sighting=seen,
        token=seal(seen),
        ours=ours,
    )


def request(
    *, user: User, tenant: Tenant, server: Server, wish: Wish, clock: Callable[[], float] = boot_seconds
) -> tuple[Action, bool]:
    """Carry a wish through to its outcome: the action, and whether it was made by this call (False: a repeat).

    ``server`` is what is known of it; the cloud is asked again before anything is sent. A refusal by the guard is an
    action in state ``refused`` without a ``status``. Raises Invalid, KeyReused, TooMany; then nothing was sent.
    """
    check(wish, server)
    never, content = forbidden(wish, standing(user, tenant)), digest(tenant, server, wish)
    if earlier := _earlier(user, wish, content):
        return earlier, False
    if not never and names_it(wish.kind, server) and wish.confirm.strip() != server.name.strip():
        raise Invalid(f'Type the server\'s name, "{server.name}", to confirm: this is production.')
    if not _slots.acquire(blocking=False):
        raise TooMany("Too many actions are under way at once. Nothing was sent: try again in a moment.")
    begun = clock()
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
            _refuse(action, [never])
        else:
            _carry_out(action, user, tenant, server, wish, begun, clock)
        return action, True
    finally:
        _slots.release()


def _carry_out(
    action: Action,
    user: User,
    tenant: Tenant,
    known: Server,
    wish: Wish,
    begun: float,
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
        fresh = Fresh(fresh.started, problem=f"The cloud took over {FRESH_SECONDS:.0f} s to tell the current state.")
    if fresh.problem:
        since = read  # what is decided without a read holds as long as what is decided with one
    now = standing(user, tenant)
    ours = open_action(tenant, known)
    verdict = _judged(wish.kind, fresh, known, now, ours, approved=False)
    reasons = [*_stopped(wish, verdict, fresh, known, user, tenant, now), *verdict.reasons]
    over = Mark.GLASS if wish.glass else Mark.ACKNOWLEDGE
    if any(reason.mark > over for reason in reasons) or client is None:
        _refuse(action, reasons)
        return

    def go() -> bool:
        """The last word, on the connection that is open: the claim, if there is time for it, and for the POST."""
        if clock() - begun > following.REQUEST_SECONDS:
            following.expire(action, timezone.now())
            return False
        if clock() - since > FRESH_SECONDS:
            words = f"The cloud took over {FRESH_SECONDS:.0f} s to be reached after its state was read."
            _refuse(action, [own("ReadFailed", Mark.BLOCK, message=words)])
            return False
        if not _claim(action, wish, verdict, ours, still=lambda: standing(user, tenant) == now):
            return False
        if clock() - since > FRESH_SECONDS:
            outcomes.leave(action, "The claim took so long that what was read of the server may be true no more.")
            return False
        return True

    sent = outcomes.post(wish.kind, client, wish.recovery_point, fresh.server or known, go)
    outcomes.settle(action, sent, fresh.server)
    if action.sent_at is not None:
        aside(lambda: polling.hurry(tenant.pk, timezone.now()))


def _judged(kind: Kind, fresh: Fresh, known: Server, now: Standing, ours: Action | None, *, approved: bool) -> Verdict:
    sight, unapproved = sight_in(fresh, known), now.two_persons and not approved
    return judge(kind, sight, role=now.role, posture=now.posture, ours=own_state(ours), unapproved=unapproved)


def _stopped(
    wish: Wish, verdict: Verdict, fresh: Fresh, known: Server, user: User, tenant: Tenant, now: Standing
) -> list[Reason]:
    """What stops this click beyond the guard: a nod, a name or a proof that is missing, or ground that has shifted."""
    found: list[Reason] = []
    broken = bool(wish.glass) and verdict.breakable
    asked = [*verdict.acknowledge, *(verdict.glass if broken else ())]
    missing = [code for code in asked if code not in wish.acknowledge]
    if (verdict.allowed or broken) and missing:
        found.append(
            own("NotAcknowledged", Mark.BLOCK, message=f"Acknowledge what stands against it: {', '.join(missing)}.")
        )
    if verdict.production and wish.unproven:
        found.append(own(wish.unproven, Mark.BLOCK))
    if fresh.server is None and not broken:
        return found
    shown = fresh.server or known
    if verdict.production and wish.confirm.strip() != shown.name.strip():
        found.append(own("NotConfirmed", Mark.BLOCK))
    if wish.seen is not None:
        seen = sight_of(user=user.pk, tenant=tenant.pk, kind=wish.kind, server=shown, site=fresh.site, role=now.role)
        if changed := differences(wish.seen, seen):
            found.append(own("Changed", Mark.BLOCK, message=f"Since you looked, {'; '.join(changed)}. Look again."))
    return found


def _claim(action: Action, wish: Wish, verdict: Verdict, ours: Action | None, *, still: Callable[[], bool]) -> bool:
    """Take the server for this action, committed; False: refused, as another action took it meanwhile, or as the
    rights are no longer (``still``) those that the guard was told.
    """
    glass = " ".join(wish.glass.split()) if verdict.breakable else ""
    over = f"Broke the glass: {glass} It goes over {', '.join(verdict.glass)}. " if glass else ""
    try:
        with writing(durable=True):
            if not still():
                raise _Shifted
            now = timezone.now()
            if ours is not None:
                # Only what goes over an unknown outcome gets past the guard here: a stop, or who broke the glass.
                detail = f"Superseded by the action {action.pk}."
                move(ours, [State.UNKNOWN], State.CLOSED, now=now, finished_at=now, detail=detail)
            claimed = move(
                action,
                [State.REQUESTED],
                State.SENDING,
                now=now,
                sent_at=now,
                production=verdict.production,
                reasons=[msgspec.to_builtins(reason) for reason in verdict.reasons],
                body=body_of(wish.recovery_point).decode(),
                glass=glass,
                detail=f"{over}Acknowledged: {', '.join(sorted(wish.acknowledge)) or 'nothing'}.",
            )
            transaction.set_rollback(not claimed)
    except IntegrityError:
        action.refresh_from_db()
        _refuse(action, [own("OurActionOpen", Mark.BLOCK)])
        return False
    except _Shifted:
        words = "Your role, or what may be done in this tenant, changed meanwhile. Look again."
        _refuse(action, [own("Changed", Mark.BLOCK, message=words)])
        return False
    return claimed


def _refuse(action: Action, reasons: list[Reason]) -> None:
    ordered = sorted(reasons, key=lambda reason: -reason.mark)
    now, error = timezone.now(), " ".join(dict.fromkeys(r.message for r in ordered if r.mark > Mark.ACKNOWLEDGE))
    listed = [msgspec.to_builtins(reason) for reason in ordered]
    move(action, [State.REQUESTED], State.REFUSED, now=now, finished_at=now, reasons=listed, error=error, detail=error)


def _earlier(user: User, wish: Wish, content: str) -> Action | None:
    earlier = Action.objects.filter(user_id=user.pk, idempotency_key=wish.key).first()
    if earlier is None:
        return None
    if earlier.content != content:
        raise KeyReused("This idempotency key was used for something else. Use a new one for a new wish.")
    return following.settle(earlier, timezone.now())
