"""What a superuser does with tenants, in a real browser: connected each way, paused, armed, taken off again."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import APIResponse, Route, expect

from drdash.simulator.server import running
from drdash.simulator.simulation import Simulator
from tests.e2e.conftest import Person, SignIn
from tests.e2e.everywhere import fill
from tests.webs import wait_until

CONNECT = "/tenants/connect/"


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Simulator]:
    """Another cloud: a partner with three customers, each with its own API clients."""
    with running("partner", customers=3) as simulator:
        yield simulator


def take_off(admin: Person, name: str) -> None:
    page = admin.open("/tenants/")
    page.locator("table.tenants").get_by_role("link", name=name, exact=True).click()
    page.get_by_role("link", name="Take off").click()
    expect(page.get_by_role("link", name="Cancel")).to_be_focused()
    button = page.get_by_role("button", name=f"Take off {name}")
    page.locator("[name=confirm]").fill("another name")
    button.click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was taken off")
    page.locator("[name=confirm]").fill(name)
    button.click()
    expect(page.locator(".state")).to_contain_text("Taken off")
    expect(page.locator("#freshness")).not_to_contain_text(name)


def test_a_superuser_connects_a_client_after_a_mistake_pauses_holds_back_and_takes_off(
    person: SignIn, elsewhere: Simulator
) -> None:
    admin = person("admin")
    page = admin.open(CONNECT)
    page.get_by_role("link", name="An API client of one company").click()
    page.evaluate("window.marked = true")
    fill(page, elsewhere, "Elsewhere", client=elsewhere.client_id, secret="simulated-secret-wrong")
    page.get_by_role("button", name="Check and connect").click()
    expect(page.locator("#sheet").get_by_role("alert")).to_contain_text("The client id or its secret is wrong")
    assert page.evaluate("window.marked === true"), "the form was put in place, not the page"
    assert page.get_by_label("Name", exact=True).input_value() == "Elsewhere"
    assert page.get_by_label("Client secret").input_value() == ""

    page.get_by_label("Client secret").fill(elsewhere.client_secret)
    another = page.context.new_page()
    another.goto(admin.house.url)
    held: list[tuple[Route, APIResponse]] = []
    page.route("**/connect/**", lambda route: held.append((route, route.fetch())))
    with another.expect_navigation():
        page.get_by_role("button", name="Check and connect").click()
    # By now every page of the admin has heard that there is a tenant more to see: this one waits for its answer.
    wait_until(lambda: held or page.evaluate("''"), "its answer is there")
    [(route, answer)] = held
    route.fulfill(response=answer)
    page.wait_for_url(re.compile(r"/tenants/\d+/$"))
    another.close()
    expect(page.get_by_text("Connected Elsewhere")).to_be_visible()
    expect(page.locator("#freshness")).to_contain_text("Elsewhere as of", timeout=20_000)
    expect(page.locator(".state")).to_contain_text("Watching")

    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#freshness")).to_contain_text("Elsewhere Paused by admin since")
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("#freshness")).not_to_contain_text("Paused by")
    page.get_by_role("button", name="Watch only").click()
    expect(page.locator("#freshness")).to_contain_text("Watch only")
    page.get_by_role("button", name="Arm").click()
    expect(page.locator(".state")).to_contain_text("Armed")
    take_off(admin, "Elsewhere")


def test_an_administrator_connects_a_cloud_by_signing_in_there(person: SignIn, elsewhere: Simulator) -> None:
    admin = person("admin")
    page = admin.open(f"{CONNECT}?by=sign-in")
    fill(page, elsewhere, "Signed in", client=elsewhere.client_id, secret=elsewhere.client_secret)
    page.get_by_role("button", name="To the cloud's page").click()
    page.get_by_role("link", name=re.compile("Go to 127.0.0.1")).click()
    page.get_by_role("button", name="Deny").click()
    expect(page.get_by_role("alert")).to_contain_text("nobody agreed")
    assert page.get_by_label("Name", exact=True).input_value() == "Signed in"

    page.get_by_label("Client secret").fill(elsewhere.client_secret)
    page.get_by_role("button", name="To the cloud's page").click()
    page.get_by_role("link", name=re.compile("Go to 127.0.0.1")).click()
    page.get_by_role("button", name="Allow").click()
    page.wait_for_url(re.compile(r"/tenants/\d+/$"))
    expect(page.get_by_text("Connected Signed in")).to_be_visible()
    assert "code" not in page.url
    take_off(admin, "Signed in")


def test_a_provider_chooses_customers_of_a_partner_and_arms_them_with_one_button(
    person: SignIn, elsewhere: Simulator
) -> None:
    admin = person("admin")
    page = admin.open(f"{CONNECT}?by=partner")
    fill(page, elsewhere, "Quayside", client=elsewhere.partner_id, secret=elsewhere.partner_secret)
    page.get_by_role("button", name="Check and connect").click()
    page.wait_for_url("**/customers/")
    names = page.locator("#choice label[for^=c-]").all_inner_texts()
    assert len(names) == 3
    for name in names[:2]:
        search = page.get_by_placeholder("Name or id")
        search.fill(name[:7])
        expect(page.locator("#choice-list .count")).to_contain_text(
            "1 found" if name == names[0] else "2 found; 1 ticked"
        )
        page.get_by_label(name, exact=True).check()
    expect(page.get_by_role("checkbox", name="Watch only")).to_be_checked()
    page.get_by_role("button", name="Watch them").click()
    page.wait_for_url(re.compile(r"/credentials/\d+/$"))
    expect(page.get_by_text("2 customers are watched now")).to_be_visible()

    page = admin.open("/tenants/")
    page.get_by_label("Text").fill("Quayside")
    expect(page.locator("table.tenants tbody tr")).to_have_count(2)
    for name in names[:2]:
        page.get_by_label(f"Choose {name}").check()
    page.get_by_role("button", name="Arm").click()
    expect(page.get_by_text("Armed: 2 tenants.")).to_be_visible()
    assert "q=Quayside" in page.url
    expect(page.locator("table.tenants")).not_to_contain_text("Watch only")
    for name in names[:2]:
        take_off(admin, name)


def test_pages_for_admins_fit_a_phone_and_are_absent_for_others(person: SignIn) -> None:
    admin = person("admin", width=360)
    tenant = str(admin.open("/tenants/").locator("table.tenants th a").first.get_attribute("href"))
    credential = str(admin.open(tenant).locator("a[href^='/credentials/']").first.get_attribute("href"))
    ways = [f"{CONNECT}?by={way}" for way in ("client", "partner", "sign-in", "password", "assertion")]
    wide = {}
    for path in ("/tenants/", tenant, f"{tenant}take-off/", f"{tenant}acting/", credential, CONNECT, *ways):
        width = admin.open(path).evaluate("document.documentElement.scrollWidth")
        if width > 360:
            wide[path] = width
    assert wide == {}
    expect(person("operator").open("/servers/").get_by_role("link", name="Tenants")).to_have_count(0)
