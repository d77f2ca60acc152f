from dataclasses import replace

import pytest

from drdash.simulator import incidents, scenarios
from drdash.simulator.issues import ACTIONS, START_TEST, STOP, issue
from drdash.simulator.state import Server, Site
from drdash.simulator.world import Refused, World

POINT = {"backup_id": "b-1", "archive_id": "a@1", "vault_id": "v"}


def test_a_started_test_is_busy_and_then_runs(world: World, server: Server) -> None:
    started = world.now
    task = world.start(server.uuid, production=False)

    shown = world.document(server)
    assert (shown["status"], shown["task_uuid"]) == ("STARTING_FAILOVER_TEST", task)
    assert "active_failover" not in shown["recovery"]
    assert [found["link"] for found in shown["_issues"]] == list(ACTIONS)
    assert shown["_issues"][0] == {
        "domain": "DisasterRecovery",
        "error": {
            "code": "ResourceBusy",
            "context": {"resource_id": server.uuid, "task_uuids": [task]},
            "domain": "DisasterRecovery",
            "message": "The resource is busy, another task is currently in progress. Try again later.",
        },
        "link": "DR_CLOUD_SERVER_START_FAILOVER_PROD",
        "target": server.uuid,
        "severity": "ERROR",
    }
    assert set(ACTIONS) <= {link["rel"] for link in shown["_links"]}

    world.advance(started + 9.9)
    assert server.status == "STARTING_FAILOVER_TEST"
    world.advance(started + 10)

    shown = world.document(server)
    assert (shown["status"], shown["vm"]["status"], shown["_issues"]) == ("FAILOVER_TEST", "STARTED", [])
    assert "task_uuid" not in shown
    latest = {name: server.points[0][name] for name in POINT}
    assert shown["recovery"]["test_failover"] == {
        "recovery_point": latest,
        "last_start": "2023-11-14T22:13:20+00:00",
        "last_task_uuid": task,
    }
    active = shown["recovery"]["active_failover"]
    assert active.keys() == {"id", "archive_credentials_id", "backup_uri", "vault_id"}
    assert active["vault_id"] == latest["vault_id"]


def test_a_test_starts_from_the_point_that_is_asked_for(world: World, server: Server) -> None:
    world.start(server.uuid, production=False, point=POINT)
    world.advance(world.now + 10)
    assert server.recovery["test_failover"]["recovery_point"] == POINT


def test_production_is_finalized_after_it_runs(world: World, server: Server) -> None:
    world.start(server.uuid, production=True)
    began = world.now
    assert server.status == "STARTING_FAILOVER_PROD"
    world.advance(began + 20)
    assert (server.status, server.fields["vm"]["status"]) == ("FINALIZATION", "STARTED")
    assert server.task is None
    world.advance(began + 80)
    assert server.status == "FAILOVER_PROD"


def test_a_stop_during_finalization_is_not_overtaken(world: World, server: Server) -> None:
    world.start(server.uuid, production=True)
    world.advance(world.now + 50)
    world.stop(server.uuid)
    world.advance(world.now + 8)
    world.start(server.uuid, production=True)
    world.advance(world.now + 25)
    # The first failover's finalization was due by now; this is the second's.
    assert server.status == "FINALIZATION"


def test_a_stop_returns_to_stand_by(world: World, server: Server) -> None:
    world.start(server.uuid, production=False)
    world.advance(world.now + 10)
    world.stop(server.uuid)
    assert server.status == "STOPPING_FAILOVER"
    world.advance(world.now + 8)
    shown = world.document(server)
    assert (shown["status"], shown["vm"]["status"]) == ("STAND_BY", server.idle_vm)
    assert "active_failover" not in shown["recovery"]
    assert "test_failover" in shown["recovery"]


@pytest.mark.parametrize("act", ["start_test", "start_prod", "stop"])
def test_a_busy_server_takes_nothing_else(world: World, server: Server, act: str) -> None:
    task = world.start(server.uuid, production=False)
    with pytest.raises(Refused) as refused:
        world.stop(server.uuid) if act == "stop" else world.start(server.uuid, production=act == "start_prod")
    assert (refused.value.status, refused.value.code) == (409, "ResourceBusy")
    assert refused.value.context == {"resource_id": server.uuid, "task_uuids": [task]}
    assert task in refused.value.message


