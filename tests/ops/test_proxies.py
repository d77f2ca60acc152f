"""Whose word is taken for where a request came from. Through a real uvicorn, set up as in production."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import uvicorn
from django.test import Client, override_settings

from drdash.serve import configured

FORGED = b"X-Forwarded-For: 198.51.100.9"
Ask = Callable[..., str]


async def who(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the scheme and the address that it takes for the client's."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    told = f"{scope['scheme']} {scope['client'][0]}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(told))]})
    await send({"type": "http.response.body", "body": told})


@contextmanager
def serving(proxies: list[str]) -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    running = uvicorn.Server(configured(who, proxies))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
    thread.start()
    yield listener.getsockname()[1]
    running.should_exit = True
    thread.join(60)


@pytest.fixture
def ask() -> Iterator[Ask]:
    """Ask from loopback, with some headers; what the application takes for the client."""
    with ExitStack() as served:

        def asked(proxies: list[str], *headers: bytes) -> str:
            port = served.enter_context(serving(proxies))
            with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
                lines = [b"GET / HTTP/1.1", b"Host: localhost", b"Connection: close", *headers]
                connection.sendall(b"\r\n".join([*lines, b"", b""]))
                answer = b""
                while part := connection.recv(65536):
                    answer += part
            return answer.rpartition(b"\r\n\r\n")[2].decode()

        yield asked


def test_a_trusted_proxy_tells_the_clients_address(ask: Ask) -> None:
    assert ask(["127.0.0.1"], b"X-Forwarded-For: 203.0.113.7") == "http 203.0.113.7"
    assert ask(["127.0.0.0/8"], b"X-Forwarded-For: 203.0.113.7") == "http 203.0.113.7"


def test_nobody_else_tells_it(ask: Ask) -> None:
    assert ask(["10.0.0.5"], FORGED) == "http 127.0.0.1"


def test_what_a_client_claims_before_the_proxy_is_not_believed(ask: Ask) -> None:
    assert ask(["127.0.0.1"], FORGED, b"X-Forwarded-For: 203.0.113.7") == "http 203.0.113.7"
    assert ask(["127.0.0.1", "10.0.0.5"], FORGED + b", 203.0.113.7, 10.0.0.5") == "http 203.0.113.7"


def test_https_is_a_trusted_proxys_word_too(ask: Ask) -> None:
    https = b"X-Forwarded-Proto: https"
    assert ask(["127.0.0.1"], https) == "https 127.0.0.1"
    assert ask(["10.0.0.5"], https) == "http 127.0.0.1"


@override_settings(HTTPS=True, SECURE_SSL_REDIRECT=True)
def test_who_comes_through_a_proxy_that_nobody_named_is_told_and_not_sent_round_for_ever() -> None:
    claims = {"X-Forwarded-Proto": "https"}
    assert Client().get("/healthz", headers=claims).status_code == 200
    assert Client().get("/login/").headers["Location"] == "https://testserver/login/"
    answer = Client().get("/login/", headers=claims)
    assert (answer.status_code, "DRDASH_TRUSTED_PROXIES" in answer.content.decode()) == (400, True)
