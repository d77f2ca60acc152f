"""An action whose outcome nobody knows is closed by a person who looked, and by nobody and nothing else."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from drdash.audit.models import Entry
from drdash.cloud.records import Server
from drdash.failover import closing, following
from drdash.failover.actions import Wish, request
from drdash.failover.closing import QUARANTINE, NotClosed, Verdict
from drdash.failover.guard import Kind
from drdash.failover.models import Action, State
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Tenant
from tests.stack import Poll

LOOKED = "I looked at the console: the server is in stand-by, and no task is listed."


@pytest.fixture
def lost(simulator: Simulator, tenant: Tenant, server: Server) -> Callable[[User, Kind], Action]:
    """A start whose answer was lost."""

    def lose(person: User, kind: Kind = Kind.START_TEST) -> Action:
        simulator.fail("504", method="POST")
        wish = Wish(kind=kind, key=uuid4().hex, confirm=server.name)
        action, _ = request(user=person, tenant=tenant, server=server, wish=wish)
        assert action.state == State.UNKNOWN
        return action

    return lose


def close(action: Action, by: User, *, after: float = QUARANTINE.total_seconds(), **more: Any) -> None:
    """Close it so many seconds after it was sent."""
    assert action.sent_at is not None
    assert action.sent_boot is not None
    boot, now = action.sent_boot + after, action.sent_at + timedelta(seconds=after)
    given = {"verdict": Verdict.NOT_HAPPENED.value, "why": LOOKED, "now": now, "clock": lambda: boot}
    closing.close(action, by=by, **{**given, **more})


Lose = Callable[..., Action]


def test_it_is_closed_with_a_name_a_verdict_and_a_reason_that_stay(lost: Lose, bob: User) -> None:
    action = lost(bob)
    close(action, bob)
    assert (action.state, action.verdict) == (State.CLOSED, "not happened")
    entry = Entry.objects.first()
    assert entry is not None
    assert (entry.username, entry.action) == ("bob", action.pk)
    assert LOOKED in entry.detail
    assert "the cloud did not do it" in action.error


def test_the_server_is_free_again_when_it_is_closed(
    lost: Lose, bob: User, tenant: Tenant, server: Server, simulator: Simulator
) -> None:
    action = lost(bob)
    again = Wish(kind=Kind.START_TEST, key=uuid4().hex)
    refused, _ = request(user=bob, tenant=tenant, server=server, wish=again)
    assert refused.state == State.REFUSED
    close(action, bob)
    allowed, _ = request(user=bob, tenant=tenant, server=server, wish=Wish(kind=Kind.START_TEST, key=uuid4().hex))
    assert allowed.state == State.ACCEPTED
    assert len(simulator.posts) == 2


def test_it_is_not_closed_while_what_was_sent_may_still_arrive(lost: Lose, bob: User) -> None:
    action = lost(bob)
    with pytest.raises(NotClosed, match="may still arrive"):
        close(action, bob, after=15 * 60 - 1)
    assert Action.objects.get().state == State.UNKNOWN
    close(action, bob, after=15 * 60)
    assert Action.objects.get().state == State.CLOSED


def test_a_clock_that_is_set_anew_does_not_shorten_the_quarantine(lost: Lose, bob: User) -> None:
    action = lost(bob)
    tomorrow, yesterday = (timezone.now() + timedelta(days=days) for days in (1, -1))
    with pytest.raises(NotClosed, match="may still arrive"):
        close(action, bob, after=60, now=tomorrow)
    close(action, bob, now=yesterday)
    assert action.state == State.CLOSED


@pytest.mark.parametrize("told", [{"sent_boot": None}, {"sender": ""}, {"sender": "elsewhere another-boot ns 1 2"}])
def test_where_the_senders_boot_is_over_the_time_of_day_tells(lost: Lose, bob: User, told: dict[str, Any]) -> None:
    action = lost(bob)
    Action.objects.update(**told)
    action.refresh_from_db()
    assert action.sent_at is not None
    given: dict[str, Any] = {"by": bob, "verdict": "untold", "why": LOOKED, "clock": lambda: 0.0}
    with pytest.raises(NotClosed, match="may still arrive"):
        closing.close(action, now=action.sent_at + timedelta(minutes=14, seconds=59), **given)
    closing.close(action, now=action.sent_at + timedelta(minutes=15), **given)
    assert action.state == State.CLOSED


def test_an_admin_breaks_the_glass_and_it_stays_in_the_audit(lost: Lose, alice: User, bob: User) -> None:
    action = lost(bob)
    close(action, alice, after=60, glass=True, warned=True)
    assert action.state == State.CLOSED
    assert action.glass == f"alice, to close it at once: {LOOKED}"
    entry = Entry.objects.first()
    assert entry is not None
    assert (entry.username, entry.detail.partition(":")[0]) == ("alice", "Broke the glass")
    assert "14 min 0 s before" in entry.detail
    assert LOOKED in entry.detail


def test_the_glass_is_for_an_admin_who_was_warned_and_writes_more(lost: Lose, alice: User, bob: User) -> None:
    action = lost(bob)
    attempts: list[tuple[User, dict[str, Any], str]] = [
        (bob, {"warned": True}, "Only an admin"),
        (alice, {}, "a duplicate may follow"),
        (alice, {"warned": True, "why": "It did not start."}, "30 characters"),
        (alice, {"warned": True, "glass": False}, "may still arrive"),
    ]
    for by, more, why in attempts:
        with pytest.raises(NotClosed, match=why):
            close(action, by, after=60, **{"glass": True, **more})
    assert (Action.objects.get().state, Action.objects.get().glass) == (State.UNKNOWN, "")


def test_who_breaks_the_glass_over_their_own_production_has_said_enough(lost: Lose, alice: User) -> None:
    action = lost(alice, Kind.START_PROD)
    close(action, alice, after=60, glass=True, warned=True)
    assert action.state == State.CLOSED


def test_once_the_quarantine_is_over_no_glass_is_broken(lost: Lose, alice: User) -> None:
    action = lost(alice, Kind.START_PROD)
    with pytest.raises(NotClosed, match="another person"):
        close(action, alice, glass=True, warned=True)
    close(action, alice, glass=True, warned=True, alone=True)
    assert action.glass == ""
    assert not Entry.objects.filter(detail__startswith="Broke the glass")


def test_the_quarantine_outlasts_any_sender() -> None:
    assert timedelta(seconds=following.SEND_SECONDS) + timedelta(minutes=5) <= QUARANTINE
    assert timedelta(minutes=15) <= QUARANTINE


@pytest.mark.parametrize("wrong", [{"verdict": ""}, {"verdict": "x"}, {"why": ""}, {"why": "  ok   \n   ok "}])
def test_a_verdict_and_a_reason_are_asked_for(lost: Lose, bob: User, wrong: dict[str, Any]) -> None:
    action = lost(bob)
    with pytest.raises(NotClosed):
        close(action, bob, **wrong)
    assert Action.objects.get().state == State.UNKNOWN


def test_nobody_closes_what_they_could_not_have_asked_for(
    lost: Lose, alice: User, bob: User, victor: User, charlie: User
) -> None:
    test = lost(bob)
    for person in (victor, charlie):
        with pytest.raises(NotClosed, match="role"):
            close(test, person)
    close(test, bob)
    production = lost(alice, Kind.START_PROD)
    with pytest.raises(NotClosed, match="role"):
        close(production, bob)


def test_production_is_closed_by_a_second_person_or_alone_with_more_of_a_reason(lost: Lose, alice: User) -> None:
    action = lost(alice, Kind.START_PROD)
    with pytest.raises(NotClosed, match="another person"):
        close(action, alice)
    with pytest.raises(NotClosed, match="30 characters"):
        close(action, alice, alone=True, why="It did not start.")
    close(action, alice, alone=True)
    assert action.state == State.CLOSED


def test_what_is_not_unknown_is_not_closed(lost: Lose, bob: User) -> None:
    action = lost(bob)
    close(action, bob)
    with pytest.raises(NotClosed, match="not unknown any more"):
        close(action, bob)


def test_what_later_reads_saw_is_kept_once_for_each_change(
    simulator: Simulator, lost: Lose, bob: User, server: Server, polled: Poll
) -> None:
    action = lost(bob)
    polled()
    polled()
    task = str(uuid4())
    simulator.force_server(server.uuid, task=task)
    polled()
    action.refresh_from_db()
    seen = [(one["status"], one["tasks"]) for one in action.evidence]
    assert seen == [("STAND_BY", []), ("STAND_BY", [task])]
    assert action.sent_at is not None
    assert datetime.fromisoformat(action.evidence[0]["at"]) < action.sent_at, "the first is from before it was sent"
    assert action.state == State.UNKNOWN, "the program never decides"


def test_a_server_that_never_rests_does_not_fill_the_database(lost: Lose, bob: User, server: Server) -> None:
    import msgspec

    action = lost(bob)
    for number in range(70):
        read = msgspec.structs.replace(server, task_uuid=f"t-{number}")
        now = timezone.now() + timedelta(seconds=number)
        following.observe(action.tenant_id, [read], started=now, now=now)
    action.refresh_from_db()
    assert len(action.evidence) == following.MOST_EVIDENCE
    assert action.evidence[-1]["tasks"] == ["t-69"]
