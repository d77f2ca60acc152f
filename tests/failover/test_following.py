"""From accepted to its end, on evidence alone."""

import subprocess
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from drdash import senders
from drdash.audit.models import Entry
from drdash.cloud import reading
from drdash.cloud.records import Server
from drdash.cloud.wire import Accepted, NeverSent, Refused, Unclear
from drdash.failover import following
from drdash.failover.actions import Wish, request
from drdash.failover.guard import Kind
from drdash.failover.models import Action, State
from drdash.failover.outcomes import meaning
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Tenant
from tests.stack import Poll

OTHER = "9c616a68-8011-44fd-be2f-1b2b3a374d84"


@pytest.fixture
def accepted(tenant: Tenant, bob: User, server: Server) -> Action:
    action, _ = request(user=bob, tenant=tenant, server=server, wish=Wish(kind=Kind.START_TEST, key="k"))
    assert action.state == State.ACCEPTED
    return action


BUSY = [{"severity": "ERROR", "error": {"code": "ResourceBusy"}}]  # with a task that it does not name


def seen(
    action: Action,
    status: str,
    *,
    task: str = "",
    after: float = 1,
    failover: bool = True,
    issues: object = (),
    last_test: str = "",
) -> Action:
    """The action after a read, begun so many seconds after the answer, that showed its server like this."""
    recovery: dict[str, Any] = {"test_failover": {"last_task_uuid": last_test}} if last_test else {}
    item = {"uuid": action.server_uuid, "status": status, "task_uuid": task, "_issues": issues, "recovery": recovery}
    if failover:
        recovery["active_failover"] = {"id": "f"}
    assert action.answered_at is not None
    when = action.answered_at + timedelta(seconds=after)
    following.observe(action.tenant_id, [reading.server(msgspec.json.encode(item))], started=when, now=when)
    action.refresh_from_db()
    return action


def why_it_ended(action: Action) -> str:
    return Entry.objects.filter(action=action.pk).latest("number").detail


def of_kind(action: Action, kind: Kind) -> Action:
    Action.objects.filter(pk=action.pk).update(kind=kind)
    action.refresh_from_db()
    return action


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (Kind.START_TEST, "FAILOVER_TEST"),
        (Kind.START_PROD, "FINALIZATION"),
        (Kind.START_PROD, "FAILOVER_PROD"),
        (Kind.STOP, "STAND_BY"),
    ],
)
def test_the_wanted_state_after_our_task_is_success(accepted: Action, kind: Kind, wanted: str) -> None:
    of_kind(accepted, kind)
    assert seen(accepted, "STARTING_FAILOVER_TEST", task=accepted.task_uuid).state == State.ACCEPTED
    assert seen(accepted, wanted, after=2, failover=kind is not Kind.STOP).state == State.SUCCEEDED
    assert accepted.finished_at is not None


def test_the_wanted_state_is_success_too_when_the_task_was_too_quick_to_be_seen(accepted: Action) -> None:
    assert seen(accepted, "FAILOVER_TEST").state == State.SUCCEEDED


def test_the_wanted_state_after_someone_elses_task_is_no_success(accepted: Action) -> None:
    seen(accepted, "POWERING_ON", task=OTHER)
    assert seen(accepted, "FAILOVER_TEST", after=2).state == State.ACCEPTED


def test_the_wanted_state_that_our_task_is_named_for_is_success_whatever_ran_besides(accepted: Action) -> None:
    seen(accepted, "POWERING_ON", task=OTHER)
    assert seen(accepted, "FAILOVER_TEST", after=2, last_test=OTHER).state == State.ACCEPTED
    assert seen(accepted, "FAILOVER_TEST", after=3, last_test=accepted.task_uuid.upper()).state == State.SUCCEEDED


@pytest.mark.parametrize("hidden", [{"issues": BUSY}, {"issues": None}])
def test_the_wanted_state_is_no_success_while_a_task_may_be_kept_quiet(accepted: Action, hidden: Any) -> None:
    assert seen(accepted, "FAILOVER_TEST", **hidden).state == State.ACCEPTED
    assert seen(accepted, "FAILOVER_TEST", after=2).state == State.SUCCEEDED


