"""A mirror that cannot be written, or that hangs: actions go on, and every page says so."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import User

from drdash.audit.mirror import LATE_SECONDS
from drdash.simulator.server import running
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Tenant
from tests.sizes import cases
from tests.stack import Poll
from tests.webs import Caller, Person, Webs, wait_until

EACH = cases(3, full=100)
HELD: list[int] = []
PAGES = ("/", "/sites/", "/servers/", "/actions/", "/audit/")


def nowhere(folder: Path) -> Path:
    """Where a folder should be is a file."""
    (folder / "file").touch()
    return folder / "file" / "audit.jsonl"


def full(_folder: Path) -> Path:
    return Path("/dev/full")


def a_pipe(folder: Path) -> Path:
    os.mkfifo(folder / "audit.jsonl")
    return folder / "audit.jsonl"


def hanging(folder: Path) -> Path:
    """Someone holds its lock, and does not let go, as with a file server that went away."""
    path = folder / "audit.jsonl"
    HELD.append(os.open(path, os.O_RDWR | os.O_CREAT))
    fcntl.flock(HELD[-1], fcntl.LOCK_EX)
    return path


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with running("quiet", servers=cases(20, full=150)) as simulator:
        yield simulator


@pytest.mark.parametrize("way", [hanging, full, nowhere, a_pipe][: cases(2, full=4)])
def test_with_a_dead_mirror_every_action_works_and_every_page_tells(
    way: Callable[[Path], Path],
    webs: Webs,
    simulator: Simulator,
    polled: Poll,
    tenant: Tenant,
    alice: User,
    tmp_path: Path,
) -> None:
    for uuid in list(simulator.world.sites):
        simulator.force_site(uuid, issues=[], status="PROVISIONED", restore=True)
    servers = [one.uuid for one in simulator.world.servers.values() if one.is_recovery][:EACH]
    for uuid in servers:
        simulator.force_server(uuid, status="STAND_BY", issues=[], task=None)
    polled()
    caller, person = Caller(alice, tenant), Person(alice)
    web = webs.start(audit=way(tmp_path))
    first = time.monotonic()
    assert caller.get(web, "servers/").ok  # its first request takes longer than any other
    begun = time.monotonic()
    answers = [caller.act(web, servers[0])]
    wait_until(lambda: "audit&#x27;s mirror" in person.get(web, "/actions/").text, "the alarm")
    assert time.monotonic() - begun < LATE_SECONDS + 1.5 + 5 * (begun - first)  # on a machine that is slow, later
    answers += [caller.act(web, uuid) for uuid in servers[1:]]
    assert (
        [answer.json()["state"] for answer in answers if answer] == ["accepted"] * len(servers) == ["accepted"] * EACH
    )
    for path in PAGES:
        shown = person.get(web, path)
        assert shown.ok
        assert "Actions go on, and are recorded in the database." in shown.text, path
    assert len(simulator.posts) == EACH
    if HELD:
        os.close(HELD.pop())
        wait_until(lambda: "audit&#x27;s mirror" not in person.get(web, "/").text, "it is level again")
