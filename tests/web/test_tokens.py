"""What the tokens of the JSON API may do, and how they are taken out of the world."""

from hashlib import sha256
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from rest_framework.authtoken.models import Token

from drdash.audit.mirror import mirror
from drdash.audit.models import Entry
from drdash.tenants.models import Credential, Membership, Tenant, TokenRight
from drdash.tenants.roles import Role
from drdash.web.tokens import may_run_production
from tests.web.kept import Person

PASSWORD = "correct horse battery"


@pytest.fixture
def tenant(fresh_process: None) -> Tenant:
    """Alice and Dora are its admins, Bob is its operator; Charlie is the admin of another."""
    credential = Credential.objects.create(name="c", cloud="https://cloud.example", client_id="client")
    acme = Tenant.objects.create(name="Acme", credential=credential)
    other = Tenant.objects.create(name="Other", credential=credential)
    members = {"alice": (acme, Role.ADMIN), "dora": (acme, Role.ADMIN), "bob": (acme, Role.OPERATOR)}
    for name, (of, role) in (members | {"charlie": (other, Role.ADMIN)}).items():
        user = User.objects.create_user(name, password=PASSWORD)
        Membership.objects.create(user=user, tenant=of, role=role)
        Token.objects.create(user=user)
    User.objects.create_superuser("root", password=PASSWORD)
    return acme


def user(name: str) -> User:
    return User.objects.get(username=name)


def token_of(name: str) -> Token:
    return Token.objects.get(user__username=name)


def mark_of(token: Token) -> str:
    return sha256(token.key.encode()).hexdigest()[:16]


def path(tenant: Tenant, name: str, deed: str) -> str:
    return f"/tenants/{tenant.pk}/tokens/{user(name).pk}/{deed}/"


def allow(tenant: Tenant, name: str, *, by: str = "alice") -> str:
    return Person(user(by)).follow(path(tenant, name, "allow"), mark=mark_of(token_of(name)))


def told() -> list[tuple[str, str, int | None]]:
    entries = Entry.objects.filter(verb__startswith="token").order_by("number")
    return [(one.username, f"{one.verb}: {one.detail}", one.tenant) for one in entries]


def test_an_admin_lets_a_members_token_run_production_and_takes_that_back(tenant: Tenant) -> None:
    dora, elsewhere = token_of("dora"), Tenant.objects.get(name="Other")
    assert not may_run_production(dora, tenant)
    assert "May run production: alice said so" in allow(tenant, "dora")
    assert may_run_production(dora, tenant)
    assert not may_run_production(dora, elsewhere)
    assert not may_run_production(token_of("alice"), tenant)
    assert "May run production" not in Person(user("alice")).follow(path(tenant, "dora", "take-back"))
    assert not may_run_production(dora, tenant)
    assert told() == [
        ("alice", f"token let run production: dora's token …{dora.key[-4:]}.", tenant.pk),
        ("alice", "token kept from production: dora's token.", tenant.pk),
    ]


def test_a_token_that_is_made_anew_has_no_right(tenant: Tenant) -> None:
    old = token_of("dora")
    allow(tenant, "dora")
    call_command("drf_create_token", "dora", "-r", stdout=StringIO())
    assert token_of("dora") != old
    assert not may_run_production(token_of("dora"), tenant)
    assert [one for one, _, _ in told()] == ["alice", "drdash", "drdash"]
    assert [words.partition(":")[0] for _, words, _ in told()][1:] == ["token revoked", "token made"]


def test_what_is_allowed_is_the_token_that_was_looked_at(tenant: Tenant) -> None:
    mark = mark_of(token_of("dora"))
    call_command("drf_create_token", "dora", "-r", stdout=StringIO())
    page = Person(user("alice")).follow(path(tenant, "dora", "allow"), mark=mark)
    assert "Nothing was allowed" in page
    assert not TokenRight.objects.exists()


def test_the_command_prints_the_token_once_it_is_made_and_notes_that_once(tenant: Tenant) -> None:
    said = StringIO()
    for _ in range(2):
        call_command("drf_create_token", "root", stdout=said)
    assert said.getvalue().count(token_of("root").key) == 2
    assert told() == [("drdash", f"token made: root's token …{token_of('root').key[-4:]}.", None)]
    assert "token made" in mirror().path.read_text()


def test_whose_sign_in_is_old_types_the_password_first(tenant: Tenant) -> None:
    alice = Person(user("alice"))
    session = alice.client.session
    session["proven_at"] -= 301
    session.save()
    fields = {"mark": mark_of(token_of("dora"))}
    assert 'name="password"' in alice.open(f"/tenants/{tenant.pk}/")
    status, _, html = alice.send(path(tenant, "dora", "allow"), **fields)
    field = f"token-{user('dora').pk}"
    assert (status, f'aria-invalid="true" aria-describedby="wrong-{field}" autofocus>' in html) == (409, True)
    assert f'id="wrong-{field}">That is not your password' in html
    assert not TokenRight.objects.exists()
    assert "may run production" in alice.follow(path(tenant, "dora", "allow"), **fields, password=PASSWORD)
    assert may_run_production(token_of("dora"), tenant)
    assert 'name="password"' not in alice.open(f"/tenants/{tenant.pk}/")


