"""The shelf in the database: sealed, shared by processes, claimed by one of them at a time."""

import subprocess
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from django.db import connection, connections
from django.utils import timezone

from drdash import senders
from drdash.clock import boot_seconds
from drdash.cloud.client import Client
from drdash.cloud.oauth import ShelfAway, Token
from drdash.simulator.simulation import Simulator
from drdash.tenants.accounts import account_of, shelf_of
from drdash.tenants.models import Credential, KeptToken, Tenant
from drdash.tenants.shelf import LEASE, DatabaseShelf
from tests.canaries import CANARIES

TOKEN = Token("canary-token-one", 1000.0, refresh="canary-token-refresh", scopes=("a::b",))
NEWER = Token("canary-token-two", 2000.0, refresh="canary-token-refresh-two")


@pytest.fixture
def credential(transactional_db: None) -> Credential:
    return Credential.objects.create(name="Customer", cloud="https://cloud.example", client_id="one")


def in_another_thread(what: Callable[[], object]) -> None:
    """As another process would: with a connection to the database of its own."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            what()
        except BaseException as error:  # noqa: BLE001  told to the test below
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    if failed:
        raise failed[0]


def test_what_one_process_keeps_another_reads(credential: Credential) -> None:
    shelf_of(credential).keep("", TOKEN)
    shelf_of(credential).keep("customer", NEWER)

    def read() -> None:
        assert shelf_of(credential).read("") == TOKEN
        assert shelf_of(credential).read("customer") == NEWER
        assert shelf_of(credential).read("nobody") is None

    in_another_thread(read)


def test_a_token_is_sealed_with_what_renews_it(credential: Credential) -> None:
    shelf_of(credential).keep("", TOKEN)
    row = KeptToken.objects.get()
    for canary in CANARIES:
        assert canary not in repr(vars(row)) + str(row)
    database = Path(connection.settings_dict["NAME"])
    # By another process: whoever closes a file of SQLite's loses all locks of its process, and others take it for gone.
    stored = subprocess.run(["cat", *database.parent.glob(f"{database.name}*")], check=True, capture_output=True).stdout
    assert b"one_token_per_tenant" in stored
    assert b"canary-token" not in stored


def test_only_the_token_that_was_refused_is_forgotten_and_what_renews_it_stays(credential: Credential) -> None:
    shelf = shelf_of(credential)
    shelf.keep("", NEWER)
    shelf.forget("", TOKEN)
    assert shelf.read("") == NEWER
    shelf.forget("", NEWER)
    assert shelf.read("") == msgspec.structs.replace(NEWER, text="")


def test_one_process_renews_at_a_time_and_each_tenant_by_itself(credential: Credential) -> None:
    shelf = shelf_of(credential)
    with shelf.renewing("") as ours, shelf_of(credential).renewing("customer") as another:
        assert (ours, another) == (True, True)

        def also() -> None:
            with shelf_of(credential).renewing("") as mine:
                assert not mine
            # Who did not have the claim does not end it.
            with shelf_of(credential).renewing("") as mine:
                assert not mine

        in_another_thread(also)
    with shelf_of(credential).renewing("") as ours:
        assert ours


def test_a_renewer_that_was_killed_keeps_the_others_waiting_for_its_lease_alone(credential: Credential) -> None:
    clock = [timezone.now()]
    killed, other = (DatabaseShelf(credential, now=lambda: clock[0]) for _ in range(2))
    claim = killed.renewing("")
    assert claim.__enter__()
    clock[0] += LEASE - timedelta(seconds=1)
    with other.renewing("") as ours:
        assert not ours
    clock[0] += timedelta(seconds=1)
    with other.renewing("") as ours:
        assert ours


def test_nobody_waits_for_a_renewer_that_is_proven_gone(credential: Credential) -> None:
    with shelf_of(credential).renewing("") as ours:
        assert ours
        # A process of this host that has ended: no process was ever 2**22 + 1.
        dead = senders.me().rsplit(" ", 2)[0] + " 4194305 1 claim"
        KeptToken.objects.update(claimed_by=dead)
        with shelf_of(credential).renewing("") as others:
            assert others
            with shelf_of(credential).renewing("") as third:
                assert not third


def test_who_comes_back_after_its_lease_does_not_end_the_claim_of_another(credential: Credential) -> None:
    clock = [timezone.now()]
    late, other = (DatabaseShelf(credential, now=lambda: clock[0]) for _ in range(2))
    with late.renewing("") as first:
        assert first
        clock[0] += LEASE
        second = other.renewing("")
        assert second.__enter__()
    with DatabaseShelf(credential, now=lambda: clock[0]).renewing("") as third:
        assert not third


def test_of_a_credential_that_was_replaced_no_token_comes_back(credential: Credential) -> None:
    old = shelf_of(credential)
    old.keep("", TOKEN)
    credential.save()
    KeptToken.objects.all().delete()
    old.keep("", TOKEN)
    assert old.read("") is None
    with old.renewing("") as ours:
        assert ours
    assert KeptToken.objects.count() == 0
    new = shelf_of(credential)
    new.keep("", NEWER)
    old.forget("", NEWER)
    assert (old.read(""), new.read("")) == (None, NEWER)


def test_what_no_key_opens_is_as_good_as_nothing(credential: Credential) -> None:
    KeptToken.objects.create(credential=credential, sealed="forged")
    shelf = shelf_of(credential)
    assert shelf.read("") is None
    shelf.forget("", TOKEN)
    shelf.keep("", TOKEN)
    assert shelf.read("") == TOKEN


def test_a_database_that_cannot_be_used_is_a_shelf_that_is_away(credential: Credential) -> None:
    shelf = shelf_of(credential)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE tenants_kepttoken RENAME TO elsewhere")
    try:
        for wish in (
            lambda: shelf.read(""),
            lambda: shelf.keep("", TOKEN),
            lambda: shelf.forget("", TOKEN),
            lambda: shelf.renewing("").__enter__(),
        ):
            with pytest.raises(ShelfAway) as caught:
                wish()
            assert "canary" not in str(caught.value)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE elsewhere RENAME TO tenants_kepttoken")


def test_a_thread_that_had_no_connection_to_the_database_has_none_afterwards(credential: Credential) -> None:
    def use() -> None:
        shelf_of(credential).keep("", TOKEN)
        assert connections["default"].connection is None

    in_another_thread(use)
    shelf_of(credential).read("")
    assert connection.connection is not None


# With clients


def client(tenant: Tenant, now: Callable[[], float] = time.time) -> Client:
    credential = tenant.credential
    return Client(account_of(credential, tenant), now=now, monotonic=boot_seconds, shelf=shelf_of(credential))


def token_requests(simulator: Simulator) -> int:
    return sum(one.path == "/api/2/idp/token" for one in simulator.requests)


def test_two_processes_that_need_a_token_at_once_ask_for_one(tenant: Tenant, simulator: Simulator) -> None:
    KeptToken.objects.all().delete()
    simulator.forget_requests()
    both, met = [client(tenant), client(tenant)], threading.Barrier(2, timeout=20)
    sites: list[int] = []

    def read(one: Client) -> None:
        met.wait()
        sites.append(len(one.sites().items))

    threads = [threading.Thread(target=read, args=(one,)) for one in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(sites) == 2
    assert token_requests(simulator) == 1
    assert KeptToken.objects.get().claimed_by == ""


def test_a_process_that_starts_anew_goes_on_with_the_token_that_is_kept(tenant: Tenant, simulator: Simulator) -> None:
    client(tenant).sites()
    simulator.forget_requests()
    client(tenant).sites()
    assert token_requests(simulator) == 0
    client(tenant, now=lambda: time.time() + 7190).sites()
    assert token_requests(simulator) == 1


def test_while_the_database_is_away_a_process_gets_a_token_of_its_own(tenant: Tenant, simulator: Simulator) -> None:
    one = client(tenant)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE tenants_kepttoken RENAME TO elsewhere")
    try:
        assert one.sites().items
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE elsewhere RENAME TO tenants_kepttoken")
