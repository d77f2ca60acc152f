"""What happens in the simulated cloud by itself: reboots, automated tests, late backups, sites that break and heal."""

from collections.abc import Callable
from functools import partial

from drdash.simulator.issues import JSON, is_error, issue
from drdash.simulator.state import Server, Site, Task, iso
from drdash.simulator.world import Seconds, World, latest_point

PERIODS = {"HOURLY": 3600, "DAILY": 86400, "WEEKLY": 7 * 86400, "MONTHLY": 30 * 86400}
RUNNING = frozenset({"FAILOVER_TEST", "FAILOVER_PROD"})


def begin(world: World, fragile: list[Site]) -> None:
    """Let things happen, the first within seconds; the `fragile` sites break and heal."""
    size = 1 + len(world.servers) // 100
    _repeat(world, 4, (10, 16), lambda: _each(world, size, drift, _protected))
    _repeat(world, 12, (25, 40), lambda: _each(world, size, reboot, may_reboot))
    _repeat(world, 20, (45, 75), lambda: _each(world, size, automated_test, may_be_tested))
    for number, site in enumerate(fragile):
        _repeat(world, 30 + 7 * number, (40, 70), partial(break_or_heal, world, site))


def may_reboot(world: World, server: Server) -> bool:
    """Primary servers reboot, and machines that run since long."""
    runs = server.status in RUNNING if server.is_recovery else server.status == "STAND_BY"
    return runs and server.restless and _free(world, server)


def reboot(world: World, server: Server) -> None:
    """POWERING_OFF, POWERING_ON, and back to where it was."""
    before = server.status
    vm: JSON = server.fields["vm"]

    def off(_task: Task) -> None:
        vm["status"] = "STOPPED"
        world.run(server, "reboot", "POWERING_ON", world.durations.power, on)

    def on(_task: Task) -> None:
        vm["status"] = "STARTED"
        server.fields["status"] = before

    world.run(server, "reboot", "POWERING_OFF", world.durations.power, off)


def may_be_tested(world: World, server: Server) -> bool:
    return server.restless and server.is_recovery and server.status == "STAND_BY" and _free(world, server)


def automated_test(world: World, server: Server) -> None:
    """An automated test from start to stand-by; its result is in `automated_test_failover` at the end."""
    server.taken_at = None  # what runs from here on is no client's
    started = world.now
    point = latest_point(server)

    def arrived(task: Task) -> None:
        world.running(server, "FAILOVER_TEST_AUTO", point)
        failover = server.recovery["active_failover"]["id"]
        world.after(world.draw(world.durations.automated_test), lambda: leave(task, failover))

    def leave(task: Task, failover: str) -> None:
        still = server.recovery.get("active_failover", {}).get("id") == failover
        if still and server.status == "FAILOVER_TEST_AUTO" and server.task is None:
            done = lambda _: finished(task)  # noqa: E731
            world.run(server, "stop", "STOPPING_FAILOVER", world.durations.stop, done)

    def finished(task: Task) -> None:
        world.stand_by(server)
        test: JSON = server.recovery.setdefault("automated_test_failover", {})
        schedule = test.get("schedule", "NEVER")
        test |= {
            "schedule": "MONTHLY" if schedule == "NEVER" else schedule,
            "last_status": "FAILURE" if world.random.random() < 0.2 else "SUCCESS",
            "last_start": iso(started),
            "last_task_uuid": task.uuid,
            "recovery_point": point,
            "timeout": test.get("timeout") or 300,
        }
        test["next_start"] = iso(started + PERIODS[test["schedule"]])
        test |= screenshots(world.base_url, server.uuid)

    world.run(server, "start_auto", "STARTING_FAILOVER_TEST_AUTO", world.durations.start_auto, arrived)


def screenshots(base_url: str, uuid: str) -> JSON:
    href = f"{base_url}/bc/api/dr/v1/servers/{uuid}/automatedTestFailover/screenshot?size="
    return {"screenshot_link": f"{href}full", "screenshot_preview_link": f"{href}preview"}


def drift(world: World, server: Server) -> None:
    """The last backup ages, until one day it is made."""
    if "rpo" in server.fields:
        ratio = server.fields["rpo"]["ratio"] + world.random.choice([0.1, 0.2, 0.4, 0.9])
        fresh = ratio > 5 or world.random.random() < 0.35
        server.fields["rpo"] = rpo(server.fields["rpo"]["threshold_seconds"], 0.05 if fresh else ratio)
        world.changed(server)


def rpo(threshold: int, ratio: float) -> JSON:
    """How far the last backup lags, as the API says it."""
    status = "CRITICAL" if ratio > 4 else "ERROR" if ratio > 2 else "WARNING" if ratio > 1 else "OK"
    return {"status": status, "threshold_seconds": threshold, "ratio": round(ratio, 2)}


def break_or_heal(world: World, site: Site) -> None:
    """A site loses its VPN gateway, or gets it back. One whose servers are in a client's hands stays as it is."""
    servers = [server for server in world.servers.values() if server.site_uuid == site.uuid]
    if any(world.left_alone(server) for server in servers):
        return
    if any(is_error(found) for found in site.issues):
        site.issues = [found for found in site.issues if not is_error(found)]
    else:
        site.issues = [*site.issues, issue("VPNGatewayUnreachable", site.uuid)]
    world.changed(site)


def _repeat(world: World, first: float, between: Seconds, happen: Callable[[], None]) -> None:
    def step() -> None:
        happen()
        world.after(world.draw(between), step)

    world.after(first, step)


def _each(
    world: World, times: int, happen: Callable[[World, Server], None], may: Callable[[World, Server], bool]
) -> None:
    candidates = [server for server in world.servers.values() if may(world, server)]
    for server in world.random.sample(candidates, min(times, len(candidates))):
        happen(world, server)


def _protected(world: World, server: Server) -> bool:
    return server.is_recovery and "rpo" in server.fields and not world.left_alone(server)


def _free(world: World, server: Server) -> bool:
    if server.task is not None or server.verbatim is not None or world.left_alone(server):
        return False
    site = world.site(server.site_uuid)
    return site is None or (site.status == "PROVISIONED" and not any(map(is_error, site.issues)))