@pytest.mark.parametrize("deed", ["allow", "take-back", "revoke"])
def test_only_an_admin_of_the_tenant_says_so(tenant: Tenant, deed: str) -> None:
    allow(tenant, "dora")
    mark = mark_of(token_of("dora"))
    before = told()
    for name, status in (("bob", 403), ("charlie", 404)):
        assert Person(user(name)).send(path(tenant, "dora", deed), mark=mark)[0] == status
    # Charlie is no member here, and so has no token here.
    assert Person(user("alice")).send(path(tenant, "charlie", deed), mark=mark)[0] == 404
    assert Person(user("alice")).client.get(path(tenant, "dora", deed)).status_code == 405
    assert (told(), may_run_production(token_of("dora"), tenant)) == (before, True)


def test_an_admin_revokes_a_members_token_for_good(tenant: Tenant) -> None:
    allow(tenant, "dora")
    headers = {"Authorization": f"Token {token_of('dora').key}"}
    assert Client().get("/api/v1/actions/", headers=headers).status_code == 200
    page = Person(user("alice")).follow(path(tenant, "dora", "revoke"))
    assert "token is revoked" in page
    assert Client().get("/api/v1/actions/", headers=headers).status_code == 401
    assert not TokenRight.objects.exists()
    assert told()[-1][1].startswith("token revoked: dora")


def test_everyone_sees_and_revokes_their_own(tenant: Tenant) -> None:
    allow(tenant, "dora")
    dora = Person(user("dora"))
    assert "It may run production of Acme." in dora.open("/password/")
    page = dora.follow("/password/token/revoke/")
    assert "Your API token is revoked." in page
    assert "You have none." in page
    assert not Token.objects.filter(user__username="dora").exists()
    assert told()[-1] == ("dora", told()[-1][1], None)


def test_a_superuser_revokes_any(tenant: Tenant) -> None:
    chosen = {"action": "revoke_tokens", "_selected_action": [user("dora").pk, user("charlie").pk]}
    staff = User.objects.create_user("sam", password=PASSWORD, is_staff=True)
    assert Person(staff).send("/admin/auth/user/", **chosen)[0] == 403
    assert "Revoked: 2 of 2." in Person(user("root")).follow("/admin/auth/user/", **chosen)
    assert set(Token.objects.values_list("user__username", flat=True)) == {"alice", "bob"}
    assert "token is revoked" in Person(user("root")).follow(path(tenant, "bob", "revoke"))


def test_who_is_no_admin_any_more_has_no_right_when_they_are_one_again(tenant: Tenant) -> None:
    allow(tenant, "dora")
    root, membership = Person(user("root")), Membership.objects.get(user__username="dora")
    page = f"/admin/tenants/tenant/{tenant.pk}/change/"
    inline = {"memberships-TOTAL_FORMS": 1, "memberships-INITIAL_FORMS": 1, "memberships-0-id": membership.pk}
    fields = {**inline, "name": "Acme", "memberships-0-tenant": tenant.pk, "memberships-0-user": membership.user_id}
    fields["enabled"] = "on"
    for role in ("operator", "admin"):
        root.follow(page, **fields, **{"memberships-0-role": role})
    assert Membership.objects.get(user__username="dora").role == Role.ADMIN
    assert not may_run_production(token_of("dora"), tenant)
    assert told()[-1] == ("root", "token kept from production: dora's token.", tenant.pk)


def test_a_superuser_who_gives_a_new_password_hears_of_the_token(tenant: Tenant) -> None:
    new = {"password1": "another long one 17", "password2": "another long one 17", "usable_password": "true"}
    page = Person(user("root")).follow(f"/admin/auth/user/{user('dora').pk}/password/", **new)
    assert "The API token of dora goes on to work" in page


@pytest.mark.parametrize("kept", [True, False])
def test_a_new_password_revokes_the_token_unless_it_is_kept(tenant: Tenant, kept: bool) -> None:
    dora = Person(user("dora"))
    new = {"old_password": PASSWORD, "new_password1": "another long one 17", "new_password2": "another long one 17"}
    assert "your API token is revoked" in dora.open("/password/")
    page = dora.client.post("/password/", new | ({"keep_token": "on"} if kept else {}), follow=True).content.decode()
    assert ("Your API token is revoked." in page) is not kept
    assert Token.objects.filter(user__username="dora").exists() is kept


def test_no_page_shows_a_token(tenant: Tenant) -> None:
    allow(tenant, "dora")
    keys = set(Token.objects.values_list("key", flat=True))
    pages = [Person(user("alice")).open(f"/tenants/{tenant.pk}/"), Person(user("dora")).open("/password/")]
    pages += [Person(user("root")).open(f"/admin/auth/user/{user('dora').pk}/change/")]
    pages += [Person(user("alice")).open("/audit/")]
    assert not any(key in page or key[:8] in page for key in keys for page in pages)
    assert all(f"…{token_of('dora').key[-4:]}" in page for page in (pages[0], pages[1], pages[3]))
