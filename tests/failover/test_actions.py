"""The protocol of an action over the real wire: at most one POST, and none without a record."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import msgspec
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from drdash.audit.models import Entry
from drdash.cloud.records import RecoveryPoint, Server
from drdash.estate import aside
from drdash.estate.plans import plans
from drdash.estate.store import store
from drdash.failover import following
from drdash.failover.actions import Invalid, KeyReused, Wish, open_action, request
from drdash.failover.guard import Kind
from drdash.failover.models import Action, State
from drdash.failover.reasons import Mark
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Tenant
from tests.failover.clicks import codes, seen_again, wish
from tests.stack import Poll


def test_a_test_failover_is_accepted_then_seen_to_succeed_then_stopped(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server, polled: Poll
) -> None:
    started, created = request(user=bob, tenant=tenant, server=server, wish=wish())
    assert (started.state, created) == (State.ACCEPTED, True)
    assert started.body == "{}"
    polled()
    started.refresh_from_db()
    assert (started.state, started.task_seen_at is not None) == (State.ACCEPTED, True)
    simulator.advance(60)
    polled()
    started.refresh_from_db()
    assert started.state == State.SUCCEEDED

    stopped, _ = request(user=bob, tenant=tenant, server=seen_again(server, tenant), wish=wish(Kind.STOP))
    assert stopped.state == State.ACCEPTED
    simulator.advance(60)
    polled()
    stopped.refresh_from_db()
    assert stopped.state == State.SUCCEEDED
    assert [post.path.rpartition(":")[2] for post in simulator.posts] == ["start_failover_test", "stop_failover"]
    verbs = list(Entry.objects.exclude(action=None).order_by("id").values_list("verb", flat=True))
    assert verbs[:4] == [f"start_failover_test {word}" for word in ("Requested", "Sending", "Accepted", "Succeeded")]


def test_the_chosen_recovery_point_is_what_is_sent(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    point = RecoveryPoint(backup_id="b-1", archive_id="a-1@archive", vault_id="v-1")
    action, _ = request(user=bob, tenant=tenant, server=server, wish=wish(recovery_point=point))
    (post,) = simulator.posts
    assert post.body == action.body
    assert '"archive_id":"a-1@archive"' in post.body


def test_the_row_is_committed_before_the_post_arrives(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    simulator.fail("hang", method="POST", path=":start_failover_test")
    with ThreadPoolExecutor(1) as other:
        clicked = other.submit(in_a_thread, bob, tenant, server, wish())
        assert simulator.arrived(method="POST", path=":start_failover_test")
        action = Action.objects.get()
        assert (action.state, Entry.objects.filter(action=action.pk).count()) == (State.SENDING, 2)
        simulator.release()
        clicked.result()


@pytest.mark.parametrize("kind", [Kind.START_TEST, Kind.STOP])
def test_what_was_sent_has_the_tenant_read_at_once_and_what_was_not_sent_has_not(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server, kind: Kind
) -> None:
    plans().hurried(tenant.pk)
    request(user=bob, tenant=tenant, server=server, wish=wish(kind))  # at rest: there is nothing to stop
    aside.settle()
    assert plans().hurried(tenant.pk) is (kind is Kind.START_TEST)


def test_a_double_click_posts_once(simulator: Simulator, tenant: Tenant, bob: User, server: Server) -> None:
    same = wish()
    with ThreadPoolExecutor(4) as clicks:
        results = [
            click.result() for click in [clicks.submit(in_a_thread, bob, tenant, server, same) for _ in range(4)]
        ]
    assert len({action.pk for action, _ in results}) == 1
    assert sorted(created for _, created in results) == [False, False, False, True]
    assert len(simulator.posts) == 1


def test_of_the_same_click_at_the_same_moment_one_is_carried_out(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    same, looks = wish(), iter(range(9))

    def clock() -> float:
        if next(looks) == 0:  # the other one is a moment ahead
            request(user=bob, tenant=tenant, server=server, wish=same)
        return 0.0

    action, created = request(user=bob, tenant=tenant, server=server, wish=same, clock=clock)
    assert (action.state, created, len(simulator.posts)) == (State.ACCEPTED, False, 1)


def test_two_operators_at_once_post_once(
    simulator: Simulator, tenant: Tenant, alice: User, bob: User, server: Server
) -> None:
    gate = threading.Barrier(2)

    def click(user: User) -> tuple[Action, bool]:
        gate.wait(10)
        return in_a_thread(user, tenant, server, wish())

    with ThreadPoolExecutor(2) as clicks:
        results = [one.result()[0] for one in [clicks.submit(click, alice), clicks.submit(click, bob)]]
    assert sorted(action.state for action in results) == [State.ACCEPTED, State.REFUSED]
    assert len(simulator.posts) == 1
    (refused,) = [action for action in results if action.state == State.REFUSED]
    assert {reason["mark"] for reason in refused.reasons} == {Mark.BLOCK}


def test_an_open_action_is_in_the_way_on_its_own_server_and_cloud_alone(
    tenant: Tenant, bob: User, server: Server
) -> None:
    request(user=bob, tenant=tenant, server=server, wish=wish())
    assert open_action(tenant, server) is not None
    assert open_action(tenant, msgspec.structs.replace(server, uuid="another")) is None
    Action.objects.update(cloud="https://another.example.com")
    assert open_action(tenant, server) is None


def test_a_replayed_form_gives_the_same_action(simulator: Simulator, tenant: Tenant, bob: User, server: Server) -> None:
    same = wish()
    first, _ = request(user=bob, tenant=tenant, server=server, wish=same)
    again, created = request(user=bob, tenant=tenant, server=server, wish=same)
    assert (again.pk, created, len(simulator.posts)) == (first.pk, False, 1)


def test_a_key_used_for_something_else_is_refused(tenant: Tenant, bob: User, server: Server) -> None:
    request(user=bob, tenant=tenant, server=server, wish=wish(key="k"))
    with pytest.raises(KeyReused):
        request(user=bob, tenant=tenant, server=server, wish=wish(Kind.STOP, key="k", confirm=server.name))


def test_a_key_is_its_persons_own(simulator: Simulator, tenant: Tenant, alice: User, bob: User, server: Server) -> None:
    first, _ = request(user=bob, tenant=tenant, server=server, wish=wish(key="k"))
    other, created = request(user=alice, tenant=tenant, server=server, wish=wish(Kind.STOP, key="k"))
    assert (created, other.pk != first.pk, other.user_id) == (True, True, alice.pk)
    assert len(simulator.posts) == 1


def test_a_refusal_is_told_in_the_clouds_own_words(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    simulator.fail("404", method="POST", path=":start_failover_test")
    refused, _ = request(user=bob, tenant=tenant, server=server, wish=wish())
    assert refused.error.startswith("The cloud refused it (404 EntityNotFound): Deployment ")
    assert (refused.finished_at is not None, refused.answered_at is not None) == (True, True)


def test_a_504_after_the_cloud_took_it_is_unknown_and_blocks_the_server(
    simulator: Simulator, tenant: Tenant, alice: User, bob: User, server: Server
) -> None:
    simulator.fail("504", method="POST", path=":start_failover_test", after_effect=True)
    lost, _ = request(user=bob, tenant=tenant, server=server, wish=wish())
    assert lost.state == State.UNKNOWN
    simulator.advance(60)
    again, _ = request(user=alice, tenant=tenant, server=server, wish=wish())
    assert again.state == State.REFUSED
    assert "OurStartUnknown" in codes(again)
    assert len(simulator.posts) == 1


@pytest.mark.parametrize("fault", ["500", "504", "reset", "html", "half_body", "redirect"])
def test_an_answer_that_is_not_definite_is_unknown_and_never_sent_again(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server, fault: str
) -> None:
    simulator.fail(fault, method="POST", path=":start_failover_test")  # type: ignore[arg-type]
    action, _ = request(user=bob, tenant=tenant, server=server, wish=wish())
    assert (action.state, action.finished_at) == (State.UNKNOWN, None)
    assert len(simulator.posts) == 1


def test_a_429_is_a_refusal_and_holds_back_the_next_read(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    simulator.fail("429", method="POST", path=":start_failover_test", retry_after=30)
    refused, _ = request(user=bob, tenant=tenant, server=server, wish=wish())
    assert (refused.state, refused.status) == (State.REFUSED, 429)
    before = len(simulator.requests)
    again, _ = request(user=bob, tenant=tenant, server=server, wish=wish())
    assert (again.state, again.status, codes(again)) == (State.REFUSED, None, {"ReadFailed"})
    assert len(simulator.requests) == before


def test_a_cloud_that_is_not_there_gets_nothing_and_the_row_says_so(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    simulator.fail("reset", method="GET", path="/servers", times=1)
    action, _ = request(user=bob, tenant=tenant, server=server, wish=wish())
    assert (action.state, codes(action), simulator.posts) == (State.REFUSED, {"ReadFailed"}, [])


def test_a_request_that_was_not_sent_in_time_expires_and_is_never_sent(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    clock = iter([0.0, 0.0, 1.0, 31.0]).__next__  # the host slept between the read and the claim
    action, _ = request(user=bob, tenant=tenant, server=server, wish=wish(), clock=clock)
    assert (action.state, simulator.posts) == (State.EXPIRED, [])
    assert action.finished_at is not None


def test_a_sender_that_died_leaves_an_unknown_that_any_reader_settles(
    tenant: Tenant, bob: User, server: Server, simulator: Simulator
) -> None:
    action, _ = request(user=bob, tenant=tenant, server=server, wish=wish())
    Action.objects.update(state=State.SENDING, sent_at=timezone.now() - timedelta(seconds=80))
    following.sweep(timezone.now())
    action.refresh_from_db()
    assert (action.state, "never told" in action.error) == (State.UNKNOWN, True)


def test_a_stop_goes_over_an_unknown_start_and_closes_it(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server, polled: Poll
) -> None:
    simulator.fail("504", method="POST", path=":start_failover_test", after_effect=True)
    lost, _ = request(user=bob, tenant=tenant, server=server, wish=wish())
    simulator.advance(60)
    polled()
    lost.refresh_from_db()
    assert lost.state == State.UNKNOWN  # a person closes it, never what is seen
    stop = wish(Kind.STOP, acknowledge=frozenset({"OurStartUnknown"}))
    stopped, _ = request(user=bob, tenant=tenant, server=seen_again(server, tenant), wish=stop)
    lost.refresh_from_db()
    assert (stopped.state, lost.state) == (State.ACCEPTED, State.CLOSED)


def test_an_action_needs_neither_redis_nor_the_worker(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.conf import settings

    monkeypatch.setattr(settings, "REDIS_URL", "redis://127.0.0.1:1/0")
    store.cache_clear()
    action, _ = request(user=bob, tenant=tenant, server=server, wish=wish())
    assert action.state == State.ACCEPTED


def in_a_thread(user: User, tenant: Tenant, server: Server, asked: Wish) -> tuple[Action, bool]:
    """``request`` as a web thread of its own runs it."""
    try:
        return request(user=user, tenant=tenant, server=server, wish=asked)
    finally:
        connection.close()


def test_a_stop_of_a_server_at_rest_is_told_that_there_is_nothing_to_stop(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    refused, _ = request(user=bob, tenant=tenant, server=server, wish=wish(Kind.STOP))
    assert (refused.state, simulator.posts) == (State.REFUSED, [])
    assert "NothingToStop" in codes(refused)


def test_a_server_id_that_no_row_can_hold_is_refused_in_words(tenant: Tenant, bob: User, server: Server) -> None:
    with pytest.raises(Invalid, match="longer"):
        request(user=bob, tenant=tenant, server=msgspec.structs.replace(server, uuid="a" * 101), wish=wish())
