"""A whole drdash at DEBUG, connected by every grant to clouds that fail, repeat secrets, and renew tokens: then every
place where something may have stayed is searched for what is secret.
"""

import json
import os
import re
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
import redis
import requests

from drdash.cloud.account import Grant
from drdash.simulator.clock import RunningClock
from drdash.simulator.faults import Kind
from drdash.simulator.server import running
from drdash.simulator.simulation import Simulator
from tests.canaries import CANARIES
from tests.conftest import free_port, redis_binary
from tests.sizes import cases
from tests.tracking import command_lines, everything_in, found, overheard
from tests.webs import wait_until

ROOT = Path(__file__).resolve().parents[1]
REDIS_PASSWORD, PASSWORD = "canary-secret-of-redis", "canary-secret-of-root"
SETTINGS = ("DRDASH_", "REDIS_", "DATABASE_", "DJANGO_")
# What the cloud may do to a click; the token is in whatever it says.
TROUBLE: tuple[Kind, ...] = (
    "400",
    "401",
    "403",
    "404",
    "429",
    "500",
    "504",
    "reset",
    "html",
    "half_body",
    "redirect",
    "garbage",
)
GRANTS = {"client_credentials", "password", "authorization_code", "refresh_token", Grant.JWT_BEARER.value}
LINK = re.compile(r'(?:href|hx-get)="(/[^"#]*)"')
DEEPEST = cases(60, full=400)


class House:
    """``manage.py up`` with a Redis of its own that can be overheard, and what a browser got of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.redis_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.fetched: list[bytes] = []
        self.streamed: list[bytes] = []
        self.browser = requests.Session()
        self.browser.trust_env = False
        self.processes: list[subprocess.Popen[bytes]] = []
        kept = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
        self.environment = kept | {
            "DRDASH_DATA_DIR": str(folder),
            "DRDASH_LOG_LEVEL": "DEBUG",
            "DRDASH_POLL_SECONDS": "5",
            "REDIS_URL": f"redis://:{REDIS_PASSWORD}@127.0.0.1:{self.redis_port}/0",
        }

    def start_redis(self) -> redis.Redis:
        (self.folder / "logs").mkdir()
        settings = f"""port {self.redis_port}\nbind 127.0.0.1\nrequirepass {REDIS_PASSWORD}\ndir "{self.folder}"
            rdbcompression no\nlogfile "{self.folder}/logs/redis.log"\nloglevel debug\nsave ""\n"""
        process = subprocess.Popen([redis_binary(), "-"], stdin=subprocess.PIPE)
        assert process.stdin is not None
        process.stdin.write(settings.encode())
        process.stdin.close()
        self.processes.append(process)
        client = redis.Redis(port=self.redis_port, password=REDIS_PASSWORD)
        wait_until(lambda: answers(client), "Redis answers")
        return client

    def start(self) -> None:
        with (self.folder / "logs" / "output.log").open("wb") as output:
            up = [sys.executable, "manage.py", "up", "--port", str(self.port)]
            environment = self.environment
            self.processes.append(subprocess.Popen(up, cwd=ROOT, env=environment, stdout=output, stderr=output))
        wait_until(lambda: "drdash is up" in (self.folder / "logs" / "output.log").read_text(), "it is up", 180)

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
            process.wait(120)

    def command(self, *words: str, **environment: str) -> None:
        """A command of the house, as an administrator calls it; what it says is kept."""
        done = subprocess.run(
            [sys.executable, "manage.py", *words], cwd=ROOT, env=self.environment | environment, capture_output=True
        )
        self.fetched.append(done.stdout + done.stderr)
        assert done.returncode == 0, done.stderr

    def get(self, path: str) -> requests.Response:
        return self._kept(self.browser.get(urljoin(self.url, path), allow_redirects=False, timeout=60))

    def post(self, path: str, **fields: Any) -> requests.Response:
        """Send a form; where it leads is opened too."""
        fields["csrfmiddlewaretoken"] = self.browser.cookies["drdash_csrf"]
        answer = self._kept(self.browser.post(self.url + path, fields, allow_redirects=False, timeout=60))
        if answer.status_code == 302:
            self.get(answer.headers["Location"])
        return answer

    def act(self, uuid: str, **wish: Any) -> Any:
        """Start a test failover through the JSON API."""
        body = {"action": "start_failover_test", "idempotency_key": os.urandom(8).hex(), **wish}
        headers = {"X-CSRFToken": self.browser.cookies["drdash_csrf"]}
        path = f"{self.url}/api/v1/servers/{uuid}/actions/"
        return self._kept(self.browser.post(path, json=body, headers=headers, timeout=60)).json()

    def listen(self) -> None:
        """A browser's stream of events, for as long as the house stands."""
        topics = ",".join(f"{kind}-{shape}-*" for kind in ("server", "site", "action") for shape in ("row", "panel"))
        stream = self.browser.get(f"{self.url}/events/?topics={topics},health-*", stream=True, timeout=60)
        assert stream.status_code == 200

        def read() -> None:
            try:
                self.streamed.extend(stream.iter_content(None))
            except requests.RequestException:
                return  # the house was ended

        threading.Thread(target=read, daemon=True).start()

    def crawl(self) -> int:
        """Open every page that can be reached by links and what a page fetches by itself, as far as DEEPEST."""
        waiting = [
            "/",
            "/admin/",
            "/api/v1/servers/",
            "/api/v1/sites/",
            "/api/v1/actions/",
            "/readyz",
            "/api/v1/schema/",
        ]
        seen: set[str] = set()
        shapes: dict[str, int] = {}
        while waiting:
            path = unescape(waiting.pop(0))
            shape = re.sub(r"[0-9a-f-]{36}|\d+|\?.*", "*", path)
            if path in seen or len(seen) >= DEEPEST or shapes.get(shape, 0) >= 3 or "logout" in path:
                continue
            seen.add(path)
            shapes[shape] = shapes.get(shape, 0) + 1
            answer = self.get(path)
            assert answer.status_code < 500, path
            if "html" in answer.headers.get("Content-Type", ""):
                waiting += LINK.findall(answer.text)
        return len(seen)

    def _kept(self, answer: requests.Response) -> requests.Response:
        self.fetched.append(repr(dict(answer.headers)).encode() + answer.content)
        return answer


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.stop()


