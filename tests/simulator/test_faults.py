"""Answers that are wrong in themselves, and lists that change while they are read."""

import http.client
import json
import tracemalloc
import zlib
from email.utils import parsedate_to_datetime
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest

from drdash.simulator.faults import Kind, huge
from drdash.simulator.simulation import Simulator
from tests.simulator.conftest import Client

Page = dict[str, Any]


def read(client: Client, path: str = "/api/dr/v2/servers?limit=50", most: int = 4) -> list[Page]:
    """The pages of a list by their cursors, until one comes again."""
    pages = [client.get(path)]
    seen: list[str] = []
    while (after := pages[-1]["paging"].get("cursors", {}).get("after")) and after not in seen and len(pages) < most:
        seen.append(after)
        pages.append(client.get(f"{path.partition('?')[0]}?after={after}"))
    return pages


def uuids(pages: list[Page]) -> list[str]:
    return [item["uuid"] for page in pages for item in page["items"]]


@pytest.mark.parametrize(
    ("kind", "counts", "totals", "unique"),
    [
        ("shrinks", [20, 19], [40, 39], 39),
        ("grows", [20, 21], [40, 41], 40),
        ("duplicates", [20, 21], [40, 40], 40),
    ],
)
def test_a_list_changes_while_it_is_read(
    simulator: Simulator, client: Client, kind: Kind, counts: list[int], totals: list[int], unique: int
) -> None:
    simulator.fail(kind, path="/servers")
    pages = read(client)
    assert [len(page["items"]) for page in pages] == [page["paging"]["count"] for page in pages] == counts
    assert [page["paging"]["total"] for page in pages] == totals
    assert len(set(uuids(pages))) == unique
    assert len(set(uuids(read(client)))) == 40


def test_a_cursor_comes_again(simulator: Simulator, client: Client) -> None:
    simulator.fail("repeated_cursor", path="/servers")
    first, second = read(client)
    assert first["paging"]["cursors"]["after"] == second["paging"]["cursors"]["after"]


@pytest.mark.parametrize("kind", ["shrinks", "grows", "duplicates", "repeated_cursor"])
def test_a_list_without_a_second_item_has_nothing_to_go_wrong(client: Client, simulator: Simulator, kind: Kind) -> None:
    for uuid in list(simulator.world.servers)[1:]:
        simulator.force_server(uuid, delete=True)
    simulator.fail(kind, path="/servers")
    (page,) = read(client)
    assert (len(page["items"]), page["paging"]) == (1, {"count": 1, "total": 1})


def test_the_list_of_tenants_goes_wrong_the_same_way(simulator: Simulator, client: Client) -> None:
    simulator.fail("repeated_cursor", path="/tenants")
    (only,) = read(client, f"/api/2/tenants?subtree_root_id={simulator.world.tenant}")
    assert [one["kind"] for one in only["items"]] == ["customer"]


def test_a_truncated_document_says_that_it_is_whole(simulator: Simulator, client: Client) -> None:
    simulator.fail("truncated")
    status, headers, body = client.send("GET", "/api/dr/v2/sites")
    assert (status, int(headers["Content-Length"])) == (200, len(body))
    with pytest.raises(ValueError):
        json.loads(body)


def test_values_come_in_other_types(simulator: Simulator, client: Client) -> None:
    simulator.fail("wrong_types", times=2)
    first, second, *_ = client.get("/api/dr/v2/sites")["items"]
    assert (first["uuid"], first["status"], first["_issues"]) == (7, 7, "seven")
    assert isinstance(second["uuid"], str)
    assert client.get(f"/api/dr/v2/sites/{second['uuid']}")["uuid"] == 7


def test_there_may_be_no_body_at_all(simulator: Simulator, client: Client) -> None:
    simulator.fail("empty")
    status, headers, body = client.send("GET", "/api/dr/v2/sites")
    assert (status, headers["Content-Type"], body) == (200, "application/json", b"")


@pytest.mark.parametrize("encoding", ["", "chunked", "gzip"])
def test_a_huge_body_is_a_document(
    simulator: Simulator, client: Client, encoding: Literal["", "chunked", "gzip"]
) -> None:
    simulator.fail("huge", size=3_000_001, encoding=encoding)
    status, headers, body = client.send("GET", "/api/dr/v2/sites")
    if encoding == "gzip":
        assert len(body) < 100_000
        body = zlib.decompress(body, wbits=31)
    assert (status, "Content-Length" in headers) == (200, encoding == "")
    assert len(body) == 3_000_001
    assert json.loads(body)["items"] == []


def test_two_hundred_megabytes_are_never_in_memory() -> None:
    tracemalloc.start()
    try:
        assert sum(map(len, huge(200 * 2**20))) == 200 * 2**20
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_who_leaves_before_the_end_of_a_huge_body_is_no_trouble(simulator: Simulator, client: Client) -> None:
    simulator.fail("huge")
    other = http.client.HTTPConnection(urlsplit(simulator.url).netloc, timeout=10)
    other.request("GET", "/api/dr/v2/sites")
    assert len(other.getresponse().read(1000)) == 1000
    other.close()
    assert client.send("GET", "/api/dr/v2/sites")[0] == 200


def test_the_clouds_clock_may_be_an_hour_off(simulator: Simulator, client: Client) -> None:
    client.order("clock", {"skew": 3600})
    simulator.issuer.tells_expires_in = False
    fresh = Client(simulator)
    status, headers, body = fresh.send(
        "POST",
        "/api/2/idp/token",
        b"grant_type=password&username=drdash-user&password=simulated-secret-password",
        {"Content-Type": "application/x-www-form-urlencoded"},
    )
    fresh.connection.close()
    document = json.loads(body)
    assert status == 200
    assert abs(parsedate_to_datetime(headers["Date"]).timestamp() - simulator.clock.now() - 3600) < 2
    assert "expires_in" not in document
    assert abs(document["expires_on"] - simulator.clock.now() - 3600 - 7200) < 2
