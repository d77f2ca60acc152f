"""Connecting a cloud on the pages: each way in, each way to be wrong, and over the cloud's consent page and back."""

import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
import requests
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client, override_settings

from drdash.audit.models import Entry
from drdash.simulator.server import running
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Credential, Membership, Tenant
from drdash.tenants.secrets import seal, unseal
from drdash.web.errands import Errand
from tests.web.kept import Person

CONNECT = "/tenants/connect/"


@pytest.fixture
def root(fresh_process: None) -> Person:
    return Person(User.objects.create_superuser("root"))


@pytest.fixture
def partner(fresh_process: None) -> Iterator[Simulator]:
    with running("partner", customers=6) as simulator:
        yield simulator


def typed(simulator: Simulator, **more: str) -> dict[str, str]:
    """What somebody types who does everything right."""
    client = {"client_id": simulator.client_id, "client_secret": simulator.client_secret}
    return {"cloud": simulator.url, "name": "Acme", "admin": ""} | client | more


def without_client(simulator: Simulator, **more: str) -> dict[str, str]:
    return typed(simulator, client_id="", client_secret="", **more)


def problem(html: str) -> str:
    """What stands in red on a page."""
    found = re.search(r'<p class="bar bad" role="alert">.*?<span>(.*?)</span>', html, re.DOTALL)
    return unescape(found[1]) if found else ""


# ---- each way in


def test_a_superuser_who_watches_nothing_yet_is_led_to_the_ways_in(root: Person) -> None:
    assert root.client.get("/")["Location"] == CONNECT
    page = root.open(CONNECT)
    for word in ("client_credentials", "jwt-bearer", "authorization_code", "password", "signed assertion"):
        assert word in page


def test_an_api_client_is_connected_and_the_page_says_what_was_found(root: Person, simulator: Simulator) -> None:
    page = root.follow(f"{CONNECT}?by=client", **typed(simulator))
    tenant = Tenant.objects.get()
    assert re.search(r"Connected Acme: [1-9]\d* sites?, [1-9]\d* servers?. Its admins: root\.", page)
    assert (tenant.armed, tenant.credential.client_id) == (True, simulator.client_id)
    assert Entry.objects.get(verb="connected").username == "root"
    assert root.client.get("/").status_code == 200


def test_one_admin_and_watch_only_are_as_they_were_chosen(root: Person, simulator: Simulator) -> None:
    User.objects.create_user("alice")
    page = root.follow(f"{CONNECT}?by=client", **typed(simulator, admin="alice", watch_only="on"))
    assert "Its admins: alice." in page
    assert not Tenant.objects.get().armed
    assert [one.user.username for one in Membership.objects.all()] == ["alice"]


def test_a_users_password_connects(root: Person, simulator: Simulator) -> None:
    user = {"username": simulator.username, "password": simulator.password}
    assert "Connected Acme" in root.follow(f"{CONNECT}?by=password", **without_client(simulator, **user))


def test_a_signed_assertion_connects(root: Person, simulator: Simulator) -> None:
    assertion = simulator.assertion()
    page = root.follow(f"{CONNECT}?by=assertion", **without_client(simulator, assertion=assertion))
    assert "Connected Acme" in page


def test_a_form_asks_only_for_what_its_way_needs(root: Person) -> None:
    asked = {
        "client": {"client_id", "client_secret", "tenant_uuid", "admin", "watch_only"},
        "partner": {"client_id", "client_secret"},
        "sign-in": {"client_id", "client_secret", "tenant_uuid", "admin", "watch_only"},
        "password": {"username", "password", "client_id", "client_secret", "tenant_uuid", "admin", "watch_only"},
        "assertion": {"assertion", "client_id", "client_secret", "tenant_uuid", "admin", "watch_only"},
    }
    for way, names in asked.items():
        page = root.open(f"{CONNECT}?by={way}")
        found = set(re.findall(r'name="(\w+)"', page.split('id="sheet"')[1])) - {"csrfmiddlewaretoken"}
        assert found == {"cloud", "name"} | names
        assert "Settings, API clients" in page
        for secret in re.findall(r"<input[^>]*type=\"password\"[^>]*>", page):
            assert 'autocomplete="new-password"' in secret


# ---- each way to be wrong


