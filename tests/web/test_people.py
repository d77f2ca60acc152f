import json
import re
from datetime import timedelta
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone

from drdash.audit.models import Entry
from drdash.audit.record import write
from drdash.tenants.models import Credential, Membership, Tenant
from drdash.tenants.roles import Role
from tests.web.seen import publish, server

PASSWORD = "correct horse battery"


@pytest.fixture
def alice(fresh_process: None) -> User:
    return User.objects.create_user("alice", password=PASSWORD)


def sign_in(client: Client, password: str = PASSWORD, **more: str) -> tuple[int, str]:
    answer = client.post("/login/", {"username": "alice", "password": password, **more})
    return answer.status_code, answer.headers.get("Location", "")


def test_signing_in_leads_to_where_one_wanted_to_go(alice: User) -> None:
    assert sign_in(Client(), next="/servers/?q=a") == (302, "/servers/?q=a")


@pytest.mark.parametrize("place", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "/\\evil.example"])
def test_signing_in_never_leads_elsewhere(alice: User, place: str) -> None:
    assert sign_in(Client(), next=place) == (302, "/")


def test_a_wrong_password_says_no_more_than_that(alice: User) -> None:
    client = Client()
    wrong = client.post("/login/", {"username": "alice", "password": "x"}).content.decode()
    nobody = client.post("/login/", {"username": "nobody", "password": "x"}).content.decode()
    assert "do not belong together" in wrong
    hidden = re.compile(r'value="[^"]*"')
    assert hidden.sub("", wrong) == hidden.sub("", nobody)


def test_signing_out_takes_a_post(alice: User) -> None:
    client = Client()
    sign_in(client)
    assert client.get("/logout/").status_code == 405
    assert client.post("/logout/").status_code == 302
    assert client.get("/").status_code == 302


def test_a_form_from_elsewhere_is_refused(alice: User) -> None:
    client = Client(enforce_csrf_checks=True)
    answer = client.post("/login/", {"username": "alice", "password": PASSWORD})
    assert answer.status_code == 403
    assert "This form is too old." in answer.content.decode()


def test_a_changed_password_ends_the_other_sessions(alice: User) -> None:
    here, there = Client(), Client()
    sign_in(here)
    sign_in(there)
    new = {"old_password": PASSWORD, "new_password1": "another long one 17", "new_password2": "another long one 17"}
    assert here.post("/password/", new).status_code == 302
    assert here.get("/").status_code == 200
    assert there.get("/").status_code == 302


def test_a_short_password_is_refused_in_words(alice: User) -> None:
    client = Client()
    sign_in(client)
    new = {"old_password": PASSWORD, "new_password1": "short", "new_password2": "short"}
    html = client.post("/password/", new).content.decode()
    assert "too short" in html
    assert 'id="id_new_password2_error"' in html, "which Django says is read with the field"


def test_who_guesses_has_to_wait_and_keeps_nobody_else_out(alice: User) -> None:
    User.objects.create_user("bob", password=PASSWORD)
    guesser = Client(REMOTE_ADDR="203.0.113.7")
    for _ in range(5):
        assert sign_in(guesser, "wrong")[0] == 200
    said = guesser.post("/login/", {"username": "alice", "password": PASSWORD})
    assert said.status_code == 200
    assert "15 minutes later" in said.content.decode()
    assert guesser.post("/admin/login/", {"username": "alice", "password": PASSWORD}).status_code == 200
    assert verbs() == ["sign-in refused"] * 5, "what is not looked at is not written down either"

    assert guesser.post("/login/", {"username": "bob", "password": PASSWORD}).status_code == 302
    assert sign_in(Client(REMOTE_ADDR="203.0.113.8"))[0] == 302


def test_after_the_wait_the_right_password_is_right_again(alice: User) -> None:
    ago = timezone.now() - timedelta(minutes=14, seconds=30)
    for _ in range(5):
        write(by=alice, verb="sign-in refused", at=ago, detail="From 127.0.0.1.")
    assert sign_in(Client())[0] == 200
    later = ago - timedelta(minutes=1)
    for _ in range(5):
        write(by=alice, verb="sign-in refused", at=later, detail="From 127.0.0.2.")
    assert sign_in(Client(REMOTE_ADDR="127.0.0.2"))[0] == 302


def test_the_admin_site_shows_no_api_token_and_changes_no_password_unseen(tenant: Tenant) -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("root", password="root"))
    assert client.get("/admin/authtoken/tokenproxy/").status_code == 404
    assert client.get("/admin/auth/group/").status_code == 404
    assert client.get("/admin/password_change/").headers["Location"] == "/password/"


