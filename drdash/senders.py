"""Which process carries an action out, and whether it is certainly gone.

A process is named by its host, the boot of that host, its namespace of process ids, its id and its start: so neither a
reboot, nor a container, nor an id that is used again can be taken for it.
"""

import os
import socket
from functools import cache
from pathlib import Path

_PROC = Path("/proc")


def me() -> str:
    """This process, to be kept with what it does."""
    return _name_of(os.getpid())


def gone(sender: str) -> bool:
    """Whether that process has certainly ended. False in doubt: also for one on another host."""
    try:
        host, boot, space, pid, start = sender.split(" ")
        if host != socket.gethostname() or not (boot and space and start):
            return False
        if boot != _boot():
            return True
        return space == _space() and _start_of(int(pid)) != start
    except (ValueError, OSError):
        return False


def of_this_boot(sender: str) -> bool:
    """Whether that process ran in the boot that goes on here, so that its boot clock is this one."""
    try:
        return sender.split(" ")[1] == _boot() != ""
    except IndexError:
        return False


@cache
def _name_of(pid: int) -> str:
    try:
        start = _start_of(pid)
    except OSError:
        start = ""  # no Linux: nobody will be able to tell that it is gone
    return f"{socket.gethostname()} {_boot()} {_space()} {pid} {start}"


def _boot() -> str:
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _space() -> str:
    try:
        return str((_PROC / "self/ns/pid").readlink())
    except OSError:
        return ""


def _start_of(pid: int) -> str:
    """When the process began, in ticks since the boot; "ended" for none. Raises OSError where that cannot be told."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return "ended"
    except PermissionError:
        pass  # it is someone else's, and lives
    # The name, in brackets, may hold anything: what follows the last one is the state, and 19 fields on the start.
    state, *rest = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return "ended" if state in "ZX" else rest[18]