def test_a_task_that_is_not_named_is_a_sign_of_life_in_the_status_that_leads_there(accepted: Action) -> None:
    assert accepted.answered_at is not None
    for minutes in (5, 12, 18):
        seen(accepted, "STARTING_FAILOVER_TEST", issues=BUSY, after=minutes * 60)
    seen(accepted, "POWERING_ON", issues=BUSY, after=20 * 60)
    following.sweep(accepted.answered_at + timedelta(minutes=28))
    accepted.refresh_from_db()
    assert accepted.state == State.ACCEPTED
    following.sweep(accepted.answered_at + timedelta(minutes=28, seconds=1))
    accepted.refresh_from_db()
    assert accepted.state == State.UNKNOWN


def test_a_status_alone_is_no_sign_of_life_nor_is_anothers_task(accepted: Action) -> None:
    assert accepted.answered_at is not None
    seen(accepted, "STARTING_FAILOVER_TEST", after=300)
    seen(accepted, "STARTING_FAILOVER_TEST", after=301, task=OTHER)
    seen(accepted, "STARTING_FAILOVER_TEST", after=302, issues=BUSY)
    following.sweep(accepted.answered_at + timedelta(minutes=10, seconds=1))
    accepted.refresh_from_db()
    assert accepted.state == State.UNKNOWN


def test_what_each_read_saw_is_kept_from_before_the_sending_to_the_end(accepted: Action) -> None:
    seen(accepted, "STARTING_FAILOVER_TEST", task=accepted.task_uuid, failover=False)
    seen(accepted, "STARTING_FAILOVER_TEST", task=accepted.task_uuid, failover=False, after=2)
    seen(accepted, "FAILOVER_TEST", after=3)
    kept = [(one["status"], one["tasks"], one["active_failover"]) for one in accepted.evidence]
    assert kept[1:] == [("STARTING_FAILOVER_TEST", [accepted.task_uuid], ""), ("FAILOVER_TEST", [], "f")]
    assert (kept[0], len(kept)) == (("STAND_BY", [], ""), 3)


def test_a_read_that_began_before_the_answer_is_no_evidence(accepted: Action) -> None:
    assert seen(accepted, "FAILOVER_TEST", after=-1).state == State.ACCEPTED


def test_stand_by_with_a_failover_still_active_is_not_yet_stopped(accepted: Action) -> None:
    of_kind(accepted, Kind.STOP)
    assert seen(accepted, "STAND_BY").state == State.ACCEPTED
    assert seen(accepted, "STAND_BY", after=2, failover=False).state == State.SUCCEEDED


def test_a_failover_that_is_no_longer_active_is_not_yet_a_server_at_rest(accepted: Action) -> None:
    of_kind(accepted, Kind.STOP)
    assert seen(accepted, "STOPPING_FAILOVER", failover=False).state == State.ACCEPTED


def test_our_task_seen_and_gone_without_the_wanted_state_is_failure(accepted: Action) -> None:
    seen(accepted, "STARTING_FAILOVER_TEST", task=accepted.task_uuid)
    assert seen(accepted, "STAND_BY", after=2, failover=False).state == State.FAILED
    assert "STAND_BY" in accepted.error
    assert (accepted.finished_at is not None, why_it_ended(accepted)) == (True, accepted.error)


def test_a_server_still_on_its_way_has_not_failed(accepted: Action) -> None:
    seen(accepted, "STARTING_FAILOVER_TEST", task=accepted.task_uuid)
    assert seen(accepted, "STARTING_FAILOVER_TEST", after=2).state == State.ACCEPTED


def test_a_read_that_began_before_our_task_was_seen_is_no_failure(accepted: Action) -> None:
    seen(accepted, "STARTING_FAILOVER_TEST", task=accepted.task_uuid, after=5)
    assert seen(accepted, "STAND_BY", after=2, failover=False).state == State.ACCEPTED
    assert seen(accepted, "STAND_BY", after=6, failover=False).state == State.FAILED


