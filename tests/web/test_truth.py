"""Random schedules of changes, faults and clocks that are set: what pages and JSON show is never newer or healthier
than what the simulator last truly said, nor older than they could know.
"""

import re
from datetime import datetime, timedelta
from random import Random
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from drdash.cloud.words import ServerStatus
from drdash.estate.clients import Clients
from drdash.estate.replica import replica
from drdash.estate.store import store
from drdash.failover import origins
from drdash.failover.models import Failover
from drdash.simulator.server import running
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Credential, Membership, Tenant
from drdash.tenants.roles import Role
from tests.estate.at_hand import Installation
from tests.sizes import cases
from tests.web.asking import Program

STEPS = cases(4, full=8)
RETRY_AFTER = 40
# Each of these leaves the world's own answer as it is.
HARMLESS = {"", "drip"}
SPOILT = {"repeated_cursor", "shrinks", "grows", "duplicates"}
FAULTS = (
    "400", "401", "403", "404", "429", "500", "502", "503", "504", "reset", "html", "half_body", "redirect",
    "garbage", "drip", "empty", "truncated", "wrong_types", *sorted(SPOILT),
)  # fmt: skip
PATHS = ("", "/dr/v2/servers", "/dr/v2/sites", "/idp/token")
ROW = re.compile(r'<tr id="server-row-([^"]+)" class="([^"]+)".*?</tr>', re.DOTALL)
ISSUES = re.compile(r'data-label="Issues"[^>]*><span class="look (\w+)"')
STATUS = re.compile(r'data-label="Status"[^>]*>.*?<span class="look (\w+)"', re.DOTALL)
COMPARED = ("status", "_issues", "name", "vm")
KNOWN = {str(status) for status in ServerStatus}


class Said(msgspec.Struct, frozen=True):
    """What the simulator truly said: its servers by key, at a time by our clock."""

    at: datetime
    servers: dict[str, dict[str, Any]]


