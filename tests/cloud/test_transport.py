"""Everything that a network and a server can do to a request, over real sockets: to a read it is a named error, and to
an action it is Unclear, unless certainly nothing was sent.
"""

import gzip
import socket
import time
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drdash.cloud import wire
from drdash.cloud.client import Account, Client
from tests.cloud.conftest import (
    ACCEPTED,
    HEAD,
    NONE,
    SECRET,
    SERVER,
    SOON,
    Answer,
    RawCloud,
    client_of,
    example,
    reply,
    reset,
    then_closed,
    unclear,
)
from tests.conftest import free_port


def then_reset(answer: bytes) -> Answer:
    def answering(connection: socket.socket) -> None:
        connection.sendall(answer)
        reset(connection)

    return answering


BREAKAGES: dict[str, tuple[Answer, str]] = {
    "reset at once": (reset, "reset"),
    "closed at once": (then_closed(b""), "broke"),
    "closed in the status line": (then_closed(b"HTTP/1."), "broke"),
    "no HTTP at all": (then_closed(b"SSH-2.0-OpenSSH_9.2\r\n"), "broke"),
    "a status that is none": (then_closed(b"HTTP/1.1 abc Accepted\r\n\r\n"), "broke"),
    "half a body": (then_closed(ACCEPTED[:-9]), "broke"),
    "half a body, then a reset": (then_reset(ACCEPTED[:-9]), "broke"),
    "a chunk that is none": (then_closed(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"), "broke"),
    "chunks without an end": (then_closed(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"), "broke"),
    "a body that is not gzip": (then_closed(HEAD + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"), "broke"),
    "too many headers": (then_closed(HEAD + b"X: y\r\n" * 200 + b"\r\n"), "broke"),
    "a header without end": (then_closed(HEAD + b"X: " + b"y" * 70_000 + b"\r\n\r\n"), "broke"),
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_a_broken_answer_to_an_action_is_unclear_and_nothing_is_sent_again(
    cloud: RawCloud, client: Client, breakage: str
) -> None:
    answer, words = BREAKAGES[breakage]
    cloud.answers = [answer, ACCEPTED]

    assert words in unclear(client, cloud)


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_a_broken_answer_to_a_read_is_broken_and_the_next_read_is_well(
    cloud: RawCloud, client: Client, breakage: str
) -> None:
    answer, words = BREAKAGES[breakage]
    cloud.answers = [NONE, answer, NONE]
    client.servers()

    with pytest.raises(wire.Broken, match=words):
        client.servers()

    assert client.servers().whole


# Size


def test_a_page_and_an_answer_are_bounded(cloud: RawCloud, client: Client) -> None:
    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b" " * 1_000_000)

    cloud.answers = [endless, endless, endless]

    with pytest.raises(wire.Broken, match="larger than 8192 KiB"):
        client.servers()
    with pytest.raises(wire.Broken, match="larger than 1024 KiB"):
        client.site(SERVER)
    assert "larger than 1024 KiB" in unclear(client, cloud)


def test_a_small_body_that_unpacks_to_a_large_one_is_bounded_too(cloud: RawCloud, client: Client) -> None:
    bomb = gzip.compress(b" " * 200_000_000)
    cloud.answers = [reply(200, bomb, "Content-Encoding: gzip")]

    with pytest.raises(wire.Broken, match="larger than 1024 KiB"):
        client.site(SERVER)


def test_a_packed_page_is_read(cloud: RawCloud, client: Client) -> None:
    cloud.answers = [reply(200, gzip.compress(example("servers_none")), "Content-Encoding: gzip")]

    assert client.servers().whole


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location", ["{url}/api/dr/v2/elsewhere", "/elsewhere", "//evil.example/", "http://[", "\xff", ""]
)
def test_no_redirect_is_followed(cloud: RawCloud, client: Client, status: int, location: str) -> None:
    redirect = reply(status, b"", f"Location: {location.format(url=cloud.url)}")
    cloud.answers = [redirect, ACCEPTED]
    assert unclear(client, cloud)
    cloud.answers = [redirect, NONE]
    with pytest.raises((wire.NotUnderstood, wire.Broken)):
        client.servers()
    assert len(cloud.calls) == 2


# No connection


def test_a_refused_connection_is_never_sent() -> None:
    client = client_of(f"http://127.0.0.1:{free_port()}")

    with pytest.raises(wire.NotSent, match="it refuses connections"):
        client.servers()
    assert isinstance(client.stop_failover(SERVER).answer, wire.NeverSent)


def test_a_cloud_that_is_gone_after_the_token_was_got_is_never_sent(cloud: RawCloud, client: Client) -> None:
    client.ready()
    cloud.close()

    sent = client.stop_failover(SERVER)

    assert isinstance(sent.answer, wire.NeverSent)
    assert "refuses connections" in sent.answer.sentence
    assert (sent.status, sent.body) == (None, b"{}")


def test_a_name_that_is_not_known_is_said() -> None:
    with pytest.raises(wire.NotSent, match="name"):
        client_of("https://no-such-cloud.invalid").servers(deadline=3)


@pytest.mark.parametrize("monotonic", [time.monotonic, lambda: 0.0])
def test_a_connection_that_is_not_answered_ends_with_the_deadline(monotonic: Callable[[], float]) -> None:
    """By the connection's own timeout, or by the end of the socket when the clock stands still."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf, socket.socket() as first, socket.socket() as second:
        for waiting in (first, second):  # they fill the queue of a server that accepts nobody
            waiting.setblocking(False)
            waiting.connect_ex(deaf.getsockname())
        with pytest.raises(wire.NotSent, match="did not answer in time"):
            account = Account(cloud=f"http://127.0.0.1:{deaf.getsockname()[1]}", client_id="me", client_secret=SECRET)
            Client(account, now=time.time, monotonic=monotonic).servers(deadline=SOON)


# A proxy


def test_a_proxy_that_refuses_a_tunnel_has_sent_nothing(cloud: RawCloud) -> None:
    cloud.answers = [then_closed(b"HTTP/1.1 403 Forbidden\r\n\r\n"), then_closed(b"HTTP/1.1 407 Who\r\n\r\n")]
    client = client_of("https://cloud.example.com", proxy=cloud.url)

    with pytest.raises(wire.NotSent, match=r"cloud\.example\.com through the proxy: the proxy refuses it"):
        client.servers()
    assert isinstance(client.stop_failover(SERVER).answer, wire.NeverSent)
    assert [(call.method, call.target) for call in cloud.calls] == [("CONNECT", "cloud.example.com:443")] * 2


# Anything


PIECES = [
    HEAD,
    b"HTTP/1.1 200 OK\r\n",
    b"Content-Length: 2\r\n",
    b"Content-Length: -2\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Encoding: deflate\r\n",
    b"Location: http://[\r\n",
    b"Set-Cookie: a=b; domain=\xff\r\n",
    b": x\r\n",
    b"\r\n",
    b"2\r\n",
    b"-2\r\n",
    b"0\r\n\r\n",
    b"{}",
    b"\x00",
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=st.binary(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=8).map(b"".join))
def test_any_bytes_are_a_named_error_or_an_unclear_outcome(cloud: RawCloud, client: Client, raw: bytes) -> None:
    cloud.answers = [then_closed(raw)]
    assert unclear(client, cloud)
    cloud.answers = [then_closed(raw)]
    with pytest.raises((wire.Broken, wire.NotUnderstood)):
        client.servers()
