"""The HTML of a row, a panel or a tenant's health: one maker for the page that includes it and the event that sends it.

Nothing here depends on the reader or on the time, so each drawing is made once for all who may see it in a language,
and kept by what it is made of. Ages tick in the browser; ``stale`` is what the server already knows of them.
"""

import re
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from django.template.loader import get_template
from django.utils import timezone
from django.utils.translation import get_language

from drdash.cloud.records import Server, Site
from drdash.cloud.words import ServerType
from drdash.estate.polling import next_try
from drdash.estate.replica import replica
from drdash.estate.snapshot import Estate, Seen
from drdash.failover import origins
from drdash.failover.actions import live_actions, own_state
from drdash.failover.models import Action, Failover
from drdash.tenants.models import Tenant
from drdash.tenants.roles import Role
from drdash.web import buttons, cards, facts, tested, whose
from drdash.web.actioncards import action_card, around, stamp
from drdash.web.pauses import Pause, pauses_of
from drdash.web.said import stored
from drdash.web.wording import action_name

KEPT = 20_000

_TOPIC = re.compile(r"(?:(?P<kind>server|site|action)-(?P<shape>row|panel)|health)-(?P<key>.+)")

_made: dict[Hashable, str] = {}


def render(topic: str, *, tenant: int, role: Role) -> str | None:
    """The HTML of a topic as it is now, for everyone of that role in the tenant; None: there is no such thing."""
    if not (named := _TOPIC.fullmatch(topic)):
        return None
    kind, shape, key = named["kind"] or "health", named["shape"], named["key"]
    if kind == "action":
        actions = Action.objects.select_related("user", "tenant").filter(tenant_id=tenant)
        action = actions.filter(pk=key).first() if _id(key) else None
        return None if action is None else action_row(action) if shape == "row" else action_panel(action)
    if (owner := Tenant.objects.filter(pk=tenant).first()) is None:
        return None
    estate = replica().estates([tenant])[tenant]
    if kind == "server" and (server := estate.servers.get(key)):
        ours = live_actions([tenant]).get((tenant, key))
        runs = origins.running([(tenant, server.record)]).get((tenant, key))
        draw = server_row if shape == "row" else server_panel
        return draw(owner, estate, server, role=role, ours=ours, runs=runs)
    if kind == "site" and (site := estate.sites.get(key)):
        return (site_row if shape == "row" else site_panel)(owner, estate, site)
    if kind == "health" and key == str(tenant):
        return health(owner, estate)
    return None


def server_row(
    owner: Tenant,
    estate: Estate,
    seen: Seen[Server],
    *,
    role: Role,
    ours: Action | None,
    runs: Failover | None = None,
    stale: bool | None = None,
) -> str:
    """A server as a row of a table. ``ours``: our action that is not over; ``runs``: what is known of what runs."""
    late, old = _stale(estate, stale), tested.overdue(seen.record.automated_test, timezone.now())
    site = estate.sites.get(seen.record.site_key)
    key = ("server-row", owner.pk, owner.name, *_rules(owner), role, late, old, _of(seen), _of(site), stamp(ours))

    def draw() -> str:
        return _draw("servers/_row.html", _server(owner, estate, seen, role, ours, runs, old), stale=late)

    return _once((*key, whose.stamp(runs)), draw)


def server_panel(
    owner: Tenant,
    estate: Estate,
    seen: Seen[Server],
    *,
    role: Role,
    ours: Action | None,
    runs: Failover | None = None,
    stale: bool | None = None,
) -> str:
    """A server's page below its title: state, actions, issues, every field."""
    late = _stale(estate, stale)
    site = estate.sites.get(seen.record.site_key)
    started, now = tested.seen_started(owner.pk, seen.record), timezone.now()
    last_test = tested.last_test(seen.record, started=started, now=now)
    old = tested.overdue(seen.record.automated_test, now)
    key = (
        "server-panel",
        owner.pk,
        owner.name,
        *_rules(owner),
        role,
        late,
        (last_test, old),
        _of(seen),
        _of(site),
        stamp(ours),
        whose.stamp(runs),
    )

    def draw() -> str:
        context = _server(owner, estate, seen, role, ours, runs, old)
        groups = facts.groups(seen.record.json, "Server")
        return _draw(
            "servers/_panel.html",
            {**context, "groups": groups, "tested": last_test},
            stale=late,
        )

    return _once(key, draw)


def site_row(owner: Tenant, estate: Estate, seen: Seen[Site], *, stale: bool | None = None) -> str:
    """A site as a row of a table."""
    return _site("sites/_row.html", owner, estate, seen, stale)


def site_panel(owner: Tenant, estate: Estate, seen: Seen[Site], *, stale: bool | None = None) -> str:
    """A site's page below its title."""
    return _site("sites/_panel.html", owner, estate, seen, stale)


