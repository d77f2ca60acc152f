"""From accepted to its end, on evidence alone."""

from datetime import timedelta

import msgspec
import pytest
from django.contrib.auth.models import User
from django.utils import timezone

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


def seen(
    action: Action, status: str, *, task: str = "", after: float = 1, failover: bool = True, issues: object = ()
) -> Action:
    """The action after a read, begun so many seconds after the answer, that showed its server like this."""
    item = {"uuid": action.server_uuid, "status": status, "task_uuid": task, "_issues": issues}
    if failover:
        item["recovery"] = {"active_failover": {"id": "f"}}
    assert action.answered_at is not None
    when = action.answered_at + timedelta(seconds=after)
    following.observe(action.tenant_id, [reading.server(msgspec.json.encode(item))], started=when, now=when)
    action.refresh_from_db()
    return action


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


def test_a_read_that_began_before_the_answer_is_no_evidence(accepted: Action) -> None:
    assert seen(accepted, "FAILOVER_TEST", after=-1).state == State.ACCEPTED


def test_stand_by_with_a_failover_still_active_is_not_yet_stopped(accepted: Action) -> None:
    of_kind(accepted, Kind.STOP)
    assert seen(accepted, "STAND_BY").state == State.ACCEPTED
    assert seen(accepted, "STAND_BY", after=2, failover=False).state == State.SUCCEEDED


def test_our_task_seen_and_gone_without_the_wanted_state_is_failure(accepted: Action) -> None:
    seen(accepted, "STARTING_FAILOVER_TEST", task=accepted.task_uuid)
    assert seen(accepted, "STAND_BY", after=2, failover=False).state == State.FAILED
    assert "STAND_BY" in accepted.error


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
