"""The lists of servers and sites: filters with their counts, columns, views that are saved, files, and what follows."""

import csv
import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from drdash.tenants.models import SavedView, Tenant
from drdash.web import shown
from drdash.web.columns import FRESHNESS
from tests.web.seen import issue, publish, server, site
from tests.web.test_pages import SignedIn, acme, read, signed_in

__all__ = ["acme", "signed_in"]

HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/servers/"}


def refreshed(client: Client, path: str, page: str) -> Any:
    """What the open list of that page is told when it asks what is new."""
    have = re.search(r'id="follow"[^>]*data-have="(\w+)"', page)
    assert have
    return client.get(path, headers={**HTMX, "HX-Target": "follow", "X-Refresh": "1", "X-Have": have[1]})


def table(client: Client, path: str) -> list[dict[str, str]]:
    answer = client.get(path)
    assert answer["Content-Type"].startswith("text/csv")
    return list(csv.DictReader(b"".join(answer).decode().splitlines()))


def test_beside_each_choice_stands_what_it_would_show(acme: Tenant, signed_in: SignedIn) -> None:
    publish(acme.pk, server(), server("s-2", status="FAILOVER_TEST"), server("s-3", type="PRIMARY"))
    page = read(signed_in("bob"), "/servers/?type=RECOVERY")
    counts = dict(re.findall(r'id="by-(?:type|status)-(\w+)".*?<span class="n">(\d+)</span>', page))
    assert counts == {"recovery": "2", "primary": "1", "stand_by": "1", "failover_test": "1"}
    assert 'href="/servers/?type=RECOVERY&amp;status=FAILOVER_TEST"' in page
    assert 'href="/servers/?type=PRIMARY,RECOVERY"' in page


def test_columns_and_the_size_of_a_page_live_in_the_address(acme: Tenant, signed_in: SignedIn) -> None:
    publish(acme.pk, *(server(f"s-{number}") for number in range(60)))
    bob = signed_in("bob")
    assert '<div id="results">' in read(bob, "/servers/?columns=nonsense")
    page = read(bob, "/servers/?columns=site&columns=status&show=200")
    assert '<div id="results" class="no-vm no-address no-rpo no-tested no-issues no-actions"' in page
    assert page.count('class="row"') == 60
    assert 'href="/servers/?sort=-name&amp;show=200&amp;columns=status,site"' in page
    assert read(bob, "/servers/?show=7").count('class="row"') == 50


def test_the_file_has_what_the_list_shows_and_how_old_it_is(acme: Tenant, signed_in: SignedIn) -> None:
    started = {"test_failover": {"last_start": "2026-03-01T12:00:00Z"}}
    formula, other = server(name="=HYPERLINK(1)", recovery=started), server("s-2", name="web", _issues=[issue("X")])
    publish(acme.pk, formula, other, server("s-3", type="PRIMARY"), age=600)
    bob = signed_in("bob")
    first, second = table(bob, "/servers/csv/?type=RECOVERY&columns=tested&sort=-name")
    assert (first["name"], second["name"]) == ("web", "'=HYPERLINK(1)")
    assert (second["last_test_start"], second["stale"]) == ("2026-03-01T12:00:00+00:00", "yes")
    assert first["as_of"].endswith("+00:00")
    assert "status" not in first
    assert table(bob, "/servers/csv/?q=web")[0]["issues"] == "ERROR X: It is X."
    assert table(signed_in("charlie"), "/servers/csv/") == table(signed_in("charlie"), "/sites/csv/") == []


