"""What the overview says of one tenant: made once for each version of its estate, and kept."""

from collections import Counter
from collections.abc import Hashable, Mapping
from datetime import datetime

import msgspec

from drdash.cloud.words import Readiness, ServerType
from drdash.estate.snapshot import Estate
from drdash.failover.models import Action
from drdash.failover.ours import own_state
from drdash.tenants.models import Tenant
from drdash.tenants.roles import Posture
from drdash.web import buttons, cards, needs, overview, tested, wording
from drdash.web.actioncards import stamp
from drdash.web.buttons import server_url
from drdash.web.finding import Found
from drdash.web.needs import Told
from drdash.web.overview import Line
from drdash.web.phrases import phrase
from drdash.web.wording import Look, action_name, look_of


class SiteTile(msgspec.Struct, frozen=True):
    """A site in few words."""

    tenant: int
    owner: str
    name: cards.SiteName
    readiness: Look
    servers: int
    issues: str


class Watched(msgspec.Struct, frozen=True):
    """A tenant as last seen. ``active``: where something runs; ``held``: servers on which a person chose that nothing
    is done; ``due``: servers to be tested, the longest untested first."""

    tenant: int
    name: str
    needs: tuple[Told, ...]
    active: tuple[Found, ...]
    blocked: tuple[Line, ...]
    due: tuple[Line, ...]
    statuses: Mapping[str, int]
    sites: tuple[SiteTile, ...]
    servers: int
    recovery: int
    held: int


_kept: dict[int, tuple[Hashable, Watched]] = {}


def watched(owner: Tenant, estate: Estate, ours: Mapping[str, Action], now: datetime) -> Watched:
    """The tenant as last seen, with our actions that are not over there, by server. Whether a test is due is judged by
    the hour, so that what is kept stays good for so long."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    key = (owner.name, owner.posture, estate.version, len(estate.servers), hour, *map(stamp, ours.values()))
    known = _kept.get(owner.pk)
    if known is None or known[0] != key:
        known = _kept[owner.pk] = (key, look_at(owner, estate, ours, hour))
    return known[1]


def look_at(owner: Tenant, estate: Estate, ours: Mapping[str, Action], now: datetime) -> Watched:
    """The same, made anew."""
    found = [Found(estate, key, seen) for key, seen in estate.servers.items()]
    found.sort(key=lambda one: (one.server.name.casefold(), one.key))
    recovery = [one for one in found if one.server.type == ServerType.RECOVERY]
    # Where a person chose that nothing may be done, a server is no more blocked than its neighbours.
    armed = owner.posture is Posture.ARMED
    told = [told for one in found for told in needs.of_server(one, owner.name)]
    told += [told for seen in estate.sites.values() for told in needs.of_site(seen, owner.name)]
    due = [one for one in recovery if not one.seen.missing_since and tested.due(one.server, now)]
    return Watched(
        tenant=owner.pk,
        name=owner.name,
        needs=tuple(told),
        active=tuple(one for one in found if one.key in ours or overview.is_active(one.server)),
        blocked=tuple(
            _blocked(one, owner.name, ours.get(one.key)) for one in recovery if armed and _is_blocked(one, owner, ours)
        ),
        due=tuple(sorted((_due(one, owner.name) for one in due), key=overview.by_age)),
        statuses=Counter(str(one.server.status or "") for one in found),
        sites=_sites(owner, estate),
        servers=len(found),
        recovery=len(recovery),
        held=0 if armed else len(recovery),
    )


def _is_blocked(one: Found, owner: Tenant, ours: Mapping[str, Action]) -> bool:
    missing, action = one.seen.missing_since is not None, own_state(ours.get(one.key))
    return buttons.blocked(one.server, one.site, action, posture=owner.posture, missing=missing)


def _blocked(one: Found, tenant: str, ours: Action | None) -> Line:
    """A recovery server that allows no action, with ours that is not over, or the first of its issues or its site's."""
    server, site = one.server, one.site
    text: str
    if ours is not None:
        name, state = action_name(ours.kind, production=ours.production), look_of(wording.STATE, ours.state).word
        text = phrase("%(action)s: %(state)s", action=name, state=state)
    elif server.issues:
        text = server.issues[0].message or server.issues[0].code
    elif site is None:
        text = phrase("Its site is not known.")
    elif site.issues:
        text = phrase("Its site: %(issue)s", issue=site.issues[0].message)
    elif site.readiness == Readiness.OK:
        text = look_of(wording.SERVER_STATUS, server.status).word
    else:
        text = look_of(wording.READINESS, site.readiness).word
    return Line(overview.BLOCKED, cards.name_of(server), server_url(server.uuid), text, tenant=tenant)


def _due(one: Found, tenant: str) -> Line:
    at, test = tested.last_start(one.server), one.server.automated_test
    look = overview.DUE if at else overview.NEVER_TESTED
    every = wording.SCHEDULE[test.schedule] if test and test.schedule in tested.SPANS else ""
    text = phrase("It was to be tested %(every)s.", every=every) if every else ""
    return Line(look, cards.name_of(one.server), server_url(one.server.uuid), text, at, tenant=tenant)


def _sites(owner: Tenant, estate: Estate) -> tuple[SiteTile, ...]:
    counts = Counter(seen.record.site_key for seen in estate.servers.values())
    tiles = []
    for key, seen in sorted(estate.sites.items()):
        site = seen.record
        readiness = look_of(wording.READINESS, site.readiness) if site.readiness else cards.READINESS_UNSAID
        readiness = needs.MISSING if seen.missing_since else readiness
        issues = cards.worst_of(site.issues).word if site.issues else ""
        tiles.append(SiteTile(owner.pk, owner.name, cards.site_name(site.uuid, site), readiness, counts[key], issues))
    return tuple(tiles)


def is_ready(tile: SiteTile) -> bool:
    """Whether the site is known to be ready, without any caution."""
    return tile.readiness == wording.READINESS[Readiness.OK]
