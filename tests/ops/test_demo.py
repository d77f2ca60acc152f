"""`manage.py demo` and `manage.py up`, as people run them: what they say, and that nothing stays behind."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from django.contrib.auth.models import User

from drdash.cloud.records import Server
from drdash.failover.actions import Wish, request
from drdash.failover.guard import Kind
from drdash.failover.models import State
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Credential, Tenant
from drdash.web.management.commands.demo import Command
from tests.conftest import free_port
from tests.ops.conftest import listening
from tests.webs import wait_until

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = {"redis-server", "drdash.simulator", "worker", "beat", "drdash.serve"}


class House:
    """A demo in a folder of its own, and what it says."""

    def __init__(self, folder: Path, *, start: list[str] | None = None) -> None:
        self.folder, self.port = folder, free_port()
        self.output = folder / "output"
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                start or [sys.executable, "manage.py", "demo", "--port", str(self.port)],
                cwd=ROOT,
                env=environment(folder),
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def said(self) -> str:
        return self.output.read_text()

    def wait_for(self, words: str) -> None:
        begun = time.monotonic()
        wait_until(lambda: words in self.said() or self.process.poll() is not None, words, 180)
        assert words in self.said(), self.said()
        self.waited = time.monotonic() - begun

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(120)

    def left(self) -> dict[int, str]:
        """The processes that work in its folder, by their ids."""
        return processes_of(self.folder) | ({} if self.process.poll() is not None else {self.process.pid: "demo"})


def environment(folder: Path) -> dict[str, str]:
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("DRDASH_", "REDIS_", "DATABASE_"))
    }
    return {**clean, "DRDASH_DATA_DIR": str(folder)}


def processes_of(folder: Path) -> dict[int, str]:
    """Whatever was started for this folder. Redis overwrites its environment with its title, but works in there."""
    found = {}
    mine = f"DRDASH_DATA_DIR={folder}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            given = (entry / "environ").read_bytes().split(b"\0")
            if any(one.startswith(mine) for one in given) or (entry / "cwd").readlink().is_relative_to(folder):
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it has ended, or is not ours
    return {pid: command for pid, command in found.items() if command}


def program(house: House, name: str) -> int:
    return next((pid for pid, command in house.left().items() if re.search(rf"[ /]{name}\b", command)), 0)


def refusal(*arguments: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout == "", "nothing was started"
    return done.stderr.strip()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One that runs for as many tests as like it."""
    running = House(tmp_path_factory.mktemp("house"))
    try:
        running.wait_for("Ctrl-C ends it.")
        yield running
    finally:
        running.end()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., House]]:
    """Start one of the test's own in its folder."""
    started: list[House] = []

    def start(*command: str) -> House:
        started.append(House(tmp_path, start=list(command)))
        return started[-1]

    yield start
    for one in started:
        one.end()


def test_it_says_where_it_is_and_how_to_sign_in(house: House) -> None:
    assert f"ready at http://127.0.0.1:{house.port}/" in house.said()
    assert "viewer, operator or admin; the password is the name" in house.said()
    assert "data is late" not in house.said(), "the first data was there"


def test_its_secrets_are_for_its_owner_alone_and_on_no_command_line(house: House) -> None:
    keys = sorted((house.folder / "demo" / "keys").iterdir())
    commands = " ".join(house.left().values())

    assert [one.name for one in keys] == ["encryption_keys", "secret_key", "simulator_secret"]
    for one in keys:
        assert one.stat().st_mode & 0o777 == 0o600
        assert one.read_text().strip() not in commands
    assert "requirepass" not in commands


@pytest.mark.parametrize("name", ["drdash.serve", "worker"])
def test_a_killed_program_is_named_and_comes_back(house: House, name: str) -> None:
    shown = {"drdash.serve": "web"}.get(name, name)
    before = program(house, name)
    assert before
    os.kill(before, signal.SIGKILL)

    house.wait_for(f"{shown} was killed by SIGKILL. Starting it again in 1 s")
    wait_until(lambda: program(house, name) not in {0, before}, f"{name} is back")
    with socket.create_connection(("127.0.0.1", house.port), timeout=60) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert b"200 OK" in connection.recv(100), "the port was kept, so this request only waited"


def test_a_second_demo_in_the_same_folder_is_told(house: House) -> None:
    sentence = refusal("demo", "--port", str(free_port()), folder=house.folder)

    assert "runs in" in sentence
    assert str(house.process.pid) in sentence


