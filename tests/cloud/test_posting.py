"""An action over real HTTP: one POST on a connection of its own, or none."""

import json

import pytest

from drdash.cloud import wire
from drdash.cloud.client import Client
from drdash.cloud.records import RecoveryPoint
from tests.cloud.conftest import SERVER, RawCloud, example, granted, page, reply

POINT = RecoveryPoint(backup_id="b@1", archive_id="a-2", vault_id="v-3")


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
