"""What a person may do at this moment, and what is told without a question to the cloud."""

import pytest

from drdash.failover.guard import Kind
from drdash.failover.reasons import Mark
from drdash.failover.standing import Standing, forbidden, standing
from drdash.failover.wish import Invalid, Wish
from drdash.tenants.models import Membership
from drdash.tenants.roles import Posture, Role
from tests.failover.cast import Cast


@pytest.mark.parametrize("unproven", ["", "SignInAgain"])
@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("role", Role)
def test_what_can_never_be_done_is_told_at_once(role: Role, kind: Kind, unproven: str) -> None:
    code = {Role.VIEWER: "RoleViewer"}.get(role, "")
    if not code and kind is Kind.START_PROD:
        code = unproven if role is Role.ADMIN else "RoleOperator"
    found = forbidden(Wish(kind=kind, key="k", unproven=unproven), Standing(role, Posture.ARMED, False))
    assert (found and (found.code, found.mark)) == ((code, Mark.BLOCK) if code else None)


def test_it_is_what_the_database_says_now(fresh_process: None) -> None:
    cast = Cast()
    assert standing(cast.bob, cast.tenant).role is Role.OPERATOR
    cast.tenant.armed, cast.tenant.two_persons = True, False
    cast.tenant.save()
    assert standing(cast.alice, cast.tenant) == Standing(Role.ADMIN, Posture.ARMED, False)
    Membership.objects.filter(user=cast.alice).delete()
    for nobody in (cast.alice, cast.charlie):
        with pytest.raises(Invalid, match="no access"):
            standing(nobody, cast.tenant)
