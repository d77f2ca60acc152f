import os
import re
import signal
import socket
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from drdash.simulator.__main__ import SECRETS

COMMAND = [sys.executable, "-m", "drdash.simulator"]


@contextmanager
def started(*arguments: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command, and the address that its one line names."""
    with subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://[^\s]+", line)
        assert found, line
        yield process, found[0]
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_listens_and_ends_when_told(number: signal.Signals) -> None:
    with started("--port", "0") as (process, url):
        with urlopen(f"{url}/bc/login") as response:
            assert response.headers["Server"] == "drdash-simulator"
        process.send_signal(number)
        assert process.wait(60) == 0


def test_a_taken_port_is_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = subprocess.run([*COMMAND, "--port", str(port)], capture_output=True, text=True, timeout=30)
    assert found.returncode == 1
    assert found.stderr == f"Cannot listen on 127.0.0.1, port {port}: Address already in use.\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("", "the following arguments are required: --port"),
        ("--port http", "'http' is not a number from 0 to 65535"),
        ("--port 70000", "'70000' is not a number from 0 to 65535"),
        ("--port 1 --scenario nonsense", "invalid choice: 'nonsense'"),
        ("--port 1 --servers -3", "'-3' is not a number"),
        ("--port 1 --speed 0", "'0' is not a positive number"),
        ("--port 1 --speed nan", "'nan' is not a positive number"),
        ("--port 1 --scenario empty --servers 9", "--servers and --sites are for the scenarios customer and quiet"),
        ("--port 1 --customers 3", "--customers is for the scenario partner"),
        ("--port 1 --nonsense", "unrecognized arguments: --nonsense"),
    ],
)
def test_bad_arguments_are_a_sentence(arguments: str, sentence: str) -> None:
    found = subprocess.run([*COMMAND, *arguments.split()], capture_output=True, text=True, timeout=30)
    assert found.returncode == 2
    assert sentence in found.stderr.splitlines()[-1]


def test_the_secret_comes_from_the_environment() -> None:
    with started("--port", "0", "--client-id", "me", DRDASH_SIMULATOR_SECRET="canary") as (process, url):
        answer = subprocess.run(
            [sys.executable, "-c", ASK, url], capture_output=True, text=True, timeout=30, check=True
        ).stdout
        assert answer.split() == ["me:canary", "200", "me:simulated-secret", "401"]
        process.terminate()


def test_the_users_password_comes_from_the_environment_too() -> None:
    form = b"grant_type=password&username=ann&password=simulated-secret-x"
    with started("--port", "0", "--username", "ann", DRDASH_SIMULATOR_PASSWORD="simulated-secret-x") as (_, url):
        with urlopen(f"{url}/api/2/idp/token", form) as response:
            assert response.status == 200
    with started("--port", "0", "--username", "ann", "--second-factor") as (_, url):
        with pytest.raises(HTTPError, match="403"):
            urlopen(f"{url}/api/2/idp/token", b"grant_type=password&username=ann&password=simulated-secret-password")


def test_a_partners_secret_comes_from_the_environment_and_the_help_says_which() -> None:
    secret = {"DRDASH_SIMULATOR_PARTNER_SECRET": "simulated-secret-own"}
    with started("--port", "0", "--scenario", "partner", "--customers", "1", **secret) as (_, url):
        basic = b64encode(b"drdash-partner:simulated-secret-own").decode()
        request = Request(
            f"{url}/api/2/idp/token", b"grant_type=client_credentials", {"Authorization": f"Basic {basic}"}
        )
        with urlopen(request) as response:
            assert response.status == 200
    said = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, timeout=30).stdout
    for client, name in SECRETS.items():
        assert re.search(rf"^  {client} .*\n +\${name},", said, re.MULTILINE)


ASK = """
import base64, sys, urllib.request, urllib.error
for pair in ("me:canary", "me:simulated-secret"):
    basic = base64.b64encode(pair.encode()).decode()
    headers = {"Authorization": "Basic " + basic, "Content-Type": "application/x-www-form-urlencoded"}
    request = urllib.request.Request(sys.argv[1] + "/api/2/idp/token", b"grant_type=client_credentials", headers)
    try:
        print(pair, urllib.request.urlopen(request).status)
    except urllib.error.HTTPError as error:
        print(pair, error.code)
"""
