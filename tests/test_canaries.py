"""The watch over the logs of the whole suite: it stands, and it sees."""

import logging

from tests.canaries import CANARIES, Watch, watch


def test_the_watch_hears_every_logger_at_debug() -> None:
    before = watch.lines
    logging.getLogger("drdash.cloud.anything").debug("The watch still stands.")
    assert watch.lines == before + 1


def test_the_watch_sees_a_secret_when_there_is_one() -> None:
    own = Watch()
    own.handle(logging.makeLogRecord({"name": "anything", "msg": "token %s", "args": (f"{CANARIES[1]}-abc",)}))
    assert len(own.hits) == 1
