"""The protocol of an action over the real wire: at most one POST, and none without a record."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import msgspec
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from drdash.audit.models import Entry
from drdash.cloud.records import RecoveryPoint, Server
from drdash.cloud.words import ServerStatus
from drdash.estate import aside
from drdash.estate.plans import plans
from drdash.estate.store import store
from drdash.failover import following
from drdash.failover.actions import Invalid, KeyReused, Wish, open_action, preview, request
from drdash.failover.guard import Kind
from drdash.failover.models import Action, State
from drdash.failover.reasons import Mark
from drdash.failover.sighting import VALID_SECONDS, Expired, seal, unseal
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Membership, Tenant
from drdash.tenants.roles import Role
from tests.stack import Poll


def wish(kind: Kind = Kind.START_TEST, **more: object) -> Wish:
    return Wish(**{"kind": kind, "key": uuid4().hex, **more})  # type: ignore[arg-type]


def codes(action: Action) -> set[str]:
    return {reason["code"] for reason in action.reasons}


def seen_again(server: Server, tenant: Tenant) -> Server:
    return store().load(tenant.pk).servers[server.key].record


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


def test_the_click_is_decided_on_a_fresh_read_not_on_the_page(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    simulator.force_server(server.uuid, issues=["NotAllowed", ["VPNS2SConnectionFailure", "WARNING", None]])
    action, _ = request(user=bob, tenant=tenant, server=server, wish=wish())
    assert (action.state, simulator.posts) == (State.REFUSED, [])
    assert codes(action) == {"NotAllowed", "VPNS2SConnectionFailure"}, "nobody has to nod to what does not go anyway"


def test_what_needs_a_nod_is_refused_without_it_and_goes_with_it(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    simulator.force_server(server.uuid, issues=[["VPNS2SConnectionFailure", "WARNING", None]])
    silent, _ = request(user=bob, tenant=tenant, server=server, wish=wish())
    assert (silent.state, simulator.posts) == (State.REFUSED, [])
    assert codes(silent) == {"NotAcknowledged", "VPNS2SConnectionFailure"}
    nodding = wish(acknowledge=frozenset({"VPNS2SConnectionFailure"}))
    agreed, _ = request(user=bob, tenant=tenant, server=server, wish=nodding)
    assert agreed.state == State.ACCEPTED
    assert [reason["code"] for reason in agreed.reasons] == ["VPNS2SConnectionFailure"]
    sending = Entry.objects.get(action=agreed.pk, verb="start_failover_test Sending")
    assert sending.detail == "Acknowledged: VPNS2SConnectionFailure."


def test_a_viewer_is_refused_without_a_question_to_the_cloud(
    simulator: Simulator, tenant: Tenant, victor: User, server: Server
) -> None:
    before = len(simulator.requests)
    action, _ = request(user=victor, tenant=tenant, server=server, wish=wish())
    assert (action.state, codes(action), len(simulator.requests)) == (State.REFUSED, {"RoleViewer"}, before)
    assert [reason["mark"] for reason in action.reasons] == [Mark.BLOCK]


def test_an_operator_may_not_start_production_nor_stop_it(
    simulator: Simulator, tenant: Tenant, alice: User, bob: User, server: Server, polled: Poll
) -> None:
    refused, _ = request(user=bob, tenant=tenant, server=server, wish=wish(Kind.START_PROD, confirm=server.name))
    assert [(reason["code"], reason["mark"]) for reason in refused.reasons] == [("RoleOperator", Mark.BLOCK)]
    request(user=alice, tenant=tenant, server=server, wish=wish(Kind.START_PROD, confirm=server.name))
    simulator.advance(600)
    polled()
    running = seen_again(server, tenant)
    stop, _ = request(user=bob, tenant=tenant, server=running, wish=wish(Kind.STOP, confirm=server.name))
    assert (stop.state, "RoleOperator" in codes(stop)) == (State.REFUSED, True)
    assert len(simulator.posts) == 1


def test_production_needs_the_name_typed_and_ends_with_a_nod_to_what_will_be_lost(
    simulator: Simulator, tenant: Tenant, alice: User, server: Server, polled: Poll
) -> None:
    with pytest.raises(Invalid, match=server.name):
        request(user=alice, tenant=tenant, server=server, wish=wish(Kind.START_PROD, confirm="something else"))
    assert (Action.objects.count(), simulator.posts) == (0, [])
    started, _ = request(user=alice, tenant=tenant, server=server, wish=wish(Kind.START_PROD, confirm=server.name))
    simulator.advance(40)
    polled()
    started.refresh_from_db()
    assert (started.state, seen_again(server, tenant).status) == (State.SUCCEEDED, "FINALIZATION")
    simulator.advance(600)
    polled()
    running = seen_again(server, tenant)
    stop = wish(Kind.STOP, confirm=server.name, acknowledge=frozenset({"ProductionStop"}))
    stopped, _ = request(user=alice, tenant=tenant, server=running, wish=stop)
    assert (stopped.state, stopped.production) == (State.ACCEPTED, True)


def test_a_stop_shown_as_production_is_one_of_a_test_when_a_test_runs_by_now(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    request(user=bob, tenant=tenant, server=server, wish=wish())
    simulator.advance(60)
    was = msgspec.structs.replace(server, status=ServerStatus.FAILOVER_PROD)
    stop, _ = request(user=bob, tenant=tenant, server=was, wish=wish(Kind.STOP, confirm=server.name))
    assert (stop.state, stop.production) == (State.ACCEPTED, False)


def test_a_name_that_is_no_longer_the_servers_confirms_nothing(
    simulator: Simulator, tenant: Tenant, alice: User, server: Server
) -> None:
    simulator.force_server(server.uuid, set={"name": "renamed"})
    refused, _ = request(user=alice, tenant=tenant, server=server, wish=wish(Kind.START_PROD, confirm=server.name))
    assert (refused.state, codes(refused), simulator.posts) == (State.REFUSED, {"NotConfirmed"}, [])


def test_who_is_not_proven_does_not_stop_what_turns_out_to_be_production(
    simulator: Simulator, tenant: Tenant, alice: User, server: Server
) -> None:
    request(user=alice, tenant=tenant, server=server, wish=wish(Kind.START_PROD, confirm=server.name))
    simulator.advance(600)
    was = msgspec.structs.replace(server, status=ServerStatus.FAILOVER_TEST)
    asked = {"confirm": server.name, "acknowledge": frozenset({"ProductionStop"})}
    stop, _ = request(user=alice, tenant=tenant, server=was, wish=wish(Kind.STOP, unproven="SignInAgain", **asked))
    assert (stop.state, codes(stop), len(simulator.posts)) == (State.REFUSED, {"SignInAgain", "ProductionStop"}, 1)


def test_a_stop_shown_as_a_test_is_refused_when_production_runs_by_now(
    simulator: Simulator, tenant: Tenant, alice: User, server: Server, polled: Poll
) -> None:
    request(user=alice, tenant=tenant, server=server, wish=wish())
    simulator.advance(60)
    polled()
    in_test = seen_again(server, tenant)
    simulator.force_server(server.uuid, status="FAILOVER_PROD")
    stop = wish(Kind.STOP, acknowledge=frozenset({"ProductionStop"}))
    refused, _ = request(user=alice, tenant=tenant, server=in_test, wish=stop)
    assert (refused.state, "NotConfirmed" in codes(refused), len(simulator.posts)) == (State.REFUSED, True, 1)


def test_a_change_between_dialog_and_click_stops_the_click_and_an_improvement_does_not(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    simulator.force_server(server.uuid, issues=[["QuotaReachedDrStorage", "WARNING", None]])
    seen = preview(user=bob, tenant=tenant, server=server, kind=Kind.START_TEST).sighting
    nods = frozenset({"QuotaReachedDrStorage", "VPNIPSecNotConfigured"})
    simulator.force_server(
        server.uuid,
        issues=[["QuotaReachedDrStorage", "WARNING", None], ["VPNIPSecNotConfigured", "warning", None]],
    )
    stopped, _ = request(user=bob, tenant=tenant, server=server, wish=wish(acknowledge=nods, seen=seen))
    assert (stopped.state, "Changed" in codes(stopped), simulator.posts) == (State.REFUSED, True, [])
    simulator.force_server(server.uuid, issues=[])
    gone, _ = request(user=bob, tenant=tenant, server=server, wish=wish(seen=seen))
    assert gone.state == State.ACCEPTED


def test_a_cloud_that_could_not_be_read_says_only_that(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    simulator.force_server(server.uuid, status="POWERING_ON")
    seen = preview(user=bob, tenant=tenant, server=server, kind=Kind.START_TEST).sighting
    simulator.fail("500", method="GET", times=None)
    action, _ = request(user=bob, tenant=tenant, server=server, wish=wish(seen=seen))
    assert (action.state, codes(action)) == (State.REFUSED, {"ReadFailed"})


def test_an_error_that_is_only_a_warning_by_now_is_an_improvement(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    simulator.force_server(server.uuid, issues=[["NotAllowed", "ERROR", "DR_SOMETHING_NEW"]])
    seen = preview(user=bob, tenant=tenant, server=server, kind=Kind.START_TEST).sighting
    simulator.force_server(server.uuid, issues=[["NotAllowed", "warning", "DR_SOMETHING_NEW"]])
    nod = wish(acknowledge=frozenset({"NotAllowed"}), seen=seen)
    better, _ = request(user=bob, tenant=tenant, server=server, wish=nod)
    assert better.state == State.ACCEPTED


def test_a_sighting_is_sealed_to_its_person_server_and_action_and_grows_too_old(
    tenant: Tenant, bob: User, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed = seal(preview(user=bob, tenant=tenant, server=server, kind=Kind.START_TEST).sighting)
    assert unseal(sealed, user=bob.pk, kind=Kind.START_TEST, server=server.key).name == server.name
    for other in (
        {"user": bob.pk + 1, "kind": Kind.START_TEST, "server": server.key},
        {"user": bob.pk, "kind": Kind.START_PROD, "server": server.key},
        {"user": bob.pk, "kind": Kind.START_TEST, "server": "another"},
    ):
        with pytest.raises(Expired):
            unseal(sealed, **other)  # type: ignore[arg-type]
    with pytest.raises(Expired):
        unseal(sealed[:-2] + "xx", user=bob.pk, kind=Kind.START_TEST, server=server.key)
    later = time.time() + VALID_SECONDS + 1
    monkeypatch.setattr(time, "time", lambda: later)
    with pytest.raises(Expired, match=r"^Nothing was sent: the dialog was older than 120 s") as expired:
        unseal(sealed, user=bob.pk, kind=Kind.START_TEST, server=server.key)
    assert expired.value.seen is not None  # so that what changed since can be told


def test_a_membership_that_ended_ends_the_right_to_act(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    Membership.objects.filter(user=bob).update(role=Role.VIEWER)
    action, _ = request(user=bob, tenant=tenant, server=server, wish=wish())
    assert codes(action) == {"RoleViewer"}
    Membership.objects.filter(user=bob).delete()
    with pytest.raises(Invalid):
        request(user=bob, tenant=tenant, server=server, wish=wish())
    assert simulator.posts == []


def test_a_request_that_was_not_sent_in_time_expires_and_is_never_sent(
    simulator: Simulator, tenant: Tenant, bob: User, server: Server
) -> None:
    clock = iter([0.0, 0.0, 1.0, 31.0]).__next__  # the host slept between the read and the claim
    action, _ = request(user=bob, tenant=tenant, server=server, wish=wish(), clock=clock)
    assert (action.state, simulator.posts) == (State.EXPIRED, [])
    assert action.finished_at is not None


def test_a_dialog_shows_what_was_just_read(simulator: Simulator, tenant: Tenant, bob: User, server: Server) -> None:
    simulator.force_server(server.uuid, status="POWERING_ON")
    shown = preview(user=bob, tenant=tenant, server=server, kind=Kind.START_TEST)
    assert (shown.server.status, shown.sighting.status) == ("POWERING_ON", "POWERING_ON")


def test_who_is_not_proven_to_be_there_may_run_a_test_and_no_production(
    simulator: Simulator, tenant: Tenant, alice: User, server: Server
) -> None:
    asked = wish(Kind.START_PROD, confirm=server.name, unproven="SignInAgain")
    refused, _ = request(user=alice, tenant=tenant, server=server, wish=asked)
    assert (refused.state, codes(refused), simulator.posts) == (State.REFUSED, {"SignInAgain"}, [])
    test, _ = request(user=alice, tenant=tenant, server=server, wish=wish(unproven="SignInAgain"))
    assert test.state == State.ACCEPTED
    assert [seen["status"] for seen in test.evidence] == ["STAND_BY"]  # what it was decided on


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
