"""What the open lists show: so that an update of one tells what leaves and what comes, and sends nothing else.

A list keeps its order while somebody looks at it: what no longer matches says so for a while before it goes, what
comes is put where it belongs, and what would stand elsewhere by now waits until the list is sorted again.
"""

import threading
from collections.abc import Mapping, Sequence

import msgspec

Key = tuple[int, str]

STAYS = 5.0  # seconds that a row which no longer matches is still there
MOST = 200_000  # rows of all lists that are remembered
MOST_STEPS = 120  # beyond that the whole list is quicker

_lists: dict[str, "Shown"] = {}
_lock = threading.Lock()


class Shown(msgspec.Struct, frozen=True):
    """The rows of a list from top to bottom, by tenant and key; ``leaving``: those that no longer match, since when."""

    rows: tuple[Key, ...]
    leaving: Mapping[Key, float] = {}


class Steps(msgspec.Struct, frozen=True):
    """From one state of a list to the next. ``comes``: each with the row that it follows. ``moved``: some rows would
    stand elsewhere by now."""

    gone: tuple[Key, ...]
    leaves: tuple[Key, ...]
    back: tuple[Key, ...]
    comes: tuple[tuple[Key, Key | None], ...]
    moved: bool

    @property
    def many(self) -> bool:
        """Whether they are more than is worth the while."""
        return len(self.gone) + len(self.leaves) + len(self.back) + len(self.comes) > MOST_STEPS


def remember(name: str, shown: Shown) -> None:
    """Keep what a list shows under the name that its page holds; of too many, the oldest are forgotten."""
    with _lock:
        _lists.pop(name, None)
        _lists[name] = shown
        while len(_lists) > 1 and sum(len(one.rows) + 1 for one in _lists.values()) > MOST:
            del _lists[next(iter(_lists))]


def recall(name: str) -> Shown | None:
    """What the list of that name shows, if that is still known here."""
    with _lock:
        return _lists.get(name)


def step(was: Shown, now: Sequence[Key], at: float, *, held: bool = False) -> tuple[Shown, Steps]:
    """What a list becomes when ``now`` is what matches, ``at`` so many seconds of the machine's clock. While it is
    ``held``, by a pointer or the focus, rows say that they leave, but none goes and none comes.
    """
    matching, had = set(now), set(was.rows)
    leaving = {key: was.leaving.get(key, at) for key in was.rows if key not in matching}
    gone = tuple(key for key, since in leaving.items() if at - since >= STAYS and not held)
    for key in gone:
        del leaving[key]
    rows = [key for key in was.rows if key in matching or key in leaving]
    comes: list[tuple[Key, Key | None]] = []
    for before, key in zip((None, *now), now, strict=False):
        if key not in had and not held:
            rows.insert(rows.index(before) + 1 if before else 0, key)
            comes.append((key, before))
    there = set(rows)
    steps = Steps(
        gone=gone,
        leaves=tuple(key for key in leaving if key not in was.leaving),
        back=tuple(key for key in was.rows if key in matching and key in was.leaving),
        comes=tuple(comes),
        moved=[key for key in rows if key in matching] != [key for key in now if key in there],
    )
    return Shown(tuple(rows), leaving), steps