def test_a_second_demo_on_the_same_port_is_told(house: House) -> None:
    sentence = refusal("demo", "--port", str(house.port), folder=house.folder)

    assert f"Port {house.port} is taken by another program" in sentence
    assert f"make demo PORT={house.port + 1}" in sentence


def test_sigterm_ends_everything_soon_even_with_a_stream_open(house: House) -> None:
    """The last one to use this house."""
    root = f"http://127.0.0.1:{house.port}"
    person = requests.Session()
    person.trust_env = False
    person.get(f"{root}/login/", timeout=60)
    typed = {"username": "viewer", "password": "viewer", "csrfmiddlewaretoken": person.cookies["drdash_csrf"]}
    assert person.post(f"{root}/login/", data=typed, timeout=60).url == f"{root}/"
    stream = person.get(f"{root}/events/", stream=True, timeout=60)
    assert stream.status_code == 200

    begun = time.monotonic()
    house.process.terminate()

    assert house.process.wait(120) == 0
    assert time.monotonic() - begun < max(15, house.waited), "no longer than it took to start, where all takes long"
    assert house.left() == {}
    assert house.said().endswith("Everything has ended.\n")


def test_up_refuses_the_demos_folder(tmp_path: Path) -> None:
    (tmp_path / ".demo").touch()
    sentence = refusal("up", "--port", str(free_port()), folder=tmp_path)

    assert "holds the demo's data, with passwords that everyone knows" in sentence


def test_up_starts_without_a_cloud_and_says_what_to_do_next(start: Callable[..., House]) -> None:
    port = free_port()
    house = start(sys.executable, "manage.py", "up", "--port", str(port))
    house.wait_for("It watches nothing yet")

    house.process.send_signal(signal.SIGINT)

    assert house.process.wait(120) == 0
    assert f"drdash is up at http://127.0.0.1:{port}/" in house.said()
    assert house.left() == {}


def test_a_taken_port_is_said_before_anything_is_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sentence = refusal("up", "--port", str(port), folder=tmp_path)

    assert f"Port {port} is taken by another program" in sentence
    assert processes_of(tmp_path) == {}
    assert not (tmp_path / "logs").exists()


def test_nothing_is_left_after_kill_9(start: Callable[..., House]) -> None:
    house = start()
    house.wait_for("Waiting for the first data")
    wait_until(lambda: all(program(house, name) for name in PROGRAMS), "all of them run")

    house.process.kill()
    house.process.wait(60)

    wait_until(lambda: house.left() == {}, "nothing is left")
    # A process gives its memory back, and so leaves the list, a moment before its sockets.
    wait_until(lambda: not listening(house.port), "nobody listens")


def test_the_demo_ends_when_the_make_that_started_it_is_killed(start: Callable[..., House], tmp_path: Path) -> None:
    recipe = tmp_path / "Makefile"
    recipe.write_text(f"demo:\n\t@{sys.executable} manage.py demo --port {free_port()}\n")
    house = start("make", "-f", str(recipe))
    house.wait_for("Starting the simulated cloud")

    house.process.kill()
    house.process.wait(60)

    wait_until(lambda: house.left() == {}, "nothing is left")


def test_a_new_world_begins_without_the_open_actions_of_the_last(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    simulator.fail("504", method="POST", path=":start_failover_test", after_effect=True)
    lost, _ = request(user=bob, tenant=tenant, server=server, wish=Wish(kind=Kind.START_TEST, key="k"))
    assert lost.state == State.UNKNOWN
    demo = Command()
    demo.cloud_port, demo.secret = int(simulator.url.rpartition(":")[2]), simulator.client_secret
    demo.make_data()
    lost.refresh_from_db()
    assert (lost.state, lost.error) == (State.CLOSED, "The simulated cloud began anew.")
    again, _ = request(user=bob, tenant=tenant, server=server, wish=Wish(kind=Kind.STOP, key="l"))
    assert "OurStartUnknown" not in {reason["code"] for reason in again.reasons}


def test_another_simulated_cloud_that_was_connected_stays_where_it_is(simulator: Simulator, tenant: Tenant) -> None:
    other = Credential.objects.create(
        name="A partner", cloud="http://127.0.0.1:9", client_id="drdash-partner", is_simulator=True
    )
    Tenant.objects.create(name="A customer", credential=other)  # before the demo's own, by name
    demo = Command()
    demo.cloud_port, demo.secret = int(simulator.url.rpartition(":")[2]), simulator.client_secret
    demo.make_data()
    other.refresh_from_db()
    assert other.cloud == "http://127.0.0.1:9"
