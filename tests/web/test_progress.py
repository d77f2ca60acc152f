"""How far the cloud's tasks are: asked for once for all who look, shown in words, and evidence of nothing."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from drdash.cloud.records import Server
from drdash.failover.models import Action, State
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Tenant
from drdash.web import progress
from drdash.web.taskwords import ERROR
from tests.stack import Poll
from tests.web.opening import HTMX, opened

MANAGER = "/task_manager/"


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    progress.kept.forget()
    yield
    progress.kept.forget()


@pytest.fixture
def started(bob: User, server: Server, simulator: Simulator) -> Action:
    """A test that the cloud has accepted."""
    assert opened(bob, server).send()[0] == 200
    return Action.objects.get()


def look(user: User, path: str, **headers: str) -> tuple[int, str]:
    client = Client()
    client.force_login(user)
    answer = client.get(path, headers=headers or HTMX)
    return answer.status_code, answer.content.decode()


def of(user: User, action: Action) -> str:
    status, html = look(user, f"/actions/{action.pk}/task/")
    assert status == 200
    return html


def asked(simulator: Simulator) -> int:
    return sum(MANAGER in one.path for one in simulator.requests)


def test_a_running_task_has_a_bar_and_the_time_left(victor: User, started: Action, simulator: Simulator) -> None:
    simulator.advance(6)
    html = of(victor, started)
    assert "Running" in html
    assert '<progress aria-label="Task' in html
    assert 'max="100" value="' in html
    assert " s left" in html
    assert 'hx-trigger="every 5s"' in html


def test_a_task_that_ended_well_is_told_and_not_asked_for_again(
    bob: User, started: Action, simulator: Simulator
) -> None:
    simulator.advance(60)
    html = of(bob, started)
    assert "Completed" in html
    assert "<progress" not in html
    assert "hx-trigger" not in html
    of(bob, started)
    assert asked(simulator) == 1


def test_a_task_that_failed_says_what_its_code_means(bob: User, server: Server, simulator: Simulator) -> None:
    with simulator.lock:
        known = simulator.world.server(server.uuid)
        assert known is not None
        known.ordinal, known.fails_next = 0, True
    opened(bob, server).send()
    simulator.advance(60)
    html = of(bob, Action.objects.get())
    assert "Failed" in html
    assert ERROR["ServerNotReady"] in html
    assert "<code>ServerNotReady</code> of DisasterRecovery" in html


def test_a_code_that_nobody_knows_is_shown_as_it_came(bob: User, started: Action, simulator: Simulator) -> None:
    item = '{"items": [{"uuid": "%s", "state": "completed", "result": {"code": "error", "error": {"code": "<Odd>"}}}]}'
    simulator.fail("answer", path=MANAGER, body=item % started.task_uuid)
    html = of(bob, started)
    assert "<code>&lt;Odd&gt;</code>" in html
    assert "which drdash does not know" in html


def test_a_result_that_nobody_knows_is_not_green(bob: User, started: Action, simulator: Simulator) -> None:
    item = '{"items": [{"uuid": "%s", "state": "completed", "result": {"code": "splendid"}}]}'
    simulator.fail("answer", path=MANAGER, body=item % started.task_uuid)
    html = of(bob, started)
    assert "splendid" in html
    assert "look good" not in html


def test_what_a_task_says_changes_no_action(bob: User, started: Action, simulator: Simulator) -> None:
    for code in ("ok", "error", "cancelled"):
        progress.kept.forget()
        item = '{"items": [{"uuid": "%s", "state": "completed", "result": {"code": "%s"}}]}'
        simulator.fail("answer", path=MANAGER, body=item % (started.task_uuid, code))
        of(bob, started)
        started.refresh_from_db()
        assert started.state == State.ACCEPTED


def test_fifty_who_look_cost_one_request(
    bob: User, victor: User, started: Action, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "RUNNING_SECONDS", 600.0)  # however slow this machine is
    for _ in range(25):
        of(bob, started)
        of(victor, started)
    assert asked(simulator) == 1


def test_a_running_task_is_asked_for_again_when_its_answer_is_old(
    bob: User, started: Action, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    of(bob, started)
    monkeypatch.setattr(progress, "RUNNING_SECONDS", 0.0)
    of(bob, started)
    assert asked(simulator) == 2


def test_while_one_asks_the_others_do_not_wait(
    tenant: Tenant, bob: User, started: Action, simulator: Simulator
) -> None:
    progress.kept._asking.add((tenant.pk, started.task_uuid.lower()))
    try:
        html = of(bob, started)
    finally:
        progress.kept._asking.clear()
    assert "is being asked" in html
    assert 'hx-trigger="every 15s"' in html
    assert asked(simulator) == 0


REFUSALS: list[tuple[Any, dict[str, Any], str, bool]] = [
    ("403", {}, "The right to see tasks would add it (urn:acronis.com::task_manager::viewer).", False),
    ("404", {}, "The right to see tasks would add it (urn:acronis.com::task_manager::viewer).", False),
    ("500", {}, "The progress of tasks could not be read.", True),
    ("html", {}, "a page of HTML", True),
    ("reset", {}, "was reset", True),
    ("answer", {"body": '{"items": []}'}, "does not list it (any more)", False),
    ("429", {"retry_after": 40}, "asks to wait for 40 s", True),  # the last: nothing is asked after it
]


def test_a_refusal_is_told_in_words(bob: User, started: Action, simulator: Simulator) -> None:
    for number, (fault, how, words, again) in enumerate(REFUSALS, 1):
        progress.kept.forget()
        simulator.clear_faults()
        simulator.fail(fault, path=MANAGER, times=None, **how)
        html = of(bob, started)
        assert words in html, fault
        assert ("hx-trigger" in html) is again, fault
        of(bob, started)
        assert asked(simulator) == number, fault


def test_nothing_is_asked_before_its_time(bob: User, started: Action, simulator: Simulator) -> None:
    simulator.fail("429", path=MANAGER, retry_after=40)
    of(bob, started)
    progress.kept.forget()
    assert "asks to wait for 40 s" in of(bob, started)
    assert asked(simulator) == 1


def test_a_tenant_that_is_paused_is_not_asked_about(
    bob: User, tenant: Tenant, started: Action, simulator: Simulator
) -> None:
    Tenant.objects.filter(pk=tenant.pk).update(paused=True)
    assert "This tenant is paused" in of(bob, started)
    assert asked(simulator) == 0


def test_strangers_and_tasks_that_are_none_are_not_there(
    bob: User, charlie: User, started: Action, simulator: Simulator
) -> None:
    assert look(charlie, f"/actions/{started.pk}/task/")[0] == 404
    assert look(charlie, f"/servers/{started.server_uuid}/tasks/")[0] == 404
    Action.objects.update(task_uuid="")
    assert look(bob, f"/actions/{started.pk}/task/")[0] == 404
    assert asked(simulator) == 0


def test_a_busy_server_shows_what_keeps_it_busy(victor: User, started: Action, polled: Poll) -> None:
    polled()
    status, html = look(victor, f"/servers/{started.server_uuid}/tasks/")
    assert status == 200
    assert started.task_uuid in html
    assert "<progress" in html


def test_a_server_at_rest_has_no_task(victor: User, server: Server, simulator: Simulator) -> None:
    assert "No task is running." in look(victor, f"/servers/{server.uuid}/tasks/")[1]
    assert asked(simulator) == 0


def test_the_pages_load_it_and_lead_to_it_without_a_script(victor: User, started: Action, polled: Poll) -> None:
    polled()
    action = look(victor, f"/actions/{started.pk}/", Accept="text/html")[1]
    assert f'hx-get="/actions/{started.pk}/task/" hx-trigger="load"' in action
    assert f'<a href="/actions/{started.pk}/task/">' in action
    server = look(victor, f"/servers/{started.server_uuid}/", Accept="text/html")[1]
    assert f'hx-get="/servers/{started.server_uuid}/tasks/" hx-trigger="load"' in server
    whole = look(victor, f"/actions/{started.pk}/task/", Accept="text/html")[1]
    assert "<!doctype html>" in whole
    assert "Running" in whole
