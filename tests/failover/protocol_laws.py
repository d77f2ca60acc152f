"""What must hold wherever the protocol's model can come to, what is left open by design, and the walk to all of it."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from tests.failover.protocol_model import NOBODY, OPEN, PROGRESS, STEPS, Row, World, steps

NEVER = frozenset({"refused", "expired", "not sent"})
TOOK = frozenset({"accepted", "succeeded", "failed"})
BY_QUARANTINE = "a person"


def broken(before: World, after: World) -> str:
    """The law that this step breaks, in words; empty when it breaks none."""
    for old, new in zip(before.rows, after.rows, strict=True):
        if new is not old and (found := _broken(old, new)):
            return found
        if old.over_by != NOBODY and new.state == "closed" and after.rows[old.over_by].state in NEVER:
            return "closed by what went over it, which the cloud never took"
        if (
            old.state not in PROGRESS
            and new.state in PROGRESS
            and not (old.over_by != NOBODY and new.state == "unknown")
        ):
            return f"it was {old.state}, and goes on"
    if sum(row.state in OPEN for row in after.rows) > 1:
        return "two actions are open on one server"
    flying = [row for row in after.rows if row.flying]
    if len(flying) > 1 and not all(row.closed_by for row in flying[:1] + flying[2:]) and not flying[1].closed_by:
        return "two POSTs are on the wire, and no person let the second go over the first"
    return ""


def _broken(old: Row, new: Row) -> str:
    if new.posts > 1:
        return "a second POST of one action"
    if new.posts > old.posts and old.state != "sending":
        return f"a POST leaves while its action is {old.state}"
    if new.state in NEVER and (new.taken or new.flying):
        return f'"{new.state}", and the cloud took it or still may'
    if new.state in TOOK and not new.taken:
        return f'"{new.state}", and the cloud never took it'
    if new.state == "closed" and new.flying and new.closed_by == BY_QUARANTINE:
        return "closed after its quarantine, and its POST may still arrive"
    if old.state == "unknown" and new.state != "unknown" and not new.closed_by:
        return "an unknown one is ended by the program"
    if old.state == "accepted" and new.state == "succeeded" and old.task != "done":
        if old.other_seen and not old.ours_seen:
            return '"succeeded", and another task was seen where ours never was'
        if not old.stirred:
            return '"succeeded", and its task did not end well'
    if old.state == "accepted" and new.state == "failed" and old.task != "failed" and not old.stirred:
        return '"failed", and its task did not fail'
    return ""


def left_open(before: World, after: World) -> Iterator[str]:
    """What is not as one would wish in this step, and is by design: each has its own name."""
    for old, new in zip(before.rows, after.rows, strict=True):
        if old.flying and not new.flying and old.closed_by:
            yield f"a POST that was on the wire arrives after {old.closed_by} closed its action"
        if old.state == "accepted" and new.state == "succeeded" and old.task != "done":
            seen = "was seen" if old.ours_seen else "was never seen, nor any other"
            yield f"succeeded by another's hand, as our task {seen} and then the wanted state"
        if old.state == "accepted" and new.state == "failed" and old.task != "failed":
            yield "failed, as our task was seen and then not what it had done, which another undid in between"
    flying = [row for row in after.rows if row.flying]
    if len(flying) > 1 and sum(row.flying for row in before.rows) < 2:
        yield f"two POSTs on the wire: {' and '.join(row.closed_by for row in flying if row.closed_by)}"


def endless(reached: int, after: World) -> str:
    """What is wrong with a step that does not bring the world nearer to its end."""
    return "" if rank(after) > reached else "the world comes no nearer to its end: a run could go on for ever"


def stuck(world: World) -> str:
    """What is wrong with a world in which nothing more is bound to happen."""
    for number, row in enumerate(world.rows):
        if row.state in ("requested", "sending", "accepted"):
            return f"action {chr(ord('A') + number)} stays {row.state} for ever"
    return ""


def rank(world: World) -> int:
    """A number that grows with every step, so that there are no endless runs."""
    rank = -int(world.task != NOBODY) - 10 * (world.crashes + world.outside + world.failures + 3 * world.slows)
    if world.slow is not None:
        rank -= 10 + len(world.slow.silent)
    for sender in world.senders:
        rank += 100 * STEPS.index(sender.at)
    for row in world.rows:
        rank += 200 * PROGRESS.index(row.state) if row.state in PROGRESS else 5000 - 2500 * row.flying
        rank += row.age + row.ours_seen + row.other_seen + 50 * row.posts - 10 * row.flying
    return rank


class Found(NamedTuple):
    """What the walk found. ``trace``: the shortest way to what is broken, one step a line, with the law at its end."""

    states: int
    steps: int
    ends: Counter[str]
    left_open: Counter[str]
    trace: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join(f"{number:3}. {what}" for number, what in enumerate(self.trace, 1))


def explore(*starts: World, wrong: str = "") -> Found:
    """Walk through every world that can be reached, breadth first, up to the first that breaks a law."""
    came: dict[World, tuple[World, str] | None] = dict.fromkeys(starts)
    layer, taken = list(starts), 0
    ends: Counter[str] = Counter()
    gaps: Counter[str] = Counter()

    def found(world: World, *last: str) -> Found:
        trace = list(last)
        while (step := came[world]) is not None:
            world, what = step
            trace.insert(0, what)
        return Found(len(came), taken, ends, gaps, tuple(trace))

    while layer:
        following: list[World] = []
        for world in layer:
            bound, reached = False, rank(world)
            for step in steps(world, wrong):
                if step.after == world:
                    continue
                taken += 1
                bound = bound or step.fair
                if why := broken(world, step.after) or endless(reached, step.after):
                    return found(world, step.what, f"BROKEN: {why}")
                for gap in left_open(world, step.after):
                    gaps[gap] += 1
                if step.after not in came:
                    came[step.after] = world, step.what
                    following.append(step.after)
            if not bound:
                ends[" + ".join(row.state for row in world.rows)] += 1
                if why := stuck(world):
                    return found(world, f"BROKEN: {why}")
        layer = following
    return Found(len(came), taken, ends, gaps)
