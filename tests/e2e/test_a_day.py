"""An operator's day: something breaks, is seen, understood, tested, failed over, stopped and looked up. No page is
reloaded, by whatever hand and however wide it is.
"""

import re
from typing import Protocol

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import House, Person, SignIn
from tests.e2e.everywhere import servers
from tests.e2e.test_people import SOON
from tests.sizes import TORTURE
from tests.webs import wait_until

# What a reader of the screen is told, from now on.
LISTEN = """() => {
    window.spoken = [];
    const told = document.querySelector("#said");
    new MutationObserver(() => spoken.push(told.textContent)).observe(told, { childList: true });
}"""
FAR = 250  # more keystrokes than that nobody makes on the way to a button


class Hand(Protocol):
    def press(self, what: Locator) -> None:
        """A link or a button."""

    def choose(self, what: Locator) -> None:
        """A tick or a radio button."""

    def write(self, what: Locator, text: str) -> None: ...


class Mouse:
    def press(self, what: Locator) -> None:
        what.click()

    def choose(self, what: Locator) -> None:
        what.check()

    def write(self, what: Locator, text: str) -> None:
        what.click()
        what.page.keyboard.type(text)


class Keyboard:
    """Tab until it has the focus, and nothing but keys."""

    def press(self, what: Locator) -> None:
        self._reach(what)
        what.page.keyboard.press("Enter")

    def choose(self, what: Locator) -> None:
        name = str(what.get_attribute("name"))
        if what.get_attribute("type") == "radio":
            self._reach(what, "(one, name) => document.activeElement.name === name", name)
            keys = ["Space", *["ArrowDown"] * 9]
        else:
            self._reach(what)
            keys = ["Space"]
        for key in keys:
            what.page.keyboard.press(key)
            if what.is_checked():
                return
        raise AssertionError(f"{name} cannot be chosen by keys")

    def write(self, what: Locator, text: str) -> None:
        self._reach(what)
        what.page.keyboard.type(text)

    def _reach(self, what: Locator, there: str = "(one) => document.activeElement === one", name: str = "") -> None:
        expect(what).to_be_enabled(timeout=SOON)
        for _ in range(FAR):
            if what.evaluate(there, name):
                assert page_shows_the_focus(what.page), "the focus can be seen"
                return
            what.page.keyboard.press("Tab")
        raise AssertionError(f"{what} is not reached by {FAR} strokes of the Tab key")


def page_shows_the_focus(page: Page) -> bool:
    """Whether what has the focus is drawn with an outline, and is within the window."""
    return bool(
        page.evaluate(
            """() => {
                const one = document.activeElement;
                const box = one.getBoundingClientRect();
                const seen = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
                return seen && one.matches(":focus-visible") && getComputedStyle(one).outlineStyle !== "none";
            }"""
        )
    )


DAYS = [(Keyboard(), 360), (Mouse(), 1280), (Keyboard(), 1280), (Mouse(), 360)]


