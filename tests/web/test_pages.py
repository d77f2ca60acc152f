import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from drdash.audit.record import write
from drdash.cloud import reading
from drdash.estate.replica import replica
from drdash.estate.store import Store
from drdash.failover.models import Action, State
from drdash.simulator import scenarios
from drdash.tenants.models import Credential, Membership, Tenant
from drdash.tenants.roles import Role
from drdash.web import rows
from tests.web.seen import fail, issue, publish, server, site, timeless

REFERENCE = json.loads((Path(scenarios.__file__).parent / "reference.json").read_text())
PAGES = ("/", "/sites/", "/sites/p-1/", "/servers/", "/servers/s-1/", "/actions/", "/audit/")

SignedIn = Callable[[str], Client]


@pytest.fixture
def acme(fresh_process: None) -> Tenant:
    """A tenant of Alice, an admin, Bob, an operator, and Victor, a viewer. Charlie is an admin of another."""
    credential = Credential.objects.create(name="c", cloud="https://eu.cloud.example", client_id="c")
    acme = Tenant.objects.create(name="Acme", credential=credential)
    other = Tenant.objects.create(name="Other", credential=credential)
    people = {"alice": (acme, Role.ADMIN), "bob": (acme, Role.OPERATOR), "victor": (acme, Role.VIEWER)}
    for name, (tenant, role) in (people | {"charlie": (other, Role.ADMIN)}).items():
        Membership.objects.create(user=User.objects.create_user(name, password=name), tenant=tenant, role=role)
    return acme


@pytest.fixture
def signed_in(acme: Tenant) -> SignedIn:
    def sign_in(name: str) -> Client:
        client = Client()
        client.force_login(User.objects.get(username=name))
        return client

    return sign_in


def read(client: Client, path: str, **headers: str) -> str:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200, (path, answer.status_code)
    return answer.content.decode()


def test_every_page_asks_who_is_there(acme: Tenant) -> None:
    for path in (*PAGES, "/servers/jump/", "/password/", "/servers/s-1/actions/stop_failover/"):
        answer = Client().get(path)
        assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/login/")


def test_pages_of_an_estate_that_was_never_polled_say_so(acme: Tenant, signed_in: SignedIn) -> None:
    alice = signed_in("alice")
    for path in ("/", "/servers/", "/sites/", "/actions/", "/audit/"):
        page = read(alice, path)
        assert "Nothing was ever read from the cloud" in page
        assert 'class="look good"' not in page


def test_pages_of_someone_without_a_tenant_say_what_to_do(acme: Tenant) -> None:
    client = Client()
    client.force_login(User.objects.create_user("dora"))
    assert "Nothing is within your reach yet" in read(client, "/")
    for path in ("/servers/", "/sites/", "/actions/", "/audit/"):
        read(client, path)


def test_pages_of_an_empty_estate_say_so(acme: Tenant, signed_in: SignedIn) -> None:
    publish(acme.pk, sites=())
    alice = signed_in("alice")
    assert "The cloud lists no servers." in read(alice, "/servers/")
    assert "No site is known." in read(alice, "/sites/")
    read(alice, "/")


def test_what_belongs_to_another_tenant_does_not_exist(acme: Tenant, signed_in: SignedIn) -> None:
    publish(acme.pk, server(name="secret-db"))
    action = acted(acme, "alice")
    charlie = signed_in("charlie")
    paths = ("/servers/s-1/", "/sites/p-1/", f"/actions/{action.pk}/", "/servers/s-1/actions/start_failover_test/")

    def told(path: str) -> tuple[int, str]:
        """The answer, but for what a form of the page knows of where it stands."""
        answer = charlie.get(path)
        return answer.status_code, re.sub(r'type="hidden" name="\w+" value="[^"]*"', "", answer.content.decode())

    unknown = told("/servers/nothing/")
    for path in paths:
        assert told(path) == unknown
    assert charlie.post(paths[-1], {"key": "k"}).status_code == 404
    for path in ("/", "/servers/", "/sites/", "/actions/", "/audit/", "/servers/jump/?q=secret"):
        page = read(charlie, path)
        assert "secret-db" not in page
        assert "Acme" not in page


