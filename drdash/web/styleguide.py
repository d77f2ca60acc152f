"""Each component in each of its states, light beside dark, made of the same records and partials as the pages. It is
for who works on them: there is no such page without DEBUG.
"""

import json
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.http import require_safe

from drdash.cloud import reading
from drdash.cloud.records import Server
from drdash.estate.snapshot import Estate, Health, Seen
from drdash.failover.actions import Preview
from drdash.failover.guard import Kind, OwnState, Sight, judge
from drdash.failover.models import Action, State
from drdash.failover.sighting import sight_of
from drdash.tenants.models import Tenant
from drdash.tenants.roles import Posture, Role
from drdash.web import cards, dialogcards, rows, wording
from drdash.web.actioncards import action_card
from drdash.web.frame import frame_of, page
from drdash.web.notices import Notice, Said
from drdash.web.points import Choice, Offer, above

THEMES = ("light", "dark")
LOOKS = {
    "Status of a server": wording.SERVER_STATUS,
    "Machine": wording.VM_STATUS,
    "Readiness of a site": wording.READINESS,
    "Status of a site": wording.SITE_STATUS,
    "Severity": wording.SEVERITY,
    "Backup": wording.RPO,
    "Automated test": wording.AUTOMATED_TEST,
    "Action": wording.STATE,
    "Approval": wording.CONSENT,
    "Remedy": wording.REMEDY,
}
ICONS = sorted({"clock", "note", "bell", "eye", "lock", "recovery", "primary", "test", "out", "fix", "ask", "brand"})
SITE = "5f0c6bd{}-11aa-4f0e-9d3c-{}"
_LINKS = [{"rel": f"DR_CLOUD_SERVER_{rel}", "href": "https://cloud.example/", "type": ""} for rel in
          ("START_FAILOVER_TEST", "START_FAILOVER_PROD", "STOP_FAILOVER", "PAGE")]  # fmt: skip


def _issue(code: str, severity: str, message: str, *, task: str = "") -> dict[str, Any]:
    context = {"task_uuids": [task]} if task else {}
    return {
        "domain": "DisasterRecovery",
        "severity": severity,
        "error": {"code": code, "message": message, "context": context},
    }


_BUSY = _issue(
    "ResourceBusy", "ERROR", "The resource is busy, another task is in progress.", task="9b1d7c1e-2f64-4f0b-8d5c-0a1b2c"
)
_QUOTA = _issue("QuotaComputePointsReached", "ERROR", "The quota of compute points is reached.")
_VPN = _issue("VpnGatewayUnreachable", "WARNING", "The VPN gateway is unreachable.")
_RPO = {"ratio": 2.6, "status": "WARNING"}
# What the cloud might say of a server, by what it is an example of; None takes a field away.
SERVERS: dict[str, dict[str, Any]] = {
    "at rest": {},
    "with a warning": {"_issues": [_VPN], "rpo": _RPO, "public_ip": "203.0.113.28"},
    "blocked": {"_issues": [_BUSY, _QUOTA]},
    "a test runs": {"status": "FAILOVER_TEST", "vm": {"status": "STARTED"}},
    "production starts": {"status": "STARTING_FAILOVER_PROD"},
    "production runs": {"status": "FAILOVER_PROD", "vm": {"status": "STARTED"}},
    "not finalized": {"status": "FINALIZATION_FAILED", "_issues": [_QUOTA]},
    "a word that is new": {"status": "REHEARSING"},
    "issues not said": {"_issues": None},
    "of the other type": {"type": "PRIMARY", "recovery": None},
}
SITES: dict[str, dict[str, Any]] = {
    "ready": {},
    "with caution": {"failover_readiness": "WARNING", "_issues": [_VPN]},
    "not ready": {"failover_readiness": "ERROR", "_issues": [_QUOTA]},
    "not said": {"failover_readiness": None, "_issues": None},
}
# What is asked of some of them, each in a dialog.
DIALOGS = {
    "at rest": Kind.START_TEST,
    "with a warning": Kind.START_PROD,
    "a test runs": Kind.STOP,
    "production runs": Kind.STOP,
    "blocked": Kind.START_TEST,
    "issues not said": Kind.START_PROD,
}
_TOLD = {
    State.REFUSED: "The cloud refused it: the quota of compute points is reached.",
    State.FAILED: "Its task is gone, and the server is at stand-by.",
    State.UNKNOWN: "The cloud did not answer within 60 s.",
    State.NOT_SENT: "The cloud could not be reached.",
}


