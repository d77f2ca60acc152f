"""Very many clicks at once, at a cloud at which all goes wrong: what it saw is compared with what we say."""

import os
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random
from typing import NamedTuple
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from drdash.audit.models import Entry
from drdash.clock import boot_seconds
from drdash.cloud.records import Server
from drdash.estate import clients, waiting
from drdash.estate.snapshot import Estate
from drdash.estate.store import WAIT
from drdash.estate.store import connection as redis_at
from drdash.failover import closing
from drdash.failover.actions import AT_ONCE, Wish, preview, request
from drdash.failover.guard import Kind, Sight, judge
from drdash.failover.models import Action, State
from drdash.simulator.answers import Request, Response
from drdash.simulator.building import build
from drdash.simulator.faults import Fault
from drdash.simulator.faults import Kind as Wrong
from drdash.simulator.server import serving
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Membership, Tenant
from drdash.tenants.roles import Posture, Role
from tests.sizes import TORTURE, cases, tell
from tests.stack import Poll

SEED = int(os.environ.get("SEED", "") or (uuid4().int % 10**9 if TORTURE else 7))
CLICKS = cases(60, full=10_000)
SERVERS = cases(40, full=200)
A_ROUND = cases(30, full=200)
LOOKED = "I looked at the cloud's own console, and there I saw what became of it."
NEVER = frozenset({State.REFUSED, State.NOT_SENT, State.EXPIRED})
UNCLEAR: tuple[Wrong, ...] = ("500", "504", "502", "reset", "redirect", "hang", "html", "half_body")
REFUSALS: tuple[Wrong, ...] = ("400", "403", "404")
READ_FAULTS: tuple[Wrong, ...] = ("500", "reset", "hang", "html")


class Arrived(NamedTuple):
    """A POST as it arrived: the actions that were being sent to its server by then, as another connection to the
    database saw it, with the number of their entries in the audit."""

    path: str
    sending: tuple[tuple[int, int], ...]


class Witness(Simulator):
    """A simulator that looks into the database whenever an action arrives, and knows of each what became of it."""

    def __init__(self, built: Simulator) -> None:
        super().__init__(built.worlds, built.clock, built.issuer, seed=built.seed)
        self.arrivals: list[Arrived] = []
        self.tasks: dict[int, str] = {}  # by action: the task that the cloud made of it
        self._here = threading.local()

    def receive(self, request: Request, connection: int) -> tuple[Fault | None, threading.Event]:
        if _acts(request):
            arrived = _look(request.path)
            self.arrivals.append(arrived)
            self._here.action = arrived.sending[0][0] if arrived.sending else 0
        return super().receive(request, connection)

    def respond(self, request: Request) -> Response:
        response = super().respond(request)
        if _acts(request) and response.status == 202:
            self.tasks[self._here.action] = response.body.decode()
        return response


def _acts(request: Request) -> bool:
    return request.method == "POST" and ":" in request.path


def _look(path: str) -> Arrived:
    server = path.rpartition("/")[2].partition(":")[0].lower()
    try:
        pks = Action.objects.filter(server_uuid=server, state=State.SENDING).values_list("pk", flat=True)
        return Arrived(path, tuple((pk, Entry.objects.filter(action=pk).count()) for pk in pks))
    finally:
        connection.close()


@pytest.fixture
def simulator() -> Iterator[Witness]:
    with serving(Witness(build("quiet", servers=SERVERS))) as witness:
        assert isinstance(witness, Witness)
        yield witness


class Click(NamedTuple):
    """One person's click, as their form sends it."""

    user: User
    server: Server
    wish: Wish


