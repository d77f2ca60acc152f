"""docker-compose.yml, without an engine: its commands and its environment, as plain processes on this machine.

Images, networks, users and limits are not tried here. Hosts become loopback, ports free ones, folders temporary ones.
"""

import os
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
import yaml
from cryptography.fernet import Fernet

from tests.conftest import free_port, redis_binary
from tests.ops.conftest import PostgreSQL, listening
from tests.webs import wait_until

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = re.compile(r"\$\$|\$\{(\w+)(?::([?-])([^}]*))?\}")


def interpolate(value: Any, given: dict[str, str]) -> Any:
    """What compose does to `$$`, `${A}`, `${A:-default}` and `${A:?why}`."""
    if isinstance(value, dict):
        return {name: interpolate(one, given) for name, one in value.items()}
    if isinstance(value, list):
        return [interpolate(one, given) for one in value]
    if not isinstance(value, str):
        return value

    def replacement(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        if not given.get(found[1]) and found[2] == "?":
            raise KeyError(found[1])
        return given.get(found[1]) or (found[3] if found[2] == "-" else "")

    return VARIABLE.sub(replacement, value)


class Composed:
    """The services of docker-compose.yml, moved to this machine."""

    def __init__(self, folder: Path, database: PostgreSQL) -> None:
        self.folder = folder
        self.web, self.redis, self.simulator = free_port(), free_port(), free_port()
        # Longer texts first: each place is replaced once.
        self.moved = {
            "127.0.0.1:8000": f"127.0.0.1:{self.web}",
            "'127.0.0.1', 9000": f"'127.0.0.1', {self.simulator}",
            "@postgres:5432": f"@127.0.0.1:{database.port}",
            "@redis:6379": f"@127.0.0.1:{self.redis}",
            "simulator:9000": f"127.0.0.1:{self.simulator}",
            "dir /data": f"dir {folder}\\nport {self.redis}\\nbind 127.0.0.1",
            "redis-cli": f"{sys.executable} {folder / 'ping.py'} {self.redis}",
            "0.0.0.0": "127.0.0.1",
            "/tmp": str(folder),
            "/audit": str(folder),
        }
        self.given = {
            "POSTGRES_PASSWORD": database.password,
            "REDIS_PASSWORD": secrets.token_hex(12),
            "DRDASH_SECRET_KEY": secrets.token_hex(40),
            "DRDASH_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
            "DRDASH_PUBLIC_URL": f"http://localhost:{self.web}",
            "DRDASH_POLL_SECONDS": "5",
            "DRDASH_SIMULATOR_SECRET": secrets.token_hex(12),
        }
        read = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
        self.services: dict[str, Any] = interpolate(read["services"], self.given)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        programs = folder / "bin"
        programs.mkdir()
        (programs / "redis-server").symlink_to(redis_binary())
        (folder / "ping.py").write_text(PING)
        self.path = f"{Path(sys.executable).parent}:{programs}:{os.environ['PATH']}"

    def move(self, text: str) -> str:
        if text in {"8000", "9000"}:
            return str(self.web if text == "8000" else self.simulator)
        return re.sub("|".join(map(re.escape, self.moved)), lambda found: self.moved[found[0]], text)

    def environment(self, service: str) -> dict[str, str]:
        named = {name: self.move(value) for name, value in self.services[service]["environment"].items()}
        # From the Dockerfile, and from the engine.
        return {"PATH": self.path, "DRDASH_DATA_DIR": str(self.folder), "HOSTNAME": os.uname().nodename, **named}

    def start(self, service: str) -> subprocess.Popen[bytes]:
        command = [self.move(one) for one in self.services[service]["command"]]
        with (self.folder / f"{service}.log").open("wb") as log:
            self.processes[service] = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.environment(service),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        return self.processes[service]

    def run(self, *command: str, **more: str) -> str:
        """One command in the web service's environment, as `docker compose run web` would."""
        environment = {**self.environment("web"), **more}
        answer = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return answer.stdout

    def healthy(self, service: str) -> bool:
        kind, *command = [self.move(one) for one in self.services[service]["healthcheck"]["test"]]
        command = ["sh", "-c", *command] if kind == "CMD-SHELL" else command
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment(service), capture_output=True, timeout=60, check=False
        )
        return done.returncode == 0

    def words(self) -> str:
        return "\n".join(f"{log.name}: {log.read_text()[-1500:]}" for log in self.folder.glob("*.log"))