@require_safe
def shown(request: HttpRequest) -> HttpResponse:
    """The page, where DEBUG is set."""
    user = request.user
    if not settings.DEBUG or not isinstance(user, User):
        raise Http404
    now = timezone.now()
    context = {
        "sides": [(theme, _side(theme, at, user, now)) for at, theme in enumerate(THEMES, 1)],
        "dialogs": [render_to_string("dialogs/_dialog.html", one, request) for one in _dialogs(user)],
    }
    return page(request, "styleguide/page.html", context, frame=frame_of(request))


def _server(theme: str, name: str, at: int, fields: dict[str, Any]) -> Server:
    item = {
        "uuid": f"{at:08d}-0000-4000-8000-{theme}",
        "name": f"ams-app-{at:02d}",
        "description": name.capitalize(),
        "type": "RECOVERY",
        "status": "STAND_BY",
        "site_uuid": _site(theme, 0),
        "vm": {"status": "STOPPED", "cpu": 2, "ram_mb": 4096},
        "ip_mapped": f"10.0.25.{at}",
        "rpo": {"ratio": 0.4, "status": "OK"},
        "recovery": {"resource_id": f"r-{at}"},
        "_issues": [],
        "_links": _LINKS,
    } | fields
    return reading.server(json.dumps({key: value for key, value in item.items() if value is not None}).encode())


def _site(theme: str, at: int) -> str:
    return SITE.format(at, theme.encode().hex().ljust(12, "0"))


def _estate(theme: str, health: Health, tenant: int) -> Estate:
    servers = [_server(theme, name, at, fields) for at, (name, fields) in enumerate(SERVERS.items(), 1)]
    sites = []
    for at, fields in enumerate(SITES.values()):
        item = {"status": "PROVISIONED", "failover_readiness": "OK", "_issues": [], "_links": []} | fields
        said = {key: value for key, value in item.items() if value is not None}
        sites.append(reading.site(json.dumps({"uuid": _site(theme, at)} | said).encode()))
    return Estate(
        tenant=tenant,
        version=1,
        health=health,
        servers={one.key: Seen(one, 1) for one in servers},
        sites={one.key: Seen(one, 1) for one in sites},
    )


def _side(theme: str, at: int, user: User, now: datetime) -> dict[str, Any]:
    """All that is shown in one theme. Its tenants, servers and actions are none of the database's."""
    fresh = Health(interval=3600, as_of=now - timedelta(seconds=8))
    healths = {
        "Fresh": fresh,
        "Stale": Health(interval=15, as_of=now - timedelta(hours=3)),
        "Asked to wait": Health(
            interval=3600,
            as_of=now - timedelta(minutes=2),
            error="The cloud answered 429: too many requests.",
            failing_since=now - timedelta(minutes=2),
            wait_until=now + timedelta(minutes=1),
        ),
        "Failing": Health(
            interval=3600,
            as_of=now - timedelta(minutes=2),
            error="The cloud failed (500 InternalError).",
            failing_since=now - timedelta(minutes=2),
            tried_at=now,
            failures=3,
        ),
        "Never read": Health(interval=15),
    }
    tenants = {name: Tenant(pk=-10 * at - number, name=name) for number, name in enumerate(healths)}
    well, late = tenants["Fresh"], tenants["Stale"]
    estate = _estate(theme, fresh, well.pk)
    first, *others = estate.servers.values()
    gone = Seen(_server(theme, "missing", 11, {}), 1, missing_since=now - timedelta(hours=1))
    old = Seen(_server(theme, "stale", 12, {}), 1)
    actions = [_action(10**15 + 100 * at + number, state, well, user, now) for number, state in enumerate(State)]
    return {
        "looks": [(title, [*looks.values(), wording.UNSAID]) for title, looks in LOOKS.items()],
        "icons": ICONS,
        "healths": [
            rows.health(tenants[name], _estate(theme, health, tenants[name].pk)) for name, health in healths.items()
        ],
        "ages": [now - timedelta(seconds=8), now - timedelta(hours=5), now - timedelta(days=41)],
        "later": now + timedelta(minutes=9),
        "notices": [_notice(*one, now=now) for one in _NOTICES],
        "rows": [
            *(rows.server_row(well, estate, seen, role=Role.ADMIN, ours=None) for seen in (first, *others, gone)),
            rows.server_row(late, estate, old, role=Role.ADMIN, ours=None, stale=True),
        ],
        "panel": rows.server_panel(well, estate, others[0], role=Role.ADMIN, ours=None),
        "sites": [rows.site_row(well, estate, site) for site in estate.sites.values()],
        "actions": [rows.action_row(action) for action in actions],
        "steps": action_card(actions[-2]).steps,
        "card": cards.server_card(others[1], estate.site_of(others[1].record), old=False),
    }


