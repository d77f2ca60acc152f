"""The program's own sentences in the reader's language: what is made, stored and told by the API is English, and the
pages say it. A sentence that was stored with its values is recognised by the msgid that it was made of.
"""

import re
from functools import cache, lru_cache
from re import Pattern

import msgspec
from django.utils.translation import get_language, gettext, trans_real
from django.utils.translation.trans_real import DjangoTranslation

from drdash.web.phrases import Phrase

# A msgid with fewer letters of its own might be taken for what somebody else wrote.
FEWEST_LETTERS = 8
# Whoever wrote more, or put more sentences side by side, was not this program.
LONGEST, MOST_TOGETHER = 600, 4

ENDS = (".", "!", "?")

_VALUE = re.compile(r"%\((\w+)\)[sd]")
_ENDS = re.compile(r"(?<=[.!?]) ")


class _Form(msgspec.Struct, frozen=True):
    """A msgid with values: how a sentence made of it looks. ``begins``, ``ends``: what is quicker to see than that."""

    msgid: str
    begins: str
    ends: str
    pattern: Pattern[str]


def said(text: str) -> str:
    """An own sentence, or several side by side or in lines, as the reader says it; any other text as it came."""
    language = get_language() or "en"
    if not text or language.startswith("en"):
        return text
    catalog = trans_real.translation(language)
    return "\n".join(_said(line, catalog) for line in text.split("\n"))


class Stored(Phrase):
    """Text that was made, or stored, in English: HTML has it as the reader says it."""

    __slots__ = ()

    def said(self) -> str:
        return said(str(self))


def stored(text: str) -> Stored:
    """For a page: a text from below, be it an own sentence, the cloud's words or a person's."""
    return Stored(text)


@lru_cache(maxsize=4096)
def _said(text: str, catalog: DjangoTranslation) -> str:
    if (whole := _one(text, catalog)) is not None:
        return whole
    if len(text) > 2 * LONGEST:
        return text
    told, rest = "", _ENDS.split(text)
    while rest:
        for count in range(min(len(rest), MOST_TOGETHER), 0, -1):
            known = _one(" ".join(rest[:count]), catalog)
            if known is not None or count == 1:
                gap = "" if not told or told.endswith("。") else " "
                told, rest = f"{told}{gap}{rest[0] if known is None else known}", rest[count:]
                break
    return told


def _one(text: str, catalog: DjangoTranslation) -> str | None:
    """One msgid, or None where it is none."""
    if (word := gettext(text)) != text:
        return word
    for form in _forms(catalog) if len(text) <= LONGEST else ():
        if not text.startswith(form.begins) or not text.endswith(form.ends):
            continue
        found = form.pattern.fullmatch(text)
        if found and not any(_broken_off(value) for value in found.groups()):
            return gettext(form.msgid) % {
                name: _value(name, value, catalog) for name, value in found.groupdict().items()
            }
    return None


def _value(name: str, value: str, catalog: DjangoTranslation) -> str:
    """What a sentence was filled with: another sentence, or the parts that were ``told``, in turn; a name as it is."""
    if name == "told":
        return gettext("; ").join(_one(part, catalog) or part for part in value.split("; "))
    return _said(value, catalog) if value.endswith(ENDS) else value


def _broken_off(value: str) -> bool:
    """Whether it runs from one sentence into the next and ends there: then it was no value, but text in between."""
    return _ENDS.search(value) is not None and not value.endswith(ENDS)


@cache
def _forms(catalog: DjangoTranslation) -> list[_Form]:
    """Every msgid with values, those with the most words of their own first."""
    found = []
    # Nothing public lists msgids: Django's own view of them for scripts reads them from here too.
    for msgid, word in catalog._catalog.items():  # type: ignore[attr-defined]
        if isinstance(msgid, str) and word and _VALUE.search(msgid):
            pieces = _VALUE.split(msgid)
            if sum(letter.isalpha() for piece in pieces[::2] for letter in piece) >= FEWEST_LETTERS:
                found.append(
                    (sum(map(len, pieces[::2])), _Form(msgid, _plain(pieces[0]), _plain(pieces[-1]), _pattern(pieces)))
                )
    return [form for _, form in sorted(found, key=lambda one: -one[0])]


def _plain(piece: str) -> str:
    return piece.replace("%%", "%")


def _pattern(pieces: list[str]) -> Pattern[str]:
    names: set[str] = set()
    made = ""
    for place, piece in enumerate(pieces):
        if place % 2 == 0:
            made += re.escape(_plain(piece))
        else:
            made += f"(?P={piece})" if piece in names else f"(?P<{piece}>.*?)"
            names.add(piece)
    return re.compile(made, re.DOTALL)