def test_what_does_not_say_that_the_task_is_gone_is_no_failure(accepted: Action) -> None:
    seen(accepted, "STARTING_FAILOVER_TEST", task=accepted.task_uuid)
    assert seen(accepted, "SOMETHING_NEW", after=2).state == State.ACCEPTED
    assert seen(accepted, "", after=3).state == State.ACCEPTED
    assert seen(accepted, "STAND_BY", after=4, issues=None).state == State.ACCEPTED


def test_a_server_that_another_task_keeps_busy_has_not_failed(accepted: Action) -> None:
    seen(accepted, "STARTING_FAILOVER_TEST", task=accepted.task_uuid)
    assert seen(accepted, "STAND_BY", after=2, failover=False, issues=BUSY).state == State.ACCEPTED
    assert seen(accepted, "STAND_BY", after=3, failover=False).state == State.FAILED


def test_our_task_seen_with_the_wanted_state_is_success_whatever_was_seen_before(accepted: Action) -> None:
    seen(accepted, "POWERING_ON", task=OTHER)
    assert seen(accepted, "FAILOVER_TEST", task=accepted.task_uuid, after=2).state == State.SUCCEEDED


def test_what_is_seen_of_one_server_is_no_word_about_another(accepted: Action) -> None:
    other = Action.objects.get(pk=accepted.pk)
    other.pk, other.server_uuid, other.idempotency_key = None, "another", "another"
    other.save()
    evidence = list(other.evidence)
    seen(accepted, "STARTING_FAILOVER_TEST", task=accepted.task_uuid)
    other.refresh_from_db()
    assert (other.task_seen_at, other.evidence) == (None, evidence)
    seen(accepted, "FAILOVER_TEST", after=2)
    other.refresh_from_db()
    assert (accepted.state, other.state) == (State.SUCCEEDED, State.ACCEPTED)


def test_what_a_read_saw_is_kept_with_its_time(accepted: Action) -> None:
    seen(accepted, "STAND_BY", failover=False, after=3)
    assert accepted.answered_at is not None
    assert accepted.evidence[-1] == {
        "at": (accepted.answered_at + timedelta(seconds=3)).isoformat(),
        "status": "STAND_BY",
        "tasks": [],
        "busy": False,
        "active_failover": "",
        "last_tasks": [],
    }


def test_of_two_who_read_at_once_one_keeps_what_was_seen_and_neither_once_it_is_over(accepted: Action) -> None:
    read = reading.server(msgspec.json.encode({"uuid": accepted.server_uuid, "status": "POWERING_ON"}))
    now, other = timezone.now(), Action.objects.get()
    for one in (accepted, other):
        following._keep(one, read, now)
    assert [kept["status"] for kept in Action.objects.get().evidence] == ["STAND_BY", "POWERING_ON"]
    Action.objects.update(state=State.FAILED)
    following._keep(other, msgspec.structs.replace(read, status=None), now)
    assert [kept["status"] for kept in Action.objects.get().evidence] == ["STAND_BY", "POWERING_ON"]


def test_a_task_that_was_never_seen_is_no_failure(accepted: Action) -> None:
    assert seen(accepted, "STAND_BY", failover=False).state == State.ACCEPTED


def test_ten_silent_minutes_after_the_last_sign_are_unknown(accepted: Action) -> None:
    seen(accepted, "STARTING_FAILOVER_TEST", task=accepted.task_uuid, after=300)
    assert accepted.answered_at is not None
    following.sweep(accepted.answered_at + timedelta(minutes=14))
    accepted.refresh_from_db()
    assert accepted.state == State.ACCEPTED
    following.sweep(accepted.answered_at + timedelta(minutes=15, seconds=1))
    accepted.refresh_from_db()
    assert accepted.state == State.UNKNOWN


def test_a_server_is_read_closely_while_an_action_on_it_may_be_moving(accepted: Action) -> None:
    for state in State:
        Action.objects.update(state=state)
        moving = state in (State.REQUESTED, State.SENDING, State.ACCEPTED)
        assert following.watched(accepted.tenant_id) == ({accepted.server_uuid} if moving else set())
    Action.objects.update(state=State.ACCEPTED)
    assert following.watched(accepted.tenant_id + 1) == set()