def test_an_open_list_is_told_what_leaves_and_what_comes_and_nothing_else(
    acme: Tenant, signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, bob = "/servers/?status=STAND_BY", signed_in("bob")
    publish(acme.pk, server("a", name="a"), server("b", name="b"), server("d", name="d"))
    page = read(bob, path)
    assert refreshed(bob, path, page).status_code == 204
    publish(acme.pk, server("a", name="a"), server("b", name="b", status="FAILOVER_TEST"), server("c", name="c"))
    told = refreshed(bob, path, page)
    text = told.content.decode()
    assert told.status_code == 200
    assert "HX-Retarget" not in told
    assert re.search(r'<tr hx-swap-oob="quick" id="server-row-b" class="row is-leaving"', text)
    assert "No longer matches" in text
    assert 'id="server-row-a"' not in text
    assert '<tbody hx-swap-oob="afterend:[id=&#x27;server-row-a&#x27;]">' in text
    monkeypatch.setattr(shown, "STAYS", -1.0)
    assert '<tr id="server-row-b" hx-swap-oob="delete">' in refreshed(bob, path, text).content.decode()


def test_an_open_list_of_which_nobody_knows_is_sent_anew(acme: Tenant, signed_in: SignedIn) -> None:
    publish(acme.pk, server())
    bob = signed_in("bob")
    told = refreshed(bob, "/servers/", 'id="follow" data-have="abc"')
    assert (told.status_code, told["HX-Retarget"]) == (200, "#results")
    assert told.content.decode().startswith('<div id="results"')


def test_the_filters_of_an_open_list_are_sent_again_only_when_a_count_changed(
    acme: Tenant, signed_in: SignedIn
) -> None:
    publish(acme.pk, server())
    bob = signed_in("bob")
    have = re.search(r'id="facets"[^>]*data-have="(\w+)"', read(bob, "/servers/"))
    assert have
    headers = {**HTMX, "HX-Target": "facets", "X-Refresh": "1", "X-Have": have[1]}
    assert bob.get("/servers/", headers=headers).status_code == 204
    publish(acme.pk, server(status="FAILOVER_TEST"))
    assert bob.get("/servers/", headers=headers).content.decode().startswith('<div id="facets"')


def test_a_view_is_saved_found_again_renamed_and_removed(acme: Tenant, signed_in: SignedIn) -> None:
    publish(acme.pk, server())
    bob = signed_in("bob")
    bob.post("/views/", {"name": "Mine", "query": "?status=STAND_BY&sort=-name&evil=1"})
    saved = SavedView.objects.get()
    assert saved.query == "status=STAND_BY&sort=-name"
    page = read(bob, "/servers/?status=STAND_BY")
    assert re.search(r'href="/servers/\?status=STAND_BY&amp;sort=-name"[^>]*aria-current="true">Mine', page)
    bob.post(f"/views/{saved.pk}/rename/", {"name": "Ours"})
    assert "Ours" in read(bob, "/servers/")
    alice = signed_in("alice")
    assert "Ours" not in read(alice, "/servers/")
    assert alice.post(f"/views/{saved.pk}/remove/").status_code == 404
    bob.post(f"/views/{saved.pk}/remove/")
    assert not SavedView.objects.exists()


@pytest.mark.parametrize("name", ["", "x" * 61, "a\0b"])
def test_a_view_needs_a_name_that_can_be_kept(acme: Tenant, signed_in: SignedIn, name: str) -> None:
    assert signed_in("bob").post("/views/", {"name": name, "query": "q=%00"}).status_code == 302
    assert not SavedView.objects.exists()


def test_a_person_keeps_only_so_many_views(acme: Tenant, signed_in: SignedIn) -> None:
    bob = signed_in("bob")
    for number in range(32):
        bob.post("/views/", {"name": f"View {number}", "query": ""})
    assert SavedView.objects.filter(user=User.objects.get(username="bob")).count() == 30


def test_sites_are_filtered_sorted_and_taken_away(acme: Tenant, signed_in: SignedIn) -> None:
    unready = site("p-9", failover_readiness="ERROR", _issues=[issue("Quota")])
    publish(acme.pk, server(), sites=(site(), unready, site("x-1", failover_readiness=None)))
    bob = signed_in("bob")

    def listed(path: str) -> list[str]:
        return re.findall(r'id="site-row-([^"]+)"', read(bob, path))

    assert listed("/sites/") == ["p-9", "x-1", "p-1"]
    assert listed("/sites/?sort=-servers") == ["p-1", "p-9", "x-1"]
    assert listed("/sites/?readiness=error") == ["p-9"]
    assert listed("/sites/?readiness=unsaid") == ["x-1"]
    assert listed("/sites/?q=P-&sort=nonsense") == ["p-9", "p-1"]
    assert "No site matches." in read(bob, "/sites/?q=zebra")
    assert [one["uuid"] for one in table(bob, "/sites/csv/?q=p-&sort=name")] == ["p-1", "p-9"]
    assert table(bob, "/sites/csv/?readiness=error")[0]["issues"] == "ERROR Quota: It is Quota."


def test_many_sites_come_a_page_at_a_time_and_go_into_a_file_together(acme: Tenant, signed_in: SignedIn) -> None:
    publish(acme.pk, server(), sites=tuple(site(f"p-{number:02}") for number in range(51)))
    bob = signed_in("bob")
    first, last = read(bob, "/sites/?columns=status,issues"), read(bob, "/sites/?columns=status,issues&page=2")
    assert (first.count('id="site-row-'), last.count('id="site-row-')) == (50, 1)
    assert 'href="/sites/?columns=status,issues&amp;page=2"' in first
    assert "Page 2 of 2" in last
    assert "51 sites" in last
    assert 'form="save-view" value="?columns=status,issues"' in last
    assert len(table(bob, "/sites/csv/?page=2")) == 51


def test_a_list_of_sites_keeps_its_columns_in_its_address_and_in_its_file(acme: Tenant, signed_in: SignedIn) -> None:
    publish(acme.pk, server(), sites=(site(), site("p-9", failover_readiness="ERROR")))
    bob = signed_in("bob")
    page = read(bob, "/sites/?columns=servers&columns=status&columns=nonsense&readiness=error")
    assert '<div id="results" class="no-readiness no-issues"' in page
    assert 'value="status,servers"' in page, "a search keeps them"
    [line] = table(bob, "/sites/csv/?columns=status,servers&readiness=error")
    assert list(line) == ["uuid", "default", "status", "deleted_at", "servers", *FRESHNESS]
    assert '<div id="results" data-live' in read(bob, "/sites/?columns=nonsense"), "all of them"


def test_a_view_of_the_sites_is_kept_beside_those_of_the_servers(acme: Tenant, signed_in: SignedIn) -> None:
    publish(acme.pk, server(), sites=(site(), site("p-9", failover_readiness="ERROR")))
    bob = signed_in("bob")
    bob.post("/views/", {"name": "Mine", "query": "?status=STAND_BY", "listing": "servers"})
    kept = bob.post(
        "/views/", {"name": "Mine", "query": "?readiness=error&status=X&columns=status", "listing": "sites"}
    )
    assert kept.headers["Location"] == "/sites/?readiness=error&columns=status"
    assert bob.post("/views/", {"name": "Mine", "query": "", "listing": "audit"}).status_code == 404
    own = re.search(r'href="(/sites/[^"]*)"[^>]*>Mine <span class="n">1<', read(bob, "/sites/"))
    assert own
    assert own[1] == "/sites/?readiness=error&amp;columns=status"
    assert 'aria-current="true">Mine' in read(bob, "/sites/?readiness=error&columns=status")
    assert '"/servers/?status=STAND_BY"' in read(bob, "/servers/")
    view = SavedView.objects.get(listing="sites")
    bob.post(f"/views/{view.pk}/rename/", {"name": "Down"})
    assert bob.post(f"/views/{view.pk}/remove/").headers["Location"] == "/sites/"
    assert [one.listing for one in SavedView.objects.all()] == ["servers"]
