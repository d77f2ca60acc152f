"""The overview, worst first: who needs a person now, what runs, what is blocked, what is ready. Pure but for words."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

import msgspec

from drdash.cloud.records import Site
from drdash.cloud.words import Readiness, ServerStatus
from drdash.failover.models import Action, Failover, State
from drdash.web import cards, wording
from drdash.web.actioncards import action_url
from drdash.web.buttons import server_url, site_url
from drdash.web.finding import Found
from drdash.web.whose import whose
from drdash.web.wording import Look, action_name, look_of

SHOWN = 15


class Line(msgspec.Struct, frozen=True):
    """One thing to know: what it is, where it is shown, since when; ``running``: it is under way."""

    look: Look
    name: str
    url: str
    text: str = ""
    at: datetime | None = None
    running: bool = False
    tenant: str = ""


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


def needs_person(
    found: Iterable[Found], sites: Iterable[tuple[str, Site]], live: Iterable[Action], names: dict[int, str]
) -> Section:
    """What no program will clear up: unknown outcomes, failures, sites that are not ready, backups far too late."""
    lines = [
        Line(
            look_of(wording.STATE, action.state),
            f"{action_name(action.kind, production=action.production)}: {action.server_name}",
            action_url(action),
            "Look in the cloud what became of it.",
            action.answered_at or action.sent_at,
            tenant=names[action.tenant_id],
        )
        for action in live
        if action.state == State.UNKNOWN
    ]
    servers = [(rank, line) for one in found for rank, line in _alarming(one, names[one.estate.tenant])]
    servers += [(1, _unready(site, tenant)) for tenant, site in sites if site.readiness == Readiness.ERROR]
    lines += [line for _, line in sorted(servers, key=lambda one: one[0])]
    return Section(tuple(lines[:SHOWN]), len(lines))


def running(found: Iterable[Found], live: dict[tuple[int, str], Action], names: dict[int, str]) -> Section:
    """What is under way, by the cloud's word or by ours."""
    lines = []
    for one in found:
        action = live.get((one.estate.tenant, one.key))
        ours = action is not None and action.state != State.UNKNOWN
        goes_on = cards.moving(one.server) or one.server.status == ServerStatus.FAILOVER_TEST_AUTO
        if not (ours or (goes_on and not one.seen.missing_since)):
            continue
        if action is not None and ours:
            state = look_of(wording.STATE, action.state).word.lower()
            text = f"{action_name(action.kind, production=action.production)}: {state}"
            at = action.sent_at or action.requested_at
        else:
            text, at = "Task of the cloud" if one.server.busy else "", None
        look = look_of(wording.SERVER_STATUS, one.server.status)
        lines.append(_line(one, look, names, text, at, running=True))
    return Section(tuple(lines[:SHOWN]), len(lines))


def tests_left(found: Iterable[Found], names: dict[int, str], runs: Mapping[tuple[int, str], Failover]) -> Section:
    """Tests that run until someone stops them, the longest first; an automated one ends by itself. ``runs``: what is
    known of what runs, to say who started it."""
    lines = []
    for one in found:
        if one.server.status == ServerStatus.FAILOVER_TEST and not one.server.busy:
            last = one.server.test_failover.last_start if one.server.test_failover else None
            told = whose(one.server, runs.get((one.estate.tenant, one.key)))
            words = told.words if told else ""
            lines.append(_line(one, look_of(wording.SERVER_STATUS, one.server.status), names, words, last))
    lines.sort(key=lambda line: (line.at is not None, line.at.timestamp() if line.at else 0))
    return Section(tuple(lines[:SHOWN]), len(lines), "?status=FAILOVER_TEST")


def blocked(found: Iterable[Found], names: dict[int, str]) -> Section:
    """Recovery servers that allow no action, with the worst of their issues."""
    lines = []
    for one in found:
        card = cards.server_card(one.seen, one.site)
        text = card.issues[0].message if card.issues else _site_says(one)
        lines.append(_line(one, Look("Blocked", "warn", "blocked"), names, text))
    return Section(tuple(lines[:SHOWN]), len(lines), "?blocked=true")


def by_status(found: Iterable[Found]) -> tuple[Tile, ...]:
    """Servers by status, what moves and what is unknown before what stands by."""
    counts = Counter(str(one.server.status or "") for one in found)
    rank = {"bad": 0, "prod": 1, "warn": 2, "moving": 3, "still": 4}
    looks = {status: look_of(wording.SERVER_STATUS, status) for status in counts}
    ordered = sorted(counts, key=lambda status: (rank.get(looks[status].tone, 5), looks[status].word))
    return tuple(Tile(looks[one], counts[one], f"?status={one}" if one else "") for one in ordered)


def _alarming(one: Found, tenant: str) -> Iterator[tuple[int, Line]]:
    """What is alarming about a server, each with its rank: production, then what stands between it and the next one."""
    server, url, name = one.server, server_url(one.server.uuid), cards.name_of(one.server)
    if server.status == ServerStatus.FINALIZATION_FAILED:
        text = "Production runs, but it could not be finalized."
        yield 0, Line(look_of(wording.SERVER_STATUS, server.status), name, url, text, tenant=tenant)
    if one.seen.missing_since:
        text, look = "The cloud no longer lists it.", Look("Missing", "warn", "unknown")
        yield 2, Line(look, name, url, text, one.seen.missing_since, tenant=tenant)
    if server.rpo and server.rpo.status in {"ERROR", "CRITICAL"}:
        text = "Its last backup is too old to rely on."
        rank = 3 if server.rpo.status == "CRITICAL" else 4
        yield rank, Line(wording.RPO[server.rpo.status], name, url, text, tenant=tenant)
    if (test := server.automated_test) and test.last_status == "FAILURE":
        look = wording.AUTOMATED_TEST["FAILURE"]
        yield 5, Line(look, name, url, "It may not start when it is needed.", test.last_start, tenant=tenant)


def _unready(site: Site, tenant: str) -> Line:
    message = site.issues[0].message if site.issues else ""
    name = cards.site_name(site.uuid, site)
    return Line(wording.READINESS[Readiness.ERROR], f"Site {name.short}", site_url(site.uuid), message, tenant=tenant)


def _line(
    one: Found, look: Look, names: dict[int, str], text: str = "", at: datetime | None = None, *, running: bool = False
) -> Line:
    name, url = cards.name_of(one.server), server_url(one.server.uuid)
    return Line(look, name, url, text, at, running=running, tenant=names[one.estate.tenant])


def _site_says(one: Found) -> str:
    site = one.site
    if site is None:
        return "Its site is not known."
    if site.issues:
        return f"Its site: {site.issues[0].message}"
    return look_of(wording.READINESS, site.readiness).word
