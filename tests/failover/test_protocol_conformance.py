"""The real protocol does what its model does: it is led along runs of the model, against the simulator and the
database, and after each step the actions are in the states of the model, and the cloud is too.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from random import Random
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from drdash import senders
from drdash.clock import boot_seconds
from drdash.cloud.records import Server
from drdash.estate.clients import reader
from drdash.estate.fresh import Fresh, read_fresh
from drdash.failover import closing, following, looking
from drdash.failover.actions import Wish
from drdash.failover.guard import Kind
from drdash.failover.models import Action, State
from drdash.simulator.building import build
from drdash.simulator.server import serving
from drdash.tenants.models import Tenant
from tests.failover.protocol_model import (
    GLASS,
    LATE,
    NOBODY,
    REST,
    RUNNING,
    START,
    STARTING,
    STOP,
    STOPPING,
    Row,
    Sender,
    World,
    steps,
)
from tests.failover.puppets import (
    AFTER_THE_CLAIM,
    AFTER_THE_LOOK,
    BEFORE_THE_CLAIM,
    BEFORE_THE_LOOK,
    Died,
    Led,
    Post,
    Puppet,
)
from tests.sizes import cases, tell

SEED = int(os.environ.get("SEED", "") or 7)
RUNS = cases(8, full=400)
STATUS = {
    "STAND_BY": REST,
    "STARTING_FAILOVER_TEST": STARTING,
    "STARTING_FAILOVER_PROD": STARTING,
    "FAILOVER_TEST": RUNNING,
    "FINALIZATION": RUNNING,
    "FAILOVER_PROD": RUNNING,
    "STOPPING_FAILOVER": STOPPING,
}
RARE = ("time passes", "dies", "no answer", "cannot read", "expires", "silent", "somebody", "glass closes", "is lost")
LOOKED = "I looked at the cloud's own console, and there I saw what became of it."
KINDS = {START: Kind.START_TEST, STOP: Kind.STOP, GLASS: Kind.START_PROD}
WORLDS = (
    World((Row(START), Row(START)), (Sender(0), Sender(0), Sender(1)), slows=2, crashes=2),
    World((Row(START), Row(STOP)), (Sender(0), Sender(1)), slows=2),
    World((Row(STOP), Row(START)), (Sender(0), Sender(0), Sender(1)), RUNNING),
    World((Row(START), Row(GLASS)), (Sender(0), Sender(1)), crashes=2, outside=0, failures=0),
)


@pytest.fixture
def simulator() -> Iterator[Led]:
    with serving(Led(build("quiet", token_life=1e9))) as led:
        assert isinstance(led, Led)
        yield led


class Run:
    """One run of the model, step by step, and the same done to the real thing."""

    def __init__(self, simulator: Led, tenant: Tenant, people: list[User], server: Server, world: World) -> None:
        self.simulator, self.tenant, self.server, self.world = simulator, tenant, server, world
        self.told: list[str] = []
        keys = [uuid4().hex for _ in world.rows]
        self.clicks = [Puppet(people[one.row], tenant, server, self._wish(one.row, keys)) for one in world.senders]
        self.posts: dict[int, Post] = {}
        self.looked = [0.0] * len(world.senders)
        self.read: Fresh | None = None
        self.by = people[-1]
        if world.status == RUNNING:
            with simulator.lock:
                simulator.world.start(server.uuid, production=False)
            simulator.advance(60)
        simulator.arrived_at = self._arrived
        self.leaving: Puppet | None = None

    def step(self, random: Random) -> bool:
        """Take one of the steps that the model can take here; False: there is none."""
        can = [step for step in steps(self.world) if step.after != self.world and self._leads(step.what)]
        if not can:
            return False
        what, after, _ = random.choices(can, [_weight(step.what) for step in can])[0]
        self.told.append(what)
        self._do(what)
        self.world = after
        self._compare()
        return True

    def end(self) -> None:
        """Let go whoever still waits."""
        for click in self.clicks:
            click.let_go()
        Action.objects.exclude(state=State.CLOSED).update(state=State.CLOSED)
        with self.simulator.lock:
            self.simulator.world.servers[self.server.key].task = None
            self.simulator.world.stand_by(self.simulator.world.servers[self.server.key])

    def _wish(self, row: int, keys: list[str]) -> Wish:
        kind = self.world.rows[row].kind
        nods = frozenset({"OurStartUnknown", "OurStopUnknown", "ReadFailed"})
        why = "The main site burns, and nobody knows any more." if kind == GLASS else ""
        return Wish(kind=KINDS[kind], key=keys[row], acknowledge=nods, confirm=self.server.name, glass=why)

    def _leads(self, what: str) -> bool:
        """Whether this step can be done to the real thing. Left out: a connection that fails; a click that is paused
        after its last look at the clock; one that would first settle itself what its sender left behind; and production
        that arrives while a test runs: the model does not tell the two apart.
        """
        if "no connection" in what:
            return False
        if found := re.match(r"the POST of action (.) arrives", what):
            return self.world.rows[ord(found[1]) - ord("A")].kind != GLASS or self.world.status != RUNNING
        if not (found := re.match(r"click (\d): (.*)", what)):
            return True
        mine = self.world.rows[self.world.senders[int(found[1]) - 1].row]
        if found[2] == "the first byte leaves":
            return mine.age < LATE
        if "guard" in found[2] or "repeat" in found[2]:
            left = any(self._left_behind(row) for row in self.world.rows)
            return not left and not (mine.kind == GLASS and mine.age >= LATE)
        return True

    def _left_behind(self, row: Row) -> bool:
        dead = row.sender != NOBODY and self.world.senders[row.sender].at == "dead"
        return dead and row.state in ("requested", "sending")

    def _do(self, what: str) -> None:
        if found := re.match(r"click (\d): (.*)", what):
            self._click(int(found[1]) - 1, found[2])
        elif found := re.match(r"the POST of action (.) (.*)", what):
            self._wire(ord(found[1]) - ord("A"), found[2])
        elif found := re.match(r"(?:ten silent minutes: )?action (.) (?:expires|is settled|is unknown)", what):
            self._settle(self._action(ord(found[1]) - ord("A")))
        elif found := re.match(r"(a person|broken glass) closes action (.)", what):
            self._close(self._action(ord(found[2]) - ord("A")), glass=found[1] == "broken glass")
        elif what.startswith("a poll sees"):
            looking.look(self.tenant, self.server)
        elif what.startswith("a poll begins"):
            self.read = read_fresh(reader(self.tenant), self.server, now=timezone.now)
        elif what.startswith("the poll that saw"):
            assert self.read is not None
            servers = self.read.read.servers
            following.observe(self.tenant.pk, servers, started=self.read.started, now=timezone.now())
        elif what.startswith("the cloud's task"):
            self.simulator.force_server(self.server.uuid, fail_next="fails" in what)
            self.simulator.advance(60)
        elif what.startswith("somebody at the cloud's own console"):
            with self.simulator.lock:
                world = self.simulator.world
                world.start(self.server.uuid, production=False) if self.world.status == REST else world.stop(
                    self.server.uuid
                )
        else:
            assert what.startswith("time passes"), what

    def _click(self, number: int, what: str) -> None:
        click, sender = self.clicks[number], self.world.senders[number]
        row = self.world.rows[sender.row]
        # What is late is over the 5 s of a read, within the 30 s of a request; the look begins an age of its own.
        now = self.looked[number] + (10.0 if row.age >= LATE else 0.0)
        self.leaving = click
        if what.endswith("is committed"):
            assert click.begin() == BEFORE_THE_LOOK, what
            click.action = self._action(sender.row)
        elif what.startswith("a repeat"):
            ended = click.begin()
            assert ended == self._action(sender.row), what
        elif what == "its process dies":
            self._die(click)
        elif what.startswith("it hears"):
            assert click.post is not None
            if "no answer" in what:
                click.post.answer = None
            assert isinstance(click.hear(), Action), what
        else:
            if what.startswith("it looks"):
                self.looked[number] = now
            if what == "it looks, and cannot read":
                self.simulator.fail("500", method="GET", path="/servers")
            came = click.go_on(now)
            goes_on = {
                "it looks, and cannot read": AFTER_THE_LOOK,
                f"it looks, and sees it {self.world.status}": AFTER_THE_LOOK,
                "the guard lets it go": BEFORE_THE_CLAIM,
                "it connects, and claims the server": AFTER_THE_CLAIM,
            }
            if what == "the first byte leaves":
                assert isinstance(came, Post), what
                self.posts[sender.row] = came
            elif what in goes_on:
                assert came == goes_on[what], self._story(sender.row, repr(came))
            else:
                assert isinstance(came, Action), self._story(sender.row, repr(came))

    def _die(self, click: Puppet) -> None:
        """The process is gone: a thread cannot be killed, so it ends where it waits, or is never answered."""
        assert click.action is not None
        if click.post is None:
            assert isinstance(click.go_on(None), Died)
        host, _, *rest = senders.me().split(" ")
        Action.objects.filter(pk=click.action.pk).update(sender=" ".join([host, "an-earlier-boot", *rest]))

    def _wire(self, row: int, what: str) -> None:
        post, busy = self.posts[row], self.world.task != NOBODY
        able = not busy and self.world.status == (RUNNING if self.world.rows[row].kind == STOP else REST)
        said = what.rpartition(" ")[2]
        if "takes it" in what:
            self.simulator.take(post, said)
        elif "does not take it" in what:
            self.simulator.turn_down(post, said, able=able)

    def _arrived(self, post: Post) -> None:
        assert self.leaving is not None
        self.leaving.posted(post)

    def _settle(self, action: Action) -> None:
        """By whoever looks, when its time is over, or at once when its sender is gone."""
        gone = senders.gone(action.sender) and action.state != State.ACCEPTED
        since = action.last_sign_at or action.sent_at or action.requested_at
        following.settle(action, timezone.now() if gone else since + timedelta(minutes=11))

    def _close(self, action: Action, *, glass: bool) -> None:
        word, now = closing.Verdict.UNTOLD.value, timezone.now()
        if glass:
            closing.close(action, by=self.by, verdict=word, why=LOOKED, now=now, alone=True, glass=True, warned=True)
        else:
            later, soon = now + closing.QUARANTINE, boot_seconds() + closing.QUARANTINE.total_seconds()
            closing.close(action, by=self.by, verdict=word, why=LOOKED, now=later, alone=True, clock=lambda: soon)

    def _action(self, row: int) -> Action:
        """The stored action of this row of the model."""
        key = self.clicks[next(n for n, one in enumerate(self.world.senders) if one.row == row)].key
        return Action.objects.get(idempotency_key=key)

    def _compare(self) -> None:
        for number, row in enumerate(self.world.rows):
            real = self._action(number).state if row.state != "none" else "none"
            assert State(row.state.replace(" ", "_")) == real if row.state != "none" else True, self._story(
                number, real
            )
        with self.simulator.lock:
            status = STATUS[str(self.simulator.world.servers[self.server.key].status)]
        assert status == self.world.status, self._story(-1, status)

    def _story(self, number: int, real: str) -> str:
        lines = [f"{count:3}. {what}" for count, what in enumerate(self.told, 1)]
        of = f"action {chr(ord('A') + number)}" if number >= 0 else "the server"
        model = self.world.rows[number].state if number >= 0 else self.world.status
        return "\n".join(["", *lines, f"Here {of} is {real}, and {model} in the model."])


def _weight(what: str) -> float:
    """How often this is done among the steps that can be: without it most clicks would be too late or dead."""
    return 1 if any(word in what for word in RARE) else 12


def test_the_real_protocol_goes_through_the_states_of_its_model(
    simulator: Led, tenant: Tenant, alice: User, bob: User, server: Server
) -> None:
    tell(f"SEED={SEED}")
    random, done = Random(SEED), Counter[str]()
    for _ in range(RUNS):
        run = Run(simulator, tenant, [bob, alice], server, random.choice(WORLDS))
        try:
            while run.step(random):
                done[re.sub(r"click \d|action .", "…", run.told[-1])] += 1
        finally:
            run.end()
    tell("\n".join(f"{times:6} {what}" for what, times in sorted(done.items())))