def action_row(action: Action) -> str:
    """An action as a row of a table; its ``user`` and ``tenant`` must be loaded."""
    key = ("action-row", action.tenant.name, stamp(action))
    return _once(key, lambda: _draw("actions/_row.html", {"card": action_card(action), "owner": action.tenant.name}))


def action_panel(action: Action) -> str:
    """An action's page below its title; its ``user`` must be loaded."""
    belongs = around(action)
    key = ("action-panel", stamp(action), belongs)
    return _once(key, lambda: _draw("actions/_panel.html", {"card": action_card(action), "around": belongs}))


def health(
    owner: Tenant, estate: Estate, *, stale: bool | None = None, pauses: Mapping[int, Pause] | None = None
) -> str:
    """How fresh a tenant's data is, and whether it is read at all. ``pauses``: if read already."""
    pause = (pauses_of([owner]) if pauses is None else pauses).get(owner.pk)
    late = _stale(estate, stale)
    key = (
        "health",
        estate.tenant,
        owner.name,
        (owner.paused, pause, owner.vanished_at, owner.armed),
        late,
        estate.health,
    )

    def draw() -> str:
        context = {
            "name": owner.name,
            "health": estate.health,
            "error": stored(estate.health.error or ""),
            "next_try": next_try(estate.health),
            "paused": owner.paused,
            "pause": pause,
            "vanished_at": owner.vanished_at,
            "armed": owner.armed,
        }
        return _draw("_health.html", {**context, "tenant": estate.tenant}, stale=late)

    return _once(key, draw)


def blocked(owner: Tenant, estate: Estate, seen: Seen[Server], ours: Action | None) -> bool:
    """Whether a recovery server allows no action at all, roles aside."""
    site = estate.sites.get(seen.record.site_key)
    key = ("blocked", estate.tenant, owner.posture, _of(seen), _of(site), stamp(ours))

    def judged() -> str:
        missing = seen.missing_since is not None
        record = site.record if site else None
        return (
            "yes"
            if buttons.blocked(seen.record, record, own_state(ours), posture=owner.posture, missing=missing)
            else "no"
        )

    return _once(key, judged) == "yes"


def _server(
    owner: Tenant,
    estate: Estate,
    seen: Seen[Server],
    role: Role,
    ours: Action | None,
    runs: Failover | None,
    old: bool,
) -> dict[str, Any]:
    site = estate.site_of(seen.record)
    shown = (
        ()
        if seen.missing_since
        else buttons.buttons(
            seen.record,
            site,
            role=role,
            posture=owner.posture,
            ours=own_state(ours),
            two_persons=owner.two_persons,
        )
    )
    in_row = tuple(button for button in shown if not button.pointless)
    return {
        "card": cards.server_card(seen, site, old=old),
        "buttons": shown,
        "row_buttons": in_row,
        "picked": role.runs_tests and seen.record.type == ServerType.RECOVERY,
        "reasons": buttons.summary(in_row),
        "whose": whose.whose(seen.record, runs),
        "ours": None
        if ours is None
        else {"action": ours, "name": action_name(ours.kind, production=ours.production), "state": ours.state},
        "tenant": owner.pk,
        "owner": owner.name,
    }


def _site(template: str, owner: Tenant, estate: Estate, seen: Seen[Site], stale: bool | None) -> str:
    late = _stale(estate, stale)
    card = cards.site_card(seen, estate)
    key = (template, owner.pk, owner.name, late, _of(seen), card.servers)

    def draw() -> str:
        context = {
            "card": card,
            "groups": facts.groups(seen.record.json, "Site"),
            "tenant": owner.pk,
            "owner": owner.name,
        }
        return _draw(template, context, stale=late)

    return _once(key, draw)


def _rules(owner: Tenant) -> tuple[Hashable, ...]:
    """What the tenant allows at all: a button depends on it."""
    return owner.posture, owner.two_persons


def _of(seen: Seen[Any] | None) -> Hashable:
    return None if seen is None else (seen.record.key, seen.version, seen.missing_since, hash(seen.record.json))


def _stale(estate: Estate, stale: bool | None) -> bool:
    return estate.health.stale(timezone.now()) if stale is None else stale


def _once(key: Hashable, make: Callable[[], str]) -> str:
    key = (get_language(), key)
    if (html := _made.get(key)) is None:
        if len(_made) >= KEPT:
            _made.clear()
        html = _made[key] = make()
    return html


def _draw(template: str, context: dict[str, Any], *, stale: bool = False) -> str:
    """What a template makes is marked as safe by it, so that a page includes it as it is."""
    return get_template(template).render({**context, "stale": stale})


def _id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19
