"""Where the processes of an installation keep the tokens of one set of credentials together."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import msgspec

from drdash.cloud.grants import Token


class ShelfAway(Exception):
    """The shelf cannot be reached just now: the process goes on with what it knows itself."""


class Shelf(Protocol):
    """The tokens of one set of credentials by tenant: a partner's one for each customer, in lower case; ``""`` is the
    credentials' own. Every method may raise ShelfAway.
    """

    def read(self, tenant: str) -> Token | None:
        """What is kept. Its text is empty when it was forgotten: only what refreshes it is left."""

    def keep(self, tenant: str, token: Token) -> None:
        """Keep this token, with what refreshes it, in place of any other."""

    def forget(self, tenant: str, token: Token) -> None:
        """The cloud refused this token: if it is still the one kept, empty its text. What refreshes it stays."""

    def renewing(self, tenant: str) -> AbstractContextManager[bool]:
        """Around a renewal, of 20 s at most: False when another thread or process is at it."""


class Memory:
    """The shelf of a process that shares with nobody."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, Token] = {}
        self._renewing: set[str] = set()

    def read(self, tenant: str) -> Token | None:
        return self._kept.get(tenant)

    def keep(self, tenant: str, token: Token) -> None:
        with self._lock:
            self._kept[tenant] = token

    def forget(self, tenant: str, token: Token) -> None:
        with self._lock:
            kept = self._kept.get(tenant)
            if kept is not None and kept.text == token.text:
                self._kept[tenant] = msgspec.structs.replace(kept, text="")

    @contextmanager
    def renewing(self, tenant: str) -> Iterator[bool]:
        with self._lock:
            ours = tenant not in self._renewing
            self._renewing.add(tenant)
        try:
            yield ours
        finally:
            if ours:
                with self._lock:
                    self._renewing.discard(tenant)
