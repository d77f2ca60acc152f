"""What a person and a tenant allow now, not when the page was drawn."""

from datetime import datetime, timedelta

import msgspec
from django.contrib.auth.models import User

from drdash.english import english
from drdash.failover.guard import Kind
from drdash.failover.models import Action, State
from drdash.failover.reasons import Mark, Reason, own
from drdash.failover.wish import Invalid, Wish
from drdash.tenants import access
from drdash.tenants.models import Tenant
from drdash.tenants.roles import Posture, Role

# So many refusals in a minute of what a person may not do at all are written down: nothing that they may is counted.
MOST_REFUSED, WITHIN = 20, timedelta(minutes=1)


class Standing(msgspec.Struct, frozen=True):
    """The person's role in the tenant, what may be done there at all, and whether production takes two persons."""

    role: Role
    posture: Posture
    two_persons: bool


def standing(user: User, tenant: Tenant) -> Standing:
    """As the database has it at this moment. Raises Invalid without a membership."""
    reach = access.reach(user)
    role = reach.role(tenant.pk)
    if role is None:
        raise Invalid(english("You have no access to this tenant any more."))
    now = reach.tenants[tenant.pk]
    return Standing(role, now.posture, now.two_persons)


def forbidden(wish: Wish, now: Standing) -> Reason | None:
    """What can never be done by this person, or through this door, is told without asking the cloud."""
    if not now.role.runs_tests:
        return own("RoleViewer", Mark.BLOCK)
    if wish.kind is not Kind.START_PROD:
        return None
    if not now.role.runs_production:
        return own("RoleOperator", Mark.BLOCK)
    return own(wish.unproven, Mark.BLOCK) if wish.unproven else None


def refused_often(user: User, now: datetime) -> bool:
    """Whether so many of the person's wishes were refused of late that another refusal says nothing new."""
    refused = Action.objects.filter(user=user, state=State.REFUSED, sent_at=None, requested_at__gt=now - WITHIN)
    return refused.count() >= MOST_REFUSED
