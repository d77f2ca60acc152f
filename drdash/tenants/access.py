"""The only doors to what belongs to a tenant. Whoever has no membership in it finds nothing behind them."""

from collections.abc import Collection, Mapping
from typing import TypeVar

import msgspec
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Model, QuerySet

from drdash.tenants.models import Membership, Tenant
from drdash.tenants.roles import Role

Owned = TypeVar("Owned", bound=Model)


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
    """What the person may see, and as what. Enabled tenants only; nothing for who is not signed in or not active."""
    if not user.is_authenticated or not user.is_active:
        return Reach(tenants={}, roles={})
    memberships = Membership.objects.filter(user_id=user.pk, tenant__enabled=True).select_related("tenant__credential")
    ordered = sorted(memberships, key=lambda membership: membership.tenant.name.lower())
    return Reach(
        tenants={membership.tenant_id: membership.tenant for membership in ordered},
        roles={membership.tenant_id: Role(membership.role) for membership in ordered},
    )


def roles_of(users: Collection[int]) -> dict[int, dict[int, Role]]:
    """What ``reach`` says of the roles, for many people at once: by user and tenant. Nothing for who is not active."""
    roles: dict[int, dict[int, Role]] = {user: {} for user in users}
    memberships = Membership.objects.filter(user_id__in=roles, user__is_active=True, tenant__enabled=True)
    for user, tenant, role in memberships.values_list("user_id", "tenant_id", "role"):
        roles[user][tenant] = Role(role)
    return roles
