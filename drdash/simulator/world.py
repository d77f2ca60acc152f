"""The simulated DR cloud as a state machine: what it holds, what may be asked of it, and what time does to it.

Nothing here reads a clock or does I/O: time moves by `advance`, and everything random comes from the seed.
"""

import heapq
import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from random import Random
from uuid import UUID

from drdash.simulator.issues import BLOCKS_A_STOP, JSON, START_PROD, START_TEST, STOP, busy, is_error, issue
from drdash.simulator.paging import FixedPages
from drdash.simulator.state import FAILURES, Server, Site, Task, iso

Seconds = tuple[float, float]  # drawn between the two
LEFT_ALONE = 3600.0  # how long a server that a client has used stays undisturbed in stand-by
KEPT_TASKS = 2000
POINT_IDS = ("backup_id", "archive_id", "vault_id")
STOPPABLE = frozenset({
    "FAILOVER_TEST", "FAILOVER_TEST_AUTO", "FINALIZATION", "FINALIZATION_FAILED", "FAILOVER_PROD",
    "STARTING_FAILOVER_TEST", "STARTING_FAILOVER_TEST_AUTO", "STARTING_FAILOVER_PROD", "POWERING_ON", "POWERING_OFF",
})  # fmt: skip
STARTABLE = {
    START_TEST: frozenset({"STAND_BY"}),
    # A running test gives way to production.
    START_PROD: frozenset({"STAND_BY", "FAILOVER_TEST", "FAILOVER_TEST_AUTO"}),
}


@dataclass(frozen=True, kw_only=True)
class Durations:
    start_test: Seconds = (12, 20)
    start_prod: Seconds = (18, 22)
    finalization: Seconds = (55, 65)
    stop: Seconds = (7, 9)
    start_auto: Seconds = (8, 14)
    automated_test: Seconds = (15, 25)
    power: Seconds = (6, 10)


