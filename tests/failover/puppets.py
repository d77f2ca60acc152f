"""The real protocol, led step by step along a run of its model: clicks that go on when they are told to, at a cloud
that answers what it is told to.
"""

import queue
import threading
from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import User
from django.db import connection

from drdash.cloud.records import Server
from drdash.failover.actions import Wish, request
from drdash.failover.models import Action
from drdash.simulator import answers
from drdash.simulator.answers import Request, Response
from drdash.simulator.faults import Fault
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Tenant

PATIENCE = 20.0  # a real one: nothing that is led takes so long
# The looks at the clock of actions.request, by number: in between it does one step of the model each.
BEFORE_THE_LOOK, AFTER_THE_LOOK, BEFORE_THE_CLAIM, AFTER_THE_CLAIM = 2, 3, 4, 6
WAITS = frozenset({BEFORE_THE_LOOK, AFTER_THE_LOOK, BEFORE_THE_CLAIM, AFTER_THE_CLAIM})


class Died(BaseException):
    """The process of a click is gone."""


class Post:
    """A POST that has left, and the answer that its sender will be given; None: none."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.heard = threading.Event()
        self.answer: Response | None = None


class Led(Simulator):
    """A simulator at which an action waits until it is told what becomes of it."""

    def __init__(self, built: Simulator) -> None:
        super().__init__(built.worlds, built.clock, built.issuer, seed=built.seed)
        self.arrived_at: Callable[[Post], None] = lambda post: None
        self._here = threading.local()

    def receive(self, request: Request, connection: int) -> tuple[Fault | None, threading.Event]:
        fault, release = super().receive(request, connection)
        self._here.post = None
        if request.method == "POST" and ":" in request.path:
            post = self._here.post = Post(request)
            self.arrived_at(post)
            return Fault(kind="hang"), post.heard
        return fault, release

    def respond(self, request: Request) -> Response:
        post: Post | None = getattr(self._here, "post", None)
        if post is None:
            return super().respond(request)
        if post.answer is None:
            raise ConnectionResetError
        return post.answer

    def take(self, post: Post, said: str) -> None:
        """Let the cloud take the action, and have it answer this."""
        taken = super().respond(post.request)
        assert taken.status == 202, "the cloud does not take what it takes in the model"
        task = taken.body.decode().split('"')[3]
        post.answer = {
            "202": taken,
            "5xx": answers.gateway_timeout(),
            "busy": answers.error(409, "ResourceBusy", "It is busy.", context={"task_uuids": [task]}),
        }[said]

    def turn_down(self, post: Post, said: str, *, able: bool) -> None:
        """Have the cloud not take it, and answer this; what it is not ``able`` to take, it turns down by itself."""
        post.answer = answers.internal_error() if said == "5xx" else answers.bad_request(["no"])
        if not able:
            own = super().respond(post.request)
            assert own.status == 409, "the cloud takes what it does not take in the model"
            post.answer = post.answer if said == "5xx" else own


class Puppet:
    """A click that is carried through by a thread of its own, one step at a time."""

    def __init__(self, user: User, tenant: Tenant, server: Server, wish: Wish) -> None:
        self._asked = (user, tenant, server, wish)
        self.key = wish.key
        self._told: queue.Queue[float | None] = queue.Queue()
        self._came: queue.Queue[Any] = queue.Queue()
        self._looks = 0
        self._now = 0.0
        self.post: Post | None = None
        self.action: Action | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def begin(self) -> object:
        """Click. What it comes to: the number of a look at the clock, a Post, or its end: an Action or an exception."""
        self.thread.start()
        return self._came.get(timeout=PATIENCE)

    def go_on(self, now: float | None) -> object:
        """Go on from where it waits, at this time by its clock; None: it dies there."""
        self._told.put(now)
        return self._came.get(timeout=PATIENCE)

    def hear(self) -> object:
        """Be given the answer."""
        assert self.post is not None
        self.post.heard.set()
        return self._came.get(timeout=PATIENCE)

    def let_go(self) -> None:
        """Be at an end, from wherever it waits."""
        if self.thread.is_alive():
            self._told.put(None)
            if self.post is not None:
                self.post.answer = None
                self.post.heard.set()
            self.thread.join(PATIENCE)

    def posted(self, post: Post) -> None:
        """Its POST has left."""
        self.post = post
        self._came.put(post)

    def _clock(self) -> float:
        self._looks += 1
        if self._looks not in WAITS:
            return self._now
        self._came.put(self._looks)
        told = self._told.get()
        if told is None:
            raise Died
        self._now = told
        return told

    def _run(self) -> None:
        user, tenant, server, wish = self._asked
        try:
            self._came.put(request(user=user, tenant=tenant, server=server, wish=wish, clock=self._clock)[0])
        except BaseException as ended:  # noqa: BLE001  for who leads
            self._came.put(ended)
        finally:
            connection.close()
