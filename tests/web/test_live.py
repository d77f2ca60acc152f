"""The hub over real sockets: uvicorn, Redis, sessions in the database."""

import asyncio
import json
import queue
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import pytest
import uvicorn
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from drdash.cloud import reading
from drdash.estate.replica import replica
from drdash.estate.snapshot import Read, merge_pass, next_version
from drdash.estate.store import store
from drdash.serve import cut_off
from drdash.tenants.models import Credential, Membership, Tenant
from drdash.tenants.roles import Role
from drdash.web import rows
from drdash.web.live import Hub
from tests.conftest import DATA_DIR, free_port, redis_binary

pytestmark = pytest.mark.django_db(transaction=True)

SOON = 3.0  # seconds that an event may take on a busy machine; one test measures how long it does take


@dataclass
class Event:
    name: str
    data: str
    id: str
    at: float


class Listener:
    """A browser's EventSource: reads one stream in a thread."""

    def __init__(self, port: int, cookie: str, query: str = "", last_id: str = "", method: str = "GET") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
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
        query = "" if topics is None else f"?topics={topics}"
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
        """A listener that has been told to fetch what it shows, as every page is at first."""
        listener = self.listen(cookie, topics)
        listener.next("resync")
        return listener


Serve = Callable[..., Served]


@pytest.fixture
def serve(redis_url: str) -> Iterator[Serve]:
    """Serve a hub with the given intervals; what it draws tells the topic, the role and the server's name."""
    stop: list[Served] = []

    def start(**options: object) -> Served:
        drawn: list[tuple[str, int, Role]] = []

        def draw(topic: str, *, tenant: int, role: Role) -> str | None:
            drawn.append((topic, tenant, role))
            seen = replica().estates([tenant])[tenant].servers.get(topic.partition("-row-")[2])
            return f"{topic} for {role}\n{seen.record.name if seen else '-'}"

        hub = Hub(**{"render": draw, "recheck": 0.1, "backoff": (0.05, 0.2), **options})  # type: ignore[arg-type]

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
        until = time.monotonic() + 10
        while not server.started:
            assert time.monotonic() < until, "uvicorn did not start"
            time.sleep(0.01)
        return served

    yield start
    for served in stop:
        for listener in served.listeners:
            listener.close()
        served.server.should_exit = True
        served.thread.join(10)
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


def test_a_change_is_on_the_stream_within_a_second(serve: Serve, cast: Cast) -> None:
    listener = serve().settled(cookie(cast.alice), "server-row-*")
    before = time.monotonic()
    poll(cast.acme, one="Web")
    events = listener.each("server-row-one", f"health-{cast.acme.pk}", "estate-changed")
    assert max(event.at for event in events.values()) - before < 1
    assert events["server-row-one"].data == "server-row-one for operator\nWeb"
    assert events["estate-changed"].data == str(cast.acme.pk)


def test_the_headers_keep_proxies_from_holding_it_back(serve: Serve, cast: Cast) -> None:
    headers = serve().listen(cookie(cast.alice)).headers
    assert headers["content-type"].startswith("text/event-stream")
    assert headers["cache-control"] == "no-cache"
    assert headers["x-accel-buffering"] == "no"
    assert headers["x-content-type-options"] == "nosniff"
    assert "set-cookie" not in headers


def test_another_tenants_change_is_not_even_hinted_at(serve: Serve, cast: Cast) -> None:
    served = serve()
    charlie = served.settled(cookie(cast.charlie), "server-row-*,server-panel-one,action-*")
    alice = served.settled(cookie(cast.alice), "server-row-*")
    poll(cast.acme, one="Web")
    alice.next("server-row-one")
    poll(cast.globex, two="Mail")
    told = charlie.everything()
    assert told[-1].id
    assert {one.name for one in told} <= {"server-row-two", "estate-changed", f"health-{cast.globex.pk}", "beat"}
    assert {one.data for one in told if one.name == "estate-changed"} <= {str(cast.globex.pk)}
    assert ("server-row-one", cast.acme.pk, Role.ADMIN) not in served.drawn


