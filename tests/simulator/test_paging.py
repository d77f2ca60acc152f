from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drdash.simulator import scenarios
from drdash.simulator.state import Server, Site
from drdash.simulator.world import World
from tests.simulator.conftest import Api


def test_ten_items_unless_asked_otherwise(api: Api) -> None:
    first = api.get("/servers").document
    assert len(first["items"]) == first["paging"]["count"] == 10
    assert first["paging"]["total"] == 40
    assert first["paging"]["cursors"].keys() == {"after"}


@pytest.mark.parametrize("limit", [1, 7, 20, 39, 40, 50])
def test_the_pages_hold_every_server_once(api: Api, world: World, limit: int) -> None:
    pages = api.pages(f"/servers?limit={limit}")
    assert [item["uuid"] for page in pages for item in page["items"]] == [one.uuid for one in world.servers.values()]
    assert all(page["paging"]["count"] == len(page["items"]) for page in pages)


def test_the_way_back_shows_the_same_pages(api: Api) -> None:
    forth = api.pages("/servers?limit=15&type=RECOVERY")
    back = [forth[-1]]
    while before := back[-1]["paging"].get("cursors", {}).get("before"):
        back.append(api.get(f"/servers?before={quote(before)}").document)
    assert [page["items"] for page in reversed(back)] == [page["items"] for page in forth]
    assert "cursors" not in api.get("/servers?limit=50").document["paging"]


def test_a_middle_page_has_both_cursors_and_the_ends_have_one(api: Api) -> None:
    cursors = [page["paging"]["cursors"].keys() for page in api.pages("/servers?limit=15")]
    assert cursors == [{"after"}, {"after", "before"}, {"before"}]


def test_an_empty_list_is_a_page_without_cursors() -> None:
    api = Api(scenarios.build("empty", now=0))
    for target in ("/servers", "/sites"):
        assert api.get(target).document == {"items": [], "paging": {"count": 0, "total": 0}}


def test_a_cursor_keeps_its_filters_and_ignores_other_parameters(api: Api) -> None:
    first = api.get("/servers?limit=5&type=PRIMARY").document
    after = first["paging"]["cursors"]["after"]
    second = api.get(f"/servers?after={after}&type=NONSENSE&recovery.resource_id=!").document
    assert {item["type"] for item in second["items"]} == {"PRIMARY"}
    assert second["paging"]["total"] == first["paging"]["total"] == 8


def test_a_cursor_survives_what_comes_and_goes(api: Api, world: World) -> None:
    first = api.get("/servers?limit=10").document
    expected = api.get(f"/servers?after={first['paging']['cursors']['after']}").document["items"]
    for item in first["items"]:
        world.remove(world.servers[item["uuid"]])
    again = api.get(f"/servers?after={first['paging']['cursors']['after']}").document
    assert again["items"] == expected
    assert again["paging"]["total"] == 30


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(gone=st.sets(st.integers(0, 39), min_size=30), limit=st.integers(1, 50))
def test_pages_are_whole_over_any_gaps(gone: set[int], limit: int) -> None:
    world = scenarios.build("quiet", now=0)
    for server in list(world.servers.values()):
        if server.ordinal in gone:
            world.remove(server)
    uuids = [item["uuid"] for page in Api(world).pages(f"/servers?limit={limit}") for item in page["items"]]
    assert uuids == [server.uuid for server in world.servers.values()]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("limit=0", "0 is less than the minimum of 1"),
        ("limit=-1", "-1 is less than the minimum of 1"),
        ("limit=51", "51 is greater than the maximum of 50"),
        ("limit=abc", "\"abc\" is not of type 'integer'"),
        ("limit=", "\"\" is not of type 'integer'"),
        ("limit=1.5", "\"1.5\" is not of type 'integer'"),
        ("limit=5&limit=6", '"limit" is given more than once'),
        ("after=", '"" does not match "\\\\S+"'),
        ("before=", '"" does not match "\\\\S+"'),
        ("after=nonsense", '"nonsense" is not a valid cursor'),
        ("after=eyJSJdfQ", '"eyJSJdfQ" is not a valid cursor'),
        ("after=%F0%9F%92%A9", '"\\ud83d\\udca9" is not a valid cursor'),
        ("after=x&limit=5", '"limit", "after" are mutually exclusive'),
        ("before=x&limit=5", '"limit", "before" are mutually exclusive'),
        ("after=x&before=y", '"after", "before" are mutually exclusive'),
    ],
)
@pytest.mark.parametrize("target", ["/servers", "/sites"])
def test_what_does_not_fit_is_a_400_that_says_why(api: Api, target: str, query: str, reason: str) -> None:
    answer = api.get(f"{target}?{query}")
    assert answer.status == 400
    assert answer.document["error"]["debug"]["additional"] == [reason]


