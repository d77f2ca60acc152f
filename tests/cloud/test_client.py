"""The calls of the client, over real HTTP."""

import json
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from drdash.cloud import wire
from drdash.cloud.client import Account, Client
from drdash.cloud.words import ServerType
from drdash.simulator.server import running
from tests.cloud.conftest import (
    SECRET,
    SERVER,
    TOKEN,
    RawCloud,
    account_of,
    example,
    granted,
    page,
    query,
    reply,
    reset,
)


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
