"""What is made in English, and perhaps stored, is said by the page in its reader's language."""

import ast
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext

from drdash.english import english
from drdash.tenants.connect import WHERE
from drdash.web.phrases import joined, phrase, phrases
from drdash.web.said import said, stored

HOUSE = Path(settings.BASE_DIR) / "drdash"
OTHERS = [code for code, _ in settings.LANGUAGES if code != settings.LANGUAGE_CODE]


def sentences() -> Iterator[str]:
    """Every msgid that is made in English below the web."""
    for source in HOUSE.rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            match node:
                case ast.Call(func=ast.Name(id="english"), args=[ast.Constant(value=str(sentence)), *_]):
                    yield sentence


class Named(dict[str, str]):
    """Values that are told apart, whatever they are called."""

    def __missing__(self, name: str) -> str:
        return f"«{name}»"


@pytest.mark.parametrize("language", OTHERS)
def test_each_sentence_is_known_again_with_its_values(language: str) -> None:
    with translation.override(language):
        for sentence in sorted(set(sentences())):
            assert said(sentence % Named()) == gettext(sentence) % Named()


def test_what_was_stored_is_said_with_the_names_that_stand_in_it_as_they_are() -> None:
    with translation.override("ja"):
        assert said("Paused by Ready.") == "Readyが一時停止しました。"
        assert said("The cloud could not be asked: The cloud gave no access token in time.") == (
            "クラウドに問い合わせできませんでした：クラウドが時間内にアクセストークンを発行しませんでした。"
        )
        assert said("Nobody answers.\nann, to close it at once: He is away.") == (
            "Nobody answers.\nann（すぐにクローズするため）: He is away."
        )


@pytest.mark.parametrize("language", OTHERS)
def test_what_every_page_or_the_first_one_tells_is_known(language: str) -> None:
    why = "The file /data/a.jsonl is not of this audit. Move it away, and a new one is begun."
    with translation.override(language):
        assert said(WHERE) != WHERE
        assert "audit" not in said(f"The audit's mirror cannot be written: {why}")


def test_sentences_side_by_side_are_said_one_after_the_other_and_the_clouds_words_stay() -> None:
    with translation.override("ja"):
        assert (
            said("It is void. Disk 3 is on fire. It is too old.") == "無効です。Disk 3 is on fire. 期限が過ぎています。"
        )
        assert said("Ein Server brennt.") == "Ein Server brennt."
        assert said("") == ""


def test_a_sentence_that_another_ends_in_is_not_taken_for_the_values_of_the_first() -> None:
    with translation.override("ja"):
        told = english("Paused by %(username)s.", username="bob") + " Then the lights went out"
        assert said(told) == "bobが一時停止しました。Then the lights went out"


@pytest.mark.parametrize("text", ["a. " * 300, "a. " * 40_000, "The cloud refused it (" + ") " * 280])
def test_what_a_cloud_made_up_to_be_hard_to_read_is_shown_as_it_came_and_soon(text: str) -> None:
    with translation.override("ja"):
        begun = time.process_time()
        assert said(text) == text
        assert time.process_time() - begun < 1


def test_english_readers_get_what_is_stored_to_the_byte() -> None:
    assert said("Paused by bob.") == "Paused by bob."
    with translation.override(None):
        assert said("Paused by bob.") == "Paused by bob."


def test_a_text_from_below_is_english_everywhere_but_in_html() -> None:
    with translation.override("ja"):
        told = stored("It is void.")
        assert told == "It is void."
        assert f"{told}" == "It is void."
        assert told.__html__() == "無効です。"


def test_phrases_side_by_side_are_each_said_by_themselves_with_the_marks_of_the_language() -> None:
    with translation.override("ja"):
        told = joined(phrase(", "), [phrases("1 site", "%(count)s sites", 2), "ber-mail-01", phrase("Ready")])
        assert told == "2 sites, ber-mail-01, Ready"
        assert told.said() == "サイト2件、ber-mail-01、準備完了"
        assert joined(phrase(", "), []).said() == ""
