"""Web processes of drdash on the test's own database and simulator, to be killed, stopped and asked over HTTP."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest
import requests
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone
from rest_framework.authtoken.models import Token

from drdash.tenants.models import Tenant, TokenRight
from tests.launcher import ROOT, Order, Started


def wait_until(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.01)


class Launcher:
    """A process that has read the program, and forks web processes of it."""

    def __init__(self, database: str) -> None:
        environment = os.environ | {"DATABASE_URL": f"sqlite:///{database}", "DRDASH_LOG_LEVEL": "INFO"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.launcher"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._lock = threading.Lock()

    def start(self, order: Order) -> Started:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(msgspec.json.encode(order) + b"\n")
            self._process.stdin.flush()
            return msgspec.json.decode(self._process.stdout.readline(), type=Started)

    def end(self) -> None:
        """Those that it started end with it."""
        self._process.kill()
        self._process.communicate()


class Web:
    """One web process."""

    def __init__(self, started: Started, log: Path) -> None:
        self.pid = started.pid
        self.url = f"http://127.0.0.1:{started.port}"
        self.log = log

    @property
    def condition(self) -> str:
        """Of the kernel: T is stopped; nothing: it has ended."""
        try:
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return ""

    @property
    def halted(self) -> bool:
        return self.condition in {"T", ""}

    def answers_no_more(self) -> bool:
        """Whether nobody is there any more, and it is gone at last."""
        try:
            requests.get(f"{self.url}/healthz", timeout=20)
        except requests.RequestException:
            wait_until(lambda: self.halted, "it is gone")
            return True
        return False

    def signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        wait_until(lambda: not self.condition, "it is gone")


class Webs:
    """Starts them. All of one test share a mirror of the audit."""

    def __init__(self, launcher: Launcher, folder: Path) -> None:
        self._launcher = launcher
        self.folder = folder
        self.started: list[Web] = []

    def start(self, *steps: str, signal: int = signal.SIGKILL, audit: Path | None = None, redis: str = "") -> Web:
        """One more; with ``steps`` it is halted by ``signal`` where they lead (launcher.Order)."""
        log = self.folder / f"web{len(self.started)}.log"
        order = Order(
            audit=str(audit or self.folder / "audit.jsonl"), log=str(log), redis=redis, steps=steps, signal=signal
        )
        self.started.append(Web(self._launcher.start(order), log))
        return self.started[-1]

    def end(self) -> None:
        for web in self.started:
            web.kill()


@pytest.fixture(scope="session")
def launcher(django_db_setup: None) -> Iterator[Launcher]:
    launcher = Launcher(str(connection.settings_dict["NAME"]))
    yield launcher
    launcher.end()


@pytest.fixture
def webs(launcher: Launcher, fresh_process: None, tmp_path: Path) -> Iterator[Webs]:
    webs = Webs(launcher, tmp_path)
    yield webs
    webs.end()


class Caller:
    """A program over HTTP, with the token of one person, who may run production with it."""

    def __init__(self, user: User, tenant: Tenant) -> None:
        token, _ = Token.objects.get_or_create(user=user)
        digest = sha256(token.key.encode()).hexdigest()
        TokenRight.objects.get_or_create(
            user=user, tenant=tenant, digest=digest, defaults={"given_by": user, "given_at": timezone.now()}
        )
        self._headers = {"Authorization": f"Token {token.key}"}

    def get(self, web: Web, path: str, **params: str | int) -> requests.Response:
        return requests.get(f"{web.url}/api/v1/{path}", headers=self._headers, params=params, timeout=100)

    def act(self, web: Web, uuid: str, action: str = "start_failover_test", **more: object) -> requests.Response | None:
        """The answer; None when none came."""
        wish: dict[str, Any] = {"action": action, "idempotency_key": uuid4().hex, **more}
        url = f"{web.url}/api/v1/servers/{uuid}/actions/"
        try:
            return requests.post(url, json=wish, headers=self._headers, timeout=100)
        except requests.RequestException:
            return None


class Person:
    """A browser without a script, signed in as one person."""

    def __init__(self, user: User) -> None:
        client = Client()
        client.force_login(user)
        self._cookies = {settings.SESSION_COOKIE_NAME: client.cookies[settings.SESSION_COOKIE_NAME].value}

    def get(self, web: Web, path: str) -> requests.Response:
        return requests.get(web.url + path, cookies=self._cookies, timeout=100)
