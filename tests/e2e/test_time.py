"""What a page says about time: in the viewer's zone, as of now, and each trouble in its own words."""

import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Browser

from tests.e2e.conftest import House, SignIn


def test_times_are_in_the_viewers_zone_and_the_server_hears_of_it(
    chromium: Browser, signed_in: Callable[..., Any], house: House
) -> None:
    with chromium.new_context(storage_state=signed_in("viewer"), timezone_id="Asia/Kolkata", locale="en-GB") as context:
        page = context.new_page()
        page.goto(f"{house.url}/audit/")
        moment = page.locator("#main time[data-show=at]").first
        instant = str(moment.get_attribute("datetime"))
        assert instant in str(moment.get_attribute("title"))
        shown = moment.inner_text()
        drawn = page.request.get(f"{house.url}/audit/").text()
        (written,) = re.findall(rf'datetime="{re.escape(instant)}"[^>]*>([^<]*) IST</time>', drawn)[:1]
        assert written[-8:] == shown[-8:], "the server and the script tell the same time"


def test_who_goes_back_sees_what_is_and_a_page_that_was_kept_loads_anew(person: SignIn, house: House) -> None:
    page = person("viewer").open("/servers/?type=RECOVERY")
    drawn = page.locator("html").get_attribute("data-now")
    page.goto(f"{house.url}/keys/")
    page.go_back()
    assert page.locator("html").get_attribute("data-now") != drawn
    page.evaluate("window.marked = true")
    with page.expect_navigation():
        page.evaluate("setTimeout(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })))")
    assert page.evaluate("window.marked === undefined")


def test_an_hour_that_a_clock_is_set_back_makes_nothing_younger(person: SignIn) -> None:
    page = person("viewer").open("/sites/")
    age = page.evaluate(
        """() => {
            const now = Date.now;
            Date.now = () => now() - 3600e3;
            const health = document.querySelector(".health");
            htmx.swap(health, health.outerHTML, { swapStyle: "outerHTML" });
            return document.querySelector(".health time").textContent;
        }"""
    )
    assert age.endswith("ago")