def test_each_mistake_has_its_own_sentence_and_keeps_what_was_typed(root: Person, simulator: Simulator) -> None:
    mistakes = {
        "https://nothing.invalid": typed(simulator, cloud="https://nothing.invalid"),
        "must start with https://": typed(simulator, cloud="nonsense"),
        "the cloud's root alone": typed(simulator, cloud=f"{simulator.url}/api/dr/v2"),
        "client id or its secret is wrong": typed(simulator, client_secret="simulated-secret-wrong"),
        "Plain http to": typed(simulator, cloud="http://cloud.example"),
    }
    said = {}
    for words, fields in mistakes.items():
        status, _, page = root.send(f"{CONNECT}?by=client", **fields)
        said[words] = problem(page)
        assert status == 422
        assert "Nothing was stored" in said[words]
        assert f'value="{fields["cloud"]}"' in page
        assert 'value="Acme"' in page
        assert f'value="{fields["client_id"]}"' in page
    assert len(set(said.values())) == len(mistakes), said
    for words in list(mistakes)[1:]:
        assert words in said[words]
    assert not Credential.objects.exists()


def test_a_client_without_the_role_a_partners_client_and_no_cloud_are_told_apart(
    root: Person, simulator: Simulator, partner: Simulator
) -> None:
    customers = typed(partner, client_id=partner.partner_id, client_secret=partner.partner_secret)
    assert "partner's API client" in problem(root.send(f"{CONNECT}?by=client", **customers)[2])
    assert "no customers" in problem(root.send(f"{CONNECT}?by=partner", **typed(simulator))[2])
    simulator.fail("html", path="/api/2/idp/token")
    assert "not a DR cloud" in problem(root.send(f"{CONNECT}?by=client", **typed(simulator))[2])
    assert not Credential.objects.exists()


def test_what_is_missing_is_said_beside_its_field(root: Person) -> None:
    status, _, page = root.send(f"{CONNECT}?by=client", cloud="https://cloud.example")
    assert status == 422
    assert page.count("This field is required.") == 3


def test_the_same_tenant_is_not_connected_twice(root: Person, simulator: Simulator) -> None:
    root.follow(f"{CONNECT}?by=client", **typed(simulator))
    assert 'as "Acme"' in problem(root.send(f"{CONNECT}?by=client", **typed(simulator, name="Again"))[2])
    assert Tenant.objects.count() == 1


def test_with_htmx_a_good_form_leads_on_and_a_wrong_one_is_put_in_place(root: Person, simulator: Simulator) -> None:
    def send(**fields: str) -> tuple[int, str]:
        answer = root.client.post(f"{CONNECT}?by=client", fields, headers={"HX-Request": "true"})
        return answer.status_code, answer.headers.get("HX-Redirect", "")

    assert send(**typed(simulator, client_secret="simulated-secret-wrong")) == (422, "")
    status, to = send(**typed(simulator))
    assert (status, to) == (200, f"/tenants/{Tenant.objects.get().pk}/")


# ---- over the cloud's consent page and back


def set_out(root: Person, simulator: Simulator, **more: str) -> str:
    """The cloud's address to which the consent page's link leads."""
    page = root.follow(f"{CONNECT}?by=sign-in", **typed(simulator, **more))
    found = re.search(r'<a class="button primary" href="([^"]+)" rel="noreferrer">', page)
    assert found
    return unescape(found[1])


def agree(there: str, decision: str = "allow") -> str:
    """What a person does at the cloud; the path on which they come back."""
    parts = urlsplit(there)
    fields = {name: values[0] for name, values in parse_qs(parts.query).items()} | {"decision": decision}
    answer = requests.post(
        f"{parts.scheme}://{parts.netloc}{parts.path}", data=fields, allow_redirects=False, timeout=10
    )
    back = urlsplit(answer.headers["Location"])
    assert (back.netloc, back.path) == ("testserver", "/tenants/connect/return/")
    return f"{back.path}?{back.query}"


def come_back(root: Person, path: str) -> str:
    """The page to which the way back leads."""
    answer = root.client.get(path)
    assert answer.status_code == 302
    assert "code" not in answer["Location"]
    return root.open(answer["Location"])


def test_an_administrator_who_agrees_at_the_cloud_connects_it(root: Person, simulator: Simulator) -> None:
    there = set_out(root, simulator)
    query = parse_qs(urlsplit(there).query)
    assert (query["code_challenge_method"], query["scope"]) == (["S256"], ["offline_access"])
    assert query["redirect_uri"] == ["http://testserver/tenants/connect/return/"]
    assert simulator.client_secret not in there
    assert "Connected Acme" in come_back(root, agree(there))
    assert Credential.objects.get().grant == "authorization_code"
    assert "errand" not in root.client.session


@override_settings(PUBLIC_URL="https://dr.example.com")
def test_the_public_address_is_where_the_cloud_sends_people_back(root: Person, simulator: Simulator) -> None:
    query = parse_qs(urlsplit(set_out(root, simulator)).query)
    assert query["redirect_uri"] == ["https://dr.example.com/tenants/connect/return/"]


