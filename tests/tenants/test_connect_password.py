"""Connecting with a user's password: checked at the cloud, sealed, and every way to be wrong has its own sentence."""

import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from drdash.cloud.account import Grant
from drdash.estate.clients import reader
from drdash.simulator.simulation import Simulator
from drdash.tenants.accounts import account_of
from drdash.tenants.connect import Refusal, connect, grant_called
from drdash.tenants.models import Credential, Tenant
from tests.canaries import CANARIES

ROOT = Path(__file__).resolve().parents[2]
NOTHING = '{"items": [], "paging": {"count": 0, "total": 0}}'


def connected(simulator: Simulator, **changed: Any) -> Tenant:
    usual = {
        "by": None,
        "name": "Customer",
        "cloud": simulator.url,
        "grant": Grant.PASSWORD,
        "username": simulator.username,
        "password": simulator.password,
    }
    return connect(**{**usual, **changed}).tenant


def client(simulator: Simulator) -> dict[str, str]:
    return {"client_id": simulator.client_id, "client_secret": simulator.client_secret}


def test_the_password_is_sealed_and_read_with(fresh_process: None, simulator: Simulator) -> None:
    tenant = connected(simulator)
    credential = Credential.objects.get()
    assert (credential.grant, credential.username, credential.client_id) == ("password", simulator.username, "")
    assert credential.sealed_secret == ""
    assert simulator.password not in credential.sealed_password
    account = account_of(credential)
    assert (account.grant, account.password, account.client_secret) == (Grant.PASSWORD, simulator.password, "")
    assert reader(tenant).sites().items


def test_a_client_may_stand_beside_the_user(fresh_process: None, simulator: Simulator) -> None:
    simulator.issuer.demands_client = True
    tenant = connected(simulator, **client(simulator))
    account = account_of(tenant.credential)
    assert (account.client_secret, account.password) == (simulator.client_secret, simulator.password)
    assert reader(tenant).sites().items


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"password": "wrong"}, "username or the password is wrong"),
        ({"username": "nobody"}, "username or the password is wrong"),
        ({"client_id": "nobody", "client_secret": "wrong"}, "client id or its secret is wrong"),
        ({"client_id": "somebody"}, "client secret is empty"),
        ({"username": ""}, "needs a username"),
        ({"password": ""}, "needs a username and its password"),
        ({"password": "p\udcff"}, "not UTF-8"),
        ({"grant": Grant.CLIENT_CREDENTIALS}, "needs an API client's id"),
        ({"cloud": "http://127.0.0.1:1"}, "no connection to 127.0.0.1:1: it refuses connections"),
        ({"cloud": "http://cloud.example.com"}, "use https"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_stored(
    fresh_process: None, simulator: Simulator, changed: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(Refusal, match=sentence):
        connected(simulator, **changed)
    assert (Tenant.objects.count(), Credential.objects.count()) == (0, 0)


def test_a_second_factor_and_what_is_no_cloud_have_their_sentences(fresh_process: None, simulator: Simulator) -> None:
    simulator.issuer.second_factor = True
    with pytest.raises(Refusal, match=r"TOTP.* two-factor sign-in: make an API client"):
        connected(simulator)
    simulator.issuer.second_factor = False
    simulator.issuer.demands_client = True
    with pytest.raises(Refusal, match="wants an API client beside the user"):
        connected(simulator)
    simulator.fail("html", path="/idp/token")
    with pytest.raises(Refusal, match="not a DR cloud"):
        connected(simulator)
    assert Credential.objects.count() == 0


def test_where_no_uuid_tells_the_user_tells(fresh_process: None, simulator: Simulator) -> None:
    simulator.fail("answer", path="/sites", body=NOTHING, times=7)
    assert connected(simulator).uuid == ""
    for changed in ({}, {"username": "DRDASH-user"}, client(simulator)):
        simulator.issuer.username = changed.get("username", "drdash-user")
        with pytest.raises(Refusal, match='"Customer"'):
            connected(simulator, name="The same again", **changed)
    simulator.issuer.username = "another"
    connected(simulator, name="Another user", **client(simulator))
    connected(simulator, name="By a client", grant=Grant.CLIENT_CREDENTIALS, username="", **client(simulator))
    simulator.issuer.client_id = "another-client"
    connected(simulator, name="Another client", grant=Grant.CLIENT_CREDENTIALS, username="", **client(simulator))
    assert Tenant.objects.count() == 4


def test_two_ways_to_one_tenant_are_one_too_many(fresh_process: None, simulator: Simulator) -> None:
    connected(simulator)
    with pytest.raises(Refusal, match='"Customer"'):
        connected(simulator, name="By a client", grant=Grant.CLIENT_CREDENTIALS, username="", **client(simulator))


# The command


@pytest.mark.parametrize("name", ["implicit", "", "Password"])
def test_an_unknown_grant_names_those_that_exist(name: str) -> None:
    with pytest.raises(Refusal, match="give client_credentials"):
        grant_called(name)
    with pytest.raises(CommandError, match="give client_credentials"):
        call_command("connect", "--name", "Customer", "--cloud", "https://cloud.example", "--grant", name)


def test_the_command_takes_the_password_from_the_environment(
    fresh_process: None, simulator: Simulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--name", "Customer", "--cloud", simulator.url, "--grant", "password", "--username", "drdash-user"]
    with pytest.raises(CommandError, match="Set DRDASH_PASSWORD"):
        call_command("connect", *arguments)
    with pytest.raises(CommandError, match="--password"):
        call_command("connect", *arguments, "--password", "x")
    monkeypatch.setenv("DRDASH_PASSWORD", simulator.password)
    with pytest.raises(CommandError, match="Set DRDASH_CLIENT_SECRET"):
        call_command("connect", *arguments, "--client-id", simulator.client_id)
    # Without a client id nobody asks for its secret.
    call_command("connect", *arguments)
    said = capsys.readouterr()
    assert 'Connected "Customer"' in said.out
    assert simulator.password not in said.out + said.err
    assert Credential.objects.get().username == simulator.username


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An installation of its own, at DEBUG, with an empty database."""
    environment = {
        **{name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
        "DRDASH_DATA_DIR": str(tmp_path),
        "DRDASH_LOG_LEVEL": "DEBUG",
    }
    command = [sys.executable, "manage.py", "migrate", "-v0"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=60, capture_output=True)
    return environment


def test_in_a_terminal_it_asks_and_shows_nothing_of_the_answer(
    home: dict[str, str], simulator: Simulator, tmp_path: Path
) -> None:
    arguments = ["--name", "Customer", "--cloud", simulator.url, "--grant", "password", "--username", "drdash-user"]
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "connect", *arguments],
        cwd=ROOT, env=home, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    said = b""
    with os.fdopen(ours, "rb+", buffering=0) as terminal:
        while not said.endswith(b"Password: "):
            said += terminal.read(1)
        command_line = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        terminal.write(simulator.password.encode() + b"\n")
        while b"sites, " not in said:
            said += terminal.read(1)
        process.wait(30)

    assert process.returncode == 0
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"drdash-user" in stored
    for canary in CANARIES:
        assert canary.encode() not in said + command_line + stored
