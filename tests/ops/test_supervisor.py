"""Programs that die are named and started again; nothing outlives its supervisor, however that ends."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from drdash.supervisor import Program, Supervisor

ROOT = Path(__file__).resolve().parents[2]
WAITS = "import signal; print('ready', flush=True); signal.pause()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); signal.pause()"
WARNS = "print('2026-11-23 08:00:00,000 WARNING drdash.x the cloud is slow', flush=True);" * 2
CHATTERS = "print('2026-11-23 08:00:00,000 INFO drdash.x all is well', flush=True);"
SUPERVISES = """
import asyncio, sys
from pathlib import Path
from drdash.supervisor import Program, Supervisor
async def main():
    supervisor = Supervisor(logs=Path(sys.argv[1]), say=print)
    supervisor.start(*(Program(name=f"program{n}", command=[sys.executable, "-c", sys.argv[2]]) for n in range(3)))
    await supervisor.stopping.wait()
asyncio.run(main())
"""


def python(code: str, *, name: str = "program", grace: float = 10) -> Program:
    return Program(name=name, command=[sys.executable, "-c", code], grace=grace)


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come true in time"
        time.sleep(0.02)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, said: list[str]) -> Callable[[], Supervisor]:
    return lambda: Supervisor(logs=tmp_path, say=said.append)


def test_a_program_that_dies_is_named_with_its_last_words_and_started_again(
    supervisor: Callable[[], Supervisor], said: list[str], tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    code = (
        f"import pathlib, sys; mark = pathlib.Path({str(mark)!r}); again = mark.exists(); mark.touch();"
        f"again or sys.exit('no luck');{WAITS}"
    )

    async def scenario() -> None:
        watching = supervisor()
        watching.start(python(code))
        await until(lambda: bool(said))
        await until(lambda: (tmp_path / "program.log").read_text().endswith("ready\n"))
        await watching.stop()

    asyncio.run(scenario())

    assert said == ["program ended with exit code 1: no luck. Starting it again in 1 s"]


def test_a_killed_program_is_named_by_the_signal(supervisor: Callable[[], Supervisor], said: list[str]) -> None:
    async def scenario() -> None:
        watching = supervisor()
        watching.start(python(WAITS))
        await until(lambda: "program" in watching.running)
        os.kill(watching.running["program"].pid, signal.SIGKILL)
        await until(lambda: bool(said))
        await watching.stop()

    asyncio.run(scenario())

    assert said == ["program was killed by SIGKILL. Starting it again in 1 s"]


def test_a_program_that_will_not_end_is_killed_after_its_grace(
    supervisor: Callable[[], Supervisor], said: list[str], tmp_path: Path
) -> None:
    async def scenario() -> int:
        watching = supervisor()
        watching.start(python(STUBBORN, grace=0.2))
        await until(lambda: (tmp_path / "program.log").exists() and bool((tmp_path / "program.log").read_text()))
        pid = watching.running["program"].pid
        await watching.stop()
        return pid

    assert not alive(asyncio.run(scenario()))
    assert said == ["program does not end by itself: killed"]


def test_the_last_started_ends_first(supervisor: Callable[[], Supervisor], tmp_path: Path) -> None:
    ended: list[str] = []

    async def scenario() -> None:
        watching = supervisor()
        for name in ("redis", "web"):
            watching.start(python(WAITS, name=name))
        for stage in watching.stages:
            for _, keeper in stage:
                keeper.add_done_callback(lambda keeper: ended.append(keeper.get_name()))
        await until(lambda: len(watching.running) == 2)
        await watching.stop()

    asyncio.run(scenario())

    assert ended == ["web", "redis"]


def test_a_warning_is_shown_once_and_everything_is_in_the_log(
    supervisor: Callable[[], Supervisor], said: list[str], tmp_path: Path
) -> None:
    async def scenario() -> None:
        watching = supervisor()
        watching.start(python(CHATTERS + WARNS + WAITS))
        await until(lambda: (tmp_path / "program.log").exists() and "ready" in (tmp_path / "program.log").read_text())
        await watching.stop()

    asyncio.run(scenario())

    assert said == ["program: drdash.x the cloud is slow"]
    assert (tmp_path / "program.log").read_text().count("\n") == 4


def test_a_secret_on_standard_input_is_on_no_command_line(supervisor: Callable[[], Supervisor], tmp_path: Path) -> None:
    code = "import sys; print(sys.stdin.read(), sys.argv, flush=True);" + WAITS
    program = Program(name="program", command=[sys.executable, "-c", code], standard_input=b"requirepass canary")

    async def scenario() -> bytes:
        watching = supervisor()
        watching.start(program)
        await until(lambda: (tmp_path / "program.log").exists() and "ready" in (tmp_path / "program.log").read_text())
        seen = Path(f"/proc/{watching.running['program'].pid}/cmdline").read_bytes()
        await watching.stop()
        return seen

    assert b"canary" not in asyncio.run(scenario())
    assert "requirepass canary" in (tmp_path / "program.log").read_text()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_a_killed_supervisor(number: signal.Signals, tmp_path: Path) -> None:
    code = "import os; print(os.getpid(), flush=True);" + STUBBORN
    process = subprocess.Popen([sys.executable, "-c", SUPERVISES, str(tmp_path), code], cwd=ROOT)
    logs = [tmp_path / f"program{n}.log" for n in range(3)]
    wait_until(lambda: all(log.exists() and log.read_text().endswith("ready\n") for log in logs))
    pids = [int(log.read_text().split()[0]) for log in logs]
    assert all(alive(pid) for pid in pids)

    process.send_signal(number)
    process.wait(60)

    try:
        wait_until(lambda: not any(alive(pid) for pid in pids))
    finally:
        for pid in filter(alive, pids):  # a failed test leaves nothing behind either
            os.kill(pid, signal.SIGKILL)
