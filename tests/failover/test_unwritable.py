"""A database that cannot be written: every action is refused in words, nothing is sent, and pages still show."""

import json
import re
import resource
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import timedelta

import pytest
import redis
import requests
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client, RequestFactory
from django.utils import timezone

from drdash.cloud.records import Server
from drdash.estate.plans import plans
from drdash.failover import following
from drdash.failover.models import Action, State
from drdash.simulator.simulation import Simulator
from drdash.tasks import tick
from drdash.tenants.models import Tenant
from drdash.web.broken import broken
from tests.sizes import TORTURE, cases, tell
from tests.tracking import found
from tests.web.asking import Program
from tests.web.opening import opened
from tests.webs import Caller, Web, Webs, wait_until

SAID = "Nothing was sent: the database cannot be written"
# How long a file may be where the disk is full. SQLite's shared memory is as long: cut short, it would end under those
# who have mapped it, the test's own process too. The database and its write-ahead log are longer.
FULL = 32 * 1024
Trouble = Callable[[], AbstractContextManager[None]]


@contextmanager
def read_only() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA query_only = ON")
    yield
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA query_only = OFF")


@contextmanager
def locked() -> Iterator[None]:
    """Another program writes, and does not end."""
    other = sqlite3.connect(str(connection.settings_dict["NAME"]), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 5")
    yield
    other.close()
    connection.close()


@contextmanager
def full(web: Web) -> Iterator[None]:
    """The disk is full for this process."""
    with closing(sqlite3.connect(str(connection.settings_dict["NAME"]), isolation_level=None)) as reader:
        # While somebody reads what was there before it, the write-ahead log only grows.
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM django_session").fetchone()
        Session.objects.create(session_key="long", session_data="x" * 4 * FULL, expire_date=timezone.now())
        resource.prlimit(web.pid, resource.RLIMIT_FSIZE, (FULL, resource.RLIM_INFINITY))
        yield
        if web.condition:
            resource.prlimit(web.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@pytest.mark.parametrize("trouble", [read_only, locked])
def test_every_action_is_refused_by_page_and_by_json(
    trouble: Trouble, simulator: Simulator, server: Server, alice: User
) -> None:
    test, production = opened(alice, server), opened(alice, server, "start_failover_prod")
    program = Program(alice)
    for client in (test.client, production.client, program._client):
        client.raise_request_exception = False
    refused = 0
    with trouble():
        for number in range(times := cases(18, full=300)):
            match number % 3:
                case 0:
                    status, told, headers = test.send()
                    assert headers["X-Dialog"] == "1"
                case 1:
                    status, told, headers = production.send(confirm=server.name)
                case _:
                    kind = ("start_failover_test", "start_failover_prod", "stop_failover")[number % 9 // 3]
                    answer = program.act(server.uuid, kind, confirm=server.name)
                    status, told = answer.status_code, json.loads(answer.content)["detail"]
            refused += status == 503 and SAID in told
    assert refused == times
    assert (Action.objects.count(), simulator.posts) == (0, [])
    assert test.send()[0] == 200
    assert len(simulator.posts) == 1


def test_what_is_known_is_shown_and_what_needs_writing_says_why_not(server: Server, alice: User) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(alice)
    guest = Client(raise_request_exception=False)
    with read_only():
        for path in ("/", "/servers/", f"/servers/{server.uuid}/", "/actions/", "/audit/", "/api/v1/servers/"):
            assert client.get(path).status_code == 200, path
        answer = guest.post("/login/", {"username": "alice", "password": "alice"})
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert "The database cannot be used" in answer.content.decode()
    assert guest.post("/login/", {"username": "alice", "password": "alice"}).status_code == 302


@pytest.fixture
def overdue(server: Server, tenant: Tenant, bob: User) -> Action:
    """An action whose time is over, which nobody has written down yet."""
    return Action.objects.create(
        tenant=tenant,
        user=bob,
        cloud="https://cloud.example",
        server_uuid=server.key,
        server_name=server.name,
        kind="start_failover_test",
        production=False,
        idempotency_key="k",
        content="c",
        state=State.REQUESTED,
        requested_at="2026-01-01T00:00:00Z",
    )


def test_an_action_that_is_over_by_time_keeps_no_page_from_showing(overdue: Action, bob: User) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(bob)
    with read_only():
        assert client.get("/servers/").status_code == 200
    assert client.get("/servers/").status_code == 200
    overdue.refresh_from_db()
    assert overdue.state == State.EXPIRED


def test_an_action_that_is_over_by_time_keeps_no_pass_from_being_handed_out(overdue: Action, redis_url: str) -> None:
    plans().plan([overdue.tenant_id], timezone.now() - timedelta(seconds=1), now=timezone.now())
    with read_only():
        # The tick closes the connection that is read-only: nothing is written by it before.
        tick()
    with redis.Redis.from_url(redis_url) as broker:
        assert broker.llen("drdash") == 1


def test_a_mistake_of_ours_is_json_to_a_program_and_a_page_to_a_person() -> None:
    told = []
    for path in ("/api/v1/servers/", "/servers/"):
        try:
            raise ZeroDivisionError
        except ZeroDivisionError:
            told.append(broken(RequestFactory().get(path)))
    assert [answer.status_code for answer in told] == [500, 500]
    assert json.loads(told[0].content)["detail"].startswith("The program made a mistake")
    assert b"Something broke here." in told[1].content


def asked(caller: Caller, web: Web, server: Server) -> tuple[threading.Thread, list[requests.Response | None]]:
    """Have an action asked for; the answer is in the list when the thread has ended."""
    answers: list[requests.Response | None] = []
    asking = threading.Thread(target=lambda: answers.append(caller.act(web, server.uuid)), daemon=True)
    asking.start()
    return asking, answers


def test_a_disk_that_is_full_from_the_start_sends_nothing(
    webs: Webs, simulator: Simulator, server: Server, tenant: Tenant, alice: User
) -> None:
    caller, web = Caller(alice, tenant), webs.start()
    assert caller.get(web, "servers/").status_code == 200
    with full(web):
        for _ in range(cases(3, full=300)):
            answer = caller.act(web, server.uuid)
            assert answer is not None
            assert (answer.status_code, answer.json()["detail"][: len(SAID)]) == (503, SAID)
        assert caller.get(web, "servers/").status_code == 200
        assert requests.get(f"{web.url}/login/", timeout=10).status_code == 200
    assert simulator.posts == []
    answer = caller.act(web, server.uuid)
    assert answer is not None
    assert answer.status_code == 201


@pytest.mark.skipif(not TORTURE, reason="it takes as long as SQLite waits for a lock: see make torture")
def test_a_process_that_is_stopped_while_it_writes_stops_no_page_and_no_action_is_sent(
    webs: Webs, simulator: Simulator, server: Server, tenant: Tenant, alice: User
) -> None:
    caller = Caller(alice, tenant)
    stopped = webs.start("call drdash/failover/record.py _audit", signal=signal.SIGSTOP)
    asking, answers = asked(caller, stopped, server)
    wait_until(lambda: stopped.condition == "T", "it holds the database's lock")
    web = webs.start()
    begun = time.monotonic()
    assert caller.get(web, "servers/").ok
    assert time.monotonic() - begun < 5
    refused = caller.act(web, server.uuid)
    assert refused is not None
    assert (refused.status_code, SAID in refused.json()["detail"]) == (503, True)
    tell(f"refused after {time.monotonic() - begun:.0f} s")
    assert simulator.posts == []
    stopped.signal(signal.SIGCONT)
    asking.join(30)
    assert answers[0] is not None
    assert answers[0].json()["state"] == "accepted"
    assert len(simulator.posts) == 1


def test_a_disk_that_is_full_before_the_claim_sends_nothing(
    webs: Webs, simulator: Simulator, server: Server, tenant: Tenant, alice: User
) -> None:
    web = webs.start("call drdash/failover/claiming.py claim", signal=signal.SIGSTOP)
    asking, answers = asked(Caller(alice, tenant), web, server)
    wait_until(lambda: web.condition == "T", "it is about to be claimed")
    with full(web):
        web.signal(signal.SIGCONT)
        asking.join(30)
        assert answers[0] is not None
        assert (answers[0].status_code, SAID in answers[0].json()["detail"]) == (503, True)
        assert simulator.posts == []
        assert Action.objects.get().state == State.REQUESTED  # until its time is over


def test_an_outcome_that_cannot_be_written_is_in_the_log_and_unknown_later(
    webs: Webs, simulator: Simulator, server: Server, tenant: Tenant, alice: User
) -> None:
    web = webs.start("call drdash/failover/outcomes.py settle", signal=signal.SIGSTOP)
    caller = Caller(alice, tenant)
    asking, answers = asked(caller, web, server)
    wait_until(lambda: web.condition == "T", "the answer is there")
    with full(web):
        web.signal(signal.SIGCONT)
        asking.join(30)
        assert answers[0] is not None
        assert (answers[0].status_code, answers[0].json()["state"]) == (201, "sending")
        task = simulator.world.servers[server.key].task
        assert task is not None
        action = Action.objects.get()
        log = web.log.read_text()
        written = re.search(rf"ERROR drdash\.failover\.outcomes What came of action {action.pk} .*", log)
        assert written is not None
        assert task.uuid in written[0]
        assert "202" in written[0]
        assert found(log.encode(), [simulator.client_secret]) == []
        following.sweep(timezone.now() + timedelta(seconds=following.SEND_SECONDS + 1))
        assert caller.get(web, "actions/").json()["results"][0]["state"] == "unknown"
        assert len(simulator.posts) == 1
