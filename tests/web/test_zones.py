import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.test import Client

from drdash.audit.record import write
from drdash.web.zones import COOKIE, words

AT = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)


@pytest.fixture
def alice(fresh_process: None) -> User:
    user = User.objects.create_superuser("alice", password="alice")
    write(by=user, verb="looked at the clock", at=AT)
    return user


def written(user: User, zone: str | None) -> str:
    """How that moment is written for whoever has the zone in a cookie."""
    client = Client()
    client.force_login(user)
    if zone is not None:
        client.cookies[COOKIE] = zone
    page = client.get("/audit/").content.decode()
    found = re.search(r'<time datetime="2026-07-01T22:30:00.000Z"[^>]*>([^<]*)</time>', page)
    assert found is not None
    assert 'title="2026-07-01T22:30:00.000Z"' in found[0]
    return found[1]


def test_times_are_written_in_the_zone_that_the_browser_says_and_in_utc_otherwise(alice: User) -> None:
    assert written(alice, None) == "2026-07-01 22:30:00 UTC"
    assert written(alice, "Europe/Berlin") == "2026-07-02 00:30:00 CEST"
    assert written(alice, "Asia/Tokyo") == "2026-07-02 07:30:00 JST"
    for odd in ("", "Nowhere/Town", "../../etc/passwd", "Europe", "\0", "Europe/Berlin\r\nX: y", "x" * 5000):
        assert written(alice, odd) == "2026-07-01 22:30:00 UTC"


def test_a_time_at_the_end_of_all_time_which_a_cloud_may_tell_breaks_no_page() -> None:
    assert words(datetime.max.replace(tzinfo=UTC), ZoneInfo("Europe/Berlin")) == "9999-12-31 23:59:59 UTC"
    assert words(datetime.min.replace(tzinfo=UTC), ZoneInfo("America/New_York")).endswith("-01-01 00:00:00 UTC")
