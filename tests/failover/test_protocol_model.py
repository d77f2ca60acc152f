"""Every state that the model of the protocol can reach, and that what is done wrong on purpose is found."""

import pytest

from tests.failover.protocol_laws import Found, explore
from tests.failover.protocol_model import GLASS, RUNNING, START, STOP, Row, Sender, World
from tests.sizes import TORTURE, tell

ONE = World((Row(START),), (Sender(0),))
ONE_STOP = World((Row(STOP),), (Sender(0),), RUNNING)
DOUBLE = World((Row(START),), (Sender(0), Sender(0)))
TWO = World((Row(START), Row(START)), (Sender(0), Sender(1)))
DOUBLE_AND_ANOTHER = World((Row(START), Row(START)), (Sender(0), Sender(0), Sender(1)))
STARTED_AND_STOPPED = World((Row(START), Row(STOP)), (Sender(0), Sender(1)))
TWO_STOPS = World((Row(STOP), Row(STOP)), (Sender(0), Sender(1)), RUNNING)
OVER_GLASS = World((Row(START), Row(GLASS)), (Sender(0), Sender(1)))
GLASS_OVER_A_STOP = World((Row(STOP), Row(GLASS)), (Sender(0), Sender(1)), RUNNING)

ARRIVES = "a POST that was on the wire arrives after {} closed its action"
TWO_ON_THE_WIRE = "two POSTs on the wire: {}"
# What the design leaves open. Each needs a person who took it on, or somebody at the cloud's own console.
KNOWN = frozenset({
    ARRIVES.format("broken glass"),
    ARRIVES.format("a stop over it"),
    ARRIVES.format("a start by broken glass over it"),
    TWO_ON_THE_WIRE.format("broken glass"),
    TWO_ON_THE_WIRE.format("a stop over it"),
    TWO_ON_THE_WIRE.format("a start by broken glass over it"),
    "succeeded by another's hand, as our task was seen and then the wanted state",
    "succeeded by another's hand, as our task was never seen, nor any other and then the wanted state",
    "failed, as our task was seen and then not what it had done, which another undid in between",
})  # fmt: skip


def bounded(world: World, *, crashes: int = 0, outside: int = 0, failures: int = 0, slows: int = 0) -> World:
    """So many processes die, people act at the cloud's own console, tasks fail and reads hang."""
    return world._replace(crashes=crashes, outside=outside, failures=failures, slows=slows)


def told(name: str, world: World, found: Found) -> None:
    may = f"{world.crashes} die, {world.outside} outside, {world.failures} fail, {world.slows} hang"
    tell(f"{name} ({may}): {found.states} states, {found.steps} steps\n{found}".rstrip())
    for gap, times in sorted(found.left_open.items()):
        tell(f"    left open at {times} steps: {gap}")


SMALL = {
    "a double click": bounded(DOUBLE, crashes=1, failures=1),
    "a start and a stop": bounded(STARTED_AND_STOPPED),
}
WHOLE = {
    "a double click": bounded(DOUBLE, crashes=2, outside=2, failures=1, slows=2),
    "a double click and another's": bounded(DOUBLE_AND_ANOTHER, crashes=1, failures=1),
    "two starts": bounded(TWO, crashes=1, outside=1, failures=1),
    "two starts, and reads that hang": bounded(TWO, outside=1, failures=1, slows=1),
    "a start and a stop": bounded(STARTED_AND_STOPPED, crashes=1, outside=1, failures=1, slows=1),
    "two stops": bounded(TWO_STOPS, crashes=1, outside=1, failures=1),
    "a start and one by broken glass": bounded(OVER_GLASS, crashes=1, outside=1, failures=1),
    "a stop and a start by broken glass": bounded(GLASS_OVER_A_STOP, crashes=1, outside=1, failures=1),
}


@pytest.mark.parametrize("name", WHOLE if TORTURE else SMALL)
def test_no_state_that_can_be_reached_breaks_a_law_and_every_run_ends(name: str) -> None:
    world = (WHOLE if TORTURE else SMALL)[name]
    found = explore(world)
    told(name, world, found)
    assert found.trace == (), str(found)
    assert found.left_open.keys() <= KNOWN


def test_what_is_left_open_needs_a_person_who_took_it_on_or_somebody_outside() -> None:
    found = explore(bounded(DOUBLE, failures=1))
    assert found.left_open.keys() == {ARRIVES.format("broken glass")}
    assert not {"requested", "sending", "accepted"} & {end for ends in found.ends for end in ends.split(" + ")}


WRONG = {
    "posts before the claim": (ONE, "a POST leaves while its action is requested"),
    "posts again": (ONE, "a second POST of one action"),
    "5xx is a refusal": (ONE, '"refused", and the cloud took it or still may'),
    "busy is a refusal": (ONE, '"refused", and the cloud took it or still may'),
    "no answer is a refusal": (ONE, '"refused", and the cloud took it or still may'),
    "no look at the clock": (ONE, "a POST leaves while its action is unknown"),
    "claims without comparing": (ONE, "it was expired, and goes on"),
    "no unique index": (bounded(TWO), "two actions are open on one server"),
    "another task is ignored": (ONE, '"succeeded", and another task was seen where ours never was'),
    "an old read is evidence": (ONE_STOP._replace(status="at rest"), '"succeeded", and its task did not end well'),
    "a send that expired was not sent": (ONE, '"not sent", and the cloud took it or still may'),
    "what is seen closes the unknown": (ONE, "an unknown one is ended by the program"),
    "closed before the quarantine": (ONE, "closed after its quarantine, and its POST may still arrive"),
    "what it went over stays closed": (
        bounded(STARTED_AND_STOPPED),
        "closed by what went over it, which the cloud never took",
    ),
    "nobody settles": (ONE, "action A stays requested for ever"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_done_wrong_is_found_by_the_shortest_way(wrong: str) -> None:
    world, why = WRONG[wrong]
    found = explore(world, wrong=wrong)
    told(wrong, world, found)
    assert found.trace[-1:] == (f"BROKEN: {why}",)


@pytest.mark.parametrize("world", [ONE, ONE_STOP._replace(crashes=0)])
def test_done_right_one_click_breaks_nothing_whatever_goes_wrong_around_it(world: World) -> None:
    assert explore(world).trace == ()


def test_a_sender_that_is_suspended_between_its_last_look_at_the_clock_and_its_first_byte_sends_late() -> None:
    """What no client can exclude: a few instructions, and the cloud has neither an idempotency key nor a time up to
    which a request is good. The action is unknown by then, and a person has its evidence.
    """
    found = explore(ONE, wrong="paused in the gap")
    told("paused in the gap", ONE, found)
    assert found.trace[-2:] == ("click 1: the first byte leaves", "BROKEN: a POST leaves while its action is unknown")
