"""A failover by the JSON API: at most one request to the cloud, and an answer that says what came of it."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.contrib.auth.models import User

from drdash.cloud.records import Server
from drdash.failover.actions import AT_ONCE, _slots
from drdash.failover.models import Action, State
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Tenant
from tests.stack import Poll
from tests.web.asking import POINT, Program, in_its_own_thread

FIELDS = {
    "id",
    "action",
    "server",
    "state",
    "requested_by",
    "requested_at",
    "sent_at",
    "finished_at",
    "task_uuid",
    "error",
}


def test_a_test_failover_is_started_followed_and_stopped(
    simulator: Simulator, polled: Poll, server: Server, bob: User
) -> None:
    program = Program(bob)
    answer = program.act(server.uuid)
    assert answer.status_code == 201, answer.content
    started = answer.json()
    assert set(started) == FIELDS
    assert (started["action"], started["state"], started["requested_by"]) == ("start_failover_test", "accepted", "bob")
    assert (started["server"], started["error"], started["finished_at"]) == (server.uuid, None, None)
    assert started["task_uuid"]
    assert answer.headers["Location"] == f"/api/v1/actions/{started['id']}/"
    assert program.read(f"actions/{started['id']}/") == started
    polled()
    simulator.advance(120)
    polled()
    assert program.read(f"actions/{started['id']}/")["state"] == "succeeded"
    one = program.read(f"servers/{server.uuid}/")
    assert (one["status"], one["actions"]["stop_failover"]["allowed"]) == ("FAILOVER_TEST", True)
    stopped = program.act(server.uuid.upper(), "stop_failover")
    assert (stopped.status_code, stopped.json()["state"]) == (201, "accepted")
    assert [post.body for post in simulator.posts] == ["{}", "{}"]


def test_a_recovery_point_goes_to_the_cloud_as_it_was_given(
    simulator: Simulator, polled: Poll, server: Server, bob: User
) -> None:
    assert Program(bob).act(server.uuid, recovery_point=POINT).status_code == 201
    assert [json.loads(post.body) for post in simulator.posts] == [{"recovery_point": POINT}]


def test_production_wants_the_servers_name(
    simulator: Simulator, polled: Poll, server: Server, tenant: Tenant, alice: User
) -> None:
    for confirm in ({}, {"confirm": ""}, {"confirm": server.name.upper()}):
        answer = Program(alice, tenant).act(server.uuid, "start_failover_prod", **confirm)
        assert answer.status_code == 400
        assert server.name in answer.json()["detail"]
    assert (simulator.posts, Action.objects.count()) == ([], 0)
    answer = Program(alice, tenant).act(server.uuid, "start_failover_prod", confirm=server.name)
    assert (answer.status_code, answer.json()["state"]) == (201, "accepted")


def test_the_guard_refuses_on_what_it_reads_anew_with_every_reason(
    simulator: Simulator, polled: Poll, server: Server, bob: User
) -> None:
    task = "5bc9464f-87b6-4ea8-aa42-050824135e63"
    simulator.force_server(server.uuid, task=task)
    answer = Program(bob).act(server.uuid)
    assert answer.status_code == 409
    told = answer.json()
    assert set(told) == {"detail", "reasons", "action"}
    assert set(told["action"]) == FIELDS
    assert (told["action"]["state"], told["action"]["sent_at"]) == ("refused", None)
    assert {"TaskRunning", "ResourceBusy"} <= {reason["code"] for reason in told["reasons"]}
    assert task in {one for reason in told["reasons"] for one in reason["task_uuids"]}
    assert simulator.posts == []


def test_what_asks_for_a_nod_goes_with_it_alone(simulator: Simulator, polled: Poll, server: Server, bob: User) -> None:
    simulator.force_server(server.uuid, issues=[["VPNGatewayUnreachable", "WARNING", None]])
    polled()
    offer = Program(bob).read(f"servers/{server.uuid}/")["actions"]["start_failover_test"]
    assert (offer["allowed"], offer["acknowledge"]) == (True, ["VPNGatewayUnreachable"])
    refused = Program(bob).act(server.uuid)
    assert refused.status_code == 409
    assert "NotAcknowledged" in {reason["code"] for reason in refused.json()["reasons"]}
    assert Program(bob).act(server.uuid, acknowledge=offer["acknowledge"]).status_code == 201
    assert len(simulator.posts) == 1


def test_an_outcome_that_nobody_knows_is_told_and_blocks_the_server_for_everyone(
    simulator: Simulator, polled: Poll, server: Server, alice: User, bob: User
) -> None:
    simulator.fail("504", method="POST", path=":start_failover_test", after_effect=True)
    answer = Program(bob).act(server.uuid, idempotency_key="k")
    assert (answer.status_code, answer.json()["state"]) == (201, "unknown")
    assert answer.json()["error"]
    assert Program(bob).act(server.uuid, idempotency_key="k").json()["id"] == answer.json()["id"]
    simulator.advance(600)
    polled()
    for user in (alice, bob):
        offers = Program(user).read(f"servers/{server.uuid}/")["actions"]
        assert not offers["start_failover_test"]["allowed"]
        assert not offers["start_failover_prod"]["allowed"]
        refused = Program(user).act(server.uuid)
        assert refused.status_code == 409
        assert "OurStartUnknown" in {reason["code"] for reason in refused.json()["reasons"]}
    assert len(simulator.posts) == 1
    assert Program(alice).read(f"actions/{answer.json()['id']}/")["state"] == "unknown"


def test_the_clouds_own_refusal_is_an_outcome(simulator: Simulator, polled: Poll, server: Server, bob: User) -> None:
    simulator.fail("403", method="POST", path=":start_failover_test")
    answer = Program(bob).act(server.uuid)
    assert (answer.status_code, answer.json()["state"]) == (201, "refused")
    assert "403" in answer.json()["error"]


def test_a_cloud_that_cannot_be_asked_gets_no_request(
    simulator: Simulator, polled: Poll, server: Server, bob: User
) -> None:
    simulator.fail("500", method="GET", times=None)
    answer = Program(bob).act(server.uuid)
    assert answer.status_code == 409
    assert "ReadFailed" in {reason["code"] for reason in answer.json()["reasons"]}
    assert simulator.posts == []


def test_too_many_at_once_are_told_to_come_again(polled: Poll, server: Server, bob: User) -> None:
    for _ in range(AT_ONCE):
        assert _slots.acquire(blocking=False)
    try:
        answer = Program(bob).act(server.uuid)
    finally:
        _slots.release(AT_ONCE)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    assert "try again" in answer.json()["detail"]
    assert Action.objects.count() == 0


WRONG: list[tuple[str, Any, str]] = [
    ("action", "start_failover", "action"),
    ("action", None, "action"),
    ("action", ["stop_failover"], "action"),
    ("idempotency_key", "", "idempotency_key"),
    ("idempotency_key", "x" * 101, "idempotency_key"),
    ("idempotency_key", "a b", "idempotency_key"),
    ("idempotency_key", "a\n", "key"),
    ("idempotency_key", 7, "idempotency_key"),
    ("recovery_point", None, "recovery_point"),
    ("recovery_point", {}, "recovery_point"),
    ("recovery_point", {"backup_id": "b", "archive_id": "a"}, "recovery_point"),
    ("recovery_point", POINT | {"vault_id": ""}, "recovery_point"),
    ("recovery_point", POINT | {"vault_id": None}, "recovery_point"),
    ("recovery_point", POINT | {"vault_id": "V 1"}, "recovery_point"),
    ("recovery_point", POINT | {"vault_id": "V1\n"}, "recovery point"),
    ("recovery_point", POINT | {"more": "x"}, "recovery_point"),
    ("recovery_point", "latest", "recovery_point"),
    ("acknowledge", "VPN", "acknowledge"),
    ("acknowledge", [7], "acknowledge"),
    ("acknowledge", ["\0"], "acknowledge"),
    ("acknowledge", ["a"] * 101, "acknowledge"),
    ("confirm", True, "confirm"),
    ("seen", "7", "seen"),
    ("seen", -1, "seen"),
    ("seen", 1.5, "seen"),
    ("force", True, "force"),
    ("password", "", "password"),
    ("password", 7, "password"),
    ("break_glass", None, "break_glass"),
    ("break_glass", {"reason": "x" * 20}, "password"),
    ("break_glass", {"reason": "x" * 19, "password": "p"}, "break_glass"),
]


def test_a_wish_that_is_wrong_is_refused_by_name(simulator: Simulator, polled: Poll, server: Server, bob: User) -> None:
    for field, value, named in WRONG:
        answer = Program(bob).act(server.uuid, **{"action": "start_failover_test", field: value})
        assert answer.status_code == 400, (field, value, answer.content)
        assert named in answer.json()["detail"], (field, value)
        assert (simulator.posts, Action.objects.count()) == ([], 0), (field, value)


def test_a_stop_takes_no_recovery_point(simulator: Simulator, polled: Poll, server: Server, bob: User) -> None:
    answer = Program(bob).act(server.uuid, "stop_failover", recovery_point=POINT)
    assert answer.status_code == 400
    assert "recovery point" in answer.json()["detail"]
    assert Action.objects.count() == 0


def test_an_unknown_server_is_not_found(polled: Poll, alice: User) -> None:
    for uuid in ("00000000-0000-4000-8000-000000000000", "x", "\ud7ff", "a/b"):
        answer = Program(alice).act(uuid)
        assert answer.status_code == 404
        assert "server" in answer.json()["detail"]


def test_the_record_is_committed_before_the_request_arrives(
    simulator: Simulator, polled: Poll, server: Server, bob: User
) -> None:
    simulator.fail("hang", method="POST", path=":start_failover_test")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(in_its_own_thread, lambda: Program(bob).act(server.uuid))
        assert simulator.arrived(method="POST", path=":start_failover_test")
        (meanwhile,) = Program(bob).read("actions/")["results"]
        assert meanwhile["state"] == State.SENDING
        assert not Program(bob).read(f"servers/{server.uuid}/")["actions"]["start_failover_test"]["allowed"]
        simulator.release()
        assert answer.result().json()["id"] == meanwhile["id"]
