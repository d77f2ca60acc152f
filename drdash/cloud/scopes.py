"""What a credential must be allowed for each call, as the reference lists it: one of these scopes."""

from collections.abc import Mapping, Sequence

from drdash.english import english

ADMIN = "dr_service::admin"
SUPPORT = "dr::support_operator"
READONLY = "protection::readonly"

READ = "read"
NEEDED: Mapping[str, tuple[str, ...]] = {
    READ: (ADMIN, SUPPORT, READONLY),
    "start_failover_test": (ADMIN, SUPPORT),
    "start_failover_prod": (ADMIN,),
    "stop_failover": (ADMIN, SUPPORT),
}


def lacks(call: str) -> str:
    """What to say when the cloud does not allow the call (one of NEEDED)."""
    match NEEDED[call]:
        case (only,):
            return english("this credential lacks %(scope)s", scope=only)
        case (*others, last):
            return english("this credential lacks %(scopes)s or %(last)s", scopes=", ".join(others), last=last)
    return ""


def allowed(call: str, scopes: Sequence[str] | None) -> bool | None:
    """Whether a token with these scopes may do it: a hint. None when none of them is one of the DR API's."""
    known = {scope for needed in NEEDED.values() for scope in needed}.intersection(scopes or ())
    return not known.isdisjoint(NEEDED[call]) if known else None
