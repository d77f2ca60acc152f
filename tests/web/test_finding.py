from typing import Any

import pytest

from drdash.cloud.records import Server
from drdash.web.finding import Found, Wanted, find, one, tally
from tests.web.seen import estate, issue, server, site

HERE = estate(
    server("a", name="web-01", public_ip="10.0.0.9", status="FAILOVER_TEST"),
    server("B", name="Web-02", public_ip="10.0.0.10", type="PRIMARY", site_uuid="P-2"),
    server(
        "c", name="db", description="orders", _issues=[issue("ServerNotLicensed")], recovery={"ip_mapped": "172.16.0.1"}
    ),
)
THERE = estate(server("d", name="other", status="NEBULOUS"), tenant=2)


def keys(**wanted: Any) -> list[str]:
    def is_blocked(found: Found) -> bool:
        return bool(found.server.issues)

    return [found.key for found in find({1: HERE, 2: THERE}, Wanted.of(wanted), is_blocked=is_blocked)]


def test_everything_is_found_by_name_at_first() -> None:
    assert keys() == ["c", "d", "a", "b"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"type": "primary"}, ["b"]),
        ({"status": "failover_test"}, ["a"]),
        ({"status": "NEBULOUS"}, ["d"]),
        ({"status": "NOTHING"}, []),
        ({"site": "p-2"}, ["b"]),
        ({"tenant": "2"}, ["d"]),
        ({"tenant": "x"}, []),
        ({"blocked": "true"}, ["c"]),
        ({"blocked": "false"}, ["d", "a", "b"]),
        ({"blocked": "perhaps"}, ["c", "d", "a", "b"]),
        ({"tested": "due"}, ["c", "d"]),
        ({"tested": "never"}, ["c", "d", "a"]),
        ({"tested": "perhaps"}, ["c", "d", "a", "b"]),
        ({"status": "FAILOVER_TEST,NEBULOUS"}, ["d", "a"]),
        ({"issues": "error"}, ["c"]),
        ({"issues": "none", "readiness": "ok"}, ["d", "a"]),
        ({"readiness": "unsaid"}, ["b"]),
        ({"vm": "STOPPED", "q": "10.0"}, ["a", "b"]),
        ({"backup": "late"}, []),
        ({"missing": "true"}, []),
        ({"q": "WEB"}, ["a", "b"]),
        ({"q": "orders"}, ["c"]),
        ({"q": "10.0.0.1"}, ["b"]),
        ({"q": "172.16"}, ["c"]),
        ({"q": "web", "type": "RECOVERY"}, ["a"]),
    ],
)
def test_filters(wanted: dict[str, str], found: list[str]) -> None:
    assert keys(**wanted) == found


def test_counts_are_those_of_the_other_filters() -> None:
    wanted = Wanted.of({"type": "RECOVERY", "status": "STAND_BY"})
    counts = tally({1: HERE, 2: THERE}, wanted, is_blocked=lambda _: False)
    assert counts["type"] == {"recovery": 1, "primary": 1}
    assert counts["status"] == {"stand_by": 1, "failover_test": 1, "nebulous": 1}
    assert counts["tested"] == {"due": 1, "never": 1}
    for value, count in counts["status"].items():
        assert len(keys(type="RECOVERY", status=value)) == count


def test_a_value_with_a_comma_in_it_is_one_value_too() -> None:
    odd = estate(server("s", site_uuid="a,b"))
    assert len(find({1: odd}, Wanted.of({"site": "A,b"}), is_blocked=lambda _: False)) == 1


def test_addresses_sort_as_numbers() -> None:
    assert keys(sort="address", q="web") == ["a", "b"]
    assert keys(sort="-address", q="web") == ["b", "a"]


def test_nonsense_in_a_query_is_as_if_it_were_not_there() -> None:
    assert Wanted.of({"sort": "-colour", "page": "-7", "zeta": "1"}) == Wanted()
    assert Wanted.of({"page": "9" * 40}).page > 1
    assert Wanted.of({"page": "²"}).page == 1


def test_a_query_gives_back_what_it_was_made_of() -> None:
    params = {"type": "RECOVERY", "q": "a&b", "sort": "-status", "page": "3", "blocked": "true"}
    assert Wanted.of(params).params() == params
    assert Wanted().params() == {}


def test_a_server_is_found_by_its_id_in_any_case() -> None:
    found = one({1: HERE, 2: THERE}, "b")
    assert found is not None
    assert found.server.uuid == "B"
    assert one({1: HERE}, "d") is None


@pytest.mark.parametrize("sort", ["name", "status", "type", "site", "address", "rpo", "tested", "issues"])
def test_every_order_bears_servers_that_say_nothing(sort: str) -> None:
    bare: Server = server(name=None, status=None, type=None, site_uuid=None, _issues=None, _links=None, vm=None)
    assert (
        len(find({1: estate(bare, server("x"), sites=(site(),))}, Wanted(sort=sort), is_blocked=lambda _: False)) == 2
    )
