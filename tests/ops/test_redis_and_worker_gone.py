"""Redis and the worker gone: whoever is on duty signs in, sees the list with its age, acts, and reads the audit."""

import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median

import pytest
import redis
import requests
from django.contrib.auth.models import User

from drdash.cloud.records import Server
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Tenant
from tests.conftest import free_port, redis_binary
from tests.ops.conftest import listening
from tests.sizes import cases, tell
from tests.stack import Poll
from tests.webs import Caller, Web, Webs, wait_until

ROUNDS = cases(1, full=40)
AWAY = "The shared store is away"
AGE = re.compile(r'as of <time [^>]*data-show="age"')
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')


@pytest.fixture
def copied(redis_url: str, polled: Poll, tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A Redis that has what the test's has, to be killed or stopped: its address, and its process."""
    port = free_port()
    process = subprocess.Popen(
        [redis_binary(), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)],
        stdout=subprocess.DEVNULL,
    )
    wait_until(lambda: listening(port), "Redis answers")
    url = f"redis://127.0.0.1:{port}/0"
    with redis.Redis.from_url(redis_url) as known, redis.Redis.from_url(url) as copy:
        for key in known.scan_iter():
            copy.restore(key, 0, known.dump(key))
    yield url, process
    process.kill()
    process.wait(60)


class Duty:
    """Someone on duty, in front of one web process: what went well, and how long each request took."""

    def __init__(self, web: Web, user: User, tenant: Tenant) -> None:
        self._web, self._name = web, user.get_username()
        self._caller = Caller(user, tenant)
        self.well: list[tuple[str, bool]] = []
        self.took: list[float] = []

    def round(self, simulator: Simulator, server: Server, *, away: bool) -> None:
        """Sign in, look at the list, start a test and stop it, read the audit."""
        browser = requests.Session()
        form = browser.get(f"{self._web.url}/login/", timeout=60)
        token = TOKEN.search(form.text)
        assert token is not None
        given = {"csrfmiddlewaretoken": token[1], "username": self._name, "password": self._name}
        signed_in = self._asked(lambda: browser.post(f"{self._web.url}/login/", given, timeout=60))
        self._note("sign-in", signed_in.ok and "Sign out" in signed_in.text)
        shown = self._asked(lambda: browser.get(f"{self._web.url}/servers/", timeout=60)).text
        self._note("list", server.name in shown and AGE.search(shown) is not None and (AWAY in shown) == away)
        for action in ("start_failover_test", "stop_failover"):
            answer = self._asked(partial(self._caller.act, self._web, server.uuid, action))
            self._note(action, answer.status_code == 201 and answer.json()["state"] == "accepted")
            simulator.advance(120)
        audit = self._asked(lambda: browser.get(f"{self._web.url}/audit/", timeout=60))
        self._note("audit", audit.ok and "Stop test: Accepted" in audit.text)

    def _asked(self, ask: Callable[[], requests.Response | None]) -> requests.Response:
        begun = time.monotonic()
        answer = ask()
        self.took.append(time.monotonic() - begun)
        assert answer is not None
        return answer

    def _note(self, what: str, well: bool) -> None:
        self.well.append((what, well))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_without_redis_and_worker_all_that_duty_needs_goes_on(
    number: signal.Signals,
    webs: Webs,
    copied: tuple[str, subprocess.Popen[bytes]],
    simulator: Simulator,
    server: Server,
    tenant: Tenant,
    alice: User,
) -> None:
    url, process = copied
    web = webs.start(redis=url)
    before, after = Duty(web, alice, tenant), Duty(web, alice, tenant)
    before.round(simulator, server, away=False)
    assert all(well for _, well in before.well), before.well
    process.send_signal(number)
    for _ in range(ROUNDS):
        after.round(simulator, server, away=True)
    for words, duty in (("with Redis", before), (f"after {number.name}", after)):
        tell(f"{words}: {len(duty.took)} requests, median {median(duty.took):.2f} s, longest {max(duty.took):.2f} s")
    assert [one for one in after.well if not one[1]] == []
    assert max(after.took) < 5 + max(before.took)  # a machine that is slow is so with Redis too
    assert len(simulator.posts) == 2 * (1 + ROUNDS)


def test_a_web_process_that_starts_without_redis_does_all_of_it_too(
    webs: Webs, simulator: Simulator, server: Server, tenant: Tenant, alice: User
) -> None:
    duty = Duty(webs.start(redis=f"redis://127.0.0.1:{free_port()}/0"), alice, tenant)
    duty.round(simulator, server, away=True)
    assert [one for one in duty.well if not one[1]] == []
    assert len(simulator.posts) == 2
