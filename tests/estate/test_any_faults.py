"""Random schedules of faults, beside a cloud that changes: what is known is never newer nor healthier than what the
cloud last truly said, and once it answers again everything is as it is there.

Time is the simulator's, for both sides. What the simulator said is noted where it says it, before the wire.
"""

import json
from datetime import UTC, datetime
from random import Random
from typing import Any

from drdash.cloud import reading
from drdash.estate.clients import Clients
from drdash.estate.snapshot import Estate, Seen
from drdash.estate.store import store
from drdash.failover.guard import Kind, OwnState
from drdash.simulator.answers import Request, Response
from drdash.simulator.faults import KINDS
from drdash.simulator.paging import WRONG
from drdash.simulator.server import running
from drdash.simulator.simulation import Simulator
from drdash.tasks import one_pass
from drdash.tenants.connect import connect
from drdash.tenants.models import Tenant
from drdash.tenants.roles import Posture, Role
from drdash.web import buttons, cards, rows
from drdash.web.wording import Look
from tests.cloud.said import green_of_server, green_of_site, may
from tests.sizes import cases

STEPS = 8
# What no client can tell from the truth is left out; so is a 429, whose time goes by Redis's clock.
FAULTS = [*(kind for kind in KINDS if kind not in {"answer", "huge", "429"}), *sorted(WRONG) * 3]
STATUSES = ["STAND_BY", "FAILOVER_TEST", "FAILOVER_PROD", "POWERING_ON", "RECONFIGURING", "NEBULOUS"]
ISSUES: list[Any] = [
    [],
    None,
    ["ServerNotReady"],
    [["QuotaReachedComputePoints", "warning", None]],
    [["ServerNotLicensed", "error", None]],
    [["Odd", "CATASTROPHE", None]],
]
OF_SITES: list[Any] = [[], ["SiteNotReady"], [["VPNIPSecConnectionError", "warning", None]], ["VPNGatewayUnreachable"]]


class Said:
    """What the simulator said of each site and server, in which words and when."""

    def __init__(self, simulator: Simulator) -> None:
        self.words: dict[str, list[tuple[float, bytes, Any]]] = {}
        self._answer = simulator.respond
        self._clock = simulator.clock
        simulator.respond = self._noted  # type: ignore[method-assign]

    def since(self, key: str, then: datetime) -> list[tuple[bytes, Any]]:
        """What it said of it at that time or later."""
        return [(words, item) for at, words, item in self.words.get(key, ()) if at >= then.timestamp() - 0.001]

    def _noted(self, request: Request) -> Response:
        response = self._answer(request)
        if response.status == 200 and "/api/dr/v2/" in request.path:
            for item in json.loads(response.body).get("items", ()):
                read = reading.server if "/servers" in request.path else reading.site
                words = read(json.dumps(item).encode())
                self.words.setdefault(words.key, []).append((self._clock.now(), words.json, item))
        return response