@pytest.mark.parametrize(("hand", "width"), DAYS if TORTURE else DAYS[:1])
def test_an_operators_day(person: SignIn, house: House, hand: Hand, width: int) -> None:
    admin = person("admin", width=width, anew=True, moving=True)
    page = admin.open("/")
    key, name = at_rest(page, house)

    # Something breaks, and is seen where it is looked for.
    house.cloud("world", server=key, issues=[["CloudConnectionIssue", "ERROR", None]])
    line = page.locator("#overview li").filter(has_text=name).filter(has_text="connection").first
    expect(line).to_be_visible(timeout=SOON)
    follow(admin, hand, line.get_by_role("link", name=name).first, f"/servers/{key}/")

    # It is understood: why not, and what clears it. What clears it is done, and the buttons are back.
    panel, state = page.locator(".panel"), page.locator(".state .large")
    start_test, start_production = (
        page.locator(f"[id='panel-start_failover_{one}-{key}']") for one in ("test", "prod")
    )
    why = page.locator("#why-start_failover_test")
    expect(why).to_contain_text("The connection to the cloud infrastructure is lost")
    hand.press(why.locator("summary").first)
    expect(why.locator("details[open]").first).to_contain_text(re.compile(r"\w+ \w+ \w+"))
    house.cloud("world", server=key, issues=[])
    expect(start_test).to_be_enabled(timeout=SOON)

    # It is tested, and the test is stopped.
    page.evaluate(LISTEN)
    hand.press(start_test)
    go(page, hand, f"Start test of {name}")
    expect(panel).to_contain_text("Accepted, not done yet", timeout=SOON)
    house.cloud("clock", advance=120)
    expect(state).to_contain_text("Test running", timeout=SOON)
    wait_until(lambda: "Test running" in page.evaluate("spoken"), "it is said, whatever is said after it")
    stop = page.locator(f"[id='panel-stop_failover-{key}']")
    hand.press(stop)
    go(page, hand, f"Stop test of {name}")
    expect(panel).to_contain_text("Accepted, not done yet", timeout=SOON)
    house.cloud("clock", advance=120)
    expect(state).to_contain_text("Stand-by", timeout=SOON)

    # It fails over in earnest, and every page says so; then that is stopped as well.
    hand.press(start_production)
    hand.choose(page.get_by_label("I checked that it is off"))
    hand.write(page.locator("#dialog [name=confirm]"), name)
    go(page, hand, f"Start production of {name}")
    expect(panel).to_contain_text("Accepted, not done yet", timeout=SOON)
    house.cloud("clock", advance=240)
    expect(page.locator("#live > :not(main)").get_by_text(name).first).to_be_visible(timeout=SOON)
    expect(stop).to_be_enabled(timeout=SOON)
    hand.press(stop)
    expect(page.locator("#dialog-title")).to_be_visible()
    for nod in page.locator("#dialog [name=acknowledge]").all():
        hand.choose(nod)
    hand.write(page.locator("#dialog [name=confirm]"), name)
    go(page, hand, re.compile(f"Stop .*of {name}"))
    expect(panel).to_contain_text("Accepted, not done yet", timeout=SOON)
    house.cloud("clock", advance=240)
    expect(state).to_contain_text("Stand-by", timeout=SOON)
    assert [path.rpartition(":")[2] for path in house.posts(key)][-4:] == [
        *("start_failover_test", "stop_failover", "start_failover_prod", "stop_failover")
    ]

    # It is looked up: on the server's own page, among the actions, and in the audit.
    history = page.locator("#history > ol > li")
    expect(history.filter(has_text="by admin")).to_have_count(4)
    expect(history.filter(has_text="CloudConnectionIssue")).to_have_count(2)  # that it came, and that it went
    follow(admin, hand, page.get_by_role("link", name="All actions on this server"), "/actions/")
    rows = page.locator("#results tbody tr").filter(has_text=name)
    expect(rows.filter(has_text="Succeeded")).to_have_count(4)
    follow(admin, hand, page.get_by_role("navigation", name="Pages").get_by_role("link", name="Audit"), "/audit/")
    expect(page.locator("#main")).to_contain_text(name)


def at_rest(page: Page, house: House) -> tuple[str, str]:
    """The key and the name of a server that may fail over either way, and asks for nothing, and on which nothing was
    done yet."""
    for one in servers(page, house.url):
        offers = [one["actions"][kind] for kind in ("start_failover_test", "start_failover_prod")]
        free = all(offer["allowed"] and not offer["acknowledge"] for offer in offers)
        if free and one["status"] == "STAND_BY" and not house.posts(one["uuid"]):
            return one["uuid"].lower(), one["name"]
    raise AssertionError("no server is at rest")


def follow(someone: Person, hand: Hand, link: Locator, path: str) -> None:
    """Go on to another page, which is not reloaded from then on; nor was the one that is left."""
    assert someone.stayed()
    hand.press(link)
    someone.page.wait_for_url(re.compile(re.escape(path)))
    someone.page.wait_for_load_state()
    someone.page.evaluate("window.marked = true")
    someone.arrivals.clear()


def go(page: Page, hand: Hand, name: str | re.Pattern[str]) -> None:
    """Press the button of the open dialog that does it."""
    hand.press(page.get_by_role("dialog").get_by_role("button", name=name))
    expect(page.get_by_role("dialog")).to_have_count(0)
