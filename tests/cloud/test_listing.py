"""Listings, over real HTTP: whole, or not understood."""

import time
from urllib.parse import urlsplit

import pytest

from drdash.cloud import wire
from drdash.cloud.client import Client
from drdash.cloud.words import ServerType
from tests.cloud.conftest import SERVER, TOKEN, RawCloud, account_of, example, page, query, reply

# The reference's own examples


def test_the_servers_of_the_reference_arrive_whole(cloud: RawCloud, client: Client) -> None:
    cloud.answers = [reply(200, example("servers_first")), reply(200, example("servers_last"))]

    listing = client.servers()

    assert [server.key for server in listing.items] == [
        SERVER,
        "565cf826-5332-4fd8-9109-2b81630e486d",
        "6782e594-781d-4ad2-b8ca-25a0c40f9938",
    ]
    assert (listing.total, listing.whole) == (3, True)
    first, second = cloud.calls
    assert (urlsplit(first.target).path, query(first.target)) == ("/api/dr/v2/servers", [("limit", "50")])
    assert query(second.target) == [("after", "eyJSJdfQ")]
    for request in cloud.calls:
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        assert request.headers["User-Agent"] == "drdash"
    assert first.connection == second.connection


def test_the_sites_of_the_reference_arrive_whole(cloud: RawCloud, client: Client) -> None:
    cloud.answers = [reply(200, example("sites_first")), reply(200, example("sites_last"))]

    listing = client.sites()

    assert [site.status for site in listing.items] == ["PROVISIONING", "PROVISIONED", "PROVISIONED"]
    assert (listing.total, listing.whole) == (3, True)


def test_no_servers_are_a_whole_listing_too(cloud: RawCloud, client: Client) -> None:
    cloud.answers = [reply(200, example("servers_none"))]

    assert client.servers().whole


def test_one_site_of_the_reference(cloud: RawCloud, client: Client) -> None:
    cloud.answers = [reply(200, example("site_provisioned"))]

    assert client.site("40CA099F-c116-4f6c-9730-42a0bff138a2").readiness == "OK"
    assert cloud.calls[0].target == "/api/dr/v2/sites/40CA099F-c116-4f6c-9730-42a0bff138a2"


def test_another_site_than_asked_for_is_not_understood(cloud: RawCloud, client: Client) -> None:
    cloud.answers = [reply(200, example("site_provisioned"))]

    with pytest.raises(wire.NotUnderstood, match="another site"):
        client.site("f3b3b3b3-3b3b-3b3b-3b3b-3b3b3b3b3b3b")


# Listings


def test_deleted_sites_are_asked_for_on_request(cloud: RawCloud, client: Client) -> None:
    cloud.answers = [page("a", total=1)]

    client.sites(allow_deleted=True)

    assert ("allow_deleted", "true") in query(cloud.calls[0].target)


def test_filters_are_sent_with_the_first_page_alone(cloud: RawCloud, client: Client) -> None:
    cloud.answers = [page("a", after="x&y=1"), page("b", total=2)]

    client.servers(type=ServerType.RECOVERY, resource_ids=["R-1", "R-2", "R-1", "odd & id"])

    first, second = (query(request.target) for request in cloud.calls)
    assert sorted(first) == [
        ("limit", "50"),
        ("recovery.resource_id", "R-1"),
        ("recovery.resource_id", "R-2"),
        ("recovery.resource_id", "odd & id"),
        ("type", "RECOVERY"),
    ]
    assert second == [("after", "x&y=1")]


def test_many_resource_ids_are_asked_for_in_urls_of_usual_length_and_merged(cloud: RawCloud, client: Client) -> None:
    ids = [f"00000000-0000-0000-0000-{number:012}" for number in range(200)]
    cloud.answers = [page("a", "b", total=2), page("B", "c", total=2), page("d", total=1), page("e", total=1)]

    listing = client.servers(resource_ids=ids)

    asked = [[value for name, value in query(request.target) if name != "limit"] for request in cloud.calls]
    assert [entry for chunk in asked for entry in chunk] == ids
    assert len(asked) == 4
    assert max(len(request.target) for request in cloud.calls) < 4000
    assert [server.uuid for server in listing.items] == ["a", "B", "c", "d", "e"]
    assert listing.whole


@pytest.mark.parametrize(("total", "whole"), [(1, True), (2, True), (3, False), (None, False)])
def test_a_listing_is_whole_when_it_has_as_many_items_as_the_last_page_says(
    cloud: RawCloud, client: Client, total: object, whole: bool
) -> None:
    cloud.answers = [page("a", after="2"), page("b", total=total)]

    listing = client.servers()

    assert len(listing.items) == 2
    assert listing.whole is whole


TWICE = "same item twice"
CHANGED = "changed while it was read: it counted"


@pytest.mark.parametrize(
    ("pages", "words"),
    [
        ([page("a", "B", after="2", total=3), page("b", "c", total=3)], TWICE),
        ([page("a", "A", total=2)], TWICE),
        ([page("a", after="2"), page("a")], TWICE),
        # A new one, and one that is gone: the last page's total alone would be reached.
        ([page("a", "b", after="2", total=3), page("b", "c", total=4)], f"{CHANGED} 3 items at first, then 4"),
        ([page("a", "b", after="2", total=4), page("d", total=3)], f"{CHANGED} 4 items at first, then 3"),
        ([page("a", after="2", total=1), page("b", after="3"), page("c", total=0)], f"{CHANGED} 1 items at first"),
    ],
)
def test_a_list_that_changes_while_it_is_read_is_not_understood(
    cloud: RawCloud, client: Client, pages: list[bytes], words: str
) -> None:
    for call in (client.servers, client.sites):
        cloud.answers = [*pages]
        with pytest.raises(wire.NotUnderstood, match=words):
            call()


def test_a_cursor_that_comes_again_is_not_followed(cloud: RawCloud, client: Client) -> None:
    cloud.answers = [page("a", after="1"), page("b", after="2"), page("c", after="1"), page("d", total=4)]

    with pytest.raises(wire.NotUnderstood, match="circles"):
        client.servers()

    assert len(cloud.calls) == 3


def test_a_list_without_end_is_given_up(cloud: RawCloud, client: Client) -> None:
    cloud.answers = [page(str(number), after=str(number)) for number in range(2100)]

    with pytest.raises(wire.NotUnderstood, match="more than 2000 pages"):
        client.servers()

    assert len(cloud.calls) == 2000


def test_one_unreadable_item_fails_the_whole_listing(cloud: RawCloud, client: Client) -> None:
    cloud.answers = [page("a", "", total=2)]

    with pytest.raises(wire.NotUnderstood, match="an item has no uuid"):
        client.servers()


def test_the_deadline_is_for_all_pages_together(cloud: RawCloud) -> None:
    elapsed = iter(range(100))
    client = Client(account_of(cloud), now=time.time, monotonic=lambda: float(next(elapsed)))
    cloud.answers = [page(str(number), after=str(number)) for number in range(50)]

    with pytest.raises((wire.Broken, wire.NotSent)):
        client.servers(deadline=30)

    assert len(cloud.calls) < 30
