"""One process, one port: `/events/` goes to the live hub, everything else to Django's pages in threads."""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterable, MutableMapping
from contextvars import ContextVar
from typing import Any

from a2wsgi import WSGIMiddleware
from django.core.wsgi import get_wsgi_application

from drdash import environment
from drdash.clock import boot_seconds

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "drdash.settings")
environment.demand_keys()
THREADS = 40
SAFE = {"GET", "HEAD", "OPTIONS"}
LONGEST_WAIT = 30.0  # seconds for a thread
TOO_LATE = b"This waited too long for its turn, so nothing was done. Look again before you repeat it."
arrived: ContextVar[float] = ContextVar("arrived")


def in_time(application: Any, *, clock: Callable[[], float] = boot_seconds) -> Any:
    """Begin nothing that changes anything long after it arrived: every thread was busy, or the machine slept, and who
    asked for it has seen no answer since.
    """

    def punctual(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] not in SAFE and clock() - arrived.get() > LONGEST_WAIT:
            headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(TOO_LATE))), ("Retry-After", "5")]
            start_response("503 Service Unavailable", headers)
            return [TOO_LATE]
        found: Iterable[bytes] = application(environ, start_response)
        return found

    return punctual


django_in_threads: Any = WSGIMiddleware(in_time(get_wsgi_application()), workers=THREADS)

from drdash.web.live import hub  # noqa: E402 - it needs the apps, which are set up above

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]

LARGEST_BODY = 1024 * 1024  # our forms are far smaller
SLOWEST_BODY = 30.0  # seconds
UTF8 = re.compile(rb"charset=(?:utf-?8|\"utf-?8\"|us-ascii)(?=\s*(?:;|$))")


class Unacceptable(Exception):
    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def whole(app: App) -> App:
    """Pass a request on once it is here to its last byte, and refuse one that is not.

    WSGI takes a client that went away for the end of the body: a form cut short would be a different, valid form.
    Reading it here also keeps slow clients from holding threads.
    """

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            demand_utf8(scope["headers"])
            async with asyncio.timeout(SLOWEST_BODY):
                body = await whole_body(dict(scope["headers"]).get(b"content-length"), receive)
        except TimeoutError:
            await refuse(Unacceptable(408, "This request took too long to arrive."), send)
            return
        except Unacceptable as problem:
            await refuse(problem, send)
            return
        arrived.set(boot_seconds())
        # For WSGI, X_Forwarded_Proto would be X-Forwarded-Proto; and what came in chunks had no length.
        headers = [(name, value) for name, value in scope["headers"] if b"_" not in name and name != b"content-length"]
        headers.append((b"content-length", b"%d" % len(body)))
        unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive_whole() -> Message:
            return unread.pop() if unread else await receive()

        await app({**scope, "headers": headers}, receive_whole, send)

    return guarded


def demand_utf8(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Django takes any codec of Python's for a charset, and fails at those that do not make text of bytes."""
    types = b";".join(value.lower() for name, value in headers if name == b"content-type")
    if b"charset" in UTF8.sub(b"", types):
        raise Unacceptable(415, "Send UTF-8: no other charset is read here.")


async def whole_body(announced: bytes | None, receive: Receive) -> bytes:
    size = int(announced or 0)
    body = bytearray()
    more = size <= LARGEST_BODY
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise Unacceptable(400, "This request was cut short.")
        body += message.get("body", b"")
        size = max(size, len(body))
        more = message.get("more_body", False) and size <= LARGEST_BODY
    if size > LARGEST_BODY:
        raise Unacceptable(413, "This request is too large.")
    if size != len(body):
        raise Unacceptable(400, "This request was cut short.")
    return bytes(body)


async def refuse(problem: Unacceptable, send: Send) -> None:
    sentence = str(problem).encode()
    headers = [
        (b"content-type", b"text/plain"),
        (b"content-length", b"%d" % len(sentence)),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": sentence})


pages = whole(django_in_threads)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    elif scope["type"] == "http" and scope["path"] == "/events/":
        await hub(scope, receive, send)
    elif scope["type"] == "http":
        await pages(scope, receive, send)


async def lifespan(receive: Receive, send: Send) -> None:
    await receive()
    await hub.start()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await hub.stop()
    await send({"type": "lifespan.shutdown.complete"})
