"""The pages of a second admin's word. Alice asks, Dora is the other admin; the rest are as everywhere."""

from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from drdash.cloud.records import RecoveryPoint, Server
from drdash.estate.store import store
from drdash.failover import approvals
from drdash.failover.actions import preview
from drdash.failover.guard import Kind
from drdash.failover.models import Approval, Consent, State
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Membership, Tenant
from drdash.tenants.roles import Role
from drdash.web.proving import SECONDS
from tests.stack import Poll, at_rest
from tests.web.asking import Program
from tests.web.opening import HTMX, Shown, opened, posts

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
    assert "made from now on" not in page
    answer = client.post(at(approval, "give"), {"said": "Go."})
    assert (answer.status_code, answer.headers["Location"]) == (302, at(approval))
    assert state(approval) == Consent.GIVEN
    assert "Go on: start production of" in text(of(alice), at(approval))
    assert "Go on" not in text(client, at(approval))
    assert "Take back the approval" in text(client, at(approval))


def test_whoever_approves_the_latest_is_told_that_it_may_be_a_newer_one(ask: Ask, dora: User) -> None:
    assert "the newest that the cloud has when it goes, also one that is made from now on" in text(of(dora), at(ask()))


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
    assert "new issues: VPNIPSecNotConfigured (warning)" in answer.content.decode()
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
    told = "Waits for your approval"
    assert (told in text(of(dora), "/servers/"), told in text(of(alice), "/servers/")) == (True, False)
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
    seen = preview(user=dora, tenant=approval.tenant, server=at_rest(approval.tenant), kind=Kind.START_PROD)
    approvals.give(approval, by=dora, said="", verdict=seen.verdict, seen=seen.sighting, now=timezone.now())
    simulator.forget_requests()
    told = text(client, f"{at(approval)}?have={have}", **part)
    assert "Go on:" in told
    assert "<html" not in told
    assert not simulator.requests


def test_there_is_no_way_to_the_pages_where_nobody_needs_them(tenant: Tenant, server: Server, alice: User) -> None:
    assert 'href="/approvals/"' not in text(of(alice), "/servers/")


# ---- from an action's dialog


def test_an_admin_asks_another_approves_and_the_first_goes_on_once(
    simulator: Simulator, server: Server, alice: User, dora: User
) -> None:
    asking = opened(alice, server, "start_failover_prod")
    assert "Ask for approval: start production of" in asking.html
    assert 'name="confirm"' not in asking.html
    to = sent(asking, why=WHY)
    assert to.startswith("/approvals/")
    waiting = opened(alice, server, "start_failover_prod")
    assert "Waits for a second admin" in waiting.html
    assert of(dora).post(f"{to}give/").status_code == 302
    going = opened(alice, server, "start_failover_prod")
    assert "dora approved it" in going.html
    status, _, _ = going.send(confirm=server.name)
    assert status == 200
    approval = Approval.objects.get()
    assert (approval.state, approval.action.state) == (Consent.USED, State.ACCEPTED)
    assert f"/actions/{approval.action.pk}/" in text(of(alice), to)
    assert len(posts(simulator)) == 1
    status, _, _ = going.send(confirm=server.name)
    assert (status, len(posts(simulator))) == (200, 1), "the same form is the same action"


def test_the_recovery_point_that_was_approved_is_the_one_that_goes(
    simulator: Simulator, server: Server, alice: User, dora: User
) -> None:
    ids = {"point": "ids", "backup_id": "b-1", "archive_id": "a-1", "vault_id": "v-1"}
    to = sent(opened(alice, server, "start_failover_prod"), why=WHY, **ids)
    of(dora).post(f"{to}give/")
    going = opened(alice, server, "start_failover_prod")
    fixed = going.fields["point"] = unescape(going.html.split('name="point" value="')[1].split('"')[0])
    for other in ("latest", fixed.replace("b-1", "b-2")):
        status, html, _ = opened(alice, server, "start_failover_prod").send(confirm=server.name, point=other)
        assert (status, posts(simulator)) == (409, [])
        assert "The approval is for something else." in html
    assert going.send(confirm=server.name)[0] == 200
    (post,) = simulator.posts
    assert '"backup_id":"b-1"' in post.body


def test_an_approval_for_another_server_or_person_lets_nothing_go(
    simulator: Simulator, tenant: Tenant, server: Server, alice: User, dora: User, ask: Ask
) -> None:
    approval = ask()
    of(dora).post(at(approval, "give"))
    by_dora = opened(dora, server, "start_failover_prod")
    assert "Ask for approval" in by_dora.html
    fields = {"confirm": server.name, "approval": approval.pk, "original": "OriginalOff"}
    status, html, _ = by_dora.send(**fields)
    assert status == 409
    assert "The approval is for something else." in html
    estate = store().load(tenant.pk)
    other = next(one.record for _, one in sorted(estate.servers.items()) if one.record.name != server.name)
    status, _, _ = opened(alice, other, "start_failover_prod").send(**{**fields, "confirm": other.name})
    assert status in (409, 422)
    assert posts(simulator) == []
    assert state(approval) == Consent.GIVEN


