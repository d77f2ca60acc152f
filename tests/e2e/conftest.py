"""The demo as people run it, and Chromium in front of it. Skipped where there is no Chromium."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Frame,
    Page,
    Response,
    expect,
    sync_playwright,
)

from tests.conftest import free_port

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
POLL_SECONDS = 5
# What is waited for comes by itself: on a machine with much else to do, later.
expect.set_options(timeout=20_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.chromium)
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="no chromium on this machine"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What failed says what was on the open pages."""
    report = yield
    if report.failed and (browser := getattr(item, "funcargs", {}).get("chromium")):
        for page in [page for context in browser.contexts for page in context.pages]:
            with suppress(Error):
                report.sections.append((f"On {page.url}", page.locator("body").inner_text(timeout=2_000)))
    return report


class House:
    """A running demo: its address, its simulated cloud (run with those options), its processes."""

    def __init__(self, folder: Path, simulator: str = "", **settings: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._folder = folder
        self._output = folder / "output"
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("DRDASH_", "REDIS_", "DATABASE_"))
        }
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "demo", "--port", str(port), f"--simulator={simulator}"],
                cwd=ROOT,
                env=kept
                | {"DRDASH_DATA_DIR": str(folder), "DRDASH_POLL_SECONDS": str(POLL_SECONDS)}
                | {"DRDASH_LOG_LEVEL": "DEBUG"}
                | settings,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        until = time.monotonic() + 180
        while "Ctrl-C ends it." not in self._output.read_text():
            assert self.process.poll() is None, self._output.read_text()
            assert time.monotonic() < until, self._output.read_text()
            time.sleep(0.1)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)

    def cloud(self, name: str, method: str = "POST", **order: Any) -> Any:
        """Give the simulator's control endpoint an order."""
        port = (self._folder / "demo" / "simulator.port").read_text()
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/_control/{name}",
            data=json.dumps(order).encode() if method == "POST" else None,
            headers={"Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def posts(self, uuid: str) -> list[str]:
        """The actions on a server that arrived at the cloud."""
        requests = self.cloud("requests", "GET")["requests"]
        return [one["path"] for one in requests if one["method"] == "POST" and uuid in one["path"]]

    def logs(self) -> list[Path]:
        """The logs of its processes."""
        return sorted((self._folder / "demo" / "logs").glob("*.log"))

    def keys(self) -> list[str]:
        """Its keys and passwords."""
        return [path.read_text().strip() for path in (self._folder / "demo" / "keys").iterdir()]

    def output(self) -> str:
        """What it said on the terminal."""
        return self._output.read_text()

    def command_lines(self) -> str:
        """How its processes were called, a line each."""
        return "\n".join(command for _, command in self._processes())

    @contextmanager
    def dead(self, *programs: str) -> Iterator[None]:
        """Stop programs in the middle of what they do: to everyone else they are dead, and no supervisor notices."""
        found = [pid for pid, command in self._processes() if re.search(rf"(^|[ /.])({'|'.join(programs)})\b", command)]
        assert len(found) >= len(programs), programs
        for pid in found:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in found:
                os.kill(pid, signal.SIGCONT)

    def _processes(self) -> list[tuple[int, str]]:
        """The supervisor's children."""
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        children = [int(pid) for task in tasks for pid in (task / "children").read_text().split()]
        return [(pid, Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()) for pid in children]


@pytest.fixture(scope="package")
def _house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    # Nothing happens in its cloud by itself: a server that a test found free is free until the test takes it.
    house = House(tmp_path_factory.mktemp("house"), "--scenario quiet")
    yield house
    house.stop()


@dataclass
class Person:
    """Someone signed in, in front of one page."""

    page: Page
    house: House
    complaints: list[str]
    arrivals: list[str]

    def open(self, path: str) -> Page:
        """Go to a page and mark it, so that `stayed` can tell a reload."""
        self.page.goto(self.house.url + path)
        self.page.evaluate("window.marked = true")
        self.arrivals.clear()
        return self.page

    def stayed(self) -> bool:
        """Whether the page is the one that was opened: neither reloaded nor left."""
        return self.page.evaluate("window.marked === true") and not self.arrivals


SignIn = Callable[..., Person]


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    # Ended with the package: while it lives, Django takes the test process for an asynchronous one.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def _sessions() -> dict[tuple[str, str], Any]:
    """The cookies of those who signed in, by house and name."""
    return {}


@pytest.fixture(scope="module")
def signed_in(chromium: Browser, _house: House, _sessions: dict[tuple[str, str], Any]) -> Callable[..., Any]:
    """The cookies of a person of the demo, who signed in with the form: once, or ``anew`` with a session that nobody
    else has."""

    def sign_in(name: str, *, anew: bool = False) -> Any:
        known = None if anew else _sessions.get((_house.url, name))
        if known is None:
            with chromium.new_context() as context:
                page = context.new_page()
                page.goto(f"{_house.url}/servers/")
                page.get_by_label("Name").fill(name)
                page.get_by_label("Password").fill(name)
                page.get_by_role("button", name="Sign in").click()
                page.wait_for_url("**/servers/")
                known = context.storage_state()
        if not anew:
            _sessions[_house.url, name] = known
        return known

    return sign_in


@pytest.fixture
def person(chromium: Browser, _house: House, signed_in: Callable[..., Any]) -> Iterator[SignIn]:
    """`person("operator")`: signed in, `anew` with a session of their own; who has no name has yet to sign in. Who is
    not `scripted` has a browser without scripts.

    Whatever the browser complains of fails the test, unless it is `troubled`. Nothing turns before them unless it is
    `moving`: without a graphics card each frame of it is drawn by the processor, which the rest of the suite needs.
    """
    contexts: list[BrowserContext] = []
    people: list[tuple[Person, bool]] = []

    def sit_down(
        name: str = "",
        *,
        width: int = 1280,
        anew: bool = False,
        troubled: bool = False,
        moving: bool = False,
        scripted: bool = True,
    ) -> Person:
        context = chromium.new_context(
            storage_state=signed_in(name, anew=anew) if name else None,
            java_script_enabled=scripted,
            viewport={"width": width, "height": 900},
            reduced_motion="no-preference" if moving else "reduce",
        )
        contexts.append(context)
        context.set_default_timeout(30_000)
        page = context.new_page()
        someone = Person(page, _house, [], [])

        def console(message: ConsoleMessage) -> None:
            # Chromium itself remarks on each 4xx: a dialog that is refused is no fault of the page.
            if message.type in {"error", "warning"} and "responded with a status of 4" not in message.text:
                someone.complaints.append(message.text)

        def response(answer: Response) -> None:
            if answer.status >= 500:
                someone.complaints.append(f"{answer.status} {answer.url}")

        def arrived(frame: Frame) -> None:
            if frame == page.main_frame:
                someone.arrivals.append(frame.url)

        page.on("console", console)
        page.on("pageerror", lambda error: someone.complaints.append(str(error)))
        page.on("response", response)
        page.on("framenavigated", arrived)
        people.append((someone, troubled))
        return someone

    yield sit_down
    for context in contexts:
        context.close()
    for someone, troubled in people:
        assert troubled or someone.complaints == []


@pytest.fixture
def house(_house: House) -> House:
    return _house
