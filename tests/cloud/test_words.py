import copy
import pickle

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drdash.cloud.words import OpenEnum, Rel, ServerStatus, Severity


def test_a_known_word_is_its_member() -> None:
    assert ServerStatus("STAND_BY") is ServerStatus.STAND_BY
    assert ServerStatus.STAND_BY.known
    assert len(ServerStatus) == 28


def test_an_unknown_word_survives_without_becoming_a_member() -> None:
    word = ServerStatus("MELTING")

    assert word == "MELTING"
    assert str(word) == word.value == word.name == "MELTING"
    assert not word.known
    assert "MELTING" not in ServerStatus.__members__


@pytest.mark.parametrize("kind", [ServerStatus, Severity, Rel])
@given(text=st.text())
def test_any_word_equals_and_hashes_like_its_text(kind: type[OpenEnum], text: str) -> None:
    word = kind(text)

    assert word == text == kind(text)
    assert {text, word} == {text} == {word}
    assert word.known == (text in [member.value for member in kind])


def test_an_unknown_word_can_be_copied_and_stored() -> None:
    word = Rel("DR_NEW")

    assert pickle.loads(pickle.dumps(word)) == word
    assert copy.deepcopy(word) == word
    assert msgspec.json.decode(msgspec.json.encode(word), type=Rel) == word


@pytest.mark.parametrize("value", [None, 7, b"STAND_BY"])
def test_what_is_no_text_is_no_word(value: object) -> None:
    with pytest.raises(ValueError):
        ServerStatus(value)  # type: ignore[arg-type]
