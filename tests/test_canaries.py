"""Runs last: what the logs of the whole suite held."""

import logging

from tests.canaries import CANARIES, Watch, watch


def test_no_secret_was_logged_at_debug_over_the_whole_suite() -> None:
    before = watch.lines
    logging.getLogger("drdash.cloud.anything").debug("The watch still stands.")
    assert watch.lines == before + 1
    assert watch.hits == []


def test_the_watch_sees_a_secret_when_there_is_one() -> None:
    own = Watch()
    own.handle(logging.makeLogRecord({"name": "anything", "msg": "token %s", "args": (f"{CANARIES[1]}-abc",)}))
    assert len(own.hits) == 1
