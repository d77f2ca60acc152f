"""Who asks for approvals and who gives them, and what they see of a server."""

from datetime import datetime
from typing import Any
from uuid import uuid4

import msgspec
from django.contrib.auth.models import User
from django.utils import timezone

from drdash.audit.models import Entry
from drdash.cloud.records import RecoveryPoint
from drdash.failover import approvals
from drdash.failover.guard import Kind, Verdict
from drdash.failover.models import Action, Approval, State
from drdash.failover.reasons import Mark, Reason, Remedy
from drdash.failover.sighting import Sighting
from drdash.tenants.models import Credential, Membership, Tenant
from drdash.tenants.roles import Role
from tests.failover.test_guard import a_server

NEEDED = Reason("NeedsApproval", "A second admin has to approve this.", Remedy.ASK, Mark.GLASS)
LACKING = Verdict(Kind.START_PROD, True, (NEEDED,))
POINT = RecoveryPoint(backup_id="b-1", archive_id="a-1", vault_id="v-1")
VPN = ("VPNDown", "WARNING", "")
WHY = "The data centre burns: web-1 has to run in the cloud."


class Cast:
    """Alice and Dora are admins of the tenant, Bob an operator; Charlie is an admin elsewhere."""

    def __init__(self) -> None:
        self.credential = Credential.objects.create(name="c", cloud="https://cloud.example.com", client_id="c")
        self.tenant = Tenant.objects.create(name="Acme", credential=self.credential, two_persons=True)
        self.other = Tenant.objects.create(name="Globex", credential=self.credential)
        self.alice, self.dora = self.member("alice"), self.member("dora")
        self.bob = self.member("bob", role=Role.OPERATOR)
        self.charlie = self.member("charlie", self.other)

    def member(self, name: str, tenant: Tenant | None = None, role: Role = Role.ADMIN) -> User:
        user = User.objects.create_user(name)
        Membership.objects.create(user=user, tenant=tenant or self.tenant, role=role)
        return user

    def sees(self, user: User, **fields: Any) -> Sighting:
        usual: dict[str, Any] = {
            "user": user.pk,
            "tenant": self.tenant.pk,
            "kind": Kind.START_PROD,
            "server": a_server().key,
            "name": "web-1",
            "site": "s-1",
            "status": "STAND_BY",
            "role": Role.ADMIN,
            "issues": frozenset({VPN}),
        }
        return Sighting(**{**usual, **fields})

    def ask(self, now: datetime | None = None, **more: Any) -> Approval:
        user, server = more.get("user", self.alice), more.get("server", a_server())
        usual: dict[str, Any] = {
            "user": user,
            "tenant": self.tenant,
            "server": server,
            "kind": Kind.START_PROD,
            "point": POINT,
            "verdict": LACKING,
            "seen": self.sees(user, server=server.key),
            "why": WHY,
            "now": now or timezone.now(),
        }
        return approvals.ask(**{**usual, **more})

    def give(self, approval: Approval, by: User | None = None, **more: Any) -> None:
        by = by or self.dora
        usual = {"said": "", "verdict": LACKING, "seen": self.sees(by), "now": timezone.now()}
        approvals.give(approval, by=by, **{**usual, **more})

    def given(self) -> Approval:
        approval = self.ask()
        self.give(approval)
        return approval

    def usable(self, approval: Approval, **more: Any) -> str:
        """Why it may not be used; empty when it may."""
        usual: dict[str, Any] = {
            "user": self.alice,
            "tenant": self.tenant,
            "server": a_server(),
            "kind": Kind.START_PROD,
            "point": POINT,
            "seen": self.sees(self.alice),
            "now": timezone.now(),
        }
        found, why = approvals.usable(approval.pk, **{**usual, **more})
        assert (found is None) == bool(why)
        return why

    def action(self, **fields: Any) -> Action:
        usual: dict[str, Any] = {
            "tenant": self.tenant,
            "user": self.alice,
            "cloud": self.credential.cloud,
            "server_uuid": a_server().key,
            "server_name": "web-1",
            "kind": Kind.START_PROD.value,
            "production": True,
            "recovery_point": msgspec.to_builtins(POINT),
            "idempotency_key": uuid4().hex,
            "requested_at": timezone.now(),
            "state": State.REQUESTED,
        }
        return Action.objects.create(**{**usual, **fields})


def state(approval: Approval) -> str:
    return Approval.objects.get(pk=approval.pk).state


def told() -> list[tuple[str, str]]:
    return list(Entry.objects.order_by("number").values_list("username", "verb"))
