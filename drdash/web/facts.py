"""Everything the cloud says about a server or site, laid out field by field: also what nobody here knows yet."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from drdash.web.phrases import phrase
from drdash.web.wording import sentence

SECRET = re.compile(r"password|secret|token|private_key|^authorization$", re.IGNORECASE)
# Shown in words elsewhere on the page.
ELSEWHERE = frozenset({"_issues", "_links"})
SECONDS = phrase("seconds")


class Fact(msgspec.Struct, frozen=True):
    """One field: its label, and its value as text, moment or address."""

    label: str
    text: str
    at: datetime | None = None
    link: bool = False
    id: bool = False


class Group(msgspec.Struct, frozen=True):
    """The fields of one object, under its name."""

    title: str
    facts: tuple[Fact, ...]


def groups(item: bytes, title: str) -> tuple[Group, ...]:
    """The fields of an item's JSON, nested objects as groups of their own, in the order of their names."""
    value = msgspec.json.decode(item)
    return tuple(_groups({key: inner for key, inner in value.items() if key not in ELSEWHERE}, title))


def _groups(value: dict[str, Any], title: str) -> Iterator[Group]:
    facts = tuple(_fact(sentence(key), key, inner) for key, inner in value.items() if not _nested(inner))
    if facts:
        yield Group(title, facts)
    for key, inner in value.items():
        if isinstance(inner, dict) and inner:
            yield from _groups(inner, _joined(title, key))
        elif _nested(inner):
            for number, entry in enumerate(inner, 1):
                yield from _groups(entry, f"{_joined(title, key)} {number}")


def _nested(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(isinstance(entry, dict) and entry for entry in value)
    return isinstance(value, dict) and bool(value)


def _joined(title: str, key: str) -> str:
    return f"{title} · {sentence(key)}" if title else sentence(key)


def _fact(label: str, key: str, value: Any) -> Fact:
    if SECRET.search(key):
        return Fact(label, phrase("hidden"))
    if value is None:
        return Fact(label, phrase("not set"))
    if isinstance(value, bool):
        return Fact(label, phrase("yes") if value else phrase("no"))
    if isinstance(value, str):
        return _text(label, key, value)
    if isinstance(value, list):
        return Fact(label, ", ".join(map(str, value)) or phrase("none"))
    if isinstance(value, dict):
        return Fact(label, phrase("none"))
    return Fact(label, phrase("%(value)s %(unit)s", value=value, unit=unit) if (unit := _unit(key)) else str(value))


def _text(label: str, key: str, value: str) -> Fact:
    if value.startswith(("http://", "https://")):
        return Fact(label, value, link=True)
    if re.match(r"\d{4}-\d\d-\d\dT", value):
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            at = None
        if at is not None and at.tzinfo is not None:
            return Fact(label, value, at=at)
    return Fact(label, value or phrase("empty"), id=bool(value) and (key.endswith(("uuid", "_id")) or key == "id"))


def _unit(key: str) -> str:
    return {"ram_mb": "MiB", "size_gb": "GiB", "timeout": SECONDS, "threshold_seconds": SECONDS}.get(key, "")