def test_what_the_script_counts_with_is_a_number_in_every_language(acme: Tenant, signed_in: SignedIn) -> None:
    publish(acme.pk, server())
    limits = {
        re.findall('data-stale-after="([^"]*)"', read(signed_in("bob"), "/", **{"Accept-Language": code}))[0]
        for code, _ in settings.LANGUAGES
    }
    [limit] = limits
    assert float(limit) > 0


def test_the_page_holds_the_very_strings_that_live_updates_send(acme: Tenant, signed_in: SignedIn) -> None:
    publish(acme.pk, server(), server("s-2", _issues=[issue("ServerNotLicensed")]))
    bob = signed_in("bob")
    topics = {"/servers/": ["server-row-s-1", "server-row-s-2"], "/servers/s-1/": ["server-panel-s-1"]}
    topics |= {
        "/sites/": ["site-row-p-1"],
        "/sites/p-1/": ["site-panel-p-1", "server-row-s-1"],
        "/": [f"health-{acme.pk}"],
    }
    for path, held in topics.items():
        page = timeless(read(bob, path))
        for topic in held:
            assert timeless(rows.render(topic, tenant=acme.pk, role=Role.OPERATOR) or "-") in page


def test_nothing_on_a_page_needs_inline_script_or_style(acme: Tenant, signed_in: SignedIn) -> None:
    publish(acme.pk, server())
    acted(acme, "alice")
    for path in (*PAGES, "/login/"):
        page = read(signed_in("alice") if path != "/login/" else Client(), path)
        assert not re.search(r"\sstyle=|\son\w+=|<style|<script(?![^>]*\ssrc=)|hx-on|javascript:", page)


def test_pages_are_not_kept_by_any_cache(acme: Tenant, signed_in: SignedIn) -> None:
    publish(acme.pk, server())
    alice = signed_in("alice")
    for path in (*PAGES, "/nowhere/", "/actions/0/", "/batches/new/"):
        assert alice.get(path)["Cache-Control"] == "private, no-store"
    assert alice.get("/", headers={"Host": "elsewhere"})["Cache-Control"] == "private, no-store"
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="alice"))
    refused = strict.post("/stay/")
    assert (refused.status_code, refused["Cache-Control"]) == (403, "private, no-store")
    assert "no-store" in Client().get("/healthz")["Cache-Control"]


def test_ids_match_in_any_case_and_may_be_anything(acme: Tenant, signed_in: SignedIn) -> None:
    publish(acme.pk, server("Ab/c d?é"), sites=(site("P@1/x"),))
    alice = signed_in("alice")
    page = read(alice, "/servers/")
    (address,) = re.findall(r'<th scope="row">.*?<a href="([^"]+)"', page)
    assert "Ab/c d?é" in read(alice, address)
    assert "Ab/c d?é" in read(alice, address.upper().replace("/SERVERS/", "/servers/"))
    assert "P@1/x" in read(alice, "/sites/p%401%2FX/")


def test_an_unknown_status_is_shown_as_it_came_and_never_green(acme: Tenant, signed_in: SignedIn) -> None:
    odd = server(status="NEBULOUS", rpo={"status": "SPLENDID"}, _issues=None)
    publish(acme.pk, odd, sites=(site(failover_readiness="GREAT", _issues=None),))
    alice = signed_in("alice")
    for path in ("/", "/servers/", "/servers/s-1/", "/sites/", "/sites/p-1/"):
        assert 'class="look good"' not in read(alice, path)
    assert "NEBULOUS" in read(alice, "/servers/?status=nebulous")
    assert "The cloud did not say which issues there are." in read(alice, "/servers/s-1/")


def test_the_reference_own_examples_are_all_there(acme: Tenant, signed_in: SignedIn) -> None:
    servers = [reading.server(json.dumps(one).encode()) for one in REFERENCE["servers"]]
    sites = tuple(reading.site(json.dumps(one).encode()) for one in REFERENCE["sites"])
    publish(acme.pk, *servers, sites=sites)
    alice = signed_in("alice")
    page = read(alice, "/servers/")
    for one in servers:
        assert f'id="server-row-{one.key}"' in page
        assert one.uuid in read(alice, f"/servers/{one.uuid}/")
    assert "5bc9464f-87b6-4ea8-aa42-050824135e63" in page
    assert "The resource is busy, another task is currently in progress." in page
    assert "not among the sites" in page
    assert "avfs:" not in "".join(read(alice, f"/servers/{one.uuid}/") for one in servers)
    for found in sites:
        assert found.uuid in read(alice, f"/sites/{found.uuid}/")


