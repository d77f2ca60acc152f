"""After all that people did: what the demo's own processes left in their logs, at DEBUG, and in their command lines."""

from tests.canaries import CANARIES
from tests.e2e.conftest import House


def test_no_secret_is_in_a_log_at_debug_nor_in_a_command_line(house: House) -> None:
    logs = {path.name: path.read_text(errors="replace") for path in house.logs()}
    assert {"web.log", "worker.log", "beat.log", "simulator.log", "redis.log"} <= set(logs)
    assert " DEBUG " in logs["worker.log"]
    secrets = [*CANARIES, *house.keys()]
    for name, text in [*logs.items(), ("output", house.output()), ("command lines", house.command_lines())]:
        assert not [line for line in text.splitlines() if any(secret in line for secret in secrets)], name
