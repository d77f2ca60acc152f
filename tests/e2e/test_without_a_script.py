"""Who has no script reads, filters and acts all the same, before pages that load themselves anew."""

import re
from contextlib import suppress

from playwright.sync_api import TimeoutError as TooLate
from playwright.sync_api import expect

from tests.e2e.conftest import POLL_SECONDS, House, SignIn
from tests.e2e.test_people import SOON, allowed_test


def test_an_operator_without_a_script_signs_in_filters_sorts_acts_and_reads_what_came_of_it(
    person: SignIn, house: House
) -> None:
    key, name = allowed_test(person("operator"))
    page = person(scripted=False).open("/servers/")
    page.get_by_label("Name").fill("operator")
    page.get_by_label("Password").fill("operator")
    page.get_by_role("button", name="Sign in").click()
    watched = page.context.new_page()
    watched.goto(f"{house.url}/servers/?type=PRIMARY")
    drawn = str(watched.locator("html").get_attribute("data-now"))
    for _ in range(10):  # on a slow machine the page comes anew, and folded, before the second click
        page.locator("#by-type summary").click()
        with suppress(TooLate):
            page.locator("#by-type").get_by_role("link", name="Recovery").click(timeout=5_000)
            break
    page.locator("#q").fill(name)
    page.locator("#q").press("Enter")
    expect(page).to_have_url(re.compile("type=RECOVERY"))
    page.get_by_role("columnheader", name="Status").get_by_role("link").click()
    expect(page).to_have_url(re.compile(f"q={name}.*sort=status"))
    assert page.locator("noscript meta[http-equiv=refresh]").get_attribute("content") == str(POLL_SECONDS)

    page.locator(f"[id='row-start_failover_test-{key}']").click()
    expect(page.locator("meta[http-equiv=refresh]")).to_have_count(0)
    assert page.evaluate("scrollY") == 0, "what it is comes first"
    page.get_by_role("button", name=f"Start test of {name}").click()
    expect(page.locator("#main")).to_contain_text("Accepted, not done yet")
    assert len([path for path in house.posts(key) if path.endswith("start_failover_test")]) >= 1
    for place, words in (("Actions", name), ("Audit", name), ("Overview", "Servers by state")):
        page.get_by_role("navigation", name="Pages").get_by_role("link", name=place).click()
        expect(page.locator("#main")).to_contain_text(words)

    page.get_by_role("button", name="Stay as it is").click()
    expect(page.locator("#main")).to_contain_text("Servers by state")
    expect(page.locator("meta[http-equiv=refresh]")).to_have_count(0)
    page.get_by_role("button", name="Load it by itself").click()
    for path, words in (("/batches/", "Batches"), ("/approvals/", "Approvals"), ("/keys/", "To the next row")):
        page.goto(house.url + path)
        expect(page.locator("#main")).to_contain_text(words)
    expect(watched.locator("html")).not_to_have_attribute("data-now", drawn, timeout=SOON)
    expect(watched).to_have_url(re.compile("type=PRIMARY$"))
