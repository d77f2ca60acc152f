"""Pictures of every kind of page, light and dark, on a desk and on a phone: `python -m tests.e2e.gallery`.

A demo with a fixed customer, to whom happens what is ordered here and nothing else; its clock is today's. What is
written: docs/gallery/, its index docs/gallery.md, and docs/overview.png for the readme. It fails where a kind of
page is in no picture, or where the pictures are too much to carry along.
"""

import base64
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, expect, sync_playwright

import tests.conftest  # noqa: F401  the environment that the project's own modules are imported with
from drdash.simulator.server import running
from tests.e2e.conftest import ARGUMENTS, CHROMIUM, ROOT, House
from tests.e2e.everywhere import partner, preflight, servers, show, standing_by, start_test, two_persons, unseen

Scheme = Literal["light", "dark"]
# What brings a page there.
Scene = Callable[[Page], None]

OUT = ROOT / "docs" / "gallery"
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
# The window, the tallest picture, and WebP's quality.
SIZES = {"desktop": (1280, 900, 1100), "phone": (390, 844, 1200)}
QUALITY = 22
MOST = 6_000_000  # bytes, all together
DIALOG = "dialog-"
LANGUAGES = {"de-DE": "in German", "ja-JP": "in Japanese"}
WHY = "The building is to be rewired tonight."


class Gallery:
    """What is taken of a demo: each scene in both schemes and sizes, or fewer."""

    def __init__(self, browser: Browser, house: House) -> None:
        self.browser, self.house = browser, house
        self.names: dict[str, list[str]] = {}
        self.seen: dict[str, str] = {}

    def at(self, path: str) -> Scene:
        """A page."""
        return lambda page: void(page.goto(self.house.url + path))

    def over(self, path: str) -> Scene:
        """A dialog, over its server's page."""

        def scene(page: Page) -> None:
            page.goto(self.house.url + path.partition("actions/")[0])
            show(page, path)

        return scene

    def take(self, scenes: dict[str, Scene], *, who: str = "admin", locale: str = "en-GB") -> None:
        for scheme in SCHEMES:
            for size in SIZES:
                page = self.page(scheme, size, who=who, locale=locale)
                for name, scene in scenes.items():
                    file = f"{name}-{size}-{scheme}.webp"
                    self.names.setdefault(name, []).append(file)
                    picture(page, scene, OUT / file, size, dialog=name.startswith(DIALOG))
                    path = page.url.removeprefix(self.house.url)
                    self.seen[path] = path
                page.context.close()

    def page(self, scheme: Scheme = "light", size: str = "desktop", *, who: str, locale: str = "en-GB") -> Page:
        """A page of someone who is signed in, or, of ``nobody``, of no one."""
        width, height, _ = SIZES[size]
        context = self.browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, locale=locale, timezone_id="Europe/Zurich"
        )
        context.set_default_timeout(120_000)  # a picture may take its time
        page = context.new_page()
        if who != "nobody":
            page.goto(f"{self.house.url}/login/")
            page.locator("[name=username]").fill(who)
            page.locator("[name=password]").fill(who)
            page.keyboard.press("Enter")
            page.wait_for_url(f"{self.house.url}/")
        return page


def void(_: object) -> None:
    """Nothing is made of it."""