class Schedule:
    """One cloud that changes and fails by chance, and the passes over it."""

    def __init__(self, simulator: Simulator, tenant: Tenant, said: Said) -> None:
        self.simulator, self.tenant, self.said = simulator, tenant, said
        self.through = Clients(now=simulator.clock.now, monotonic=simulator.clock.now)
        self.story: list[str] = []
        self.good = self.failed = 0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.simulator.clock.now(), UTC)

    def run(self, random: Random) -> None:
        self.poll(random)
        for _ in range(STEPS):
            self.step(random)
        self.recover(random)

    def step(self, random: Random) -> None:
        kind = random.choice(["change", "change", "fault", "fault", "pass", "pass", "pass"])
        {"change": self.change, "fault": self.fault, "pass": self.poll}[kind](random)

    def change(self, random: Random) -> None:
        world = self.simulator.world
        if random.random() < 0.25:
            uuid = random.choice(sorted(world.sites))
            orders: list[dict[str, Any]] = [
                {"issues": random.choice(OF_SITES)},
                {"status": "PROVISIONING"},
                {"status": "PROVISIONED"},
            ]
            self.simulator.force_site(uuid, **self.told(random.choice(orders), uuid))
            return
        uuid = random.choice(sorted(world.servers))
        orders = [
            {"status": random.choice(STATUSES)},
            {"issues": random.choice(ISSUES)},
            {"set": {"name": f"n{random.random()}"}},
        ]
        if len(world.servers) > 5:
            orders.append({"delete": True})
        self.simulator.force_server(uuid, **self.told(random.choice(orders), uuid))

    def fault(self, random: Random) -> None:
        order = {
            "kind": random.choice(FAULTS),
            "path": random.choice(["/servers", "/sites", "/dr/v2", ""]),
            "times": random.choice([1, 1, 1, 2, 3, 6]),
            "seconds": 0.0,
        }
        self.simulator.fail(**self.told(order, "fault"))

    def poll(self, random: Random) -> None:
        self.advance(random.choice([1, 5, 16, 40, 90, 400]))
        before, started = self.estate(), self.now()
        one_pass(self.tenant.pk, pause=self.advance, now=self.now, through=self.through)
        after = self.estate()
        self.story.append(f"pass: {after.health.error or 'good'}")
        if after.health.as_of == before.health.as_of:
            assert after.health.error or after.health.tried_at == before.health.tried_at
            self.failed += after.health.failures > before.health.failures
        else:
            assert after.health.as_of == started
            assert after.health.error is None
            self.good += 1
        self.check(after, random)

    def advance(self, seconds: float) -> None:
        self.simulator.advance(seconds)

    def estate(self) -> Estate:
        return store().load(self.tenant.pk)

    def told(self, order: dict[str, Any], what: str) -> dict[str, Any]:
        self.story.append(f"{what}: {order}")
        return order

    def check(self, estate: Estate, random: Random) -> None:
        """Whatever is known was truly said, no earlier than it is dated; and is shown no better than that."""
        if (as_of := estate.health.as_of) is None:
            return
        late = estate.health.stale(self.now())
        assert late == ((self.now() - as_of).total_seconds() > 2 * max(15, estate.health.duration))
        of_sites = {key: self.truth(seen, as_of) for key, seen in estate.sites.items()}
        for seen in estate.sites.values():
            if (item := of_sites[seen.record.key]) is not None:
                assert_no_better(cards.site_card(seen, estate), green_of_site(item))
        for seen_server in estate.servers.values():
            if (item := self.truth(seen_server, as_of)) is None:
                continue
            server, site = seen_server.record, estate.site_of(seen_server.record)
            assert_no_better(cards.server_card(seen_server, site), green_of_server(item))
            shown = buttons.buttons(server, site, role=Role.ADMIN, posture=Posture.ARMED, ours=OwnState.NONE)
            of_site = of_sites.get(server.site_key)
            assert [
                one.kind for one in shown if one.allowed and not (of_site and may(Kind(one.kind), item, of_site))
            ] == []
        one = random.choice(sorted(estate.servers.items()))[1]
        html = rows.server_row(self.tenant, estate, one, role=Role.ADMIN, ours=None, stale=late)
        assert ("is-stale" in html) == late
        assert ("is-missing" in html) == (one.missing_since is not None)

    def truth(self, seen: Seen[Any], as_of: datetime) -> Any:
        """The cloud's own item behind what is known; None where that is shown as missing."""
        dated = max(as_of, seen.read_at or as_of)
        said = self.said.since(seen.record.key, dated if seen.missing_since is None else datetime.fromtimestamp(0, UTC))
        items = [item for words, item in said if words == seen.record.json]
        assert items, f"nobody said so since {dated}"
        return None if seen.missing_since else items[-1]

    def recover(self, random: Random) -> None:
        """The cloud answers again: soon everything is as it is there."""
        self.simulator.clear_faults()
        self.advance(1000)
        self.poll(random)
        estate, world = self.estate(), self.simulator.world
        assert estate.health.error is None
        assert not estate.health.stale(self.now())
        there = {key for key, seen in estate.servers.items() if seen.missing_since is None}
        assert there == world.servers.keys()
        sites = {key for key, seen in estate.sites.items() if seen.missing_since is None}
        assert sites == {key for key, site in world.sites.items() if site.deleted_at is None}
        for key in there:
            assert estate.servers[key].record.status == world.document(world.servers[key])["status"]


def assert_no_better(card: Any, said: dict[str, bool]) -> None:
    for name in card.__struct_fields__:
        look = getattr(card, name)
        assert not (isinstance(look, Look) and look.tone == "good") or said.get(name), (name, look)


def test_what_is_known_is_never_newer_nor_healthier_than_what_the_cloud_truly_said(fresh_process: None) -> None:
    number = cases(10, full=1000)
    good = failed = 0
    for seed in range(number):
        with running("quiet", servers=10, sites=2, seed=seed) as simulator:
            schedule = Schedule(simulator, connected(simulator, f"Cloud {seed}"), Said(simulator))
            try:
                schedule.run(Random(seed))
            except BaseException:
                print(f"Schedule {seed}:", *schedule.story, sep="\n  ")
                raise
            good, failed = good + schedule.good, failed + schedule.failed
    assert good > number
    assert failed > number / 2


def connected(simulator: Simulator, name: str) -> Tenant:
    found = connect(
        by=None, name=name, cloud=simulator.url, client_id=simulator.client_id, client_secret=simulator.client_secret
    )
    return found.tenant
