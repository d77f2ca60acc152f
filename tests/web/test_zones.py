import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone, translation

from drdash.audit.record import write
from drdash.web.templatetags.drdash import when
from drdash.web.zones import COOKIE, away, words, zoned

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
    assert f'title="{found[1]}"' in found[0]
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


def test_an_age_is_written_as_the_browser_would_say_it_in_each_language() -> None:
    said = {
        language: [one(seconds) for seconds in (-3_542_400, -7_200, -5_399, -61, -1, 0, 42, 95, 129_600)]
        for language, one in ((language, saying(language)) for language in ("en", "de", "ja"))
    }
    assert said["en"] == [
        *("41 days ago", "2 hours ago", "90 minutes ago", "61 seconds ago", "1 second ago", "1 second ago"),
        *("in 42 seconds", "in 2 minutes", "in 2 days"),
    ]
    assert said["de"] == [
        *("vor 41 Tagen", "vor 2 Stunden", "vor 90 Minuten", "vor 61 Sekunden", "vor 1 Sekunde", "vor 1 Sekunde"),
        *("in 42 Sekunden", "in 2 Minuten", "in 2 Tagen"),
    ]
    assert said["ja"] == [
        *("41 日前", "2 時間前", "90 分前", "61 秒前", "1 秒前", "1 秒前"),
        *("42 秒後", "2 分後", "2 日後"),
    ]


def test_a_page_says_how_old_things_are_and_when_that_was_before_any_script_runs() -> None:
    at = timezone.now() - timedelta(days=3)
    shown = zoned_page(f"<p>{when(at, 'age')}</p>")
    assert f'title="{words(at, ZoneInfo("Asia/Tokyo"))}">3 days ago</time>' in shown


def test_what_is_still_to_come_is_told_exactly_and_how_far_it_is() -> None:
    later, gone = timezone.now() + timedelta(hours=5), timezone.now() - timedelta(hours=5)
    tokyo = ZoneInfo("Asia/Tokyo")
    assert f">{words(later, tokyo)} (in 5 hours)</time>" in zoned_page(when(later, "until"))
    assert f">{words(gone, tokyo)}</time>" in zoned_page(when(gone, "until"))


def saying(language: str) -> Callable[[int], str]:
    """How so many seconds from now are said in a language."""

    def say(seconds: int) -> str:
        with translation.override(language):
            return away(AT + timedelta(seconds=seconds), AT)

    return say


def zoned_page(html: str) -> str:
    """What a browser in Tokyo gets of it."""
    request = RequestFactory().get("/")
    request.COOKIES[COOKIE] = "Asia/Tokyo"
    answer = zoned(lambda _: HttpResponse(html))(request)
    assert isinstance(answer, HttpResponse)
    return answer.content.decode()
