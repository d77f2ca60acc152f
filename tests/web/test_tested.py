"""When was it last tested, and did it start: one line, and an old success is not shown as one of today."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from drdash.cloud.records import Server
from drdash.estate.models import Moment
from drdash.failover.models import Action, State
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Tenant
from drdash.tenants.roles import Role
from drdash.web import rows, tested
from drdash.web.tested import LastTest, last_test, overdue
from tests.stack import Poll
from tests.web.kept import Person
from tests.web.seen import publish, server, site

NOW = datetime(2026, 11, 23, 3, tzinfo=UTC)


def ago(days: float) -> str:
    return (NOW - timedelta(days=days)).isoformat()


def a_server(*, auto: dict[str, Any] | None = None, by_hand: float | None = None, **fields: Any) -> Server:
    recovery: dict[str, Any] = {"resource_id": "r-1"}
    if auto is not None:
        recovery["automated_test_failover"] = {"schedule": "MONTHLY", **auto}
    if by_hand is not None:
        recovery["test_failover"] = {"last_start": ago(by_hand), "last_task_uuid": "t-1"}
    return server(recovery=recovery, **fields)


def told(one: Server, *, started: bool = False) -> LastTest:
    return last_test(one, started=started, now=NOW)


def test_a_server_that_was_never_tested_is_said_to_be_so() -> None:
    for one in (a_server(), a_server(auto={}), a_server(auto={"schedule": "NEVER"})):
        line = told(one)
        assert (line.look.word, line.look.tone, line.at) == ("Never tested", "warn", None)


def test_a_recent_automated_success_is_green_and_dated() -> None:
    line = told(a_server(auto={"last_status": "SUCCESS", "last_start": ago(41)}))
    assert (line.look.word, line.look.tone) == ("started", "good")
    assert line.at == NOW - timedelta(days=41)


@pytest.mark.parametrize(
    ("schedule", "days"), [("HOURLY", 0.09), ("DAILY", 2.1), ("WEEKLY", 14.1), ("MONTHLY", 62.1), ("YEARLY", 62.1)]
)
def test_a_success_older_than_two_turns_is_amber(schedule: str, days: float) -> None:
    old = a_server(auto={"last_status": "SUCCESS", "last_start": ago(days), "schedule": schedule})
    young = a_server(auto={"last_status": "SUCCESS", "last_start": ago(days * 0.9), "schedule": schedule})
    assert (overdue(old.automated_test, NOW), overdue(young.automated_test, NOW)) == (True, False)
    assert (told(old).look.tone, told(young).look.tone) == ("warn", "good")
    assert told(old).note


def test_a_success_of_an_unknown_time_is_not_green() -> None:
    assert told(a_server(auto={"last_status": "SUCCESS", "last_start": None})).look.tone == "warn"


def test_a_failure_does_not_fade() -> None:
    assert told(a_server(auto={"last_status": "FAILURE", "last_start": ago(400)})).look.tone == "bad"


def test_a_result_that_nobody_here_knows_is_grey() -> None:
    assert told(a_server(auto={"last_status": "PERHAPS", "last_start": ago(1)})).look.tone == "still"


def test_the_later_of_both_tests_is_told() -> None:
    failed = {"last_status": "FAILURE", "last_start": ago(10)}
    assert told(a_server(auto=failed, by_hand=5), started=True).look.word == "started"
    assert told(a_server(auto=failed, by_hand=15), started=True).look.word == "failed"


def test_a_test_by_hand_started_only_if_it_was_seen_to() -> None:
    one = a_server(by_hand=5)
    assert (told(one).look.word, told(one).look.tone) == ("result not known", "still")
    assert told(one, started=True).look.tone == "good"
    assert told(a_server(by_hand=90), started=True).look.tone == "warn"


def test_a_running_test_is_not_told_as_the_last_one() -> None:
    line = told(a_server(by_hand=0, status="FAILOVER_TEST"))
    assert (line.look.tone, line.at) == ("moving", None)


def test_a_test_that_the_polls_saw_run_did_start(
    simulator: Simulator, server: Server, tenant: Tenant, alice: User, polled: Poll
) -> None:
    run = {"recovery": {**_recovery(simulator, server), "test_failover": _run(timezone.now())}}
    simulator.force_server(server.uuid, set=run)
    assert not tested.seen_started(tenant.pk, polled().servers[server.key].record)
    simulator.force_server(server.uuid, status="FAILOVER_TEST")
    polled()
    simulator.force_server(server.uuid, status="STAND_BY", set=run)
    record = polled().servers[server.key].record
    assert tested.seen_started(tenant.pk, record)
    assert "By hand." in Person(alice).open(f"/servers/{server.uuid}/")


def test_a_status_that_went_away_is_no_start(tenant: Tenant) -> None:
    Moment.objects.create(
        tenant=tenant, server_uuid="k", at=timezone.now(), changes=[{"what": "status", "before": "A"}]
    )
    assert not tested.seen_started(tenant.pk, server(uuid="k", recovery={"test_failover": {"last_start": ago(41)}}))


def test_a_test_of_ours_that_succeeded_did_start(tenant: Tenant, alice: User) -> None:
    one = a_server(by_hand=1)
    for state, expected in ((State.FAILED, False), (State.SUCCEEDED, True)):
        Action.objects.all().delete()
        Action.objects.create(
            tenant=tenant, user=alice, cloud="", server_uuid=one.key, server_name="", kind="start_failover_test",
            production=False, idempotency_key="", content="", state=state, requested_at=NOW, task_uuid="T-1",
        )  # fmt: skip
        assert tested.seen_started(tenant.pk, one) is expected


def test_an_old_success_is_green_neither_in_the_list_nor_on_the_page(tenant: Tenant) -> None:
    long_ago = {"last_status": "SUCCESS", "last_start": "2020-01-01T00:00:00Z"}
    publish(tenant.pk, a_server(auto=long_ago), sites=(site(),))
    for shape in ("row", "panel"):
        html = rows.render(f"server-{shape}-s-1", tenant=tenant.pk, role=Role.VIEWER)
        assert html is not None
        assert "succeeded then" in html
        assert "Automated test succeeded<" not in html


def _recovery(simulator: Simulator, server: Server) -> dict[str, Any]:
    with simulator.lock:
        return dict(simulator.world.servers[server.uuid].recovery)


def _run(at: datetime) -> dict[str, Any]:
    return {"last_start": at.isoformat(), "last_task_uuid": "t-9", "recovery_point": None}


@pytest.mark.parametrize(
    ("one", "is_due"),
    [
        (a_server(), True),
        (a_server(type="PRIMARY"), False),
        (a_server(status="FAILOVER_TEST"), False),
        (a_server(status="FAILOVER_PROD"), False),
        (a_server(by_hand=89), False),
        (a_server(by_hand=91), True),
        (a_server(by_hand=91, auto={"schedule": "NEVER"}), True),
        (a_server(by_hand=91, auto={"schedule": "NEVER", "last_start": ago(5), "last_status": "FAILURE"}), False),
        (a_server(by_hand=8, auto={"schedule": "WEEKLY", "last_start": ago(20)}), False),
        (a_server(by_hand=15, auto={"schedule": "WEEKLY", "last_start": ago(20)}), True),
    ],
)
def test_a_test_is_due_by_its_schedule_or_after_ninety_days(one: Server, is_due: bool) -> None:
    assert tested.due(one, NOW) is is_due