def test_a_busy_server_that_says_nothing_of_issues_takes_nothing_else(world: World, server: Server) -> None:
    server.issues = None
    world.start(server.uuid, production=False)
    assert "_issues" not in world.document(server)
    with pytest.raises(Refused, match="busy"):
        world.start(server.uuid, production=False)


def test_only_what_is_in_stand_by_starts_a_test(world: World, server: Server) -> None:
    world.start(server.uuid, production=False)
    world.advance(world.now + 10)
    with pytest.raises(Refused) as refused:
        world.start(server.uuid, production=False)
    assert (refused.value.status, refused.value.code) == (409, "NotAllowed")


def test_a_running_test_gives_way_to_production(world: World, server: Server) -> None:
    world.start(server.uuid, production=False)
    world.advance(world.now + 10)
    test = server.recovery["active_failover"]["id"]
    world.start(server.uuid, production=True)
    world.advance(world.now + 20)
    assert server.status == "FINALIZATION"
    assert server.recovery["active_failover"]["id"] != test


def test_nothing_to_stop_in_stand_by(world: World, server: Server) -> None:
    with pytest.raises(Refused) as refused:
        world.stop(server.uuid)
    assert (refused.value.status, refused.value.code) == (409, "NotAllowed")


def test_an_error_of_the_link_refuses_with_its_code(world: World, server: Server) -> None:
    server.issues = [issue("QuotaExceededCloudServers", server.uuid, severity="error", link=START_TEST)]
    world.changed(server)
    with pytest.raises(Refused) as refused:
        world.start(server.uuid, production=False)
    assert refused.value.code == "QuotaExceededCloudServers"
    world.start(server.uuid, production=True)  # another link


def test_an_error_without_a_link_refuses_every_action(world: World, server: Server) -> None:
    server.issues = [issue("ServerNotLicensed", server.uuid, severity="error")]
    for production in (False, True):
        with pytest.raises(Refused, match="license"):
            world.start(server.uuid, production=production)
    with pytest.raises(Refused, match="license"):
        world.stop(server.uuid)


@pytest.mark.parametrize("severity", ["WARNING", "warning"])
def test_a_warning_refuses_nothing(world: World, server: Server, severity: str) -> None:
    server.issues = [issue("QuotaReachedComputePoints", server.uuid, severity=severity)]
    world.start(server.uuid, production=False)


def test_a_site_that_is_not_ready_refuses(world: World, server: Server, site: Site) -> None:
    site.status = "DEPROVISIONING"
    world.changed(site)
    assert {found["error"]["code"] for found in world.document(server)["_issues"]} == {"SiteNotReady"}
    with pytest.raises(Refused) as refused:
        world.start(server.uuid, production=False)
    assert refused.value.code == "SiteNotReady"


def test_an_error_of_the_site_stops_starts_but_not_every_stop(world: World, server: Server, site: Site) -> None:
    world.start(server.uuid, production=False)
    world.advance(world.now + 10)
    site.issues = [issue("SubscriptionNotFoundComputePoints", site.uuid)]
    with pytest.raises(Refused, match="compute points"):
        world.start(server.uuid, production=True)
    site.issues = [issue("VPNGatewayUnreachable", site.uuid)]
    assert world.blockers(server, STOP)
    site.issues = [issue("SubscriptionNotFoundComputePoints", site.uuid)]
    world.stop(server.uuid)


def test_readiness_error_alone_stops_a_start(world: World, server: Server, site: Site) -> None:
    site.overlay = {"failover_readiness": "ERROR"}
    with pytest.raises(Refused):
        world.start(server.uuid, production=False)


def test_primary_servers_do_not_fail_over(world: World) -> None:
    primary = next(one for one in world.servers.values() if not one.is_recovery)
    assert not set(ACTIONS) & {link["rel"] for link in world.document(primary)["_links"]}
    with pytest.raises(Refused) as refused:
        world.start(primary.uuid, production=False)
    assert refused.value.status == 404


def test_a_start_that_fails_ends_in_stand_by(world: World, server: Server) -> None:
    server.fails_next = True
    world.start(server.uuid, production=False)
    world.advance(world.now + 10)
    assert (server.status, server.task) == ("STAND_BY", None)
    assert "active_failover" not in server.recovery


