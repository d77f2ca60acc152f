"""What one person asks for, and whether it can be asked at all."""

import hashlib
import re

import msgspec

from drdash.cloud.records import RecoveryPoint, Server
from drdash.english import english
from drdash.failover.guard import PRODUCTION, Kind
from drdash.failover.sighting import Sighting
from drdash.tenants.models import Tenant
from drdash.wrong import Wrong

LONGEST_ID = 100
SHORTEST_GLASS = 20
_KEY = re.compile(r"[!-~]{1,100}")
_RECOVERY_POINT_ID = re.compile(r"[a-zA-Z0-9@-]{1,200}")


class Invalid(Wrong):
    """The wish itself is wrong; nothing was recorded or sent. The message says what to do."""


class KeyReused(Exception):
    """The idempotency key belongs to another wish of this person; nothing was sent."""


class TooMany(Exception):
    """As many actions as this process takes are under way; nothing was recorded or sent. Try again."""


class TooOften(TooMany):
    """The person asked again and again for what they may not do at all; nothing was recorded or sent."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What one person asks for. ``recovery_point`` None: the latest. ``acknowledge``: codes that were nodded to.
    ``confirm``: the server's name as typed, for production. ``key``: the same for a repeat of the same wish; from a
    dialog the nonce of what was ``seen``.

    ``glass``: why the glass is broken, in the person's words, whose password was checked just now; they acknowledge
    what they go over. ``approval``: the second admin's word. ``unproven``: the code of the reason for which the door
    that this came through lets no production pass: ``SignInAgain``, ``TokenNoProduction``.
    """

    kind: Kind
    key: str
    recovery_point: RecoveryPoint | None = None
    acknowledge: frozenset[str] = frozenset()
    confirm: str = ""
    seen: Sighting | None = None
    glass: str = ""
    approval: int | None = None
    unproven: str = ""


def check(wish: Wish, server: Server) -> None:
    """Raise Invalid when the wish is wrong in itself, whatever the cloud shows."""
    if len(server.key) > LONGEST_ID:
        raise Invalid(
            english(
                "The server's id is longer than the %(longest_id)s characters that an action can name.",
                longest_id=LONGEST_ID,
            )
        )
    if not _KEY.fullmatch(wish.key):
        raise Invalid(english("The idempotency key must be 1 to 100 visible ASCII characters."))
    if wish.glass and wish.kind is not Kind.START_PROD:
        raise Invalid(english("The glass is broken for a start of production alone."))
    if wish.glass and len(" ".join(wish.glass.split())) < SHORTEST_GLASS:
        raise Invalid(
            english(
                "Write why the glass is broken, in %(shortest_glass)s characters at least.",
                shortest_glass=SHORTEST_GLASS,
            ),
            "why",
        )
    point = wish.recovery_point
    if point is None:
        return
    if wish.kind is Kind.STOP:
        raise Invalid(english("A stop takes no recovery point."))
    if not all(_RECOVERY_POINT_ID.fullmatch(one) for one in (point.backup_id, point.archive_id, point.vault_id)):
        raise Invalid(
            english("A recovery point needs all three ids, of letters, digits, - and @: backup, archive and vault.")
        )


def names_it(kind: Kind, server: Server) -> bool:
    """Whether the server's name has to be typed before the cloud is even asked: a start of production always, a stop
    when production is what was last seen to run. Whatever the fresh read shows beyond that is the guard's to say."""
    return kind is Kind.START_PROD or (kind is Kind.STOP and server.status in PRODUCTION)


def digest(tenant: Tenant, server: Server, wish: Wish) -> str:
    """What the wish asks for: a repeat under the same key has the same."""
    bound = (wish.recovery_point, sorted(wish.acknowledge), wish.glass, wish.approval)
    asked = (tenant.pk, server.key, wish.kind, *bound)
    return hashlib.sha256(msgspec.json.encode(asked)).hexdigest()
