"""A simulator: a world, an identity provider, faults on order and a log of requests, behind one lock."""

import threading
from collections import deque
from dataclasses import dataclass, replace
from itertools import count
from typing import Any
from urllib.parse import parse_qs

from drdash.simulator import control, routes, scenarios
from drdash.simulator.answers import Request, Response
from drdash.simulator.clock import Clock, ManualClock
from drdash.simulator.faults import Fault, Faults, Kind
from drdash.simulator.issues import JSON
from drdash.simulator.tokens import ADMIN, PASSWORD, USERNAME, Issuer
from drdash.simulator.world import World

CLIENT_ID = "drdash-demo"
CLIENT_SECRET = "simulated-secret"  # noqa: S105  opens nothing but a simulator
KEPT_REQUESTS = 20_000


@dataclass(frozen=True, kw_only=True)
class Received:
    """One request as it arrived, without its credentials. `connection` counts the TCP connections."""

    number: int
    connection: int
    at: float
    method: str
    path: str
    query: str
    body: str


class Simulator:
    """A world, an identity provider and a log behind one lock. Hold `lock` to look at `world` from outside."""

    def __init__(self, world: World, clock: Clock, issuer: Issuer) -> None:
        self.world = world
        self.clock = clock
        self.issuer = issuer
        self.url = world.base_url
        self.lock = threading.RLock()
        self._arrival = threading.Condition(self.lock)
        self._received: deque[Received] = deque(maxlen=KEPT_REQUESTS)
        self._number = count(1)
        self._faults = Faults()
        self._release = threading.Event()
        self.stopped = threading.Event()

    @property
    def client_id(self) -> str:
        return self.issuer.client_id

    @property
    def client_secret(self) -> str:
        return self.issuer.client_secret

    @property
    def username(self) -> str:
        return self.issuer.username

    @property
    def password(self) -> str:
        return self.issuer.password

    @property
    def requests(self) -> list[Received]:
        """What arrived so far, oldest first; requests to the control endpoints are not counted."""
        with self.lock:
            return list(self._received)

    @property
    def posts(self) -> list[Received]:
        """The actions that arrived, whatever became of them."""
        return [one for one in self.requests if one.method == "POST" and one.path != routes.TOKEN_PATH]

    def forget_requests(self) -> None:
        with self.lock:
            self._received.clear()

    def arrived(self, *, method: str | None = None, path: str = "", times: int = 1, timeout: float = 10) -> bool:
        """Wait until so many matching requests are in the log; False when they did not come in time."""

        def enough() -> bool:
            found = [one for one in self._received if method in (None, one.method) and path in one.path]
            return len(found) >= times

        with self._arrival:
            return self._arrival.wait_for(enough, timeout)

    def advance(self, seconds: float) -> None:
        with self.lock:
            self.clock.advance(seconds)
            self.world.advance(self.clock.now())

    def fail(self, kind: Kind, *, method: str | None = None, path: str = "", **how: Any) -> None:
        """Order a fault (faults.Fault says which) for the next request that matches."""
        self.add_fault(Fault(kind=kind, method=method, path=path, **how))

    def add_fault(self, fault: Fault) -> None:
        with self.lock:
            self._faults.add(fault)

    def clear_faults(self) -> None:
        """Forget the faults that wait, and let go what hangs."""
        with self.lock:
            self._faults.clear()
        self.release()

    def release(self) -> None:
        """Let every request that hangs go on."""
        with self.lock:
            self._release.set()
            self._release = threading.Event()

    def force_server(self, uuid: str, **order: Any) -> JSON:
        """Change a server behind the API's back, as `POST /_control/world` does; returns its document."""
        return self._force({"server": uuid, **order})

    def force_site(self, uuid: str, **order: Any) -> JSON:
        return self._force({"site": uuid, **order})

    def _force(self, order: JSON) -> JSON:
        with self.lock:
            self.world.advance(self.clock.now())
            return control.force(self.world, order)

    def receive(self, request: Request, connection: int) -> Fault | None:
        """Note the request; the fault that it meets, if any."""
        body = request.body.decode("utf-8", "replace")
        if request.path == routes.TOKEN_PATH:
            grant = parse_qs(body).get("grant_type", [""])[0]
            body = f"grant_type={grant}"  # a secret or an assertion may stand beside it
        with self._arrival:
            received = Received(
                number=next(self._number),
                connection=connection,
                at=self.clock.now(),
                method=request.method,
                path=request.path,
                query=request.query,
                body=body,
            )
            self._received.append(received)
            self._arrival.notify_all()
            return self._faults.take(request)

    def respond(self, request: Request) -> Response:
        with self.lock:
            now = self.clock.now()
            self.world.advance(now)
            return routes.respond(replace(request, now=now), self.world, self.issuer, wall=self.clock.wall())

    def hang(self, seconds: float | None) -> None:
        with self.lock:
            release = self._release
        release.wait(seconds)

    def stop(self) -> None:
        self.stopped.set()
        self.release()


def build(
    world: World | str = "customer",
    *,
    clock: Clock | None = None,
    client_id: str = CLIENT_ID,
    client_secret: str = CLIENT_SECRET,
    username: str = USERNAME,
    password: str = PASSWORD,
    second_factor: bool = False,
    scopes: frozenset[str] = frozenset({ADMIN}),
    token_life: float = 7200.0,
    seed: int = 0,
    servers: int | None = None,
    sites: int | None = None,
) -> Simulator:
    """A simulator that is not on a port yet. Without a clock, time stands still until `advance`."""
    if clock is None:
        clock = ManualClock(None if isinstance(world, str) else world.now)
    if isinstance(world, str):
        world = scenarios.build(world, now=clock.now(), seed=seed, servers=servers, sites=sites)
    issuer = Issuer(
        client_id=client_id,
        client_secret=client_secret,
        username=username,
        password=password,
        second_factor=second_factor,
        scopes=scopes,
        life=token_life,
        speed=clock.speed,
    )
    return Simulator(world, clock, issuer)