def test_no_secret_stays_anywhere(house: House) -> None:
    with ExitStack() as stack:
        lines = stack.enter_context(command_lines(os.getpid()))
        kept = house.start_redis()
        said = stack.enter_context(overheard(house.redis_port, REDIS_PASSWORD))
        house.start()
        clouds = [stack.enter_context(running("customer", seed=seed, clock=RunningClock())) for seed in range(4)]
        partner = stack.enter_context(running("partner", customers=3, clock=RunningClock()))
        sign_in(house)
        connect(house, clouds, partner)
        house.listen()  # not before: a change of rights ends a stream
        quoted(clouds, partner)
        renewed([*clouds, partner])
        assert grants([*clouds, partner]) == GRANTS
        suffer(house, clouds[0])
        pages = house.crawl()
        in_redis = everything_in(kept)
        kept.save()
        house.stop()
    keys = [path.read_text().strip() for path in (house.folder / "keys").iterdir()]
    secrets = [*CANARIES, *(key for line in keys for key in line.split(","))]
    for name, searched, sure in [
        ("command lines", "\n".join(lines).encode(), b"manage.py up"),
        ("pages", b"\n".join(house.fetched), b"Connected"),
        ("events", b"".join(house.streamed), b"event: server-row"),
        ("Redis", in_redis, b"server:"),
        ("what was said to Redis, Celery's messages among it", b"".join(said), b"drdash.poll"),
        *((str(path.relative_to(house.folder)), content, b"") for path, content in files(house.folder)),
    ]:
        assert sure in searched, name
        assert found(searched, secrets) == [], name
    assert pages >= 50
    assert len(keys) >= 2


def sign_in(house: House) -> None:
    house.command("createsuperuser", "--noinput", "--username=root", "--email=", DJANGO_SUPERUSER_PASSWORD=PASSWORD)
    house.get("/login/")
    assert house.post("/login/", username="root", password=f"{PASSWORD}-mistyped").status_code == 200
    assert house.post("/login/", username="root", password=PASSWORD).status_code == 302


def connect(house: House, clouds: list[Simulator], partner: Simulator) -> None:
    """Each grant once, and each once with a secret that is wrong; a credential for acting; one in place of another."""
    by_client, by_user, by_assertion, by_consent = clouds
    client = {"client_id": by_client.client_id, "client_secret": by_client.client_secret}
    words = [
        "--name=Client",
        f"--cloud={by_client.url}",
        "--grant=client_credentials",
        f"--client-id={client['client_id']}",
    ]
    house.command("connect", *words, DRDASH_CLIENT_SECRET=client["client_secret"])
    user = {"username": by_user.username, "password": by_user.password}
    for way, cloud, typed in [
        ("password", by_user, user),
        ("assertion", by_assertion, {"assertion": by_assertion.assertion()}),
        ("partner", partner, {"client_id": partner.partner_id, "client_secret": partner.partner_secret}),
    ]:
        path, named = f"/tenants/connect/?by={way}", {"name": way, "cloud": cloud.url}
        wrong = {
            name: value if name in {"client_id", "username"} else f"{value}-wrong" for name, value in typed.items()
        }
        assert house.post(path, **named, **wrong).status_code == 422
        answer = house.post(path, **named, **typed)
        assert answer.status_code == 302, answer.text
    assert house.post(answer.headers["Location"], do="watch", which="all").status_code == 302
    consent(house, by_consent)
    reader = {"client_id": by_client.reader_id, "client_secret": by_client.reader_secret}
    assert house.post("/credentials/1/replace/?by=client", **reader).status_code == 302
    assert house.post("/tenants/1/acting/?by=client", **client).status_code == 302


