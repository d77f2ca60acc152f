"""What a page does by itself: how far things move, what holds it up, how many rows are drawn anew."""

from dataclasses import dataclass

from playwright.sync_api import Page

WATCH = """() => {
    window.watched = { tasks: [], shifts: [], rows: 0 };
    const watch = (type, see) => new PerformanceObserver((list) => list.getEntries().forEach(see)).observe({ type });
    watch("longtask", (one) => watched.tasks.push(Math.round(one.duration)));
    watch("layout-shift", (one) => { if (!one.hadRecentInput) watched.shifts.push([one.startTime, one.value]); });
    const rows = (list) => list.flatMap((one) => [...one.addedNodes]).filter((one) => one.nodeName === "TR").length;
    const main = document.querySelector("#main");
    new MutationObserver((list) => { watched.rows += rows(list); }).observe(main, { childList: true, subtree: true });
}"""


@dataclass(frozen=True)
class Watched:
    """``tasks``: of more than 50 ms each; ``moves``: how often something moved; ``shift``: how far."""

    tasks: list[int]
    moves: int
    shift: float
    rows: int


def watch(page: Page) -> None:
    """From now on. Before anything is watched, Chromium must know of no input: a shift after it would not count."""
    page.evaluate(WATCH)


def seen(page: Page) -> Watched:
    """What was seen so far."""
    found = page.evaluate("window.watched")
    return Watched(found["tasks"], len(found["shifts"]), cumulative(found["shifts"]), found["rows"])


def cumulative(shifts: list[tuple[float, float]]) -> float:
    """The worst burst: shifts of at most 5 s together, less than 1 s apart (web.dev's definition of the measure)."""
    worst = burst = begun = last = 0.0
    for at, value in shifts:
        if not burst or at - last > 1000 or at - begun > 5000:
            burst, begun = 0.0, at
        burst, last = burst + value, at
        worst = max(worst, burst)
    return worst