def main() -> int:
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="drdash-gallery-") as folder, sync_playwright() as playwright:
        house = House(Path(folder), "--scenario quiet --seed 7")
        try:
            gallery = Gallery(playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS), house)
            gallery.take({"login": gallery.at("/login/")}, who="nobody")
            page = gallery.page(who="admin")
            gallery.take(daily(gallery, page))
            page.goto(f"{house.url}/")
            page.wait_for_timeout(500)
            page.screenshot(path=ROOT / "docs" / "overview.png")
            known = servers(page, house.url)[0]["uuid"]
            for locale, words in LANGUAGES.items():
                scenes = {"overview": gallery.at("/"), "server": gallery.at(f"/servers/{known}/")}
                gallery.take({f"{name} {words}".replace(" ", "-"): one for name, one in scenes.items()}, locale=locale)
            with house.dead("worker", "beat"):
                page.wait_for_timeout(15_000)
                gallery.take({"overview-stale": gallery.at("/")})
            page.wait_for_timeout(6000)
            page = gallery.page(who="admin")  # who they are is asked for again, after five minutes
            with running("partner", customers=9) as cloud:
                gallery.take({"customers": gallery.at(partner(page, house.url, cloud))})
                page.get_by_label("All of them").check()
                page.get_by_role("button", name="Watch them").click()
                page.wait_for_url("**/credentials/*/")
                page.wait_for_timeout(9000)  # two polls
                gallery.take({"overview-of-a-fleet": gallery.at("/")})
            gallery.take(jointly(gallery, gallery.page(who="admin")))
            house.cloud("faults", match={"path": "/"}, fault="429", retry_after=300, times=None)
            page.wait_for_timeout(8000)
            gallery.take({"overview-failing": gallery.at("/")})
        finally:
            house.stop()
    (ROOT / "docs" / "gallery.md").write_text("\n".join(index(gallery.names)) + "\n")
    whole, missing = sum(one.stat().st_size for one in OUT.iterdir()), unseen(gallery.seen)
    print(f"{len(list(OUT.iterdir()))} pictures, {whole / 1e6:.1f} MB")
    print(*(f"In no picture: {one}" for one in sorted(missing)), sep="\n")
    return int(whole > MOST or bool(missing))


def daily(gallery: Gallery, page: Page) -> dict[str, Scene]:
    """Let things happen: the scenes that come of it."""
    house, at, over = gallery.house, gallery.at, gallery.over
    tested, lost, fails, late, *more = standing_by(page, house.url)
    start_test(page, house.url, tested)
    house.cloud("faults", match={"path": f"/{lost}:"}, fault="reset")
    unknown = start_test(page, house.url, lost)["id"]
    house.cloud("faults", "DELETE")
    house.cloud("world", server=fails, issues=["CloudConnectionIssue"])
    house.cloud("world", server=late, run="automated_test")
    known = {one["uuid"].lower(): one for one in servers(page, house.url)}
    production = next(key for key, one in known.items() if one["status"] == "FAILOVER_PROD")
    testing = next(key for key, one in known.items() if one["status"] == "FAILOVER_TEST")
    glass = next(key for key, one in known.items() if one["actions"]["start_failover_prod"]["break_glass"])
    site = page.context.request.get(f"{house.url}/api/v1/sites/").json()["results"][0]["uuid"]
    preflight(page, more[1:4])
    page.locator("#confirm button.go").click()
    page.wait_for_url("**/batches/*/")
    batch = page.url.removeprefix(house.url)
    page.wait_for_timeout(6000)  # a poll, so that what was done is seen
    start, credential = f"/servers/{more[0]}/actions/start_failover", "/credentials/1/"
    return {
        "overview": at("/"),
        "servers": at("/servers/"),
        "servers-filtered": at("/servers/?type=RECOVERY&blocked=true"),
        "server": at(f"/servers/{testing}/"),
        "server-production": at(f"/servers/{production}/"),
        "server-blocked": at(f"/servers/{fails}/"),
        "server-history": at(f"/servers/{lost}/history/"),
        "server-tasks": at(f"/servers/{tested}/tasks/"),
        "server-recovery-points": at(f"/servers/{tested}/recovery-points/"),
        "server-note": at(f"/servers/{testing}/note/"),
        "server-tell": at(f"/servers/{fails}/tell/start_failover_test/"),
        "server-screenshot": at(f"/servers/{production}/screenshot/"),
        f"{DIALOG}start-test": over(f"{start}_test/"),
        f"{DIALOG}start-production": over(f"{start}_prod/"),
        f"{DIALOG}stop-test": over(f"/servers/{testing}/actions/stop_failover/"),
        f"{DIALOG}stop-production": over(f"/servers/{production}/actions/stop_failover/"),
        f"{DIALOG}blocked": over(f"/servers/{fails}/actions/start_failover_test/"),
        f"{DIALOG}break-glass": over(f"/servers/{glass}/actions/start_failover_prod/?glass=1"),
        "page-of-a-dialog": at(f"{start}_prod/"),
        "batch-preflight": lambda page: preflight(page, more[4:7]),
        "batch": at(batch),
        "batches": at("/batches/"),
        "sites": at("/sites/"),
        "site": at(f"/sites/{site}/"),
        "actions": at("/actions/"),
        "action-unknown": at(f"/actions/{unknown}/"),
        "action-task": at(f"/actions/{unknown - 1}/task/"),
        "audit": at("/audit/"),
        "tenants": at("/tenants/"),
        "tenant": at("/tenants/1/"),
        "tenant-take-off": at("/tenants/1/take-off/"),
        "tenant-acting": at("/tenants/1/acting/"),
        "connect": at("/tenants/connect/"),
        "connect-by-a-client": at("/tenants/connect/?by=client"),
        "credential": at(credential),
        "credential-replace": at(f"{credential}replace/"),
        "account": at("/password/"),
        "account-again": at("/password/again/"),
        "keys": at("/keys/"),
        "nothing-there": at("/nowhere/"),
    }


