"""Pages in a language that is none: whatever is translated stands in ⟦⟧, so what nobody marked is seen."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from html.parser import HTMLParser

from django.utils.translation import trans_real

OPENS, CLOSES = "⟦", "⟧"
SAYS = {"title", "aria-label", "aria-description", "placeholder", "alt", "data-label", "label"}
SAYS |= {f"data-{name}" for name in ("lost", "back", "stale", "current", "copied", "uncopied")}
QUOTES = {"code", "pre", "time", "kbd", "script", "style", "textarea"}  # what somebody else said, and moments
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
ALONE = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Pseudo:
    """A catalog in which everything is translated that is in a real one."""

    def __init__(self, real: trans_real.DjangoTranslation) -> None:
        self._catalog = real._catalog  # type: ignore[attr-defined]
        self._known = {key if isinstance(key, str) else key[0] for key in self._catalog.keys()}  # noqa: SIM118 - it is no real dict

    def gettext(self, message: str) -> str:
        return f"{OPENS}{message.rpartition(chr(4))[2]}{CLOSES}" if message in self._known else message

    def ngettext(self, one: str, many: str, number: int) -> str:
        return f"{OPENS}{(one if number == 1 else many).rpartition(chr(4))[2]}{CLOSES}"

    def to_language(self) -> str:
        return "de"


@contextmanager
def pseudo() -> Iterator[None]:
    """Meanwhile whoever asks for German is answered in no language at all."""
    catalogs: dict[str, object] = trans_real._translations  # type: ignore[attr-defined]
    kept = catalogs.pop("de", None)
    catalogs["de"] = Pseudo(trans_real.DjangoTranslation("de"))
    try:
        yield
    finally:
        del catalogs["de"]
        if kept is not None:
            catalogs["de"] = kept


class Reader(HTMLParser):
    """What a page says outside of ⟦⟧, in order: texts, and attributes that are read out or shown."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._depth = 0
        self._quoted: list[str] = []
        self._run = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if not self._depth and not self._quoted:
            self._end()
        self.found += [outside(given[name]) for name in given if name in SAYS]
        if given.get("name") == "description":
            self.found.append(outside(given.get("content", "")))
        if tag in ALONE:
            return
        if self._quoted or tag in QUOTES or (tag != "html" and "lang" in given):
            self._quoted.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._depth and not self._quoted:
            self._end()
        if self._quoted:
            while self._quoted and self._quoted.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if self._quoted:
            return
        for letter in data:
            if letter == OPENS:
                self._depth += 1
                self._run += " "
            elif letter == CLOSES:
                self._depth -= 1
            elif not self._depth:
                self._run += letter

    def close(self) -> None:
        super().close()
        self._end()

    def _end(self) -> None:
        if self._run.strip():
            self.found.append(self._run.strip())
        self._run = ""


def outside(text: str) -> str:
    """The part of a text that is in no ⟦⟧."""
    depth, found = 0, ""
    for letter in text:
        depth += (letter == OPENS) - (letter == CLOSES)
        found += letter if not depth and letter != CLOSES else ""
    return found.strip()


class Data:
    """Names, codes and words of others: what is never translated."""

    def __init__(self, known: Iterable[str], names: Iterable[str]) -> None:
        self._whole = {one.strip() for one in (*known, *names)}
        # A plain word of a sentence may be a code somewhere.
        within = {one for one in self._whole if len(one) > 2 and not (one.isalpha() and one.islower())}
        longest = sorted({*within, *names}, key=len, reverse=True)
        self._within = re.compile("|".join(rf"(?<!\w){re.escape(one)}(?!\w)" for one in longest))

    def rest(self, text: str) -> str:
        """What is left of a text without them; empty where nothing but signs and numbers is."""
        if text in self._whole:
            return ""
        left = self._within.sub(" ", MOMENT.sub(" ", text))
        return left.strip() if any(letter.isalpha() for letter in left) else ""


def unmarked(page: str, data: Data) -> list[str]:
    """The texts of a page that are neither translated nor data."""
    reader = Reader()
    reader.feed(page)
    reader.close()
    return [rest for text in reader.found if text and (rest := data.rest(text))]
