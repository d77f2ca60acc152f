"""A failover by the JSON API: at most one request to the cloud, and an answer that says what came of it."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.middleware.csrf import get_token
from django.test import Client, RequestFactory
from django.utils import timezone
from rest_framework.authtoken.models import Token

from drdash.audit.models import Entry
from drdash.cloud.records import Server
from drdash.failover.actions import AT_ONCE, _slots
from drdash.failover.models import Action, State
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Membership, Tenant
from drdash.tenants.roles import Role
from drdash.web import tokens
from tests.stack import Poll
from tests.web.asking import Answer, Program
from tests.web.opening import opened

POINT = {"backup_id": "b-1", "archive_id": "a@1", "vault_id": "V1"}
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


def test_a_token_runs_production_only_where_an_admin_says_so(simulator: Simulator, server: Server, alice: User) -> None:
    for more in ({}, {"password": "alice"}):
        answer = Program(alice).act(server.uuid, "start_failover_prod", confirm=server.name, **more)
        assert answer.status_code == 403
        told = answer.json()
        assert [reason["code"] for reason in told["reasons"]] == ["TokenNoProduction"]
        assert told["action"]["state"] == "refused"
        assert Entry.objects.filter(action=told["action"]["id"]).count() == 2
    assert simulator.posts == []
    assert Program(alice).act(server.uuid).status_code == 201  # a test asks for no such right


@pytest.mark.parametrize("deed", [tokens.take_back, tokens.revoke])
def test_a_token_that_loses_its_right_while_the_cloud_is_read_sends_nothing(
    simulator: Simulator, server: Server, tenant: Tenant, alice: User, deed: Callable[..., object]
) -> None:
    program = Program(alice, tenant)

    def act() -> Answer:
        try:
            return program.act(server.uuid, "start_failover_prod", confirm=server.name)
        finally:
            connections.close_all()

    simulator.forget_requests()
    simulator.fail("hang", method="GET", path="/servers")
    with ThreadPoolExecutor(1) as other:
        acted = other.submit(act)
        assert simulator.arrived(method="GET", path="/servers")
        deed(alice, tenant=tenant, by=alice)
        simulator.release()
        answer = acted.result()
    assert (answer.status_code, simulator.posts) == (409, [])
    assert [reason["code"] for reason in answer.json()["reasons"]] == ["Changed"]


def test_a_stop_of_production_wants_the_right_too(
    simulator: Simulator, server: Server, tenant: Tenant, alice: User
) -> None:
    simulator.force_server(server.uuid, status="FAILOVER_PROD")
    wish = {"confirm": server.name, "acknowledge": ["ProductionStop"]}
    refused = Program(alice).act(server.uuid, "stop_failover", **wish)
    assert (refused.status_code, simulator.posts) == (403, [])
    assert "TokenNoProduction" in {reason["code"] for reason in refused.json()["reasons"]}
    assert Program(alice, tenant).act(server.uuid, "stop_failover", **wish).status_code == 201


def test_a_session_that_is_old_gives_the_password_for_production(
    simulator: Simulator, server: Server, alice: User
) -> None:
    session = opened(alice, server)
    session.grow_old()

    def act(**more: object) -> Answer:
        wish = {"action": "start_failover_prod", "confirm": server.name, "idempotency_key": uuid4().hex, **more}
        return session.client.post(f"/api/v1/servers/{server.uuid}/actions/", wish, content_type="application/json")

    unproven, wrong = act(), act(password="guess")
    assert (unproven.status_code, unproven.json()["action"]["state"]) == (403, "refused")
    assert [reason["code"] for reason in unproven.json()["reasons"]] == ["SignInAgain"]
    assert (wrong.status_code, wrong.json()["action"]) == (403, None)
    assert [reason["code"] for reason in wrong.json()["reasons"]] == ["WrongPassword"]
    assert simulator.posts == []
    assert act(password="alice").status_code == 201


def test_a_password_beside_a_token_proves_nobody_elses_session(
    simulator: Simulator, server: Server, alice: User, bob: User
) -> None:
    session = opened(alice, server)
    session.grow_old()
    path, token = f"/api/v1/servers/{server.uuid}/actions/", Token.objects.create(user=bob)
    for wish, headers, status in (
        ({"action": "start_failover_test", "password": "bob"}, {"Authorization": f"Token {token.key}"}, 201),
        ({"action": "start_failover_prod", "confirm": server.name}, {}, 403),
    ):
        asked = {"idempotency_key": uuid4().hex, **wish}
        answer = session.client.post(path, asked, content_type="application/json", headers=headers)
        assert answer.status_code == status
    assert [reason["code"] for reason in answer.json()["reasons"]] == ["SignInAgain"]


def test_a_role_that_may_not_is_told_so_and_it_is_on_record(
    simulator: Simulator, polled: Poll, server: Server, bob: User, victor: User
) -> None:
    for user, action, code in (
        (victor, "start_failover_test", "RoleViewer"),
        (bob, "start_failover_prod", "RoleOperator"),
    ):
        answer = Program(user).act(server.uuid, action, confirm=server.name)
        assert answer.status_code == 403
        told = answer.json()
        assert told["detail"]
        assert [reason["code"] for reason in told["reasons"]] == [code]
        assert set(told["reasons"][0]) == {"code", "message", "remedy", "task_uuids"}
        assert (told["action"]["state"], told["action"]["requested_by"]) == ("refused", user.username)
        assert Entry.objects.filter(action=told["action"]["id"]).count() == 2
    assert simulator.posts == []


def test_what_a_person_may_not_do_is_written_down_so_often_and_holds_up_nothing_that_they_may(
    simulator: Simulator, polled: Poll, server: Server, bob: User, alice: User
) -> None:
    program = Program(bob)
    asked = [program.act(server.uuid, "start_failover_prod", confirm=server.name) for _ in range(21)]
    assert [answer.status_code for answer in asked] == [403] * 20 + [429]
    assert (asked[-1].headers["Retry-After"], Action.objects.count()) == ("60", 20)
    assert program.act(server.uuid).json()["state"] == "accepted"
    assert len(simulator.posts) == 1
    Action.objects.update(requested_at=timezone.now() - timedelta(minutes=1))
    assert program.act(server.uuid, "start_failover_prod", confirm=server.name).status_code == 403


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


def test_the_same_key_is_the_same_action(simulator: Simulator, polled: Poll, server: Server, bob: User) -> None:
    first = Program(bob).act(server.uuid, idempotency_key="k", acknowledge=["B", "A"])
    again = Program(bob).act(server.uuid, idempotency_key="k", acknowledge=["A", "B", "A"])
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    other = Program(bob).act(server.uuid, idempotency_key="k", recovery_point=POINT)
    assert other.status_code == 409
    assert "key" in other.json()["detail"]
    assert (other.json()["reasons"], other.json()["action"]) == ([], None)
    assert len(simulator.posts) == 1


def test_a_refusal_sent_again_is_the_same_refusal(
    simulator: Simulator, polled: Poll, server: Server, victor: User
) -> None:
    first = Program(victor).act(server.uuid, idempotency_key="k")
    again = Program(victor).act(server.uuid, idempotency_key="k")
    assert (first.status_code, again.status_code) == (403, 200)
    assert again.json() == first.json()["action"]


def test_each_person_has_keys_of_their_own(polled: Poll, server: Server, alice: User, bob: User) -> None:
    assert Program(bob).act(server.uuid, idempotency_key="k").status_code == 201
    refused = Program(alice).act(server.uuid, idempotency_key="k")
    assert refused.status_code == 409
    assert "OurActionOpen" in {reason["code"] for reason in refused.json()["reasons"]}


def test_two_at_the_same_moment_with_one_key_are_one_action(
    simulator: Simulator, polled: Poll, server: Server, bob: User
) -> None:
    answers = at_once([lambda: Program(bob).act(server.uuid, idempotency_key="k")] * 2)
    assert sorted(answer.status_code for answer in answers) == [200, 201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(simulator.posts) == 1


def test_two_people_at_the_same_moment_send_one_request(
    simulator: Simulator, polled: Poll, server: Server, alice: User, bob: User
) -> None:
    answers = at_once([lambda: Program(alice).act(server.uuid), lambda: Program(bob).act(server.uuid)])
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    refused = next(answer.json() for answer in answers if answer.status_code == 409)
    assert refused["action"]["state"] == "refused"
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


def test_a_change_since_the_version_that_was_seen_stops_the_action(
    simulator: Simulator, polled: Poll, server: Server, bob: User
) -> None:
    seen = Program(bob).read("servers/")["estate"][0]["version"]
    simulator.force_server(server.uuid, issues=[["VPNGatewayUnreachable", "WARNING", None]])
    nod = {"acknowledge": ["VPNGatewayUnreachable"], "seen": seen}
    on_the_click = Program(bob).act(server.uuid, **nod)
    assert on_the_click.status_code == 409
    assert "Changed" in {reason["code"] for reason in on_the_click.json()["reasons"]}
    polled()
    before_it = Program(bob).act(server.uuid, **nod)
    assert before_it.status_code == 409
    assert [reason["code"] for reason in before_it.json()["reasons"]] == ["Changed"]
    assert before_it.json()["action"] is None
    assert simulator.posts == []
    seen = Program(bob).read("servers/")["estate"][0]["version"]
    assert Program(bob).act(server.uuid, **(nod | {"seen": seen})).status_code == 201


def test_a_change_of_its_site_counts_too(simulator: Simulator, polled: Poll, server: Server, bob: User) -> None:
    seen = Program(bob).read(f"servers/{server.uuid}/")["estate"]["version"]
    simulator.force_site(server.site_uuid, issues=[["VPNS2SConnectionFailure", "WARNING", None]])
    polled()
    answer = Program(bob).act(server.uuid, acknowledge=["VPNS2SConnectionFailure"], seen=seen)
    assert [reason["code"] for reason in answer.json()["reasons"]] == ["Changed"]


def test_a_repeat_is_answered_though_the_server_has_changed_by_it(
    simulator: Simulator, polled: Poll, server: Server, bob: User
) -> None:
    seen = Program(bob).read("servers/")["estate"][0]["version"]
    first = Program(bob).act(server.uuid, idempotency_key="k", seen=seen)
    polled()
    again = Program(bob).act(server.uuid, idempotency_key="k", seen=seen)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]


def test_a_session_needs_its_csrf_token(simulator: Simulator, polled: Poll, server: Server, bob: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(bob)
    path = f"/api/v1/servers/{server.uuid}/actions/"
    wish = json.dumps({"action": "start_failover_test", "idempotency_key": "k"})
    refused = client.post(path, wish, content_type="application/json")
    assert refused.status_code == 403
    assert "CSRF" in refused.json()["detail"]
    assert Action.objects.count() == 0
    request = RequestFactory().get("/")
    token = get_token(request)
    client.cookies["drdash_csrf"] = request.META["CSRF_COOKIE"]
    answer = client.post(path, wish, content_type="application/json", headers={"X-CSRFToken": token})
    assert answer.status_code == 201


def test_a_membership_that_ends_ends_it_at_once(polled: Poll, server: Server, bob: User, tenant: Tenant) -> None:
    Membership.objects.filter(user=bob, tenant=tenant).update(role=Role.VIEWER)
    assert Program(bob).act(server.uuid).status_code == 403
    Membership.objects.filter(user=bob, tenant=tenant).delete()
    assert Program(bob).act(server.uuid).status_code == 404


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


def at_once(asking: list[Any]) -> list[Answer]:
    """What each of them is answered, all sent at the same moment."""
    ready = Barrier(len(asking))

    def ask(one: Any) -> Answer:
        ready.wait(10)
        return in_its_own_thread(one)

    with ThreadPoolExecutor(len(asking)) as pool:
        return list(pool.map(ask, asking))


def in_its_own_thread(one: Any) -> Answer:
    try:
        return one()
    finally:
        connections.close_all()