def test_whoever_keeps_people_types_the_password_once_the_sign_in_is_old(tenant: Tenant, alice: User) -> None:
    root = User.objects.create_superuser("root", password=PASSWORD)
    client = Client()
    client.force_login(root)
    session = client.session
    session["proven_at"] -= 301
    session.save()
    new = {"password1": "another long one 17", "password2": "another long one 17", "usable_password": "true"}
    paths = [f"/admin/auth/user/{root.pk}/password/", f"/admin/auth/user/{alice.pk}/delete/", "/admin/auth/user/add/"]
    for path in [*paths, f"/admin/tenants/tenant/{tenant.pk}/change/"]:
        answer = client.get(path)
        assert answer.headers["Location"] == f"/password/again/?next={quote(path, safe='')}"
    path = paths[0]
    assert client.post(path, new, follow=True).content.decode().count("Nothing was changed") == 1
    root.refresh_from_db()
    assert root.check_password(PASSWORD)
    assert client.get("/admin/auth/user/").status_code == 200

    wrong = client.post("/password/again/", {"password": "wrong", "next": path})
    assert (wrong.status_code, "That is not your password" in wrong.content.decode()) == (422, True)
    assert client.post("/password/again/", {"password": PASSWORD, "next": path}).headers["Location"] == path
    assert client.post(path, new).headers["Location"] == f"/admin/auth/user/{root.pk}/change/"
    root.refresh_from_db()
    assert root.check_password("another long one 17")


def test_no_password_is_changed_that_the_audit_cannot_take(alice: User) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_superuser("root"))
    new = {"password1": "another long one 17", "password2": "another long one 17", "usable_password": "true"}
    with connection.cursor() as cursor:
        cursor.execute("CREATE TRIGGER full BEFORE INSERT ON audit_entry BEGIN SELECT RAISE(ABORT, 'full'); END")
        try:
            answer = client.post(f"/admin/auth/user/{alice.pk}/password/", new)
        finally:
            cursor.execute("DROP TRIGGER full")
    alice.refresh_from_db()
    assert (answer.status_code, alice.check_password(PASSWORD)) == (503, True)
    assert client.post(f"/admin/auth/user/{alice.pk}/password/", new).status_code == 302
    assert "changed user" in verbs()
    alice.refresh_from_db()
    assert alice.check_password("another long one 17")


