"""Starts the web process of drdash as often as a test likes: ``python -m tests.launcher``, by tests/webs.py.

The program is read once; each order, a line of JSON on standard input, forks a process from there that runs
``drdash.serve`` as the supervisor would. One that was told where it is to be halted sends itself the signal there, from
a profile function: the program that runs is the one that is shipped, to the byte.
"""

import ctypes
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

from drdash.supervisor import end_with_parent
from tests.lighter import lighten

ROOT = str(Path(__file__).resolve().parents[1]) + "/"
TIMER = ctypes.c_int(0)


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Where to halt: each of ``steps``, such as ``return drdash/failover/record.py create``, after the one before it,
    and at the last one ``signal``. None: nowhere. ``audit``: the file of the audit's mirror."""

    audit: str
    log: str
    redis: str = ""
    steps: tuple[str, ...] = ()
    signal: int = signal.SIGKILL


class Started(msgspec.Struct, frozen=True):
    pid: int
    port: int


class Halt:
    """The profile function of every thread. What is in C is known by its name alone: ``c_call socket.sendall``."""

    def __init__(self, steps: tuple[str, ...], number: int) -> None:
        self._steps = [tuple(step.split()) for step in steps]
        self._signal = number
        self._lock = threading.Lock()

    def __call__(self, frame: FrameType, event: str, given: Any) -> None:
        code = frame.f_code
        steps = self._steps
        if not steps or steps[0][0] != event:
            return
        if event.startswith("c_"):
            here: tuple[str, ...] = (event, getattr(given, "__qualname__", ""))
        elif code.co_qualname == steps[0][2]:
            here = (event, code.co_filename.removeprefix(ROOT), code.co_qualname)
        else:
            return
        with self._lock:
            if not self._steps or here != self._steps[0]:
                return
            self._steps = self._steps[1:]
            if self._steps:
                return
        threading.setprofile(None)
        sys.setprofile(None)
        # To this very thread: not one more of its steps is done.
        signal.pthread_kill(threading.get_ident(), self._signal)


def main() -> None:
    from django.conf import settings

    lighten(settings)
    from drdash import (
        serve,
        urls,  # noqa: F401 - what the first request would read
    )

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whoever ends is gone at once
    launcher = os.getpid()
    for line in sys.stdin.buffer:
        order = msgspec.json.decode(line, type=Order)
        if os.fork() == 0:
            end_with_parent(signal.SIGKILL, parent=launcher)
            _serve(order, serve.main)


def _serve(order: Order, run: Any) -> None:
    import socket

    from django.conf import settings

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    settings.AUDIT_FILE = Path(order.audit)
    settings.REDIS_URL = order.redis or settings.REDIS_URL
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    told = msgspec.json.encode(Started(os.getpid(), listener.getsockname()[1]))
    os.write(1, told + b"\n")
    log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    if order.steps:
        threading.setprofile(Halt(order.steps, order.signal))
    sys.argv[1:] = ["--fd", str(listener.fileno())]
    try:
        run()
    finally:
        os._exit(1)


if __name__ == "__main__":
    main()
