"""What people do with it, in a real browser: nothing here reloads a page."""

import re
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import POLL_SECONDS, House, Person, SignIn

SOON = 1000 * (POLL_SECONDS + 25)  # ms: what comes with the next poll, on a machine with much else to do


def allowed_test(person: Person) -> tuple[str, str]:
    """The key and the name of a recovery server whose test failover may be started, found as an operator does."""
    page = person.open("/servers/?type=RECOVERY&blocked=false&status=STAND_BY")
    button = page.locator("button[id^=row-start_failover_test-]:enabled").first
    key = str(button.get_attribute("id")).removeprefix("row-start_failover_test-")
    return key, page.locator(f"[id='server-row-{key}'] th a").inner_text()


def passes(house: House) -> int:
    """How often the cloud's list of sites was asked for, as each pass does."""
    return len([one for one in house.cloud("requests", "GET")["requests"] if one["path"].endswith("/sites")])


def button(page: Page, kind: str, key: str) -> Locator:
    return page.locator(f"[id='panel-{kind}-{key}']")


def test_a_change_in_the_cloud_is_on_the_open_pages_within_an_interval(person: SignIn, house: House) -> None:
    lister, watcher = person("operator"), person("viewer")
    key, name = allowed_test(lister)
    servers = lister.open("/servers/?type=RECOVERY&sort=name")
    overview = watcher.open("/")
    row = servers.locator(f"[id='server-row-{key}']")
    expect(row).to_contain_text("Stand-by")
    expect(overview.locator("#notices")).not_to_contain_text(name)

    house.cloud("world", server=key, status="FAILOVER_PROD")
    before = passes(house)
    expect(row).to_contain_text("Production running", timeout=SOON)
    expect(overview.locator("#notices")).to_contain_text(name, timeout=SOON)
    expect(overview.locator("#overview")).to_contain_text(name, timeout=SOON)
    assert passes(house) <= before + 3, "it came with the next pass: more may have begun before a busy browser drew it"
    assert lister.stayed()
    assert watcher.stayed()


def test_filters_work_in_place_and_live_in_the_address(person: SignIn) -> None:
    page = person("viewer").open("/servers/")
    everything = page.locator("tr.row").count()
    page.locator("#by-type > summary").click()
    page.locator("#by-type").get_by_role("link", name="Primary").click()
    expect(page).to_have_url(re.compile("type=PRIMARY"))
    expect(page.locator("tr.row")).not_to_have_count(everything)
    name = page.locator("tr.row th a").last.inner_text()
    page.get_by_label("Text").fill(name)
    expect(page.locator("tr.row")).to_have_count(1)
    expect(page).to_have_url(re.compile(f"q={name}"))
    assert page.evaluate("window.marked === true"), "no reload"


def test_a_viewer_sees_no_button_that_acts(person: SignIn) -> None:
    viewer = person("viewer")
    page = viewer.open("/servers/?limit=200")
    expect(page.locator("table.servers tbody tr").first).to_be_visible()
    assert page.locator("table.servers button").count() == 0
    key = str(page.locator("tr.row").first.get_attribute("id")).removeprefix("server-row-")
    assert viewer.open(f"/servers/{key}/").locator("#panel button:not([data-copy])").count() == 0


