"""The calls of the client, over real HTTP."""

import json
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from urllib.parse import parse_qsl, urlsplit

import pytest

from drdash.cloud import wire
from drdash.cloud.client import Account, BadAddress, Client
from drdash.cloud.oauth import Token
from drdash.cloud.records import RecoveryPoint
from drdash.cloud.sessions import session_for, transport_for
from drdash.cloud.transport import Deadline, Reply, exchange
from drdash.cloud.words import ServerType
from drdash.simulator.server import running
from tests.cloud.conftest import SECRET, TOKEN, RawCloud, account_of, example, granted, reply, reset

SERVER = "1f100401-357b-4d04-a0c0-d1206c947473"
POINT = RecoveryPoint(backup_id="b@1", archive_id="a-2", vault_id="v-3")


def page(*uuids: str, after: object = None, total: object = None) -> bytes:
    cursors = {} if after is None else {"after": after}
    paging = {"count": len(uuids), "cursors": cursors} | ({} if total is None else {"total": total})
    return reply(200, json.dumps({"items": [{"uuid": uuid} for uuid in uuids], "paging": paging}).encode())


def query(target: str) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(target).query)


# The reference's own examples


def test_the_servers_of_the_reference_arrive_whole(cloud: RawCloud, client: Client) -> None:
    cloud.answers = [reply(200, example("servers_first")), reply(200, example("servers_last"))]

    listing = client.servers()

    assert [server.key for server in listing.items] == [
        SERVER,
        "565cf826-5332-4fd8-9109-2b81630e486d",
        "6782e594-781d-4ad2-b8ca-25a0c40f9938",
    ]
    assert (listing.total, listing.whole) == (3, True)
    first, second = cloud.calls
    assert (urlsplit(first.target).path, query(first.target)) == ("/api/dr/v2/servers", [("limit", "50")])
    assert query(second.target) == [("after", "eyJSJdfQ")]
    for request in cloud.calls:
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        assert request.headers["User-Agent"] == "drdash"
    assert first.connection == second.connection


def test_the_sites_of_the_reference_arrive_whole(cloud: RawCloud, client: Client) -> None:
    cloud.answers = [reply(200, example("sites_first")), reply(200, example("sites_last"))]

    listing = client.sites()

    assert [site.status for site in listing.items] == ["PROVISIONING", "PROVISIONED", "PROVISIONED"]
    assert (listing.total, listing.whole) == (3, True)


def test_no_servers_are_a_whole_listing_too(cloud: RawCloud, client: Client) -> None:
    cloud.answers = [reply(200, example("servers_none"))]

    assert client.servers().whole


def test_one_site_of_the_reference(cloud: RawCloud, client: Client) -> None:
    cloud.answers = [reply(200, example("site_provisioned"))]

    assert client.site("40CA099F-c116-4f6c-9730-42a0bff138a2").readiness == "OK"
    assert cloud.calls[0].target == "/api/dr/v2/sites/40CA099F-c116-4f6c-9730-42a0bff138a2"


def test_another_site_than_asked_for_is_not_understood(cloud: RawCloud, client: Client) -> None:
    cloud.answers = [reply(200, example("site_provisioned"))]

    with pytest.raises(wire.NotUnderstood, match="another site"):
        client.site("f3b3b3b3-3b3b-3b3b-3b3b-3b3b3b3b3b3b")


# Listings


def test_deleted_sites_are_asked_for_on_request(cloud: RawCloud, client: Client) -> None:
    cloud.answers = [page("a", total=1)]

    client.sites(allow_deleted=True)

    assert ("allow_deleted", "true") in query(cloud.calls[0].target)


def test_filters_are_sent_with_the_first_page_alone(cloud: RawCloud, client: Client) -> None:
    cloud.answers = [page("a", after="x&y=1"), page("b", total=2)]

    client.servers(type=ServerType.RECOVERY, resource_ids=["R-1", "R-2", "R-1", "odd & id"])

    first, second = (query(request.target) for request in cloud.calls)
    assert sorted(first) == [
        ("limit", "50"),
        ("recovery.resource_id", "R-1"),
        ("recovery.resource_id", "R-2"),
        ("recovery.resource_id", "odd & id"),
        ("type", "RECOVERY"),
    ]
    assert second == [("after", "x&y=1")]


def test_many_resource_ids_are_asked_for_in_urls_of_usual_length_and_merged(cloud: RawCloud, client: Client) -> None:
    ids = [f"00000000-0000-0000-0000-{number:012}" for number in range(200)]
    cloud.answers = [page("a", "b", total=2), page("B", "c", total=2), page("d", total=1), page("e", total=1)]

    listing = client.servers(resource_ids=ids)

    asked = [[value for name, value in query(request.target) if name != "limit"] for request in cloud.calls]
    assert [entry for chunk in asked for entry in chunk] == ids
    assert len(asked) == 4
    assert max(len(request.target) for request in cloud.calls) < 4000
    assert [server.uuid for server in listing.items] == ["a", "B", "c", "d", "e"]
    assert listing.whole