def consent(house: House, cloud: Simulator) -> None:
    """A person agrees at the cloud's own page, whose content is the cloud's and not ours."""
    named = {"name": "consent", "cloud": cloud.url, "client_id": cloud.client_id, "client_secret": cloud.client_secret}
    page = house.get(house.post("/tenants/connect/?by=sign-in", **named).headers["Location"]).text
    there = unescape(re.search(rf'href="({re.escape(cloud.url)}[^"]*)"', page)[1])  # type: ignore[index]
    agreed = {name: values[0] for name, values in parse_qs(urlsplit(there).query).items()} | {"decision": "allow"}
    back = requests.post(there.partition("?")[0], agreed, allow_redirects=False, timeout=60).headers["Location"]
    assert "code=simulated-token-code-" in back
    answer = house.get(back)
    assert answer.headers["Location"].startswith("/tenants/"), answer.text
    assert "Connected consent" in house.get(answer.headers["Location"]).text


def quoted(clouds: list[Simulator], partner: Simulator) -> None:
    """Each cloud was read; then it quotes the tokens that it gave in what a pass gets of it, each in another way."""
    ways: list[dict[str, Any]] = [
        {"kind": "answer", "status": 500},
        {"kind": "answer", "status": 400},
        {"kind": "answer", "status": 200},
        {"kind": "redirect"},
        {"kind": "answer", "status": 403},
    ]
    for cloud, way in zip([*clouds, partner], ways, strict=True):
        assert cloud.arrived(path="/servers", times=2, timeout=120)
        with cloud.lock:
            tokens = [*cloud.issuer._issued, *cloud.issuer._refreshing]
        said = " ".join(["Bearer", *tokens])
        error = {"code": tokens[0], "domain": said, "context": {"task_uuids": tokens}, "debug": {"msg": said}}
        cloud.fail(**way, method="GET", body=json.dumps({"error": error}), location=f"/?token={tokens[0]}")


def renewed(clouds: list[Simulator]) -> None:
    """Every access token is over, so that a refresh token, a secret or a partner's token gets the next one."""
    wait_until(lambda: all(any(one.fault for one in cloud.requests) for cloud in clouds), "each has quoted", 120)
    before = {cloud.url: len(cloud.requests) for cloud in clouds}
    for cloud in clouds:
        with cloud.lock:
            cloud.issuer._issued.clear()
    wait_until(
        lambda: all(any("/idp/token" in one.path for one in cloud.requests[before[cloud.url] :]) for cloud in clouds),
        "each was asked for a token",
        120,
    )


def grants(clouds: list[Simulator]) -> set[str]:
    """How tokens were asked for."""
    asked = [parse_qs(one.body) for cloud in clouds for one in cloud.requests if one.path.endswith("/idp/token")]
    return {form["grant_type"][0] for form in asked}


def suffer(house: House, cloud: Simulator) -> None:
    """Clicks, and whatever may become of them."""
    with cloud.lock:
        uuids = [one.uuid for one in cloud.world.servers.values() if one.is_recovery and one.status == "STAND_BY"]
    outcomes = [house.act(uuids[0])]
    for uuid, kind in zip(uuids[1:], TROUBLE, strict=False):
        cloud.fail(kind, method="POST", path=uuid)
        outcomes.append(house.act(uuid, acknowledge=["ReadinessWarning"]))
    assert {one.get("state") for one in outcomes} >= {"accepted", "refused", "unknown"}


def files(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Whatever drdash wrote, but for its keys: logs, the database as it is on the disk and as SQL, Redis's dump."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.parent.name not in {"keys", "static"}:
            yield path, path.read_bytes()
    for path in folder.glob("*.sqlite3"):
        with closing(sqlite3.connect(path)) as database:
            yield path.with_suffix(".sql"), "\n".join(database.iterdump()).encode()