def test_filters_sort_and_pages_live_in_the_address(acme: Tenant, signed_in: SignedIn) -> None:
    publish(
        acme.pk, *(server(f"s-{n}", name=f"web-{n:03}") for n in range(120)), server("p", name="pri", type="PRIMARY")
    )
    bob = signed_in("bob")
    assert "121 servers, page 1 of 3" in read(bob, "/servers/")
    page = read(bob, "/servers/?q=web&sort=-name&page=2")
    assert re.findall(r"web-(\d\d\d)</a>", page)[0] == "069"
    assert 'href="/servers/?q=web&amp;sort=-name&amp;page=3"' in page.replace("&amp;amp;", "&amp;")
    assert "1 server<" in read(bob, "/servers/?type=PRIMARY")
    assert "No server matches." in read(bob, "/servers/?q=nothing")


def test_the_list_is_sent_alone_to_htmx_and_not_at_all_when_it_is_the_same(acme: Tenant, signed_in: SignedIn) -> None:
    publish(acme.pk, server(), server("s-2", name="web"))
    bob = signed_in("bob")
    htmx = {"HX-Request": "true", "HX-Target": "results"}
    part = bob.get("/servers/?q=db&type=", headers=htmx)
    assert part["HX-Push-Url"] == "/servers/?q=db"
    assert part.content.decode().startswith('<div id="results"')
    have = re.search(r'data-have="(\w+)"', part.content.decode())
    assert have
    again = {**htmx, "X-Refresh": "1", "X-Have": have[1]}
    assert bob.get("/servers/?q=db", headers=again).status_code == 204
    publish(acme.pk, server(), server("s-2", name="web"), server("s-3", name="db-03"))
    changed = bob.get("/servers/?q=db", headers=again)
    assert (changed.status_code, "HX-Push-Url" in changed) == (200, False)


def test_the_overview_is_sent_again_only_when_it_changed(acme: Tenant, signed_in: SignedIn) -> None:
    publish(acme.pk, server())
    bob = signed_in("bob")
    have = re.search(r'data-have="(\w+)"', read(bob, "/"))
    assert have
    headers = {"HX-Request": "true", "HX-Target": "overview", "X-Have": have[1]}
    assert bob.get("/", headers=headers).status_code == 204
    publish(acme.pk, server(status="FAILOVER_TEST"))
    assert bob.get("/", headers=headers).status_code == 200


def test_the_jump_box_finds_by_name_and_address(acme: Tenant, signed_in: SignedIn) -> None:
    publish(acme.pk, server(), server("s-2", name="web", public_ip="10.1.2.3"))
    bob = signed_in("bob")
    assert 'href="/servers/s-2/"' in read(bob, "/servers/jump/?q=10.1.2")
    assert "No server has" in read(bob, "/servers/jump/?q=zebra")
    assert read(bob, "/servers/jump/?q=").strip() == ""


def test_the_overview_tells_what_needs_a_person_what_runs_and_what_is_blocked(
    acme: Tenant, signed_in: SignedIn
) -> None:
    long_ago = (timezone.now() - timedelta(days=41)).isoformat()
    publish(
        acme.pk,
        server("f", name="half-done", status="FINALIZATION_FAILED"),
        server("m", name="on-the-move", status="POWERING_ON", task_uuid="t"),
        server("t", name="forgotten", status="FAILOVER_TEST", recovery={"test_failover": {"last_start": long_ago}}),
        server("b", name="not-paid", _issues=[issue("ServerNotLicensed")]),
        sites=(site(), site("p-2", failover_readiness="ERROR")),
    )
    page = read(signed_in("bob"), "/")
    parts = {
        name: page.split(f'id="{name}"')[1].split("</section>")[0] for name in ("needs", "running", "tests", "blocked")
    }
    assert "half-done" in parts["needs"]
    assert "Site p-2" in parts["needs"]
    assert "on-the-move" in parts["running"]
    assert "forgotten" in parts["tests"]
    assert 'data-show="age"' in parts["tests"]
    assert "not-paid" in parts["blocked"]
    assert "Production failover active" in page
    assert 'href="/servers/?status=FAILOVER_TEST"' in page


