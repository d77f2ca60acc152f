"""The pages of a second admin's word. Alice asks, Dora is the other admin; the rest are as everywhere."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from drdash.cloud.records import RecoveryPoint, Server
from drdash.failover import approvals
from drdash.failover.actions import preview
from drdash.failover.guard import Kind
from drdash.failover.models import Approval, Consent
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Membership, Tenant
from drdash.tenants.roles import Role
from drdash.web.proving import SECONDS
from tests.stack import Poll

WHY = "The data centre burns: it has to run in the cloud."
NO = {"said": "The plan says otherwise."}


@pytest.fixture
def dora(tenant: Tenant) -> User:
    Tenant.objects.filter(pk=tenant.pk).update(two_persons=True)
    tenant.refresh_from_db()
    user = User.objects.create_user("dora", password="dora")
    Membership.objects.create(user=user, tenant=tenant, role=Role.ADMIN)
    return user


Ask = Callable[..., Approval]


@pytest.fixture
def ask(tenant: Tenant, server: Server, alice: User, dora: User) -> Ask:
    def asked(user: User = alice, point: RecoveryPoint | None = None) -> Approval:
        seen = preview(user=user, tenant=tenant, server=server, kind=Kind.START_PROD)
        return approvals.ask(
            user=user,
            tenant=tenant,
            server=server,
            kind=Kind.START_PROD,
            point=point,
            verdict=seen.verdict,
            seen=seen.sighting,
            why=WHY,
            now=timezone.now(),
        )

    return asked


def of(person: User) -> Client:
    """A person who signed in just now."""
    client, name = Client(), person.get_username()
    client.post("/login/", {"username": name, "password": name})
    return client


def text(client: Client, path: str, status: int = 200, **headers: Any) -> str:
    answer = client.get(path, **headers)
    assert answer.status_code == status, (path, answer.status_code)
    return answer.content.decode()


def at(approval: Approval, deed: str = "") -> str:
    return f"/approvals/{approval.pk}/{deed and deed + '/'}"


def state(approval: Approval) -> str:
    return Approval.objects.get(pk=approval.pk).state


def grown_old(client: Client) -> None:
    """The sign-in is longer ago than what counts as just now."""
    session = client.session
    session["proven_at"] = session["proven_at"] - SECONDS - 1
    session.save()


def test_another_admin_sees_what_was_asked_and_approves_it(ask: Ask, dora: User, alice: User, server: Server) -> None:
    approval = ask(point=RecoveryPoint(backup_id="b-1", archive_id="a-1", vault_id="v-1"))
    client = of(dora)
    page = text(client, at(approval))
    for told in (WHY, "Asked by", "alice", f"Approve: start production of {server.name}", "archive a-1, backup b-1"):
        assert told in page
    answer = client.post(at(approval, "give"), {"said": "Go."})
    assert (answer.status_code, answer.headers["Location"]) == (302, at(approval))
    assert state(approval) == Consent.GIVEN
    assert "Go on: start production of" in text(of(alice), at(approval))
    assert "Go on" not in text(client, at(approval))
    assert "Take back the approval" in text(client, at(approval))


def test_who_asked_has_no_form_to_approve_with_and_no_way_without_one(ask: Ask, alice: User) -> None:
    approval = ask()
    asker, herself = of(alice), of(alice)
    page = text(asker, at(approval))
    assert "Approve:" not in page
    assert "Withdraw it" in page
    for deed in ("give", "decline"):
        answer = herself.post(at(approval, deed), NO)
        assert answer.status_code == 409
        assert "asked for themselves" in answer.content.decode()
    assert state(approval) == Consent.ASKED


def test_who_is_no_admin_answers_nothing_and_others_see_nothing(
    ask: Ask, bob: User, victor: User, charlie: User, dora: User
) -> None:
    approval = ask()
    for person in (bob, victor):
        page = text(of(person), at(approval))
        assert WHY in page
        assert "Approve:" not in page
        for deed in ("give", "decline", "withdraw"):
            assert of(person).post(at(approval, deed), NO).status_code == 403
    text(of(charlie), at(approval), 404)
    assert WHY not in text(of(charlie), "/approvals/")
    for deed in ("give", "decline", "withdraw"):
        assert of(charlie).post(at(approval, deed), NO).status_code == 404
        assert Client().post(at(approval, deed), NO).status_code == 302
        assert of(dora).get(at(approval, deed)).status_code == 405
    assert of(dora).post(at(approval, "withdraw")).status_code == 403
    assert of(dora).post(at(approval, "take"), NO).status_code == 404
    assert Client(enforce_csrf_checks=True).post(at(approval, "give"), NO).status_code == 403
    assert state(approval) == Consent.ASKED


def test_an_old_sign_in_asks_for_the_password(ask: Ask, dora: User) -> None:
    approval, client = ask(), of(dora)
    assert "give-password" not in text(client, at(approval))
    grown_old(client)
    assert "give-password" in text(client, at(approval))
    for given in ({}, {"password": "wrong"}):
        answer = client.post(at(approval, "give"), given)
        assert answer.status_code == 409
        assert "password" in answer.content.decode()
    assert state(approval) == Consent.ASKED
    assert client.post(at(approval, "give"), {"password": "dora"}).status_code == 302
    assert state(approval) == Consent.GIVEN


def test_what_changed_is_shown_and_cannot_be_approved(
    ask: Ask, dora: User, server: Server, simulator: Simulator, polled: Poll
) -> None:
    approval, client = ask(), of(dora)
    simulator.force_server(server.uuid, issues=[["VPNIPSecNotConfigured", "WARNING", None]])
    page = text(client, at(approval))
    assert "It is not what alice saw" in page
    assert "VPNIPSecNotConfigured" in page
    assert "Approve:" not in page
    answer = client.post(at(approval, "give"))
    assert answer.status_code == 409
    assert "new: VPNIPSecNotConfigured (warning)" in answer.content.decode()
    assert state(approval) == Consent.VOID


def test_a_cloud_that_does_not_answer_voids_nothing(ask: Ask, dora: User, simulator: Simulator) -> None:
    approval, client = ask(), of(dora)
    simulator.fail("500", times=None)
    page = text(client, at(approval))
    assert "It could not go now" in page
    assert "Approve:" not in page
    assert client.post(at(approval, "give")).status_code == 409
    assert state(approval) == Consent.ASKED


def test_it_is_declined_with_words(ask: Ask, dora: User, alice: User) -> None:
    approval, client = ask(), of(dora)
    answer = client.post(at(approval, "decline"), {"said": "no\0"})
    assert answer.status_code == 409
    assert "10 characters" in answer.content.decode()
    assert client.post(at(approval, "decline"), {"said": "x" * 5000}).status_code == 302
    approval.refresh_from_db()
    assert (approval.state, len(approval.said)) == (Consent.DECLINED, 2000)
    assert "Declined" in text(of(alice), at(approval))


def test_who_asked_withdraws_it_once(ask: Ask, alice: User) -> None:
    approval, client = ask(), of(alice)
    assert client.post(at(approval, "withdraw")).status_code == 302
    assert state(approval) == Consent.WITHDRAWN
    assert client.post(at(approval, "withdraw")).status_code == 409


def test_the_list_has_what_waits_for_me_what_i_asked_and_the_rest(ask: Ask, alice: User, dora: User) -> None:
    assert "Nobody asked for an approval yet." in text(of(dora), "/approvals/")
    approval = ask()
    waits = text(of(dora), "/approvals/")
    assert "Waits for your word" in waits
    assert "You asked for" in text(of(alice), "/approvals/")
    approvals.withdraw(approval, by=alice, now=timezone.now())
    assert "Waits for your word" not in (earlier := text(of(dora), "/approvals/"))
    assert WHY in earlier
    assert 'href="/approvals/"' in earlier


def test_the_list_says_what_time_did(ask: Ask, dora: User) -> None:
    approval = ask()
    Approval.objects.filter(pk=approval.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert "Expired" in text(of(dora), "/approvals/")
    assert state(approval) == Consent.EXPIRED


def test_the_page_that_waits_is_told_without_a_word_to_the_cloud(
    ask: Ask, alice: User, dora: User, simulator: Simulator
) -> None:
    approval, client = ask(), of(alice)
    page = text(client, at(approval))
    part: dict[str, Any] = {"HTTP_HX_REQUEST": "true", "HTTP_HX_TARGET": "panel"}
    have = page.split("?have=")[1].split('"')[0]
    simulator.forget_requests()
    assert client.get(f"{at(approval)}?have={have}", **part).status_code == 204
    seen = preview(user=dora, tenant=approval.tenant, server=_server(approval), kind=Kind.START_PROD)
    approvals.give(approval, by=dora, said="", verdict=seen.verdict, seen=seen.sighting, now=timezone.now())
    simulator.forget_requests()
    told = text(client, f"{at(approval)}?have={have}", **part)
    assert "Go on:" in told
    assert "<html" not in told
    assert not simulator.requests


def _server(approval: Approval) -> Server:
    from tests.stack import at_rest

    return at_rest(approval.tenant)


def test_there_is_no_way_to_the_pages_where_nobody_needs_them(tenant: Tenant, server: Server, alice: User) -> None:
    assert 'href="/approvals/"' not in text(of(alice), "/servers/")
