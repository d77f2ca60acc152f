"""What the streams tell, and to whom: over real sockets, with a real Redis."""

import time

import pytest
from django.utils.translation import get_language

from drdash.failover import notices
from drdash.tenants.roles import Role
from drdash.web import rows
from drdash.web.streams import bookmark
from tests.web.live.conftest import Cast, Serve, cookie, poll

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_change_is_on_the_stream_within_a_second(serve: Serve, cast: Cast) -> None:
    listener = serve().settled(cookie(cast.alice), "server-row-*")
    took = []
    for name in ("Mail", "Files", "Web"):
        before = time.monotonic()
        poll(cast.acme, one=name)
        events = listener.each("server-row-one", f"health-{cast.acme.pk}", "estate-changed")
        took.append(max(event.at for event in events.values()) - before)
    assert min(took) < 1, "it waits for nothing, whatever else a machine has to do"
    assert events["server-row-one"].data == "server-row-one for operator\nWeb"
    assert events["estate-changed"].data == str(cast.acme.pk)


def test_the_headers_keep_proxies_from_holding_it_back(serve: Serve, cast: Cast) -> None:
    headers = serve().listen(cookie(cast.alice)).headers
    assert headers["content-type"].startswith("text/event-stream")
    assert headers["cache-control"] == "no-cache"
    assert headers["x-accel-buffering"] == "no"
    assert headers["x-content-type-options"] == "nosniff"
    assert "set-cookie" not in headers


def test_another_tenants_change_is_not_even_hinted_at(serve: Serve, cast: Cast) -> None:
    served = serve()
    charlie = served.settled(cookie(cast.charlie), "server-row-*,server-panel-one,action-*")
    alice = served.settled(cookie(cast.alice), "server-row-*")
    poll(cast.acme, one="Web")
    alice.next("server-row-one")
    poll(cast.globex, two="Mail")
    told = charlie.everything()
    assert told[-1].id
    assert {one.name for one in told} <= {"server-row-two", "estate-changed", f"health-{cast.globex.pk}", "beat"}
    assert {one.data for one in told if one.name == "estate-changed"} <= {str(cast.globex.pk)}
    assert ("server-row-one", cast.acme.pk, Role.ADMIN) not in served.drawn


def test_a_topic_is_drawn_once_a_role_and_only_if_someone_asked(serve: Serve, cast: Cast) -> None:
    served = serve()
    session = cookie(cast.alice)
    listeners = [served.settled(session, "server-row-one") for _ in range(3)]
    listeners += [served.settled(cookie(cast.bob), "server-row-*")]
    poll(cast.acme, one="Web")
    for listener in listeners:
        listener.each("server-row-one", f"health-{cast.acme.pk}", "estate-changed")
    rows = [(topic, role) for topic, _, role in served.drawn if topic.startswith("server")]
    assert sorted(rows) == [("server-row-one", Role.OPERATOR), ("server-row-one", Role.VIEWER)]


def test_a_pass_that_changed_nothing_tells_the_health_alone(serve: Serve, cast: Cast) -> None:
    poll(cast.acme, one="Web")
    listener = serve().settled(cookie(cast.alice), "server-row-*")
    poll(cast.acme, one="Web")
    assert listener.next("server-row-one", "estate-changed", f"health-{cast.acme.pk}").name.startswith("health-")


def test_a_notice_reaches_every_page_of_the_tenant_and_no_other(serve: Serve, cast: Cast) -> None:
    served = serve()
    alice, charlie = (served.settled(cookie(one), "site-row-*") for one in (cast.alice, cast.charlie))
    notices.changed(cast.acme.pk)
    assert alice.next("notices", "estate-changed").name == "notices"
    notices.changed(cast.globex.pk)
    assert charlie.next("notices").data == str(cast.globex.pk)


@pytest.mark.parametrize("last_id", ["", "1-1", "nonsense", "99999999999999-0"])
def test_who_comes_without_a_known_id_is_told_to_fetch(serve: Serve, cast: Cast, last_id: str) -> None:
    served, eyes = serve(), cast.eyes(cast.alice)
    for known in (last_id, f"{last_id}.{eyes}" if last_id else ""):
        assert served.listen(cookie(cast.alice), last_id=known).next("resync", "beat").name == "resync"


