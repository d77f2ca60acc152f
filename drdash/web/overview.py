"""The overview, worst first: its lines, and the sections made of them. Pure but for words."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from urllib.parse import urlencode

import msgspec
from django.urls import reverse

from drdash.cloud.records import Server
from drdash.cloud.words import ServerStatus
from drdash.failover import origins
from drdash.failover.guard import PRODUCTION
from drdash.failover.models import Action, Failover, State
from drdash.web import cards, wording
from drdash.web.buttons import server_url
from drdash.web.finding import Found
from drdash.web.phrases import phrase
from drdash.web.whose import Whose, whose
from drdash.web.wording import Look, action_name, look_of

SHOWN = 15
FEW = 6
FIRST_SEEN, CHANGED = phrase("first seen"), phrase("changed")
BLOCKED = Look(phrase("Blocked"), "warn", "blocked")
DUE = Look(phrase("Test due"), "warn", "clock")
NEVER_TESTED = Look(phrase("Never tested"), "warn", "warn")

Runs = Mapping[tuple[int, str], Failover]


class Line(msgspec.Struct, frozen=True):
    """One thing to know: what it is, where it is shown, since when, and what to do about it.

    ``dated`` says what ``at`` is the time of, where that is not plain; ``changed`` names the server and the kind of
    change that would tell it. ``tasks``: where the progress of what runs is told.
    """

    look: Look
    name: str
    url: str
    text: str = ""
    at: datetime | None = None
    dated: str = ""
    do: str = ""
    do_url: str = ""
    tenant: str = ""
    changed: tuple[int, str, str] | None = None
    running: bool = False
    tasks: str = ""
    key: str = ""


class Section(msgspec.Struct, frozen=True):
    """Lines of one kind, the first few; ``count`` of all, which ``more`` lists."""

    lines: tuple[Line, ...]
    count: int
    more: str = ""


class Tile(msgspec.Struct, frozen=True):
    """A count that leads to its list."""

    look: Look
    count: int
    url: str


def section(lines: Sequence[Line], more: str = "", *, shown: int = SHOWN) -> Section:
    """The first of the lines, with the count of all."""
    return Section(tuple(lines[:shown]), len(lines), more)


def by_age(line: Line) -> tuple[bool, float]:
    """What never was, or nobody knows since when, before what was longest ago."""
    return line.at is not None, line.at.timestamp() if line.at else 0.0


def is_left(server: Server) -> bool:
    """Whether a test runs there until someone stops it; an automated one ends by itself."""
    return server.status == ServerStatus.FAILOVER_TEST and not server.busy


def is_active(server: Server) -> bool:
    """Whether anything is under way on the server by the cloud's word: a task, a change, a failover."""
    return cards.moving(server) or origins.tells(server.status) is not None or bool(origins.failover_id(server))


def running(
    active: Iterable[Found], live: Mapping[tuple[int, str], Action], names: Mapping[int, str], runs: Runs
) -> Section:
    """What is under way, production first: by the cloud's word or by ours, who started it, and since when."""
    ranked: list[tuple[int, Found, Action | None]] = []
    for one in active:
        where = (one.estate.tenant, one.key)
        action = live.get(where)
        ours = action if action is not None and action.state != State.UNKNOWN else None
        if ours is None and (is_left(one.server) or one.seen.missing_since or not is_active(one.server)):
            continue
        production = one.server.status in PRODUCTION or origins.produces(one.server, runs.get(where))
        ranked.append((0 if production else 1 if ours else 2, one, ours))
    ranked.sort(key=lambda told: told[0])
    lines = tuple(
        _running(one, ours, runs.get((one.estate.tenant, one.key)), names[one.estate.tenant])
        for _, one, ours in ranked[:SHOWN]
    )
    return Section(lines, len(ranked))


def tests_left(active: Iterable[Found], names: Mapping[int, str], runs: Runs) -> list[Line]:
    """Tests that run until someone stops them, the longest first, with who started them."""
    lines = []
    for one in active:
        if is_left(one.server) and not one.seen.missing_since:
            last = one.server.test_failover.last_start if one.server.test_failover else None
            told = whose(one.server, runs.get((one.estate.tenant, one.key)))
            words = _sentence(told) if told else phrase("Nobody here knows who started it.")
            line = _line(one, look_of(wording.SERVER_STATUS, one.server.status), names[one.estate.tenant], words, last)
            lines.append(msgspec.structs.replace(line, do=phrase("Stop it when nobody needs it any more.")))
    return sorted(lines, key=by_age)


def by_status(counts: Mapping[str, int], tenant: str = "") -> tuple[Tile, ...]:
    """Servers by status, what moves and what is unknown before what stands by. ``tenant``: of that one alone."""
    rank = {"bad": 0, "prod": 1, "warn": 2, "moving": 3, "still": 4}
    looks = {status: look_of(wording.SERVER_STATUS, status) for status in counts}
    ordered = sorted(counts, key=lambda status: (rank.get(looks[status].tone, 5), looks[status].word))
    return tuple(Tile(looks[one], counts[one], listed(status=one, tenant=tenant)) for one in ordered)


def listed(**wanted: str) -> str:
    """The list of servers with these filters, as far as they are given."""
    given = {name: value for name, value in wanted.items() if value}
    return f"{reverse('servers')}?{urlencode(given)}" if given else reverse("servers")


def _running(one: Found, ours: Action | None, failover: Failover | None, tenant: str) -> Line:
    server, told = one.server, whose(one.server, failover)
    look = look_of(wording.SERVER_STATUS, server.status)
    at: datetime | None = None
    text: str
    if ours is not None:
        name, by = action_name(ours.kind, production=ours.production), ours.user.get_username()
        text = phrase(
            "%(action)s by %(person)s: %(state)s.",
            action=name,
            person=by,
            state=look_of(wording.STATE, ours.state).word,
        )
        at, dated = ours.sent_at or ours.requested_at, ""
    elif told is not None:
        text, at, dated = _sentence(told), told.at, FIRST_SEEN if told.seen else ""
    else:
        text, at, dated = (phrase("A task of the cloud is at work.") if server.busy else ""), None, ""
    return msgspec.structs.replace(
        _line(one, look, tenant, text, at),
        dated=dated,
        running=server.busy or ours is not None or look.icon == "moving",
        tasks=f"{server_url(server.uuid)}tasks/?brief" if server.busy else "",
        key=_mark(one),
        changed=None if at else (one.estate.tenant, one.key, "status"),
    )


def _mark(one: Found) -> str:
    """What tells the tasks of a server from those of others, and from its next ones."""
    told = "\n".join([str(one.estate.tenant), one.key, *sorted(one.server.task_uuids)])
    return blake2b(told.encode(), digest_size=8).hexdigest()


def _line(one: Found, look: Look, tenant: str, text: str = "", at: datetime | None = None) -> Line:
    return Line(look, cards.name_of(one.server), server_url(one.server.uuid), text, at, tenant=tenant)


def _sentence(told: Whose) -> str:
    return phrase("%(sentence)s.", sentence=told.sentence)