def test_a_topic_is_drawn_once_a_role_and_only_if_someone_asked(serve: Serve, cast: Cast) -> None:
    served = serve()
    session = cookie(cast.alice)
    listeners = [served.settled(session, "server-row-one") for _ in range(3)]
    listeners += [served.settled(cookie(cast.bob), "server-row-*")]
    poll(cast.acme, one="Web")
    for listener in listeners:
        listener.each("server-row-one", f"health-{cast.acme.pk}", "estate-changed")
    rows = [(topic, role) for topic, _, role in served.drawn if topic.startswith("server")]
    assert sorted(rows) == [("server-row-one", Role.OPERATOR), ("server-row-one", Role.VIEWER)]


def test_a_pass_that_changed_nothing_tells_the_health_alone(serve: Serve, cast: Cast) -> None:
    poll(cast.acme, one="Web")
    listener = serve().settled(cookie(cast.alice), "server-row-*")
    poll(cast.acme, one="Web")
    assert listener.next("server-row-one", "estate-changed", f"health-{cast.acme.pk}").name.startswith("health-")


@pytest.mark.parametrize("last_id", ["", "1-1", "nonsense", "99999999999999-0"])
def test_who_comes_without_a_known_id_is_told_to_fetch(serve: Serve, cast: Cast, last_id: str) -> None:
    assert serve().listen(cookie(cast.alice), last_id=last_id).next("resync", "beat").name == "resync"


def test_who_comes_back_is_told_once_what_was_missed_as_it_is_now(serve: Serve, cast: Cast) -> None:
    served = serve()
    session = cookie(cast.alice)
    listener = served.settled(session, "server-row-*")
    other = served.settled(session, "server-row-one")
    poll(cast.acme, one="Web", two="Mail")
    known = listener.caught_up()
    listener.close()
    other.next("server-row-one")
    for name in ("Web 2", "Web 3"):
        poll(cast.acme, one=name, two="Mail")
        while name not in other.next("server-row-one").data:
            pass
    again = served.listen(session, "server-row-*", last_id=known)
    assert again.next("server-row-one", "server-row-two", "resync").data.endswith("Web 3")
    poll(cast.acme, one="Web 3", two="Mail 2")
    assert again.next("server-row-one", "server-row-two", "resync").data.endswith("Mail 2")


def test_a_hub_that_starts_anew_still_knows_what_the_stream_holds(serve: Serve, cast: Cast) -> None:
    session = cookie(cast.alice)
    listener = serve().settled(session, "server-row-*")
    poll(cast.acme, one="Web")
    known = listener.caught_up()
    poll(cast.acme, one="Web 2")
    restarted = serve()
    reading_along = restarted.settled(session)
    poll(cast.acme, one="Web 2", two="Mail")
    reading_along.next("estate-changed")
    events = restarted.listen(session, "server-row-*", last_id=known).everything()
    assert {event.data.split("\n")[1] for event in events if event.name.startswith("server")} == {"Web 2", "Mail"}
    assert "resync" not in {event.name for event in events}


def test_an_id_of_another_tenant_is_not_known(serve: Serve, cast: Cast) -> None:
    served = serve()
    poll(cast.acme, one="Web")
    alice = served.settled(cookie(cast.alice))
    poll(cast.acme, one="Web 2")
    assert served.listen(cookie(cast.charlie), last_id=alice.caught_up()).next("resync")


def test_an_idle_stream_beats(serve: Serve, cast: Cast) -> None:
    listener = serve(heartbeat=0.05).listen(cookie(cast.alice))
    beats = [listener.next("beat") for _ in range(3)]
    assert beats[2].at - beats[0].at >= 0.08
    assert not any(beat.id for beat in beats)
    assert "beat" in listener.comments


def test_nobody_signed_in_is_refused(serve: Serve, cast: Cast) -> None:
    served = serve()
    assert served.listen("").status == 401
    assert served.listen("nonsense").status == 401
    signed_out = signed_in(cast.alice)
    old = cookie(signed_out)
    signed_out.logout()
    assert served.listen(old).status == 401


