"""A process is told gone only when that is certain."""

import os
import signal
import subprocess
import sys

import pytest

from drdash.senders import gone, me


def another() -> subprocess.Popen[str]:
    """A process that tells its name, and lives until its input ends."""
    told = "from drdash.senders import me; print(me(), flush=True); input()"
    return subprocess.Popen([sys.executable, "-c", told], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def name_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_living_process_is_not_gone_and_a_stopped_one_neither() -> None:
    assert not gone(me())
    with another() as process:
        name = name_of(process)
        assert not gone(name)
        os.kill(process.pid, signal.SIGSTOP)
        assert not gone(name)
        process.kill()


def test_a_killed_process_is_gone_even_before_anyone_has_waited_for_it() -> None:
    with another() as process:
        name = name_of(process)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert gone(name)
        process.wait()
        assert gone(name)


def test_its_id_in_use_by_another_does_not_keep_it() -> None:
    host, boot, space, pid, start = me().split(" ")
    assert gone(" ".join((host, boot, space, pid, str(int(start) - 1))))


def test_a_host_that_was_booted_again_has_none_of_its_processes() -> None:
    host, _, space, pid, start = me().split(" ")
    assert gone(f"{host} another-boot {space} {pid} {start}")


@pytest.mark.parametrize("place", [0, 2])
def test_what_runs_on_another_host_or_in_another_container_cannot_be_told(place: int) -> None:
    told = me().split(" ")
    told[place] = "elsewhere"
    told[3] = "1"
    assert not gone(" ".join(told))


@pytest.mark.parametrize("nonsense", ["", "a b c", "a b c d e f", " ".join([*me().split(" ")[:3], "not-a-pid", "1"])])
def test_nonsense_is_not_gone(nonsense: str) -> None:
    assert not gone(nonsense)
