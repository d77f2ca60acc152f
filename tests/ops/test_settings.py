"""The settings refuse nonsense at start, in a sentence that names the variable and says what to do."""

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

ROOT = Path(__file__).resolve().parents[2]
PRODUCTION = {
    "DRDASH_PUBLIC_URL": "https://dr.example.com",
    "DRDASH_SECRET_KEY": secrets.token_urlsafe(64),
    "DRDASH_ENCRYPTION_KEYS": f"{Fernet.generate_key().decode()},{Fernet.generate_key().decode()}",
}


def manage(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("DRDASH_", "REDIS_", "DATABASE_"))
    }
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**clean, "DRDASH_DATA_DIR": str(folder), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def value_of(name: str, *, folder: Path, **environment: str) -> Any:
    code = f"import json; from django.conf import settings; print(json.dumps(settings.{name}))"
    answer = manage("shell", "--no-imports", "-c", code, folder=folder, **environment)
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


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
    ("DRDASH_ENCRYPTION_KEYS", f"{Fernet.generate_key().decode()},x"),
    ("DRDASH_PUBLIC_URL", "dr.example.com"),
    ("DRDASH_PUBLIC_URL", "ftp://dr.example.com"),
    ("DRDASH_PUBLIC_URL", "https://dr.example.com/drdash"),
    ("DRDASH_PUBLIC_URL", "https://user:password@dr.example.com"),
    ("DRDASH_PUBLIC_URL", "https://dr.example.com:high"),
    ("DRDASH_PUBLIC_URL", "http://dr.example.com"),
    ("DRDASH_PLAIN_HTTP_HOSTS", "http://simulator"),
    ("DRDASH_PLAIN_HTTP_HOSTS", "simulator:8080"),
    ("DRDASH_PLAIN_HTTP_HOSTS", "*"),
    ("DATABASE_URL", "nonsense"),
    ("DATABASE_URL", "mysql://root@localhost/drdash"),
    ("DATABASE_URL", "postgresql://localhost"),
    ("REDIS_URL", "localhost:6379"),
    ("REDIS_URL", "http://localhost:6379/0"),
    ("REDIS_URL", "redis://localhost/first"),
    ("DRDASH_DATA_DIR", "/dev/null/drdash"),
]


@pytest.mark.parametrize(("name", "value"), NONSENSE)
def test_nonsense_is_refused_in_one_sentence(name: str, value: str, tmp_path: Path) -> None:
    answer = manage("check", folder=tmp_path, **{name: value})

    assert answer.returncode == 1
    assert answer.stderr.startswith(f"drdash: {name} ")
    assert len(answer.stderr.strip().splitlines()) == 1, "a sentence, not a traceback"
    assert (
        "set it to" in answer.stderr
        or "Use https" in answer.stderr
        or "Make one" in answer.stderr
        or "list" in answer.stderr
    )


@pytest.mark.parametrize(
    "name", ["DRDASH_SECRET_KEY", "DRDASH_ENCRYPTION_KEYS", "DRDASH_PUBLIC_URL", "DATABASE_URL", "REDIS_URL"]
)
def test_a_refusal_does_not_repeat_what_may_be_secret(name: str, tmp_path: Path) -> None:
    answer = manage("check", folder=tmp_path, **{name: "canary://canary:canary@canary"})

    assert answer.returncode == 1
    assert "canary" not in answer.stdout + answer.stderr


def test_a_production_deployment_has_no_warnings(tmp_path: Path) -> None:
    answer = manage("check", "--deploy", "--fail-level", "WARNING", folder=tmp_path, **PRODUCTION)

    assert answer.returncode == 0, answer.stderr
    assert "no issues" in answer.stdout


def test_https_makes_cookies_secure_and_names_the_host(tmp_path: Path) -> None:
    assert value_of("SESSION_COOKIE_SECURE", folder=tmp_path, **PRODUCTION) is True
    assert value_of("CSRF_COOKIE_SECURE", folder=tmp_path, **PRODUCTION) is True
    assert value_of("CSRF_TRUSTED_ORIGINS", folder=tmp_path, **PRODUCTION) == ["https://dr.example.com"]
    assert value_of("ALLOWED_HOSTS", folder=tmp_path, **PRODUCTION)[3:] == ["dr.example.com"]


def test_without_a_public_url_only_this_machine_is_served(tmp_path: Path) -> None:
    assert value_of("ALLOWED_HOSTS", folder=tmp_path) == ["localhost", "127.0.0.1", "[::1]"]
    assert value_of("SESSION_COOKIE_SECURE", folder=tmp_path) is False


def test_plain_http_is_taken_for_hosts_that_are_named(tmp_path: Path) -> None:
    url, named = "http://drdash.lan:8000", "drdash.lan"
    assert value_of("PUBLIC_URL", folder=tmp_path, DRDASH_PUBLIC_URL=url, DRDASH_PLAIN_HTTP_HOSTS=named) == url


def test_the_keys_in_the_data_folder_are_used_where_the_environment_has_none(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "secret_key").write_text("0123456789abcdef" * 4)

    assert value_of("SECRET_KEY", folder=tmp_path) == "0123456789abcdef" * 4
    assert value_of("SECRET_KEY", folder=tmp_path, **PRODUCTION) == PRODUCTION["DRDASH_SECRET_KEY"]


@pytest.mark.parametrize("program", ["drdash.asgi", "drdash.celery"])
def test_what_serves_or_polls_refuses_to_start_without_keys(program: str, tmp_path: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DRDASH_")}
    answer = subprocess.run(
        [sys.executable, "-c", f"import {program}"],
        cwd=ROOT,
        env={**clean, "DRDASH_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert answer.returncode == 1
    assert "DRDASH_SECRET_KEY is not set: set it, or start with `manage.py up`" in answer.stderr


def test_sqlite_waits_for_its_turn_and_keeps_what_it_committed(tmp_path: Path) -> None:
    code = (
        "from django.db import connection; c = connection.cursor();"
        "print([c.execute(f'PRAGMA {name}').fetchone()[0] for name in ('journal_mode', 'synchronous', 'busy_timeout')])"
    )
    answer = manage("shell", "--no-imports", "-c", code, folder=tmp_path)

    assert answer.stdout.strip() == "['wal', 2, 20000]"
