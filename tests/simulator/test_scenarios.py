import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from drdash.simulator import scenarios
from drdash.simulator.issues import START_TEST
from drdash.simulator.state import Server
from drdash.simulator.world import World
from tests.simulator.conftest import NOW, Api

REFERENCE = json.loads((Path(scenarios.__file__).parent / "reference.json").read_text())


def startable(world: World) -> list[Server]:
    """Recovery servers in stand-by that nothing, not even a warning of their site, keeps from a test."""
    found = []
    for server in world.servers.values():
        shown, site = world.document(server), world.site(server.site_uuid)
        if server.is_recovery and server.status == "STAND_BY" and "_issues" in shown and site and not site.deleted_at:
            ready = world.document(site)["failover_readiness"] == "OK"
            if ready and not world.blockers(server, START_TEST):
                found.append(server)
    return found


@pytest.mark.parametrize("kind", ["servers", "sites"])
def test_the_reference_is_served_word_for_word(kind: str) -> None:
    api = Api(scenarios.build("reference", now=NOW))
    first = {"count": 2, "cursors": {"after": "eyJSJdfQ"}, "total": 3}
    last = {"count": 1, "cursors": {"before": "eyJSJdfQ"}, "total": 3}
    expected = [
        {"items": REFERENCE[kind][:2], "paging": first},
        {"items": REFERENCE[kind][2:], "paging": last},
    ]
    assert api.pages(f"/{kind}") == api.pages(f"/{kind}?limit=50") == expected
    assert api.get(f"/{kind}?before=eyJSJdfQ").document == expected[0]
    assert api.get(f"/{kind}?after=other").status == 400


def test_the_reference_stays_as_it_is() -> None:
    world = scenarios.build("reference", now=NOW)
    api = Api(world)
    before = api.pages("/servers")
    for server in world.servers.values():
        for verb in ("start_failover_test", "start_failover_prod", "stop_failover"):
            found = api.post(f"/servers/{server.uuid}:{verb}")
            assert found.status == (409 if server.is_recovery else 404)
    busy = api.post(f"/servers/{before[0]['items'][0]['uuid']}:stop_failover").document["error"]
    assert busy["context"]["task_uuids"] == ["5bc9464f-87b6-4ea8-aa42-050824135e63"]
    world.advance(NOW + 7000)
    assert api.pages("/servers") == before


def test_the_references_servers_are_filtered_like_any() -> None:
    api = Api(scenarios.build("reference", now=NOW))
    found = api.get("/servers?recovery.resource_id=ecca39e5-5018-4df4-8429-f8c6fb91f2bc").document
    assert found == {"items": [REFERENCE["servers"][1]], "paging": {"count": 1, "total": 1}}
    assert api.get("/servers?type=PRIMARY").document["items"] == [REFERENCE["servers"][2]]


def test_the_customer_has_five_sites_in_every_readiness(world: World) -> None:
    sites = [world.document(site) for site in world.sites.values()]
    listed = [(site["failover_readiness"], site["status"]) for site in sites if "deleted_at" not in site]
    assert Counter(listed) == {
        ("OK", "PROVISIONED"): 2,
        ("WARNING", "PROVISIONED"): 1,
        ("ERROR", "PROVISIONED"): 1,
        ("ERROR", "PROVISIONING"): 1,
    }
    assert [site["default"] for site in sites].count(True) == 1


def test_the_customers_servers_are_of_every_kind(world: World) -> None:
    servers = [world.document(server) for server in world.servers.values()]
    recovery = [server["recovery"] for server in servers if server["type"] == "RECOVERY"]
    assert len(servers) == 40
    assert len({server["name"] for server in servers}) == 40
    assert len(recovery) == 32
    assert {server["status"] for server in servers} >= {
        "STAND_BY", "FAILOVER_TEST", "FINALIZATION", "FAILOVER_PROD", "FINALIZATION_FAILED", "CREATING",
    }  # fmt: skip
    tests: list[dict[str, Any]] = [
        one["automated_test_failover"] for one in recovery if "automated_test_failover" in one
    ]
    assert {test.get("last_status", "off") for test in tests} == {"SUCCESS", "FAILURE", None, "off"}
    assert {"schedule": "NEVER"} in tests
    assert len(tests) < len(recovery)
    assert {server["rpo"]["status"] for server in servers if "rpo" in server} == {"OK", "WARNING", "ERROR", "CRITICAL"}
    issues = [issue for server in servers for issue in server.get("_issues", [])]
    assert {issue["severity"] for issue in issues} == {"ERROR", "error", "WARNING", "warning"}
    assert {"QuotaExceededCloudServers", "CloudConnectionIssue", "SiteNotReady"} <= {
        one["error"]["code"] for one in issues
    }
    assert any("link" not in issue for issue in issues)
    assert any("_issues" not in server for server in servers)
    assert any("ip_mapped" in one for one in recovery)
    assert any("public_ip" not in server for server in servers)
    assert {server["vm"]["status"] for server in servers} == {"STARTED", "STOPPED", "NOT_READY"}
    assert all("os" not in server["vm"] for server in servers if server["vm"]["status"] == "NOT_READY")