@pytest.mark.parametrize(
    ("query", "reasons"),
    [
        ("type=FOO", 1),
        ("type=recovery", 1),
        ("recovery.resource_id=", 1),
        ("recovery.resource_id=a_b&recovery.resource_id=fine&recovery.resource_id=%20", 2),
        ("type=FOO&limit=0&recovery.resource_id=%2F", 3),
    ],
)
def test_every_reason_is_listed(api: Api, query: str, reasons: int) -> None:
    answer = api.get(f"/servers?{query}")
    assert answer.status == 400
    assert len(answer.document["error"]["debug"]["additional"]) == reasons


def test_a_cursor_of_one_list_is_none_of_the_other(api: Api) -> None:
    after = api.get("/servers").document["paging"]["cursors"]["after"]
    assert api.get(f"/sites?after={after}").status == 400
    assert api.get(f"/servers?before={after}").status == 400


def test_servers_are_found_by_their_resources_in_any_case(api: Api, world: World) -> None:
    one, other = [server for server in world.servers.values() if server.is_recovery][:2]
    query = f"recovery.resource_id={one.resource_id.upper()}&recovery.resource_id={other.resource_id.lower()}"
    found = api.get(f"/servers?{query}&recovery.resource_id=unknown").document
    assert [item["uuid"] for item in found["items"]] == [one.uuid, other.uuid]
    assert found["paging"] == {"count": 2, "total": 2}
    assert api.get(f"/servers?{query}&type=PRIMARY").document["items"] == []


def test_deleted_sites_show_only_when_allowed(api: Api, world: World) -> None:
    (gone,) = [site for site in world.sites.values() if site.deleted_at is not None]
    assert api.get("/sites").document["paging"]["total"] == 5
    everything = api.get("/sites?allow_deleted=true").document
    assert everything["paging"]["total"] == 6
    assert [item["uuid"] for item in everything["items"] if "deleted_at" in item] == [gone.uuid]
    assert api.get(f"/sites/{gone.uuid}").status == 404
    assert api.get(f"/sites/{gone.uuid}?allow_deleted=false").status == 404
    assert api.get(f"/sites/{gone.uuid}?allow_deleted=true").document["uuid"] == gone.uuid
    assert api.get("/sites?allow_deleted=yes").status == api.get(f"/sites/{gone.uuid}?allow_deleted=1").status == 400


def test_a_site_is_found_by_its_uuid_in_any_case(api: Api, site: Site) -> None:
    assert api.get(f"/sites/{site.uuid.upper()}").document["uuid"] == site.uuid


def test_the_list_shows_an_action_at_once(api: Api, server: Server) -> None:
    api.get("/servers?limit=50")
    task = api.post(f"/servers/{server.uuid}:start_failover_test").document["task_uuid"]
    (shown,) = api.get(f"/servers?recovery.resource_id={server.resource_id}").document["items"]
    assert (shown["status"], shown["task_uuid"]) == ("STARTING_FAILOVER_TEST", task)
