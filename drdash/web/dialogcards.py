"""What an action's dialog shows: the state as it was just read, what stands against it, and what was typed before."""

from typing import Any

import msgspec
from django.http import QueryDict

from drdash.english import english
from drdash.failover import origins
from drdash.failover.actions import Preview
from drdash.failover.guard import Kind
from drdash.failover.models import Action
from drdash.failover.reasons import Mark
from drdash.failover.sighting import Sighting
from drdash.failover.wish import SHORTEST_GLASS
from drdash.tenants.models import Tenant
from drdash.web import cards
from drdash.web.actioncards import deed
from drdash.web.buttons import dialog_url, server_url, shown_reason
from drdash.web.drifts import Drift, drifts, still
from drdash.web.forms import BY_IDS, LATEST, Original
from drdash.web.said import said
from drdash.web.whose import whose
from drdash.web.wording import verb

# What a fresh dialog puts right: it shows what is new, and asks again.
AGAIN = frozenset({"Changed", "NotAcknowledged", "NotConfirmed", "SignInAgain"})
# Of which field each of these is, in their order.
FIELDS = {"NotAcknowledged": "acknowledge", "NotConfirmed": "confirm", "SignInAgain": "password"}
KEPT = ("backup_id", "archive_id", "vault_id", "confirm", "original", "why")


class Typed(msgspec.Struct, frozen=True):
    """What a form held when it came back, for the next one: never the password."""

    point: str = LATEST
    ticked: tuple[str, ...] = ()
    breaks: bool = False
    texts: dict[str, str] = {}

    @classmethod
    def of(cls, sent: QueryDict) -> "Typed":
        """What was typed and ticked."""
        return cls(
            point=sent.get("point", LATEST),
            ticked=tuple(sent.getlist("acknowledge")),
            breaks="breaks" in sent,
            texts={name: sent.get(name, "") for name in KEPT},
        )


class Tried(msgspec.Struct, frozen=True):
    """A try that went no further, why, and what it held. ``before``: what was seen when it was decided; ``refused``:
    its record, if it has one; ``fields``: those of which the problem is.
    """

    problem: str = ""
    status: int = 200
    typed: Typed = Typed()
    before: Sighting | None = None
    refused: Action | None = None
    fields: tuple[str, ...] = ()

    @property
    def wrong(self) -> dict[str, str]:
        """What is wrong with which field, in the reader's words."""
        if self.refused is None:
            return dict.fromkeys(self.fields, self.problem)
        told = {reason.get("code"): str(reason.get("message", "")) for reason in self.refused.reasons}
        return {field: said(told[code]) for code, field in FIELDS.items() if code in told}


def topics(tenant: int, key: str) -> tuple[str, ...]:
    """What a page may show beside the dialog that an action changes."""
    return (f"server-row-{key}", f"server-panel-{key}", f"health-{tenant}")


def repairable(action: Action) -> bool:
    """Whether a refusal by the guard is one that a fresh dialog can go beyond: by a nod, a word, or broken glass."""
    marks = [reason.get("mark") for reason in action.reasons]
    glass = action.kind == Kind.START_PROD and not action.glass and max(marks, default=Mark.FREE) == Mark.GLASS
    return glass or any(reason.get("code") in AGAIN for reason in action.reasons)


def refusal(action: Action, changed: tuple[Drift, ...]) -> str:
    """Why the guard refused it, as far as the fresh dialog does not show it anyway."""
    told = [
        str(reason.get("message", ""))
        for reason in action.reasons
        if reason.get("code") in AGAIN and not (changed and reason.get("code") == "Changed")
    ]
    if changed:
        told.insert(0, english("Something changed since you looked."))
    return " ".join([english("Nothing was sent."), *dict.fromkeys(told)])


def context(seen: Preview, kind: Kind, tenant: Tenant, tried: Tried, *, proven: bool) -> dict[str, Any]:
    """What the dialog's templates take. ``proven``: the person gave their password just now."""
    verdict, server, typed = seen.verdict, seen.server, tried.typed
    asked: dict[str, str] = {}
    breaks = verdict.breakable
    for reason in verdict.reasons:
        if reason.mark is Mark.ACKNOWLEDGE or (breaks and reason.mark is Mark.GLASS):
            asked[reason.code] = (
                f"{asked[reason.code]} {said(reason.message)}" if reason.code in asked else said(reason.message)
            )
    changed = drifts(tried.before, seen.sighting) if tried.before else ()
    return {
        "verdict": verdict,
        "server": server,
        "name": cards.name_of(server),
        "tenant": tenant,
        "tenant_name": tenant.name,
        "beside": " ".join(topics(tenant.pk, server.key)),
        "label": verb(kind, server.status),
        "deed": deed(verb(kind, server.status)),
        "url": dialog_url(server.uuid, kind),
        "back": server_url(server.uuid),
        "kind": kind,
        "starts": kind is not Kind.STOP,
        "production": verdict.production,
        "card_status": cards.server_status(server),
        "whose": whose(server, origins.running([(tenant.pk, server)]).get((tenant.pk, server.key))),
        "vm_started": bool(server.vm and server.vm.status == "STARTED"),
        "asked": asked.items(),
        "blocking": list(
            dict.fromkeys(shown_reason(reason) for reason in verdict.reasons if reason.mark > Mark.ACKNOWLEDGE)
        ),
        "by_ids": BY_IDS,
        # Of another tenant on the same server the reader may know no more than that there is one.
        "ours": seen.ours if seen.ours and seen.ours.tenant_id == tenant.pk else None,
        "offers": verdict.allowed or breaks,
        "breaks": breaks,
        "unread": any(reason.code == "ReadFailed" for reason in verdict.reasons),
        "unfolded": breaks and typed.breaks,
        "shortest": SHORTEST_GLASS,
        "originals": [(one, one.words) for one in Original] if kind is Kind.START_PROD else [],
        "asks_password": breaks or (verdict.production and not proven),
        "proven": proven,
        "token": seen.token,
        "point": typed.point,
        "typed": typed.texts,
        "ticked": still(typed.ticked, tried.before, seen.sighting) if tried.before else (),
        "problem": tried.problem or (said(refusal(tried.refused, changed)) if tried.refused else ""),
        "wrong": tried.wrong,
        "drifts": changed,
        "refused": tried.refused,
    }
