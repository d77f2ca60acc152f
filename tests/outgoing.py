"""Where this process goes: each host that is looked up or connected to while someone looks, by any library."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_watching: list[set[str]] = []
_lock = threading.Lock()


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watching or not event.startswith("socket."):
        return
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        went = f"{arguments[1][0]}:{arguments[1][1]}"
    elif event in {"socket.getaddrinfo", "socket.gethostbyname"}:
        # A name alone goes out, to the name server; what is an address already stays here.
        host = arguments[0].decode("ascii", "replace") if isinstance(arguments[0], bytes) else str(arguments[0])
        went = f"{host}:{arguments[1] if len(arguments) > 1 else ''}"
    else:
        return
    with _lock:
        for seen in _watching:
            seen.add(went)


sys.addaudithook(_hook)


@contextmanager
def outgoing() -> Iterator[set[str]]:
    """The ``host:port`` of every way out that was taken, by all threads of this process, until the block ends."""
    seen: set[str] = set()
    with _lock:
        _watching.append(seen)
    try:
        yield seen
    finally:
        with _lock:
            _watching[:] = [one for one in _watching if one is not seen]
