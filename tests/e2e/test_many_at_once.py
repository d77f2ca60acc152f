"""Many at once in a real browser: a tick outlives the live updates of its row; a batch is followed without a reload."""

from playwright.sync_api import expect

from tests.e2e.conftest import House, SignIn
from tests.e2e.test_people import SOON


def test_an_operator_ticks_servers_that_change_meanwhile_and_follows_the_batch(person: SignIn, house: House) -> None:
    operator = person("operator", anew=True)
    page = operator.open("/servers/?type=RECOVERY&status=STAND_BY&blocked=false")
    rows = page.locator("tr.row:has(button.test:enabled)")
    first, second = (str(rows.nth(index).get_attribute("id")) for index in (0, 1))
    for row in (first, second):
        page.locator(f"[id='{row}'] input[name=server]").check()
    uuid = first.removeprefix("server-row-")
    before = len(house.posts(uuid))
    house.cloud("world", server=uuid, set={"description": "Changed meanwhile"})
    expect(page.locator(f"[id='{first}']")).to_contain_text("Changed meanwhile", timeout=SOON)
    # The list is fetched anew when another leaves it, and nobody is at the list.
    listed, third = (
        page.locator("input[name=server]"),
        (rows.last.get_attribute("id") or "").removeprefix("server-row-"),
    )
    many = listed.count()
    page.locator(f"[id='{first}']").hover()  # who has moved within half a minute has the list in hand
    house.cloud("world", server=third, set={"type": "PRIMARY"})
    expect(page.locator(f"[id='server-row-{third}']")).to_contain_text("No longer matches", timeout=SOON)
    page.locator("#q").focus()
    page.mouse.move(0, 0)
    expect(listed).to_have_count(many - 1, timeout=SOON)
    house.cloud("world", server=third, set={"type": "RECOVERY"})
    expect(page.locator("input[name=server]:checked")).to_have_count(2)
    assert operator.stayed()

    page.get_by_role("button", name="Start tests…").click()
    expect(page.locator("#confirm")).to_contain_text("2 can go")
    for box in page.locator("[name=acknowledge]").all():
        box.check()
    page.get_by_label("How many a minute").fill("60")
    page.get_by_role("button", name="Start tests of 2 servers").click()
    page.wait_for_url("**/batches/*/")
    page.evaluate("window.marked = true")
    expect(page.locator("#batch")).to_contain_text("2 of 2 had their turn", timeout=SOON)
    expect(page.locator("#batch")).to_contain_text("Nothing left to send", timeout=SOON)
    assert page.evaluate("window.marked === true")
    assert len(house.posts(uuid)) == before + 1
