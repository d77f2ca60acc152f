"""What happened to a server: what reads saw change, and the actions from here, as one line of time."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import msgspec
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_safe

from drdash.estate.changes import OF_SITE, Changed, What
from drdash.estate.history import of_site
from drdash.estate.models import Moment
from drdash.failover.models import Action
from drdash.web import cards, wording
from drdash.web.actioncards import ActionCard, action_card, stamp
from drdash.web.buttons import server_url
from drdash.web.frame import digest, frame_of, page, part, server_or_404, wants_part
from drdash.web.phrases import phrase
from drdash.web.wording import Look, look_of

PAGE = 15

_OWN: dict[str, tuple[Look, str]] = {
    What.MISSING: (Look(phrase("Missing"), "warn", "unknown"), phrase("The cloud no longer lists it.")),
    What.RETURNED: (Look(phrase("Back"), "still", "on"), phrase("The cloud lists it again.")),
    What.UNSAID: (
        Look(phrase("Issues not said"), "warn", "unknown"),
        phrase("The cloud no longer says which issues there are."),
    ),
    What.SAID: (
        Look(phrase("Issues said"), "still", "standby"),
        phrase("The cloud says again which issues there are."),
    ),
}
_WORDS = {What.STATUS: wording.SERVER_STATUS, What.MACHINE: wording.VM_STATUS, What.BACKUP: wording.RPO}
_WORDS |= {What.SITE: wording.SITE_STATUS, What.READINESS: wording.READINESS}


class Line(msgspec.Struct, frozen=True):
    """One thing that happened. ``at``: when, where that is not when it was seen."""

    look: Look
    text: str = ""
    code: str = ""
    blocks: tuple[str, ...] = ()
    at: datetime | None = None


class Happening(msgspec.Struct, frozen=True):
    """What happened at one time: an action from here, or what a read saw."""

    at: datetime
    lines: tuple[Line, ...] = ()
    action: ActionCard | None = None


class History(msgspec.Struct, frozen=True):
    """A page of it, the newest first; ``have`` changes with what is shown. ``earlier``: where the next page begins."""

    happenings: tuple[Happening, ...]
    earlier: datetime | None
    have: str


def history(tenant: int, server: str, *, site: str = "", before: datetime | None = None, most: int = PAGE) -> History:
    """What happened to the server (its key), and to its site, before a time, of both kinds; what was at one time stays
    on one page."""
    moments = Moment.objects.filter(tenant_id=tenant, server_uuid__in=[server, *([of_site(site)] if site else [])])
    asked = Action.objects.filter(tenant_id=tenant, server_uuid=server).select_related("user")
    if before is not None:
        moments, asked = moments.filter(at__lt=before), asked.filter(requested_at__lt=before)
    both: list[Moment | Action] = [*moments[: most + 1], *asked.order_by("-requested_at", "-id")[: most + 1]]
    both.sort(key=_at, reverse=True)
    shown = both[:most]
    while len(shown) < len(both) and _at(both[len(shown)]) == _at(shown[-1]):
        shown.append(both[len(shown)])
    return History(
        happenings=tuple(map(_happening, shown)),
        earlier=_at(shown[-1]) if len(shown) < len(both) else None,
        have=digest([before, len(both), *(stamp(one) if isinstance(one, Action) else one.pk for one in shown)]),
    )


def context(server: cards.ServerCard, told: History, *, before: datetime | None = None) -> dict[str, Any]:
    """For ``servers/_history.html``."""
    here = url(server.server.uuid)
    return {
        "history": told,
        "have": told.have,
        "here": f"{here}?{urlencode({'before': before.isoformat()})}" if before else here,
        "earlier": f"{here}?{urlencode({'before': told.earlier.isoformat()})}" if told.earlier else "",
        "newest": here if before else "",
        "actions": f"{reverse('actions')}?{urlencode({'server': server.server.key})}",
    }


def url(uuid: str) -> str:
    """The page of a server's history."""
    return f"{server_url(uuid)}history/"


@require_safe
def shown(request: HttpRequest, uuid: str) -> HttpResponse:
    """A server's history as a page, or as the part of the server's page that it is there."""
    frame = frame_of(request)
    found = server_or_404(frame, uuid)
    before = _moment(request.GET.get("before", ""))
    card = cards.server_card(found.seen, found.site)
    told = context(
        card, history(found.estate.tenant, found.key, site=found.server.site_key, before=before), before=before
    )
    if wants_part(request, "history"):
        return part(request, "servers/_history.html", told)
    return page(request, "servers/history.html", {**told, "card": card}, frame=frame)


def lines(changes: list[dict[str, Any]]) -> tuple[Line, ...]:
    """A moment's changes in words: an issue that blocks several things is told once."""
    links: dict[Changed, list[str]] = {}
    for one in msgspec.convert(changes, list[Changed]):
        links.setdefault(msgspec.structs.replace(one, link=""), []).append(one.link)
    return tuple(_line(one, tuple(filter(None, blocked))) for one, blocked in links.items())


def _at(one: Moment | Action) -> datetime:
    return one.at if isinstance(one, Moment) else one.requested_at


def _happening(one: Moment | Action) -> Happening:
    if isinstance(one, Action):
        return Happening(one.requested_at, action=action_card(one))
    return Happening(one.at, lines=lines(one.changes))


def _about(link: str) -> str:
    return phrase("the site") if link == OF_SITE else wording.rel_words(link)


def _of_site(links: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_about(one) for one in links if one == OF_SITE)


def _line(one: Changed, links: tuple[str, ...]) -> Line:
    if one.what in _OWN:
        return Line(*_OWN[one.what])
    match one.what:
        case What.STATUS | What.MACHINE | What.BACKUP:
            words = _WORDS[What(one.what)]
            return Line(look_of(words, one.after), phrase("(was: %(status)s)", status=look_of(words, one.before).word))
        case What.SITE | What.READINESS:
            words = _WORDS[What(one.what)]
            return Line(
                look_of(words, one.after), phrase("(the site; was: %(status)s)", status=look_of(words, one.before).word)
            )
        case What.TESTED:
            at = _moment(one.before)
            return Line(look_of(wording.AUTOMATED_TEST, one.after), phrase("of") if at else "", at=at)
        case What.LISTED:
            return Line(Look(phrase("New"), "still", "on"), _first_seen(one.after))
        case What.CAME:
            busy = Look(phrase("Busy"), "moving", "moving")
            look = busy if one.code == "ResourceBusy" else look_of(wording.SEVERITY, one.severity)
            return Line(look, one.message or one.code, one.code, tuple(map(_about, links)))
        case What.WENT:
            return Line(Look(phrase("Issue gone"), "still", "good"), one.message or one.code, one.code, _of_site(links))
    return Line(Look(one.what), one.after)


def _first_seen(status: str) -> str:
    return phrase("First seen, in %(status)s.", status=look_of(wording.SERVER_STATUS, status).word)


def _moment(text: str) -> datetime | None:
    """A time with its zone; None for anything else."""
    try:
        at = parse_datetime(text)
        return None if at is None or timezone.is_naive(at) else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
