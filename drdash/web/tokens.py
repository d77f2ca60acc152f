"""The tokens of the JSON API: whose there are, what an admin lets them do, and how one is taken back.

A token itself is shown once, by the command that makes it; here it is known by its end, and by a digest.
"""

from datetime import datetime
from hashlib import sha256

import msgspec
from django.contrib.auth.models import User
from django.db.models import Q
from django.utils import timezone
from rest_framework.authtoken.models import Token

from drdash.audit.record import write, writing
from drdash.english import english
from drdash.tenants import access
from drdash.tenants.access import Denied
from drdash.tenants.models import Membership, Tenant, TokenRight
from drdash.tenants.roles import Role


class Held(msgspec.Struct, frozen=True):
    """Someone's token. ``rights``: where it may run production. ``mark`` tells it from one that is made anew."""

    user: User
    end: str
    mark: str
    made_at: datetime
    rights: list[TokenRight]
    role: Role | None = None

    @property
    def field(self) -> str:
        """What the page calls where the password for it is typed."""
        return f"token-{self.user.pk}"

    @property
    def tenants(self) -> str:
        """Where it may run production."""
        return ", ".join(right.tenant.name for right in self.rights)

    @property
    def words(self) -> str:
        """What it is called, in the audit and on pages."""
        return f"{self.user.get_username()}'s token …{self.end}"


class Gone(Exception):
    """There is no such token any more; the message says so to whoever meant it."""


def may_run_production(token: Token, tenant: Tenant) -> bool:
    """Whether an admin said that this token may start and stop production in the tenant. Its person's role decides as
    well; that is the guard's.
    """
    return TokenRight.objects.filter(digest=_digest(token), user=token.user_id, tenant=tenant).exists()


def held_by(user: User, tenant: Tenant | None = None) -> Held | None:
    """The person's token, with its rights in all tenants, or in one."""
    if (token := Token.objects.filter(user=user).select_related("user").first()) is None:
        return None
    rights = TokenRight.objects.filter(user=user, digest=_digest(token)).select_related("tenant", "given_by")
    kept = rights.filter(tenant=tenant) if tenant else rights.filter(tenant__enabled=True)
    return _held(token, list(kept.order_by("tenant__name")))


def held_in(tenant: Tenant) -> list[Held]:
    """The tokens of a tenant's members, by their names."""
    memberships = Membership.objects.filter(Q(tenant=tenant) | Q(tenant=None), user__is_active=True)
    roles: dict[int, Role] = {}
    for user, of, role in memberships.values_list("user_id", "tenant_id", "role"):
        if of is not None or user not in roles:
            roles[user] = Role(role)
    rights = {
        (one.user_id, one.digest): one
        for one in TokenRight.objects.filter(tenant=tenant).select_related("tenant", "given_by")
    }
    found = []
    for token in Token.objects.filter(user__in=roles).select_related("user").order_by("user__username"):
        right = rights.get((token.user_id, _digest(token)))
        found.append(_held(token, [right] if right else [], roles[token.user_id]))
    return found


def allow(user: User, tenant: Tenant, *, mark: str, by: User) -> Held:
    """Let the person's token run production in the tenant. Raises Denied, and Gone when ``mark`` is another token's."""
    access.must_administer(by, tenant)
    at = timezone.now()
    with writing():
        token = Token.objects.select_for_update().filter(user=user).select_related("user").first()
        if token is None or _held(token, []).mark != mark:
            name = user.get_username()
            raise Gone(
                english("%(name)s has no token any more, or another one by now. Nothing was allowed.", name=name)
            )
        held = _held(token, [])
        _, new = TokenRight.objects.get_or_create(
            digest=_digest(token), tenant=tenant, defaults={"user": user, "given_by": by, "given_at": at}
        )
        if new:
            write(by=by, verb="token let run production", at=at, tenant=tenant.pk, detail=f"{held.words}.")
    return held


def take_back(user: User, tenant: Tenant, *, by: User) -> None:
    """The person's token runs no production in the tenant any more. Raises Denied."""
    access.must_administer(by, tenant)
    with writing():
        _take_back(user, tenant.pk, by=by)


def drop_lapsed(user: User, *, by: User | None) -> None:
    """Take production back from the person's token where they are no admin any more: as an admin anew they have a new
    word to ask for.
    """
    roles = access.reach(user).roles
    with writing():
        for right in TokenRight.objects.filter(user=user).select_related("tenant"):
            if roles.get(right.tenant_id) is not Role.ADMIN:
                _take_back(right.user, right.tenant_id, by=by)


def revoke(user: User, *, by: User | None, tenant: Tenant | None = None) -> bool:
    """Take the person's token out of the world, with all its rights: their own, or as an admin of a ``tenant`` that
    they are in, or as a superuser. False when there is none. Raises Denied.
    """
    if by is not None and by.pk != user.pk:
        if tenant is None:
            access.must_keep(by)
        else:
            access.must_administer(by, tenant)
            if access.reach(user).role(tenant.pk) is None and not by.is_superuser:
                raise Denied(english("Whose token it is, is no member of the tenant."))
    with writing():
        held = held_by(user)
        TokenRight.objects.filter(user=user).delete()
        Token.objects.filter(user=user).delete()
        if held:
            write(
                by=by,
                verb="token revoked",
                at=timezone.now(),
                tenant=tenant.pk if tenant else None,
                detail=f"{held.words}.",
            )
    return held is not None


def make(user: User) -> tuple[Token, bool]:
    """The person's token, made if there is none; and whether it was."""
    with writing():
        token, new = Token.objects.get_or_create(user=user)
        if new:
            write(by=None, verb="token made", at=timezone.now(), detail=f"{_held(token, []).words}.")
    return token, new


def _take_back(user: User, tenant: int, *, by: User | None) -> None:
    if TokenRight.objects.filter(user=user, tenant=tenant).delete()[0]:
        detail = f"{user.get_username()}'s token."
        write(by=by, verb="token kept from production", at=timezone.now(), tenant=tenant, detail=detail)


def _held(token: Token, rights: list[TokenRight], role: Role | None = None) -> Held:
    return Held(
        user=token.user,
        end=token.key[-4:],
        mark=_digest(token)[:16],
        made_at=token.created,
        rights=rights,
        role=role,
    )


def _digest(token: Token) -> str:
    return sha256(token.key.encode()).hexdigest()
