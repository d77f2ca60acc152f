"""Whatever drips or hangs ends with the deadline, over real sockets."""

import socket
import time

import pytest

from drdash.cloud import wire
from drdash.cloud.client import Client
from drdash.cloud.sessions import origin, session_for, transport_for
from drdash.cloud.transport import Deadline, exchange
from tests.cloud.conftest import HEAD, NONE, SERVER, SOON, RawCloud, account_of, example, reply, unclear


@pytest.mark.parametrize(
    "start",
    [
        b"",
        HEAD,
        HEAD + b"X: ",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        HEAD + b"Content-Length: 100000\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1",
        # The start of these is a whole answer, and the end of the connection is their end.
        HEAD + b"\r\n" + example("accepted"),
        b"HTTP/1.1 409 Conflict\r\n\r\n" + example("error_409"),
    ],
)
def test_an_answer_that_drips_ends_with_the_deadline(cloud: RawCloud, client: Client, start: bytes) -> None:
    client.ready()
    drop = b"HTTP/1.1 100 Continue\r\n\r\n" if b"100" in start[:12] else b"X: y\r\n" if start == HEAD else b" "
    cloud.answers = [cloud.drip(start, drop)]
    began = time.monotonic()

    assert "not there after 0.5 s" in unclear(client, cloud, deadline=SOON)

    assert time.monotonic() - began < SOON + 10


def test_a_read_that_hangs_or_drips_ends_with_the_deadline(cloud: RawCloud, client: Client) -> None:
    client.ready()
    for answer in (cloud.hang, cloud.drip(b"HTTP/1.1 200 OK\r\n\r\n" + example("servers_none"))):
        cloud.answers = [answer]
        with pytest.raises(wire.Broken, match=r"not there after 0\.5 s"):
            client.servers(deadline=SOON)


def test_a_token_that_drips_ends_with_the_deadline_and_nothing_is_posted(cloud: RawCloud, client: Client) -> None:
    cloud.tokens = [cloud.drip(reply(200, b" " * 1000)[:-999])]

    with pytest.raises(wire.Broken, match="not there"):
        client.ready(deadline=SOON)

    assert cloud.calls == []


def test_a_deadline_that_is_over_sends_nothing(cloud: RawCloud, client: Client) -> None:
    client.ready()

    sent = client.stop_failover(SERVER, deadline=0)

    assert isinstance(sent.answer, wire.NeverSent)
    assert cloud.calls == []


def test_a_connection_that_was_used_in_time_is_not_ended_by_an_earlier_deadline(
    cloud: RawCloud, client: Client
) -> None:
    client.ready()
    cloud.answers = [NONE, cloud.drip(b"HTTP/1.1 200 OK\r\n\r\n")]
    client.servers(deadline=SOON)

    with pytest.raises(wire.Broken, match=r"after 1 s"):
        client.servers(deadline=2 * SOON)

    assert len({call.connection for call in cloud.calls}) == 1


def test_a_call_that_is_done_leaves_no_thread_behind() -> None:
    with Deadline(60, time.monotonic) as deadline:
        assert deadline._timer.is_alive()
    deadline._timer.join(10)
    assert not deadline._timer.is_alive()


def test_a_deadline_ends_no_exchange_but_its_own(cloud: RawCloud) -> None:
    """Between two pages of a long call, its connection may carry another thread's request."""
    account = account_of(cloud)

    def late(connection: socket.socket) -> None:
        while not first.over:
            cloud.stopped.wait(0.05)
        cloud.stopped.wait(0.05)
        connection.sendall(NONE)

    cloud.answers = [NONE, late]
    with session_for(account, transport_for(account)) as session:
        with Deadline(SOON, time.monotonic) as first, Deadline(10, time.monotonic) as second:
            url = f"{origin(account)}/api/dr/v2/servers"
            exchange(session, "GET", url, deadline=first, limit=1000)
            assert exchange(session, "GET", url, deadline=second, limit=1000).status == 200
    assert len({call.connection for call in cloud.calls}) == 1
