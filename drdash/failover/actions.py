"""The protocol of an action, from click to outcome: at most one POST, and none without a committed record.

Everything runs in the caller's thread, outside any transaction, and needs the database and the cloud alone. The order
is what makes it safe: the row and its audit entry → a fresh read → the guard → the claim, by compare-and-set → one
POST → the outcome. A process that dies leaves a row that time settles (``following``), never a second POST.
"""

from collections.abc import Callable
from threading import BoundedSemaphore

import msgspec
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone

from drdash.audit.record import writing
from drdash.clock import boot_seconds
from drdash.cloud.records import Server, Site
from drdash.estate import polling
from drdash.estate.aside import aside
from drdash.estate.clients import actor
from drdash.estate.fresh import Fresh
from drdash.failover import following, outcomes
from drdash.failover.guard import Kind, Verdict, is_production, judge
from drdash.failover.looking import FRESH_SECONDS, look, sight_in, usable, without_token
from drdash.failover.models import Action, State
from drdash.failover.ours import live_actions, open_action, own_state
from drdash.failover.reasons import Mark, Reason, own
from drdash.failover.record import create, move
from drdash.failover.sighting import Sighting, differences, sight_of
from drdash.failover.wish import Invalid, Wish, check, digest, names_it
from drdash.tenants import access
from drdash.tenants.models import Tenant
from drdash.tenants.roles import Posture, Role

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
    """What a fresh read shows before anyone decides. ``server`` is the fresh one where it could be read."""

    verdict: Verdict
    server: Server
    site: Site | None
    sighting: Sighting
    ours: Action | None


def preview(*, user: User, tenant: Tenant, server: Server, kind: Kind) -> Preview:
    """A fresh read and the guard's word on it, for a dialog. Sends nothing. Raises Invalid without a membership."""
    role, posture = _standing(user, tenant)
    if _looks.acquire(blocking=False):
        try:
            fresh = look(tenant, server)
        finally:
            _looks.release()
    else:
        fresh = Fresh(timezone.now(), problem="Too many are being looked at just now: try again in a moment.")
    ours = open_action(tenant, server)
    shown = fresh.server or server
    return Preview(
        verdict=judge(kind, sight_in(fresh, server), role=role, posture=posture, ours=own_state(ours)),
        server=shown,
        site=fresh.site,
        sighting=sight_of(user=user.pk, tenant=tenant.pk, kind=kind, server=shown, site=fresh.site, role=role),
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
    (role, _), content = _standing(user, tenant), digest(tenant, server, wish)
    if earlier := _earlier(user, wish, content):
        return earlier, False
    forbidden = _forbidden(wish.kind, role)
    if not forbidden and names_it(wish.kind, server) and wish.confirm.strip() != server.name.strip():
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
            )
        except IntegrityError:
            # The same click at the same moment: the other one carries it out.
            if earlier := _earlier(user, wish, content):
                return earlier, False
            raise
        if forbidden:
            _refuse(action, [forbidden])
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
    client = usable(actor, tenant)
    read_begun = clock()
    fresh = look(tenant, known)
    # A token now, so that nothing but the POST itself is left to do once the guard has spoken.
    if not fresh.problem and (late := without_token(client)):
        fresh = Fresh(fresh.started, problem=late)
    role, posture = standing = _standing(user, tenant)
    ours = open_action(tenant, known)
    if clock() - read_begun > FRESH_SECONDS:
        fresh = Fresh(fresh.started, problem=f"The cloud took over {FRESH_SECONDS:.0f} s to tell the current state.")
    verdict = judge(wish.kind, sight_in(fresh, known), role=role, posture=posture, ours=own_state(ours))
    reasons = [*_stopped(wish, verdict, fresh, user, tenant, role), *verdict.reasons]
    if any(reason.mark > Mark.ACKNOWLEDGE for reason in reasons) or fresh.server is None or client is None:
        _refuse(action, reasons)
        return
    if clock() - begun > following.REQUEST_SECONDS:
        following.expire(action, timezone.now())
        return
    if _claim(action, wish, verdict, ours, still=lambda: _standing(user, tenant) == standing):
        if clock() - read_begun > FRESH_SECONDS:
            outcomes.leave(action, "The claim took so long that what was read of the server may be true no more.")
            return
        outcomes.send(action, client, wish.recovery_point, fresh.server)
        aside(lambda: polling.hurry(tenant.pk, timezone.now()))


def _stopped(wish: Wish, verdict: Verdict, fresh: Fresh, user: User, tenant: Tenant, role: Role) -> list[Reason]:
    """What stops this click beyond the guard: a nod or a name that is missing, or ground that has shifted."""
    found: list[Reason] = []
    missing = [code for code in verdict.acknowledge if code not in wish.acknowledge]
    if verdict.allowed and missing:
        found.append(
            own("NotAcknowledged", Mark.BLOCK, message=f"Acknowledge what stands against it: {', '.join(missing)}.")
        )
    if fresh.server is None:
        return found
    if verdict.production and wish.confirm.strip() != fresh.server.name.strip():
        found.append(own("NotConfirmed", Mark.BLOCK))
    if wish.seen is not None:
        now = sight_of(user=user.pk, tenant=tenant.pk, kind=wish.kind, server=fresh.server, site=fresh.site, role=role)
        if changed := differences(wish.seen, now):
            found.append(own("Changed", Mark.BLOCK, message=f"Since you looked, {'; '.join(changed)}. Look again."))
    return found


def _claim(action: Action, wish: Wish, verdict: Verdict, ours: Action | None, *, still: Callable[[], bool]) -> bool:
    """Take the server for this action, committed; False: refused, as another action took it meanwhile, or as the
    rights are no longer (``still``) those that the guard was told.
    """
    try:
        with writing(durable=True):
            if not still():
                raise _Shifted
            now = timezone.now()
            if ours is not None:
                # Only a stop gets past the guard here: it goes over a start whose outcome nobody knows.
                detail = f"Superseded by the stop {action.pk}."
                move(ours, [State.UNKNOWN], State.CLOSED, now=now, finished_at=now, detail=detail)
            claimed = move(
                action,
                [State.REQUESTED],
                State.SENDING,
                now=now,
                sent_at=now,
                production=verdict.production,
                reasons=[msgspec.to_builtins(reason) for reason in verdict.reasons],
                detail=f"Acknowledged: {', '.join(sorted(wish.acknowledge)) or 'nothing'}.",
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


def _standing(user: User, tenant: Tenant) -> tuple[Role, Posture]:
    """What the person and the tenant allow now, not when the page was drawn."""
    reach = access.reach(user)
    role = reach.role(tenant.pk)
    if role is None:
        raise Invalid("You have no access to this tenant any more.")
    return role, reach.tenants[tenant.pk].posture


def _forbidden(kind: Kind, role: Role) -> Reason | None:
    """A role that can never do this is told so without asking the cloud."""
    if not role.runs_tests:
        return own("RoleViewer", Mark.BLOCK)
    if kind is Kind.START_PROD and not role.runs_production:
        return own("RoleOperator", Mark.BLOCK)
    return None


def _earlier(user: User, wish: Wish, content: str) -> Action | None:
    earlier = Action.objects.filter(user_id=user.pk, idempotency_key=wish.key).first()
    if earlier is None:
        return None
    if earlier.content != content:
        raise KeyReused("This idempotency key was used for something else. Use a new one for a new wish.")
    return following.settle(earlier, timezone.now())
