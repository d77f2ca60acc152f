"""What everyone of a tenant has to know, on every page, whatever they came for: one line for each kind of thing."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from urllib.parse import urlencode

import msgspec
from django.contrib.auth.models import User
from django.db.models import Q
from django.urls import reverse

from drdash.estate.snapshot import Estate
from drdash.failover import approvals, origins
from drdash.failover.models import LIVE, Action, Approval, Batch, State
from drdash.tenants.access import Reach
from drdash.web import cards, wording
from drdash.web.actioncards import action_url
from drdash.web.approvalcards import asked_of
from drdash.web.batchcards import batch_url, waiting
from drdash.web.buttons import server_url
from drdash.web.finding import Found
from drdash.web.phrases import phrase
from drdash.web.said import stored
from drdash.web.steps import state_of
from drdash.web.whose import whose
from drdash.web.wording import action_name, look_of

SHOWN = 20
GLASS_FOR = timedelta(hours=24)


class Said(msgspec.Struct, frozen=True):
    """One thing: its name leads to it; behind that stand ``text``, when it was (``first``: when it was first seen), and
    ``then``."""

    name: str
    url: str
    text: str = ""
    at: datetime | None = None
    first: bool = False
    then: str = ""
    tenant: str = ""


class Notice(msgspec.Struct, frozen=True):
    """All things of one kind, the first few. ``title`` says what they are; ``more`` leads to lists of them."""

    kind: str
    tone: str
    icon: str
    title: str
    count: int
    said: tuple[Said, ...]
    more: tuple[tuple[str, str], ...] = ()


def told(
    user: User, reach: Reach, estates: Mapping[int, Estate], live: Iterable[Action], now: datetime
) -> tuple[Notice, ...]:
    """Every notice that this person has to see, the gravest first."""
    names = {pk: tenant.name for pk, tenant in reach.tenants.items()}
    asked = approvals.waiting_for(user, now) if any(one.two_persons for one in reach.tenants.values()) else []
    found = (_glass(names, now), _unknown(live, names), _production(estates, names), _approvals(asked, names))
    return tuple(notice for notice in (*found, _batches(waiting(user.pk, reach))) if notice is not None)


def _glass(names: dict[int, str], now: datetime) -> Notice | None:
    """For whoever did not see it happen: until the action is over, and a day at least."""
    recent = Q(state__in=LIVE) | Q(finished_at__gt=now - GLASS_FOR)
    broken = Action.objects.filter(recent, tenant__in=list(names), sent_at__isnull=False).exclude(glass="")
    said = [
        Said(
            name=_name(action),
            url=action_url(action),
            text=phrase("asked for by %(who)s", who=action.user.get_username()),
            at=action.requested_at,
            then=phrase("%(state)s. %(why)s", state=state_of(action).word, why=stored(action.glass)),
            tenant=names[action.tenant_id],
        )
        for action in broken.select_related("user")
    ]
    return _notice("glass", "bad", "bad", phrase("Glass broken"), said)


def _unknown(live: Iterable[Action], names: dict[int, str]) -> Notice | None:
    said = [
        Said(
            name=_name(action),
            url=action_url(action),
            text=phrase("sent by %(who)s", who=action.user.get_username()),
            at=action.sent_at,
            tenant=names[action.tenant_id],
        )
        for action in live
        if action.state == State.UNKNOWN
    ]
    more = [(f"{reverse('actions')}?state=unknown", phrase("All of them"))]
    return _notice("unknown", "warn", "unknown", phrase("Outcome unknown, a person has to look"), said, more)


def _production(estates: Mapping[int, Estate], names: dict[int, str]) -> Notice | None:
    every = [Found(estate, key, one) for estate in estates.values() for key, one in estate.servers.items()]
    perhaps = [one for one in every if origins.tells(one.server.status) is not False]
    perhaps = [one for one in perhaps if origins.tells(one.server.status) or origins.failover_id(one.server)]
    runs = origins.running((one.estate.tenant, one.server) for one in perhaps)
    active = [one for one in perhaps if origins.produces(one.server, runs.get((one.estate.tenant, one.key)))]
    active.sort(key=lambda one: (one.server.name.casefold(), one.key))
    said = []
    for one in active:
        told = whose(one.server, runs.get((one.estate.tenant, one.key)))
        said.append(
            Said(
                name=cards.name_of(one.server),
                url=server_url(one.server.uuid),
                text=told.words if told else "",
                at=told.at if told else None,
                first=bool(told and told.seen),
                tenant=names[one.estate.tenant],
            )
        )
    counts = Counter(str(one.server.status or "") for one in active).most_common()
    more = [
        (
            _of_status(status),
            phrase("%(count)s %(status)s", count=count, status=look_of(wording.SERVER_STATUS, status).word),
        )
        for status, count in counts
    ]
    return _notice("production", "prod", "production", phrase("Production failover active"), said, more)


def _approvals(waiting: Iterable[Approval], names: dict[int, str]) -> Notice | None:
    said = [
        Said(
            name=phrase(
                "%(action)s of %(server)s", action=action_name(one.kind, production=True), server=asked_of(one)[0]
            ),
            url=asked_of(one)[1],
            text=phrase("asked for by %(who)s", who=one.asked_by.get_username()),
            at=one.asked_at,
            tenant=names.get(one.tenant_id, ""),
        )
        for one in waiting
    ]
    return _notice(
        "approvals",
        "warn",
        "ask",
        phrase("Waits for your approval"),
        said,
        [(reverse("approvals"), phrase("All of them"))],
    )


def _batches(paused: Iterable[Batch]) -> Notice | None:
    said = [
        Said(phrase("Batch %(batch)s", batch=one.pk), batch_url(one), at=one.changed_at, then=stored(one.why))
        for one in paused
    ]
    return _notice("batches", "warn", "wait", phrase("Paused until you say that it goes on"), said)


def _of_status(status: str) -> str:
    return f"{reverse('servers')}?{urlencode({'status': status})}"


def _name(action: Action) -> str:
    name = action_name(action.kind, production=action.production)
    return phrase("%(action)s of %(server)s", action=name, server=action.server_name or action.server_uuid)


def _notice(
    kind: str, tone: str, icon: str, title: str, said: Sequence[Said], more: Sequence[tuple[str, str]] = ()
) -> Notice | None:
    return Notice(kind, tone, icon, title, len(said), tuple(said[:SHOWN]), tuple(more)) if said else None
