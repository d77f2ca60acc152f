"""Passes over a real simulator into a real Redis."""

import queue
import threading
from datetime import datetime, timedelta

import msgspec
import pytest
from django.utils import timezone

from drdash.cloud.records import Server
from drdash.estate import aside, clients, fresh, polling
from drdash.estate.plans import plans
from drdash.estate.store import store
from drdash.simulator.server import running
from drdash.simulator.simulation import Simulator
from drdash.tasks import poll, tick
from drdash.tenants.models import Tenant
from tests.stack import Poll, connected


def lists(simulator: Simulator) -> list[str]:
    """The listings that the simulator was asked for, with their queries."""
    return [f"{one.path.rpartition('/')[2]}?{one.query}" for one in simulator.requests if "/dr/v2/" in one.path]


def nobody_waits(_seconds: float) -> None:
    """A pause between two tries, for tests."""


def at_rest(simulator: Simulator, polled: Poll) -> None:
    """Nothing is busy any more."""
    for busy in polled().busy:
        simulator.force_server(busy.uuid, issues=[], task=None)
    assert polled().busy == []


def run(tenant: Tenant, *, later: float = 0.0, watched: tuple[str, ...] = ()) -> object:
    """One pass, as if so many seconds later."""
    moved = timedelta(seconds=later)
    return polling.run_pass(
        tenant.pk,
        clients.own.way(tenant),
        watched=watched,
        now=lambda: timezone.now() + moved,
        pause=nobody_waits,
        jitter=0.0,
    )


def test_a_pass_brings_every_server_and_site(simulator: Simulator, tenant: Tenant, polled: Poll) -> None:
    estate = polled()
    with simulator.lock:
        assert set(estate.servers) == {server.uuid.lower() for server in simulator.world.servers.values()}
    assert estate.health.error is None
    assert not estate.health.stale(timezone.now())
    assert all(b"backup_uri" not in seen.record.json for seen in estate.servers.values())


def test_the_references_own_examples_arrive_whole(fresh_process: None) -> None:
    with running("reference") as simulator:
        tenant = connected(simulator, "Reference")
        poll(tenant.pk)
        assert "servers?after=eyJSJdfQ" in lists(simulator)
    estate = store().load(tenant.pk)
    assert (len(estate.servers), len(estate.sites), estate.health.error) == (3, 3, None)
    busy = estate.servers["1f100401-357b-4d04-a0c0-d1206c947473"].record
    assert busy.task_uuids == {"5bc9464f-87b6-4ea8-aa42-050824135e63"}
    assert estate.site_of(busy) is None
    odd = estate.servers["565cf826-5332-4fd8-9109-2b81630e486d"].record
    assert odd.automated_test is not None
    assert odd.automated_test.recovery_point is not None
    assert odd.automated_test.recovery_point.archive_id == "AC16D9C3-2EA2-4280-A9CA-12576FFB22A"


def test_before_its_time_a_pass_asks_nothing(simulator: Simulator, tenant: Tenant, polled: Poll) -> None:
    at_rest(simulator, polled)
    before = len(simulator.requests)
    assert run(tenant) is None
    assert len(simulator.requests) == before


def test_between_two_passes_the_busy_servers_alone_are_read(
    simulator: Simulator, tenant: Tenant, server: Server, polled: Poll
) -> None:
    at_rest(simulator, polled)
    before = len(lists(simulator))
    with simulator.lock:
        simulator.world.start(server.uuid, production=False)
    run(tenant, later=3, watched=(server.key,))
    assert lists(simulator)[before:] == [f"servers?recovery.resource_id={server.resource_id}&limit=50"]
    known = store().load(tenant.pk)
    assert known.servers[server.key].record.busy
    run(tenant, later=6)  # busy by now, so nobody has to ask for it
    assert len(lists(simulator)) == before + 2


def test_while_a_task_runs_the_next_pass_is_two_seconds_away(
    simulator: Simulator, tenant: Tenant, server: Server, polled: Poll
) -> None:
    at_rest(simulator, polled)
    now = timezone.now()
    assert plans().due({tenant.pk: tenant.credential.changed_at}, now=now + timedelta(seconds=5)) == []
    with simulator.lock:
        simulator.world.start(server.uuid, production=False)
    run(tenant, later=2, watched=(server.key,))
    assert plans().due({tenant.pk: tenant.credential.changed_at}, now=now + timedelta(seconds=5)) == [tenant.pk]


