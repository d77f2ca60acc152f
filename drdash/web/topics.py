"""What a stream can be asked for, and which of it an announced change touches."""

import re
from collections.abc import Iterable
from urllib.parse import parse_qsl

import msgspec
from django.conf import settings

from drdash.failover.notices import NOTICE

KINDS = ("server-row-", "server-panel-", "site-row-", "site-panel-", "action-row-", "action-panel-", "health-")
MOST_TOPICS = 256
LONGEST_QUERY = 32 * 1024
ESTATE_CHANGED, NOTICES = "estate-changed", "notices"
BARE = frozenset({ESTATE_CHANGED, NOTICES})  # these say that something changed, and show nothing of it

_TOPIC = re.compile(f"(?:{'|'.join(KINDS)})[^\\s,*\\x00-\\x1f\\x7f]{{1,200}}")


class BadQuery(Exception):
    """The query is not one that a page of ours would send."""


class Wanted(msgspec.Struct, frozen=True):
    """What a page shows, the bookmark (streams.bookmark) up to which it shows it, and in which language."""

    topics: frozenset[str]
    after: str = ""
    language: str = settings.LANGUAGE_CODE


def wanted(query: bytes) -> Wanted:
    """What a query asks for; a prefix becomes the kinds of topics it covers, such as ``server-row-*``."""
    if len(query) > LONGEST_QUERY:
        raise BadQuery("The query is too long.")
    try:
        given = parse_qsl(
            query.decode("ascii"), keep_blank_values=True, strict_parsing=bool(query), errors="strict", max_num_fields=3
        )
    except ValueError as error:
        raise BadQuery("The query takes topics, after and language.") from error
    values = dict(given)
    if len(values) < len(given) or values.keys() - {"topics", "after", "language"}:
        raise BadQuery("The query takes topics, after and language, each once.")
    language = values.get("language", settings.LANGUAGE_CODE)
    if language not in dict(settings.LANGUAGES):
        raise BadQuery("There is no such language here.")
    words = values["topics"].split(",") if values.get("topics") else []
    if len(words) > MOST_TOPICS:
        raise BadQuery(f"At most {MOST_TOPICS} topics.")
    topics = frozenset(topic for word in words for topic in _covered(word))
    return Wanted(topics, values.get("after", ""), language)


def _covered(word: str) -> list[str]:
    if word.endswith("*"):
        kinds = [f"{kind}*" for kind in KINDS if kind.startswith(word[:-1])]
        if not kinds:
            raise BadQuery("A topic that ends in * is the beginning of a kind, such as server-row-*.")
        return kinds
    if not _TOPIC.fullmatch(word):
        raise BadQuery("There is no such topic.")
    return [word]


class Touched:
    """The topics that show something of what changed in one tenant."""

    def __init__(self, tenant: int, keys: Iterable[str]) -> None:
        self.tenant = tenant
        self._by_word: dict[str, list[str]] = {}
        for key in keys:
            if key == NOTICE:
                self._by_word[NOTICES] = [NOTICES]
                continue
            for topic in _topics(key, tenant):
                self._by_word[topic] = [topic]
                self._by_word.setdefault(next(f"{kind}*" for kind in KINDS if topic.startswith(kind)), []).append(topic)
            if key != "health":
                # What a page counts and lists may change with any row.
                self._by_word[ESTATE_CHANGED] = [ESTATE_CHANGED]

    def asked_for(self, words: frozenset[str]) -> set[str]:
        """Those of the topics that these words ask for."""
        return {topic for word in words & self._by_word.keys() for topic in self._by_word[word]}


def _topics(key: str, tenant: int) -> list[str]:
    if key == "health":
        return [f"health-{tenant}"]
    kind, _, name = key.partition(":")
    # What no page could ask for is left out.
    return [topic for topic in (f"{kind}-row-{name}", f"{kind}-panel-{name}") if _TOPIC.fullmatch(topic)]
