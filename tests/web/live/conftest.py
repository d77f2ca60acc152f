"""A hub on a real port, a browser's end of its streams, and the cast that sits before it."""

import asyncio
import json
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
import redis
import uvicorn
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from drdash.cloud import reading
from drdash.estate.replica import replica
from drdash.estate.snapshot import Read, merge_pass, next_version
from drdash.estate.store import STREAM, store
from drdash.tenants import access
from drdash.tenants.models import Credential, Membership, Tenant
from drdash.tenants.roles import Role
from drdash.web.live import Hub
from drdash.web.sessions import eyes
from tests.conftest import free_port
from tests.webs import wait_until

SOON = 30.0  # seconds that an event may take on a busy machine; one test measures how long it does take


@dataclass
class Event:
    name: str
    data: str
    id: str
    at: float


class Listener:
    """A browser's EventSource: reads one stream in a thread."""

    def __init__(self, port: int, cookie: str, query: str = "", last_id: str = "", method: str = "GET") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        lines = [f"{method} /events/{query} HTTP/1.1", "Host: localhost", f"Cookie: drdash_session={cookie}"]
        lines += [f"Last-Event-ID: {last_id}"] if last_id else []
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())
        self._file = self.socket.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        self.headers: dict[str, str] = {}
        while line := self._file.readline().decode().strip():
            name, _, value = line.partition(": ")
            self.headers[name.lower()] = value
        self.events: queue.Queue[Event] = queue.Queue()
        self.comments: list[str] = []
        self.ended = threading.Event()
        self.last_id = last_id
        if self.status == 200:
            threading.Thread(target=self._read, daemon=True).start()

    def next(self, *names: str, within: float = SOON) -> Event:
        """The next event of these names; others are skipped."""
        until = time.monotonic() + within
        while True:
            try:
                event = self.events.get(timeout=max(0, until - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {names} within {within} s") from None
            if event.name in names:
                return event

    def each(self, *names: str, within: float = SOON) -> dict[str, Event]:
        """The first event of each of these names, in whatever order they come."""
        found: dict[str, Event] = {}
        while missing := [name for name in names if name not in found]:
            event = self.next(*missing, within=within)
            found[event.name] = event
        return found

    def caught_up(self) -> str:
        """The next id: the stream has told everything up to it."""
        return self.everything()[-1].id

    def everything(self) -> list[Event]:
        """The events up to the next one with an id."""
        found = [self.events.get(timeout=SOON)]
        while not found[-1].id:
            found.append(self.events.get(timeout=SOON))
        return found

    def rest(self) -> list[Event]:
        """What came and was not looked at yet."""
        found = []
        with suppress(queue.Empty):
            while True:
                found.append(self.events.get_nowait())
        return found

    def close(self) -> None:
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        if self.status != 200:
            self._file.close()
            self.socket.close()

    def _read(self) -> None:
        self.socket.settimeout(None)
        with self.socket, self._file, suppress(OSError, ValueError):
            data: list[str] = []
            name, given_id = "message", ""
            for line in self._lines():
                key, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if line == "":
                    if data:
                        self.last_id = given_id or self.last_id
                        self.events.put(Event(name, "\n".join(data), given_id, time.monotonic()))
                    name, data, given_id = "message", [], ""
                elif key == "":
                    self.comments.append(value)
                elif key == "event":
                    name = value
                elif key == "data":
                    data.append(value)
                elif key == "id":
                    given_id = value
        self.ended.set()

    def _lines(self) -> Iterator[str]:
        buffer = b""
        while size := int(self._file.readline() or b"0", 16):
            buffer += self._file.read(size)
            self._file.readline()
            *lines, buffer = buffer.split(b"\n")
            yield from (line.decode() for line in lines)


@dataclass
class Served:
    """A hub on a port, and the listeners that the test opened."""

    hub: Hub
    port: int
    server: uvicorn.Server
    thread: threading.Thread
    drawn: list[tuple[str, int, Role]]
    listeners: list[Listener] = field(default_factory=list)

    def listen(self, cookie: str, topics: str | None = None, last_id: str = "") -> Listener:
        return self.follow(cookie, "" if topics is None else f"?topics={topics}", last_id)

    def follow(self, cookie: str, query: str, last_id: str = "") -> Listener:
        listener = Listener(self.port, cookie, query, last_id)
        self.listeners.append(listener)
        return listener

    def connect(self, cookie: str, topics: str) -> socket.socket:
        """A connection whose stream has begun, and of which nobody reads on."""
        slow = socket.create_connection(("127.0.0.1", self.port), timeout=SOON)
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        head = f"GET /events/?topics={topics} HTTP/1.1\r\nHost: localhost\r\nCookie: drdash_session={cookie}\r\n\r\n"
        slow.sendall(head.encode())
        assert slow.recv(15) == b"HTTP/1.1 200 OK"
        return slow

    def settled(self, cookie: str, topics: str | None = None) -> Listener:
        """A listener that has been told to fetch what it shows, as every page is at first; the hub knows by then what
        was announced before."""
        with redis.Redis.from_url(settings.REDIS_URL) as client:
            announced = {key.decode() for key, _ in client.xrevrange(STREAM, count=1)}
        wait_until(lambda: announced <= set(self.hub.latest().values()), "the hub has read what was announced")
        listener = self.listen(cookie, topics)
        listener.next("resync")
        return listener


Serve = Callable[..., Served]


@pytest.fixture
def serve(redis_url: str) -> Iterator[Serve]:
    """Serve a hub with the given intervals; what it draws tells the topic, the role and the server's name. Or serve
    the hub that is given: this process's own goes on from its pages."""
    stop: list[Served] = []

    def start(hub: Hub | None = None, **options: object) -> Served:
        drawn: list[tuple[str, int, Role]] = []

        def draw(topic: str, *, tenant: int, role: Role) -> str | None:
            drawn.append((topic, tenant, role))
            seen = replica().estates([tenant])[tenant].servers.get(topic.partition("-row-")[2])
            return f"{topic} for {role}\n{seen.record.name if seen else '-'}"

        hub = hub or Hub(**{"render": draw, "recheck": 0.1, "backoff": (0.05, 0.2), **options})  # type: ignore[arg-type]
        port = free_port()
        config = uvicorn.Config(
            hub, host="127.0.0.1", port=port, interface="asgi3", lifespan="off", ws="none", log_config=None
        )
        server = uvicorn.Server(config)

        async def run() -> None:
            await hub.start()
            await server.serve()
            await hub.stop()

        thread = threading.Thread(target=asyncio.run, args=(run(),))
        thread.start()
        served = Served(hub, port, server, thread, drawn)
        stop.append(served)
        wait_until(lambda: server.started, "uvicorn has started")
        return served

    yield start
    for served in stop:
        for listener in served.listeners:
            listener.close()
        served.server.should_exit = True
        served.thread.join(60)
        assert not served.thread.is_alive()


@pytest.fixture(autouse=True)
def anew() -> Iterator[None]:
    yield
    replica.cache_clear()
    store.cache_clear()


class Cast:
    """Alice operates in Acme, Bob looks on there, Charlie administrates Globex and must not see Acme."""

    def __init__(self) -> None:
        credential = Credential.objects.create(name="c", cloud="http://localhost", client_id="c", sealed_secret="s")
        self.acme = Tenant.objects.create(name="Acme", credential=credential)
        self.globex = Tenant.objects.create(name="Globex", credential=credential)
        self.alice = self.member("alice", self.acme, Role.OPERATOR)
        self.bob = self.member("bob", self.acme, Role.VIEWER)
        self.charlie = self.member("charlie", self.globex, Role.ADMIN)

    def eyes(self, user: User) -> str:
        return eyes(user.pk, access.reach(user).roles.items())

    def member(self, name: str, tenant: Tenant, role: Role) -> User:
        user = User.objects.create_user(name, password="a password")
        Membership.objects.create(user=user, tenant=tenant, role=role)
        return user


@pytest.fixture
def cast() -> Cast:
    return Cast()


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def cookie(user: User | Client) -> str:
    client = user if isinstance(user, Client) else signed_in(user)
    return client.cookies["drdash_session"].value


def poll(tenant: Tenant, **servers: str) -> None:
    """A good pass that found these servers: key → name."""
    old, now = store().load(tenant.pk), timezone.now()
    records = tuple(
        reading.server(json.dumps({"uuid": key, "name": name, "type": "RECOVERY"}).encode())
        for key, name in servers.items()
    )
    read = Read(started=now, servers=records, whole_servers=True, whole_sites=True)
    merged = merge_pass(old, read, finished=now, version=next_version(old.version, now))
    assert merged is not None
    assert store().publish(old, *merged)
