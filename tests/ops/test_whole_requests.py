"""A form cut short is never taken for a shorter form. Over a raw socket, through a real uvicorn."""

import asyncio
import socket
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from a2wsgi import WSGIMiddleware

from drdash.asgi import LARGEST_BODY, LONGEST_WAIT, in_time, whole
from drdash.clock import boot_seconds


@dataclass
class Taken:
    """The requests that reached the WSGI application, and the port to send more to."""

    port: int = 0
    bodies: list[bytes] = field(default_factory=list)
    slept: float = 0.0
    environs: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.environs.append(environ)
        self.bodies.append(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]


@pytest.fixture
def server() -> Iterator[Taken]:
    taken = Taken()
    application: Any = WSGIMiddleware(in_time(taken, clock=lambda: boot_seconds() + taken.slept))
    listener = socket.create_server(("127.0.0.1", 0))
    taken.port = listener.getsockname()[1]
    running = uvicorn.Server(uvicorn.Config(whole(application), lifespan="off", ws="none", log_config=None))
    thread = threading.Thread(target=lambda: asyncio.run(running.serve(sockets=[listener])))
    thread.start()
    yield taken
    running.should_exit = True
    thread.join(60)


def send(port: int, request: bytes, *, then_leave: bool = False) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(request)
        if then_leave:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(65536):
            answer += part
        return answer


HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"


def test_a_whole_form_arrives_whole(server: Taken) -> None:
    answer = send(server.port, HEAD + b"Content-Length: 9\r\n\r\na=1&b=two")

    assert answer.startswith(b"HTTP/1.1 200")
    assert server.bodies == [b"a=1&b=two"]


def test_a_form_cut_short_reaches_nobody(server: Taken) -> None:
    answer = send(server.port, HEAD + b"Content-Length: 50\r\n\r\naction=start", then_leave=True)
    send(server.port, HEAD + b"Content-Length: 5\r\n\r\nafter")

    assert b" 200 " not in answer
    assert server.bodies == [b"after"]


def test_a_form_in_chunks_arrives_whole(server: Taken) -> None:
    send(server.port, HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\na=1\r\n4\r\n&b=2\r\n0\r\n\r\n")

    assert server.bodies == [b"a=1&b=2"]


def test_chunks_cut_short_reach_nobody(server: Taken) -> None:
    send(server.port, HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\na=1\r\n", then_leave=True)
    send(server.port, HEAD + b"Content-Length: 5\r\n\r\nafter")

    assert server.bodies == [b"after"]


def test_what_waited_too_long_for_its_turn_is_not_begun(server: Taken) -> None:
    form, look = HEAD + b"Content-Length: 3\r\n\r\na=1", HEAD.replace(b"POST", b"GET") + b"Content-Length: 0\r\n\r\n"
    server.slept = LONGEST_WAIT
    late, seen = send(server.port, form), send(server.port, look)
    server.slept = 0.0

    assert late.startswith(b"HTTP/1.1 503")
    assert b"nothing was done" in late
    assert seen.startswith(b"HTTP/1.1 200")
    assert send(server.port, form).startswith(b"HTTP/1.1 200")
    assert server.bodies == [b"", b"a=1"]


def test_a_body_too_large_is_refused_before_it_is_sent(server: Taken) -> None:
    answer = send(server.port, HEAD + b"Content-Length: %d\r\n\r\n" % (LARGEST_BODY + 1))

    assert answer.startswith(b"HTTP/1.1 413")
    assert server.bodies == []


def test_a_header_with_an_underscore_cannot_pose_as_one_of_the_proxy(server: Taken) -> None:
    send(server.port, HEAD + b"X_Forwarded_Proto: https\r\n\r\n")

    assert "HTTP_X_FORWARDED_PROTO" not in server.environs[0]


def test_a_body_shorter_than_announced_is_a_400() -> None:
    sent: list[Any] = []

    async def app(*_: Any) -> None:
        raise AssertionError("it reached the application")

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"half", "more_body": False}

    async def answer(message: Any) -> None:
        sent.append(message)

    asyncio.run(whole(app)({"type": "http", "headers": [(b"content-length", b"8")]}, receive, answer))

    assert sent[0]["status"] == 400


@pytest.mark.parametrize(
    "charset",
    [
        b"charset=rot13",
        b"charset=undefined",
        b"Charset = utf-16",
        b"charset=utf-8; charset=base64",
        b"charset*=utf-8''hex",
    ],
)
def test_a_charset_that_django_would_fail_at_reaches_nobody(server: Taken, charset: bytes) -> None:
    answer = send(server.port, HEAD + b"Content-Type: text/plain; %s\r\nContent-Length: 1\r\n\r\na" % charset)

    assert answer.startswith(b"HTTP/1.1 415")
    assert server.bodies == []


@pytest.mark.parametrize("charset", [b"charset=utf-8", b"charset=UTF8", b'charset="utf-8"; x=y', b"boundary=x"])
def test_utf8_by_any_of_its_names_is_read(server: Taken, charset: bytes) -> None:
    answer = send(server.port, HEAD + b"Content-Type: text/plain; %s\r\nContent-Length: 1\r\n\r\na" % charset)

    assert answer.startswith(b"HTTP/1.1 200")