def test_a_stop_that_fails_leaves_the_machine_running(world: World, server: Server) -> None:
    world.start(server.uuid, production=False)
    world.advance(world.now + 10)
    server.fails_next = True
    world.stop(server.uuid)
    world.advance(world.now + 8)
    assert (server.status, server.task) == ("FAILOVER_TEST", None)
    assert "active_failover" in server.recovery


def test_an_automated_test_comes_and_goes_by_itself(world: World, server: Server) -> None:
    server.recovery["automated_test_failover"] = {"schedule": "WEEKLY"}
    incidents.automated_test(world, server)
    seen = [server.status]
    until = world.now + 60
    while world.now < until:
        world.advance(world.now + 1)
        if server.status != seen[-1]:
            seen.append(server.status)
    assert seen == ["STARTING_FAILOVER_TEST_AUTO", "FAILOVER_TEST_AUTO", "STOPPING_FAILOVER", "STAND_BY"]
    test = server.recovery["automated_test_failover"]
    assert test["last_start"] == "2023-11-14T22:13:20+00:00"
    assert test["next_start"] == "2023-11-21T22:13:20+00:00"
    assert test["last_status"] in ("SUCCESS", "FAILURE")


def test_an_automated_test_that_a_client_stops_is_not_stopped_again(world: World, server: Server) -> None:
    incidents.automated_test(world, server)
    world.advance(world.now + 10)
    assert server.status == "FAILOVER_TEST_AUTO"
    world.stop(server.uuid)
    world.advance(world.now + 10)
    task = world.start(server.uuid, production=False)
    world.advance(world.now + 9)
    assert server.task is not None
    assert server.task.uuid == task


def test_an_automated_test_ends_itself_but_not_the_next_one(world: World, server: Server) -> None:
    world.durations = replace(world.durations, automated_test=(40, 40))
    incidents.automated_test(world, server)
    world.advance(world.now + 10)
    world.stop(server.uuid)
    world.advance(world.now + 8)
    incidents.automated_test(world, server)
    world.advance(world.now + 35)  # the first would have ended by now
    assert server.status == "FAILOVER_TEST_AUTO"


def test_a_task_that_is_gone_ends_nothing(world: World, server: Server) -> None:
    world.start(server.uuid, production=False)
    server.task = None
    world.advance(world.now + 60)
    assert server.status == "STARTING_FAILOVER_TEST"


def test_a_site_does_not_break_while_a_client_uses_its_servers(world: World, server: Server, site: Site) -> None:
    world.start(server.uuid, production=False)
    incidents.break_or_heal(world, site)
    assert site.issues == []


def test_a_reboot_passes_through_off_and_on(world: World) -> None:
    primary = next(one for one in world.servers.values() if not one.is_recovery)
    incidents.reboot(world, primary)
    shown = world.document(primary)
    assert shown["status"] == "POWERING_OFF"
    assert "task_uuid" in shown
    world.advance(world.now + 5)
    assert (primary.status, primary.fields["vm"]["status"]) == ("POWERING_ON", "STOPPED")
    world.advance(world.now + 5)
    assert (primary.status, primary.fields["vm"]["status"], primary.task) == ("STAND_BY", "STARTED", None)


def test_a_clock_that_goes_back_changes_nothing(world: World, server: Server) -> None:
    world.start(server.uuid, production=False)
    world.advance(world.now + 5)
    world.advance(world.now - 3600)
    assert server.status == "STARTING_FAILOVER_TEST"
    world.advance(world.now + 5)
    assert server.status == "FAILOVER_TEST"


def test_the_same_seed_and_clock_give_the_same_world(world: World, server: Server) -> None:
    def after_a_day(seed: int, now: float) -> list[bytes]:
        other = scenarios.build("customer", now=now, seed=seed)
        other.advance(now + 86400)
        return [*map(other.encoded, other.sites.values()), *map(other.encoded, other.servers.values())]

    assert after_a_day(1, world.now) == after_a_day(1, world.now)
    assert after_a_day(1, world.now) != after_a_day(2, world.now)


def test_two_runs_of_one_seed_share_servers_but_never_tasks() -> None:
    one, other = (scenarios.build("quiet", now=now, seed=3) for now in (1e9, 2e9))
    assert one.servers.keys() == other.servers.keys()
    assert one.new_uuid() != other.new_uuid()
