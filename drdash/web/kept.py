"""Answers of the cloud that many pages want at once: asked for once, and kept in this process while they are good."""

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from drdash.clock import boot_seconds

_Value = TypeVar("_Value")


class Kept(Generic[_Value]):
    """``good_for``: the seconds that an answer is good for; ``weight`` of all that is kept is at most ``most``.

    While one asks, the others get the last answer, or ``meanwhile`` where there is none: nobody waits for another.
    """

    def __init__(
        self,
        *,
        good_for: Callable[[_Value], float],
        meanwhile: _Value,
        most: int,
        weight: Callable[[_Value], int] = lambda _: 1,
    ) -> None:
        self._good_for, self._meanwhile, self._most, self._weight = good_for, meanwhile, most, weight
        self._answers: dict[Hashable, tuple[float, _Value]] = {}
        self._asking: set[Hashable] = set()
        self._lock = threading.Lock()

    def get(self, key: Hashable, ask: Callable[[], _Value]) -> _Value:
        """The answer for a key: a good one that is kept, or else what ``ask`` gives."""
        with self._lock:
            known = self._answers.get(key)
            if known and boot_seconds() - known[0] < self._good_for(known[1]):
                return known[1]
            if key in self._asking:
                return known[1] if known else self._meanwhile
            self._asking.add(key)
        try:
            answer = ask()
            with self._lock:
                self._keep(key, answer)
        finally:
            with self._lock:
                self._asking.discard(key)
        return answer

    def forget(self) -> None:
        """Drop what is kept."""
        with self._lock:
            self._answers.clear()

    def _keep(self, key: Hashable, answer: _Value) -> None:
        now = boot_seconds()
        self._answers.pop(key, None)
        self._answers[key] = now, answer
        for old in [old for old, (at, one) in self._answers.items() if now - at >= self._good_for(one)]:
            del self._answers[old]
        while len(self._answers) > 1 and sum(self._weight(one) for _, one in self._answers.values()) > self._most:
            del self._answers[next(iter(self._answers))]
