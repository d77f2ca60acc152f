"""A shelf of tokens that is away, or can only be read: each process goes on by itself, and nothing is lost."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from drdash.cloud import wire
from drdash.cloud.oauth import Token
from tests.cloud.conftest import NOW, RawCloud
from tests.cloud.conftest import granted as granting
from tests.cloud.installations import REFRESH, installed, signed_in


def test_a_refused_token_does_not_come_back_from_a_shelf_that_missed_its_refusal(cloud: RawCloud) -> None:
    at = installed(cloud)
    at.gives("one", "two", "three")
    process = at.process()
    one = process()
    at.shelf.away = True
    process.tokens.forget(one)
    two = process()
    at.shelf.away = False
    assert (two.text, process(instead_of=two).text) == ("two", "three")


def test_without_the_shelf_each_process_goes_on_by_itself(cloud: RawCloud) -> None:
    at = installed(cloud)
    at.gives("one", "two", "three", "four")
    first, second = at.process(), at.process()
    one = first()
    at.shelf.away = True
    assert first() == one
    assert second().text == "two"
    assert first(instead_of=one).text == "three"
    third = first()
    first.tokens.forget(third)
    assert first().text == "four"
    at.shelf.away = False
    at.now += 5
    assert first().text == "four"
    assert len(at.forms) == 4
    assert [token.text for token in at.shelf.kept] == ["one"]


def test_a_good_token_costs_no_trip_to_the_shelf_and_waits_for_nobody(cloud: RawCloud) -> None:
    at = installed(cloud)
    process = at.process()
    one = process()
    trips = at.shelf.trips
    assert process() == one
    assert at.shelf.trips == trips

    asked, release = threading.Event(), threading.Event()

    def slow(connection: socket.socket) -> None:
        asked.set()
        release.wait(10)
        connection.sendall(granting("two"))

    cloud.tokens = [slow]
    with ThreadPoolExecutor(1) as threads:
        renewing = threads.submit(process, one)
        assert asked.wait(10)
        assert process(seconds=0.2) == one
        release.set()
        assert renewing.result().text == "two"


def test_a_shelf_that_can_only_be_read_is_as_good_as_away(cloud: RawCloud) -> None:
    at = signed_in(cloud)
    process = at.process()
    process()
    at.gives("one", refresh=True)
    at.now += 90
    at.shelf.frozen = True
    assert process().text == "one"
    at.shelf.frozen = False
    at.now += 5
    assert process().text == "one"
    assert at.shelf.kept[-1].text == "one"


def test_a_shelf_that_is_away_is_not_tried_at_each_request(cloud: RawCloud) -> None:
    at = signed_in(cloud)
    process = at.process()
    process()
    at.gives("one", refresh=True, life=1000)
    at.now += 90
    at.shelf.away = True
    process()
    for tries in (0, 1):
        trips = at.shelf.trips
        for _ in range(3):
            process()
        assert at.shelf.trips == trips + tries
        at.now += 5
    at.shelf.away = False
    with at.shelf.renewing(""):
        process()
    assert [token.text for token in at.shelf.kept] == ["zero"]
    at.now += 5
    process()
    assert [token.text for token in at.shelf.kept] == ["zero", "one"]
    trips = at.shelf.trips
    at.now += 5
    process()
    assert at.shelf.trips == trips


def test_a_sign_in_that_is_renewed_while_the_shelf_is_away_comes_to_it_later(cloud: RawCloud) -> None:
    at = signed_in(cloud)
    first, second = at.process(), at.process()
    first()
    at.gives("one", "two", "three", refresh=True, life=50)
    at.now += 90
    at.shelf.away = True
    assert first().text == "one"
    at.now += 45
    assert first().text == "two"
    at.shelf.away = False
    assert first().text == "two"
    assert [token.text for token in at.shelf.kept] == ["zero"]
    at.now += 5
    assert first().text == "two"
    assert second().text == "two"
    at.now += 45
    assert second().text == "three"
    assert at.refreshed == ["zero", "one", "two"]


def test_what_the_shelf_missed_comes_to_it_before_anything_is_renewed(cloud: RawCloud) -> None:
    at = signed_in(cloud)
    first = at.process()
    first()
    at.gives("one", "two", refresh=True, life=4)
    at.now += 90
    at.shelf.away = True
    first()
    at.shelf.away = False
    at.now += 4
    assert first().text == "two"
    assert at.refreshed == ["zero", "one"]
    assert [token.text for token in at.shelf.kept] == ["zero", "one", "two"]


def test_a_token_that_could_not_be_kept_is_not_lost(cloud: RawCloud) -> None:
    at = signed_in(cloud)
    first = at.process()
    at.gives("one", refresh=True)
    at.now += 90
    at.shelf.deaf = True
    assert first().text == "one"
    at.shelf.deaf = False
    at.now += 5
    assert first().text == "one"
    assert at.process()().text == "one"
    assert at.refreshed == ["zero"]


def test_what_the_shelf_missed_does_not_replace_a_newer_sign_in(cloud: RawCloud) -> None:
    at = signed_in(cloud)
    first = at.process()
    first()
    at.gives("one", refresh=True)
    at.now += 90
    at.shelf.away = True
    first()
    at.shelf.away = False
    at.shelf.keep("", Token("anew", NOW + 1000, f"{REFRESH}-anew"))
    at.now += 5
    first()
    assert at.process()().text == "anew"
    assert at.shelf.kept[-1].text == "anew"


def test_a_sign_in_that_cannot_be_read_is_not_called_over(cloud: RawCloud) -> None:
    at = signed_in(cloud)
    at.shelf.away = True
    with pytest.raises(wire.NotSent, match=r"^Nothing was asked: the place where the sign-in"):
        at.process()()
    assert cloud.requests == []