class Crowd:
    """The people, and what they do in one round after the other."""

    def __init__(self, simulator: Witness, tenant: Tenant, people: dict[Role, list[User]], random: Random) -> None:
        self.simulator, self.tenant, self.people, self.random = simulator, tenant, people, random
        self.seen: Counter[str] = Counter()

    def round(self, servers: list[Server]) -> None:
        """Click on servers until there are enough clicks, all at once; then some of it is sent again."""
        first: list[Click] = []
        for server in servers:
            if len(first) >= A_ROUND * 4 // 5:
                break
            first += self._intent(server, last=len(first) > A_ROUND * 2 // 3)
        again = self.random.sample(first, max(1, len(first) // 4))
        with ThreadPoolExecutor(AT_ONCE) as threads:
            told = list(threads.map(self._click, first))
            told_again = list(threads.map(self._click, again))
        by_key = {click.wish.key: pk for click, (pk, _) in zip(first, told, strict=True)}
        assert [by_key[click.wish.key] for click in again] == [pk for pk, _ in told_again]
        assert not any(made for _, made in told_again), "a replay made an action"
        assert sum(made for _, made in told) == len(by_key), "each form makes one action, however often it is sent"
        self.seen.update({"clicks": len(first) + len(again), "replayed": len(again), "forms": len(by_key)})

    def settle(self, polled: Poll) -> Estate:
        """Time passes, reads come in, and people close what is unknown."""
        self.simulator.clear_faults()
        _wait_is_over(self.tenant)
        for seconds in (self.random.uniform(0, 15), 200):
            self.simulator.advance(seconds)
            estate = polled()
        later, now = boot_seconds() + 1800, timezone.now() + timedelta(minutes=30)
        for action in Action.objects.filter(state=State.UNKNOWN):
            (by,) = self.random.sample(self.people[Role.ADMIN], 1)
            word = closing.Verdict.UNTOLD
            closing.close(action, by=by, verdict=word, why=LOOKED, alone=True, now=now, clock=lambda: later)
        return estate

    def _intent(self, server: Server, *, last: bool) -> list[Click]:
        """What people want of one server: mostly what can be had."""
        kind = Kind.STOP if server.status not in ("STAND_BY", None) else Kind.START_TEST
        if kind is Kind.START_TEST and self.random.random() < 0.35:
            kind = Kind.START_PROD
        self._trouble(server, last=last)
        mine = self._dialog(server, kind)
        clicks = [mine, mine] if self.random.random() < 0.5 else [mine]
        if self.random.random() < 0.45:
            other = self._dialog(server, kind if self.random.random() < 0.8 else Kind.STOP)
            clicks += [other, other] if self.random.random() < 0.5 else [other]
            self.seen["by two people"] += 1
        self.seen["doubled"] += len(clicks) - len({click.wish.key for click in clicks})
        self.random.shuffle(clicks)
        return clicks

    def _dialog(self, server: Server, kind: Kind) -> Click:
        tests = kind is Kind.START_TEST or (kind is Kind.STOP and server.status == "FAILOVER_TEST")
        roles = [Role.ADMIN, Role.OPERATOR] if tests else [Role.ADMIN]
        user = self.random.choice([user for role in roles for user in self.people[role]])
        shown = preview(user=user, tenant=self.tenant, server=server, kind=kind)
        nods = frozenset(shown.verdict.acknowledge)
        key = shown.sighting.nonce
        self.seen[f"{kind}{', production' if shown.verdict.production else ''}"] += 1
        seen = shown.sighting
        return Click(user, server, Wish(kind=kind, key=key, acknowledge=nods, confirm=server.name, seen=seen))

    def _trouble(self, server: Server, *, last: bool) -> None:
        """Order what goes wrong with the next POST to the server, and sometimes with its reads. After a 429 nobody
        gets anywhere, so it is kept for the end of a round."""
        if self.random.random() < 0.6:
            wait: tuple[Wrong, ...] = ("429",) * 6 if last else ()
            kind = self.random.choice(UNCLEAR + REFUSALS + wait)
            elsewhere = f"/api/dr/v2/servers/{server.uuid}:start_failover_test"
            self.simulator.fail(
                kind,
                method="POST",
                path=f"/servers/{server.uuid}:",
                after_effect=kind in UNCLEAR and self.random.random() < 0.5,
                location=elsewhere,
                retry_after=1,
                seconds=self.random.random() / 10,
            )
        if self.random.random() < 0.05:
            kind = self.random.choice(READ_FAULTS)
            self.simulator.fail(kind, method="GET", path="/servers", seconds=0.1)
        if self.random.random() < 0.1:
            self.simulator.force_server(server.uuid, fail_next=True)

    def _click(self, click: Click) -> tuple[int, bool]:
        """As a thread of the web server's carries it through."""
        try:
            action, made = request(user=click.user, tenant=self.tenant, server=click.server, wish=click.wish)
            return action.pk, made
        finally:
            connection.close()


def _wait_is_over(tenant: Tenant) -> None:
    """As if the wait of a 429 had passed."""
    with redis_at(settings.REDIS_URL) as noted:
        noted.delete(f"{WAIT}{tenant.pk}", f"{WAIT}own")
    clients.forget()
    waiting.forget()


def test_ten_thousand_clicks_post_once_each_and_no_word_about_them_is_false(
    simulator: Witness, tenant: Tenant, alice: User, bob: User, polled: Poll
) -> None:
    tell(f"SEED={SEED}")
    ada = User.objects.create_user("ada")
    Membership.objects.create(user=ada, tenant=tenant, role=Role.ADMIN)
    random = Random(SEED)
    crowd = Crowd(simulator, tenant, {Role.ADMIN: [alice, ada], Role.OPERATOR: [bob]}, random)
    estate = polled()
    while crowd.seen["clicks"] < CLICKS:
        servers = [seen.record for _, seen in sorted(estate.servers.items()) if _ready(estate, seen.record)]
        random.shuffle(servers)
        crowd.round(servers)
        estate = crowd.settle(polled)
    said = {action.pk: action for action in Action.objects.all()}
    tell(_table(crowd, simulator, said))

    sent = Counter(pk for arrived in simulator.arrivals for pk, _ in arrived.sending)
    assert [arrived for arrived in simulator.arrivals if len(arrived.sending) != 1] == [], "a POST without its row"
    assert [pk for pk, times in sent.items() if times > 1] == [], "a second POST"
    assert [one for one in simulator.arrivals if one.sending[0][1] != 2] == [], "a POST without its audit entries"
    assert [pk for pk in simulator.tasks if said[pk].state in NEVER] == [], "the cloud took what we call refused"
    for pk, action in said.items():
        result = _result(simulator, pk)
        assert not (action.state == State.FAILED and result == "ok"), f"{pk} did not fail"
        assert not (action.state == State.SUCCEEDED and result != "ok"), f"{pk} did not succeed"
        assert not (action.state == State.ACCEPTED and pk not in simulator.tasks), f"{pk} was never accepted"
        assert action.state not in (State.REQUESTED, State.SENDING), f"{pk} is stuck"


def _ready(estate: Estate, server: Server) -> bool:
    """Whether anything may be done with it, as the last poll saw it."""
    sight = Sight(server, site=estate.site_of(server))
    return any(judge(kind, sight, role=Role.ADMIN, posture=Posture.ARMED).allowed for kind in Kind)


def _result(simulator: Witness, pk: int) -> str:
    """What became of the cloud's task; empty when the cloud never took the action."""
    task = next((task for uuid, task in simulator.world.tasks.items() if uuid in simulator.tasks.get(pk, "")), None)
    return task.result if task else ""


def _table(crowd: Crowd, simulator: Witness, said: dict[int, Action]) -> str:
    states = Counter(f"{action.state}{' (closed by a person)' * (action.verdict != '')}" for action in said.values())
    met = Counter(one.fault or "none" for one in simulator.posts)
    return "\n".join([
        ", ".join(f"{what}: {times}" for what, times in sorted(crowd.seen.items())),
        f"POSTs that arrived: {len(simulator.arrivals)}, taken by the cloud: {len(simulator.tasks)}",
        f"faults that POSTs met: {', '.join(f'{what} {times}' for what, times in met.most_common())}",
        f"actions: {', '.join(f'{what} {times}' for what, times in states.most_common())}",
    ])  # fmt: skip
