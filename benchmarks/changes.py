"""500 changes a minute on an open list of 1,000 servers: what the browser does with them.

    python -m benchmarks.changes [--minutes 10] [--servers 1000] [--changes 500] [--width 1280]

A demo of a customer of that size, and Chromium before a list of its servers, signed in as admin. Told are the
tasks of more than 50 ms that hold the page up, how far things moved by themselves (layout shift), and the heap after a
collection of garbage, at the start and at the end.
"""

import argparse
import itertools
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import CDPSession, Page, sync_playwright

from tests.e2e.conftest import ARGUMENTS, CHROMIUM, House
from tests.e2e.watching import seen, watch

LONGEST_MS = 200


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--servers", type=int, default=1000)
    parser.add_argument("--changes", type=int, default=500, help="a minute")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--path", default="/servers/", help="the list, with its filters and columns")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="drdash-benchmark-") as folder, sync_playwright() as playwright:
        house = House(Path(folder), f"--scenario quiet --servers {given.servers} --sites 10")
        try:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            page = browser.new_page(viewport={"width": given.width, "height": 900})
            page.set_default_timeout(120_000)
            sign_in(page, house.url, given.path)
            return measure(page, house, given.minutes, given.changes)
        finally:
            house.stop()


def sign_in(page: Page, root: str, path: str) -> None:
    """As the admin, to a list."""
    page.goto(f"{root}/login/?{urlencode({'next': path})}")
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill("admin")
    page.keyboard.press("Enter")
    page.wait_for_url(root + path, wait_until="commit")
    page.locator("tr.row").first.wait_for()


def keys_of(page: Page, root: str) -> list[str]:
    """Every recovery server, as the JSON API lists them."""
    found: list[str] = []
    for offset in itertools.count(0, 200):
        answer = page.context.request.get(f"{root}/api/v1/servers/?type=RECOVERY&limit=200&offset={offset}").json()
        found += [one["uuid"] for one in answer["results"]]
        if not answer["next"]:
            break
    return found


def change(house: House, key: str, number: int) -> None:
    """One of those that the rows show: an address, a status with its buttons, an issue with its reason, or its end."""
    orders: list[dict[str, Any]] = [
        {"set": {"public_ip": f"203.0.113.{number % 250 + 1}"}},
        {"status": "FAILOVER_TEST" if number % 8 < 4 else "STAND_BY"},
        {"issues": [["CloudConnectionIssue", "ERROR", None]]},
        {"issues": []},
    ]
    house.cloud("world", server=key, **orders[number % 4])


def measure(page: Page, house: House, minutes: float, changes: int) -> int:
    keys, chance = keys_of(page, house.url), random.Random(1)
    shown = page.locator("tr.row").count()
    print(f"{len(keys)} servers, {shown} rows on the page, load {os.getloadavg()[0]:.1f}", flush=True)
    devtools = page.context.new_cdp_session(page)
    for number in range(20):  # what is made once has been made
        change(house, keys[number], 0)
    page.wait_for_timeout(15_000)
    watch(page)
    first = heap(devtools)
    began = time.monotonic()
    for number in range(round(minutes * changes)):
        change(house, chance.choice(keys), number)
        ahead = began + number * 60 / changes - time.monotonic()
        if ahead > 0:
            page.wait_for_timeout(ahead * 1000)
        if number % (5 * changes) == 0:
            print(f"{number / changes:4.0f} min: heap {heap(devtools) / 1e6:.2f} MB", flush=True)
    took = time.monotonic() - began
    page.wait_for_timeout(15_000)
    what, last = seen(page), heap(devtools)
    print(f"{round(minutes * changes)} changes in {took / 60:.1f} min, load {os.getloadavg()[0]:.1f}")
    tasks = sorted(what.tasks, reverse=True)
    print(f"{what.rows} rows drawn anew; {len(tasks)} tasks of more than 50 ms, the longest {tasks[:5]} ms")
    print(f"layout shift {what.shift:.4f}; heap {first / 1e6:.2f} MB at the start, {last / 1e6:.2f} MB at the end")
    return int(any(one > LONGEST_MS for one in tasks) or last > 1.1 * first)


def heap(devtools: CDPSession) -> float:
    """What is still in use once all garbage is collected."""
    devtools.send("HeapProfiler.collectGarbage")
    return float(devtools.send("Runtime.getHeapUsage")["usedSize"])


if __name__ == "__main__":
    sys.exit(main())
