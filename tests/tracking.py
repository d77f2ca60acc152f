"""Looking for secrets wherever they may have gone: in bytes of any kind, and in the processes that others can see."""

import base64
import re
import socket
import threading
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import redis

_ESCAPED = re.compile(rb"\\[nrtab\"'\\]|\\x[0-9a-f]{2}")
_SESSION = re.compile(rb"\.(eJ[A-Za-z0-9_-]{20,}):[A-Za-z0-9_-]{4,}:[A-Za-z0-9_-]{20,}")


def found(blob: bytes, secrets: Iterable[str]) -> list[str]:
    """Which of the secrets are in it: plain, in base64 from anywhere, in base64 of that, in a packed session."""
    packed = [zlib.decompress(base64.urlsafe_b64decode(run + b"==")) for run in _SESSION.findall(blob)]
    return [secret for secret in secrets if any(one in part for part in [blob, *packed] for one in _spellings(secret))]


@cache
def _spellings(secret: str) -> frozenset[bytes]:
    once = [secret.encode(), *_in_base64(secret.encode())]
    return frozenset([*once, *(twice for text in once[1:] for twice in _in_base64(text))])


def _in_base64(text: bytes) -> Iterator[bytes]:
    for before in range(3):  # how many bytes of something else share its first group
        encoded = base64.b64encode(bytes(before) + text)
        whole = encoded[(4 * before + 2) // 3 :].rstrip(b"=")
        whole = whole if (before + len(text)) % 3 == 0 else whole[:-1]
        yield whole
        yield whole.replace(b"+", b"-").replace(b"/", b"_")


def everything_in(client: redis.Redis) -> bytes:
    """Every key of a Redis with its value, as they are and not packed."""
    parts: list[Any] = []
    for key in client.scan_iter():
        parts.append(key)
        match client.type(key):
            case b"string":
                parts.append(client.get(key))
            case b"hash":
                parts += [part for pair in _items(client.hgetall(key)) for part in pair]
            case b"list":
                parts += client.lrange(key, 0, -1)
            case b"set":
                parts += client.smembers(key)
            case b"zset":
                parts += client.zrange(key, 0, -1)
            case b"stream":
                entries: Any = client.xrange(key)
                parts += [part for _, entry in entries for pair in _items(entry) for part in pair]
            case b"none":
                pass  # it expired just now
            case kind:
                raise AssertionError(f"there is a {kind!r} in Redis that nobody reads here")
    return b"\n".join(part or b"" for part in parts)


def _items(pairs: Any) -> Iterable[tuple[bytes, bytes]]:
    return pairs.items() if pairs else ()


@contextmanager
def overheard(port: int, password: str) -> Iterator[list[bytes]]:
    """All that is said to a Redis, by everyone, until the block ends: a line for each command."""
    said: list[bytes] = []
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        lines = connection.makefile("rb")
        connection.sendall(f"AUTH {password}\r\nMONITOR\r\n".encode())
        assert [lines.readline()[:3] for _ in range(2)] == [b"+OK"] * 2
        connection.settimeout(None)

        def listen() -> None:
            try:
                said.extend(_ESCAPED.sub(b" ", line) for line in lines)
            except OSError:
                return  # closed below

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        try:
            yield said
        finally:
            connection.shutdown(socket.SHUT_RDWR)
            listener.join(60)


@contextmanager
def command_lines(of: int) -> Iterator[set[str]]:
    """Every command line that the process and its descendants have until the block ends, however short they live."""
    seen: set[str] = set()
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            seen.update(_lines_of(of))

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield seen
    finally:
        over.set()
        looking.join(60)


def _lines_of(root: int) -> Iterator[str]:
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has ended
    for process in parents:
        above: int | None = process
        while above is not None and above != root:
            above = parents.get(above)
        if above == root:
            try:
                yield Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
