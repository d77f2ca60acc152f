"""What an open page says when something behind it has died: stale within two intervals, never green, never blank."""

from playwright.sync_api import Page, expect

from tests.e2e.conftest import POLL_SECONDS, House, Person, SignIn
from tests.webs import wait_until

LATE = 1000 * (2 * POLL_SECONDS + 20)  # ms, on a machine with much else to do


def sit_before(person: SignIn, path: str) -> Person:
    """Someone before a page whose data is current."""
    someone = person("viewer", troubled=True)
    page = someone.open(path)
    expect(page.locator(".health:not(.is-stale)")).to_be_visible(timeout=2 * LATE)
    expect(page.locator("#stream-lost")).to_be_hidden()
    return someone


def says_stale(page: Page) -> None:
    expect(page.locator(".health.is-stale")).to_contain_text("Stale", timeout=LATE)
    expect(page.locator("#main")).to_be_visible()
    assert no_green(page)


def no_green(page: Page) -> bool:
    """Whether nothing on the page is drawn in the colour of what is known to be good."""
    return bool(
        page.evaluate(
            """() => {
                const probe = document.createElement("i");
                probe.style.color = "var(--good)";
                document.body.append(probe);
                const green = getComputedStyle(probe).color;
                probe.remove();
                const shown = [...document.querySelectorAll("#main *")].filter((one) => one.checkVisibility());
                return shown.every((one) => getComputedStyle(one).color !== green);
            }"""
        )
    )


def test_the_poller_dies(person: SignIn, house: House) -> None:
    someone = sit_before(person, "/sites/")
    wait_until(lambda: not no_green(someone.page), "while the data is current, green is seen")
    with house.dead("worker", "beat"):
        says_stale(someone.page)
        assert someone.stayed()
        says_stale(someone.open("/"))
    expect(someone.page.locator(".health:not(.is-stale)")).to_be_visible(timeout=LATE)
    assert someone.stayed()


def test_redis_dies(person: SignIn, house: House) -> None:
    someone = sit_before(person, "/servers/")
    with house.dead("redis-server"):
        says_stale(someone.page)
        assert someone.stayed()
        for path in ("/", "/servers/"):
            says_stale(someone.open(path))
        assert not [one for one in someone.complaints if one.startswith("5")]


def test_the_web_server_dies(person: SignIn, house: House) -> None:
    someone = sit_before(person, "/sites/")
    with house.dead("drdash.serve"):
        says_stale(someone.page)
    expect(someone.page.locator(".health:not(.is-stale)")).to_be_visible(timeout=2 * LATE)
    assert someone.stayed()


def test_the_cloud_dies(person: SignIn, house: House) -> None:
    someone = sit_before(person, "/sites/")
    house.cloud("faults", fault="reset", times=None)
    try:
        says_stale(someone.page)
        expect(someone.page.locator("#freshness")).to_contain_text("The last poll failed", timeout=LATE)
        assert someone.stayed()
    finally:
        house.cloud("faults", "DELETE")


def test_the_freshness_and_the_rows_never_disagree(person: SignIn, house: House) -> None:
    """At the very moment that data grows stale, the server may have drawn what arrives a hair earlier or later than the
    browser's clock decides: then that clock decides for all of the page."""
    someone = sit_before(person, "/sites/")
    with house.dead("worker", "beat"):
        stale = someone.page.evaluate(
            """async () => {
                const health = document.querySelector(".health");
                const early = health.cloneNode(true);
                early.classList.add("is-stale");
                htmx.swap(health, early.outerHTML, { swapStyle: "outerHTML" });
                await new Promise(requestAnimationFrame);  // what is about to be painted
                const told = document.querySelectorAll(".health.is-stale").length > 0;
                const shown = document.querySelectorAll("#main .is-stale[data-tenant]").length > 0;
                return [told, shown];
            }"""
        )
    assert stale in ([False, False], [True, True])
