"""The recovery points beside the DR API: whose links are followed, and what is read of them."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drdash.cloud import wire
from drdash.cloud.client import Client
from drdash.cloud.neighbours import links, points
from drdash.cloud.neighbours.points import Points
from drdash.cloud.transport import Reply
from tests.cloud.conftest import TOKEN, RawCloud, reply
from tests.hostile import hrefs
from tests.sizes import cases, sized

OWN = "https://cloud.example.com"
PATH = "/bc/api/vault_manager/v1/backups?order=desc(created)&resourceId=a-1"
IDS = {"backup_id": "b@1", "archive_id": "a-2", "vault_id": "v-3"}
HOSTILE = hrefs("http://127.0.0.1:8000", "http://127.0.0.1:9000")


def answered(*bodies: Any, **headers: str) -> Callable[[str], Reply]:
    """Answers, one after the other."""
    left = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in bodies]
    return lambda _: Reply(status=200, headers=headers, body=left.pop(0))


def item(number: int, **more: Any) -> dict[str, Any]:
    return {**IDS, "backup_id": f"b{number}", "created": f"2026-01-{number:02}T00:00:00Z", **more}


def read(*items: Any, after: str = "", **headers: str) -> Points:
    paging: Mapping[str, Any] = {"cursors": {"after": after}} if after else {}
    return points.read(PATH, answered({"items": items, "paging": paging}, **headers), now=0)


def test_there_are_more_than_150_hostile_links() -> None:
    assert len(HOSTILE) > 190


@pytest.mark.parametrize("api", [links.BACKUPS, links.ANY_API])
def test_no_hostile_link_is_followed(api: Any) -> None:
    assert [one for one in HOSTILE if links.own_path(one, "http://127.0.0.1:8000", api=api)] == []


@pytest.mark.parametrize("start", [OWN, "HTTPS://Cloud.Example.com", f"{OWN}:443", "https://cloud.example.com."])
def test_a_link_on_the_own_host_is_followed(start: str) -> None:
    assert links.own_path(start + PATH, OWN, api=links.BACKUPS) == PATH


@pytest.mark.parametrize("start", ["http://cloud.example.com", f"{OWN}:8443", "https://cloud.example.org"])
def test_another_scheme_port_or_host_is_not_the_own_one(start: str) -> None:
    assert links.own_path(start + PATH, OWN, api=links.BACKUPS) is None


def test_the_list_is_read_over_its_pages_newest_first(cloud: RawCloud, client: Client) -> None:
    old = item(1, size="x", failover_check_info={"is_critical_error": True, "error": "Broken."})
    new = item(2, size=7, malware_assessment_result=1, type="full")
    cloud.answers = [
        reply(200, json.dumps({"items": [old, {"backup_id": "x"}], "paging": {"cursors": {"after": "c"}}}).encode()),
        reply(200, json.dumps({"items": [new], "paging": {"cursors": {}}}).encode()),
    ]

    found = points.read(PATH, lambda path: client.beside(path, deadline=5), now=0)

    assert [(one.ids.backup_id, one.size, one.malware, one.broken) for one in found.items] == [
        ("b2", 7, points.MALWARE, False),
        ("b1", None, "", True),
    ]
    assert (found.unreadable, found.rest, found.newest) == (1, "", True)
    assert [one.target for one in cloud.calls] == [PATH, f"{PATH.partition('?')[0]}?after=c"]
    assert {one.headers["Authorization"] for one in cloud.calls} == {f"Bearer {TOKEN}"}


def test_what_is_deleted_is_not_there() -> None:
    assert read(item(1, deleted=True), item(2, deleted=False)).items[0].ids.backup_id == "b2"
    assert len(read(item(1, deleted=True), item(2)).items) == 1


def test_the_same_point_twice_is_one() -> None:
    assert len(read(item(1), item(1, size=3)).items) == 1


@pytest.mark.parametrize(
    "info", [{"is_critical_error": 1}, {"is_critical_error": "no"}, {"is_critical_error": {}}, "x", 7, [1]]
)
def test_a_check_that_nobody_knows_to_be_harmless_is_critical(info: Any) -> None:
    assert read(item(1, failover_check_info=info)).items[0].broken


@pytest.mark.parametrize("info", [None, {}, {"is_critical_error": False}, {"is_critical_error": None, "error": "Hm."}])
def test_a_check_that_says_so_is_harmless(info: Any) -> None:
    assert not read(item(1, failover_check_info=info)).items[0].broken


@pytest.mark.parametrize(
    ("said", "read_as"), [(0, "clean"), (1, "malware"), (None, ""), (2, "2"), (True, "True"), ("0", "0")]
)
def test_only_the_two_known_words_on_malware_are_believed(said: Any, read_as: str) -> None:
    assert read(item(1, malware_assessment_result=said)).items[0].malware == read_as


@pytest.mark.parametrize("wrong", ["", "a b", "a/b", "a\n", "é", None, 7, "x" * 201])
def test_ids_that_are_none_are_counted_and_not_offered(wrong: Any) -> None:
    found = read(item(1, vault_id=wrong), item(2))
    assert (len(found.items), found.unreadable) == (1, 1)


@pytest.mark.parametrize("created", ["soon", 7, None, "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_that_is_none_comes_last(created: Any) -> None:
    found = read(item(1, created=created), item(2))
    assert [one.created is None for one in found.items] == [False, True]


def test_the_cloud_tells_the_time_by_its_own_clock() -> None:
    assert read(item(1), Date="Thu, 01 Jan 2026 12:00:00 GMT").at == datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert read(item(1), Date="yesterday").at is None


def test_a_list_without_end_is_read_no_further_than_three_pages() -> None:
    pages = [{"items": [item(30 - n)], "paging": {"cursors": {"after": f"c{n}"}}} for n in range(9)]
    found = points.read(PATH, answered(*pages), now=0)
    assert (len(found.items), found.newest) == (3, True)
    assert "older ones" in found.rest


def test_a_list_out_of_order_that_was_not_read_to_its_end_does_not_tell_the_newest() -> None:
    pages = [{"items": [item(n + 1)], "paging": {"cursors": {"after": f"c{n}"}}} for n in range(9)]
    assert not points.read(PATH, answered(*pages), now=0).newest


def test_a_cursor_that_comes_again_ends_the_list() -> None:
    page = {"items": [item(1)], "paging": {"cursors": {"after": "c"}}}
    assert "circles" in points.read(PATH, answered(page, page, page), now=0).rest


def test_a_second_page_that_fails_leaves_the_first() -> None:
    found = points.read(PATH, answered({"items": [item(1)], "paging": {"cursors": {"after": "c"}}}, b"<html>"), now=0)
    assert len(found.items) == 1
    assert "HTML" in found.rest


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*IDS, "created", "size", "items"]), inner)
    ),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    [*IDS, "created", "size", "type", "deleted", "malware_assessment_result", "failover_check_info", "error"]
)
ITEMS = st.dictionaries(FIELDS, JSON).map(lambda given: {**IDS, **given}) | JSON


@settings(sized, max_examples=cases(40, full=20_000))
@given(st.binary() | st.lists(ITEMS, max_size=3).map(lambda items: json.dumps({"items": items}).encode()))
def test_any_body_is_a_list_or_a_named_error(body: bytes) -> None:
    try:
        found = points.read(PATH, answered(body), now=0)
    except wire.CloudError:
        return
    assert isinstance(found, Points)