PING = """
import os, socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 4) as connection:
    connection.sendall(f"AUTH {os.environ['REDISCLI_AUTH']}\\r\\nPING\\r\\n".encode())
    answer = b""
    while answer.count(b"\\n") < 2:
        answer += connection.recv(100)
print(answer.decode().splitlines()[-1].lstrip("+"))
"""


TAMPER = """
from django.db import DatabaseError, connection
from django.utils import timezone
from drdash.audit.mirror import mirror
from drdash.audit.record import write

write(by=None, verb="tried", at=timezone.now())
for sql in ("UPDATE audit_entry SET verb = 'x'", "DELETE FROM audit_entry", "TRUNCATE audit_entry"):
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
    except DatabaseError as error:
        print("refused" if "append-only" in str(error) else error)
"""


TWO_PERSONS = """
from django.contrib.auth.models import User
from django.utils import timezone
from drdash.audit.mirror import mirror
from drdash.estate.models import Copy
from drdash.estate.store import store
from drdash.failover import approvals, confirming, running, together
from drdash.failover.actions import Wish, preview, request
from drdash.failover.guard import Kind
from drdash.failover.models import Action, Approval, Consent
from drdash.failover.plan import plan_of
from drdash.failover.preflight import preflight
from drdash.tenants.models import Membership, Tenant
from drdash.tenants.roles import Role

START, WHY, now = Kind.START_PROD, "The main site burns.", timezone.now()
root, dora = User.objects.get(username="root"), User.objects.create_user("dora")
Tenant.objects.update(two_persons=True)
tenant = Tenant.objects.select_related("credential").get()
Membership.objects.create(user=dora, tenant=tenant, role=Role.ADMIN)

def flown(user, servers):
    chosen = [(tenant, server) for server in servers]
    return preflight(user=user, chosen=chosen, kind=START, production=True, before=None)

known = [seen.record for seen in store().load(tenant.pk).servers.values() if seen.record.type == "RECOVERY"]
one, *two = [line.server for line in flown(root, known).lines if line.approval][:3]

seen = preview(user=root, tenant=tenant, server=one, kind=START)
asked = approvals.ask(user=root, tenant=tenant, server=seen.server, kind=START, point=None, verdict=seen.verdict,
                      seen=seen.sighting, why=WHY, now=now)
hers = preview(user=dora, tenant=tenant, server=one, kind=START)
approvals.give(asked, by=dora, said="Go.", verdict=hers.verdict, seen=hers.sighting, now=timezone.now())
nods = frozenset(hers.verdict.acknowledge)
wish = Wish(kind=START, key="one", confirm=one.name, approval=asked.pk, acknowledge=nods)
print(request(user=root, tenant=tenant, server=one, wish=wish)[0].state)

plan = plan_of(flown(root, two), user=root.pk)
batch = confirming.make(user=root, plan=plan, order=[1, 0], nods=plan.nods, per_minute=60, now=timezone.now(), why=WHY)
found = {line.server.key: line for line in flown(dora, two).lines}
together.give(list(together.of(batch, Consent.ASKED)), by=dora, said="Go.", found=found, now=timezone.now())
running.start(batch, by=root, now=timezone.now()).join(60)
batch.refresh_from_db()
print(batch.state, *Action.objects.filter(item__batch=batch).order_by("pk").values_list("state", flat=True))
print(*Approval.objects.order_by("pk").values_list("state", flat=True), Copy.objects.count())
Tenant.objects.update(two_persons=False)
"""


VERIFIED = """
from django.core.management import call_command

assert mirror().settle()
call_command("verify_audit")
call_command("drf_create_token", "root")
"""