class Schedule:
    """One installation, its simulator, and the chances that befall them."""

    def __init__(self, seed: int, installation: Installation, simulator: Simulator, tenant: Tenant) -> None:
        self.random = Random(f"truth {seed}")
        self.installation, self.simulator, self.tenant = installation, simulator, tenant
        self.whole: Said | None = None  # the last whole truth
        self.perhaps: Said | None = None  # the same, if that pass was a good one
        self.parts: list[Said] = []  # what was said of some servers since
        self.unsure = False  # Redis lost what it knew, or the clock was set back: what is shown may be older
        self.revoked = False
        self.held_from: float | None = None  # the simulator's time of the last 429

    def step(self) -> None:
        for chance in self.random.sample(self.chances, self.random.randint(1, 3)):
            chance(self)
        self.advance(self.random.choice([1, 2, 5, 14, 15, 31, 61]))

    # What befalls

    def change_a_server(self) -> None:
        server = self.random.choice([one for one in self.servers if one.is_recovery])
        self.simulator.force_server(server.uuid, **self.random.choice(self.changes))

    changes: tuple[dict[str, Any], ...] = (
        {"issues": []},
        {"issues": ["ResourceBusy"]},
        {"issues": [["VPNGatewayUnreachable", "WARNING"]]},
        {"issues": [["Unheard", "CATASTROPHE"]]},
        {"issues": None},
        {"status": "FAILOVER_TEST"},
        {"status": "STAND_BY"},
        {"set": {"status": "BRAND_NEW"}},
        {"set": {"name": "renamed"}},
        {"task": "5bc9464f-87b6-4ea8-aa42-050824135e63", "issues": ["ResourceBusy"]},
        {"task": None, "issues": []},
    )

    def lose_a_server(self) -> None:
        if len(self.servers) > 4:
            self.simulator.force_server(self.random.choice(self.servers).uuid, delete=True)

    def break_something(self) -> None:
        times = self.random.choice([1, 2, 3, 4, 8])
        path, kind = self.random.choice(PATHS), self.random.choice(FAULTS)
        self.simulator.fail(
            kind,  # type: ignore[arg-type]
            path=path,
            times=times,
            retry_after=RETRY_AFTER,
            seconds=0.0001,
        )

    def mend(self) -> None:
        self.simulator.clear_faults()

    def set_the_clock(self) -> None:
        self.installation.wall += timedelta(seconds=self.random.choice([-3600, -600, 600, 3600]))
        self.unsure = True

    def revoke_the_tokens(self) -> None:
        self.simulator.force_client(self.simulator.client_id, revoke="all")
        self.revoked = True

    def begin_a_process_anew(self) -> None:
        installation = self.installation
        installation.clients = Clients(now=lambda: installation.wall.timestamp(), monotonic=lambda: installation.steady)
        replica.cache_clear()

    def lose_redis(self) -> None:
        store()._redis.flushall()
        self.unsure, self.held_from = True, None

    chances = (
        *(change_a_server, change_a_server, change_a_server, lose_a_server, break_something, break_something),
        *(break_something, mend, mend, set_the_clock, revoke_the_tokens, begin_a_process_anew, lose_redis),
    )

    # What is said, and what is shown

    def advance(self, seconds: float) -> None:
        self.installation.advance(seconds)
        self.simulator.advance(seconds)
        encoded = self.simulator.world.encoded
        before = {server.uuid.lower(): msgspec.json.decode(encoded(server)) for server in self.servers}
        self.simulator.forget_requests()
        at = self.installation.wall
        self.installation.tick()
        self.listen(before, at)

    @property
    def servers(self) -> list[Any]:
        return list(self.simulator.world.servers.values())

    def listen(self, documents: dict[str, dict[str, Any]], at: datetime) -> None:
        """What the simulator said truly in the pass that has just been."""
        requests = [one for one in self.simulator.requests if "/dr/v2/" in one.path]
        if self.revoked and requests:
            self.revoked = False
            if self.simulator.requests[0] is requests[0]:
                requests.pop(0)  # with the old token
        if self.held_from is not None:
            assert all(one.at >= self.held_from + RETRY_AFTER for one in self.simulator.requests), "too early"
        self.held_from = max((one.at for one in self.simulator.requests if one.fault == "429"), default=self.held_from)
        good = [one for one in requests if one.fault in HARMLESS]
        parts = [one for one in requests if "resource_id" in one.query]
        pages = [one for one in good if one.path.endswith("/servers") and one not in parts]
        sites = [one for one in good if one.path.endswith("/sites")]
        if sites and len(pages) >= len(documents) / 50 and requests[-1].fault in HARMLESS:
            if SPOILT & {one.fault for one in requests}:
                self.perhaps = Said(at, documents)  # a spoilt list goes on for some pages that are not
            else:
                self.whole, self.parts, self.unsure = Said(at, documents), [], False
        for part in parts:
            # One page of them may be spoilt in a way that leaves it whole.
            self.unsure = self.unsure or part.fault not in HARMLESS
            asked = parse_qs(part.query)["recovery.resource_id"]
            some = {k: doc for k, doc in documents.items() if doc.get("recovery", {}).get("resource_id") in asked}
            self.parts.append(Said(at, some))

    def look(self, program: Program, browser: Client) -> None:
        now = self.installation.wall
        answer = program.read("servers/", limit=200)
        (estate,) = answer["estate"]
        as_of = datetime.fromisoformat(estate["as_of"]) if estate["as_of"] else None
        if self.perhaps and as_of == self.perhaps.at:
            self.whole, self.parts, self.unsure = self.perhaps, [], False
        self.perhaps = None
        if self.whole is None:
            assert (as_of, estate["stale"]) == (None, True)
            return
        assert as_of == self.whole.at or (self.unsure and as_of is None)
        age = (now - as_of).total_seconds() if as_of else None
        assert estate["stale"] is (age is None or not -30 <= age <= 30)
        shown = {server["uuid"].lower(): server for server in answer["results"]}
        if not self.unsure:
            assert shown.keys() >= self.whole.servers.keys()
        for key, server in shown.items():
            self.check_server(key, server)
        self.check_page(browser.get("/servers/").content.decode(), shown, stale=estate["stale"])

    def check_server(self, key: str, server: dict[str, Any]) -> None:
        assert self.whole is not None
        said = [one.servers[key] for one in (self.whole, *self.parts) if key in one.servers]
        if not said:
            assert server["missing_since"], f"{key} is shown, and nobody speaks of it"
            assert not any(action["allowed"] for action in server["actions"].values())
            return
        spoken = [[document.get(field) for field in COMPARED] for document in (said if self.unsure else said[-1:])]
        assert [server.get(field) for field in COMPARED] in spoken, key

    def check_page(self, html: str, shown: dict[str, dict[str, Any]], *, stale: bool) -> None:
        health = re.search(r'id="health-\d+" class="([^"]*)"', html)
        assert health is not None
        assert ("is-stale" in health[1]) is stale
        rows = list(ROW.finditer(html))
        assert len(rows) == min(len(shown), 50)
        for row in rows:
            server, classes = shown[row[1]], row[2].split()
            assert ("is-stale" in classes) is stale
            assert ("is-missing" in classes) is bool(server["missing_since"])
            issues, status = ISSUES.search(row[0]), STATUS.search(row[0])
            assert issues is not None
            assert status is not None
            assert issues[1] != "good" or server.get("_issues") == []
            assert status[1] != "good" or server.get("status") in KNOWN


@pytest.fixture
def shown_to(fresh_process: None, installation: Installation, monkeypatch: pytest.MonkeyPatch) -> User:
    """Someone who looks, by the installation's clock."""
    monkeypatch.setattr(timezone, "now", lambda: installation.wall)
    return User.objects.create_user("victor", password="victor")


def test_what_is_shown_is_what_the_cloud_last_truly_said(shown_to: User, installation: Installation) -> None:
    program, browser = Program(shown_to), Client()
    for seed in range(cases(20, full=1000)):
        store()._redis.flushall()
        replica.cache_clear()
        installation.clients.forget()
        origins.forget()
        browser.force_login(shown_to)  # hours pass from one schedule to the next
        with running("quiet", servers=51 if seed % 10 == 9 else 6, sites=2, seed=seed % 5) as simulator:
            tenant = watched(simulator, shown_to)
            schedule = Schedule(seed, installation, simulator, tenant)
            schedule.advance(1)
            for step in range(STEPS):
                schedule.step()
                try:
                    schedule.look(program, browser)
                except AssertionError as error:
                    raise AssertionError(f"schedule {seed}, step {step}: {error}") from error
            Failover.objects.all().delete()
            tenant.delete()


def watched(simulator: Simulator, viewer: User) -> Tenant:
    credential = Credential(name=simulator.url, cloud=simulator.url, client_id=simulator.client_id)
    credential.keep_secret(simulator.client_secret)
    credential.save()
    tenant = Tenant.objects.create(name=simulator.url, uuid=simulator.world.tenant, credential=credential)
    Membership.objects.create(user=viewer, tenant=tenant, role=Role.ADMIN)
    return tenant
