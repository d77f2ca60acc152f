"""Keys: each does what a link or a field does, and all can be switched off."""

import re

from playwright.sync_api import Page, expect

from tests.e2e.conftest import SignIn


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.closest('tr')?.id || document.activeElement.id"))


def test_keys_lead_from_page_to_page_and_along_rows_and_can_be_switched_off(person: SignIn) -> None:
    someone = person("viewer")
    page = someone.open("/")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("To the search for a server")
    page.keyboard.press("g")
    page.keyboard.press("s")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("/")
    page.keyboard.type("g s?jk")
    expect(page.locator("#jump")).to_have_value("g s?jk")
    assert someone.stayed(), "in a field, and with a dialog open, they are letters"

    page.locator("#main").focus()
    page.keyboard.press("Control+g")
    page.keyboard.press("s")
    assert someone.stayed()
    page.keyboard.press("g")
    page.keyboard.press("s")
    page.wait_for_url("**/servers/")
    rows = [str(row.get_attribute("id")) for row in page.locator("tr.row").all()[:2]]
    walked = []
    for key in "jjk":
        page.keyboard.press(key)
        walked.append(focused(page))
    assert walked == [rows[0], rows[1], rows[0]]
    page.keyboard.press("Enter")
    page.wait_for_url("**/servers/*-*/")

    page.keyboard.press("?")
    page.get_by_role("button", name="Switch the keys off").click()
    page.wait_for_url("**/keys/")
    page.keyboard.press("g")
    page.keyboard.press("s")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page).to_have_url(re.compile("/keys/$"))


def test_a_menu_closes_on_escape_and_on_a_click_elsewhere_and_the_focus_goes_where_it_belongs(person: SignIn) -> None:
    someone = person("viewer", width=1600)
    page = someone.open("/servers/")
    menu, summary = page.locator("#by-status"), page.locator("#by-status > summary")
    summary.click()
    menu.locator("a").first.focus()
    page.keyboard.press("Escape")
    expect(menu).not_to_have_attribute("open", "")
    expect(summary).to_be_focused()
    summary.click()
    expect(menu).to_have_attribute("open", "")
    page.locator("#jump").click()
    expect(menu).not_to_have_attribute("open", "")
    expect(page.locator("#jump")).to_be_focused()
    assert someone.stayed()