@pytest.mark.parametrize(("total", "whole"), [(1, True), (2, True), (3, False), (None, False)])
def test_a_listing_is_whole_when_it_has_as_many_items_as_the_last_page_says(
    cloud: RawCloud, client: Client, total: object, whole: bool
) -> None:
    cloud.answers = [page("a", after="2"), page("b", total=total)]

    listing = client.servers()

    assert len(listing.items) == 2
    assert listing.whole is whole


TWICE = "same item twice"
CHANGED = "changed while it was read: it counted"


@pytest.mark.parametrize(
    ("pages", "words"),
    [
        ([page("a", "B", after="2", total=3), page("b", "c", total=3)], TWICE),
        ([page("a", "A", total=2)], TWICE),
        ([page("a", after="2"), page("a")], TWICE),
        # A new one, and one that is gone: the last page's total alone would be reached.
        ([page("a", "b", after="2", total=3), page("b", "c", total=4)], f"{CHANGED} 3 items at first, then 4"),
        ([page("a", "b", after="2", total=4), page("d", total=3)], f"{CHANGED} 4 items at first, then 3"),
        ([page("a", after="2", total=1), page("b", after="3"), page("c", total=0)], f"{CHANGED} 1 items at first"),
    ],
)
def test_a_list_that_changes_while_it_is_read_is_not_understood(
    cloud: RawCloud, client: Client, pages: list[bytes], words: str
) -> None:
    for call in (client.servers, client.sites):
        cloud.answers = [*pages]
        with pytest.raises(wire.NotUnderstood, match=words):
            call()


def test_a_cursor_that_comes_again_is_not_followed(cloud: RawCloud, client: Client) -> None:
    cloud.answers = [page("a", after="1"), page("b", after="2"), page("c", after="1"), page("d", total=4)]

    with pytest.raises(wire.NotUnderstood, match="circles"):
        client.servers()

    assert len(cloud.calls) == 3


def test_a_list_without_end_is_given_up(cloud: RawCloud, client: Client) -> None:
    cloud.answers = [page(str(number), after=str(number)) for number in range(2100)]

    with pytest.raises(wire.NotUnderstood, match="more than 2000 pages"):
        client.servers()

    assert len(cloud.calls) == 2000


def test_one_unreadable_item_fails_the_whole_listing(cloud: RawCloud, client: Client) -> None:
    cloud.answers = [page("a", "", total=2)]

    with pytest.raises(wire.NotUnderstood, match="an item has no uuid"):
        client.servers()


def test_the_deadline_is_for_all_pages_together(cloud: RawCloud) -> None:
    elapsed = iter(range(100))
    client = Client(account_of(cloud), now=time.time, monotonic=lambda: float(next(elapsed)))
    cloud.answers = [page(str(number), after=str(number)) for number in range(50)]

    with pytest.raises((wire.Broken, wire.NotSent)):
        client.servers(deadline=30)

    assert len(cloud.calls) < 30


# Tokens


def test_a_401_gets_one_new_token_and_one_retry(cloud: RawCloud, client: Client) -> None:
    cloud.tokens = [granted("first"), granted("second")]
    cloud.answers = [reply(401, example("error_401")), page("a", total=1)]

    assert client.servers().whole
    assert [call.headers["Authorization"] for call in cloud.calls] == ["Bearer first", "Bearer second"]


def test_a_second_401_is_unauthorized(cloud: RawCloud, client: Client) -> None:
    cloud.answers = [reply(401, example("error_401")), reply(401, example("error_401")), page("a", total=1)]

    with pytest.raises(wire.Unauthorized):
        client.servers()

    assert len(cloud.calls) == len(cloud.token_requests) == 2


def test_a_wrong_secret_is_told_by_every_call_and_reaches_no_endpoint(cloud: RawCloud, client: Client) -> None:
    refusal = reply(401, b'{"error": "invalid_client"}')
    cloud.tokens = [refusal, refusal, refusal]

    for call in (client.ready, client.servers, client.sites):
        with pytest.raises(wire.WrongCredential):
            call()

    assert cloud.calls == []


def test_every_other_error_is_tried_once(cloud: RawCloud, client: Client) -> None:
    for status, kind in (
        (403, wire.Forbidden),
        (404, wire.NotFound),
        (504, wire.ServerFault),
        (429, wire.TooManyRequests),
    ):
        cloud.answers = [reply(status), page("a", total=1)]
        with pytest.raises(kind):
            client.servers()

    assert len(cloud.calls) == 4


