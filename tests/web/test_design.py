"""The stylesheet and the sprite: their size, what can be read on what, and what each icon is taken from."""

import re
from itertools import product
from pathlib import Path

import pytest
from django.conf import settings

from drdash.web import wording

ICONS = (Path(settings.BASE_DIR) / "static" / "drdash" / "icons.svg").read_text()
CSS = (Path(settings.BASE_DIR) / "static" / "drdash" / "drdash.css").read_text()
TONES = ("moving", "still", "good", "warn", "bad")
INKS = ("ink", "soft", "accent", "prod-ink", *TONES)
GROUNDS = ("ground", "card", "raised", "hover")
# What is read on its own ground, besides every ink on each of the page's.
PAIRS = [(tone, f"{tone}-g") for tone in TONES] + [
    ("prod", "prod-g"),
    ("on-accent", "accent"),
    ("soft", "still-g"),
    ("soft", "warn-g"),
]

Schemes = dict[str, tuple[str, str]]


def tokens(css: str) -> Schemes:
    """Each colour as it is in the light and in the dark."""
    return {name: (light, dark) for name, light, dark in re.findall(r"--([\w-]+): light-dark\((#\w+), (#\w+)\)", css)}


def rules(css: str) -> list[tuple[str, dict[str, str]]]:
    """Each rule that holds no other, with its declarations."""
    plain = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    return [
        (selector.strip(), dict(re.findall(r"([\w-]+):\s*([^;{}]+?)\s*(?:;|$)", body)))
        for selector, body in re.findall(r"([^{};]+)\{([^{}]*)\}", plain)
    ]


def luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    wide = digits if len(digits) == 6 else "".join(one * 2 for one in digits)
    parts = [int(wide[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """As WCAG counts it."""
    dim, bright = sorted((luminance(one), luminance(other)))
    return (bright + 0.05) / (dim + 0.05)


def too_faint(colours: Schemes, pairs: list[tuple[str, str]], least: float) -> list[str]:
    return [
        f"{ink} on {ground}, {scheme}: {measured:.2f}"
        for ink, ground in pairs
        for at, scheme in enumerate(("light", "dark"))
        if (measured := contrast(colours[ink][at], colours[ground][at])) < least
    ]


def usual() -> Schemes:
    return tokens(CSS.partition("@media")[0])


def strong() -> Schemes:
    """Where the system asks for more contrast."""
    return usual() | tokens(CSS.partition("@media (prefers-contrast: more)")[2].partition("\n}\n")[0])


def test_contrast_is_counted_as_the_guideline_does() -> None:
    assert contrast("#000", "#fff") == 21
    assert round(contrast("#767676", "#ffffff"), 2) == 4.54


def test_every_ink_can_be_read_on_every_ground_that_it_meets() -> None:
    pairs = [*product(INKS, GROUNDS), *PAIRS]
    assert not too_faint(usual(), pairs, 4.5)
    assert not too_faint(strong(), pairs, 4.5)


def test_who_asks_for_more_contrast_gets_more() -> None:
    assert not too_faint(strong(), [*product(("ink", "soft", "still"), GROUNDS)], 7)


def test_what_is_drawn_around_a_field_can_be_seen() -> None:
    assert not too_faint(usual(), [("edge", ground) for ground in GROUNDS], 3)


def test_no_rule_puts_an_ink_on_another_ground() -> None:
    """Where a rule says both, the pair is one of those that are measured above."""
    known = {*product(INKS, GROUNDS), *PAIRS, ("card", "bad"), ("card", "ink")}
    for selector, told in rules(CSS):
        ink = re.fullmatch(r"var\(--([\w-]+)\)", told.get("color", ""))
        ground = re.fullmatch(r"var\(--([\w-]+)\)", told.get("background", ""))
        if ink and ground:
            assert (ink[1], ground[1]) in known, selector
    assert not too_faint(usual(), [("card", "bad"), ("card", "ink")], 4.5)


def test_colours_are_tokens() -> None:
    """Nowhere else is one written down, but for shadows, which hold no words."""
    for selector, told in rules(CSS):
        for name, value in told.items():
            if not name.startswith("--") and selector != "dialog::backdrop":
                assert not re.search(r"#[0-9a-f]{3,8}\b|rgb|hsl", re.sub(r"\[href[^]]*\]", "", value)), (selector, name)


# What lies beside the scale of distances: out of sight, on a line, as wide as a box or a border.
BESIDE = {
    (".skip", "left"),
    (".steps > li::before", "left"),
    (".picks.servers tbody th:not(:has(.pick))", "padding-left"),
    (".why form", "margin"),
    (".alone main", "margin"),
}
DISTANCE = re.compile(r"(?:padding|margin|inset|gap|top|right|bottom|left)(?:-\w+)*|(?:row|column)-gap")


def test_each_distance_is_a_step_of_the_scale() -> None:
    """Or goes with its own text, in em."""
    told = [(selector, name, value) for selector, body in rules(CSS) for name, value in body.items()]
    literal = {
        (selector, name)
        for selector, name, value in told
        if DISTANCE.fullmatch(name) and re.search(r"\d(?:rem|px|v[hw])", value)
    }
    assert literal <= BESIDE
    assert len(re.findall(r"--s\d: ", CSS)) == 6


def test_sizes_of_type_corners_and_movements_are_tokens() -> None:
    written = {
        "font-size": r"var\(--t\d\)|1rem|0|[\d.]+(?:%|pt)",
        "border-radius": r"(?:(?:var\(--(?:r\d|pill)\)|0) ?)+",
        "animation": r"\w+ var\(--(?:flash|turn)\)(?: infinite)?",
    }
    for selector, told in rules(CSS):
        for name in written.keys() & told.keys():
            assert selector == ".wish .old" or re.fullmatch(written[name], told[name]), (selector, name)


def test_every_token_is_used_and_every_one_that_is_used_is_there() -> None:
    plain = re.sub(r"/\*.*?\*/", "", CSS, flags=re.DOTALL)
    assert set(re.findall(r"(--[\w-]+):", plain)) == set(re.findall(r"var\((--[\w-]+)\)", plain))


@pytest.mark.parametrize("asked", ["prefers-reduced-motion: no-preference", "prefers-contrast: more", "forced-colors"])
def test_what_the_system_asks_for_is_heard(asked: str) -> None:
    assert f"@media ({asked}" in CSS


def test_nothing_moves_where_motion_is_not_wanted() -> None:
    """Movement is opt-in: each animation and transition stands where motion is welcome, but for one that only shows."""
    calm = re.sub(r"@media \(prefers-reduced-motion: no-preference\) \{.*?\n\}\n", "", CSS, flags=re.DOTALL)
    moving = [line for line in calm.splitlines() if re.search(r"\b(animation|transition)\b", line)]
    assert [line for line in moving if not line.startswith(".wish .old")] == []


def test_what_is_pointed_at_does_not_move() -> None:
    """A rule for what is under the pointer says nothing that takes room."""
    told = {(name, selector) for selector, body in rules(CSS) if ":hover" in selector for name in body}
    assert {one for one in told if one[0] not in ("background", "color", "border-color", "text-decoration")} == set()


def test_the_stylesheet_stays_small() -> None:
    assert len(CSS.encode()) < 30_000


def drawn() -> dict[str, str]:
    """Each icon with its drawing."""
    return dict(re.findall(r'<symbol id="(\w+)" viewBox="0 0 16 16">(.*)</symbol>', ICONS))


def test_every_icon_that_is_asked_for_is_drawn() -> None:
    templates = [path.read_text() for path in (Path(settings.BASE_DIR) / "templates").rglob("*.html")]
    asked = {name for text in templates for name in re.findall(r'{% icon "(\w+)" %}', text)}
    tables = [one for one in vars(wording).values() if isinstance(one, dict)]
    looks = {look.icon for table in tables for look in table.values() if isinstance(look, wording.Look)}
    assert (asked | looks) - set(drawn()) == set()


def test_what_differs_in_tone_differs_in_shape() -> None:
    """Who sees no colour can tell them: an icon never stands for two tones, but for what is not said or cannot go."""
    tones: dict[str, set[str]] = {}
    for table in (wording.SERVER_STATUS, wording.READINESS, wording.SEVERITY, wording.RPO, wording.STATE):
        for look in table.values():
            tones.setdefault(look.icon, set()).add(look.tone)
    assert {icon: found for icon, found in tones.items() if len(found) > 1} == {"moving": {"moving", "prod"}}
    assert len(set(drawn().values())) == len(drawn())


def test_the_script_stays_small() -> None:
    assert (Path(settings.BASE_DIR) / "static" / "drdash" / "drdash.js").stat().st_size < 10_000