def test_an_id_without_the_eyes_it_was_for_is_not_known(serve: Serve, cast: Cast) -> None:
    served = serve()
    alice = served.settled(cookie(cast.alice))
    poll(cast.acme, one="Web")
    known = alice.caught_up()
    assert served.listen(cookie(cast.alice), last_id=known).next("resync", "beat").name == "beat"
    assert served.listen(cookie(cast.alice), last_id=known.partition(".")[0]).next("resync")


def test_who_comes_back_is_told_once_what_was_missed_as_it_is_now(serve: Serve, cast: Cast) -> None:
    served = serve()
    session = cookie(cast.alice)
    listener = served.settled(session, "server-row-*")
    other = served.settled(session, "server-row-one")
    poll(cast.acme, one="Web", two="Mail")
    known = listener.caught_up()
    listener.close()
    other.next("server-row-one")
    for name in ("Web 2", "Web 3"):
        poll(cast.acme, one=name, two="Mail")
        while name not in other.next("server-row-one").data:
            pass
    again = served.listen(session, "server-row-*", last_id=known)
    assert again.next("server-row-one", "server-row-two", "resync").data.endswith("Web 3")
    poll(cast.acme, one="Web 3", two="Mail 2")
    assert again.next("server-row-one", "server-row-two", "resync").data.endswith("Mail 2")


def test_a_hub_that_starts_anew_still_knows_what_the_stream_holds(serve: Serve, cast: Cast) -> None:
    session = cookie(cast.alice)
    listener = serve().settled(session, "server-row-*")
    poll(cast.acme, one="Web")
    known = listener.caught_up()
    poll(cast.acme, one="Web 2")
    restarted = serve()
    reading_along = restarted.settled(session)
    poll(cast.acme, one="Web 2", two="Mail")
    reading_along.next("estate-changed")
    events = restarted.listen(session, "server-row-*", last_id=known).everything()
    assert {event.data.split("\n")[1] for event in events if event.name.startswith("server")} == {"Web 2", "Mail"}
    assert "resync" not in {event.name for event in events}


def test_an_id_of_another_tenant_is_not_known(serve: Serve, cast: Cast) -> None:
    served = serve()
    poll(cast.acme, one="Web")
    alice = served.settled(cookie(cast.alice))
    poll(cast.acme, one="Web 2")
    of_acme = alice.caught_up().partition(".")[0]
    known = bookmark(of_acme, cast.eyes(cast.charlie))
    assert served.listen(cookie(cast.charlie), last_id=known).next("resync")


def test_an_idle_stream_beats(serve: Serve, cast: Cast) -> None:
    listener = serve(heartbeat=0.05).listen(cookie(cast.alice))
    beats = [listener.next("beat") for _ in range(3)]
    assert beats[2].at - beats[0].at >= 0.08
    assert not any(beat.id for beat in beats)
    assert "beat" in listener.comments


def test_the_stream_sends_what_the_page_includes(serve: Serve, cast: Cast) -> None:
    listener = serve(render=rows.render).settled(cookie(cast.bob), "server-row-*")
    poll(cast.acme, one="Web")
    topic, health = "server-row-one", f"health-{cast.acme.pk}"
    events = listener.each(topic, health)
    assert 'id="server-row-one"' in events[topic].data
    assert events[topic].data == rows.render(topic, tenant=cast.acme.pk, role=Role.VIEWER)
    assert events[health].data == rows.render(health, tenant=cast.acme.pk, role=Role.VIEWER)


def test_each_stream_is_told_in_the_language_of_its_page_and_none_is_drawn_that_nobody_reads(
    serve: Serve, cast: Cast
) -> None:
    spoken: list[str | None] = []

    def draw(topic: str, *, tenant: int, role: Role) -> str:
        if topic.startswith("server"):
            spoken.append(get_language())
        return f"in {get_language()}"

    served = serve(render=draw)
    session = cookie(cast.alice)
    english, german = served.settled(session, "server-row-*"), served.settled(session, "server-row-*&language=de")
    also = served.settled(session, "server-row-one&language=de")
    poll(cast.acme, one="Web")
    told = [one.next("server-row-one").data for one in (english, german, also)]
    assert told == ["in en", "in de", "in de"]
    assert sorted(map(str, spoken)) == ["de", "en"]
