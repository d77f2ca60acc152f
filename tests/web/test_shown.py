from drdash.web import shown
from drdash.web.shown import STAYS, Shown, Steps, step


def keys(text: str) -> tuple[tuple[int, str], ...]:
    return tuple((1, one) for one in text)


def text(rows: tuple[tuple[int, str], ...]) -> str:
    return "".join(key for _, key in rows)


NOTHING = Steps((), (), (), (), moved=False)


def test_a_list_that_is_the_same_has_nothing_to_do() -> None:
    assert step(Shown(keys("abc")), keys("abc"), 0) == (Shown(keys("abc")), NOTHING)


def test_what_no_longer_matches_says_so_before_it_goes() -> None:
    state, steps = step(Shown(keys("abc")), keys("ac"), 10)
    assert (text(state.rows), text(steps.leaves), steps.gone) == ("abc", "b", ())
    state, steps = step(state, keys("ac"), 10 + STAYS / 2)
    assert (text(state.rows), steps) == ("abc", NOTHING)
    state, steps = step(state, keys("ac"), 10 + STAYS)
    assert (text(state.rows), text(steps.gone), state.leaving) == ("ac", "b", {})


def test_what_matches_again_meanwhile_stays() -> None:
    state, _ = step(Shown(keys("abc")), keys("ac"), 10)
    state, steps = step(state, keys("abc"), 11)
    assert (text(steps.back), state) == ("b", Shown(keys("abc")))


def test_what_comes_is_put_where_it_belongs() -> None:
    state, steps = step(Shown(keys("bd")), keys("abcde"), 0)
    assert text(state.rows) == "abcde"
    assert steps.comes == (((1, "a"), None), ((1, "c"), (1, "b")), ((1, "e"), (1, "d")))
    assert not steps.moved


def test_what_would_stand_elsewhere_stays_where_it_is_until_it_is_sorted_again() -> None:
    state, steps = step(Shown(keys("abc")), keys("cab"), 0)
    assert (text(state.rows), steps.moved) == ("abc", True)
    assert steps == Steps((), (), (), (), moved=True)


def test_of_too_many_lists_the_oldest_are_forgotten() -> None:
    half = Shown(tuple((1, str(number)) for number in range(shown.MOST // 2)))
    for name in ("first", "second", "third"):
        shown.remember(name, half)
    assert [shown.recall(name) is None for name in ("first", "second", "third")] == [True, True, False]


def test_in_someones_hand_a_list_says_what_leaves_and_lets_nothing_go_or_come() -> None:
    state, steps = step(Shown(keys("abc")), keys("0ac"), 10, held=True)
    assert (text(state.rows), text(steps.leaves), steps.comes) == ("abc", "b", ())
    state, steps = step(state, keys("0ac"), 10 + STAYS, held=True)
    assert (text(state.rows), steps) == ("abc", NOTHING)
    state, steps = step(state, keys("0ac"), 11 + STAYS)
    assert (text(state.rows), text(steps.gone), len(steps.comes)) == ("0ac", "b", 1)