@pytest.mark.parametrize("fault", ["500", "504", "reset", "html", "half_body", "redirect", "garbage"])
def test_a_failed_pass_keeps_the_last_good_data_and_says_why(
    simulator: Simulator, tenant: Tenant, polled: Poll, fault: str
) -> None:
    good = polled()
    simulator.fail(fault, method="GET", path="/sites", times=3)  # type: ignore[arg-type]
    bad = polled()
    simulator.clear_faults()
    assert bad.health.error
    assert (bad.servers, bad.sites, bad.health.as_of) == (good.servers, good.sites, good.health.as_of)
    healed = polled()
    assert (healed.health.error, healed.health.failing_since) == (None, None)


@pytest.mark.parametrize("fault", ["500", "502", "504", "reset", "half_body"])
def test_what_passes_by_itself_within_seconds_is_no_failed_pass(
    simulator: Simulator, tenant: Tenant, polled: Poll, fault: str
) -> None:
    waited: list[float] = []
    simulator.fail(fault, method="GET", path="/servers", times=2)  # type: ignore[arg-type]
    before = len(simulator.requests)
    later = timedelta(seconds=20)
    polling.run_pass(
        tenant.pk,
        clients.own.way(tenant),
        watched=(),
        now=lambda: timezone.now() + later,
        pause=waited.append,
        jitter=0.5,
    )
    assert store().load(tenant.pk).health.error is None
    assert waited == [1.5, 1.5]
    paths = [one.path.rpartition("/")[2] for one in simulator.requests[before:]]
    assert paths[:4] == ["sites", "servers", "servers", "servers"]


@pytest.mark.parametrize("fault", ["html", "429", "403", "garbage"])
def test_what_another_try_would_not_mend_is_tried_once(
    simulator: Simulator, tenant: Tenant, polled: Poll, fault: str
) -> None:
    simulator.fail(fault, method="GET", path="/sites")  # type: ignore[arg-type]
    before = len(simulator.requests)
    assert polled().health.error
    assert len(simulator.requests) == before + 1


def test_a_cloud_that_fails_is_logged_once_down_and_once_up(
    simulator: Simulator, tenant: Tenant, polled: Poll, caplog: pytest.LogCaptureFixture
) -> None:
    simulator.fail("500", method="GET", path="/servers", times=9)
    for _ in range(5):
        estate = polled()
    assert estate.health.error is None
    lines = [record.getMessage() for record in caplog.records if record.name == "drdash.estate.polling"]
    assert len([line for line in lines if "cannot be polled" in line]) == len(lines) - 1 >= 1


def test_a_429_is_waited_for_by_passes_and_fresh_reads_alike(
    simulator: Simulator, tenant: Tenant, polled: Poll, server: Server
) -> None:
    simulator.fail("429", method="GET", path="/servers", retry_after=60)
    held = polled()
    assert held.health.wait_until is not None
    assert 55 < (held.health.wait_until - timezone.now()).total_seconds() <= 60
    before = len(simulator.requests)
    aside.settle()
    polled()
    looked = fresh.read_fresh(clients.reader(tenant), server, now=timezone.now)
    assert "wait" in looked.problem
    assert len(simulator.requests) == before
    assert plans().due({tenant.pk: tenant.credential.changed_at}, now=timezone.now() + timedelta(seconds=50)) == []


def become_another_process() -> None:
    """Forget what this process was told of waits, as if another one went on."""
    aside.settle()
    clients.forget()


def test_a_429_of_a_fresh_read_holds_the_worker_back(
    simulator: Simulator, tenant: Tenant, polled: Poll, server: Server
) -> None:
    simulator.fail("429", method="GET", path="/servers", retry_after=60)
    assert fresh.read_fresh(clients.reader(tenant), server, now=timezone.now).problem
    become_another_process()
    before = len(simulator.requests)
    run(tenant, later=20)
    assert len(simulator.requests) == before


def test_a_429_of_the_worker_holds_back_a_fresh_read_of_another_process(
    simulator: Simulator, tenant: Tenant, polled: Poll, server: Server
) -> None:
    simulator.fail("429", method="GET", path="/servers", retry_after=60)
    polled()
    become_another_process()
    before = len(simulator.requests)
    assert "wait" in fresh.read_fresh(clients.reader(tenant), server, now=timezone.now).problem
    assert len(simulator.requests) == before