def jointly(gallery: Gallery, page: Page) -> dict[str, Scene]:
    """What two admins do together, in a tenant that asks for two."""
    root = gallery.house.url
    key, *more = standing_by(page, root)
    second = gallery.page(who="operator")
    asked = two_persons(page, second, root, key)
    preflight(second, more[:2], "Start production…")
    confirm = second.locator("#confirm")
    confirm.locator("[name=why]").fill(WHY)
    confirm.locator("[name=count]").fill("2")
    confirm.locator("[name=password]").fill("operator")
    for nod in confirm.locator("[name=acknowledge]").all():
        nod.check()
    confirm.locator("button.go").click()
    second.wait_for_url("**/batches/*/")
    return {
        "approvals": gallery.at("/approvals/"),
        "approval": gallery.at(asked),
        "approval-of-a-batch": gallery.at(f"{second.url.removeprefix(root)}approval/"),
        f"{DIALOG}two-persons": gallery.over(f"/servers/{more[2]}/actions/start_failover_prod/"),
    }


def picture(page: Page, scene: Scene, to: Path, size: str, *, dialog: bool) -> None:
    """One picture, as tall as the page is, within bounds."""
    width, height, tallest = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    scene(page)
    if not dialog:
        whole = int(page.evaluate("document.documentElement.scrollHeight"))
        page.set_viewport_size({"width": width, "height": min(max(whole, height), tallest)})
    expect(page.locator("#stream-lost:visible")).to_have_count(0)
    page.wait_for_timeout(600)  # what a page fetches for itself, and what is drawn by degrees
    devtools = page.context.new_cdp_session(page)
    shot = devtools.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    to.write_bytes(base64.b64decode(shot["data"]))
    devtools.detach()


def index(names: dict[str, list[str]]) -> Iterator[str]:
    """docs/gallery.md, line by line."""
    yield "# Gallery"
    yield ""
    yield "Every kind of page in the demo, light and dark, on a desk and on a phone. `make gallery` takes them anew."
    for name, files in names.items():
        yield f"\n## {name[:1].upper()}{name[1:].replace('-', ' ')}\n"
        yield "| | light | dark |\n|---|---|---|"
        for size, wide in (("desktop", 480), ("phone", 200)):
            pictures = [
                f'<a href="gallery/{one}"><img src="gallery/{one}" width="{wide}" alt="{name} on a {size}"></a>'
                for one in files
                if f"-{size}-" in one
            ]
            yield f"| {size} | {' | '.join(pictures)} |"


if __name__ == "__main__":
    sys.exit(main())
