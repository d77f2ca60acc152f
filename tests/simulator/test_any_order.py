"""Whatever is asked, and however time goes: what must always hold of the simulated cloud."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from drdash.simulator import incidents, scenarios
from drdash.simulator.issues import ACTIONS
from drdash.simulator.state import Server
from drdash.simulator.world import Refused
from tests.sizes import cases

NUMBERS = st.integers(0, 13)


class AnyOrder(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = scenarios.build("customer", now=1e9, servers=14, sites=3)
        self.servers = list(self.world.servers.values())
        self.tasks: list[str] = []

    @rule(number=NUMBERS, production=st.booleans())
    def start(self, number: int, production: bool) -> None:
        server = self.servers[number]
        before = self.world.encoded(server)
        try:
            self.tasks.append(self.world.start(server.uuid, production=production))
        except Refused:
            assert self.world.encoded(server) == before
        else:
            assert server.status.startswith("STARTING_FAILOVER_")

    @rule(number=NUMBERS)
    def stop(self, number: int) -> None:
        server = self.servers[number]
        before = self.world.encoded(server)
        try:
            self.tasks.append(self.world.stop(server.uuid))
        except Refused:
            assert self.world.encoded(server) == before
        else:
            assert server.status == "STOPPING_FAILOVER"

    @rule(number=NUMBERS)
    def fail_next(self, number: int) -> None:
        self.servers[number].fails_next = True

    @rule(number=st.integers(0, 2))
    def break_or_heal(self, number: int) -> None:
        incidents.break_or_heal(self.world, list(self.world.sites.values())[number])

    @rule(seconds=st.one_of(st.floats(0, 30), st.integers(0, 3000)))
    def advance(self, seconds: float) -> None:
        held = {server.uuid: server.status for server in self.servers if self._in_a_clients_hands(server)}
        self.world.advance(self.world.now + seconds)
        for server in self.servers:
            if server.uuid in held:
                assert server.status in (held[server.uuid], *NEXT.get(held[server.uuid], ()))

    def _in_a_clients_hands(self, server: Server) -> bool:
        return server.taken_at is not None and server.status != "STAND_BY"

    @invariant()
    def busy_is_said_in_every_way_or_in_none(self) -> None:
        for server in self.servers:
            shown = self._shown(server)
            assert ("task_uuid" in shown) == (server.task is not None)
            if not server.is_recovery or server.issues is None:
                continue
            busy = [found for found in shown["_issues"] if found["error"]["code"] == "ResourceBusy"]
            assert [found["link"] for found in busy] == (list(ACTIONS) if server.task else [])
            for found in busy:
                assert found["error"]["context"] == {"resource_id": server.uuid, "task_uuids": [shown["task_uuid"]]}

    @invariant()
    def stand_by_has_no_failover_and_a_failover_runs(self) -> None:
        for server in self.servers:
            if server.is_recovery:
                shown = self._shown(server)
                if shown["status"] in ("STAND_BY", "STARTING_FAILOVER_TEST", "STARTING_FAILOVER_PROD"):
                    assert "active_failover" not in shown["recovery"]
                if shown["status"] in ("FAILOVER_TEST", "FAILOVER_TEST_AUTO", "FINALIZATION", "FAILOVER_PROD"):
                    assert shown["vm"]["status"] == "STARTED"
                    assert "backup_uri" in shown["recovery"]["active_failover"]

    @invariant()
    def ids_are_unique(self) -> None:
        running = [server.task.uuid for server in self.servers if server.task]
        assert len(running) == len(set(running))
        assert len(self.tasks) == len(set(self.tasks))

    @invariant()
    def a_failover_can_always_be_asked_for(self) -> None:
        for server in self.servers:
            rels = {link["rel"] for link in self._shown(server)["_links"]}
            assert (set(ACTIONS) <= rels) == server.is_recovery

    @invariant()
    def what_is_cached_is_what_is(self) -> None:
        for server in self.servers:
            cached = self.world.encoded(server)
            server.rendered = None
            assert self.world.encoded(server) == cached

    def _shown(self, server: Server) -> Any:
        return self.world.document(server)


# What becomes of a server in a client's hands when only time passes.
NEXT = {
    "STARTING_FAILOVER_TEST": ("FAILOVER_TEST", "STAND_BY"),
    "STARTING_FAILOVER_PROD": ("FINALIZATION", "FAILOVER_PROD", "STAND_BY"),
    "FINALIZATION": ("FAILOVER_PROD",),
    "STOPPING_FAILOVER": ("STAND_BY", "FAILOVER_TEST", "FAILOVER_TEST_AUTO", "FINALIZATION", "FAILOVER_PROD",
                          "FINALIZATION_FAILED", "STARTING_FAILOVER_TEST_AUTO"),
}  # fmt: skip

TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=cases(20, full=400), stateful_step_count=40, deadline=None)
