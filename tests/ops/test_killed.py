"""The web process killed or stopped anywhere in an action: one POST at most, none late, none after a close, and no word
about the outcome that is not true.
"""

import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from enum import StrEnum
from itertools import product
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from drdash.clock import boot_seconds
from drdash.failover import following
from drdash.failover.closing import QUARANTINE, close
from drdash.failover.guard import Kind
from drdash.failover.models import Action, State
from drdash.simulator.server import running
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Tenant
from tests.sizes import TORTURE, cases, tell
from tests.stack import Poll
from tests.webs import Caller, Web, Webs, wait_until

FAILOVER, TRANSPORT = "drdash/failover", "drdash/cloud/transport.py"
WITH_A_TOKEN = f"return {FAILOVER}/looking.py without_token"
LAST = "before the first byte"
# Where each step of the protocol begins or ends. The wire's own are halted by the cloud, when the POST has arrived.
BEFORE_THE_POST = {
    "before the row": [f"call {FAILOVER}/actions.py request"],
    "after the row": [f"return {FAILOVER}/record.py create"],
    "in the fresh read": [f"call {FAILOVER}/looking.py look", f"return {TRANSPORT} _Watched.send"],
    "after the fresh read": [f"return {FAILOVER}/looking.py look"],
    "with a token": [WITH_A_TOKEN],
    "connected": [WITH_A_TOKEN, f"return {TRANSPORT} _Watched.connect"],
    "before the claim": [f"call {FAILOVER}/claiming.py claim"],
    "claimed": [f"return {FAILOVER}/claiming.py claim"],
    LAST: [f"return {FAILOVER}/actions.py _carry_out.<locals>.go"],
}
# Whether the cloud has taken it.
ON_THE_WIRE = {"arrived": False, "taken": True}
AFTER_THE_POST = {
    "answered": [f"call {FAILOVER}/outcomes.py settle"],
    "outcome written": [f"return {FAILOVER}/outcomes.py settle"],
    "before the response": ["return drdash/web/api_acting.py ServerActions.post"],
}
STEPS: dict[str, list[str]] = {**BEFORE_THE_POST, **{point: [] for point in ON_THE_WIRE}, **AFTER_THE_POST}
assert len(STEPS) == 14
# Longer than what was read stays good for a decision.
LATE_SECONDS = 5.3
NEVER = {State.REFUSED, State.EXPIRED, State.NOT_SENT, State.FAILED}
OVER = {*NEVER, State.SUCCEEDED, State.UNKNOWN, State.CLOSED}
BATCHES = cases(1, full=50)


class Halt(StrEnum):
    """What happens to the process at its point."""

    KILLED = "killed"
    STOPPED = "stopped for a moment"
    STOPPED_AND_KILLED = "stopped, and killed"
    LATE = "stopped until it is too late"
    CLOSED = "stopped until a person has closed it"

    @property
    def ends(self) -> bool:
        return self in {Halt.KILLED, Halt.STOPPED_AND_KILLED}

    @property
    def wakes_late(self) -> bool:
        return self in {Halt.LATE, Halt.CLOSED}


