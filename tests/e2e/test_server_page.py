"""A server's page tells people of each other, of what happened, and when they may go on: without a reload."""

import re

from playwright.sync_api import expect

from tests.e2e.conftest import House, SignIn
from tests.e2e.test_people import SOON, allowed_test, button


def test_two_people_at_one_server_know_of_each_other_and_of_what_happens(person: SignIn, house: House) -> None:
    operator, admin = person("operator"), person("admin", width=360)
    key, name = allowed_test(operator)
    his, hers = operator.open(f"/servers/{key}/"), admin.open(f"/servers/{key}/")

    button(his, "start_failover_test", key).click()
    expect(hers.locator("#shift")).to_contain_text("operator has “Start test” open")
    his.get_by_role("dialog").get_by_text("Cancel").click()
    expect(his.locator("#shift")).not_to_contain_text("operator has")

    house.cloud("world", server=key, issues=["ResourceBusy"])
    for page in (his, hers):
        expect(page.locator("#history li").first).to_contain_text("Busy", timeout=SOON)
    hers.locator("[id='why-start_failover_test']").get_by_text("Tell me when it is free").click()
    expect(hers.locator("#bells")).to_contain_text("You are told here when “Start test”")
    assert admin.stayed()

    elsewhere = admin.open("/audit/")
    expect(elsewhere).to_have_title(re.compile("^Audit"))
    house.cloud("world", server=key, issues=[])
    expect(elsewhere.locator("#bells")).to_contain_text(re.compile(f"Free since .* Start test of {name}"), timeout=SOON)
    elsewhere.evaluate("document.querySelectorAll('[data-live]').forEach((part) => htmx.trigger(part, 'refresh'))")
    expect(elsewhere.locator("[data-live].htmx-request")).to_have_count(0)
    expect(elsewhere).to_have_title(re.compile("^● Audit"))  # also where a part came with its whole page's title
    elsewhere.get_by_role("button", name="Dismiss").click()
    expect(elsewhere.locator("#bells div")).to_have_count(0)
    expect(elsewhere).to_have_title(re.compile("^Audit"))
    expect(his.locator("#history li").first).to_contain_text("Issue gone")
    assert admin.stayed()
    assert operator.stayed()
