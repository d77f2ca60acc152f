"""Slow readers, drawings that fail, a Redis that dies, a server that ends."""

import asyncio
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.conf import LazySettings

from drdash.estate.replica import replica
from drdash.estate.store import store
from drdash.serve import cut_off
from drdash.tenants.roles import Role
from drdash.web.live import Hub
from tests.conftest import DATA_DIR, free_port, redis_binary
from tests.web.live.conftest import SOON, Cast, Serve, cookie, poll

pytestmark = pytest.mark.django_db(transaction=True)


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
    asyncio.run_coroutine_threadsafe(served.hub.stop(), loop).result(60)
    assert listener.ended.wait(SOON)
    assert served.listen(cookie(cast.alice)).status == 503
    loop.call_soon_threadsafe(cut_off, served.server.server_state.connections)
    served.server.should_exit = True
    served.thread.join(60)
    assert not served.thread.is_alive()
    asleep.close()


@contextmanager
def own_redis(port: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [redis_binary(), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(DATA_DIR)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
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
        process.wait(60)


def test_it_ends_whenever_it_is_told_to_also_while_it_connects_to_redis(redis_url: str) -> None:
    async def at_many_moments() -> None:
        for moment in range(60):
            hub = Hub()
            await hub.start()
            await asyncio.sleep(moment / 20_000)
            await asyncio.wait_for(hub.stop(), 30)

    asyncio.run(at_many_moments())


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
    late = served.listen(session)  # who comes meanwhile is let in too
    assert late.next("resync")
    with own_redis(port):
        assert listener.next("resync")
        assert late.next("resync")
        poll(cast.acme, one="Web 2")
        assert listener.next("server-row-one").data.endswith("Web 2")
        assert served.listen(session, last_id=before).next("resync")  # what was announced meanwhile is lost
    assert not listener.ended.is_set()
    assert sum("nothing to tell" in one.message for one in caplog.records) >= 1
