"""A pre-flight as what a person confirms: which servers, from which points, having seen what; sealed into the page."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
from django.core import signing

from drdash.cloud.records import RecoveryPoint
from drdash.english import english
from drdash.failover.guard import Kind
from drdash.failover.preflight import Line, Lot, Preflight
from drdash.failover.sighting import Expired, Sighting

# Long enough to read a long list. Each item looks again before it is sent, and stops at what has changed.
VALID = timedelta(minutes=10)
_SALT = "drdash.plan"


class Planned(msgspec.Struct, frozen=True):
    """One server of the plan; ``left_out`` says why it does not go."""

    tenant: int
    server: str
    name: str
    seen: Sighting
    point: RecoveryPoint | None = None
    nods: tuple[str, ...] = ()
    approval: bool = False
    left_out: str = ""


class Plan(msgspec.Struct, frozen=True):
    """What is confirmed as a whole. ``key``: a second confirmation of the same plan makes no second batch."""

    user: int
    key: str
    kind: Kind
    production: bool
    before: datetime | None
    at: datetime
    lines: tuple[Planned, ...]

    @property
    def going(self) -> tuple[Planned, ...]:
        """Those that go, in the order of the pre-flight."""
        return tuple(line for line in self.lines if not line.left_out)

    @property
    def asks(self) -> int:
        """How many of them go with a second admin's word only."""
        return sum(line.approval for line in self.going)

    @property
    def nods(self) -> frozenset[str]:
        """Every code that has to be acknowledged."""
        return frozenset(code for line in self.going for code in line.nods)


def plan_of(found: Preflight, *, user: int) -> Plan:
    """The plan of a pre-flight."""
    return Plan(
        user=user,
        key=uuid4().hex,
        kind=found.kind,
        production=found.production,
        before=found.before,
        at=found.at,
        lines=tuple(map(_planned, found.lines)),
    )


def seal(plan: Plan) -> str:
    """The plan as a signed text for a form's hidden field."""
    return signing.dumps(msgspec.to_builtins(plan), salt=_SALT, compress=True)


def unseal(text: str, *, user: int) -> Plan:
    """The plan back, however old. Raises sighting.Expired when it is forged, or someone else's."""
    try:
        plain: Any = signing.loads(text, salt=_SALT)
        plan = msgspec.convert(plain, Plan)
    except (signing.BadSignature, msgspec.ValidationError, ValueError) as error:
        raise Expired(english("This pre-flight cannot be read. Choose the servers again.")) from error
    if plan.user != user:
        raise Expired(english("This pre-flight is someone else's. Choose the servers again."))
    return plan


def _planned(line: Line) -> Planned:
    why = " ".join(dict.fromkeys(reason.message for reason in line.against))
    return Planned(
        tenant=line.tenant.pk,
        server=line.server.key,
        name=line.server.name,
        seen=line.sighting,
        point=line.point.ids if line.point else None,
        nods=tuple(dict.fromkeys(reason.code for reason in line.nods)),
        approval=line.approval,
        left_out="" if line.lot is Lot.GO else why or english("It cannot go."),
    )
