"""When a server was last tested and whether it started: an old success must not look like one of today."""

from datetime import datetime, timedelta

import msgspec
from django.utils import timezone

from drdash.cloud.records import AutomatedTest, Server
from drdash.cloud.words import ServerStatus, ServerType
from drdash.estate.changes import What
from drdash.estate.models import Moment
from drdash.failover.guard import TESTS, Kind
from drdash.failover.models import Action, State
from drdash.failover.origins import IN_PRODUCTION, IN_TEST
from drdash.web.phrases import phrase
from drdash.web.wording import SCHEDULE, Look

SPANS = {
    "HOURLY": timedelta(hours=1),
    "DAILY": timedelta(days=1),
    "WEEKLY": timedelta(days=7),
    "MONTHLY": timedelta(days=31),
}
# Where no schedule says when, a test that is older than this is due again.
DUE_DAYS = 90
# A test that starts is seen to run soon after, or never.
SOON_AFTER = 20
_UNDER_WAY = IN_TEST | IN_PRODUCTION


class LastTest(msgspec.Struct, frozen=True):
    """The last test in one line: what became of it, and when it began, where there was one. ``note``: what to mind."""

    look: Look
    at: datetime | None = None
    note: str = ""


def overdue(test: AutomatedTest | None, now: datetime) -> bool:
    """Whether a success is older than two turns of its schedule (of a month, where that is not known)."""
    if test is None or test.last_status != "SUCCESS":
        return False
    return test.last_start is None or now - test.last_start > 2 * SPANS.get(test.schedule, SPANS["MONTHLY"])


def failed(server: Server) -> bool:
    """Whether its last automated test failed: it may not start when it is needed."""
    return server.automated_test is not None and server.automated_test.last_status == "FAILURE"


def last_start(server: Server) -> datetime | None:
    """When the later of the automated and the manual test began; None: it was never tested."""
    starts = [one.last_start for one in (server.automated_test, server.test_failover) if one and one.last_start]
    return max(starts, default=None)


def due(server: Server, now: datetime) -> bool:
    """Whether a recovery server at rest should be tested: it never was, or too long ago. By its schedule where an
    automated test has one, else DUE_DAYS."""
    if server.type != ServerType.RECOVERY or (server.status is not None and server.status in _UNDER_WAY):
        return False
    test, last = server.automated_test, last_start(server)
    turns = 2 * SPANS[test.schedule] if test and test.schedule in SPANS else timedelta(days=DUE_DAYS)
    return last is None or now - last > turns


def due_now(server: Server) -> bool:
    """The same at this moment."""
    return due(server, timezone.now())


def last_test(server: Server, *, started: bool, now: datetime) -> LastTest:
    """Of the automated and the manual one, the later. ``started``: a manual test was seen to run."""
    test, run = server.automated_test, server.test_failover
    by_hand = run.last_start if run else None
    automatic = test.last_start if test else None
    if server.status in TESTS:
        auto = server.status == ServerStatus.FAILOVER_TEST_AUTO
        word = phrase("An automated test is running") if auto else phrase("A test is running")
        return LastTest(Look(word, "moving", "test"))
    if by_hand and (automatic is None or by_hand >= automatic):
        return _by_hand(by_hand, started, now)
    if test is None or not (test.last_status or automatic):
        return LastTest(Look(phrase("Never tested"), "warn", "warn"))
    return _automatic(test, now)


def seen_started(tenant: int, server: Server) -> bool:
    """Whether the last manual test was seen to run: the cloud itself tells no result of it."""
    run = server.test_failover
    if run is None or run.last_start is None:
        return False
    ours = Action.objects.filter(tenant_id=tenant, server_uuid=server.key, kind=Kind.START_TEST, state=State.SUCCEEDED)
    if run.last_task_uuid and ours.filter(task_uuid__iexact=run.last_task_uuid).exists():
        return True
    moments = Moment.objects.filter(tenant_id=tenant, server_uuid=server.key, at__gte=run.last_start).order_by("at")
    changes = [one for told in moments.values_list("changes", flat=True)[:SOON_AFTER] for one in told]
    return any(one["what"] == What.STATUS and one.get("after") == ServerStatus.FAILOVER_TEST for one in changes)


def _by_hand(at: datetime, started: bool, now: datetime) -> LastTest:
    if not started:
        note = phrase("By hand: the cloud tells no result of that, and it was not seen from here to run.")
        return LastTest(Look(phrase("result not known"), "still", "unknown"), at, note)
    if now - at > 2 * SPANS["MONTHLY"]:
        return LastTest(
            Look(phrase("started then"), "warn", "warn"), at, phrase("By hand; that is more than two months ago.")
        )
    return LastTest(Look(phrase("started"), "good", "good"), at, phrase("By hand."))


def _automatic(test: AutomatedTest, now: datetime) -> LastTest:
    if test.last_status == "FAILURE":
        return LastTest(Look(phrase("failed"), "bad", "bad"), test.last_start, phrase("Automated."))
    if test.last_status != "SUCCESS":
        word = test.last_status or phrase("result not known")
        return LastTest(Look(word, "still", "unknown"), test.last_start, phrase("Automated."))
    if not overdue(test, now):
        return LastTest(Look(phrase("started"), "good", "good"), test.last_start, phrase("Automated."))
    every = SCHEDULE.get(test.schedule) if test.schedule in SPANS else None
    note = (
        phrase("Automated: it was to run %(every)s.", every=every)
        if every
        else phrase("Automated; that is too long ago to rely on.")
    )
    return LastTest(Look(phrase("started then"), "warn", "warn"), test.last_start, note)