def test_a_session_from_before_a_new_password_is_refused(serve: Serve, cast: Cast) -> None:
    served, session = serve(), cookie(cast.alice)
    cast.alice.set_password("another password")
    cast.alice.save()
    assert served.listen(session).status == 401


def test_what_the_hub_does_not_serve_is_refused(serve: Serve, cast: Cast) -> None:
    served, session = serve(), cookie(cast.alice)
    assert served.listen(session, "everything").status == 400
    for method in ("POST", "HEAD", "PUT"):
        listener = Listener(served.port, session, method=method)
        assert (listener.status, listener.headers["allow"]) == (405, "GET")
        listener.close()


@pytest.mark.parametrize(
    "change",
    [
        lambda cast, client: client.logout(),
        lambda cast, client: User.objects.filter(pk=cast.alice.pk).update(is_active=False),
        lambda cast, client: User.objects.filter(pk=cast.alice.pk).update(password="changed"),
        lambda cast, client: Membership.objects.filter(user=cast.alice).update(role=Role.VIEWER),
        lambda cast, client: Membership.objects.filter(user=cast.alice).delete(),
        lambda cast, client: Membership.objects.create(user=cast.alice, tenant=cast.globex, role=Role.VIEWER),
        lambda cast, client: Tenant.objects.filter(pk=cast.acme.pk).update(enabled=False),
        lambda cast, client: client.session.flush(),
    ],
    ids=["logout", "disabled", "password", "role", "left", "joined", "tenant off", "session gone"],
)
def test_a_change_of_rights_ends_the_stream(serve: Serve, cast: Cast, change: Callable[[Cast, Client], object]) -> None:
    served, client = serve(), signed_in(cast.alice)
    listener = served.settled(cookie(client), "server-row-*")
    bob = served.settled(cookie(cast.bob))
    change(cast, client)
    assert listener.next("rights-changed")
    assert listener.ended.wait(SOON)
    assert not listener.rest()
    if Tenant.objects.get(pk=cast.acme.pk).enabled:
        poll(cast.acme, one="Web")
        assert bob.next("estate-changed")


def test_the_look_at_everyones_rights_takes_the_same_few_queries_for_all(
    cast: Cast, django_assert_num_queries: Callable[[int], object]
) -> None:
    from drdash.web import sessions

    people = [cast.member(f"p{number}", cast.acme, Role.VIEWER) for number in range(30)]
    watchers = [sessions.watcher(f"a=b; drdash_session={cookie(person)}") for person in people]
    with django_assert_num_queries(3):  # type: ignore[attr-defined]
        assert sessions.lapsed([one for one in watchers if one]) == set()


def test_streams_end_by_themselves_after_their_life(serve: Serve, cast: Cast) -> None:
    listener = serve(life=0.2).listen(cookie(cast.alice))
    assert listener.ended.wait(SOON)
    assert "rights-changed" not in [event.name for event in listener.rest()]


def test_one_stream_too_many_ends_the_users_oldest(serve: Serve, cast: Cast) -> None:
    served, session = serve(per_user=2), cookie(cast.alice)
    bob = served.settled(cookie(cast.bob))
    first, second, third = (served.settled(session) for _ in range(3))
    assert first.ended.wait(SOON)
    poll(cast.acme, one="Web")
    for listener in (bob, second, third):
        listener.next("estate-changed")


def test_more_streams_than_it_takes_are_sent_away(serve: Serve, cast: Cast) -> None:
    served = serve(overall=1)
    served.settled(cookie(cast.alice))
    refused = served.listen(cookie(cast.bob))
    assert (refused.status, refused.headers["retry-after"]) == (503, "10")


def test_a_slow_reader_gets_the_newest_and_not_the_backlog(serve: Serve, cast: Cast) -> None:
    large = "x" * 500_000  # a few of them fill the buffers between the two
    rounds = 40
    now = 0
    served = serve(render=lambda topic, tenant, role: f"{now} {large}")
    quick = served.settled(cookie(cast.alice), "server-row-one")
    slow = served.connect(cookie(cast.bob), "server-row-one")
    for now in range(1, rounds + 1):
        store().announce(cast.acme.pk, ["server:one"])
        assert quick.next("server-row-one").data.startswith(f"{now} ")
    got = bytearray()
    while f"data: {rounds} ".encode() not in got[-600_000:]:
        got += slow.recv(1 << 20)
    slow.close()
    assert got.count(b"event: server-row-one") < rounds / 2


