"""The filters above a list of servers as links: what can be chosen, how many that would show, and what is chosen."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from drdash.web import wording
from drdash.web.finding import FACETS, UNSAID, Wanted
from drdash.web.phrases import joined, phrase
from drdash.web.wording import Look, look_of

LABELS = {
    "type": phrase("Type"),
    "status": phrase("Status"),
    "vm": phrase("VM"),
    "site": phrase("Site"),
    "tenant": phrase("Tenant"),
    "readiness": phrase("Site readiness"),
    "issues": phrase("Issues"),
    "tested": phrase("Tests"),
    "blocked": phrase("Actions"),
    "backup": phrase("Backup"),
    "missing": phrase("Missing"),
}
WORDS: dict[str, dict[str, str]] = {
    "type": {"recovery": phrase("Recovery"), "primary": phrase("Primary")},
    "issues": {
        "error": phrase("With an error"),
        "warning": phrase("With a warning only"),
        UNSAID: phrase("Not said"),
        "none": phrase("Without issues"),
    },
    "tested": {
        "due": phrase("Due for a test"),
        "failed": phrase("Automated test failed"),
        "never": phrase("Never tested"),
        "once": phrase("Tested before"),
    },
    "blocked": {"true": phrase("All blocked"), "false": phrase("Not all blocked")},
    "backup": {"late": phrase("Late or worse")},
    "missing": {"true": phrase("No longer listed by the cloud")},
}
LOOKS: dict[str, Mapping[str, Look]] = {
    "status": wording.SERVER_STATUS,
    "vm": wording.VM_STATUS,
    "readiness": wording.READINESS,
}
# What is asked for again and again, each by one filter.
BUILT_IN = {
    phrase("Blocked"): ("blocked", "true"),
    phrase("Tests running"): (
        "status",
        "FAILOVER_TEST,FAILOVER_TEST_AUTO,STARTING_FAILOVER_TEST,STARTING_FAILOVER_TEST_AUTO",
    ),
    phrase("Production"): ("status", "FAILOVER_PROD,FINALIZATION,FINALIZATION_FAILED,STARTING_FAILOVER_PROD"),
    phrase("Due for a test"): ("tested", "due"),
    phrase("Backup late"): ("backup", "late"),
}


class Choice(msgspec.Struct, frozen=True):
    """One value of a filter. ``url`` chooses it, or gives it up where it is ``chosen``."""

    id: str
    word: str
    count: int
    url: str
    chosen: bool


class Facet(msgspec.Struct, frozen=True):
    """A filter with its values; ``said``: what is chosen of it, in words."""

    name: str
    label: str
    said: str
    choices: tuple[Choice, ...]


class View(msgspec.Struct, frozen=True):
    """A link to a list that is looked at often. ``count``: how many it shows, where that is quickly told."""

    name: str
    url: str
    count: int | None
    here: bool
    own: int = 0


def facets(
    wanted: Wanted,
    counts: Mapping[str, Counter[str]],
    names: Mapping[str, Mapping[str, str]],
    url: Callable[..., str],
) -> tuple[Facet, ...]:
    """The filters that there is something to choose of. ``names``: of sites and tenants, by value."""
    return tuple(
        one
        for name in LABELS
        if name in FACETS and (name != "tenant" or len(names["tenant"]) > 1)
        if (one := _facet(name, wanted, counts[name], names.get(name, {}), url)).choices
    )


def _facet(name: str, wanted: Wanted, counts: Counter[str], names: Mapping[str, str], url: Callable[..., str]) -> Facet:
    asked = wanted.asked.get(name, frozenset())
    whole = str(getattr(wanted, name)).lower()
    # One value with a comma in it is not its halves.
    chosen = {whole} if whole in counts else set(whole.split(",")) - {""}
    values = {value for value, count in counts.items() if count} | chosen | set(WORDS.get(name, {}))
    words = {value: _word(name, value, names) for value in values}
    choices = tuple(
        Choice(
            id=f"by-{name}-{value}",
            word=words[value],
            count=counts[value],
            url=url(page=1, **{name: ",".join(_as_given(name, one) for one in sorted(chosen ^ {value}))}),
            chosen=value in asked and value in chosen,
        )
        for value in sorted(values, key=lambda value: _rank(name, value, words[value]))
    )
    return Facet(name, LABELS[name], joined(phrase(", "), [one.word for one in choices if one.chosen]), choices)


def built_in(wanted: Wanted, counts: Mapping[str, Counter[str]], url: Callable[[Wanted], str]) -> list[View]:
    """The lists that everyone has; ``counts``: of all servers, without any filter."""
    views = []
    for word, (name, value) in BUILT_IN.items():
        asked = Wanted.of({name: value})
        views.append(View(word, url(asked), count_of(asked, counts), same(asked, wanted)))
    return views


def count_of(asked: Wanted, counts: Mapping[str, Counter[str]]) -> int | None:
    """How many servers that would show, if it is a matter of one filter of which a server has one value."""
    (name, values), *more = [*asked.asked.items()] or [("", frozenset())]
    if more or asked.q or not name or (name == "tested" and len(values) > 1):
        return None
    return sum(counts[name][value] for value in values)


def same(one: Wanted, other: Wanted) -> bool:
    """Whether both ask for the same servers, however they are sorted and shown."""
    return (one.asked, one.q) == (other.asked, other.q)


def _word(name: str, value: str, names: Mapping[str, str]) -> str:
    if known := WORDS.get(name, {}).get(value) or names.get(value):
        return known
    if value == UNSAID:
        return phrase("Not said")
    return look_of(LOOKS[name], value.upper()).word if name in LOOKS else value


def _as_given(name: str, value: str) -> str:
    """The cloud's words are written as the cloud writes them."""
    return value.upper() if name in {"type", *LOOKS} and value != UNSAID else value


def _rank(name: str, value: str, word: str) -> Any:
    known = list(WORDS.get(name, {}))
    return (known.index(value) if value in known else len(known), value == UNSAID, word.casefold(), value)
