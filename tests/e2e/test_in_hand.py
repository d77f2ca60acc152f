"""What changes while someone is at it: the focus stays, a dialog stays, a row says that it goes before it goes."""

import re
import time

from playwright.sync_api import Page, Request, Route, expect

from tests.e2e.conftest import POLL_SECONDS, House, SignIn
from tests.e2e.test_people import SOON


def test_nothing_is_taken_from_under_a_pointer_or_a_focus_and_without_a_stream_the_page_asks(
    person: SignIn, house: House
) -> None:
    operator, viewer, blocked = person("operator"), person("viewer"), person("viewer", troubled=True)
    blocked.page.route("**/events/**", lambda route: route.abort())
    without = blocked.open("/servers/?type=RECOVERY")
    # It asks at the pace of the polls: here faster, so that nobody waits.
    without.evaluate("document.documentElement.dataset.poll = 1")

    page = operator.open("/servers/?type=RECOVERY&status=STAND_BY&blocked=false")
    button = page.locator("tr.row button.test:enabled").first
    row = page.locator("tr.row").filter(has=button)
    key = str(button.get_attribute("id")).removeprefix("row-start_failover_test-")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()

    listing = viewer.open("/servers/?type=RECOVERY&sort=-name")
    leaving = str(listing.locator(f"tr.row:not([id='server-row-{key}'])").first.get_attribute("id"))
    goes = listing.locator(f"[id='{leaving}']")
    goes.locator("th a").focus()
    under = listing.locator("tr.row").nth(4)
    under.hover()
    place = under.evaluate("row => [row.id, row.getBoundingClientRect().top]")

    with listing.expect_request(lambda one: "x-hand" in one.headers):
        house.cloud("world", server=leaving.removeprefix("server-row-"), set={"type": "PRIMARY"})
        house.cloud("world", server=key, set={"description": "Changed under the dialog"})

    expect(goes).to_contain_text("No longer matches", timeout=SOON)
    assert listing.evaluate("document.activeElement.closest('tr').id") == leaving
    assert listing.evaluate("id => document.getElementById(id).matches(':hover')", place[0])
    listing.locator("#q").focus()
    listing.mouse.move(0, 0)
    expect(goes).to_have_count(0, timeout=SOON)

    row = page.locator(f"[id='server-row-{key}']")
    expect(row).to_contain_text("Changed under the dialog", timeout=SOON)
    expect(row).to_have_class(re.compile("changed"))
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert page.evaluate("document.activeElement.id") == f"row-start_failover_test-{key}"

    expect(without.locator("#stream-lost")).to_contain_text(f"asks for itself every {POLL_SECONDS} s")
    expect(without.locator(f"[id='server-row-{key}']")).to_contain_text("Changed under the dialog", timeout=SOON)
    expect(without.locator(".health")).not_to_have_class(re.compile("is-stale"))
    house.cloud("world", server=leaving.removeprefix("server-row-"), set={"type": "RECOVERY"})
    assert operator.stayed()
    assert viewer.stayed()
    assert blocked.stayed()


def streams_say(page: Page, *events: str) -> None:
    """From now on each stream of the page says one of these events and ends; those that follow only live."""
    left = [f"id: {number}-0.eyes\nevent: {event}\ndata: 1\n\n" for number, event in enumerate(events)]

    def say(route: Route) -> None:
        beat = f"event: beat\ndata: {time.time()}\n\n"
        route.fulfill(content_type="text/event-stream", body=left.pop(0) if left else beat)

    page.add_init_script("Math.random = () => 0")  # a stream that ended comes again after a second
    page.route("**/events/**", say)


def hears(page: Page, number: int) -> None:
    """Wait until the event of that number was heard: the streams after it ask for what comes after it."""
    page.wait_for_event("request", lambda one: f"after={number}-0" in one.url)


def test_what_is_heard_while_an_answer_is_on_its_way_is_asked_for_once_it_is_there(person: SignIn) -> None:
    viewer = person("viewer", troubled=True)
    page = viewer.page
    held: list[Route] = []
    targets = ["follow"]

    def hold(route: Route) -> None:
        if route.request.headers.get("hx-target") in targets:
            targets.clear()
            held.append(route)
        else:
            route.continue_()

    def follows(request: Request) -> bool:
        return request.headers.get("hx-target") == "follow"

    page.route("**/servers/**", hold)
    streams_say(page, "estate-changed", "estate-changed")
    viewer.open("/servers/?type=RECOVERY")
    hears(page, 1)
    with page.expect_request(follows):
        held.pop().continue_()

    targets.append("results")
    with page.expect_request(lambda one: one.headers.get("hx-target") == "results"):
        page.locator("#sort-name").click()
    streams_say(page, "estate-changed")
    hears(page, 0)
    with page.expect_request(follows) as whole:
        held.pop().continue_()
    assert "x-have" not in whole.value.headers, "its rows may be older than those that the stream sent"


def test_what_is_typed_outlives_a_change_of_rights(person: SignIn) -> None:
    viewer = person("viewer", troubled=True)
    streams_say(viewer.page)
    page = viewer.open("/servers/")
    name = page.locator("#save-view [name=name]")
    name.evaluate("one => { one.closest('details').open = true; }")
    name.fill("Half of a name")
    expect(page.locator("#stream-lost")).to_be_hidden()
    streams_say(page, "rights-changed")
    expect(page.locator("#stream-lost")).to_be_visible()
    assert name.input_value() == "Half of a name"
    assert viewer.stayed()