class Try:
    """One action on one server, by a process that is halted on its way."""

    def __init__(self, point: str, kind: Kind, halt: Halt, server: str, name: str) -> None:
        self.point, self.kind, self.halt, self.server, self.name = point, kind, halt, server, name
        self.key = uuid4().hex
        self.web: Web
        self.asking: threading.Thread
        self.halted_at = 0.0

    def __repr__(self) -> str:
        return f"{self.kind}, {self.halt} {self.point}"

    def approach(self, webs: Webs, caller: Caller, simulator: Simulator) -> None:
        """Have it asked for, up to where the process is halted."""
        end = signal.SIGKILL if self.halt is Halt.KILLED else signal.SIGSTOP
        if self.point in ON_THE_WIRE:
            simulator.fail("hang", method="POST", path=self.server, after_effect=ON_THE_WIRE[self.point])
        for key in (uuid4().hex for _ in range(5)):
            self.key = key
            self.web = webs.start(*STEPS[self.point], signal=end)
            confirm = {} if self.kind is Kind.START_TEST else {"confirm": self.name}
            wish = {"action": self.kind.value, "idempotency_key": key, **confirm}
            self.asking = threading.Thread(target=caller.act, args=(self.web, self.server), kwargs=wish, daemon=True)
            self.asking.start()
            if self.point in ON_THE_WIRE:
                while not simulator.arrived(method="POST", path=self.server, timeout=0.2) and self.asking.is_alive():
                    pass
                if self.asking.is_alive():
                    self.web.signal(end)
            wait_until(lambda: self.web.halted or not self.asking.is_alive(), f"{self} is reached")
            # On a machine that is too slow just now it is refused on the way: what was read is too old. Whoever is
            # killed has closed its connections a moment before it is gone.
            if self.web.halted or self.web.answers_no_more():
                break
        else:
            raise AssertionError((self, self.action and self.action.error))
        self.halted_at = time.monotonic()
        if self.halt is Halt.STOPPED:
            self.web.signal(signal.SIGCONT)
        elif self.halt is Halt.STOPPED_AND_KILLED:
            self.web.kill()

    def wake(self) -> None:
        time.sleep(max(0.0, self.halted_at + LATE_SECONDS - time.monotonic()))
        self.web.signal(signal.SIGCONT)

    @property
    def action(self) -> Action | None:
        return Action.objects.filter(idempotency_key=self.key).first()


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with running("quiet", servers=cases(40, full=80)) as simulator:
        yield simulator


def tries(batch: int, servers: list[tuple[str, str]]) -> list[Try]:
    """Every point with every kind; in the suite with one of them. A halt for each, over the batches all of them."""
    halts = list(Halt)
    kinds = list(Kind)
    if TORTURE:
        chosen = [(point, kind, halts[(at + batch) % 5]) for at, (point, kind) in enumerate(product(STEPS, kinds))]
    else:
        chosen = [(point, kinds[at % 3], Halt.KILLED) for at, point in enumerate(STEPS)]
        chosen += [(point, kinds[at % 2], halts[-1 - at % 4]) for at, point in enumerate(BEFORE_THE_POST)]
    assert len(servers) >= len(chosen)
    # Those that wait the longest come first.
    chosen.sort(key=lambda one: not one[2].wakes_late)
    return [Try(*one, *server) for one, server in zip(chosen, servers, strict=False)]


@pytest.mark.parametrize("batch", range(BATCHES))
def test_whatever_ends_or_stops_the_process_the_record_tells_no_lie(
    batch: int, webs: Webs, simulator: Simulator, polled: Poll, tenant: Tenant, alice: User
) -> None:
    world = simulator.world
    tried = tries(batch, at_rest_in(simulator))
    prepare(tried, simulator)
    polled()
    caller = Caller(alice, tenant)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda one: one.approach(webs, caller, simulator), tried))

    restarted, begun = webs.start(), time.monotonic()
    ended = {one.key for one in tried if one.halt.ends}
    assert caller.get(restarted, "actions/").status_code == 200
    under_way = Action.objects.filter(idempotency_key__in=ended, state__in=[State.REQUESTED, State.SENDING])
    wait_until(lambda: caller.get(restarted, "actions/").ok and not under_way.exists(), "all have an end")
    tell(f"settled {time.monotonic() - begun:.1f} s after the restart")

    closed = [one for one in tried if one.halt is Halt.CLOSED and close_it(one, alice)]
    with ThreadPoolExecutor(len(tried)) as threads:
        list(threads.map(Try.wake, [one for one in tried if one.halt.wakes_late]))
    simulator.release()
    for one in tried:
        one.asking.join(60)
        assert not one.asking.is_alive(), one
    posts = {one: len([post for post in simulator.posts if one.server in post.path]) for one in tried}
    taken = {one for one in tried if world.servers[one.server.lower()].task}

    simulator.advance(200)
    polled()
    for one in tried:
        check(one, posts[one], taken=one in taken)
    for one in closed:
        assert Action.objects.get(idempotency_key=one.key).state == State.CLOSED, one
        assert posts[one] == (0 if one.point in BEFORE_THE_POST else 1), one