def test_a_list_that_is_cut_short_is_a_failed_pass(simulator: Simulator, tenant: Tenant, polled: Poll) -> None:
    good = polled()
    short = '{"items": [{"uuid": "one-alone"}], "paging": {"count": 1, "total": 2}}'
    simulator.fail("answer", method="GET", path="/servers", body=short)
    bad = polled()
    assert "counts 2 servers, but listed 1" in (bad.health.error or "")
    assert bad.servers == good.servers


def test_a_list_without_a_total_adds_and_deletes_nothing(simulator: Simulator, tenant: Tenant, polled: Poll) -> None:
    good = polled()
    simulator.fail("answer", method="GET", path="/servers", body='{"items": [{"uuid": "ANOTHER"}]}')
    estate = polled()
    assert set(estate.servers) == {*good.servers, "another"}
    assert estate.health.error is None


def test_a_server_that_left_the_cloud_is_missing_since(
    simulator: Simulator, tenant: Tenant, polled: Poll, server: Server
) -> None:
    simulator.force_server(server.uuid, delete=True)
    assert polled().servers[server.key].missing_since is not None


def test_a_fresh_read_finds_the_server_in_a_filter_that_is_ignored(
    simulator: Simulator, tenant: Tenant, server: Server
) -> None:
    nameless = msgspec.structs.replace(server, resource_id="not a resource id")
    looked = fresh.read_fresh(clients.reader(tenant), nameless, now=timezone.now)
    assert looked.server is not None
    assert looked.server.key == server.key
    assert lists(simulator)[-1].startswith(("servers?", f"{server.site_key}?"))


def test_a_fresh_read_tells_a_site_that_is_gone_from_one_that_did_not_answer(
    simulator: Simulator, tenant: Tenant, server: Server
) -> None:
    client = clients.reader(tenant)
    gone = msgspec.structs.replace(server, site_uuid="00000000-0000-0000-0000-000000000000")
    looked = fresh.read_fresh(client, gone, now=timezone.now)
    assert (looked.site, looked.site_unread) == (None, True)  # the server itself names another site by now
    simulator.fail("500", method="GET", path="/sites/")
    looked = fresh.read_fresh(client, server, now=timezone.now)
    assert (looked.site, looked.site_unread, looked.problem) == (None, True, "")


def test_a_tick_hands_out_each_tenant_once(tenant: Tenant, redis_url: str) -> None:
    tick()
    tick()
    assert store()._redis.llen("drdash") == 1


def test_a_credential_that_cannot_be_opened_is_a_failed_pass_with_a_reason(tenant: Tenant, polled: Poll) -> None:
    tenant.credential.sealed_secret = "forged"
    tenant.credential.save()
    assert "DRDASH_ENCRYPTION_KEYS" in (polled().health.error or "")


def test_a_clock_that_was_set_back_does_not_stop_the_polling(
    simulator: Simulator, tenant: Tenant, polled: Poll, server: Server
) -> None:
    run(tenant, later=7200)
    simulator.force_server(server.uuid, set={"name": "renamed"})
    assert run(tenant) is not None
    estate = store().load(tenant.pk)
    assert estate.servers[server.key].record.name == "renamed"
    assert not estate.health.stale(timezone.now())


def test_a_clock_that_was_set_forward_during_a_pass_does_not_make_its_data_last(
    simulator: Simulator, tenant: Tenant, polled: Poll
) -> None:
    moved = iter([timedelta(seconds=60)] * 3)

    def jumping() -> datetime:
        return timezone.now() + next(moved, timedelta(days=2))

    polling.run_pass(tenant.pk, clients.own.way(tenant), watched=(), now=jumping, pause=nobody_waits, jitter=0.0)
    assert store().load(tenant.pk).health.stale_after <= 2 * polling.PASS_SECONDS


def test_a_wait_that_an_action_was_told_is_counted_down_on_the_pages(
    simulator: Simulator, tenant: Tenant, polled: Poll
) -> None:
    clients.own.way(tenant).hold.note(300)
    run(tenant)
    told = store().load(tenant.pk).health
    assert told.wait_until is not None
    assert abs(told.wait_until - timezone.now() - timedelta(seconds=300)) < timedelta(seconds=2)
    assert told.error is None


def test_work_put_aside_goes_on_after_a_surprise(fresh_process: None, monkeypatch: pytest.MonkeyPatch) -> None:
    told: queue.SimpleQueue[object] = queue.SimpleQueue()
    done = threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda surprise: told.put(surprise.exc_type))

    def surprise() -> None:
        raise KeyError("unforeseen")

    aside.aside(surprise)
    aside.aside(done.set)
    assert done.wait(60)
    assert told.get(timeout=60) is KeyError
