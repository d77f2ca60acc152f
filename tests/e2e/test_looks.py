import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Browser, Page, expect

from drdash.web.reloading import COOKIE
from tests.e2e.conftest import House, SignIn
from tests.web.test_design import contrast

GROUND = "getComputedStyle(document.documentElement).backgroundColor"
DARK, LIGHT, NONE = "rgb(20, 23, 28)", "rgb(244, 245, 247)", "rgba(0, 0, 0, 0)"


def choose(page: Page, theme: str) -> None:
    page.locator(".me summary").click()
    page.get_by_role("button", name=theme, exact=True).click()


def test_a_person_chooses_light_or_dark_and_a_language_without_a_script(
    chromium: Browser, house: House, signed_in: Callable[..., Any]
) -> None:
    with chromium.new_context(
        storage_state=signed_in("viewer"), color_scheme="dark", java_script_enabled=False
    ) as context:
        # The page is not loaded anew between two clicks, which would fold the menu.
        context.add_cookies([{"name": COOKIE, "value": "1", "url": house.url}])
        page = context.new_page()
        page.goto(f"{house.url}/servers/?q=ams")
        for theme, ground in (("Light", LIGHT), ("As the system", DARK)):
            choose(page, theme)
            expect(page.locator("[name=theme][aria-pressed=true]")).to_have_text(theme)
            assert page.evaluate(GROUND) == ground
            assert page.url.endswith("/servers/?q=ams")
        choose(page, "Deutsch")
        expect(page.locator("h1")).to_have_text("Server")
        expect(page.locator("html")).to_have_attribute("lang", "de")
        assert page.url.endswith("/servers/?q=ams")


def test_the_main_button_can_be_read_under_the_pointer(chromium: Browser, house: House) -> None:
    with chromium.new_context() as context:
        page = context.new_page()
        page.goto(f"{house.url}/login/")
        page.get_by_role("button", name="Sign in").hover()
        look = "b => [getComputedStyle(b).color, getComputedStyle(b).backgroundColor]"
        shown = page.locator("button.primary").evaluate(look)
        ink, ground = ("#" + bytes(map(int, re.findall(r"\d+", one))).hex() for one in shown)
        assert contrast(ink, ground) > 4.5


def test_paper_is_black_on_white_with_moments_and_without_buttons(person: SignIn) -> None:
    page = person("admin").open("/servers/?type=RECOVERY&status=STAND_BY")
    page.locator("tbody th a").first.click()
    page.wait_for_url("**/servers/*-*/")
    expect(page.locator("#panel time[data-show=age]").first).to_contain_text("ago")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate(GROUND) == NONE
    inks = "[...document.querySelectorAll('main *')].map((one) => getComputedStyle(one).color)"
    assert set(page.evaluate(inks)) == {"rgb(0, 0, 0)"}
    told = "(one) => [getComputedStyle(one, '::after').content, getComputedStyle(one).fontSize, one.dateTime]"
    content, size, moment = page.locator("#panel time[data-show=age]").first.evaluate(told)
    assert (content, size) == (f'"{moment}"', "0px")
    for gone in (".top nav", ".jump", ".me", "#note-write", "#notices"):
        expect(page.locator(gone)).to_be_hidden()
    shown = "[...document.querySelectorAll('main button')].filter((one) => one.checkVisibility())"
    frames = page.evaluate(f"{shown}.map((one) => getComputedStyle(one).borderTopWidth)")
    assert set(frames) == {"0px"}, "an action is named, with what stands against it; there is nothing to press"
