"""A server's recovery points: those that a start's dialog offers, loaded once it is open, and a list of them."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from hashlib import blake2b
from urllib.parse import urlencode

import msgspec
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.formats import number_format
from django.views.decorators.http import require_safe

from drdash.cloud.neighbours import links
from drdash.cloud.neighbours import points as vault
from drdash.cloud.neighbours.points import CLEAN, MALWARE, Point, Points
from drdash.cloud.records import RecoveryPoint, Server
from drdash.cloud.words import Rel
from drdash.tenants.models import Tenant
from drdash.tenants.roles import Role
from drdash.web import beside
from drdash.web.beside import Trouble
from drdash.web.buttons import server_url
from drdash.web.cards import name_of
from drdash.web.finding import Found
from drdash.web.forms import LATEST, known_points, recovery_point
from drdash.web.frame import Frame, frame_of, page, server_or_404
from drdash.web.phrases import joined, phrase, phrases
from drdash.web.said import stored
from drdash.web.wording import Look

LISTED = 20
# The cloud's clock and ours may differ by this much before "you lose" is told by the cloud's.
SKEW = timedelta(minutes=1)
KIND = {
    "full": phrase("full"),
    "incremental": phrase("incremental"),
    "differential": phrase("differential"),
    "cdp": phrase("continuous"),
}
Told = Callable[[datetime | None], str]
FOUND = Look(phrase("malware found"), "bad", "bad")


class Choice(msgspec.Struct, frozen=True):
    """One line of the dialog: what its radio sends, and what is known of it. ``off``: it cannot be chosen."""

    value: str
    words: str = ""
    point: RecoveryPoint | None = None
    made: datetime | None = None
    loses: str = ""
    facts: str = ""
    marks: tuple[Look, ...] = ()
    off: bool = False

    @property
    def id(self) -> str:
        """What its element is called, in the dialog and in what is loaded later."""
        return f"choice-{blake2b(self.value.encode(), digest_size=6).hexdigest()}"


class Offer(msgspec.Struct, frozen=True):
    """What the cloud's list adds to a dialog: more ``choices``, what became known of those that were shown ``above``
    without it, and in words what is missing. ``read``: there was a list.
    """

    choices: tuple[Choice, ...] = ()
    above: tuple[Choice, ...] = ()
    notes: tuple[str, ...] = ()
    read: bool = False


def above(server: Server, *chosen: str) -> tuple[Choice, ...]:
    """The choices that need no list: the latest, those that the server names, and one that was chosen before."""
    known = [Choice(LATEST, phrase("Latest, chosen by the cloud"))]
    known += [Choice(value, words, point) for value, words, point in known_points(server)]
    for value in chosen:
        if value not in {one.value for one in known} and (point := recovery_point(value)):
            known.append(Choice(value, phrase("The one chosen before"), point))
    return tuple(known)


def url(server: Server, shown: tuple[Choice, ...], *, test: bool) -> str:
    """Where the rest is loaded from; it is told which choices are there already, and whether it is for a test."""
    asked = [("above", one.value) for one in shown] + [("test", "1")] * test
    return f"{server_url(server.uuid)}recovery-points/?{urlencode(asked)}"


@require_safe
def points(request: HttpRequest, uuid: str) -> HttpResponse:
    """The list for a dialog, which says what it has ``above``: a viewer has none. Else for the server's page, or by
    itself. Where there is none, in words why."""
    frame = frame_of(request)
    found = server_or_404(frame, uuid)
    tenant = found.estate.tenant
    if "above" not in request.GET:
        return _listed(request, frame, found)
    if frame.role(tenant) is Role.VIEWER:
        raise Http404
    shown, test = above(found.server, *request.GET.getlist("above")[:5]), "test" in request.GET
    offer = offered(frame.reach.tenants[tenant], found.server, shown, test=test)
    return HttpResponse(render_to_string("dialogs/_points.html", {"offer": offer, "test": test, "oob": True}, request))


def _listed(request: HttpRequest, frame: Frame, found: Found) -> HttpResponse:
    offer = offered(frame.reach.tenants[found.estate.tenant], found.server, (), test=True)
    server, now = found.server, timezone.now()
    context = {
        "offer": offer,
        "points": offer.choices[:LISTED],
        "name": name_of(server),
        "back": server_url(server.uuid),
    }
    if request.headers.get("HX-Request") == "true":
        return render(request, "servers/_points.html", {**context, "now": now})
    return page(request, "servers/points.html", context, frame=frame)


def offered(tenant: Tenant, server: Server, shown: tuple[Choice, ...], *, test: bool) -> Offer:
    """Ask the cloud for the server's recovery points; ``shown`` are the choices that are there without. ``test``: they
    are for a test, which loses nothing.
    """
    href = next((link.href for link in server.links or () if link.rel == Rel.RECOVERY_POINTS), None)
    if href is None:
        return Offer(above=shown, notes=(phrase("The cloud names no list of recovery points for this server."),))
    path = links.own_path(href, tenant.credential.cloud, api=links.BACKUPS)
    if path is None:
        words = phrase("The list of recovery points is not on the cloud's own host, so it was not asked for.")
        return Offer(above=shown, notes=(words,))
    now = timezone.now()
    read = beside.ask(tenant, beside.BACKUPS, lambda get: vault.read(path, get, now=now.timestamp()))
    if isinstance(read, Trouble):
        return Offer(above=shown, notes=(read.sentence,))
    return sorted_out(read, shown, now, test=test)


def sorted_out(read: Points, shown: tuple[Choice, ...], now: datetime, *, test: bool = False) -> Offer:
    """The list as choices, without those that are ``shown`` above: of these it tells what became known. Pure."""
    if read.at and abs(read.at - now) > SKEW:
        now = read.at
    told = partial(loses, now=now, test=test)
    listed = {_value(one.ids): one for one in read.items}
    have = {one.value for one in shown}
    usable = [value for value, one in listed.items() if not one.broken]
    news = [_latest(one, read, told) if one.value == LATEST else _news(one, listed, read, told) for one in shown]
    notes: list[str] = []
    if broken := len(listed) - len(usable):
        notes.append(
            phrases(
                "1 more is not offered: the check before a failover found a critical error.",
                "%(count)s more are not offered: the check before a failover found a critical error.",
                broken,
            )
        )
    if read.unreadable:
        notes.append(
            phrases(
                "1 more is not offered: the ids cannot be read.",
                "%(count)s more are not offered: the ids cannot be read.",
                read.unreadable,
            )
        )
    if read.rest:
        notes.append(stored(read.rest))
    choices = tuple(_choice(value, listed[value], told) for value in usable if value not in have)
    if not usable:
        notes.insert(0, phrase("The cloud lists no recovery point that can be used."))
    elif not choices:
        notes.insert(0, phrase("The cloud lists no other recovery point."))
    return Offer(choices, tuple(news), tuple(notes), read=True)


def _choice(value: str, point: Point, told: Told) -> Choice:
    facts = [KIND.get(point.type, point.type), size(point.size)]
    marks = [FOUND] if point.malware == MALWARE else []
    if point.malware == CLEAN:
        facts.append(phrase("no malware found"))
    elif point.malware and point.malware != MALWARE:
        marks.append(Look(phrase("malware check: %(result)s", result=point.malware)))
    if point.check:
        marks.append(Look(phrase("check: %(result)s", result=stored(point.check)), "warn", "warn"))
    return Choice(
        value=value,
        point=point.ids,
        made=point.created,
        loses=told(point.created),
        facts=joined(phrase(", "), filter(None, facts)),
        marks=tuple(marks),
    )


def _latest(one: Choice, read: Points, told: Told) -> Choice:
    """What is known of the latest: the cloud takes it by itself, so only a newest one without a doubt tells."""
    newest = next(iter(read.items), None)
    if newest is None or not read.newest:
        return one
    if newest.broken:
        words = phrase("The check of the newest one found a critical error: which one the cloud takes is not known.")
        return msgspec.structs.replace(one, loses=words)
    return msgspec.structs.replace(_choice(one.value, newest, told), words=one.words, point=None)


def _news(one: Choice, listed: dict[str, Point], read: Points, told: Told) -> Choice:
    point = listed.get(one.value)
    if point is None:
        return one if read.rest else msgspec.structs.replace(one, loses=phrase("The cloud no longer lists it."))
    known = msgspec.structs.replace(_choice(one.value, point, told), words=one.words)
    if point.broken:
        words = phrase("Its check found a critical error: it cannot be chosen.")
        return msgspec.structs.replace(known, loses=words, off=True)
    return known


def loses(made: datetime | None, now: datetime, *, test: bool = False) -> str:
    """What a start from a point of that time loses, in words; how old its data is for a test, which loses nothing."""
    if made is None and test:
        return phrase("The cloud does not say when it was made.")
    if made is None:
        return phrase("The cloud does not say when it was made: what you lose is not known.")
    if made > now + SKEW and test:
        return phrase("It is dated in the future.")
    if made > now + SKEW:
        return phrase("It is dated in the future: what you lose is not known.")
    age = span(now - made)
    return phrase("Its data is %(span)s old.", span=age) if test else phrase("You lose %(span)s.", span=age)


def span(age: timedelta) -> str:
    """A length of time to the minute: ``6 h 12 min``; beyond a day to the hour."""
    minutes = max(0, int(age.total_seconds())) // 60
    days, hours, left = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return phrase("%(days)s d %(hours)s h", days=days, hours=hours)
    if hours:
        return phrase("%(hours)s h %(minutes)s min", hours=hours, minutes=left)
    return phrase("%(minutes)s min", minutes=left) if left else phrase("less than a minute")


def size(count: int | None) -> str:
    """A number of bytes in words; empty when it is not known."""
    if count is None:
        return ""
    amount, units = float(count), ["B", "KiB", "MiB", "GiB"]
    while amount >= 1024 and len(units) > 1:
        amount, units = amount / 1024, units[1:]
    return f"{count} B" if units[0] == "B" else f"{number_format(round(amount, 1), 1, force_grouping=True)} {units[0]}"


def _value(point: RecoveryPoint) -> str:
    return msgspec.json.encode(point).decode()
