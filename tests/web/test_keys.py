import re
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client

from drdash.web import keys, reloading
from drdash.web.keys import KEYS


@pytest.fixture
def client(fresh_process: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("alice", password="alice"))
    return client


@pytest.fixture
def read(client: Client) -> Callable[[str], str]:
    return lambda path: client.get(path).content.decode()


def test_each_key_that_a_page_has_is_listed(read: Callable[[str], str]) -> None:
    there = set(re.findall(r'data-key="([^"]+)"', read("/servers/")))
    assert "g s" in there
    listed = {key for key, _ in KEYS}
    assert there <= listed
    assert listed - there <= {"j", "k", "Enter", "Esc", "g p"}


def test_no_key_is_one_of_something_that_acts(read: Callable[[str], str]) -> None:
    for path in ("/servers/", "/keys/"):
        assert not re.search(r"<(button|form)[^>]*data-key", read(path))


def test_the_keys_are_switched_off_and_on_in_this_browser(client: Client, read: Callable[[str], str]) -> None:
    assert 'data-keys="on"' in read("/servers/")
    assert client.post("/keys/", {"keys": "off"}).headers["Location"] == "/keys/"
    assert client.cookies[keys.COOKIE]["httponly"]
    assert "data-keys" not in read("/servers/")
    assert "switched off" in read("/keys/")
    client.post("/keys/", {"keys": "on"})
    assert 'data-keys="on"' in read("/servers/")


def test_pages_that_show_load_themselves_anew_and_those_on_which_one_writes_do_not(
    client: Client, read: Callable[[str], str]
) -> None:
    anew = '<noscript><meta http-equiv="refresh" content="15"></noscript>'
    assert all(anew in read(path) for path in ("/servers/", "/servers/?q=a", "/sites/", "/actions/"))
    assert not any("http-equiv" in read(path) for path in ("/keys/", "/password/", "/tenants/connect/", "/nowhere/"))
    led = client.post("/stay/", {"stay": "1"}, headers={"Referer": "http://testserver/servers/?q=a"})
    assert led.headers["Location"].endswith("/servers/?q=a")
    assert client.post("/stay/", {"stay": "1"}, headers={"Referer": "https://evil.example/"}).headers["Location"] == "/"
    assert client.cookies[reloading.COOKIE].value == "1"
    assert "http-equiv" not in read("/servers/")
    client.post("/stay/", {"stay": ""})
    assert anew in read("/servers/")


def test_who_asks_for_a_part_of_a_page_and_is_signed_out_is_told_to_load_all_of_it(client: Client) -> None:
    client.logout()
    answer = client.get("/servers/", headers={"HX-Request": "true", "HX-Target": "results"}, follow=True)
    assert answer.headers["HX-Refresh"] == "true"
    assert "HX-Refresh" not in client.get("/login/").headers
