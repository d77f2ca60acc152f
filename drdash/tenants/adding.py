"""What was checked becomes a tenant: its row, its admins and its entry in the audit."""

from collections.abc import Iterable
from datetime import datetime
from itertools import chain, count

import msgspec
from django.contrib.auth.models import User
from django.db.models import Q

from drdash.audit import record
from drdash.cloud.account import Account
from drdash.english import english
from drdash.tenants.checking import SHORT, Found, Refusal
from drdash.tenants.models import Credential, Membership, Tenant
from drdash.tenants.roles import Role

_LONGEST_NAME = 200


class Connected(msgspec.Struct, frozen=True):
    """What was found at the cloud, and who may see it now. ``customers``: how many a partner has; ``left_out``: those
    of them that were asked for and are not watched, by name, and why.
    """

    credential: Credential
    tenants: tuple[Tenant, ...]
    sites: int
    servers: int
    admins: tuple[str, ...]
    customers: int = 0
    left_out: tuple[tuple[str, str], ...] = ()

    @property
    def tenant(self) -> Tenant:
        """The tenant, where there is one alone."""
        (tenant,) = self.tenants
        return tenant


def admins_called(admin: str | None) -> list[User]:
    """Who becomes admin of a new tenant: the user of that name, or else every active superuser. Raises Refusal."""
    users = User.objects.filter(is_active=True)
    if admin is None:
        return list(users.filter(is_superuser=True))
    found = users.filter(username=admin).first()
    if found is None:
        raise Refusal(
            english(
                'There is no active user called "%(admin)s": create one with manage.py createsuperuser.', admin=admin
            )
        )
    return [found]


def already(account: Account, uuid: str) -> Tenant | None:
    """The tenant that is watched already, by that uuid, or where a side has none to tell by, with that credential.

    One tenant watched twice would be two rows for each server, and two chances to start a failover.
    """
    same_cloud = Tenant.objects.filter(removed_at=None, credential__cloud=account.root)
    # A user belongs to one tenant, and so does a client: where either side has no uuid to tell by, they tell.
    by_user, by_client = Q(credential__username__iexact=account.username), Q(credential__client_id=account.client_id)
    by_name = by_user if account.username else by_user & by_client
    if not account.username and not account.client_id:
        by_name = Q(pk=None)  # an assertion tells nothing
    same = Q(uuid__iexact=uuid) | (by_name & Q(uuid="")) if uuid else by_name
    return same_cloud.filter(same).first()


def refuse_name(name: str) -> None:
    """Raises Refusal for a name that a tenant cannot have."""
    if not name:
        raise Refusal(english("Give the tenant a name."))
    if len(name) > _LONGEST_NAME or not name.isprintable():
        raise Refusal(
            english(
                "The name is longer than %(longest)s characters, or has some that cannot be printed.",
                longest=_LONGEST_NAME,
            )
        )
    if Tenant.objects.filter(name=name, removed_at=None).exists():
        raise Refusal(english('There is a tenant called "%(name)s" already: choose another name.', name=name))


def free_name(wanted: str, *, partner: str, taken: set[str]) -> str:
    """A name for a customer: its own, or with the partner's beside it, or with a number; ``taken`` grows by it."""
    beside = f" ({partner[:80]})"
    with_partner = f"{wanted[: _LONGEST_NAME - len(beside)]}{beside}"
    numbered = (f"{wanted[: _LONGEST_NAME - 10]} ({number})" for number in count(2))
    name = next(name for name in chain([wanted, with_partner], numbered) if name not in taken)
    taken.add(name)
    return name


def add(
    credential: Credential,
    *,
    name: str,
    uuid: str,
    found: Found,
    admins: Iterable[User],
    by: User | None,
    at: datetime,
    watch_only: bool,
) -> Tenant:
    """A new tenant, in the caller's transaction."""
    tenant = Tenant.objects.create(name=name, uuid=uuid, credential=credential, armed=not watch_only)
    of_all = set(Membership.objects.filter(tenant=None, role=Role.ADMIN).values_list("user_id", flat=True))
    for user in admins:
        if user.pk not in of_all:
            Membership.objects.create(user=user, tenant=tenant, role=Role.ADMIN)
    armed = "watch-only" if watch_only else "armed"
    detail = f"{described(credential)}; {found.sites} sites, {found.servers} servers; {armed}."
    record.write(by=by, verb="connected", at=at, tenant=tenant.pk, detail=f'"{name}" at {credential.cloud}, {detail}')
    return tenant


def described(credential: Credential) -> str:
    """A credential in words, without anything that is secret."""
    who = [f"API client {credential.client_id}"] if credential.client_id else []
    who += [f"user {credential.username}"] if credential.username else []
    who += ["a signed assertion"] if credential.sealed_assertion else []
    short = {grant.value: word for grant, word in SHORT.items()}
    return f"{' and '.join(who) or 'nobody'} ({short.get(credential.grant, credential.grant)})"