def test_one_server_stands_on_a_site_that_is_not_listed(world: World) -> None:
    (gone,) = [site.uuid for site in world.sites.values() if site.deleted_at is not None]
    assert len([server for server in world.servers.values() if server.site_uuid == gone]) == 1


def test_one_test_was_left_running_for_days(world: World) -> None:
    tests = [one.recovery["test_failover"] for one in world.servers.values() if one.status == "FAILOVER_TEST"]
    assert min(test["last_start"] for test in tests) < "2023-11-11"


def test_something_is_seen_to_happen_every_minute() -> None:
    world = scenarios.build("customer", now=NOW)
    for minute in range(60):
        before = {key: world.encoded(server) for key, server in world.servers.items()}
        world.advance(NOW + 60 * (minute + 1))
        assert before != {key: world.encoded(server) for key, server in world.servers.items()}


def test_a_day_brings_everything_and_leaves_most_servers_startable() -> None:
    world = scenarios.build("customer", now=NOW)
    steady = {server.uuid for server in startable(world) if not server.restless}
    ready = [
        s
        for s in world.servers.values()
        if s.is_recovery and world.document(world.sites[s.site_uuid])["failover_readiness"] == "OK"
    ]
    assert len(steady) > len(ready) / 2
    statuses, readiness = set(), Counter[str]()
    for second in range(0, 86400, 20):
        world.advance(NOW + second)
        assert steady <= {server.uuid for server in startable(world)}
        statuses |= {server.status for server in world.servers.values()}
        readiness.update(world.document(site)["failover_readiness"] for site in world.sites.values())
    assert statuses >= {
        "POWERING_OFF",
        "POWERING_ON",
        "STARTING_FAILOVER_TEST_AUTO",
        "FAILOVER_TEST_AUTO",
        "STOPPING_FAILOVER",
    }
    assert min(readiness[state] for state in ("OK", "WARNING", "ERROR")) > 1000


def test_a_server_in_a_clients_hands_is_left_alone() -> None:
    world = scenarios.build("customer", now=NOW)
    restless = [server for server in startable(world) if server.restless]
    for server in restless:
        world.start(server.uuid, production=False)
    world.advance(NOW + 30)
    assert {server.status for server in restless} == {"FAILOVER_TEST"}
    for second in range(30, 7200, 5):
        world.advance(NOW + second)
        assert {server.status for server in restless} == {"FAILOVER_TEST"}


def test_nothing_happens_in_quiet(world: World) -> None:
    world.advance(NOW + 3599)  # then a finalization ends
    before = [world.encoded(server) for server in world.servers.values()]
    fresh = scenarios.build("quiet", now=NOW)
    assert before == [fresh.encoded(server) for server in fresh.servers.values()]


@pytest.mark.parametrize(("servers", "sites"), [(0, 0), (1, 1), (0, 3), (7, 2), (120, 5), (1000, 23)])
@pytest.mark.parametrize("name", ["customer", "quiet"])
def test_a_scenario_has_the_size_that_is_asked_for(name: str, servers: int, sites: int) -> None:
    world = scenarios.build(name, now=NOW, servers=servers, sites=sites)
    assert len(world.servers) == servers
    assert len([site for site in world.sites.values() if site.deleted_at is None]) == sites
    assert len(startable(world)) >= servers / 4
    world.advance(NOW + 300)
    assert len({server.fields["name"] for server in world.servers.values()}) == servers


def test_an_unknown_scenario_is_refused() -> None:
    with pytest.raises(KeyError):
        scenarios.build("nonsense", now=NOW)