def test_threads_share_a_client(cloud: RawCloud, client: Client) -> None:
    cloud.answers = [page("a", total=1)] * 40
    together = threading.Barrier(8)

    def read() -> bool:
        together.wait()
        return all(client.servers().whole for _ in range(5))

    with ThreadPoolExecutor(8) as threads:
        assert all(future.result() for future in [threads.submit(read) for _ in range(8)])
    assert len(cloud.token_requests) == 1


# Actions


def test_an_action_is_one_post_on_a_connection_of_its_own(cloud: RawCloud, client: Client) -> None:
    cloud.answers = [page("a", total=1), *[reply(202, example("accepted"))] * 3]
    client.servers()

    sent = [client.start_failover_test(SERVER, POINT), client.start_failover_prod(SERVER), client.stop_failover(SERVER)]

    assert [one.answer for one in sent] == [wire.Accepted("f1b3b3b4-4b1b-4b1b-4b1b-4b1b4b1b4b1b")] * 3
    assert [(one.status, one.reply) for one in sent] == [(202, example("accepted").decode())] * 3
    posts = cloud.calls[1:]
    assert [(post.method, post.target) for post in posts] == [
        ("POST", f"/api/dr/v2/servers/{SERVER}:start_failover_test"),
        ("POST", f"/api/dr/v2/servers/{SERVER}:start_failover_prod"),
        ("POST", f"/api/dr/v2/servers/{SERVER}:stop_failover"),
    ]
    assert [post.body for post in posts] == [one.body for one in sent]
    assert [json.loads(post.body) for post in posts] == [
        {"recovery_point": {"backup_id": "b@1", "archive_id": "a-2", "vault_id": "v-3"}},
        {},
        {},
    ]
    assert {post.headers["Content-Type"] for post in posts} == {"application/json"}
    assert len({call.connection for call in cloud.calls}) == 4
    assert len(cloud.token_requests) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429])
def test_a_refusal_is_not_sent_again(cloud: RawCloud, client: Client, status: int) -> None:
    cloud.answers = [reply(status, example(f"error_{status}")), reply(202, example("accepted"))]

    sent = client.start_failover_test(SERVER)

    assert isinstance(sent.answer, wire.Refused)
    assert sent.status == status
    assert len(cloud.calls) == 1


def test_a_401_on_a_post_makes_the_next_call_get_a_new_token(cloud: RawCloud, client: Client) -> None:
    cloud.tokens = [granted("first"), granted("second")]
    cloud.answers = [reply(401, example("error_401")), reply(202, example("accepted"))]

    client.stop_failover(SERVER)
    client.stop_failover(SERVER)

    assert [call.headers["Authorization"] for call in cloud.calls] == ["Bearer first", "Bearer second"]


@pytest.mark.parametrize("uuid", ["", "a/b", "a:b", "a?b", "../a", "a\n", "ä", "a b", "%61"])
def test_a_uuid_that_is_none_reaches_no_url(cloud: RawCloud, client: Client, uuid: str) -> None:
    assert isinstance(client.stop_failover(uuid).answer, wire.NeverSent)
    with pytest.raises(wire.NotSent, match="uuid"):
        client.site(uuid)
    assert cloud.requests == []


def test_half_a_recovery_point_is_never_sent(cloud: RawCloud, client: Client) -> None:
    sent = client.start_failover_prod(SERVER, RecoveryPoint(backup_id="b", archive_id="", vault_id="v"))

    assert isinstance(sent.answer, wire.NeverSent)
    assert cloud.requests == []


def test_without_a_token_nothing_is_posted(cloud: RawCloud, client: Client) -> None:
    for answer in (
        reply(401, b"{}"),
        reply(500),
        reply(429),
        reply(200, b"<html>"),
        lambda connection: connection.close(),
    ):
        cloud.tokens = [answer]
        sent = client.stop_failover(SERVER)
        assert isinstance(sent.answer, wire.NeverSent)
        assert (sent.status, sent.reply) == (None, "")

    assert cloud.calls == []


def test_a_429_of_the_token_endpoint_is_told_to_who_wants_to_post(cloud: RawCloud, client: Client) -> None:
    cloud.tokens = [reply(429, b"", "Retry-After: 77")]

    sent = client.stop_failover(SERVER)

    assert isinstance(sent.answer, wire.NeverSent)
    assert sent.answer.retry_after == 77


def test_after_a_429_nothing_is_sent_before_its_time(cloud: RawCloud) -> None:
    clock = [1000.0]
    client = Client(account_of(cloud), now=time.time, monotonic=lambda: clock[0])
    cloud.answers = [reply(429, b"", "Retry-After: 30"), page("a", total=1)]
    for wait, call in ((30, client.servers), (30, client.sites), (21, client.servers)):
        with pytest.raises(wire.TooManyRequests) as told:
            call()
        assert told.value.retry_after == wait
        clock[0] += 9.0 if call == client.sites else 0.0
    sent = client.stop_failover(SERVER)
    assert sent.answer == wire.NeverSent("The cloud asks to wait for 21 s (429).", retry_after=21)
    assert len(cloud.calls) == 1
    clock[0] += 21.0
    assert client.servers().whole
    client.close()


