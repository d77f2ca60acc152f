import pytest
from hypothesis import given
from hypothesis import strategies as st

from drdash.cloud.account import Account, BadAddress, root
from tests.cloud.conftest import SECRET


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("https://eu2-cloud.example.com", "https://eu2-cloud.example.com"),
        (" https://EU2-Cloud.example.com/ ", "https://eu2-cloud.example.com"),
        ("https://cloud.example.com:8443", "https://cloud.example.com:8443"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
        ("https://cloud.example.com:443", "https://cloud.example.com"),
        ("https://cloud.example.com.", "https://cloud.example.com"),
        ("https://cloud.example.com:80", "https://cloud.example.com:80"),
        ("http://localhost:80", "http://localhost"),
        ("http://localhost:8001", "http://localhost:8001"),
        ("http://127.0.0.1:8001", "http://127.0.0.1:8001"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://[::1]:8001", "http://[::1]:8001"),
    ],
)
def test_the_root_of_a_cloud(typed: str, meant: str) -> None:
    assert root(typed) == meant


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "https://"),
        ("cloud.example.com", "https://"),
        ("ftp://cloud.example.com", "https://"),
        ("file:///etc/passwd", "https://"),
        ("https://", "host name"),
        ("https:///path", "host name|root"),
        ("https://cloud.example.com/api/dr/v2", "root"),
        ("https://cloud.example.com?x=1", "root"),
        ("https://cloud.example.com/#x", "root"),
        ("https://user:pass@cloud.example.com", "password"),
        ("https://cloud.example.com@evil.example", "password"),
        ("https://cloud.example.com\\@evil.example", "characters"),
        ("https://cloud.example.com\r\nHost: evil.example", "characters"),
        ("https://cloud example.com", "characters"),
        ("https://clöud.example.com", "characters"),
        ("https://cloud.example.com:port", "URL"),
        ("https://cloud.example.com:99999", "URL"),
        ("https://cloud..example.com", "host name"),
        ("https://-cloud.example.com", "host name"),
        ("https://%65vil.example", "host name"),
        ("https://[::1", "URL"),
        ("http://cloud.example.com", "Plain http to cloud.example.com"),
        ("http://10.0.0.1", "Plain http"),
        ("http://localhost.evil.example", "Plain http"),
        ("http://127.0.0.1.evil.example", "Plain http"),
        ("http://2130706433", "Plain http"),
    ],
)
def test_what_is_no_root_is_said(typed: str, words: str) -> None:
    with pytest.raises(BadAddress, match=words):
        root(typed)


def test_plain_http_goes_to_the_hosts_that_are_named_for_it_in_any_case() -> None:
    assert root("http://Simulator:8001", plain_http_hosts=("SIMULATOR",)) == "http://simulator:8001"
    with pytest.raises(BadAddress):
        root("http://simulator.evil.example", plain_http_hosts=("simulator",))


@given(st.text() | st.text(alphabet="htps:/@.\\?#[]%a1 ").map(lambda text: "https://" + text))
def test_any_text_is_a_root_or_a_bad_address(text: str) -> None:
    try:
        typed = root(text)
    except BadAddress:
        return
    assert root(typed) == typed


def test_an_account_does_not_show_its_secret() -> None:
    account = Account(cloud="https://cloud.example.com", client_id="me", client_secret=SECRET)

    assert SECRET not in repr(account)
    assert SECRET not in f"{account} {account!s} {[account]}"
