"""What is late, held back or too much: nothing is sent on old ground, and nothing that came is lost."""

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import msgspec
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone

from drdash.audit.models import Entry
from drdash.clock import boot_seconds
from drdash.cloud.records import Server
from drdash.cloud.sessions import origin
from drdash.cloud.words import ServerStatus
from drdash.estate import aside, clients
from drdash.estate.store import store
from drdash.failover import following
from drdash.failover.actions import AT_ONCE, Invalid, TooMany, Wish, _looks, _slots, preview, request
from drdash.failover.guard import Kind
from drdash.failover.models import Action, State
from drdash.failover.reasons import Mark
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import KeptToken, Membership, Tenant
from drdash.tenants.roles import Role
from tests.failover.clicks import codes
from tests.stack import Poll

POST = ":start_failover_test"


def wish() -> Wish:
    return Wish(kind=Kind.START_TEST, key=uuid4().hex)


def looks(*times: float) -> Callable[[], float]:
    """A clock that shows these times, one a look: as the request begins, before and after its fresh read, then in the
    last word twice, and once after the claim."""
    return iter(map(float, times)).__next__


def test_an_answer_that_came_too_late_is_kept_for_the_person_who_closes_it(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    earlier, _ = request(user=bob, tenant=tenant, server=server, wish=Wish(kind=Kind.STOP, key="refused"))
    simulator.fail("hang", method="POST", path=POST)

    def click() -> None:
        try:
            request(user=bob, tenant=tenant, server=server, wish=wish())
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as other:
        clicked = other.submit(click)
        assert simulator.arrived(method="POST", path=POST)
        following.sweep(timezone.now() + timedelta(seconds=following.SEND_SECONDS + 1))
        simulator.release()
        clicked.result()
    action = Action.objects.exclude(pk=earlier.pk).get()
    assert (action.state, action.status) == (State.UNKNOWN, 202)
    earlier.refresh_from_db()
    assert (earlier.status, earlier.reply, earlier.answered_at) == (None, "", None)
    assert action.task_uuid in action.reply
    assert action.task_uuid
    assert [entry.verb.partition(" ")[2] for entry in Entry.objects.filter(action=action.pk).order_by("id")] == [
        "Requested",
        "Sending",
        "Unknown",
        "answered late",
    ]


def test_a_claim_that_took_too_long_sends_nothing(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    # The last look of all: the database was slow to commit the claim, or the host slept.
    action, _ = request(user=bob, tenant=tenant, server=server, wish=wish(), clock=looks(0, 0, 1, 1, 1, 5.5))
    assert (action.state, simulator.posts) == (State.NOT_SENT, [])
    assert action.finished_at is not None
    assert "The claim took so long" in action.error


def test_a_fresh_read_that_took_too_long_sends_nothing(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    action, _ = request(user=bob, tenant=tenant, server=server, wish=wish(), clock=looks(0, 0, 5.5))
    assert (action.state, codes(action), simulator.posts) == (State.REFUSED, {"ReadFailed"}, [])


def test_a_connection_that_took_too_long_after_the_read_sends_nothing(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    action, _ = request(user=bob, tenant=tenant, server=server, wish=wish(), clock=looks(0, 0, 1, 1, 5.5))
    assert (action.state, codes(action), simulator.posts) == (State.REFUSED, {"ReadFailed"}, [])
    assert action.sent_at is None


def test_a_sender_that_was_paused_past_the_time_of_its_request_sends_nothing(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    action, _ = request(user=bob, tenant=tenant, server=server, wish=wish(), clock=looks(0, 0, 1, 31))
    assert (action.state, action.sent_at, simulator.posts) == (State.EXPIRED, None, [])


def test_what_was_asked_for_too_long_ago_is_recorded_and_never_sent(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    asked = boot_seconds() - following.REQUEST_SECONDS - 1
    action, _ = request(user=bob, tenant=tenant, server=server, wish=wish(), asked=asked)
    assert (action.state, action.sent_at, simulator.posts) == (State.EXPIRED, None, [])


def test_without_a_connection_nothing_was_claimed_and_it_was_not_sent(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    client, count = clients.actor(tenant), iter(range(6))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"

    def clock() -> float:
        if next(count) == 2:  # after the read, the cloud's machine goes down
            client.account = msgspec.structs.replace(client.account, cloud=nobody)
            client._base = f"{origin(client.account)}/api/dr/v2"
        return 0.0

    action, _ = request(user=bob, tenant=tenant, server=server, wish=wish(), clock=clock)
    assert (action.state, action.sent_at, action.status) == (State.NOT_SENT, None, None)
    assert "There is no connection" in action.error
    assert action.finished_at is not None


def test_a_token_that_cannot_be_had_after_the_read_is_asked_for_before_the_claim(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    # Just granted, and over while the site is read: the token is due again when the guard has spoken.
    client = clients.actor(tenant)
    simulator.fail("hang", method="GET", path="/sites/")
    with ThreadPoolExecutor(1) as other:
        clicked = other.submit(in_a_thread, bob, tenant, server)
        assert simulator.arrived(method="GET", path=f"/sites/{server.site_uuid}")
        tokens = client._tokens
        tokens._known[""] = over = msgspec.structs.replace(tokens._known[""], renew_at=0.0)
        tokens._shelf.keep("", over)
        simulator.fail("500", path="/idp/token")
        simulator.release()
        action = clicked.result()
    assert (action.state, codes(action), simulator.posts) == (State.REFUSED, {"ReadFailed"}, [])


def test_a_right_that_ended_while_the_cloud_was_read_stops_the_action(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    simulator.forget_requests()
    simulator.fail("hang", method="GET", path="/servers")
    with ThreadPoolExecutor(1) as other:
        clicked = other.submit(in_a_thread, bob, tenant, server)
        assert simulator.arrived(method="GET", path=f"/sites/{server.site_uuid}")
        assert simulator.arrived(method="GET", path="/servers")
        Membership.objects.filter(user=bob).update(role=Role.VIEWER)
        simulator.release()
        action = clicked.result()
    assert (action.state, codes(action), simulator.posts) == (State.REFUSED, {"RoleViewer"}, [])


@pytest.mark.parametrize(
    ("change", "code"), [({"armed": False}, "WatchOnly"), ({"paused": True}, "TenantPaused"), ({"enabled": False}, "")]
)
def test_a_tenant_that_was_disarmed_while_the_cloud_was_read_sends_nothing(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server, change: dict[str, bool], code: str
) -> None:
    simulator.forget_requests()
    simulator.fail("hang", method="GET", path="/servers")
    with ThreadPoolExecutor(1) as other:
        clicked = other.submit(in_a_thread, bob, tenant, server)
        assert simulator.arrived(method="GET", path=f"/sites/{server.site_uuid}")
        assert simulator.arrived(method="GET", path="/servers")
        Tenant.objects.filter(pk=tenant.pk).update(**change)
        simulator.release()
        if code:
            action = clicked.result()
            assert (action.state, codes(action)) == (State.REFUSED, {code})
        else:
            with pytest.raises(Invalid):
                clicked.result()
            assert (Action.objects.get().state, codes(Action.objects.get())) == (State.REFUSED, {"Changed"})
    assert simulator.posts == []


@pytest.mark.parametrize("look", [1, 3, 4])  # at the clock: before the read is judged, and in the last word
def test_whoever_is_locked_out_under_way_sends_nothing_and_the_row_says_so(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server, look: int
) -> None:
    count = iter(range(10))

    def clock() -> float:
        if next(count) == look:
            User.objects.filter(pk=bob.pk).update(is_active=False)
        return 0.0

    with pytest.raises(Invalid):
        request(user=bob, tenant=tenant, server=server, wish=wish(), clock=clock)
    action = Action.objects.get()
    assert (action.state, codes(action), simulator.posts) == (State.REFUSED, {"Changed"}, [])
    assert "no access" in action.error


def test_what_was_certainly_not_sent_is_told_even_when_time_has_made_it_unknown(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    count = iter(range(10))

    def clock() -> float:
        if next(count) == 5:  # after the claim: paused, and given up for lost
            following.sweep(timezone.now() + timedelta(seconds=following.SEND_SECONDS + 1))
            return 80.0
        return 0.0

    action, _ = request(user=bob, tenant=tenant, server=server, wish=wish(), clock=clock)
    assert (action.state, simulator.posts) == (State.UNKNOWN, [])
    last = Entry.objects.filter(action=action.pk).order_by("number").last()
    assert last is not None
    assert (last.verb.partition(" ")[2], "not sent" in last.detail) == ("told late", True)
    assert ("not sent" in action.error, action.answered_at) == (True, None)


def test_a_viewers_dialog_asks_the_cloud_nothing_and_takes_nobodys_place(
    simulator: Simulator, tenant: Tenant, victor: User, server: Server
) -> None:
    before = len(simulator.requests)
    looked = preview(user=victor, tenant=tenant, server=server, kind=Kind.START_TEST)
    assert "RoleViewer" in {reason.code for reason in looked.verdict.reasons}
    assert len(simulator.requests) == before


@pytest.mark.parametrize("change", [{"armed": False}, {"paused": True}])
@pytest.mark.parametrize("look", [3, 4])  # at the clock, after the guard was told of the rights
def test_a_tenant_that_was_disarmed_after_the_read_sends_nothing_either(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server, change: dict[str, bool], look: int
) -> None:
    count = iter(range(10))

    def clock() -> float:
        if next(count) == look:
            Tenant.objects.filter(pk=tenant.pk).update(**change)
        return 0.0

    action, _ = request(user=bob, tenant=tenant, server=server, wish=wish(), clock=clock)
    assert (action.state, simulator.posts) == (State.REFUSED, [])
    assert {reason["mark"] for reason in action.reasons} == {Mark.BLOCK}


def test_a_paused_tenant_is_not_read_for_a_click_either(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    tenant.paused = True
    tenant.save()
    simulator.forget_requests()
    preview(user=bob, tenant=tenant, server=server, kind=Kind.START_TEST)
    action, _ = request(user=bob, tenant=tenant, server=server, wish=wish())
    assert codes(action) == {"TenantPaused", "ReadFailed"}
    assert simulator.requests == []


def test_a_dialog_waits_for_a_429_as_everyone_does_and_what_it_reads_is_news(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    simulator.force_server(server.uuid, status="POWERING_ON")
    preview(user=bob, tenant=tenant, server=server, kind=Kind.START_TEST)
    aside.settle()
    assert store().load(tenant.pk).servers[server.key].record.status == ServerStatus.POWERING_ON
    clients.own.way(tenant).hold.note(60)
    simulator.forget_requests()
    waiting = preview(user=bob, tenant=tenant, server=server, kind=Kind.START_TEST)
    assert [reason.code for reason in waiting.verdict.reasons] == ["ReadFailed"]
    assert simulator.requests == []


def test_no_action_is_begun_within_a_transaction_that_may_still_be_undone(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        request(user=bob, tenant=tenant, server=server, wish=wish())
    assert (Action.objects.count(), simulator.posts) == (0, [])


def test_a_stop_that_expired_before_its_claim_is_not_sent_and_closes_nothing(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server, polled: Poll
) -> None:
    simulator.fail("504", method="POST", path=POST, after_effect=True)
    lost, _ = request(user=bob, tenant=tenant, server=server, wish=wish())
    simulator.advance(60)
    polled()
    asked = Wish(kind=Kind.STOP, key="stop", acknowledge=frozenset({"OurStartUnknown"}))
    count = iter(range(6))

    def clock() -> float:
        if next(count) == 4:  # the last look before the claim: another process has just expired the request
            Action.objects.filter(state=State.REQUESTED).update(state=State.EXPIRED)
        return 0.0

    running = store().load(tenant.pk).servers[server.key].record
    stop, _ = request(user=bob, tenant=tenant, server=running, wish=asked, clock=clock)
    lost.refresh_from_db()
    assert (stop.state, lost.state, len(simulator.posts)) == (State.EXPIRED, State.UNKNOWN, 1)


def test_the_fresh_read_may_first_close_an_earlier_action(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    started, _ = request(user=bob, tenant=tenant, server=server, wish=wish())
    simulator.advance(60)  # and nobody polls
    running = msgspec.structs.replace(server, status=ServerStatus.FAILOVER_TEST)
    stop, _ = request(user=bob, tenant=tenant, server=running, wish=Wish(kind=Kind.STOP, key="stop"))
    started.refresh_from_db()
    assert (started.state, stop.state) == (State.SUCCEEDED, State.ACCEPTED)


def test_a_refusal_that_came_after_the_request_expired_tells_that_it_expired(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    simulator.force_server(server.uuid, issues=["NotAllowed"])
    count = iter(range(3))

    def clock() -> float:
        if next(count) == 2:
            Action.objects.update(state=State.EXPIRED)
        return 0.0

    action, _ = request(user=bob, tenant=tenant, server=server, wish=wish(), clock=clock)
    assert action.state == State.EXPIRED


def test_a_429_of_any_shape_holds_everyone_back(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    simulator.fail("html", method="POST", path=POST, status=429)
    action, _ = request(user=bob, tenant=tenant, server=server, wish=wish())
    assert (action.state, action.status) == (State.UNKNOWN, 429)
    assert 50 < clients.own.way(tenant).hold.left() <= 60


def test_a_429_of_the_token_endpoint_is_asked_for_once(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    clients.forget()
    KeptToken.objects.all().delete()
    simulator.fail("429", path="/idp/token", times=None, retry_after=40)
    before = len(simulator.requests)
    action, _ = request(user=bob, tenant=tenant, server=server, wish=wish())
    again, _ = request(user=bob, tenant=tenant, server=server, wish=wish())
    assert (codes(action), codes(again)) == ({"ReadFailed"}, {"ReadFailed"})
    assert [one.path for one in simulator.requests[before:]] == ["/api/2/idp/token"]


def test_looks_that_hang_leave_threads_for_pages(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    for _ in range(AT_ONCE):
        assert _looks.acquire(blocking=False)
    try:
        before = len(simulator.requests)
        looked = preview(user=bob, tenant=tenant, server=server, kind=Kind.START_TEST)
        assert [reason.code for reason in looked.verdict.reasons] == ["ReadFailed"]
        assert len(simulator.requests) == before
    finally:
        for _ in range(AT_ONCE):
            _looks.release()
    assert preview(user=bob, tenant=tenant, server=server, kind=Kind.START_TEST).verdict.allowed


def test_a_repeat_is_answered_even_when_no_more_actions_are_taken(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    same = wish()
    first, _ = request(user=bob, tenant=tenant, server=server, wish=same)
    for _ in range(AT_ONCE):
        assert _slots.acquire(blocking=False)
    try:
        again, created = request(user=bob, tenant=tenant, server=server, wish=same)
        assert (again.pk, created) == (first.pk, False)
        with pytest.raises(TooMany):
            request(user=bob, tenant=tenant, server=server, wish=wish())
    finally:
        for _ in range(AT_ONCE):
            _slots.release()
    assert len(simulator.posts) == 1


def test_an_action_does_not_wait_for_a_redis_that_hangs(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def took(kind: Kind) -> float:
        begun = time.monotonic()
        action, _ = request(user=bob, tenant=tenant, server=server, wish=Wish(kind=kind, key=uuid4().hex))
        assert action.state == State.ACCEPTED
        return time.monotonic() - begun

    usual = took(Kind.START_TEST)
    simulator.advance(120)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(settings, "REDIS_URL", f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        store.cache_clear()
        assert took(Kind.STOP) < usual + 1.5  # one answer of Redis is waited for 2 s


def in_a_thread(user: User, tenant: Tenant, server: Server) -> Action:
    try:
        return request(user=user, tenant=tenant, server=server, wish=wish())[0]
    finally:
        connection.close()
