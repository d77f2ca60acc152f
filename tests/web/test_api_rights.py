"""Who may act by the JSON API: roles, tokens that run production, and sessions that prove themselves."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
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
from drdash.failover.models import Action
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Membership, Tenant
from drdash.tenants.roles import Role
from drdash.web import tokens
from tests.stack import Poll
from tests.web.asking import Answer, Program
from tests.web.opening import opened


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