def test_what_changed_after_the_yes_voids_it_and_is_asked_for_anew(
    simulator: Simulator, server: Server, alice: User, dora: User, ask: Ask
) -> None:
    approval = ask()
    of(dora).post(at(approval, "give"))
    going = opened(alice, server, "start_failover_prod")
    simulator.force_server(server.uuid, issues=[["VPNIPSecNotConfigured", "WARNING", None]])
    status, _, _ = going.send(confirm=server.name, acknowledge="VPNIPSecNotConfigured")
    assert (status, posts(simulator), state(approval)) == (409, [], Consent.VOID)
    again = opened(alice, server, "start_failover_prod")
    assert "Ask for approval" in again.html


def test_what_changed_before_it_is_asked_for_is_shown_first(
    simulator: Simulator, server: Server, alice: User, dora: User
) -> None:
    asking = opened(alice, server, "start_failover_prod")
    simulator.force_server(server.uuid, issues=[["VPNIPSecNotConfigured", "WARNING", None]])
    asking.path = asking.path.replace("/actions/", "/approval/")
    status, html, _ = asking.go_on(why=WHY)
    assert status == 409
    assert "What changed since you looked" in html
    assert WHY in html
    assert not Approval.objects.exists()
    status, html, _ = asking.go_on(why="short")
    assert "10 characters" in html
    assert sent(asking, why=WHY).startswith("/approvals/")


def test_only_admins_ask_and_only_with_a_dialog_of_their_own(
    server: Server, alice: User, bob: User, victor: User, charlie: User, dora: User
) -> None:
    path = f"/servers/{server.uuid}/approval/start_failover_prod/"
    token = opened(alice, server, "start_failover_prod").fields["token"]
    asked = {"why": WHY, "point": "latest", "token": token}
    for person, status in ((bob, 403), (victor, 403), (charlie, 404), (dora, 409)):
        assert of(person).post(path, asked).status_code == status
    assert of(alice).post(path, {**asked, "token": "forged"}).status_code == 409
    assert of(alice).post(path, {"why": WHY, "token": token}).status_code == 409, "no point is not the latest"
    assert of(alice).post(path.replace("prod", "other"), asked).status_code == 404
    assert of(alice).get(path).status_code == 405
    assert not Approval.objects.exists()
    assert of(alice).post(path, asked).status_code == 302


def test_a_test_needs_no_second_person(server: Server, alice: User, bob: User, dora: User) -> None:
    for person in (alice, bob):
        assert "approval" not in opened(person, server).html
    assert opened(bob, server).send()[0] == 200


def test_without_another_admin_the_glass_is_broken_for_a_start(
    simulator: Simulator, server: Server, alice: User, dora: User
) -> None:
    assert "?glass=1" in opened(alice, server, "start_failover_prod").html
    path = f"/servers/{server.uuid}/actions/start_failover_prod/?glass=1"
    alone = Shown(alice, server, "start_failover_prod", path, **HTMX)
    assert "What breaking the glass means" in alone.html
    reason = "Nobody else can be reached, and the data centre burns."
    status, _, _ = alone.send(confirm=server.name, why=reason, password="alice", acknowledge="NeedsApproval")
    assert (status, len(posts(simulator))) == (200, 1)


def test_a_program_needs_the_number_of_an_approval(
    simulator: Simulator, tenant: Tenant, server: Server, alice: User, dora: User, ask: Ask
) -> None:
    program = Program(alice, tenant)
    wish: dict[str, Any] = {"confirm": server.name}
    refused = program.act(server.uuid, "start_failover_prod", **wish)
    assert refused.status_code == 409
    assert [one["code"] for one in refused.json()["reasons"]] == ["NeedsApproval"]
    approval = ask()
    assert program.act(server.uuid, "start_failover_prod", approval=approval.pk, **wish).status_code == 409
    of(dora).post(at(approval, "give"))
    for wrong in (0, -1, 2**40, "1", 1.5):
        assert program.act(server.uuid, "start_failover_prod", approval=wrong, **wish).status_code == 400
    assert program.act(server.uuid, "start_failover_prod", approval=approval.pk + 1, **wish).status_code == 409
    assert posts(simulator) == []
    assert program.act(server.uuid, "start_failover_prod", approval=approval.pk, **wish).status_code == 201
    assert program.act(server.uuid, "start_failover_prod", approval=approval.pk, **wish).status_code == 409
    assert len(posts(simulator)) == 1


def sent(asking: Shown, **typed: str) -> str:
    """Where the asking leads."""
    asking.path = asking.path.replace("/actions/", "/approval/")
    status, html, headers = asking.send(**typed)
    assert status == 204, html
    return headers["HX-Redirect"]