def at_rest_in(simulator: Simulator) -> list[tuple[str, str]]:
    """Servers on which anything may be started, by id and name."""
    world = simulator.world
    for uuid in list(world.sites):
        simulator.force_site(uuid, issues=[], status="PROVISIONED")
    return sorted(
        (one.uuid, str(one.fields["name"]))
        for one in world.servers.values()
        if one.is_recovery and (site := world.site(one.site_uuid)) and site.deleted_at is None
    )


@pytest.mark.skipif(not TORTURE, reason="it takes the time that a send may take: see make torture")
def test_whoever_sleeps_until_its_time_is_over_sends_nothing_however_near_it_was(
    webs: Webs, simulator: Simulator, polled: Poll, tenant: Tenant, alice: User
) -> None:
    kinds = list(Kind)
    points = [LAST, LAST, "after the row"]
    tried = [
        Try(points[at % 3], kinds[at // 3 % 3], Halt.CLOSED, *one) for at, one in enumerate(at_rest_in(simulator)[:60])
    ]
    prepare(tried, simulator)
    polled()
    caller = Caller(alice, tenant)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda one: one.approach(webs, caller, simulator), tried))
    time.sleep(following.SEND_SECONDS + 1)
    following.sweep(timezone.now())
    for one in tried:
        action = Action.objects.get(idempotency_key=one.key)
        assert action.state == (State.UNKNOWN if one.point == LAST else State.EXPIRED), one
        if one.point == LAST:
            why = "I could not wait, and have looked at the cloud's own page."
            close(action, by=alice, verdict="untold", why=why, now=timezone.now(), glass=True, warned=True)
        one.web.signal(signal.SIGCONT)
    for one in tried:
        one.asking.join(60)
        assert not one.asking.is_alive(), one
        state = Action.objects.get(idempotency_key=one.key).state
        assert state == (State.CLOSED if one.point == LAST else State.EXPIRED), one
    assert simulator.posts == []


def prepare(tried: list[Try], simulator: Simulator) -> None:
    """Have each server in the state in which the action is allowed."""
    for one in tried:
        status = "FAILOVER_TEST" if one.kind is Kind.STOP else "STAND_BY"
        simulator.force_server(one.server, status=status, issues=[], task=None)


def close_it(one: Try, by: User) -> bool:
    """Let the time pass in which it may be closed, and close it, while its process is stopped."""
    if (action := one.action) is None:
        return False
    now = timezone.now()
    following.settle(action, now + timedelta(seconds=following.SEND_SECONDS + 1))
    if action.state != State.UNKNOWN:
        return False
    later, why = now + QUARANTINE + timedelta(seconds=1), "I looked at the cloud's own page, and wrote down what I saw."
    close(action, by=by, verdict="untold", why=why, alone=True, now=later, clock=lambda: boot_seconds() + 2000)
    return True


def check(one: Try, posts: int, *, taken: bool) -> None:
    action = one.action
    told: Any = (one, action and action.state, action and action.error, posts)
    assert posts <= 1, told
    if action is None:
        assert (posts, one.point) == (0, "before the row"), told
        return
    assert action.state in OVER, told
    if taken:
        assert action.state not in NEVER, told
    if posts == 0:
        assert action.state != State.SUCCEEDED, told
    # Who is woken before it reads has all of its time before it yet, if nobody spoke meanwhile.
    goes_on = one.halt is Halt.STOPPED or (one.halt is Halt.LATE and one.point == "after the row")
    goes_on = goes_on or (one.halt.wakes_late and one.point == "before the row")
    if one.point in BEFORE_THE_POST and not goes_on:
        assert posts == 0, told
    if one.halt is Halt.STOPPED and posts:
        assert action.state == State.SUCCEEDED, told