def test_a_429_of_a_post_or_of_the_token_endpoint_holds_back_the_next_request(cloud: RawCloud) -> None:
    for tokens, answers in (([reply(429)], []), ([], [reply(429, example("error_429"))])):
        with closing(Client(account_of(cloud), now=time.time, monotonic=time.monotonic)) as client:
            before = len(cloud.requests)
            cloud.tokens, cloud.answers = [*tokens], [*answers]
            client.stop_failover(SERVER)
            sent = len(cloud.requests)
            for call in (client.ready, client.servers):
                if call == client.ready and not tokens:
                    continue  # the token is at hand
                with pytest.raises(wire.TooManyRequests):
                    call()
            assert len(cloud.requests) == sent > before


def test_a_list_is_asked_for_again_as_often_as_its_caller_is_patient_with_a_cloud_that_fails(
    cloud: RawCloud, client: Client
) -> None:
    tries: list[int] = []

    def patience(so_far: int) -> bool:
        tries.append(so_far)
        return so_far < 3

    cloud.answers = [reset, reply(500), page("a", total=1)]
    assert client.servers(type=ServerType.RECOVERY, patience=patience).whole
    assert [query(one.target)[0] for one in cloud.calls] == [("type", "RECOVERY")] * 3
    assert tries == [1, 2]
    for answer, error, asked in ((reset, wire.Broken, [1, 2, 3]), (reply(503), wire.ServerFault, [1, 2, 3]),
                                 (reply(404), wire.NotFound, [])):  # fmt: skip
        tries.clear()
        cloud.answers = [answer] * 4
        with pytest.raises(error):
            client.sites(patience=patience)
        assert tries == asked


def test_a_short_token_is_not_taken_out_of_what_the_cloud_says(cloud: RawCloud, client: Client) -> None:
    cloud.tokens = [granted("task")]
    cloud.answers = [reply(202, example("accepted"))]

    assert isinstance(client.stop_failover(SERVER).answer, wire.Accepted)


def test_what_came_back_is_kept_short_and_can_be_stored(cloud: RawCloud, client: Client) -> None:
    cloud.answers = [reply(500, b"\xff\0" + b"x" * 5000)]

    sent = client.stop_failover(SERVER)

    assert sent.reply.startswith("\ufffd\ufffdxx")
    assert len(sent.reply) == 2000


# Who is asked


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


# Secrets


def test_no_secret_is_in_any_log_error_or_repr(
    cloud: RawCloud, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("requests_oauthlib", "requests_oauthlib.oauth2_session", "oauthlib", "urllib3", "requests"):
        caplog.set_level(logging.DEBUG, logger=name)
    echo = json.dumps({"error": {"code": "Odd", "debug": {"msg": f"Token {TOKEN} of {SECRET[:0]}you is bad"}}}).encode()
    said = []
    for answer in (reply(500, echo), reply(400, echo), reply(401, echo), reply(307, b"", f"Location: /?{TOKEN}")):
        cloud.answers = [answer, answer]
        with pytest.raises(wire.CloudError) as caught:
            client.servers()
        said += [str(caught.value), repr(caught.value), repr(caught.value.__dict__), repr(caught.value.__context__)]
        cloud.answers = [answer]
        said.append(repr(client.stop_failover(SERVER)))
    cloud.tokens = [reply(401, echo)] * 2
    said.append(repr(client.stop_failover(SERVER)))
    said += [repr(client), repr(client.__dict__)]

    assert caplog.records
    for text in (caplog.text, *said):
        assert TOKEN not in text
        assert SECRET not in text


# Against the simulator


def test_a_failover_through_the_simulator() -> None:
    with running("quiet") as simulator:
        account = Account(cloud=simulator.url, client_id=simulator.client_id, client_secret=simulator.client_secret)
        client = Client(account, now=time.time, monotonic=time.monotonic)
        servers, sites = client.servers(), client.sites()
        assert servers.whole
        assert sites.whole
        assert client.simulator
        server = next(
            one for one in servers.items if one.type == "RECOVERY" and one.status == "STAND_BY" and not one.issues
        )

        started, again = client.start_failover_test(server.uuid), client.start_failover_test(server.uuid)

        assert isinstance(started.answer, wire.Accepted)
        assert isinstance(again.answer, wire.Refused)
        assert again.answer.task_uuids == (started.answer.task_uuid.lower(),)
        fresh = client.servers(resource_ids=[server.resource_id])
        assert [one.key for one in fresh.items] == [server.key]
        assert fresh.items[0].task_uuids == {started.answer.task_uuid.lower()}
        client.close()


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
