"""What the neighbouring APIs add, in a real browser: recovery points in a dialog, a task's progress, a screenshot."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import House, SignIn
from tests.e2e.test_people import SOON, allowed_test


def sent(house: House, key: str) -> Any:
    """The body of the last action on a server that arrived at the cloud."""
    requests = house.cloud("requests", "GET")["requests"]
    return json.loads([one["body"] for one in requests if one["method"] == "POST" and key in one["path"]][-1])


def acknowledge(within: Locator | Page) -> None:
    """Tick what there is to acknowledge."""
    for box in within.locator("[name=acknowledge]").all():
        box.check()


def chosen(choice: Locator) -> dict[str, str]:
    return dict(json.loads(str(choice.get_attribute("value"))))


def test_an_operator_picks_a_recovery_point_and_sees_its_task_end(person: SignIn, house: House) -> None:
    operator = person("operator")
    key, name = allowed_test(operator)
    page = operator.open(f"/servers/{key}/")
    page.locator(f"[id='panel-start_failover_test-{key}']").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".choice").first).to_contain_text(
        re.compile(r"Its data is (\d+ d \d+ h|(\d+ h )?\d+ min) old\.")
    )
    go = dialog.get_by_role("button", name=f"Start test of {name}")
    second = dialog.locator(".points input[type=radio]").nth(1)
    second.check()
    point = chosen(second)
    acknowledge(dialog)
    go.click()
    expect(page.locator(".panel")).to_contain_text("Accepted, not done yet", timeout=SOON)
    assert sent(house, key) == {"recovery_point": point}
    page.locator("#history .steps a").first.click()
    task = page.locator(".tasks")
    expect(task).to_contain_text(re.compile(r"Running.*\d+ %, about \d+ s left"))
    expect(task.locator("progress")).to_have_attribute("max", "100")
    house.cloud("clock", advance=60)
    expect(task).to_contain_text("Completed", timeout=SOON)


@pytest.mark.parametrize("comes_later", [False, True])
def test_a_vault_manager_that_hangs_is_in_nobodys_way(person: SignIn, house: House, comes_later: bool) -> None:
    operator = person("operator")
    key, name = allowed_test(operator)
    page = operator.open(f"/servers/{key}/")
    house.cloud("faults", match={"path": "/vault_manager/"}, fault="hang")
    try:
        page.locator(f"[id='panel-start_failover_test-{key}']").click()
        dialog = page.get_by_role("dialog")
        button = dialog.get_by_role("button", name=f"Start test of {name}")
        expect(dialog.locator(".points")).to_contain_text("nothing here waits for them")
        before = button.bounding_box()
        if comes_later:
            house.cloud("faults", "DELETE")
            expect(dialog.locator(".points .choice").first).to_be_visible()
            assert button.bounding_box() == before  # nobody who aims at it hits another choice
        acknowledge(dialog)
        button.click()
        expect(page.locator(".panel")).to_contain_text("Accepted, not done yet", timeout=SOON)
    finally:
        house.cloud("faults", "DELETE")
    assert sent(house, key) == {}
    assert operator.stayed()


def test_without_a_script_a_recovery_point_is_picked_on_a_page(person: SignIn, house: House) -> None:
    key, name = allowed_test(person("operator"))
    page = person("operator", scripted=False).open(f"/servers/{key}/actions/start_failover_test/")
    page.get_by_role("link", name="Load them as a page").click()
    choice = page.locator(".points input[type=radio]").first
    choice.check()
    point = chosen(choice)
    acknowledge(page)
    page.get_by_role("button", name=f"Start test of {name}").click()
    expect(page.locator("main")).to_contain_text(point["backup_id"])
    page.get_by_role("link", name="What the task manager says").click()
    expect(page.locator("main")).to_contain_text("Running")
    assert sent(house, key) == {"recovery_point": point}


def test_a_screenshot_stays_where_it_is_while_the_page_lives(person: SignIn, house: House) -> None:
    viewer = person("viewer", width=360)
    page = viewer.open("/servers/?type=RECOVERY&q=vie-crm-02")
    page.locator("tbody th a").first.click()
    picture = page.locator(".shot img")
    expect(picture).to_be_visible()
    assert picture.evaluate("(img) => img.decode().then(() => img.naturalWidth)") == 192
    picture.evaluate("(img) => { img.marked = true }")
    key = page.url.rstrip("/").rpartition("/")[2]
    house.cloud("world", server=key, set={"description": "Seen anew"})
    expect(page.locator(".panel")).to_contain_text("Seen anew", timeout=SOON)
    assert page.locator(".shot img").evaluate("(img) => img.marked === true")
    page.locator(".shot a").click()
    expect(page.locator("img.whole")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
