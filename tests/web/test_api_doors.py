"""Who is let in by the JSON API, and what is answered to whoever is not, or asks for what is not there."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from rest_framework.authtoken.models import Token

from drdash.cloud.records import Server
from drdash.failover.models import Action, State
from drdash.tenants.models import Tenant
from tests.stack import Poll
from tests.web.asking import Program, an_action

ADDRESSES = ["sites/", "sites/x/", "servers/", "servers/x/", "actions/", "actions/1/", "schema/", "nothing/", ""]


@pytest.mark.parametrize("path", ADDRESSES)
def test_the_anonymous_are_asked_for_a_token(fresh_process: None, path: str) -> None:
    answer = Client().get(f"/api/v1/{path}")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Token"
    assert answer.headers["Content-Type"] == "application/json"
    assert "Authorization: Token" in answer.json()["detail"]


@pytest.mark.parametrize("header", ["Token", "Token wrong", "Token a b", "Token \xff", "Basic YTpi", "Bearer x"])
def test_a_wrong_token_is_refused(fresh_process: None, header: str) -> None:
    answer = Client().get("/api/v1/servers/", headers={"Authorization": header})
    assert answer.status_code == 401
    assert "Authorization: Token" in answer.json()["detail"]


def test_who_was_disabled_is_refused(bob: User) -> None:
    program = Program(bob)
    bob.is_active = False
    bob.save()
    assert program.get("servers/").status_code == 401


def test_a_session_reads_as_well(polled: Poll, bob: User) -> None:
    client = Client()
    client.force_login(bob)
    assert client.get("/api/v1/servers/").json()["count"] == 40


def test_who_is_of_another_tenant_sees_nothing(
    polled: Poll, server: Server, alice: User, charlie: User, tenant: Tenant
) -> None:
    action = an_action(alice, tenant, server, State.SUCCEEDED)
    known, unknown = Program(charlie), Program(charlie)
    for path in ("servers/", "sites/", "actions/"):
        listed = known.read(path)
        assert (listed["count"], listed["results"]) == (0, [])
        assert tenant.pk not in {told["tenant"] for told in listed["estate"]}
    assert known.read("servers/", tenant=tenant.pk)["estate"] == []
    for there, not_there in (
        (f"servers/{server.uuid}/", "servers/00000000-0000-4000-8000-000000000000/"),
        (f"sites/{server.site_uuid}/", "sites/00000000-0000-4000-8000-000000000000/"),
        (f"actions/{action.pk}/", "actions/999999/"),
    ):
        assert known.get(there).status_code == unknown.get(not_there).status_code == 404
        assert known.get(there).content == unknown.get(not_there).content
    refused = known.act(server.uuid)
    assert refused.status_code == 404
    assert refused.content == unknown.act("00000000-0000-4000-8000-000000000000").content
    assert Action.objects.count() == 1


def test_a_disabled_tenant_is_not_there(polled: Poll, server: Server, alice: User, tenant: Tenant) -> None:
    assert Program(alice).get(f"servers/{server.uuid}/").status_code == 200
    tenant.enabled = False
    tenant.save()
    assert Program(alice).get(f"servers/{server.uuid}/").status_code == 404
    assert Program(alice).read("servers/")["estate"] == []


@pytest.mark.parametrize("path", ["nothing/", "servers/x/y/z/", "actions/x/", "actions/99999999999999999999/", ""])
def test_what_is_not_there_is_told_in_json(alice: User, path: str) -> None:
    for answer in (Program(alice).get(path), Program(alice).get(f"{path}?format=xml")):
        assert answer.status_code == 404
        assert "/api/v1/" in answer.json()["detail"]


def test_other_methods_are_refused_in_json(alice: User) -> None:
    client = Client(headers={"Authorization": f"Token {Token.objects.create(user=alice).key}"})
    for method in ("put", "patch", "delete", "options", "post"):
        answer = getattr(client, method)("/api/v1/servers/")
        assert answer.status_code == 405
        assert answer.json()["detail"]


def test_an_answer_is_json_whatever_is_accepted(polled: Poll, alice: User) -> None:
    headers = {"Authorization": f"Token {Token.objects.create(user=alice).key}"}
    for accept in ("text/html", "application/xml;q=1", ";;;", "*/*", "\xff"):
        answer = Client().get("/api/v1/sites/?format=xml", headers=headers | {"Accept": accept})
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
        assert answer.headers["Cache-Control"] == "private, no-store"
        assert "Access-Control-Allow-Origin" not in answer.headers
