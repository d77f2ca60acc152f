"""The caller's last word before the first byte of an action leaves."""

import time

import pytest

from drdash.cloud import wire
from drdash.cloud.client import Client
from tests.cloud.conftest import ACCEPTED, SERVER, RawCloud, account_of, client_of
from tests.conftest import free_port


def test_the_last_word_is_asked_once_on_the_open_connection_before_anything_is_sent(
    cloud: RawCloud, client: Client
) -> None:
    cloud.answers = [ACCEPTED]
    client.ready()
    before, asked = cloud.connections, []

    def go() -> bool:
        ends = time.monotonic() + 60
        while cloud.connections == before and time.monotonic() < ends:
            time.sleep(0.001)  # the other side takes up the connection in a thread of its own
        asked.append((cloud.connections - before, len(cloud.calls)))
        return True

    assert isinstance(client.start_failover_test(SERVER, go=go).answer, wire.Accepted)
    assert asked == [(1, 0)]
    assert len(cloud.calls) == 1


def test_after_a_no_nothing_is_sent(cloud: RawCloud, client: Client) -> None:
    sent = client.stop_failover(SERVER, go=lambda: False)
    assert isinstance(sent.answer, wire.NeverSent)
    assert sent.answer.sentence == "The last word was not to send it."
    assert cloud.calls == []


def test_what_goes_wrong_while_it_is_asked_is_the_callers_and_nothing_is_sent(cloud: RawCloud, client: Client) -> None:
    def go() -> bool:
        raise LookupError("the database is away")

    with pytest.raises(LookupError):
        client.stop_failover(SERVER, go=go)
    assert cloud.calls == []


@pytest.mark.parametrize(("paused", "late"), [(4.9, False), (5.1, True), (3600.0, True)])
def test_whoever_was_paused_after_the_last_word_sends_nothing(cloud: RawCloud, paused: float, late: bool) -> None:
    cloud.answers = [ACCEPTED]
    clock = [0.0]
    client = Client(account_of(cloud), now=time.time, monotonic=lambda: clock[0])
    client.ready()

    def go() -> bool:
        clock[0] = paused  # or the host slept
        return True

    answer = client.stop_failover(SERVER, go=go).answer
    assert isinstance(answer, wire.NeverSent if late else wire.Accepted)
    assert len(cloud.calls) == (0 if late else 1)
    if isinstance(answer, wire.NeverSent):
        assert answer.sentence == "The last word to send it was too long ago."


def test_whoever_was_paused_when_the_head_had_left_does_not_send_the_rest(cloud: RawCloud) -> None:
    cloud.answers = [ACCEPTED]
    looks: list[int] = []

    def monotonic() -> float:
        looks[:] = [one - 1 for one in looks]
        return 3600.0 if looks and looks[0] < 0 else 0.0

    client = Client(account_of(cloud), now=time.time, monotonic=monotonic)
    client.ready()

    def go() -> bool:
        looks.append(2)  # at the clock, before the head leaves
        return True

    assert isinstance(client.stop_failover(SERVER, go=go).answer, wire.Unclear)
    cloud.close()
    assert not [call for call in cloud.calls if call.body], "half a request is none"


def test_without_a_connection_the_last_word_is_not_asked() -> None:
    client = client_of(f"http://127.0.0.1:{free_port()}")
    sent = client.stop_failover(SERVER, go=lambda: pytest.fail("there is no connection"))
    assert isinstance(sent.answer, wire.NeverSent)
