"""The account's own cloud is asked, and nobody else, whatever an address, an answer or the environment says."""

import time
from contextlib import closing

import pytest

from drdash.cloud import wire
from drdash.cloud.client import Account, BadAddress, Client
from drdash.cloud.oauth import Token
from drdash.cloud.sessions import session_for, transport_for
from drdash.cloud.transport import Deadline, Reply, exchange
from tests.cloud.conftest import SERVER, TOKEN, RawCloud, account_of, example, granted, page, reply


def test_an_address_that_is_none_is_refused_before_anything_is_sent() -> None:
    for address in ("http://cloud.example.com", "https://a@b", "nonsense"):
        with pytest.raises(BadAddress):
            Client(Account(cloud=address, client_id="a", client_secret="b"), now=time.time, monotonic=time.monotonic)


def test_the_environments_proxy_netrc_and_switches_are_not_used(
    cloud: RawCloud, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("OAUTHLIB_INSECURE_TRANSPORT", raising=False)
    cloud.answers = [page("a", total=1)]

    assert client.servers().whole


def test_cookies_of_the_cloud_are_not_kept(cloud: RawCloud, client: Client) -> None:
    cloud.answers = [reply(200, example("servers_none"), "Set-Cookie: session=1; Path=/"), page("a", total=1)]

    client.servers()
    client.servers()

    assert "Cookie" not in cloud.calls[1].headers


def test_the_simulator_is_told_from_a_cloud(cloud: RawCloud, client: Client) -> None:
    assert client.simulator is None
    cloud.answers = [reply(200, example("servers_none"), "Server: drdash-simulator/1"), page("a", total=1)]

    client.servers()
    assert client.simulator is True
    client.servers()
    assert client.simulator is False


def test_a_session_reaches_the_accounts_own_origin_and_nothing_else(cloud: RawCloud) -> None:
    account = account_of(cloud)
    for url in (
        "https://evil.example/",
        f"https://127.0.0.1:{cloud.port}@evil.example/",
        f"https://127.0.0.1:{cloud.port}.evil.example/",
        f"https://127.0.0.1:{cloud.port}0/",
        f"https://evil.example\\@127.0.0.1:{cloud.port}/",
        "https://127.0.0.1/",
    ):
        with (
            session_for(account, transport_for(account), Token(TOKEN, None)) as session,
            Deadline(10, time.monotonic) as until,
            pytest.raises(wire.NotSent, match="not on the account's own host"),
        ):
            exchange(session, "GET", url, deadline=until, limit=1000)
    assert cloud.connections == 0


def test_a_proxy_is_used_when_it_is_given(cloud: RawCloud) -> None:
    account = Account(
        cloud="http://simulator.example", plain_http_hosts=("simulator.example",), client_id="a", client_secret="b",
        proxy=cloud.url,
    )  # fmt: skip
    cloud.answers = [page("a", total=1)]

    assert Client(account, now=time.time, monotonic=time.monotonic).servers().whole
    assert cloud.calls[0].target.startswith("http://simulator.example/api/dr/v2/servers?")


# Beside the DR API


def test_a_path_beside_the_api_is_read_with_the_same_token(cloud: RawCloud, client: Client) -> None:
    cloud.tokens = [granted("first"), granted("second")]
    cloud.answers = [reply(401), reply(403, b"no"), reply(200, b"x" * 11)]

    assert client.beside("/bc/api/x?a=%2F&b=c@d", deadline=5) == Reply(403, {"Content-Length": "2"}, b"no")
    with pytest.raises(wire.Broken, match="larger"):
        client.beside("/", deadline=5, limit=10)

    assert [one.target for one in cloud.calls] == ["/bc/api/x?a=%2F&b=c@d"] * 2 + ["/"]
    assert [one.headers["Authorization"] for one in cloud.calls] == ["Bearer first", *["Bearer second"] * 2]


def test_a_path_beside_the_api_waits_for_a_429_too(cloud: RawCloud, client: Client) -> None:
    cloud.answers = [reply(429)]
    assert client.beside("/x", deadline=5).status == 429

    for call in (client.servers, lambda: client.beside("/x", deadline=5)):
        with pytest.raises(wire.TooManyRequests):
            call()
    assert len(cloud.calls) == 1


@pytest.mark.parametrize(
    "path",
    [
        "", "x", "//evil.example/", "/\\evil.example/", "\\\\evil.example", "\\evil.example", "@evil.example/", ":1/x",
        ".evil.example/", "https://evil.example/", "http:evil.example", "/x#y", "/x y", "/x\r\nHost: evil.example",
        "/x\n", "/\u0000", "/\u00fc", "?x", "#", "/a\\b", " /x", "\t/x",
    ],
)  # fmt: skip
def test_what_is_not_a_path_reaches_nobody(cloud: RawCloud, client: Client, path: str) -> None:
    with pytest.raises(wire.NotSent, match="not a path"):
        client.beside(path, deadline=5)
    assert cloud.requests == []


@pytest.mark.parametrize("status", [200, 201, 301, 302, 303, 305, 307, 308, 401])
@pytest.mark.parametrize(
    "location",
    ["{url}/", "{url}/api/dr/v2/servers", "//127.0.0.1:{port}/", "\\\\127.0.0.1:{port}\\", "http:/\\127.0.0.1:{port}"],
)
def test_no_answer_leads_to_another_host(cloud: RawCloud, client: Client, status: int, location: str) -> None:
    with closing(RawCloud()) as other:
        to = location.format(url=other.url, port=other.port)
        names = ("Location", "Content-Location", "Refresh: 0; url=", "Link")
        answer = reply(status, b"", *[name + to if "=" in name else f"{name}: {to}" for name in names])
        cloud.answers = [answer] * 8
        for read in (client.servers, lambda: client.site(SERVER)):
            with pytest.raises(wire.CloudError):
                read()
        client.beside("/bc/api/x", deadline=5)
        assert not isinstance(client.stop_failover(SERVER).answer, wire.Accepted)
        cloud.tokens = [answer]
        with closing(Client(account_of(cloud), now=time.time, monotonic=time.monotonic)) as another:
            with pytest.raises(wire.CloudError):
                another.ready()
        assert (other.connections, other.requests) == (0, [])
