"""Keep a handful of programs running, name those that die, and leave nothing behind: not even when killed.

Each program leads a process group of its own. The kernel kills it when its supervisor is gone, however that came about.
"""

import asyncio
import contextlib
import ctypes
import os
import re
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

LONGEST_PAUSE = 30.0
STEADY_AFTER = 60.0  # seconds of life after which a death starts the back-off anew
LARGEST_LOG = 10 * 1024 * 1024
WORTH_SHOWING = re.compile(r"^\S+ \S+ (WARNING|ERROR|CRITICAL) (.*)")
QUIET_FOR = 60.0  # the same line is shown on the terminal once in so many seconds
PR_SET_PDEATHSIG = 1
prctl = ctypes.CDLL(None, use_errno=True).prctl


@dataclass(frozen=True, kw_only=True)
class Program:
    name: str
    command: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    standard_input: bytes = b""
    listener: socket.socket | None = None  # inherited, by its number
    grace: float = 10.0  # seconds between asking it to end and killing it


def end_with_parent(number: signal.Signals, *, parent: int) -> bool:
    """Have the kernel send this process a signal when its parent ends. False: the parent is gone already."""
    prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    return os.getppid() == parent


class Supervisor:
    """Programs, started in order, restarted with back-off when they die, ended in reverse order."""

    def __init__(self, *, logs: Path, say: Callable[[str], None]) -> None:
        self.logs = logs
        self.say = say
        self.stopping = asyncio.Event()
        self.running: dict[str, asyncio.subprocess.Process] = {}
        self.stages: list[list[tuple[Program, asyncio.Task[None]]]] = []
        self.shown: dict[str, float] = {}

    def start(self, *programs: Program) -> None:
        """Start programs that end together."""
        self.stages.append([(one, asyncio.create_task(self.keep(one), name=one.name)) for one in programs])

    async def stop(self) -> None:
        """End everything, the last started first. Returns when nothing is left."""
        self.stopping.set()
        for stage in reversed(self.stages):
            await asyncio.gather(*(self.end(program, keeper) for program, keeper in stage))

    def kill(self) -> None:
        """End everything now; `stop` still has to be awaited."""
        self.stopping.set()
        for process in self.running.values():
            kill_group(process.pid, signal.SIGKILL)

    async def end(self, program: Program, keeper: asyncio.Task[None]) -> None:
        if process := self.running.get(program.name):
            kill_group(process.pid, signal.SIGTERM)
        done, _ = await asyncio.wait([keeper], timeout=program.grace)
        if not done and (process := self.running.get(program.name)):
            self.say(f"{program.name} does not end by itself: killed")
            kill_group(process.pid, signal.SIGKILL)
        await keeper

    async def keep(self, program: Program) -> None:
        pause = 1.0
        while not self.stopping.is_set():
            begun = time.monotonic()
            code, last_words = await self.run(program)
            if self.stopping.is_set():
                return
            if time.monotonic() - begun > STEADY_AFTER:
                pause = 1.0
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
            because = f": {last_words}" if code > 0 and last_words else ""
            self.say(f"{program.name} {how}{because}. Starting it again in {pause:.0f} s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def run(self, program: Program) -> tuple[int, str]:
        """Run it once. Returns its exit code and the last line that it wrote."""
        parent = os.getpid()

        def in_the_child() -> None:
            if not end_with_parent(signal.SIGKILL, parent=parent):
                os._exit(1)

        with tempfile.TemporaryFile() as given:
            given.write(program.standard_input)
            given.seek(0)
            process = await asyncio.create_subprocess_exec(
                *program.command,
                stdin=given,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env={**os.environ, **program.environment},
                pass_fds=[program.listener.fileno()] if program.listener else [],
                start_new_session=True,
                preexec_fn=in_the_child,
            )
        self.running[program.name] = process
        if self.stopping.is_set():  # asked to stop while it was being started
            kill_group(process.pid, signal.SIGTERM)
        try:
            last_words = await self.log(program.name, process.stdout) if process.stdout else ""
            return await process.wait(), last_words
        finally:
            del self.running[program.name]
            kill_group(process.pid, signal.SIGKILL)  # what it may have started itself

    async def log(self, name: str, output: asyncio.StreamReader) -> str:
        """Copy what it writes to its log, and its warnings to the terminal, until it ends."""
        path = self.logs / f"{name}.log"
        if path.exists() and path.stat().st_size > LARGEST_LOG:
            path.replace(path.with_suffix(".log.1"))
        last = b""
        with path.open("ab", buffering=0) as file:
            while line := await read_line(output):
                file.write(line)
                last = line.strip() or last
                self.show(name, line.decode(errors="replace").rstrip())
        return last.decode(errors="replace")

    def show(self, name: str, line: str) -> None:
        if not (found := WORTH_SHOWING.match(line)):
            return
        words, now = f"{name}: {found[2]}", time.monotonic()
        if now - self.shown.get(words, -QUIET_FOR) >= QUIET_FOR:
            self.shown = {one: when for one, when in self.shown.items() if now - when < QUIET_FOR} | {words: now}
            self.say(words)


async def read_line(stream: asyncio.StreamReader) -> bytes:
    try:
        return await stream.readline()
    except ValueError:  # longer than the stream's limit: the limit's worth of it is gone
        return b"(a very long line was left out)\n"


def kill_group(leader: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, number)
