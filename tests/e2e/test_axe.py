"""axe-core finds nothing against WCAG 2.2 AA, nor against its own best practices: on no page, in no dialog."""

import re
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

from drdash.simulator.server import running
from tests.e2e.conftest import House, Person, SignIn
from tests.e2e.everywhere import (
    addresses,
    dialogs,
    partner,
    preflight,
    show,
    standing_by,
    start_test,
    two_persons,
    unseen,
)
from tests.sizes import TORTURE, tell

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]
SCHEMES: list[Literal["light", "dark"]] = ["light", "dark"] if TORTURE else ["dark"]
WIDTHS = (1280, 360) if TORTURE else (1280,)
# What takes another cloud or another admin, and what is there once something went wrong: that under torture alone.
ELSEWHERE = {"approval", "batch-approval", "customers"}
LATER = ELSEWHERE if TORTURE else ELSEWHERE | {"batch", "server_tasks"}
# A row out of sight is not laid out: how far apart its links and buttons are is known once it is.
LAY_OUT = "document.querySelectorAll('.row').forEach((row) => (row.style.contentVisibility = 'visible'))"
FIND = """async ([rules, within]) => {
    const found = await axe.run(within, { runOnly: rules, resultTypes: ["violations"], preload: false });
    return found.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html.slice(0, 200)).join(" | ")}`);
}"""


def violations(page: Page, within: str = "html") -> list[str]:
    """What axe finds in a part of a page, in words."""
    page.evaluate(LAY_OUT)
    page.evaluate(AXE_SCRIPT)
    found: list[str] = page.evaluate(FIND, [RULES, within])
    return found


@pytest.fixture(scope="module")
def _house(_house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The demo that all share; under torture one of its own, which is left in a state that others could not use."""
    if not TORTURE:
        yield _house
        return
    own = House(tmp_path_factory.mktemp("axe"), DRDASH_DEBUG="1")
    yield own
    own.stop()


@pytest.fixture
def admin(person: SignIn) -> Person:
    """Someone who may see everything."""
    return person("admin")


def done(admin: Person) -> list[str]:
    """Do something in the demo: the pages of the actions that came of it."""
    page = admin.open("/servers/")
    keys = standing_by(page, admin.house.url)
    made = [start_test(page, admin.house.url, keys[0])]
    if TORTURE:
        made.append(furnish(admin, keys[1:]))
    return [f"/actions/{one['id']}/" for one in made]


def furnish(admin: Person, keys: list[str]) -> dict[str, Any]:
    """An action of which nobody knows, and a batch."""
    page, house = admin.page, admin.house
    house.cloud("faults", match={"path": f"/{keys[0]}:"}, fault="reset")
    lost = start_test(page, house.url, keys[0])
    assert lost["state"] == "unknown"
    house.cloud("faults", "DELETE")
    preflight(page, keys[1:3])
    page.locator("#confirm button.go").click()
    page.wait_for_url(re.compile(r"/batches/\d+/$"))
    return lost


def elsewhere(admin: Person, second: Person) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """The pages that take a partner's cloud; those that take two admins of a tenant that asks for two persons, with
    the dialog; and the style guide."""
    root = admin.house.url
    key, *more = standing_by(admin.open("/servers/"), root)
    with running("partner", customers=3) as cloud:
        yield {"customers": partner(admin.page, root, cloud), "styleguide": "/styleguide/"}, {}
    pages = {"approval": two_persons(admin.page, second.page, root, key), "approvals": "/approvals/"}
    preflight(second.page, more[:2], "Start production…")
    asked = second.page
    asked.locator("#confirm [name=why]").fill("The building is to be rewired tonight.")
    asked.locator("#confirm [name=count]").fill("2")
    asked.locator("#confirm [name=password]").fill("operator")
    for nod in asked.locator("#confirm [name=acknowledge]").all():
        nod.check()
    asked.locator("#confirm button.go").click()
    asked.wait_for_url(re.compile(r"/batches/\d+/$"))
    pages["batch-approval"] = asked.url.removeprefix(root) + "approval/"
    yield pages, {"two persons": f"/servers/{more[2]}/actions/start_failover_prod/"}


def look_at(admin: Person, pages: dict[str, str], over: dict[str, str]) -> Iterator[tuple[str, list[str]]]:
    """What axe finds on pages and in dialogs over the last of them, in each scheme and at each width."""
    page = admin.page
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            for name, path in pages.items():
                admin.open(path)
                # The style guide shows each thing more than once.
                twice = "landmark-unique" if name == "styleguide" else "-"
                wrong = [one for one in violations(page) if not one.startswith(twice)]
                yield f"{name}, {scheme}, {width}: {path}", wrong
            for name, path in over.items():
                show(page, path)
                yield f"{name}, {scheme}, {width}: {path}", violations(page, "#dialog")


def test_axe_finds_nothing_on_any_page_nor_in_any_dialog(admin: Person, person: SignIn) -> None:
    page, root = admin.page, admin.house.url
    pages, over = addresses(page, root, *done(admin)), dialogs(page, root)
    assert unseen(pages) - LATER == set()
    if not TORTURE:
        pages = {name.split()[0]: path for name, path in pages.items()} | {"servers": "/servers/?q=web"}
        over = {name: path for name, path in over.items() if name.endswith(("free", "glass", "a test"))}
    wrong: dict[str, list[str]] = {}
    with page.context.browser.new_context() as nobody:  # type: ignore[union-attr]
        door = nobody.new_page()
        door.goto(f"{root}/login/")
        wrong["login"] = violations(door)
    wrong |= look_at(admin, pages, over)
    if TORTURE:
        keeper, second = person("admin", anew=True), person("operator", anew=True)
        for some, asking in elsewhere(keeper, second):
            wrong |= look_at(keeper, some, asking)
    tell(f"{len(wrong)} pages and dialogs, {len(pages)} and {len(over)} kinds")
    assert {name: what for name, what in wrong.items() if what} == {}
