"""The same wish sent again by the JSON API, or by two at once, and what changed since it was seen."""

from django.contrib.auth.models import User

from drdash.cloud.records import Server
from drdash.simulator.simulation import Simulator
from tests.stack import Poll
from tests.web.asking import POINT, Program, at_once


def test_the_same_key_is_the_same_action(simulator: Simulator, polled: Poll, server: Server, bob: User) -> None:
    first = Program(bob).act(server.uuid, idempotency_key="k", acknowledge=["B", "A"])
    again = Program(bob).act(server.uuid, idempotency_key="k", acknowledge=["A", "B", "A"])
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    other = Program(bob).act(server.uuid, idempotency_key="k", recovery_point=POINT)
    assert other.status_code == 409
    assert "key" in other.json()["detail"]
    assert (other.json()["reasons"], other.json()["action"]) == ([], None)
    assert len(simulator.posts) == 1


def test_a_refusal_sent_again_is_the_same_refusal(
    simulator: Simulator, polled: Poll, server: Server, victor: User
) -> None:
    first = Program(victor).act(server.uuid, idempotency_key="k")
    again = Program(victor).act(server.uuid, idempotency_key="k")
    assert (first.status_code, again.status_code) == (403, 200)
    assert again.json() == first.json()["action"]


def test_each_person_has_keys_of_their_own(polled: Poll, server: Server, alice: User, bob: User) -> None:
    assert Program(bob).act(server.uuid, idempotency_key="k").status_code == 201
    refused = Program(alice).act(server.uuid, idempotency_key="k")
    assert refused.status_code == 409
    assert "OurActionOpen" in {reason["code"] for reason in refused.json()["reasons"]}


def test_two_at_the_same_moment_with_one_key_are_one_action(
    simulator: Simulator, polled: Poll, server: Server, bob: User
) -> None:
    answers = at_once([lambda: Program(bob).act(server.uuid, idempotency_key="k")] * 2)
    assert sorted(answer.status_code for answer in answers) == [200, 201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(simulator.posts) == 1


def test_two_people_at_the_same_moment_send_one_request(
    simulator: Simulator, polled: Poll, server: Server, alice: User, bob: User
) -> None:
    answers = at_once([lambda: Program(alice).act(server.uuid), lambda: Program(bob).act(server.uuid)])
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    refused = next(answer.json() for answer in answers if answer.status_code == 409)
    assert refused["action"]["state"] == "refused"
    assert len(simulator.posts) == 1


def test_a_change_since_the_version_that_was_seen_stops_the_action(
    simulator: Simulator, polled: Poll, server: Server, bob: User
) -> None:
    seen = Program(bob).read("servers/")["estate"][0]["version"]
    simulator.force_server(server.uuid, issues=[["VPNGatewayUnreachable", "WARNING", None]])
    nod = {"acknowledge": ["VPNGatewayUnreachable"], "seen": seen}
    on_the_click = Program(bob).act(server.uuid, **nod)
    assert on_the_click.status_code == 409
    assert "Changed" in {reason["code"] for reason in on_the_click.json()["reasons"]}
    polled()
    before_it = Program(bob).act(server.uuid, **nod)
    assert before_it.status_code == 409
    assert [reason["code"] for reason in before_it.json()["reasons"]] == ["Changed"]
    assert before_it.json()["action"] is None
    assert simulator.posts == []
    seen = Program(bob).read("servers/")["estate"][0]["version"]
    assert Program(bob).act(server.uuid, **(nod | {"seen": seen})).status_code == 201


def test_a_change_of_its_site_counts_too(simulator: Simulator, polled: Poll, server: Server, bob: User) -> None:
    seen = Program(bob).read(f"servers/{server.uuid}/")["estate"]["version"]
    simulator.force_site(server.site_uuid, issues=[["VPNS2SConnectionFailure", "WARNING", None]])
    polled()
    answer = Program(bob).act(server.uuid, acknowledge=["VPNS2SConnectionFailure"], seen=seen)
    assert [reason["code"] for reason in answer.json()["reasons"]] == ["Changed"]


def test_a_repeat_is_answered_though_the_server_has_changed_by_it(
    simulator: Simulator, polled: Poll, server: Server, bob: User
) -> None:
    seen = Program(bob).read("servers/")["estate"][0]["version"]
    first = Program(bob).act(server.uuid, idempotency_key="k", seen=seen)
    polled()
    again = Program(bob).act(server.uuid, idempotency_key="k", seen=seen)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]