@pytest.mark.parametrize("place", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_the_password_never_leads_elsewhere(alice: User, place: str) -> None:
    client = Client()
    sign_in(client)
    assert client.post("/password/again/", {"password": PASSWORD, "next": place}).headers["Location"] == "/"
    assert "evil" not in client.get("/password/again/", {"next": place}).content.decode()


def test_a_name_that_nobody_has_is_not_written_down(fresh_process: None) -> None:
    Client().post("/login/", {"username": "simulated-secret-that-slipped", "password": "x"})
    assert verbs() == []


def verbs() -> list[str]:
    return list(Entry.objects.order_by("number").values_list("verb", flat=True))


def test_signing_in_and_out_and_a_new_password_are_in_the_audit(alice: User) -> None:
    client = Client()
    sign_in(client, password="wrong")
    sign_in(client)
    new = {"old_password": PASSWORD, "new_password1": "another long one 17", "new_password2": "another long one 17"}
    client.post("/password/", new)
    client.post("/logout/")
    assert verbs() == ["sign-in refused", "signed in", "changed their password", "signed out"]
    assert {entry.username for entry in Entry.objects.all()} == {"alice"}


def test_a_change_of_rights_in_the_admin_site_is_in_the_audit(tenant: Tenant, alice: User) -> None:
    root = User.objects.create_superuser("root", password="root")
    client = Client()
    client.force_login(root)
    page = f"/admin/tenants/tenant/{tenant.pk}/change/"
    inline = {"memberships-TOTAL_FORMS": "1", "memberships-INITIAL_FORMS": "0", "memberships-0-tenant": tenant.pk}
    shown = {"name": "Acme", "enabled": "on", "paused": "", "armed": "on"}
    given = {**shown, **inline, "memberships-0-user": alice.pk, "memberships-0-role": "operator"}
    assert client.post(page, given).status_code == 302
    membership = alice.memberships.get()
    kept = {
        **given,
        "memberships-INITIAL_FORMS": "1",
        "memberships-0-id": membership.pk,
        "memberships-0-role": "admin",
    }
    assert client.post(page, kept).status_code == 302
    assert client.post(page, {**kept, "memberships-0-DELETE": "on"}).status_code == 302
    told = [(entry.verb, entry.detail) for entry in Entry.objects.filter(tenant=tenant.pk).order_by("number")]
    assert [one for one in told if "membership" in one[0]] == [
        ("gave membership", "alice: operator of Acme."),
        ("gave membership", "alice: admin of Acme."),
        ("took membership", "alice: admin of Acme."),
    ]
    assert client.post(f"/admin/tenants/tenant/{tenant.pk}/delete/", {"post": "yes"}).status_code == 403


def test_whoever_keeps_hundreds_of_customers_can_be_changed_in_the_admin_site(tenant: Tenant, alice: User) -> None:
    customers = [Tenant(name=f"Customer {n}", credential=tenant.credential) for n in range(250)]
    memberships = [Membership(user=alice, tenant=one, role=Role.ADMIN) for one in Tenant.objects.bulk_create(customers)]
    root = Client()
    root.force_login(User.objects.create_superuser("root"))
    given = {"username": "alice", "first_name": "Alice", "date_joined_0": "2026-03-01", "date_joined_1": "12:00:00"}
    given |= {"memberships-TOTAL_FORMS": "250", "memberships-INITIAL_FORMS": "250"}
    for n, one in enumerate(Membership.objects.bulk_create(memberships)):
        row = {"id": one.pk, "user": alice.pk, "tenant": one.tenant_id, "role": "viewer" if n == 249 else "admin"}
        given |= {f"memberships-{n}-{name}": str(value) for name, value in row.items()}
    assert root.post(f"/admin/auth/user/{alice.pk}/change/", given).status_code == 302
    assert alice.memberships.filter(role="viewer").count() == 1


@pytest.fixture
def tenant(fresh_process: None) -> Tenant:
    credential = Credential(name="c", cloud="https://cloud.example", client_id="client")
    credential.keep_secret("s3cr3t-of-the-cloud")
    credential.save()
    return Tenant.objects.create(name="Acme", credential=credential)


def test_the_admin_site_keeps_memberships_and_never_shows_a_secret(tenant: Tenant) -> None:
    root = User.objects.create_superuser("root", password="root")
    client = Client()
    client.force_login(root)
    write(by=root, at=timezone.now(), tenant=tenant.pk, verb="connected")
    credential = tenant.credential
    pages = [f"/admin/tenants/credential/{credential.pk}/change/", "/admin/tenants/credential/"]
    pages += [f"/admin/tenants/tenant/{tenant.pk}/change/", f"/admin/auth/user/{root.pk}/change/"]
    pages += ["/admin/failover/action/", "/admin/audit/entry/", "/admin/"]
    for page in pages:
        answer = client.get(page)
        assert answer.status_code == 200
        assert credential.sealed_secret not in answer.content.decode()
    for page in ("/admin/failover/action/add/", "/admin/audit/entry/add/", "/admin/tenants/credential/add/"):
        assert client.get(page).status_code == 403
    entry = Entry.objects.get(verb="connected")
    assert client.post(f"/admin/audit/entry/{entry.pk}/delete/", {"post": "yes"}).status_code == 403


def test_the_process_lives_as_long_as_it_answers(db: None) -> None:
    assert Client().get("/healthz").content == b"ok\n"


def test_ready_only_while_every_enabled_tenant_has_a_good_poll_newer_than_three_intervals(tenant: Tenant) -> None:
    def ready() -> tuple[int, list[dict[str, object]]]:
        answer = Client().get("/readyz")
        return answer.status_code, json.loads(answer.content)["tenants"]

    assert ready() == (503, [{"tenant": tenant.pk, "age_seconds": None}])
    publish(tenant.pk, server(), age=50)
    assert ready()[0] == 503
    publish(tenant.pk, server(), age=40)
    assert ready()[0] == 200
    Tenant.objects.create(name="Switched off", credential=tenant.credential, enabled=False)
    assert ready()[0] == 200
    Tenant.objects.create(name="Never polled", credential=tenant.credential)
    assert ready()[0] == 503


def test_the_probes_name_nobody(tenant: Tenant) -> None:
    publish(tenant.pk, server(), age=timedelta(seconds=1).total_seconds())
    assert b"Acme" not in Client().get("/readyz").content


def test_what_belongs_to_no_tenant_that_is_left_is_in_the_audit_for_superusers_alone(tenant: Tenant) -> None:
    gone = Tenant.objects.create(name="Gone", credential=tenant.credential, enabled=False, removed_at=timezone.now())
    root = User.objects.create_superuser("root", password="root")
    alice = User.objects.create_user("alice", password="alice")
    for person in (root, alice):
        Membership.objects.create(user=person, tenant=tenant, role=Role.ADMIN)
    elsewhere = Tenant.objects.create(name="Elsewhere", credential=tenant.credential)
    for number, verb in ((tenant.pk, "armed"), (gone.pk, "taken off"), (None, "connected"), (elsewhere.pk, "paused")):
        write(by=root, at=timezone.now(), tenant=number, verb=verb)

    def verbs(person: User) -> set[str]:
        client = Client()
        client.force_login(person)
        page = client.get("/audit/").content.decode()
        return {verb for verb in ("armed", "taken off", "connected", "paused") if f">{verb}<" in page}

    assert verbs(alice) == {"armed"}
    assert verbs(root) == {"armed", "taken off", "connected"}
