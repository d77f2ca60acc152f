"""The audit once more, as a file of JSON lines on a path of its own: what the database loses, or what is changed in it,
can be seen there.

Nothing waits for it. A thread brings the file level with the database, for whichever process wrote; what it cannot do
it says in ``alarm``, and tries again.
"""

import fcntl
import logging
import os
import threading
from functools import cache
from pathlib import Path
from typing import BinaryIO

import msgspec
from django.conf import settings
from django.db import DatabaseError, connection

from drdash.audit.chain import Link
from drdash.audit.models import Entry
from drdash.clock import boot_seconds
from drdash.english import english

log = logging.getLogger(__name__)

LATE_SECONDS = 2.0
AGAIN_SECONDS = 5.0
LOOK_SECONDS = 30.0
NOT_OURS = english("The file %(path)s is not of this audit. Move it away, and a new one is begun.")
_BLOCK = 64 * 1024


class Parted(Exception):
    """The file is the mirror of another audit, or someone wrote into it."""


class Mirror:
    """The mirror at ``path``, kept by this process together with any other."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._changed = threading.Condition()
        self._wanted = self._reached = 0  # how often someone woke it, and up to which of these it is level
        self._wanted_at = self._looked_at = 0.0
        self._problem = ""
        self._closed = False
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """Something was committed: have the file brought level, soon. Waits for nothing."""
        with self._changed:
            if self._wanted == self._reached:
                self._wanted_at = boot_seconds()
            self._wanted += 1
            if not self._closed and (self._thread is None or not self._thread.is_alive()):
                self._thread = threading.Thread(target=self._run, name="audit mirror", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def look(self) -> str:
        """The alarm; and now and then whether the file is level, whoever wrote what it may have missed."""
        with self._changed:
            due = boot_seconds() - self._looked_at > LOOK_SECONDS
            if due:
                self._looked_at = boot_seconds()
        if due:
            self.wake()
        return self.alarm()

    def alarm(self) -> str:
        """Why the mirror is behind, in a sentence; empty while it is level, or will be in a moment."""
        with self._changed:
            late = self._wanted > self._reached and boot_seconds() - self._wanted_at > LATE_SECONDS
            if self._problem:
                return english("The audit's mirror cannot be written: %(problem)s", problem=self._problem)
            return english("The audit's mirror does not answer: %(path)s hangs.", path=self.path) if late else ""

    def settle(self, seconds: float = 10) -> bool:
        """Wait until the file is level with what was committed before; False when it is not in time."""
        with self._changed:
            return self._changed.wait_for(lambda: self._reached == self._wanted, seconds)

    def close(self) -> None:
        """Try no more; what the file misses by then, the next process gives it."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def level(self) -> None:
        """Append what the file has not got yet. Raises OSError, DatabaseError, Parted."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            last = _last(file)
            if last is not None and not Entry.objects.filter(number=last.number, hash=last.hash).exists():
                raise Parted(NOT_OURS % {"path": self.path})
            entries = Entry.objects.filter(number__gt=last.number if last else 0).order_by("number")
            written = b"".join(entry.link().line() for entry in entries.iterator())
            if written:
                file.write(written)
                file.flush()
                os.fsync(file.fileno())

    def _run(self) -> None:
        while True:
            with self._changed:
                woken = self._changed.wait_for(lambda: self._closed or self._wanted > self._reached, 60)
                if self._closed or not woken:
                    self._thread = None  # the next one who wakes it begins another
                    return
                reach = self._wanted
            problem = ""
            try:
                self.level()
            except (OSError, DatabaseError, Parted) as error:
                problem = str(error) if isinstance(error, Parted) else f"{self.path}: {type(error).__name__}."
            finally:
                connection.close()
            with self._changed:
                if bool(problem) != bool(self._problem):
                    log.log(logging.ERROR if problem else logging.WARNING, problem or "The audit's mirror is level.")
                self._problem = problem
                if not problem:
                    self._reached = reach
                self._changed.notify_all()
                if problem:
                    self._changed.wait_for(lambda: self._closed, AGAIN_SECONDS)


@cache
def mirror() -> Mirror:
    """This process's mirror, at DRDASH_AUDIT_FILE."""
    return Mirror(settings.AUDIT_FILE)


def _last(file: BinaryIO) -> Link | None:
    """The last whole line; what a crash left of one after it is cut off, and the file stands at its end. Raises Parted
    when that line is none of ours.
    """
    end = file.seek(0, os.SEEK_END)
    tail = b""
    while end > 0 and tail.count(b"\n") < 2:
        start = max(0, end - _BLOCK)
        file.seek(start)
        tail = file.read(end - start) + tail
        end = start
    whole = tail[: tail.rfind(b"\n") + 1]
    file.seek(end + len(whole))
    file.truncate()
    if not whole:
        return None
    try:
        return msgspec.json.decode(whole.rstrip(b"\n").rpartition(b"\n")[2], type=Link)
    except msgspec.MsgspecError:
        raise Parted(english("The file %(path)s has a line that is no entry of the audit.", path=file.name)) from None
