"""Nothing on an open list moves by itself: not at all where nothing changes, hardly where much does."""

from playwright.sync_api import expect

from tests.e2e.conftest import House, Person, SignIn
from tests.e2e.everywhere import servers
from tests.e2e.test_people import SOON
from tests.e2e.watching import seen, watch
from tests.sizes import TORTURE, cases, tell

WIDTHS = (1280, 360) if TORTURE else (1280,)


def a_poll(someone: Person) -> None:
    """One more pass is told on the page."""
    health = someone.page.locator("[data-as-of]").first
    expect(health).not_to_have_attribute("data-as-of", str(health.get_attribute("data-as-of")), timeout=SOON)


def test_an_idle_list_stands_still_and_a_busy_one_hardly_moves(person: SignIn, house: House) -> None:
    asked: list[str] = []
    for width in WIDTHS:
        viewer = person("viewer", width=width, moving=True)
        viewer.page.on("request", lambda one: asked.append(one.url))
        page = viewer.open("/servers/?type=RECOVERY&sort=name")
        keys = [one["uuid"] for one in servers(page, house.url) if one["status"] == "STAND_BY"]
        watch(page)
        for _ in range(20):
            before = seen(page)
            a_poll(viewer)
            idle = seen(page)
            if idle.rows == before.rows:
                break  # a poll in which nothing changed
        assert idle.rows == before.rows
        assert idle.moves == before.moves
        for number in range(cases(1, full=10)):
            for key in keys:
                house.cloud("world", server=key, set={"public_ip": f"203.0.113.{number + 1}"})
            a_poll(viewer)
        a_poll(viewer)
        busy = seen(page)
        assert busy.rows > idle.rows
        tell(f"{width} px: {busy.rows} rows drawn anew, a layout shift of {busy.shift:.4f}")
        assert busy.shift < 0.02
        assert not [url for url in asked if "freshness" in url], "what was read is never fetched again as a whole"
        assert viewer.stayed()