def test_production_wants_the_servers_name_typed(person: SignIn, house: House) -> None:
    operator, admin = person("operator"), person("admin")
    page = admin.open("/servers/?type=RECOVERY&blocked=false&status=STAND_BY")
    start = page.locator("button[id^=row-start_failover_prod-]:enabled").first
    key = str(start.get_attribute("id")).removeprefix("row-start_failover_prod-")
    before = house.posts(key)
    expect(operator.open(f"/servers/{key}/").locator("#panel")).not_to_contain_text("Start production")

    dialog = page.get_by_role("dialog")
    usual = page.viewport_size or {"width": 0, "height": 0}
    for size in ({"width": 320, "height": 256}, usual):  # 320 x 256 is what 400 % zoom leaves of 1280 x 1024
        page.set_viewport_size(size)  # type: ignore[arg-type]
        start.click()
        expect(dialog.get_by_role("link", name="Cancel")).to_be_focused()
        expect(dialog.get_by_role("link", name="Cancel")).to_be_in_viewport(ratio=1)
        expect(dialog.get_by_role("heading")).to_be_in_viewport(ratio=1)
        if size != usual:
            page.keyboard.press("Escape")
    confirm, go = dialog.locator("[name=confirm]"), dialog.locator("button.go")
    go.click()
    expect(dialog.locator("[name=confirm]:invalid")).to_have_count(1)
    dialog.get_by_label("I checked that it is off").check()
    confirm.fill("another-name")
    go.click()
    expect(dialog.get_by_role("alert")).to_be_visible()
    expect(confirm).to_be_focused()
    expect(confirm).to_be_in_viewport()
    expect(confirm).to_have_attribute("aria-invalid", "true")
    expect(confirm).to_have_accessible_description(re.compile("^Type the server's name"))

    house.cloud("world", server=key, issues=[["QuotaReachedComputePoints", "WARNING"]])
    confirm.fill(page.locator(f"[id='server-row-{key}'] th a").inner_text())
    go.click()
    expect(dialog.get_by_text("What changed since you looked")).to_be_in_viewport()
    expect(dialog.get_by_role("link", name="Cancel")).to_be_focused()
    house.cloud("world", server=key, issues=[])
    assert house.posts(key) == before
    assert admin.stayed()


def test_a_double_click_sends_one_post(person: SignIn, house: House) -> None:
    operator = person("operator")
    key, _ = allowed_test(operator)
    before = len(house.posts(key))
    page = operator.open(f"/servers/{key}/")
    button(page, "start_failover_test", key).click()
    page.get_by_role("dialog").locator("button.go").dblclick()
    expect(page.locator(".panel")).to_contain_text("Accepted, not done yet", timeout=SOON)
    page.evaluate("document.querySelector('#wish')?.requestSubmit()")  # a replayed form, should one still be there
    expect(page.locator(".state .large")).to_contain_text("Test starting", timeout=SOON)
    assert len(house.posts(key)) == before + 1
    assert operator.stayed()


def test_no_page_scrolls_sideways_on_a_phone_or_breaks_its_own_rules(person: SignIn) -> None:
    admin = person("admin", width=360)
    page = admin.open("/servers/?type=RECOVERY&blocked=false&status=STAND_BY")
    server = str(page.locator("tr.row th a").first.get_attribute("href"))
    dialog = str(page.locator("button[id^=row-start_failover_prod-]").first.get_attribute("hx-get"))
    site = str(admin.open("/sites/").locator("tr.row th a").first.get_attribute("href"))
    action = str(admin.open("/actions/").locator("a[href^='/actions/']").last.get_attribute("href"))
    paths = [
        "/",
        "/sites/",
        site,
        "/servers/",
        server,
        dialog,
        "/actions/",
        action,
        "/audit/",
        "/password/",
        "/nowhere/",
    ]
    wide: dict[str, Any] = {}
    for path in paths:
        width = admin.open(path).evaluate("document.documentElement.scrollWidth")
        if width > 360:
            wide[path] = width
    assert wide == {}


def test_who_signs_out_in_one_window_sees_nothing_in_the_others(person: SignIn) -> None:
    viewer = person("viewer", anew=True)
    page = viewer.open("/servers/")
    expect(page.locator("#stream-lost")).to_be_hidden()
    other = page.context.new_page()
    other.goto(f"{viewer.house.url}/audit/")
    other.locator(".me summary").click()
    other.get_by_role("button", name="Sign out").click()
    other.wait_for_url("**/login/")
    page.wait_for_url("**/login/**", timeout=SOON)