_NOTICES = (
    ("production", "prod", "production", "Production failover active", 3),
    ("glass", "bad", "bad", "Glass broken", 1),
    ("unknown", "warn", "unknown", "Outcome unknown", 1),
    ("batch", "news", "wait", "Waits for you", 1),
)


def _notice(kind: str, tone: str, icon: str, title: str, count: int, *, now: datetime) -> Notice:
    said = tuple(
        Said(name=f"ams-app-{at:02d}", url="/servers/", text="by alice", at=now - timedelta(hours=at))
        for at in range(1, count + 1)
    )
    return Notice(kind, tone, icon, title, count, said)


def _action(pk: int, state: State, tenant: Tenant, user: User, now: datetime) -> Action:
    begun, production = now - timedelta(minutes=12), pk % 2 == 0
    sent = state not in (State.REQUESTED, State.EXPIRED, State.NOT_SENT)
    return Action(
        pk=pk,
        tenant=tenant,
        user=user,
        server_uuid="00000001-0000-4000-8000-000000000001",
        server_name="ams-app-01",
        kind=Kind.START_PROD if production else Kind.START_TEST,
        production=production,
        state=state,
        requested_at=begun,
        sent_at=begun + timedelta(seconds=1) if sent else None,
        answered_at=begun + timedelta(seconds=3) if sent and state is not State.SENDING else None,
        finished_at=None if state in (State.REQUESTED, State.SENDING, State.ACCEPTED, State.UNKNOWN) else now,
        error=_TOLD.get(state, ""),
        body='{"recovery_point": {}}' if sent else "",
    )


def _dialogs(user: User) -> list[dict[str, Any]]:
    """Of a test and of production, of a start and of a stop, free, blocked, and blocked for all but an admin; what they
    send is refused: their tokens are none."""
    tenant, estate = Tenant(pk=-1, name="Demo customer"), _estate("dialog", Health(interval=15), -1)
    servers = dict(zip(SERVERS, (seen.record for seen in estate.servers.values()), strict=True))
    return [_dialog(user, tenant, estate, servers[name], kind) for name, kind in DIALOGS.items()]


def _dialog(user: User, tenant: Tenant, estate: Estate, server: Server, kind: Kind) -> dict[str, Any]:
    site = estate.site_of(server)
    seen = Preview(
        verdict=judge(kind, Sight(server, site), role=Role.ADMIN, posture=Posture.ARMED, ours=OwnState.NONE),
        server=server,
        site=site,
        sighting=sight_of(user=user.pk, tenant=tenant.pk, kind=kind, server=server, site=site, role=Role.ADMIN),
        token="",
        ours=None,
    )
    told = dialogcards.context(seen, kind, tenant, dialogcards.Tried(), proven=False)
    nights = tuple(Choice(f"night-{at}", "", loses=f"It loses {at} days of work.") for at in (1, 2, 3))
    return told | {"choices": above(server), "offer": Offer(choices=nights), "whole": True}
