"""A real PostgreSQL, and the processes that belong to a test."""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import free_port
from tests.webs import wait_until


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass(frozen=True)
class PostgreSQL:
    port: int
    user: str
    password: str
    database: str


@pytest.fixture
def postgresql() -> Iterator[PostgreSQL]:
    """A cluster of its own, with one user and one database, gone afterwards."""
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not binaries:
        pytest.skip("there is no PostgreSQL server here (Debian's package is postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="drdash-postgresql-"))
    owner: int | None = None
    if os.geteuid() == 0:  # PostgreSQL refuses to be root
        owner = pwd.getpwnam("postgres").pw_uid
        os.chown(folder, owner, -1)
    wanted = PostgreSQL(free_port(), "drdash", secrets.token_hex(12), "drdash")
    password_file = folder / "password"
    password_file.write_text(wanted.password)
    data, program = folder / "data", binaries[-1].parent
    initdb = [
        str(program / "initdb"),
        "-D",
        str(data),
        "-U",
        wanted.user,
        "--pwfile",
        str(password_file),
        "-A",
        "scram-sha-256",
        "-N",
    ]
    password_file.chmod(0o644)
    subprocess.run(initdb, user=owner, cwd=folder, check=True, capture_output=True)
    options = ["-p", str(wanted.port), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-k", str(folder)]
    process = subprocess.Popen(
        [program / "postgres", "-D", str(data), *options], user=owner, cwd=folder, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: listening(wanted.port), "PostgreSQL listens")
        create = [
            str(program / "createdb"),
            "-h",
            "127.0.0.1",
            "-p",
            str(wanted.port),
            "-U",
            wanted.user,
            wanted.database,
        ]
        known = {**os.environ, "PGPASSWORD": wanted.password}
        # It listens a moment before it lets anyone in.
        wait_until(
            lambda: subprocess.run(create, env=known, capture_output=True, check=False).returncode == 0,
            "the database is made",
        )
        yield wanted
    finally:
        process.terminate()
        process.wait(60)
        shutil.rmtree(folder, ignore_errors=True)