def test_what_waits_in_the_session_is_sealed(root: Person, simulator: Simulator) -> None:
    there = set_out(root, simulator)
    state = parse_qs(urlsplit(there).query)["state"][0]
    kept = str(Session.objects.get().get_decoded())
    assert simulator.client_secret not in kept
    assert state not in kept


def test_a_way_back_works_once(root: Person, simulator: Simulator) -> None:
    back = agree(set_out(root, simulator))
    assert "Connected Acme" in come_back(root, back)
    assert "it was used" in problem(come_back(root, back))
    assert Tenant.objects.count() == 1


@pytest.mark.parametrize("state", ["", "another", "ä\ud7ff"])
def test_a_foreign_state_connects_nothing_and_uses_up_the_way(root: Person, simulator: Simulator, state: str) -> None:
    back = agree(set_out(root, simulator))
    code = parse_qs(urlsplit(back).query)["code"][0]
    answer = root.client.get("/tenants/connect/return/", {"code": code, "state": state})
    assert "another way there" in problem(root.open(answer["Location"]))
    assert "it was used" in problem(come_back(root, back))
    assert not Tenant.objects.exists()


def test_a_way_back_in_another_session_or_of_another_person_connects_nothing(
    root: Person, simulator: Simulator
) -> None:
    back = agree(set_out(root, simulator))
    elsewhere = Person(User.objects.get(username="root"))
    assert "Nothing waits" in problem(come_back(elsewhere, back))
    other = User.objects.create_superuser("other")
    session = root.client.session
    sealed = session["errand"]
    root.client.force_login(other)
    session = root.client.session
    session["errand"] = sealed
    session.save()
    assert "Nothing waits" in problem(come_back(root, back))
    assert not Tenant.objects.exists()


def test_a_way_back_after_ten_minutes_connects_nothing(root: Person, simulator: Simulator) -> None:
    back = agree(set_out(root, simulator))
    session = root.client.session
    errand = msgspec.json.decode(unseal(session["errand"]), type=Errand)
    earlier = msgspec.structs.replace(errand, at=errand.at - 600)
    session["errand"] = seal(msgspec.json.encode(earlier).decode())
    session.save()
    assert "10 minutes" in problem(come_back(root, back))
    assert not Tenant.objects.exists()


def test_who_says_no_at_the_cloud_reads_so_and_finds_what_was_typed(root: Person, simulator: Simulator) -> None:
    page = come_back(root, agree(set_out(root, simulator), decision="deny"))
    assert "nobody agreed" in problem(page)
    assert 'value="Acme"' in page
    assert simulator.client_secret not in page
    assert not Tenant.objects.exists()


def test_what_the_cloud_says_in_the_way_back_is_not_repeated(root: Person, simulator: Simulator) -> None:
    state = parse_qs(urlsplit(set_out(root, simulator)).query)["state"][0]
    answer = root.client.get("/tenants/connect/return/", {"error": "<script>pay me</script>", "state": state})
    page = root.open(answer["Location"])
    assert "pay me" not in page
    assert "without agreement" in problem(page)


def test_who_is_no_superuser_comes_back_to_nothing(simulator: Simulator, alice: User) -> None:
    for path in ("return/?code=c&state=s", "consent/"):
        assert Person(alice).client.get(f"{CONNECT}{path}").status_code == 403
        assert Client().get(f"{CONNECT}{path}").status_code == 302


# ---- replacing, and acting apart


def test_a_replaced_credential_keeps_its_tenants(root: Person, simulator: Simulator) -> None:
    root.follow(f"{CONNECT}?by=client", **typed(simulator))
    tenant = Tenant.objects.get()
    path = f"/credentials/{tenant.credential_id}/replace/?by=client"
    wrong = {"client_id": simulator.reader_id, "client_secret": "simulated-secret-wrong"}
    assert "its secret is wrong" in problem(root.send(path, **wrong)[2])
    page = root.follow(path, client_id=simulator.reader_id, client_secret=simulator.reader_secret)
    assert "is replaced" in page
    assert Tenant.objects.get().credential.client_id == simulator.reader_id
    assert Entry.objects.filter(verb="credential replaced", username="root").exists()