def read_only(database: PostgreSQL) -> None:
    """From now on, for every new transaction."""
    where = f"postgresql://{database.user}:{database.password}@127.0.0.1:{database.port}/{database.database}"
    with psycopg.connect(where, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        connection.execute("SELECT pg_reload_conf()")


def act(composed: Composed, token: str) -> list[tuple[int, str]]:
    """Ask for a test of a server that allows one, twice: the answers."""
    headers = {"Authorization": f"Token {token}", "X-Forwarded-Proto": "https"}
    servers = f"http://127.0.0.1:{composed.web}/api/v1/servers/"
    listed = requests.get(servers, headers=headers, params={"type": "RECOVERY", "limit": "200"}, timeout=60).json()
    uuid = next(one["uuid"] for one in listed["results"] if one["actions"]["start_failover_test"]["allowed"])
    told = []
    for key in "ab":
        wish = {"action": "start_failover_test", "idempotency_key": key}
        answer = requests.post(f"{servers}{uuid}/actions/", json=wish, headers=headers, timeout=60)
        told.append((answer.status_code, answer.text))
    return told


def starts(simulator: str) -> list[str]:
    """What the simulator was asked to start."""
    received = requests.get(simulator, timeout=60).json()["requests"]
    return [one["path"] for one in received if ":start" in one["path"]]


@pytest.fixture
def composed(tmp_path: Path, postgresql: PostgreSQL) -> Iterator[Composed]:
    services = Composed(tmp_path, postgresql)
    yield services
    for process in services.processes.values():
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)  # the Redis of its shell too
    for process in services.processes.values():
        process.wait(120)


@pytest.mark.postgresql
def test_the_services_start_in_order_become_healthy_and_poll(composed: Composed, postgresql: PostgreSQL) -> None:
    build = {"DRDASH_DATA_DIR": str(composed.folder), "PATH": composed.path}
    subprocess.run(
        ["python", "manage.py", "collectstatic", "--noinput"], cwd=ROOT, env=build, check=True, capture_output=True
    )
    composed.start("redis")
    wait_until(lambda: composed.healthy("redis"), "redis is healthy")
    assert composed.start("migrate").wait(120) == 0, composed.words()
    for service in ("web", "worker", "beat", "simulator"):
        composed.start(service)
    wait_until(lambda: listening(composed.web) and listening(composed.simulator), "web and the simulator listen")
    wait_until(lambda: composed.healthy("web"), "web is healthy")

    person = {"DJANGO_SUPERUSER_PASSWORD": secrets.token_hex(12)}
    composed.run(
        "python", "manage.py", "createsuperuser", "--noinput", "--username=root", "--email=a@b.example", **person
    )
    composed.run(
        *("python", "manage.py", "connect", "--name", "Customer", "--cloud", f"http://127.0.0.1:{composed.simulator}"),
        *("--grant", "client_credentials", "--client-id", "demo"),
        DRDASH_CLIENT_SECRET=composed.given["DRDASH_SIMULATOR_SECRET"],
    )

    ready = f"http://127.0.0.1:{composed.web}/readyz"
    wait_until(lambda: requests.get(ready, timeout=60).status_code == 200, "the first poll is there")
    for service in ("worker", "beat", "simulator"):
        wait_until(partial(composed.healthy, service), f"{service} is healthy")
    for service in ("web", "worker", "beat"):
        assert composed.processes[service].poll() is None, composed.words()

    told = composed.run("python", "manage.py", "shell", "-v", "0", "-c", TAMPER + TWO_PERSONS + VERIFIED).splitlines()
    assert told[:6] == [*["refused"] * 3, "accepted", "done accepted accepted", "used used used 1"]
    assert any("The audit is whole" in line for line in told[6:])
    simulator = f"http://127.0.0.1:{composed.simulator}/_control/requests"
    before = starts(simulator)
    assert len(before) == 3

    read_only(postgresql)
    for status, words in act(composed, told[-1].split()[2]):
        assert (status, "Nothing was sent: the database cannot be written" in words) == (503, True), words
    assert starts(simulator) == before


@pytest.mark.parametrize(
    "name",
    ["POSTGRES_PASSWORD", "REDIS_PASSWORD", "DRDASH_SECRET_KEY", "DRDASH_ENCRYPTION_KEYS", "DRDASH_PUBLIC_URL"],
)
def test_a_secret_that_is_not_set_is_named(name: str) -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    needed = ["POSTGRES_PASSWORD", "REDIS_PASSWORD", "DRDASH_SECRET_KEY", "DRDASH_ENCRYPTION_KEYS", "DRDASH_PUBLIC_URL"]

    with pytest.raises(KeyError, match=name):
        interpolate(services, {one: "set" for one in needed if one != name})


def test_every_service_of_ours_is_read_only_without_privileges_and_waits_for_the_migration() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for name, service in services.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert "privileged" not in service, name
    for name in ("web", "worker", "beat"):
        assert services[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    assert services["simulator"]["profiles"] == ["simulator"]
    assert "USER 10001" in (ROOT / "Dockerfile").read_text()