class Refused(Exception):
    """The cloud says no: 404 for what is not there, 409 for what its state does not allow."""

    def __init__(self, status: int, code: str, message: str, context: JSON | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.context = context or {}


class World:
    """All sites and servers of one tenant, by lower-case UUID. Call `changed` after editing one by hand."""

    def __init__(
        self, *, now: float, seed: int = 0, durations: Durations | None = None, base_url: str = "http://127.0.0.1"
    ) -> None:
        self.now = now
        self.base_url = base_url
        self.durations = durations or Durations()
        # Two runs of one scenario have the same servers but never the same tasks.
        self.random = Random(f"{seed} {now}")
        self.tenant = str(UUID(int=Random(seed).getrandbits(128), version=4))
        self.sites: dict[str, Site] = {}
        self.servers: dict[str, Server] = {}
        self.tasks: dict[str, Task] = {}  # the latest, of which the task manager tells
        self.fixed_pages: FixedPages | None = None
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._ticket = count()

    # Time

    def advance(self, to: float) -> None:
        """Let everything happen that is due by `to`, in its order. A clock that went back changes nothing."""
        while self._agenda and self._agenda[0][0] <= to:
            when, _, step = heapq.heappop(self._agenda)
            self.now = max(self.now, when)
            step()
        self.now = max(self.now, to)

    def after(self, seconds: float, step: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (self.now + seconds, next(self._ticket), step))

    def draw(self, between: Seconds) -> float:
        return self.random.uniform(*between)

    def new_uuid(self) -> str:
        return str(UUID(int=self.random.getrandbits(128), version=4))

    # Reading

    def site(self, uuid: str) -> Site | None:
        return self.sites.get(uuid.lower())

    def server(self, uuid: str) -> Server | None:
        return self.servers.get(uuid.lower())

    def document(self, item: Server | Site) -> JSON:
        """The item as the API shows it now."""
        if isinstance(item, Site):
            return item.document(self.base_url)
        return item.document(self.base_url, self.site(item.site_uuid))

    def encoded(self, item: Server | Site) -> bytes:
        if item.rendered is None:
            item.rendered = json.dumps(self.document(item), separators=(",", ":")).encode()
        return item.rendered

    def blockers(self, server: Server, rel: str) -> list[JSON]:
        """The errors that the API itself shows against the action, then those of the site."""
        shown = self.document(server).get("_issues") or []
        found = [one for one in shown if is_error(one) and one.get("link") in (rel, None)]
        site = self.site(server.site_uuid)
        if site is None:
            return found
        state = self.document(site)
        if state.get("status") != "PROVISIONED" or site.deleted_at is not None:
            found.append(issue("SiteNotReady", site.uuid))
        errors = [one for one in state.get("_issues") or [] if is_error(one)]
        if rel != STOP and state.get("failover_readiness") == "ERROR" and not errors:
            found.append(issue("SiteNotReady", site.uuid))
        return found + [one for one in errors if rel != STOP or one["error"]["code"] in BLOCKS_A_STOP]

    # What a client may do

    def start(self, uuid: str, *, production: bool, point: JSON | None = None) -> str:
        """Start a failover from `point`, or from the latest one. Returns the task's UUID, or raises Refused."""
        rel = START_PROD if production else START_TEST
        server = self._actionable(uuid, rel)
        if server.status not in STARTABLE[rel]:
            raise _not_allowed(server)
        server.taken_at = self.now
        name, wait = (
            ("START_PROD", self.durations.start_prod) if production else ("START_TEST", self.durations.start_test)
        )
        server.recovery.pop("active_failover", None)
        chosen = point or latest_point(server)
        status = "STARTING_FAILOVER_PROD" if production else "STARTING_FAILOVER_TEST"
        arrived = self._in_production if production else self._in_test
        started = self.now
        return self.run(server, name.lower(), status, wait, lambda task: arrived(server, task, chosen, started)).uuid

    def stop(self, uuid: str) -> str:
        """Stop the failover; what the machine wrote is gone. Returns the task's UUID, or raises Refused."""
        server = self._actionable(uuid, STOP)
        if server.status not in STOPPABLE:
            raise _not_allowed(server)
        server.taken_at = self.now
        wait = self.durations.stop
        return self.run(server, "stop", "STOPPING_FAILOVER", wait, lambda _: self.stand_by(server)).uuid

    def _actionable(self, uuid: str, rel: str) -> Server:
        server = self.server(uuid)
        if server is None or not server.is_recovery:
            raise Refused(404, "EntityNotFound", f"Server [{uuid}] was not found in the DR infrastructure.")
        if server.task is not None:  # even where the server says nothing of its issues
            raise _refused(server, busy(server.uuid, [server.task.uuid])[0])
        for found in self.blockers(server, rel):
            raise _refused(server, found)
        if server.verbatim is not None:
            raise _not_allowed(server)
        return server

    # What happens to a server

    def run(self, server: Server, name: str, status: str, wait: Seconds, done: Callable[[Task], None]) -> Task:
        """Keep the server busy with a task, then call `done`. A task that fails leaves things as they were."""
        uuid, seconds = self.new_uuid(), self.draw(wait)
        task = Task(uuid, name, began=self.now, ends=self.now + seconds)
        self.tasks[uuid] = task
        if len(self.tasks) > KEPT_TASKS:
            del self.tasks[next(iter(self.tasks))]
        before = server.status
        server.task = task
        server.fields["status"] = status
        self.changed(server)

        def finish() -> None:
            task.finished, task.result = self.now, "cancelled"
            if server.task is not task:
                return
            task.result = FAILURES[server.ordinal % len(FAILURES)] if server.fails_next else "ok"
            server.task = None
            if not server.fails_next:
                done(task)
            elif name.startswith("start"):
                self.stand_by(server)
            else:
                server.fields["status"] = before
            server.fails_next = False
            self.changed(server)

        self.after(seconds, finish)
        return task

    def stand_by(self, server: Server) -> None:
        server.recovery.pop("active_failover", None)
        server.fields["status"] = "STAND_BY"
        server.fields["vm"]["status"] = server.idle_vm
        self.changed(server)

    def running(self, server: Server, status: str, point: JSON) -> None:
        """The machine runs from `point`, as a failover of its own."""
        server.fields["status"] = status
        server.fields["vm"]["status"] = "STARTED"
        vault, archive, backup = point["vault_id"], point["archive_id"], point["backup_id"]
        server.recovery["active_failover"] = {
            "id": self.new_uuid(),
            "archive_credentials_id": f"{archive.partition('@')[0]}@archive",
            "backup_uri": f"avfs:/online?account%3D3%26computer%3D1#arl:/{vault}/{archive}/{backup}?archive_name=A",
            "vault_id": vault,
        }
        self.changed(server)

    def _in_test(self, server: Server, task: Task, point: JSON, started: float) -> None:
        self.running(server, "FAILOVER_TEST", point)
        server.recovery["test_failover"] = {
            "recovery_point": point,
            "last_start": iso(started),
            "last_task_uuid": task.uuid,
        }

    def _in_production(self, server: Server, _task: Task, point: JSON, _started: float) -> None:
        self.running(server, "FINALIZATION", point)
        self.finalize(server, self.draw(self.durations.finalization))

    def finalize(self, server: Server, seconds: float) -> None:
        """FAILOVER_PROD follows, unless this failover is stopped before."""
        failover = server.recovery["active_failover"]["id"]

        def finalized() -> None:
            if server.status == "FINALIZATION" and server.recovery["active_failover"]["id"] == failover:
                server.fields["status"] = "FAILOVER_PROD"
                self.changed(server)

        self.after(seconds, finalized)

    def left_alone(self, server: Server) -> bool:
        """Whether a client uses this server, so that nothing may happen to it by itself."""
        if server.taken_at is None:
            return False
        return server.status != "STAND_BY" or self.now - server.taken_at < LEFT_ALONE

    # Changing the world from outside

    def add(self, item: Server | Site) -> None:
        if isinstance(item, Site):
            self.sites[item.key] = item
        else:
            self.servers[item.key] = item

    def remove(self, server: Server) -> None:
        del self.servers[server.key]

    def move_to(self, base_url: str) -> None:
        """Let the links point to this address, those to screenshots too, which a server keeps."""
        before, self.base_url = self.base_url, base_url
        for site in self.sites.values():
            self.changed(site)
        for server in self.servers.values():
            test = server.recovery.get("automated_test_failover", {}) if server.is_recovery else {}
            for name in ("screenshot_link", "screenshot_preview_link"):
                if str(test.get(name) or "").startswith(f"{before}/"):
                    test[name] = base_url + test[name].removeprefix(before)
            self.changed(server)

    def changed(self, item: Server | Site) -> None:
        """Forget the item's rendering. A site shows in its servers' issues."""
        item.rendered = None
        if isinstance(item, Site):
            for server in self.servers.values():
                if server.site_uuid.lower() == item.key:
                    server.rendered = None


def latest_point(server: Server) -> JSON:
    return {name: server.points[0][name] for name in POINT_IDS}


def _refused(server: Server, found: JSON) -> Refused:
    error = found["error"]
    context: JSON = error.get("context", {})
    message = error.get("message", "")
    if error["code"] == "ResourceBusy":
        tasks = ", ".join(context.get("task_uuids", ()))
        message = (
            f"Resource [{server.uuid}] is busy with other tasks [{tasks}] that are currently in progress."
            " Try again later."
        )
    return Refused(409, error["code"], message, context)


def _not_allowed(server: Server) -> Refused:
    return Refused(
        409, "NotAllowed", f"The operation is not allowed for server [{server.uuid}] in status {server.status}."
    )
