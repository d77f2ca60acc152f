import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from drdash.web.theme import COOKIE


@pytest.fixture
def alice(fresh_process: None) -> User:
    return User.objects.create_user("alice", password="alice")


def signed_in(user: User, cookie: str | None = None) -> Client:
    client = Client()
    client.force_login(user)
    if cookie is not None:
        client.cookies[COOKIE] = cookie
    return client


def shown(client: Client, path: str = "/") -> str:
    return client.get(path).content.decode().partition("<head>")[0]


def test_the_system_decides_until_someone_chooses(alice: User) -> None:
    assert "data-theme" not in shown(signed_in(alice))


def test_a_choice_is_kept_by_the_browser_and_holds_on_every_page(alice: User) -> None:
    client = signed_in(alice)
    assert client.post("/theme/", {"theme": "dark"}).status_code == 302
    kept = client.cookies[COOKIE]
    assert kept["httponly"]
    assert kept["samesite"] == "Lax"
    assert kept["max-age"] > 300 * 24 * 3600
    assert all('data-theme="dark"' in shown(client, path) for path in ("/", "/servers/", "/password/", "/nowhere/"))
    client.post("/logout/")
    assert 'data-theme="dark"' in shown(client, "/login/")


def test_the_choice_that_is_made_is_the_one_that_is_pressed(alice: User) -> None:
    page = signed_in(alice, "light").get("/").content.decode()
    assert 'value="light" aria-pressed="true"' in page
    assert len(re.findall(r'name="theme" value="\w*" aria-pressed="true"', page)) == 1
    assert 'value="" aria-pressed="true"' in signed_in(alice).get("/").content.decode()


def test_the_system_is_a_choice_too(alice: User) -> None:
    client = signed_in(alice, "dark")
    client.post("/theme/", {"theme": ""})
    assert not client.cookies[COOKIE].value
    assert "data-theme" not in shown(client)


def test_what_is_no_theme_is_none(alice: User) -> None:
    client = signed_in(alice)
    for odd in ("neon", "DARK", 'dark" onload="x', "", "\0"):
        client.post("/theme/", {"theme": odd})
        assert not client.cookies[COOKIE].value
        client.cookies[COOKIE] = odd
        assert "data-theme" not in shown(client, "/password/")


def led(client: Client, referer: str) -> str:
    return client.post("/theme/", {"theme": "dark"}, headers={"Referer": referer}).headers["Location"]


def test_a_choice_leads_back_to_where_it_was_made_and_never_elsewhere(alice: User) -> None:
    client = signed_in(alice)
    assert led(client, "http://testserver/servers/?q=a") == "http://testserver/servers/?q=a"
    for place in ("", "https://evil.example/", "//evil.example", "javascript:alert(1)"):
        assert led(client, place) == "/"