def a_process_that_ended() -> str:
    """The name of a process of this boot that is certainly gone."""
    host, boot, space, _, start = senders.me().split(" ")
    with subprocess.Popen(["true"]) as process:
        pass
    return f"{host} {boot} {space} {process.pid} {start}"


@pytest.mark.parametrize(
    ("was", "ends"), [(State.REQUESTED, State.EXPIRED), (State.SENDING, State.UNKNOWN), (State.ACCEPTED, None)]
)
def test_what_a_process_that_is_gone_left_behind_is_settled_at_once(
    accepted: Action, was: State, ends: State | None
) -> None:
    now = timezone.now()
    Action.objects.update(state=was, requested_at=now, sent_at=now)
    following.sweep(now)
    assert Action.objects.get().state == was, "its process lives"
    Action.objects.update(sender=a_process_that_ended())
    following.sweep(now)
    after = Action.objects.get()
    assert after.state == (ends or was)
    assert not ends or "process ended" in after.error
    assert not ends or why_it_ended(after) == after.error


def test_in_doubt_whether_a_sender_is_gone_time_alone_settles(accepted: Action) -> None:
    now = timezone.now()
    for sender in ("", "another-host boot ns 1 2"):
        Action.objects.update(state=State.SENDING, sent_at=now, sender=sender)
        following.sweep(now + timedelta(seconds=following.SEND_SECONDS))
        assert Action.objects.get().state == State.SENDING
        following.sweep(now + timedelta(seconds=following.SEND_SECONDS + 1))
        assert Action.objects.get().state == State.UNKNOWN


def test_unknown_is_never_closed_by_what_is_seen(accepted: Action) -> None:
    following.sweep(timezone.now() + timedelta(minutes=11))
    assert seen(accepted, "FAILOVER_TEST", after=700).state == State.UNKNOWN


def test_a_task_that_fails_in_the_cloud_is_followed_to_failure(
    simulator: Simulator, polled: Poll, server: Server, tenant: Tenant, bob: User
) -> None:
    simulator.force_server(server.uuid, fail_next=True)
    action, _ = request(user=bob, tenant=tenant, server=server, wish=Wish(kind=Kind.START_TEST, key="k"))
    polled()
    simulator.advance(120)
    polled()
    action.refresh_from_db()
    assert action.state == State.FAILED


def a_fresh_server(*tasks: str) -> Server:
    issue = {"severity": "ERROR", "error": {"code": "ResourceBusy", "context": {"task_uuids": list(tasks)}}}
    return reading.server(msgspec.json.encode({"uuid": "u", "_issues": [issue] if tasks else []}))


@pytest.mark.parametrize(
    ("answer", "known_tasks", "state"),
    [
        (Accepted(OTHER), (), State.ACCEPTED),
        (NeverSent("no connection"), (), State.NOT_SENT),
        (Unclear("a time-out"), (), State.UNKNOWN),
        (Refused(400, "BadRequest", "no"), (), State.REFUSED),
        (Refused(403, "MethodNotAllowed", "no"), (), State.REFUSED),
        (Refused(404, "EntityNotFound", "no"), (), State.REFUSED),
        (Refused(429, "TooManyRequests", "no", retry_after=5), (), State.REFUSED),
        (Refused(409, "ResourceBusy", "busy", (OTHER,)), (OTHER,), State.REFUSED),
        (Refused(409, "ResourceBusy", "busy", (OTHER,)), (OTHER.upper(),), State.REFUSED),
        (Refused(409, "ResourceBusy", "busy", (OTHER,)), (), State.UNKNOWN),
        (Refused(409, "ResourceBusy", "busy", (OTHER, "another")), (OTHER,), State.UNKNOWN),
        (Refused(409, "ResourceBusy", "busy"), (OTHER,), State.UNKNOWN),
        (Refused(409, "QuotaExceededBaseDR", "no"), (), State.REFUSED),
    ],
)
def test_what_an_answer_means(answer: Accepted, known_tasks: tuple[str, ...], state: State) -> None:
    assert meaning(answer, a_fresh_server(*known_tasks))[0] == state
