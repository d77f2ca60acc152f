"""A simulator: worlds, an identity provider, faults on order and a log of requests, behind one lock."""

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any
from urllib.parse import parse_qs

from drdash.simulator import accounts, control, idp, routes
from drdash.simulator.answers import Request, Response
from drdash.simulator.clock import Clock
from drdash.simulator.faults import Fault, Faults, Kind
from drdash.simulator.issues import JSON
from drdash.simulator.tokens import Issuer
from drdash.simulator.world import World

CLIENT_ID = "drdash-demo"
CLIENT_SECRET = "simulated-secret"  # noqa: S105  opens nothing but a simulator
READER_ID = "drdash-reader"
PARTNER_ID = "drdash-partner"
PARTNER_READER_ID = "drdash-partner-reader"
SECRETS = {
    READER_ID: "simulated-secret-reader",
    PARTNER_ID: "simulated-secret-partner",
    PARTNER_READER_ID: "simulated-secret-partner-reader",
}
KEPT_REQUESTS = 20_000


@dataclass(frozen=True, kw_only=True)
class Received:
    """One request as it arrived, without its credentials. `connection` counts the TCP connections.

    `client` is the API client whose secret or token it came with, "" when it was a user's; `tenant` that of the token,
    or the one that a token is asked for. `fault` is the one that it met.
    """

    number: int
    connection: int
    at: float
    method: str
    path: str
    query: str
    body: str
    client: str = ""
    tenant: str = ""
    fault: str = ""


class Simulator:
    """Worlds, an identity provider and a log behind one lock. Hold `lock` to look at a world from outside.

    `worlds` has one for each customer, by its UUID in lower case; `world` is the first. The cloud's clock is `skew`
    seconds ahead of everybody else's.
    """

    def __init__(self, worlds: Mapping[str, World], clock: Clock, issuer: Issuer, *, seed: int = 0) -> None:
        self.worlds = dict(worlds)
        self.world = next(iter(worlds.values()), World(now=clock.now()))
        self.clock = clock
        self.issuer = issuer
        self.seed = seed
        self.url = self.world.base_url
        self.public_url = self.url
        self.skew = 0.0
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
    def reader_id(self) -> str:
        """The API client of the same tenant that may only read."""
        return READER_ID

    @property
    def reader_secret(self) -> str:
        return self._secret(READER_ID)

    @property
    def partner_id(self) -> str:
        """The API client of the partner, in the scenario of that name."""
        return PARTNER_ID

    @property
    def partner_secret(self) -> str:
        return self._secret(PARTNER_ID)

    @property
    def partner_reader_id(self) -> str:
        """The partner's that may only read."""
        return PARTNER_READER_ID

    @property
    def partner_reader_secret(self) -> str:
        return self._secret(PARTNER_READER_ID)

    @property
    def username(self) -> str:
        return self.issuer.username

    @property
    def password(self) -> str:
        return self.issuer.password

    def assertion(self, *, lifetime: float = 3600.0, tenant: str = "") -> str:
        """A signed assertion of the user; good for less than no time with a negative lifetime."""
        return self.issuer.assertion(now=self.wall(), lifetime=lifetime, tenant=tenant)

    def wall(self) -> float:
        """What the cloud's clock shows to the outside."""
        return self.clock.wall() + self.skew

    @property
    def requests(self) -> list[Received]:
        """What arrived so far, oldest first; requests to the control endpoints are not counted."""
        with self.lock:
            return list(self._received)

    @property
    def posts(self) -> list[Received]:
        """The actions that arrived, whatever became of them."""
        return [one for one in self.requests if one.method == "POST" and not one.path.startswith(idp.PREFIX)]

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
            for world in self.worlds.values():
                world.advance(self.clock.now())

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

    def force_customer(self, uuid: str, **order: Any) -> JSON:
        """Change a customer of the partner, or let it go and return, as `POST /_control/customers` does."""
        with self.lock:
            return accounts.force_customer(self, {"customer": uuid, **order})

    def add_customer(self, name: str = "", **size: int) -> str:
        """A new customer of the partner, of so many `servers` and `sites`; its UUID."""
        with self.lock:
            return str(accounts.add_customer(self, {"name": name, **size})["id"])

    def force_client(self, client_id: str, **order: Any) -> JSON:
        """Change an API client, or revoke its tokens, as `POST /_control/clients` does."""
        with self.lock:
            return accounts.force_client(self.issuer, {"client": client_id, **order})

    def force_issuer(self, **order: Any) -> JSON:
        """Change what the identity provider wants and tells, as `POST /_control/issuer` does."""
        with self.lock:
            return accounts.force_issuer(self.issuer, order)

    def _force(self, order: JSON) -> JSON:
        with self.lock:
            self.advance(0)
            return control.force(self.worlds.values(), order)

    def _secret(self, client_id: str) -> str:
        client = self.issuer.directory.client(client_id)
        if client is None:
            raise KeyError(client_id)
        return client.secret

    def receive(self, request: Request, connection: int) -> tuple[Fault | None, threading.Event]:
        """Note the request; the fault that it meets, if any, and what lets it go on if it is to hang."""
        body = request.body.decode("utf-8", "replace")
        if request.path.startswith(idp.PREFIX):
            grant = parse_qs(body).get("grant_type", [""])[0]
            body = f"grant_type={grant}"  # a secret or an assertion may stand beside it
        with self._arrival:
            client, tenant = self.issuer.asker(request)
            fault = self._faults.take(request, client=client, tenant=tenant)
            received = Received(
                number=next(self._number),
                connection=connection,
                at=self.clock.now(),
                method=request.method,
                path=request.path,
                query=request.query,
                body=body,
                client=client,
                tenant=tenant,
                fault="" if fault is None else fault.kind,
            )
            self._received.append(received)
            self._arrival.notify_all()
            return fault, self._release

    def respond(self, request: Request) -> Response:
        with self.lock:
            now = self.clock.now()
            asked = replace(request, now=now)
            held = self.issuer.bearer(asked)
            # A partner's own token, or none, has no world: nothing in it can be told by mistake.
            world = self.worlds.get(held.tenant.lower()) if held else None
            if world is None:
                world = World(now=now)
            world.advance(now)
            return routes.respond(asked, world, self.issuer, wall=self.wall())

    def stop(self) -> None:
        self.stopped.set()
        self.release()
