"""One process, one port: `/events/` goes to the live hub, everything else to Django's pages in threads."""

import asyncio
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from a2wsgi import WSGIMiddleware
from django.core.wsgi import get_wsgi_application

from drdash import environment

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "drdash.settings")
environment.demand_keys()

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

THREADS = 40
LARGEST_BODY = 1024 * 1024  # our forms are far smaller
SLOWEST_BODY = 30.0  # seconds

django: Any = get_wsgi_application()
pages: Any = WSGIMiddleware(django, workers=THREADS)

from drdash.web.live import hub  # noqa: E402 - it needs the apps that get_wsgi_application has set up


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    elif scope["type"] == "http" and scope["path"] == "/events/":
        await hub(scope, receive, send)
    elif scope["type"] == "http":
        await page(scope, receive, send)


async def lifespan(receive: Receive, send: Send) -> None:
    await receive()
    await hub.start()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await hub.stop()
    await send({"type": "lifespan.shutdown.complete"})


async def page(scope: Scope, receive: Receive, send: Send) -> None:
    """Hand a request to Django, once it is here to its last byte.

    WSGI takes a client that went away for the end of the body: a form cut short would be a different, valid form.
    Reading it here also keeps slow clients from holding threads.
    """
    headers = [(name, value) for name, value in scope["headers"] if b"_" not in name]  # X_Forwarded_Proto is a forgery
    announced = next((int(value) for name, value in headers if name == b"content-length"), None)
    if announced is not None and announced > LARGEST_BODY:
        return await refuse(413, b"This request is too large.", send)
    try:
        async with asyncio.timeout(SLOWEST_BODY):
            body = await whole_body(receive)
    except TimeoutError:
        return await refuse(408, b"This request took too long to arrive.", send)
    except EOFError:
        return await refuse(400, b"This request was cut short.", send)
    except OverflowError:
        return await refuse(413, b"This request is too large.", send)
    if len(body) != (announced or 0):
        if announced is not None:
            return await refuse(400, b"This request was cut short.", send)
        headers.append((b"content-length", b"%d" % len(body)))  # it came in chunks: WSGI wants a length
    unread: MutableMapping[str, Any] | None = {"type": "http.request", "body": body, "more_body": False}

    async def receive_whole() -> MutableMapping[str, Any]:
        nonlocal unread
        message, unread = unread, None
        return message if message is not None else await receive()

    await pages({**scope, "headers": headers}, receive_whole, send)


async def whole_body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise EOFError
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            raise OverflowError
        if not message.get("more_body", False):
            return bytes(body)


async def refuse(status: int, sentence: bytes, send: Send) -> None:
    headers = [
        (b"content-type", b"text/plain"),
        (b"content-length", b"%d" % len(sentence)),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": sentence})