def test_a_stream_with_too_much_waiting_is_told_to_fetch(serve: Serve, cast: Cast) -> None:
    served = serve(waiting=5)
    listener = served.settled(cookie(cast.alice), "server-row-*")
    poll(cast.acme, **{f"s{number}": "x" for number in range(20)})
    assert listener.next("resync")


def test_what_cannot_be_drawn_holds_up_nothing_else(serve: Serve, cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    def draw(topic: str, *, tenant: int, role: Role) -> str | None:
        if topic.endswith("one"):
            raise ValueError("no such template")
        return topic

    served = serve(render=draw)
    one = served.settled(cookie(cast.alice), "server-row-one")
    two = served.settled(cookie(cast.alice), "server-row-two")
    poll(cast.acme, one="Web", two="Mail")
    assert two.next("server-row-two", "resync").name == "server-row-two"
    assert one.next("resync")
    assert "server-row-one" in caplog.text


def test_every_stream_ends_when_the_server_stops_even_one_that_nobody_reads(serve: Serve, cast: Cast) -> None:
    served = serve(render=lambda topic, tenant, role: "x" * 3_000_000)
    listener = served.settled(cookie(cast.alice), "server-row-one")
    asleep = served.connect(cookie(cast.bob), "server-row-one")
    for _ in range(4):  # more than the buffers between the two hold
        store().announce(cast.acme.pk, ["server:one"])
        listener.next("server-row-one")
    loop = served.server.servers[0].get_loop()
    asyncio.run_coroutine_threadsafe(served.hub.stop(), loop).result(5)
    assert listener.ended.wait(2)
    assert served.listen(cookie(cast.alice)).status == 503
    loop.call_soon_threadsafe(cut_off, served.server.server_state.connections)
    served.server.should_exit = True
    served.thread.join(5)
    assert not served.thread.is_alive()
    asleep.close()


def test_the_stream_sends_what_the_page_includes(serve: Serve, cast: Cast) -> None:
    listener = serve(render=rows.render).settled(cookie(cast.bob), "server-row-*")
    poll(cast.acme, one="Web")
    topic, health = "server-row-one", f"health-{cast.acme.pk}"
    events = listener.each(topic, health)
    assert 'id="server-row-one"' in events[topic].data
    assert events[topic].data == rows.render(topic, tenant=cast.acme.pk, role=Role.VIEWER)
    assert events[health].data == rows.render(health, tenant=cast.acme.pk, role=Role.VIEWER)


@contextmanager
def own_redis(port: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [redis_binary(), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(DATA_DIR)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < until
                time.sleep(0.02)
        yield process
    finally:
        process.kill()
        process.wait(10)


def test_streams_outlive_redis_and_are_told_to_fetch_when_it_is_back(
    serve: Serve, cast: Cast, settings: LazySettings, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    settings.REDIS_URL = f"redis://127.0.0.1:{port}/0"
    store.cache_clear()
    replica.cache_clear()
    with own_redis(port):
        served = serve(heartbeat=0.1)
        session = cookie(cast.alice)
        listener = served.settled(session, "server-row-*")
        poll(cast.acme, one="Web")
        before = listener.caught_up()
    listener.next("beat")
    listener.next("beat")
    late = served.settled(session)  # who comes meanwhile is let in too
    with own_redis(port):
        assert listener.next("resync")
        assert late.next("resync")
        poll(cast.acme, one="Web 2")
        assert listener.next("server-row-one").data.endswith("Web 2")
        assert served.listen(session, last_id=before).next("resync")  # what was announced meanwhile is lost
    assert not listener.ended.is_set()
    assert sum("nothing to tell" in one.message for one in caplog.records) >= 1
