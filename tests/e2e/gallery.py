"""Pictures of every kind of page, light and dark, on a desk and on a phone: `python -m tests.e2e.gallery`.

A demo with a fixed customer, to whom happens what is ordered here and nothing else; its clock is today's. What is
written: docs/gallery/, its index docs/gallery.md, and docs/overview.png for the readme.
"""

import base64
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, expect, sync_playwright

import tests.conftest  # noqa: F401  the environment that the project's own modules are imported with
from tests.e2e.conftest import ARGUMENTS, CHROMIUM, ROOT, House
from tests.e2e.everywhere import servers, show, standing_by, start_test

OUT = ROOT / "docs" / "gallery"
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
# The window, the tallest picture, and WebP's quality.
SIZES = {"desktop": (1280, 900, 1200), "phone": (390, 844, 1400)}
QUALITY = 45
MOST = 4_000_000  # bytes, all together
DIALOG = "dialog-"


def main() -> int:
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="drdash-gallery-") as folder, sync_playwright() as playwright:
        house = House(Path(folder), "--scenario quiet --seed 7")
        try:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            scenes = staged(page_of(browser, house, "light", "desktop"), house)
            for scheme in SCHEMES:
                for size in SIZES:
                    page = page_of(browser, house, scheme, size)
                    for name, path in scenes.items():
                        take(page, house, path, OUT / f"{name}-{size}-{scheme}.webp", size, dialog=DIALOG in name)
                    page.context.close()
            page = page_of(browser, house, "light", "desktop")
            page.goto(f"{house.url}/")
            page.wait_for_timeout(500)
            page.screenshot(path=ROOT / "docs" / "overview.png")
        finally:
            house.stop()
    (ROOT / "docs" / "gallery.md").write_text("\n".join(index(scenes)) + "\n")
    whole = sum(one.stat().st_size for one in OUT.iterdir())
    print(f"{len(list(OUT.iterdir()))} pictures, {whole / 1e6:.1f} MB")
    return int(whole > MOST)


def page_of(browser: Browser, house: House, scheme: Literal["light", "dark"], size: str) -> Page:
    """A page of the admin, signed in."""
    width, height, _ = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, locale="en-GB", timezone_id="Europe/Zurich"
    )
    page = context.new_page()
    page.goto(f"{house.url}/login/")
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill("admin")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{house.url}/")
    return page


def staged(page: Page, house: House) -> dict[str, str]:
    """Let things happen: the address of each scene, by name. A dialog is shown over its server's page."""
    keys = standing_by(page, house.url)
    tested, lost, fails, late, *more = keys
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
    page.goto(f"{house.url}/actions/")
    page.wait_for_timeout(6000)  # a poll, so that what was done is seen
    return {
        "overview": "/",
        "servers": "/servers/",
        "servers-filtered": "/servers/?type=RECOVERY&blocked=true",
        "server": f"/servers/{testing}/",
        "server-production": f"/servers/{production}/",
        "server-blocked": f"/servers/{fails}/",
        f"{DIALOG}start-test": f"/servers/{more[0]}/actions/start_failover_test/",
        f"{DIALOG}start-production": f"/servers/{more[0]}/actions/start_failover_prod/",
        f"{DIALOG}stop-production": f"/servers/{production}/actions/stop_failover/",
        f"{DIALOG}blocked": f"/servers/{fails}/actions/start_failover_test/",
        f"{DIALOG}break-glass": f"/servers/{glass}/actions/start_failover_prod/?glass=1",
        "sites": "/sites/",
        "site": f"/sites/{site}/",
        "actions": "/actions/",
        "action-unknown": f"/actions/{unknown}/",
        "audit": "/audit/",
        "tenants": "/tenants/",
        "tenant": "/tenants/1/",
        "connect": "/tenants/connect/",
        "account": "/password/",
    }


def take(page: Page, house: House, path: str, to: Path, size: str, *, dialog: bool) -> None:
    """One picture, as tall as the page is, within bounds."""
    width, height, tallest = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    page.goto(house.url + (path.partition("actions/")[0] if dialog else path))
    if dialog:
        show(page, path)
    else:
        whole = int(page.evaluate("document.documentElement.scrollHeight"))
        page.set_viewport_size({"width": width, "height": min(max(whole, height), tallest)})
    expect(page.locator("#stream-lost")).to_be_hidden()
    page.wait_for_timeout(600)  # what a page fetches for itself, and what is drawn by degrees
    devtools = page.context.new_cdp_session(page)
    shot = devtools.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    to.write_bytes(base64.b64decode(shot["data"]))
    devtools.detach()


def index(scenes: dict[str, str]) -> Iterator[str]:
    """docs/gallery.md, line by line."""
    yield "# Gallery"
    yield ""
    yield "Every kind of page in the demo, light and dark, on a desk and on a phone. `make gallery` takes them anew."
    for name in scenes:
        yield f"\n## {name.replace('-', ' ').capitalize()}\n"
        yield "| | light | dark |\n|---|---|---|"
        for size, wide in (("desktop", 480), ("phone", 200)):
            names = [f"gallery/{name}-{size}-{scheme}.webp" for scheme in SCHEMES]
            pictures = [
                f'<a href="{one}"><img src="{one}" width="{wide}" alt="{name} on a {size}"></a>' for one in names
            ]
            yield f"| {size} | {' | '.join(pictures)} |"


if __name__ == "__main__":
    sys.exit(main())
