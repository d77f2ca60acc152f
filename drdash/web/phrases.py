"""Words of the pages, which know what they were made of: so they can be said in the reader's language.

A phrase is its English text, and nothing else, wherever it is stored, logged, compared or sent as JSON. Only HTML says
it in the language of whoever reads: templates and ``format_html`` ask each text for that. Pure: whoever knows the
language is told to it. What is made to be stored, logged, raised or told to programs is no phrase (``drdash.english``).
"""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Protocol, Self

NONE: Mapping[str, object] = {}


class Translator(Protocol):
    """Who knows the reader's language: Django's ``gettext``, ``ngettext`` and ``localize``, as ``drdash.web`` says."""

    def one(self, sentence: str) -> str: ...

    def counted(self, sentence: str, many: str, number: int) -> str: ...

    def fraction(self, number: float) -> str: ...


class Phrase(str):
    """English text with the sentence and the values that it was made of. ``many``: the sentence for other than one."""

    __slots__ = ("many", "number", "sentence", "values")

    sentence: str
    many: str
    number: int
    values: Mapping[str, object]

    def __new__(cls, sentence: str, values: Mapping[str, object] = NONE, many: str = "", number: int = 1) -> Self:
        chosen = many if many and number != 1 else sentence
        made = super().__new__(cls, chosen % values if values else chosen)
        made.sentence, made.many, made.number, made.values = sentence, many, number, values
        return made

    def __html__(self) -> str:
        return escape(self.said())

    def said(self) -> str:
        """The text in the language of whoever reads."""
        if _translator is None or not self.sentence:
            return str(self)
        counted = _translator.counted(self.sentence, self.many, self.number) if self.many else ""
        text = counted or _translator.one(self.sentence)
        return text % {name: said(value) for name, value in self.values.items()} if self.values else text


_translator: Translator | None = None


def translated_by(translator: Translator) -> None:
    """From now on phrases are said by this translator; before, in English."""
    global _translator
    _translator = translator


def phrase(sentence: str, /, **values: object) -> Phrase:
    """A sentence to be translated, with ``%(name)s`` where its values go; a value may be a phrase itself."""
    return Phrase(sentence, values)


def phrases(one: str, many: str, count: int, /, **values: object) -> Phrase:
    """The same with a number, ``%(count)s``, on which its words depend."""
    return Phrase(one, {"count": count, **values}, many, count)


def joined(between: str, parts: Iterable[str], /) -> Phrase:
    """Texts side by side, each of them said by itself, and so is what stands ``between`` them."""
    values = {f"part{number}": part for number, part in enumerate(parts)}
    return Phrase("%(between)s".join(f"%({name})s" for name in values), {"between": between, **values})


def said(text: object) -> object:
    """A phrase, or a fraction, in the language of whoever reads; all else, such as a name or a code, as it is."""
    if isinstance(text, float) and _translator is not None:
        return _translator.fraction(text)
    return text.said() if isinstance(text, Phrase) else text