def test_an_administrators_sign_in_may_take_the_place_of_a_credential(root: Person, simulator: Simulator) -> None:
    root.follow(f"{CONNECT}?by=client", **typed(simulator))
    path = f"/credentials/{Credential.objects.get().pk}/replace/?by=sign-in"
    page = root.follow(path, client_id=simulator.client_id, client_secret=simulator.client_secret)
    found = re.search(r'<a class="button primary" href="([^"]+)" rel="noreferrer">', page)
    assert found
    assert "is replaced" in come_back(root, agree(unescape(found[1])))
    assert Credential.objects.get().grant == "authorization_code"


def test_a_tenant_gets_a_credential_to_act_with_and_loses_it(root: Person, simulator: Simulator) -> None:
    reader = {"client_id": simulator.reader_id, "client_secret": simulator.reader_secret}
    root.follow(f"{CONNECT}?by=client", **typed(simulator, **reader))
    tenant = Tenant.objects.get()
    assert "Add an acting credential" in root.open(f"/tenants/{tenant.pk}/")
    actor = {"client_id": simulator.client_id, "client_secret": simulator.client_secret}
    page = root.follow(f"/tenants/{tenant.pk}/acting/?by=client", **actor)
    assert "is acted on through a credential of its own" in page
    tenant.refresh_from_db()
    assert tenant.acting is not None
    assert "Remove it" in page
    root.follow(f"/tenants/{tenant.pk}/acting/none/")
    tenant.refresh_from_db()
    assert tenant.acting is None


# ---- a partner


def watch(root: Person, partner: Simulator, **fields: object) -> str:
    client = {"client_id": partner.partner_id, "client_secret": partner.partner_secret}
    root.follow(f"{CONNECT}?by=partner", cloud=partner.url, name="Quayside", **client)
    return root.follow(customers(), do="watch", **fields)


def customers() -> str:
    return f"/credentials/{Credential.objects.get(is_partner=True).pk}/customers/"


def test_a_partners_customers_are_chosen_after_it_is_connected(root: Person, partner: Simulator) -> None:
    client = {"client_id": partner.partner_id, "client_secret": partner.partner_secret}
    page = root.follow(f"{CONNECT}?by=partner", cloud=partner.url, name="Quayside", **client)
    assert "a partner with 6 customers" in page
    assert re.search(r'name="watch_only" checked', page)
    assert not Tenant.objects.exists()
    uuids = re.findall(r'name="customer" id="c-([^"]+)"', page)
    assert len(uuids) == 6
    page = root.follow(customers(), do="watch", which="some", customer=uuids[:2], watch_only="on")
    assert "2 customers are watched now" in page
    assert [tenant.armed for tenant in Tenant.objects.all()] == [False, False]
    page = root.open(customers())
    assert len(re.findall(r'name="customer" id="c-([^"]+)"', page)) == 4


def test_all_of_a_partners_customers_and_those_to_come(root: Person, partner: Simulator) -> None:
    assert "6 customers are watched now" in watch(root, partner, which="all")
    assert Credential.objects.get().takes_all
    page = root.follow(customers(), do="watch", which="some")
    assert "Those to come are announced, and wait." in page
    assert not Credential.objects.get().takes_all


def test_a_search_keeps_what_is_ticked(root: Person, partner: Simulator) -> None:
    client = {"client_id": partner.partner_id, "client_secret": partner.partner_secret}
    page = root.follow(f"{CONNECT}?by=partner", cloud=partner.url, name="Quayside", **client)
    names = dict(re.findall(r'<label for="c-([^"]+)">([^<]+)</label>', page))
    first, *_, last = names
    status, _, page = root.send(customers(), do="find", q=unescape(names[last]).upper(), customer=[first])
    assert status == 200
    assert set(re.findall(r'id="c-([^"]+)"', page)) == {first, last}
    assert re.search(rf'value="{first}" checked', page)
    assert not Tenant.objects.exists()


def test_nothing_ticked_is_said_and_nothing_watched(root: Person, partner: Simulator) -> None:
    client = {"client_id": partner.partner_id, "client_secret": partner.partner_secret}
    root.follow(f"{CONNECT}?by=partner", cloud=partner.url, name="Quayside", **client)
    status, _, page = root.send(customers(), do="watch", which="some")
    assert (status, problem(page)) == (422, "No customer is ticked.")


def test_new_customers_are_announced_to_superusers_until_somebody_decided(root: Person, partner: Simulator) -> None:
    watch(root, partner, which="all")
    credential = Credential.objects.get()
    credential.customers.update(is_new=True)
    alice = User.objects.create_user("alice")
    Membership.objects.create(user=alice, tenant=None, role="admin")
    assert "6 new customers" in root.open("/servers/")
    assert "new customers" not in Person(alice).open("/servers/")
    root.follow(customers(), do="leave")
    assert "new customers" not in root.open("/servers/")
