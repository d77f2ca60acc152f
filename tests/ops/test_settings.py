"""The settings refuse nonsense at start, in a sentence that names the variable and says what to do."""

import base64
import os
import runpy
import secrets
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.db.utils import ConnectionHandler

ROOT = Path(__file__).resolve().parents[2]
PRODUCTION = {
    "DRDASH_PUBLIC_URL": "https://dr.example.com",
    "DRDASH_SECRET_KEY": secrets.token_urlsafe(64),
    "DRDASH_ENCRYPTION_KEYS": f"{Fernet.generate_key().decode()},{Fernet.generate_key().decode()}",
}
# Always the same: it is part of a test's name.
A_KEY = base64.urlsafe_b64encode(bytes(32)).decode()
Read = Callable[..., dict[str, Any]]


def clean() -> dict[str, str]:
    ours = ("DRDASH_", "REDIS_", "DATABASE_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Read:
    """Read the settings anew, in an environment that has nothing of ours but what is given."""

    def read(**environment: str) -> dict[str, Any]:
        for name in set(os.environ) - set(clean()):
            monkeypatch.delenv(name)
        for name, value in {"DRDASH_DATA_DIR": str(tmp_path), **environment}.items():
            monkeypatch.setenv(name, value)
        return runpy.run_path(str(ROOT / "drdash" / "settings.py"))

    return read


def run(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**clean(), "DRDASH_DATA_DIR": str(folder), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


NONSENSE = [
    ("DRDASH_DEBUG", "perhaps"),
    ("DRDASH_POLL_SECONDS", "fast"),
    ("DRDASH_POLL_SECONDS", "4"),
    ("DRDASH_POLL_SECONDS", "3601"),
    ("DRDASH_POLL_SECONDS", "-15"),
    ("DRDASH_POLL_SECONDS", "²"),
    ("DRDASH_LOG_LEVEL", "LOUD"),
    ("DRDASH_SECRET_KEY", "short"),
    ("DRDASH_SECRET_KEY", "ab" * 40),
    ("DRDASH_ENCRYPTION_KEYS", "not-a-key"),
    ("DRDASH_ENCRYPTION_KEYS", f"{A_KEY},x"),
    ("DRDASH_PUBLIC_URL", "dr.example.com"),
    ("DRDASH_PUBLIC_URL", "ftp://dr.example.com"),
    ("DRDASH_PUBLIC_URL", "https://dr.example.com/drdash"),
    ("DRDASH_PUBLIC_URL", "https://user:password@dr.example.com"),
    ("DRDASH_PUBLIC_URL", "https://dr.example.com:high"),
    ("DRDASH_PUBLIC_URL", "http://dr.example.com"),
    ("DRDASH_PLAIN_HTTP_HOSTS", "http://simulator"),
    ("DRDASH_PLAIN_HTTP_HOSTS", "simulator:8080"),
    ("DRDASH_PLAIN_HTTP_HOSTS", "*"),
    ("DRDASH_TRUSTED_PROXIES", "*"),
    ("DRDASH_TRUSTED_PROXIES", "proxy.example.com"),
    ("DRDASH_TRUSTED_PROXIES", "10.0.0.1, 10.0.0.1/24"),
    ("DRDASH_TRUSTED_PROXIES", "::/0"),
    ("DATABASE_URL", "nonsense"),
    ("DATABASE_URL", "mysql://root@localhost/drdash"),
    ("DATABASE_URL", "postgresql://localhost"),
    ("REDIS_URL", "localhost:6379"),
    ("REDIS_URL", "http://localhost:6379/0"),
    ("REDIS_URL", "redis://localhost/first"),
    ("DRDASH_DATA_DIR", "/dev/null/drdash"),
]


@pytest.mark.parametrize(("name", "value"), NONSENSE)
def test_nonsense_is_refused_by_name_with_what_to_do(name: str, value: str, read: Read) -> None:
    with pytest.raises(ImproperlyConfigured, match=rf"^{name} ") as refused:
        read(**{name: value})

    assert any(remedy in str(refused.value) for remedy in ("set it to", "Use https", "Make one", "list names"))


def test_a_refusal_is_one_sentence_and_no_traceback(tmp_path: Path) -> None:
    answer = run("manage.py", "check", folder=tmp_path, DRDASH_POLL_SECONDS="fast")

    assert answer.returncode == 1
    assert answer.stderr.strip() == (
        "drdash: DRDASH_POLL_SECONDS is 'fast': set it to a whole number from 5 to 3600, or leave it out for 15."
    )


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "name", ["DRDASH_SECRET_KEY", "DRDASH_ENCRYPTION_KEYS", "DRDASH_PUBLIC_URL", "DATABASE_URL", "REDIS_URL"]
)
def test_a_refusal_does_not_repeat_what_may_be_secret(name: str, read: Read) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        read(**{name: "canary://canary:canary@canary"})

    assert "canary" not in str(refused.value)


def test_a_production_deployment_has_no_warnings(tmp_path: Path) -> None:
    answer = run("manage.py", "check", "--deploy", "--fail-level", "WARNING", folder=tmp_path, **PRODUCTION)

    assert answer.returncode == 0, answer.stderr
    assert "no issues" in answer.stdout


def test_https_makes_cookies_secure_and_names_the_host(read: Read) -> None:
    settings = read(**PRODUCTION)

    assert settings["SESSION_COOKIE_SECURE"]
    assert settings["CSRF_COOKIE_SECURE"]
    assert settings["CSRF_TRUSTED_ORIGINS"] == ["https://dr.example.com"]
    assert settings["ALLOWED_HOSTS"] == ["localhost", "127.0.0.1", "[::1]", "dr.example.com"]


def test_without_a_public_url_only_this_machine_is_served(read: Read) -> None:
    settings = read()

    assert settings["ALLOWED_HOSTS"] == ["localhost", "127.0.0.1", "[::1]"]
    assert not settings["SESSION_COOKIE_SECURE"]


def test_plain_http_is_taken_for_hosts_that_are_named(read: Read) -> None:
    settings = read(DRDASH_PUBLIC_URL="http://drdash.lan:8000", DRDASH_PLAIN_HTTP_HOSTS="drdash.lan")

    assert settings["PUBLIC_URL"] == "http://drdash.lan:8000"


def test_the_keys_in_the_data_folder_are_used_where_the_environment_has_none(read: Read, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "secret_key").write_text("0123456789abcdef" * 4)

    assert read()["SECRET_KEY"] == "0123456789abcdef" * 4
    assert read(**PRODUCTION)["SECRET_KEY"] == PRODUCTION["DRDASH_SECRET_KEY"]


@pytest.mark.parametrize("program", ["drdash.asgi", "drdash.celery"])
def test_what_serves_or_polls_refuses_to_start_without_keys(program: str, tmp_path: Path) -> None:
    answer = run("-c", f"import {program}", folder=tmp_path)

    assert answer.returncode == 1
    assert "DRDASH_SECRET_KEY is not set: set it, or start with `manage.py up`" in answer.stderr


def test_sqlite_waits_for_its_turn_and_keeps_what_it_committed(db: None, read: Read) -> None:
    """The settings themselves: the suite's own database is not waited for (tests/lighter.py)."""
    connection = ConnectionHandler(read()["DATABASES"])["default"]
    with closing(connection), connection.cursor() as cursor:
        kept = [cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
        waits = cursor.execute("PRAGMA busy_timeout").fetchone()[0]

    assert kept == ["wal", 2]
    assert waits == 20000
