"""The catalogs of other languages hold what there is to translate, all of it, and say what the program says."""

import re
import shutil
import subprocess
import sys
from gettext import GNUTranslations
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.utils.translation import override, trans_real

from drdash.web.phrases import phrase, phrases

ROOT = settings.BASE_DIR
LANGUAGES = [code for code, _ in settings.LANGUAGES if code != settings.LANGUAGE_CODE]
PLACE = re.compile(r"%\((\w+)\)[sd]")
TAG = re.compile(r"<[^>]+>")

gettext = pytest.mark.skipif(
    not (shutil.which("xgettext") and shutil.which("msgfmt")), reason="no GNU gettext on this machine"
)


def catalog(code: str, root: Path = ROOT) -> Path:
    return root / f"drdash/locale/{code}/LC_MESSAGES/django.po"


def words(compiled: Path) -> dict[Any, str]:
    """What a compiled catalog says: by the words themselves, or by them and which plural it is."""
    with compiled.open("rb") as file:
        found: dict[Any, str] = GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    return {said: told for said, told in found.items() if said}


@gettext
def test_the_catalogs_are_what_gathering_anew_gives(tmp_path: Path) -> None:
    for part in ("drdash", "templates"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__", "*.mo"))
    shutil.copy(ROOT / "manage.py", tmp_path)
    subprocess.run([sys.executable, "manage.py", "makemessages"], cwd=tmp_path, check=True, capture_output=True)
    for code in LANGUAGES:
        assert catalog(code, tmp_path).read_text() == catalog(code).read_text(), "make words, and translate what is new"


@gettext
@pytest.mark.parametrize("code", LANGUAGES)
def test_a_catalog_is_whole_and_its_compiled_form_says_the_same(code: str, tmp_path: Path) -> None:
    done = subprocess.run(
        ["msgfmt", "--check-format", "--statistics", "-o", tmp_path / "anew.mo", catalog(code)],
        capture_output=True,
        text=True,
        env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"\d+ translated messages\.\n", done.stderr)  # none fuzzy, none left
    assert words(tmp_path / "anew.mo") == words(catalog(code).with_suffix(".mo"))


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_translation_has_the_values_and_the_tags_of_its_sentence(code: str) -> None:
    for key, told in words(catalog(code).with_suffix(".mo")).items():
        counted = isinstance(key, tuple)
        said = key[0] if counted else key
        values = set(PLACE.findall(said))
        if counted:
            assert set(PLACE.findall(told)) | {"count"} == values | {"count"}, key
        else:
            assert set(PLACE.findall(told)) == values, key
        assert sorted(TAG.findall(told)) == sorted(TAG.findall(said)), key
        assert not re.search(r"%(?!\(\w+\)[sd]|%)", told) or "%(" not in said, key


def test_a_phrase_is_english_but_where_it_is_read() -> None:
    said = phrases("%(count)s server", "%(count)s servers", 3)
    with override("de"):
        assert (str(said), f"{said}", said == "3 servers") == ("3 servers", "3 servers", True)
        assert said.said() == "3 Server"
        assert phrase("Site %(name)s", name="<b>").__html__() == "Standort &lt;b&gt;"
        old = phrase("Its last backup is %(ratio)s times as old as it may be.", ratio=5.1)
        assert ("5.1 times" in old, "5,1" in old.said()) == (True, True)


@pytest.fixture
def without_catalogs(tmp_path: Path, settings: Any) -> Any:
    def forget() -> None:
        trans_real._translations.clear()  # type: ignore[attr-defined]

    settings.LOCALE_PATHS = [tmp_path]
    forget()
    yield
    forget()


def test_pages_are_in_english_where_a_catalog_is_missing(without_catalogs: None, fresh_process: None) -> None:
    client = Client(headers={"Accept-Language": "de"})
    client.force_login(User.objects.create_user("alice"))
    page = client.get("/").content.decode()
    assert "Nothing is within your reach yet" in page
    assert '<html lang="de"' in page
