"""The recovery points in the dialog: loaded once it is open, from the own cloud alone, and never in the way."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils.html import escape

from drdash.cloud.neighbours.points import Point, Points
from drdash.cloud.records import RecoveryPoint, Server
from drdash.failover.models import Action
from drdash.simulator.simulation import Simulator
from drdash.simulator.state import iso
from drdash.tenants.models import Tenant
from drdash.web import beside
from drdash.web.points import LISTED, Choice, above, loses, size, sorted_out, span
from tests import hostile
from tests.hostile import Elsewhere
from tests.web import seen
from tests.web.opening import opened
from tests.web.seen import NOON

VAULT = "/vault_manager/"
IDS = {"archive_id": "A-1", "vault_id": "V-1"}


def listed(user: User, server: Server, *shown: str, test: bool = False) -> tuple[int, str]:
    client = Client()
    client.force_login(user)
    asked = {"above": ["latest", *shown]} | ({"test": "1"} if test else {})
    answer = client.get(f"/servers/{server.uuid}/recovery-points/", asked)
    return answer.status_code, answer.content.decode()


def have(simulator: Simulator, server: Server, *points: dict[str, Any]) -> None:
    """Let the vault manager list these recovery points, each so many hours old."""
    with simulator.lock:
        known = simulator.world.server(server.uuid)
        assert known is not None
        known.ordinal = 0
        known.points = [
            {**IDS, "backup_id": f"B-{n}", "type": "full", "size": n * 2**30, **one, "created": iso(one["created"])}
            for n, one in enumerate(points, 1)
        ]


def hours_ago(hours: float) -> float:
    return (datetime.now(UTC) - timedelta(hours=hours)).timestamp()


def asked(simulator: Simulator) -> int:
    return sum(VAULT in one.path for one in simulator.requests)


def test_the_newest_comes_first_with_what_a_start_from_it_loses(
    bob: User, server: Server, simulator: Simulator
) -> None:
    have(simulator, server, {"created": hours_ago(6.21)}, {"created": hours_ago(30.5), "type": "cdp"})
    status, html = listed(bob, server)
    assert status == 200
    assert re.findall(r"You lose [^<]*\.", html) == [
        "You lose 6 h 12 min.",
        "You lose 1 d 6 h.",
        "You lose 6 h 12 min.",
    ]
    assert re.findall(r"<code>(B-\d)</code>", html) == ["B-1", "B-2"]
    assert "full, 1.0 GiB, no malware found" in html
    assert "continuous, 2.0 GiB" in html


def test_a_test_loses_nothing_so_it_is_told_how_old_the_data_is(
    bob: User, server: Server, simulator: Simulator
) -> None:
    have(simulator, server, {"created": hours_ago(6.21)}, {"created": hours_ago(30.5)})
    assert 'test=1"' in opened(bob, server).html
    told = listed(bob, server, test=True)[1]
    assert "You lose" not in told
    assert re.findall(r"Its data is [^<]*\.", told) == [
        "Its data is 6 h 12 min old.",
        "Its data is 1 d 6 h old.",
        "Its data is 6 h 12 min old.",
    ]
    assert "lose" not in loses(None, NOON, test=True) + loses(NOON + timedelta(hours=1), NOON, test=True)


def test_the_latest_tells_what_it_loses_when_the_list_has_come(bob: User, server: Server, simulator: Simulator) -> None:
    have(simulator, server, {"created": hours_ago(3.21)})
    latest = Choice("latest").id
    assert f'id="{latest}-told"' in opened(bob, server).html
    told = re.search(rf'id="{latest}-told" hx-swap-oob="true">(.*?)</span>', listed(bob, server)[1])
    assert told is not None
    assert "You lose 3 h 12 min." in told[1]


def test_a_point_with_a_critical_error_is_counted_and_not_offered(
    bob: User, server: Server, simulator: Simulator
) -> None:
    critical = {"error": "It is broken.", "is_critical_error": True}
    have(simulator, server, {"created": hours_ago(1)}, {"created": hours_ago(2), "failover_check_info": critical})
    html = listed(bob, server)[1]
    assert ">B-1<" in html
    assert ">B-2<" not in html
    assert "1 more is not offered: the check before a failover found a critical error." in html


def test_malware_is_marked(bob: User, server: Server, simulator: Simulator) -> None:
    have(simulator, server, {"created": hours_ago(1)}, {"created": hours_ago(2), "malware_assessment_result": 1})
    assert "malware found" in listed(bob, server)[1].replace("no malware found", "")


def test_the_chosen_point_is_what_is_sent(bob: User, server: Server, simulator: Simulator) -> None:
    have(simulator, server, {"created": hours_ago(1)}, {"created": hours_ago(2)})
    dialog = opened(bob, server)
    value = re.findall(r'name="point" value="([^"]*B-2[^"]*)"', listed(bob, server)[1])[0].replace("&quot;", '"')
    assert dialog.send(point=value)[0] == 200
    chosen = {**IDS, "backup_id": "B-2"}
    assert Action.objects.get().recovery_point == chosen
    assert msgspec.json.decode(simulator.posts[0].body) == {"recovery_point": chosen}


def test_the_dialog_asks_nothing_of_the_vault_manager_by_itself(
    bob: User, server: Server, simulator: Simulator
) -> None:
    html = opened(bob, server).html
    assert re.search(r'class="points" hx-get="[^"]*/recovery-points/\?above=latest[^"]*" hx-trigger="load"', html)
    assert asked(simulator) == 0


def test_without_a_script_the_page_loads_them_when_asked(bob: User, server: Server, simulator: Simulator) -> None:
    have(simulator, server, {"created": hours_ago(6.21)}, {"created": hours_ago(8)})
    client = Client()
    client.force_login(bob)
    path = f"/servers/{server.uuid}/actions/start_failover_test/"
    plain = client.get(path).content.decode()
    assert f'href="{path}?points=1"' in plain
    assert ">B-2<" not in plain
    html = client.get(f"{path}?points=1").content.decode()
    assert "<!doctype html>" in html
    assert html.count("Its data is 6 h 12 min old.") == 2
    assert "hx-swap-oob" not in html
    assert re.search(r'value="latest" checked', html)


def test_a_dialog_that_comes_again_keeps_the_choice(alice: User, server: Server, simulator: Simulator) -> None:
    have(simulator, server, {"created": hours_ago(1)}, {"created": hours_ago(2)})
    value = msgspec.json.encode(RecoveryPoint(backup_id="B-2", **IDS)).decode()
    status, html, _ = opened(alice, server, "start_failover_prod").send(point=value, confirm="nonsense")
    assert status == 422
    assert f'value="{escape(value)}" checked' in html
    assert "The one chosen before" in html
    assert simulator.posts == []
    later = listed(alice, server, value)[1]
    assert f'value="{escape(value)}"' not in later  # it stands above: the list brings no second one, nor a tick
    assert "checked" not in later
    assert f'id="{Choice(value).id}-told" hx-swap-oob="true"><b>You lose 2 h' in later


def test_a_choice_above_that_has_a_critical_error_cannot_be_chosen_any_more(
    bob: User, server: Server, simulator: Simulator
) -> None:
    have(simulator, server, {"created": hours_ago(1)}, {"created": hours_ago(2), "failover_check_info": "?"})
    value = msgspec.json.encode(RecoveryPoint(backup_id="B-2", **IDS)).decode()
    html = listed(bob, server, value)[1]
    assert re.search(rf'id="{Choice(value).id}" hx-swap-oob="true"><input [^>]* disabled>', html)


def test_a_viewer_has_no_dialog_and_a_stranger_nothing(
    victor: User, charlie: User, server: Server, simulator: Simulator
) -> None:
    assert [listed(victor, server)[0], listed(charlie, server)[0]] == [404, 404]
    assert asked(simulator) == 0


def test_the_servers_page_leads_to_the_list_also_those_who_may_only_see(
    victor: User, charlie: User, server: Server, simulator: Simulator
) -> None:
    have(simulator, server, {"created": hours_ago(6.2)}, *[{"created": hours_ago(30)}] * LISTED)
    page, client = f"/servers/{server.uuid}/", Client()
    client.force_login(charlie)
    assert client.get(f"{page}recovery-points/").status_code == 404
    assert asked(simulator) == 0
    client.force_login(victor)
    assert f'hx-get="{page}recovery-points/"' in client.get(page).content.decode()
    part = client.get(f"{page}recovery-points/", headers={"HX-Request": "true"}).content.decode()
    alone = client.get(f"{page}recovery-points/").content.decode()
    for html in (part, alone):
        assert re.findall(r"<code>(B-\d+)</code>", html) == [f"B-{n}" for n in range(1, LISTED + 1)]
        assert f"{LISTED} of {LISTED + 1} are shown." in html
    assert "<html" in alone
    assert "<html" not in part


def test_who_is_not_signed_in_gets_nothing(server: Server, simulator: Simulator) -> None:
    assert Client().get(f"/servers/{server.uuid}/recovery-points/").status_code == 302
    assert asked(simulator) == 0


@pytest.mark.parametrize(
    ("fault", "how", "words"),
    [
        ("403", {}, "does not show recovery points to this credential. The right to read backups would add them"),
        ("404", {}, "The right to read backups would add them (vault_manager::read or protection::readonly)."),
        ("500", {}, "could not be read"),
        ("504", {}, "could not be read"),
        ("html", {}, "a page of HTML"),
        ("garbage", {}, "not JSON"),
        ("half_body", {}, "broke before the answer was whole"),
        ("redirect", {"location": "http://127.0.0.1:1/x"}, "redirect"),
        ("reset", {}, "was reset"),
        ("answer", {"body": '{"items": {}}'}, "a list of items"),
        ("answer", {"body": '{"items": []}'}, "lists no recovery point that can be used"),
    ],
)
def test_a_refusal_is_told_in_words_and_takes_nothing_away(
    bob: User, server: Server, simulator: Simulator, fault: Any, how: dict[str, Any], words: str
) -> None:
    dialog = opened(bob, server)
    simulator.fail(fault, path=VAULT, times=2, **how)
    status, html = listed(bob, server)
    assert status == 200
    assert words in html
    assert "What you lose is not known." in html
    assert 'type="radio"' not in html
    simulator.clear_faults()
    assert dialog.send()[0] == 200
    assert len(simulator.posts) == 1


def test_nothing_is_asked_before_its_time(bob: User, server: Server, simulator: Simulator) -> None:
    simulator.fail("429", path=VAULT, retry_after=30)
    assert "asks to wait for 30 s" in listed(bob, server)[1]
    assert "asks to wait for 30 s" in listed(bob, server)[1]
    assert asked(simulator) == 1


def test_a_vault_manager_that_drips_is_cut_off_for_all_pages_together(
    bob: User, server: Server, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beside, "SECONDS", 0.4)
    simulator.fail("drip", path=VAULT, seconds=0.01)
    before = datetime.now(UTC)
    assert "was not there after" in listed(bob, server)[1]
    assert datetime.now(UTC) - before < timedelta(seconds=2)


def test_only_so_many_wait_for_it_at_once(bob: User, server: Server, simulator: Simulator) -> None:
    for _ in range(beside.AT_ONCE):
        beside._slots.acquire()
    try:
        assert "try again in a moment" in listed(bob, server)[1]
    finally:
        for _ in range(beside.AT_ONCE):
            beside._slots.release()
    assert asked(simulator) == 0


def test_more_than_a_hundred_are_read_over_pages(bob: User, server: Server, simulator: Simulator) -> None:
    have(simulator, server, *({"created": hours_ago(n)} for n in range(1, 131)))
    html = listed(bob, server)[1]
    assert html.count('type="radio"') == 130
    assert asked(simulator) == 2


def test_a_server_without_the_link_has_no_list(bob: User, tenant: Tenant, simulator: Simulator) -> None:
    seen.publish(tenant.pk, seen.server("s-1", _links=None), seen.server("s-2"))
    assert "names no list" in listed(bob, seen.server("s-1"))[1]
    assert "names no list" in listed(bob, seen.server("s-2"))[1]


def test_no_hostile_link_is_called(bob: User, tenant: Tenant, simulator: Simulator, elsewhere: Elsewhere) -> None:
    hrefs = hostile.hrefs(simulator.url, elsewhere.url)
    rel = "DR_CLOUD_SERVER_RECOVERY_POINTS"
    servers = [
        seen.server(f"s-{n}", _links=[{"rel": rel, "href": href, "type": ""}])
        for n, href in enumerate(hrefs)
        if not any("\ud800" <= character <= "\udfff" for character in href)
    ]
    seen.publish(tenant.pk, *servers)
    simulator.forget_requests()
    for server in servers:
        status, html = listed(bob, server)
        assert status == 200
        assert "not on the cloud" in html or "names no list" in html, server.links
    assert len(servers) > 190
    assert elsewhere.calls == 0
    assert simulator.requests == []


def read(*ages: float, broken: int = -1, rest: str = "", newest: bool = True, at: datetime | None = None) -> Points:
    items = [
        Point(RecoveryPoint(f"b{n}", "a", "v"), "", NOON - timedelta(hours=age), None, "", "", n == broken)
        for n, age in enumerate(ages)
    ]
    return Points(tuple(items), at, 0, rest, newest)


LATEST = above(seen.server())


def test_the_latest_is_not_promised_when_the_newest_is_broken() -> None:
    assert "not known" in sorted_out(read(1, 2, broken=0), LATEST, NOON).above[0].loses


def test_the_latest_is_not_promised_when_the_newest_may_be_elsewhere() -> None:
    assert sorted_out(read(1, 2, rest="More.", newest=False), LATEST, NOON).above[0].loses == ""


def test_what_is_lost_is_told_by_the_clouds_clock_when_ours_is_off() -> None:
    late = sorted_out(read(1, at=NOON), LATEST, NOON + timedelta(hours=1))
    assert late.above[0].loses == "You lose 1 h 0 min."


def test_a_point_that_the_server_names_and_the_list_does_not_is_said_to_be_gone() -> None:
    point = {"backup_id": "gone", **IDS}
    named = above(seen.server(recovery={"resource_id": "r", "test_failover": {"recovery_point": point}}))
    assert "no longer lists it" in sorted_out(read(1), named, NOON).above[1].loses
    assert sorted_out(read(1, rest="More."), named, NOON).above[1].loses == ""


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (0, "less than a minute"),
        (12, "12 min"),
        (372, "6 h 12 min"),
        (60, "1 h 0 min"),
        (1440, "1 d 0 h"),
        (4567, "3 d 4 h"),
    ],
)
def test_a_span_is_told_to_the_minute(minutes: int, words: str) -> None:
    assert span(timedelta(minutes=minutes)) == words


def test_a_time_that_is_not_known_or_to_come_tells_no_loss() -> None:
    assert "not known" in loses(None, NOON)
    assert "not known" in loses(NOON + timedelta(hours=1), NOON)


@pytest.mark.parametrize(("count", "words"), [(None, ""), (7, "7 B"), (1536, "1.5 KiB"), (2**40 * 3, "3,072.0 GiB")])
def test_a_size_is_told_in_units_of_1024(count: int | None, words: str) -> None:
    assert size(count) == words
