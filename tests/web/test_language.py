import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.urls import URLPattern
from django.utils.translation import override

from drdash.web.back import ONLY_SENT
from drdash.web.broken import broken
from drdash.web.urls import urlpatterns
from tests.web.who_may import TABLE

COOKIE = settings.LANGUAGE_COOKIE_NAME


@pytest.fixture
def alice(fresh_process: None) -> User:
    return User.objects.create_user("alice", password="alice")


def reader(user: User | None = None, *, asks: str = "", cookie: str = "") -> Client:
    """A browser that prefers the languages that it ``asks`` for."""
    client = Client(headers={"Accept-Language": asks} if asks else {})
    if user is not None:
        client.force_login(user)
    if cookie:
        client.cookies[COOKIE] = cookie
    return client


def language(client: Client, path: str = "/") -> str:
    """The language that a page says it is in."""
    return client.get(path).content.decode().partition('<html lang="')[2].partition('"')[0]


def test_a_page_is_in_the_language_that_the_browser_prefers_of_those_there_are(alice: User) -> None:
    assert language(reader(alice)) == "en"
    for asks, spoken in [("de-AT, en;q=0.5", "de"), ("ja", "ja"), ("fr, nl;q=0.9", "en"), ("fr, ja;q=0.1", "ja")]:
        assert language(reader(alice, asks=asks)) == spoken
        assert language(reader(asks=asks), "/login/") == spoken


def test_a_stream_goes_on_in_the_language_of_its_page(alice: User) -> None:
    """The script puts the newest bookmark in place of all that stands behind ``after=``."""
    shown = reader(alice, asks="de").get("/servers/").content.decode()
    address = shown.partition('sse-connect="')[2].partition('"')[0]
    assert "language=de" in address.partition("after=")[0]


def test_a_choice_is_kept_by_the_browser_goes_before_what_it_prefers_and_holds_on_every_page(alice: User) -> None:
    client = reader(alice, asks="ja")
    assert client.post("/language/", {"language": "de"}).status_code == 302
    kept = client.cookies[COOKIE]
    assert kept["httponly"]
    assert kept["samesite"] == "Lax"
    assert kept["max-age"] > 300 * 24 * 3600
    assert {language(client, path) for path in ("/", "/servers/", "/password/", "/nowhere/")} == {"de"}
    client.post("/logout/")
    assert language(client, "/login/") == "de"


def test_a_part_of_a_page_comes_in_the_language_of_the_page(alice: User) -> None:
    client = reader(alice, cookie="de")
    assert '"X-Language": "de"' in client.get("/sites/").content.decode()
    asked = {"HX-Request": "true", "HX-Target": "results"}
    assert (
        "Nothing is within your reach yet"
        in client.get("/sites/", headers={**asked, "X-Language": "en"}).content.decode()
    )
    assert (
        "Noch haben Sie auf nichts Zugriff"
        in client.get("/sites/", headers={**asked, "X-Language": "xx"}).content.decode()
    )


def test_whoever_cannot_sign_in_yet_may_choose_too() -> None:
    client = reader()
    client.post("/language/", {"language": "ja"})
    assert client.cookies[COOKIE].value == "ja"


def test_what_is_no_language_here_is_none(alice: User) -> None:
    for odd in ("fr", "DE", "de-de", 'de" onload="x', "../../etc", "", "\0"):
        client = reader(alice)
        client.post("/language/", {"language": odd})
        assert COOKIE not in client.cookies
        client.cookies[COOKIE] = odd
        assert language(client) in ("en", "de")


def test_caches_know_what_the_language_hangs_on(alice: User) -> None:
    for path in ("/", "/login/", "/nowhere/"):
        said = reader(alice, asks="de").get(path)
        assert said.headers["Content-Language"] == "de"
        assert {"Accept-Language", "Cookie"} <= {one.strip() for one in said.headers["Vary"].split(",")}


def test_programs_are_spoken_to_in_english(alice: User) -> None:
    refused = reader(asks="de").get("/api/v1/servers/")
    assert refused.json()["detail"].startswith("Authentication credentials were not provided.")
    assert "Accept-Language" not in refused.headers["Vary"]


def test_a_page_names_each_language_in_that_language_and_the_one_it_is_in_is_pressed(alice: User) -> None:
    for path in ("/", "/nowhere/"):
        page = reader(alice, cookie="de").get(path).content.decode()
        for code, name in (("en", "English"), ("de", "Deutsch"), ("ja", "日本語")):
            pressed = str(code == "de").lower()
            assert f'name="language" value="{code}" lang="{code}" aria-pressed="{pressed}">{name}</button>' in page


def led(client: Client, back: str = "", referer: str = "", to: str = "/language/") -> str:
    sent = {"language": "de", "theme": "dark", "stay": "1", "back": back}
    return client.post(to, sent, headers={"Referer": referer} if referer else {}).headers["Location"]


@pytest.mark.parametrize("to", ["/language/", "/theme/", "/stay/"])
def test_a_choice_leads_back_to_where_it_was_made_and_never_elsewhere(alice: User, to: str) -> None:
    client = reader(alice)
    assert led(client, "/servers/?q=a", to=to) == "/servers/?q=a"
    assert led(client, referer="http://testserver/servers/?q=a", to=to) == "http://testserver/servers/?q=a"
    for place in ("", "https://evil.example/", "//evil.example", "javascript:alert(1)", "/\\evil.example"):
        assert led(client, place, place, to) == "/"


@pytest.mark.parametrize("to", ["/language/", "/theme/", "/stay/"])
def test_nobody_is_led_to_where_nothing_can_be_read(alice: User, to: str) -> None:
    client = reader(alice)
    assert led(client, "/tenants/1/pause/", "http://testserver/tenants/1/", to) == "http://testserver/tenants/1/"
    assert led(client, "/tenants/1/pause/", "http://testserver/views/", to) == "/"


def test_a_page_that_answers_what_was_sent_knows_the_page_before_it(alice: User) -> None:
    client = reader(alice)
    sent = client.post("/theme/", {"theme": "dark"}, headers={"Referer": "http://testserver/actions/"})
    assert sent.headers["Location"] == "http://testserver/actions/"
    lost = Client(enforce_csrf_checks=True, headers={"Referer": "http://testserver/actions/"})
    page = lost.post("/theme/", {"theme": "dark"}).content.decode()
    assert 'name="back" value="http://testserver/actions/"' in page


def test_it_is_said_of_every_address_that_nothing_can_be_read_there() -> None:
    routes = {str(one.pattern): one.name for one in urlpatterns if isinstance(one, URLPattern)}
    unread = {name for route, name in routes.items() if name and TABLE[route] and not any(r.get for r in TABLE[route])}
    assert unread - {"styleguide"} == ONLY_SENT


def test_what_fails_is_told_in_the_readers_language() -> None:
    refused = reader(asks="de").get("/login/", headers={"Host": "elsewhere.example"})
    assert refused.status_code == 400
    assert "Diese Anfrage" in refused.content.decode()
    with override("de"):
        failed = broken(RequestFactory().get("/"))
    for page in (refused, failed):
        assert '<html lang="de"' in page.content.decode()
        assert "Zur Übersicht" in page.content.decode()
