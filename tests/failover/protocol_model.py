"""A small model of the action protocol: every step that a click, the wire, the cloud, time or a person can take.

One server at one cloud. A step of a click is what the code does between two moments at which the rest of the world can
see it, or be seen: its process may die, or be paused while time passes, between any two of them.

    commits the row   actions.request → record.create; the unique key of a person makes a repeat of a second click
    looks             looking.look, which is evidence for the other actions too: following.observe
    asks the guard    ours.open_action, guard.judge: those rows of its table that time and other actors can change
    connects, and     transport: go() is asked on the open connection; it is claiming.claim, by compare-and-set, with
    claims            one open action for a server (one_open_action_per_server). A stop closes the unknown start that it
                      goes over, a start by broken glass whatever was unknown; following.reopen undoes that when the
                      cloud certainly did not take it
    posts             the first byte leaves if claim and clock allow: 5 s after the read it may be left, and after
                      client._post's own 70 s it is (transport: "sends nothing late")
    hears             client._post, wire.answer, outcomes.meaning; then outcomes.settle, by compare-and-set, and
                      record.keep_late_answer for what comes too late

Beside them: time in four ages (the read is too old; the lease is over, following.SEND_SECONDS; the quarantine is over,
closing.QUARANTINE) and whoever settles what it is over for, or whose sender is gone (following.settle); reads that are
evidence at once, or later because they hang (following.observe); the cloud with its tasks; somebody at the cloud's own
console; and the person who closes what is unknown (closing.close), or breaks the glass to do so before its quarantine.

Rights, approvals, nods, typed names and what changed since the dialog are left out: they only refuse more. What runs
is not told to be a test or production. Taken for granted: the database commits whole transactions; nothing is on the
wire for longer than the quarantine; no time passes between the transport's last look at the clock and the first byte
(``wrong="paused in the gap"``: when it does).
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

REST, STARTING, RUNNING, STOPPING, UNREAD = "at rest", "starting", "running", "stopping", "unread"
START, STOP, GLASS = "start", "stop", "start by broken glass"
WAY = {START: STARTING, GLASS: STARTING, STOP: STOPPING}
WANTED = {START: RUNNING, GLASS: RUNNING, STOP: REST}
PROGRESS = ("none", "requested", "sending", "accepted", "unknown")  # every other state is an end
OPEN = frozenset({"sending", "accepted", "unknown"})
# What the cloud answers. Busy: a 409 that names a task which the fresh read did not show.
MEANING = {"202": "accepted", "4xx": "refused", "busy": "unknown", "5xx": "unknown", "no answer": "unknown"}
STEPS = ("clicked", "committed", "looked", "allowed", "claimed", "in the gap", "posted", "done", "dead")
ENDS = frozenset({"done", "dead"})
LATE, LEASE_OVER, QUARANTINE_OVER = 1, 2, 3
AGES = ("", "what was read is too old", "its lease is over", "its quarantine is over")
NOBODY, OUTSIDER = -1, 9


class Row(NamedTuple):
    """An action as it is stored, then what is true of it whether anybody knows or not.

    ``over_by``: what went over it, and may yet turn out not to have; ``stirred``: another's task began on the server
    after the cloud took this one.
    """

    kind: str
    state: str = "none"
    sender: int = NOBODY
    closed_by: str = ""
    over_by: int = NOBODY
    ours_seen: bool = False
    other_seen: bool = False
    age: int = 0
    posts: int = 0
    flying: bool = False
    answer: str = ""
    taken: bool = False
    task: str = ""
    stirred: bool = False


class Sender(NamedTuple):
    """A click and the thread that serves it. ``seen``: the status that it read; ``over``: the row it will close."""

    row: int
    at: str = "clicked"
    seen: str = ""
    over: int = NOBODY


class Slow(NamedTuple):
    """A read that hangs: what it will show, for which rows it is evidence, and which gave no sign since it began."""

    status: str
    task: int
    last: int
    evidence: frozenset[int]
    silent: frozenset[int]


class World(NamedTuple):
    """``task``: whose task runs at the cloud, and ``last``: whose started its last test; ``clocks``: the rows whose age
    matters, the oldest first. The last four: what may still go wrong.
    """

    rows: tuple[Row, ...]
    senders: tuple[Sender, ...]
    status: str = REST
    task: int = NOBODY
    last: int = NOBODY
    clocks: tuple[int, ...] = ()
    slow: Slow | None = None
    crashes: int = 1
    outside: int = 1
    failures: int = 1
    slows: int = 1

    def with_row(self, number: int, **changes: Any) -> "World":
        """The same with a row that changed; what can no longer matter of it is forgotten."""
        row = self.rows[number]._replace(**changes)
        if row.state != "accepted" and (row.ours_seen or row.other_seen):
            row = row._replace(ours_seen=False, other_seen=False)
        if row.state not in ("sending", "accepted") and (row.task or row.stirred):
            row = row._replace(task="", stirred=False)
        clocks = self.clocks
        if self.senders[row.sender].at in ENDS:
            if row.answer:
                row = row._replace(answer="")  # nobody listens any more
            if row.state not in PROGRESS and not row.flying and row.over_by == NOBODY:
                row = row._replace(age=0) if row.state != "closed" else Row(row.kind, "closed", row.sender, "a word")
                clocks = tuple(one for one in clocks if one != number)
        world = self._replace(rows=(*self.rows[:number], row, *self.rows[number + 1 :]), clocks=clocks)
        if row.state != "sending":
            for under, other in enumerate(world.rows):
                if other.over_by == number:
                    world = world.with_row(under, over_by=NOBODY)
        return world

    def with_sender(self, number: int, at: str, **changes: Any) -> "World":
        """The same with a sender that went on."""
        was = self.senders[number]
        sender = Sender(was.row, at) if at in ENDS else was._replace(at=at, **changes)
        world = self._replace(senders=(*self.senders[:number], sender, *self.senders[number + 1 :]))
        return world.with_row(sender.row) if self.rows[sender.row].sender == number else world

    def told(self, number: int, task: str) -> "World":
        """The same, and the task of one of our actions has come to its end."""
        if number == NOBODY or not self.rows[number].task:
            return self
        return self.with_row(number, task=task)

    def stirred(self, by: int) -> "World":
        """The same, and another than the actions that the cloud took before has begun something."""
        world = self
        for number, row in enumerate(self.rows):
            if number != by and row.taken:
                world = world.with_row(number, stirred=True)
        return world


class Step(NamedTuple):
    """What happens, and the world after it. ``fair``: it happens in the end, if nothing else does."""

    what: str
    after: World
    fair: bool = True


def steps(world: World, wrong: str = "") -> Iterator[Step]:
    """Whatever can happen next. ``wrong``: the one thing that is deliberately done wrong."""
    for number, sender in enumerate(world.senders):
        if sender.at in ENDS:
            continue
        for what, after in _sender(world, number, wrong):
            yield Step(f"click {number + 1}: {what}", after)
        if world.crashes and sender.at != "clicked":
            dead = world.with_sender(number, "dead")
            yield Step(f"click {number + 1}: its process dies", dead._replace(crashes=world.crashes - 1), False)
    for number, row in enumerate(world.rows):
        yield from _wire(world, number, row)
        yield from _time(world, number, row, wrong)
        if row.state == "unknown":
            over = row.age == QUARANTINE_OVER or wrong == "closed before the quarantine"
            who = "a person" if over else "broken glass"
            yield Step(
                f"{who} closes {_name(number)}", _moved(world, number, "unknown", "closed", closed_by=who), False
            )
    yield from _reads(world, wrong)
    yield from _cloud(world)


def _name(number: int) -> str:
    return f"action {chr(ord('A') + number)}"


def _moved(world: World, number: int, before: str, after: str, **changes: Any) -> World:
    """record.move: by compare-and-set; the world as it is when the action is in another state by now."""
    return world.with_row(number, state=after, **changes) if world.rows[number].state == before else world


# What a click does


def _sender(world: World, number: int, wrong: str) -> Iterator[tuple[str, World]]:
    sender = world.senders[number]
    mine, row = sender.row, world.rows[sender.row]

    def end(what: str, world: World) -> tuple[str, World]:
        return what, world.with_sender(number, "done")

    def on(at: str, what: str, world: World, **changes: Any) -> tuple[str, World]:
        return what, world.with_sender(number, at, **changes)

    if sender.at == "clicked":
        if row.state == "none":
            made = world.with_row(mine, state="requested", sender=number)._replace(clocks=(*world.clocks, mine))
            yield on("committed", f"{_name(mine)} is committed", made)
        else:
            yield end(f"a repeat of {_name(mine)}", world)
    elif sender.at == "committed":
        looking = world.with_row(mine, age=0) if row.state == "requested" else world
        if mine in looking.clocks:
            looking = looking._replace(clocks=(*(one for one in world.clocks if one != mine), mine))
        seen = _weighed(looking, _shown(world, frozenset(range(len(world.rows)))), wrong)
        yield on("looked", f"it looks, and sees it {world.status}", seen, seen=world.status)
        yield on("looked", "it looks, and cannot read", looking, seen=UNREAD)
    elif sender.at == "looked":
        over = _allowed(world, mine, sender.seen)
        if over is None or row.age >= LATE:
            yield end("the guard refuses", _moved(world, mine, "requested", "refused"))
        else:
            yield on("allowed", "the guard lets it go", world, over=over, seen="")
    elif sender.at == "allowed":
        yield end("there is no connection", _moved(world, mine, "requested", "not sent"))
        if wrong == "posts before the claim":
            yield on("posted", "it connects and posts, to claim after that", _posted(world, mine))
        else:
            yield from _claim(world, number, wrong)
    elif sender.at == "claimed" and wrong == "paused in the gap":
        if row.age < LEASE_OVER:
            yield on("in the gap", "it looks at the clock: there is time", world)
    elif sender.at in ("claimed", "in the gap"):
        if row.age < LEASE_OVER or sender.at == "in the gap" or wrong == "no look at the clock":
            yield on("posted", "the first byte leaves", _posted(world, mine))
        if row.age >= LATE:
            yield end("it is late, and leaves it", _never(world, mine, "not sent", wrong))
    elif sender.at == "posted":
        if wrong == "posts again" and not row.answer:
            yield on("posted", "no answer in time: it posts again", _posted(world, mine))
        for heard in ("no answer", row.answer) if row.answer else ("no answer",):
            means = "refused" if wrong == f"{heard} is a refusal" else MEANING[heard]
            told = _never(world, mine, means, wrong) if means == "refused" else _moved(world, mine, "sending", means)
            then = f"{_name(mine)} is {means}" if told is not world else "kept as a late answer"
            yield end(f"it hears {heard}: {then}", told)


def _never(world: World, mine: int, state: str, wrong: str) -> World:
    """outcomes._end of what was claimed, and never taken: what it went over is as unknown as before."""
    if world.rows[mine].state != "sending":
        return world
    if wrong != "what it went over stays closed":
        for number, row in enumerate(world.rows):
            if row.over_by == mine:
                world = world.with_row(number, state="unknown", closed_by="", over_by=NOBODY)
    return world.with_row(mine, state=state)


def _allowed(world: World, mine: int, seen: str) -> int | None:
    """guard.judge over what was read and ours.open_action; the open row that the claim will close, or NOBODY; None when
    it is refused."""
    kind = world.rows[mine].kind
    ours = next((number for number, row in enumerate(world.rows) if row.state in OPEN), NOBODY)
    if seen != (RUNNING if kind == STOP else REST) and not (kind == GLASS and seen == UNREAD):
        return None
    if ours == NOBODY:
        return ours
    open_one = world.rows[ours]
    if open_one.state != "unknown" or (kind == START) or (kind == STOP and open_one.kind == STOP):
        return None
    return None if kind == GLASS and open_one.kind != STOP and seen == UNREAD else ours


def _claim(world: World, number: int, wrong: str) -> Iterator[tuple[str, World]]:
    mine, over = world.senders[number].row, world.senders[number].over
    refused = _moved(world, mine, "requested", "refused").with_sender(number, "done")
    if world.rows[mine].age >= LATE:
        yield "it connects too late: refused", refused
        return
    before = world.rows[mine].state if wrong == "claims without comparing" else "requested"
    claimed = _moved(world, mine, before, "sending")
    if claimed is not world and over != NOBODY:
        by = f"a {world.rows[mine].kind} over it"
        claimed = _moved(claimed, over, "unknown", "closed", closed_by=by, over_by=mine)
    if claimed is world:
        yield "it connects, and its claim finds it ended", world.with_sender(number, "done")
    elif wrong != "no unique index" and sum(row.state in OPEN for row in claimed.rows) > 1:
        yield "it connects, and its claim finds another open: refused", refused
    else:
        yield "it connects, and claims the server", claimed.with_sender(number, "claimed", over=NOBODY)


def _posted(world: World, mine: int) -> World:
    row = world.rows[mine]
    # On the wire the age still matters, whatever the row says.
    clocks = world.clocks if mine in world.clocks else (*world.clocks, mine)
    return world._replace(clocks=clocks).with_row(mine, posts=row.posts + 1, flying=True)


# The wire, time, and what is read


def _wire(world: World, number: int, row: Row) -> Iterator[Step]:
    if not row.flying:
        return
    yield Step(f"the POST of {_name(number)} is lost", world.with_row(number, flying=False), False)
    busy = world.task != NOBODY
    could = not busy and world.status == (RUNNING if row.kind == STOP else REST)
    heard = world.senders[row.sender].at == "posted"
    if could:
        task = world._replace(status=WAY[row.kind], task=number).stirred(number)
        for answer in ("202", "5xx", "busy") if heard else ("202",):
            said = answer if heard else ""
            taken = task.with_row(number, flying=False, taken=True, task="runs", answer=said)
            yield Step(f"the POST of {_name(number)} arrives, the cloud takes it and answers {answer}", taken)
    for answer in ("5xx", "busy" if busy else "4xx") if heard else ("4xx",):
        said = answer if heard else ""
        lost = world.with_row(number, flying=False, answer=said)
        yield Step(f"the POST of {_name(number)} arrives, the cloud does not take it and answers {answer}", lost)


def _time(world: World, number: int, row: Row, wrong: str) -> Iterator[Step]:
    if number in world.clocks and row.age < QUARANTINE_OVER:
        # Whose clock began earlier is at least as old.
        older = world
        for one in world.clocks[: world.clocks.index(number) + 1]:
            older = older.with_row(one, age=max(row.age + 1, world.rows[one].age))
        if not any(one.age == QUARANTINE_OVER and one.flying for one in older.rows):
            yield Step(f"time passes: for {_name(number)} {AGES[row.age + 1]}", older)
    if wrong == "nobody settles":
        return
    gone = row.sender != NOBODY and world.senders[row.sender].at == "dead"
    if row.state == "requested":
        # Its 30 s began before the look, at which the age of what was read begins anew.
        yield Step(f"{_name(number)} expires", world.with_row(number, state="expired"))
    elif row.state == "sending" and (gone or row.age >= LEASE_OVER):
        after = "not sent" if wrong == "a send that expired was not sent" else "unknown"
        yield Step(f"{_name(number)} is settled: {after}", world.with_row(number, state=after))
    elif row.state == "accepted":
        yield Step(f"ten silent minutes: {_name(number)} is unknown", world.with_row(number, state="unknown"))


def _reads(world: World, wrong: str) -> Iterator[Step]:
    accepted = frozenset(number for number, row in enumerate(world.rows) if row.state == "accepted")
    every = frozenset(range(len(world.rows)))
    seen = _weighed(world, _shown(world, every), wrong)
    if seen != world:
        yield Step(f"a poll sees it {world.status}", seen, False)
    if world.slows and world.slow is None:
        slow = _shown(world, every if wrong == "an old read is evidence" else accepted)._replace(silent=accepted)
        begun = world._replace(slow=slow, slows=world.slows - 1)
        yield Step(f"a poll begins, and sees it {world.status}", begun, False)
    if world.slow is not None:
        seen = _weighed(world._replace(slow=None), world.slow, wrong)
        yield Step(f"the poll that saw it {world.slow.status} ends", seen)


def _shown(world: World, evidence: frozenset[int]) -> Slow:
    """What a read shows that is over in a moment."""
    return Slow(world.status, world.task, world.last, evidence, evidence)


def _weighed(world: World, read: Slow, wrong: str) -> World:
    """following.observe: what a read says of the accepted actions."""
    for number in sorted(read.evidence):
        row = world.rows[number]
        reached = read.status == WANTED[row.kind]
        named = row.kind == START and read.last == number
        if row.state == "unknown" and reached and wrong == "what is seen closes the unknown":
            world = world.with_row(number, state="succeeded")
        if row.state != "accepted":
            continue
        if reached and (row.ours_seen or named or not row.other_seen or wrong == "another task is ignored"):
            world = world.with_row(number, state="succeeded")
        elif read.task == number:
            world = world.with_row(number, ours_seen=True)
            if world.slow is not None:
                world = world._replace(slow=world.slow._replace(silent=world.slow.silent - {number}))
        elif row.ours_seen and read.task == NOBODY and not reached and number in read.silent:
            world = world.with_row(number, state="failed")
        elif read.task != NOBODY and not row.ours_seen:
            world = world.with_row(number, other_seen=True)
    return world


# The cloud


def _cloud(world: World) -> Iterator[Step]:
    """Its tasks end, and somebody else is at it."""
    ours = world.task if world.task in range(len(world.rows)) else NOBODY
    ends = RUNNING if world.status == STARTING else REST
    if world.task != NOBODY:
        test = world.status == STARTING and (ours == NOBODY or world.rows[ours].kind == START)
        done = world._replace(status=ends, task=NOBODY, last=world.task if test else world.last)
        yield Step(f"the cloud's task ends: {ends}", done.told(ours, "done"))
    if world.task != NOBODY and world.failures:
        was = REST if world.status == STARTING else RUNNING
        failed = world._replace(status=was, task=NOBODY, failures=world.failures - 1)
        yield Step(f"the cloud's task fails: {was}", failed.told(ours, "failed"), False)
    if world.task == NOBODY and world.outside:
        way = STARTING if world.status == REST else STOPPING
        other = world._replace(status=way, task=OUTSIDER, outside=world.outside - 1).stirred(NOBODY)
        yield Step(f"somebody at the cloud's own console: {way}", other, False)
