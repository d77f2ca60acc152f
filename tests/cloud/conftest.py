"""A cloud on a bare socket, that answers whatever a test tells it to: also what no HTTP server would send."""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from email.message import Message
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from drdash.cloud import wire
from drdash.cloud.client import Account, Client

REFERENCE = Path(__file__).parent / "reference"
SECRET = "canary-secret-5Zk1"
TOKEN = "canary-token-8Qw2"
SERVER = "1f100401-357b-4d04-a0c0-d1206c947473"
TASK = "f1b3b3b4-4b1b-4b1b-4b1b-4b1b4b1b4b1b"
NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT
HEAD = b"HTTP/1.1 202 Accepted\r\n"
SOON = 0.5  # the deadline of a test that must reach it

Answer = bytes | Callable[[socket.socket], None]


def example(name: str) -> bytes:
    """One of the reference's own examples, word for word."""
    return (REFERENCE / f"{name}.json").read_bytes()


def reply(status: int, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Told", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


ACCEPTED = reply(202, example("accepted"))
NONE = reply(200, example("servers_none"))


def page(*uuids: str, after: object = None, total: object = None) -> bytes:
    cursors = {} if after is None else {"after": after}
    paging = {"count": len(uuids), "cursors": cursors} | ({} if total is None else {"total": total})
    return reply(200, json.dumps({"items": [{"uuid": uuid} for uuid in uuids], "paging": paging}).encode())


def query(target: str) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(target).query)


def refusal(code: str = "ResourceBusy", **context: Any) -> bytes:
    return json.dumps({"error": {"code": code, "context": context, "debug": {"msg": "Busy."}}}).encode()


def granted(token: str = TOKEN, **more: object) -> bytes:
    return reply(200, json.dumps({"access_token": token, "token_type": "bearer", **more}).encode())


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def then_closed(answer: bytes) -> Answer:
    return lambda connection: connection.sendall(answer)


class Received(msgspec.Struct, frozen=True):
    """A request as it arrived, and on which connection (counted from 1)."""

    method: str
    target: str
    headers: Message
    body: bytes
    connection: int


class RawCloud:
    """Answers the token endpoint from ``tokens``, and everything else from ``answers``, each in turn."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.requests: list[Received] = []
        self.answers: list[Answer] = []
        self.tokens: list[Answer] = []
        self.stopped = threading.Event()
        self.connections = 0
        self.wrap: Callable[[socket.socket], socket.socket] = lambda connection: connection
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def calls(self) -> list[Received]:
        """What came to the API itself."""
        return [request for request in self.requests if not request.target.endswith("/idp/token")]

    @property
    def token_requests(self) -> list[Received]:
        return [request for request in self.requests if request.target.endswith("/idp/token")]

    def hang(self, connection: socket.socket) -> None:
        """Say nothing until the test ends."""
        self.stopped.wait(30)

    def drip(self, start: bytes, drop: bytes = b" ") -> Answer:
        """Send ``start``, and then a drop each 20 ms without end."""

        def dripping(connection: socket.socket) -> None:
            connection.sendall(start)
            while not self.stopped.wait(0.02):
                connection.sendall(drop)

        return dripping

    def close(self) -> None:
        self.stopped.set()
        for one in (self._listener, *self._open):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it is closed already
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection, self.connections), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        try:
            with self.wrap(connection) as connection, connection.makefile("rb") as stream:
                while line := stream.readline():
                    head = b""
                    while (more := stream.readline()) not in {b"\r\n", b""}:
                        head += more
                    headers = BytesHeaderParser().parsebytes(head)
                    body = stream.read(int(headers.get("Content-Length", "0")))
                    method, target, _ = line.decode().split()
                    self.requests.append(Received(method, target, headers, body, number))
                    answer = self._next(target)
                    if callable(answer):
                        answer(connection)
                        return
                    connection.sendall(answer)
        except OSError:
            return  # the client went away, or this side did

    def _next(self, target: str) -> Answer:
        if target.endswith("/idp/token"):
            return self.tokens.pop(0) if self.tokens else granted()
        return self.answers.pop(0) if self.answers else reply(500)


@pytest.fixture
def cloud() -> Iterator[RawCloud]:
    raw = RawCloud()
    yield raw
    raw.close()


def account_of(cloud: RawCloud) -> Account:
    return Account(cloud=cloud.url, client_id="the-client", client_secret=SECRET)


@pytest.fixture
def client(cloud: RawCloud) -> Iterator[Client]:
    client = Client(account_of(cloud), now=time.time, monotonic=time.monotonic)
    yield client
    client.close()


def client_of(url: str, **more: str) -> Client:
    account = Account(cloud=url, client_id="me", client_secret=SECRET, **more)  # type: ignore[arg-type]
    return Client(account, now=time.time, monotonic=time.monotonic)


def unclear(client: Client, cloud: RawCloud, *, deadline: float = 10.0) -> str:
    """Send one action; prove that it is Unclear, and that one request was made of it. The sentence."""
    before = len(cloud.calls)
    sent = client.start_failover_test(SERVER, deadline=deadline)
    assert isinstance(sent.answer, wire.Unclear)
    assert len(cloud.calls) == before + 1
    return sent.answer.sentence
