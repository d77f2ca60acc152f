"""The only doors to what belongs to a tenant. Whoever has no membership in it finds nothing behind them."""

from collections.abc import Collection, Mapping
from typing import TypeVar

import msgspec
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.db.models import Model, Q, QuerySet

from drdash.english import english
from drdash.tenants.models import Membership, Tenant
from drdash.tenants.roles import Role

Owned = TypeVar("Owned", bound=Model)


class Denied(Exception):
    """The person may not do this; the message says who may."""


class Reach(msgspec.Struct, frozen=True):
    """The tenants that a person sees, by id, and their role in each. Read anew for each request."""

    tenants: Mapping[int, Tenant]
    roles: Mapping[int, Role]

    def role(self, tenant: int) -> Role | None:
        """The role in a tenant; None: the tenant does not exist for this person."""
        return self.roles.get(tenant)

    def only(self, owned: QuerySet[Owned]) -> QuerySet[Owned]:
        """Of the rows that have a ``tenant``, those within reach."""
        return owned.filter(tenant__in=list(self.tenants))


def reach(user: AbstractBaseUser | AnonymousUser) -> Reach:
    """What the person may see, and as what. Enabled tenants only; nothing for who is not signed in or not active, as
    the database says now: ``user`` may have been read long ago.
    """
    if not user.is_authenticated or not user.is_active:
        return Reach(tenants={}, roles={})
    memberships = Membership.objects.filter(
        Q(tenant=None) | Q(tenant__enabled=True), user_id=user.pk, user__is_active=True
    )
    given = {membership.tenant_id: membership for membership in memberships.select_related("tenant__credential")}
    if None in given:
        tenants = list(Tenant.objects.filter(enabled=True).select_related("credential"))
    else:
        tenants = [membership.tenant for membership in given.values() if membership.tenant]
    ordered = sorted(tenants, key=lambda tenant: tenant.name.lower())
    return Reach(
        tenants={tenant.pk: tenant for tenant in ordered},
        roles={tenant.pk: Role(given[tenant.pk if tenant.pk in given else None].role) for tenant in ordered},
    )


def roles_of(users: Collection[int]) -> dict[int, dict[int, Role]]:
    """What ``reach`` says of the roles, for many people at once: by user and tenant. Nothing for who is not active."""
    roles: dict[int, dict[int, Role]] = {user: {} for user in users}
    memberships = Membership.objects.filter(
        Q(tenant=None) | Q(tenant__enabled=True), user_id__in=roles, user__is_active=True
    )
    for_all: dict[int, Role] = {}
    for user, tenant, role in memberships.values_list("user_id", "tenant_id", "role"):
        if tenant is None:
            for_all[user] = Role(role)
        else:
            roles[user][tenant] = Role(role)
    if for_all:
        enabled = list(Tenant.objects.filter(enabled=True).values_list("pk", flat=True))
        for user, role in for_all.items():
            roles[user] = dict.fromkeys(enabled, role) | roles[user]
    return roles


def count_admins(tenant: Tenant) -> int:
    """How many people are admins of the tenant now."""
    members = Membership.objects.filter(Q(tenant=tenant) | Q(tenant=None)).values_list("user_id", flat=True)
    return sum(roles.get(tenant.pk) is Role.ADMIN for roles in roles_of(set(members)).values())


def must_keep(by: User | None) -> None:
    """Only superusers keep credentials and tenants: connect, replace, take off. Raises Denied.

    ``by`` None is whoever runs commands on the server: they may.
    """
    if by is not None and not (by.is_active and by.is_superuser):
        raise Denied(english("Only a superuser connects clouds, and replaces or takes off what is connected."))


def must_administer(by: User | None, tenant: Tenant) -> None:
    """Only the admins of a tenant, and superusers, pause and arm it. Raises Denied. ``by`` as in ``must_keep``."""
    if by is None or (by.is_active and by.is_superuser):
        return
    if reach(by).role(tenant.pk) is not Role.ADMIN:
        raise Denied(english("Only an admin of the tenant pauses it, or arms it."))
