import pytest

from drdash.web.topics import BadQuery, Touched, Wanted, wanted

KEY = "0d6bbbae-35ab-4f3f-8e1a-2ef1bbf1cf45"


def test_topics_are_taken_as_they_are_and_a_prefix_becomes_the_kinds_it_covers() -> None:
    assert wanted(f"topics=server-panel-{KEY},action-row-*".encode()).topics == {f"server-panel-{KEY}", "action-row-*"}
    assert wanted(b"topics=site-*").topics == {"site-row-*", "site-panel-*"}


@pytest.mark.parametrize("query", [b"", b"topics="])
def test_a_page_may_ask_for_nothing_but_the_health_of_its_tenants(query: bytes) -> None:
    assert wanted(query).topics == frozenset()


def test_a_page_says_up_to_where_it_shows_everything() -> None:
    assert wanted(b"topics=site-row-*&after=10-1.ab") == Wanted(frozenset({"site-row-*"}), "10-1.ab")
    assert wanted(b"after=").after == wanted(b"").after == ""


def test_a_stream_speaks_the_language_of_its_page() -> None:
    assert wanted(b"topics=server-row-*&language=de") == Wanted(frozenset({"server-row-*"}), language="de")
    assert wanted(b"language=ja").language == "ja"
    assert wanted(b"topics=server-row-*").language == wanted(b"").language == "en"


def test_percent_signs_are_decoded_as_utf_8() -> None:
    assert wanted(b"topics=server-row-n%C3%A9%40x").topics == {"server-row-né@x"}


@pytest.mark.parametrize(
    "query",
    [
        b"topic=server-row-1",
        b"topics=server-row-1&topics=server-row-2",
        b"topics=server-row-1&tenant=2",
        b"topics=server-row-1&language=xx",
        b"topics=server-row-1&language=",
        b"language=de&language=ja",
        b"topics=server-row-1&after=1-0&after=2-0",
        b"topics=server-row-",
        b"topics=server-row-1,,server-row-2",
        b"topics=everything",
        b"topics=server-row-a%0Aevent:x",
        b"topics=server-row-a%20b",
        b"topics=server-row-a*b",
        b"topics=server-row-%FF",
        b"topics=server-row-abc*",
        b"topics=\xc3\xa9",
        b"topics",
        b"topics=server-row-" + b"x" * 300,
        b"topics=" + b",".join(b"server-row-%d" % number for number in range(300)),
        b"topics=" + b"x" * 40_000,
    ],
)
def test_what_no_page_of_ours_would_ask_is_refused(query: bytes) -> None:
    with pytest.raises(BadQuery):
        wanted(query)


def test_a_server_touches_its_row_its_panel_and_what_is_counted() -> None:
    touched = Touched(1, [f"server:{KEY}", "health"])
    assert touched.asked_for(wanted(b"topics=server-row-*").topics) == {f"server-row-{KEY}"}
    assert touched.asked_for(wanted(f"topics=server-panel-{KEY}".encode()).topics) == {f"server-panel-{KEY}"}
    assert touched.asked_for(frozenset({"estate-changed", "health-1"})) == {"estate-changed", "health-1"}
    assert not touched.asked_for(wanted(b"topics=server-row-other,site-*,action-*").topics)


def test_a_pass_without_a_change_touches_the_health_alone() -> None:
    assert Touched(1, ["health"]).asked_for(frozenset({"estate-changed", "health-1", "health-2"})) == {"health-1"}


def test_a_key_that_would_break_the_line_of_an_event_is_left_out() -> None:
    touched = Touched(1, ["server:a\nevent: x", "server:a,b"])
    assert touched.asked_for(wanted(b"topics=server-row-*").topics) == set()
    assert touched.asked_for(frozenset({"estate-changed"})) == {"estate-changed"}
