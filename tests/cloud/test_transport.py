"""Everything that a network and a server can do to a request, over real sockets: to a read it is a named error, and to
an action it is Unclear, unless certainly nothing was sent.
"""

import gzip
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drdash.cloud import wire
from drdash.cloud.client import Account, Client
from drdash.cloud.sessions import origin, session_for, transport_for
from drdash.cloud.transport import Deadline, exchange
from tests.cloud.conftest import SECRET, Answer, RawCloud, account_of, example, reply, reset

SERVER = "1f100401-357b-4d04-a0c0-d1206c947473"
ACCEPTED = reply(202, example("accepted"))
NONE = reply(200, example("servers_none"))
HEAD = b"HTTP/1.1 202 Accepted\r\n"
SOON = 0.5  # the deadline of a test that must reach it


def client_of(url: str, **more: str) -> Client:
    account = Account(cloud=url, client_id="me", client_secret=SECRET, **more)  # type: ignore[arg-type]
    return Client(account, now=time.time, monotonic=time.monotonic)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def then_closed(answer: bytes) -> Answer:
    return lambda connection: connection.sendall(answer)


def then_reset(answer: bytes) -> Answer:
    def answering(connection: socket.socket) -> None:
        connection.sendall(answer)
        reset(connection)

    return answering


def unclear(client: Client, cloud: RawCloud, *, deadline: float = 10.0) -> str:
    """Send one action; prove that it is Unclear, and that one request was made of it. The sentence."""
    before = len(cloud.calls)
    sent = client.start_failover_test(SERVER, deadline=deadline)
    assert isinstance(sent.answer, wire.Unclear)
    assert len(cloud.calls) == before + 1
    return sent.answer.sentence


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


# Time


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

    assert time.monotonic() - began < SOON + 2


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


# TLS


@contextmanager
def tls(cloud: RawCloud, folder: Path, *, name: str) -> Iterator[tuple[str, str]]:
    """The cloud behind TLS, with a certificate for ``name``: its URL, and the file of the authority that gave it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    alternative = x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    authority = folder / f"{name}.pem"
    authority.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority)
    cloud.wrap = lambda connection: context.wrap_socket(connection, server_side=True)
    yield cloud.url.replace("http:", "https:"), str(authority)


def test_a_trusted_certificate_is_enough(cloud: RawCloud, tmp_path: Path) -> None:
    with tls(cloud, tmp_path, name="127.0.0.1") as (url, authority):
        client = client_of(url, ca_bundle=authority)
        cloud.answers = [NONE, NONE, ACCEPTED, reset, then_closed(ACCEPTED[:-9]), cloud.drip(HEAD + b"\r\n{")]

        assert client.servers().whole
        assert client.servers().whole
        assert isinstance(client.stop_failover(SERVER).answer, wire.Accepted)
        assert "reset" in unclear(client, cloud)
        assert "broke" in unclear(client, cloud)
        assert "not there" in unclear(client, cloud, deadline=SOON)
        client.close()


@pytest.mark.parametrize(("name", "trusted"), [("127.0.0.1", False), ("127.0.0.2", True), ("cloud.example.com", True)])
def test_another_certificate_gets_neither_secret_nor_action(
    cloud: RawCloud, tmp_path: Path, name: str, trusted: bool
) -> None:
    with tls(cloud, tmp_path, name=name) as (url, authority):
        client = client_of(url, ca_bundle=authority) if trusted else client_of(url)

        with pytest.raises(wire.NotSent, match="its certificate is not trusted"):
            client.servers()
        assert isinstance(client.stop_failover(SERVER).answer, wire.NeverSent)

    assert cloud.requests == []


def test_a_plain_server_behind_an_https_address_is_never_sent_anything(cloud: RawCloud) -> None:
    def plain(connection: socket.socket) -> socket.socket:
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        return connection

    cloud.wrap = plain
    with pytest.raises(wire.NotSent, match="TLS failed"):
        client_of(cloud.url.replace("http:", "https:")).servers()


# The last word before the first byte


def test_the_last_word_is_asked_once_on_the_open_connection_before_anything_is_sent(
    cloud: RawCloud, client: Client
) -> None:
    cloud.answers = [ACCEPTED]
    client.ready()
    before, asked = cloud.connections, []

    def go() -> bool:
        ends = time.monotonic() + 5
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