def test_a_badge_tells_the_cloud_and_the_simulator_apart(acme: Tenant, signed_in: SignedIn) -> None:
    assert "eu.cloud.example" in read(signed_in("bob"), "/servers/")
    Credential.objects.update(is_simulator=True)
    assert "SIMULATOR" in read(signed_in("bob"), "/servers/")


def test_stale_data_is_not_green_even_without_a_script(acme: Tenant, signed_in: SignedIn) -> None:
    publish(acme.pk, server(rpo={"status": "OK"}), age=600)
    fail(acme.pk, "The cloud does not answer.")
    bob = signed_in("bob")
    for path in ("/servers/", "/servers/s-1/", "/sites/", "/sites/p-1/", "/"):
        page = read(bob, path)
        assert "The last poll failed: The cloud does not answer." in page
        assert f'class="health is-stale" sse-swap="health-{acme.pk}"' in page
        assert 'class="row"' not in page
        assert 'class="panel"' not in page


def test_without_redis_the_pages_go_on_with_what_was_last_seen(
    acme: Tenant, signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(acme.pk, server())
    bob = signed_in("bob")
    read(bob, "/servers/")
    # The same process, but from now on its Redis is a closed port.
    monkeypatch.setattr(replica(), "_store", Store("redis://127.0.0.1:1/0"))
    for path in PAGES:
        page = read(bob, path)
        assert "The shared store is away" in page
    assert "db-01" in read(bob, "/servers/")


def test_actions_and_audit_show_who_did_what(acme: Tenant, signed_in: SignedIn) -> None:
    publish(acme.pk, server())
    action = acted(acme, "alice", state=State.UNKNOWN, error="HTTP 504")
    write(
        by=None,
        at=timezone.now(),
        tenant=acme.pk,
        verb="start_failover_prod sending",
        action=action.pk,
        server_uuid="s-1",
    )
    victor = signed_in("victor")
    assert "Start production" in read(victor, "/actions/")
    assert "Outcome unknown" in read(victor, "/actions/?state=unknown")
    assert "No action matches." in read(victor, "/actions/?state=failed")
    assert "Start production" in read(victor, "/actions/?server=S-1")
    one = read(victor, f"/actions/{action.pk}/")
    assert "a person has to look there" in one
    assert '{"recovery_point"' not in one
    assert "Start production: sending" in read(victor, "/audit/")
    for path in ("/", "/servers/", "/sites/"):
        assert "Outcome unknown, a person has to look" in read(victor, path)


@pytest.mark.parametrize(
    "path",
    [
        "/actions/?state=%00",
        "/actions/?server=%00",
        "/servers/?q=%00",
        "/actions/?page=x",
        "/servers/?page=-1",
        f"/servers/?page={'9' * 5000}",
    ],
)
def test_nonsense_in_an_address_is_no_error(acme: Tenant, signed_in: SignedIn, path: str) -> None:
    read(signed_in("bob"), path)


@pytest.mark.parametrize(
    "path", ["/actions/99999999999999999999999/", "/servers//", "/sites/x/y/z/", "/servers/s-1/actions/explode/"]
)
def test_what_is_not_there_is_a_404(acme: Tenant, signed_in: SignedIn, path: str) -> None:
    publish(acme.pk, server())
    answer = signed_in("bob").get(path)
    assert answer.status_code == 404
    assert "There is nothing here." in answer.content.decode()


def acted(tenant: Tenant, name: str, **fields: object) -> Action:
    given = {
        "tenant": tenant,
        "user": User.objects.get(username=name),
        "cloud": tenant.credential.cloud,
        "server_uuid": "s-1",
        "server_name": "secret-db",
        "kind": "start_failover_prod",
        "production": True,
        "idempotency_key": "k",
        "content": "c",
        "state": State.ACCEPTED,
        "requested_at": timezone.now(),
        "sent_at": timezone.now(),
        "last_sign_at": timezone.now(),
    }
    return Action.objects.create(**{**given, **fields})
