"""What the JSON API shows: everything within reach, nothing beyond it, and always how old it is."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import Settings

from drdash.cloud.records import Server
from drdash.estate.models import Copy
from drdash.estate.replica import replica
from drdash.estate.store import Store, store
from drdash.failover.guard import Kind, Sight, judge
from drdash.failover.models import State
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Tenant
from drdash.tenants.roles import Posture, Role
from tests.stack import Poll
from tests.web.asking import Program, an_action

NOWHERE = "redis://127.0.0.1:1/0"


def test_a_list_of_servers_has_the_clouds_fields_and_ours(
    simulator: Simulator, polled: Poll, tenant: Tenant, alice: User
) -> None:
    listed = Program(alice).read("servers/", limit=200)
    assert (listed["count"], listed["next"], listed["previous"]) == (40, None, None)
    ours = {"tenant", "missing_since", "actions"}
    for one in listed["results"]:
        of_the_cloud = simulator.world.document(simulator.world.servers[one["uuid"]])
        assert {name: value for name, value in one.items() if name not in ours} == without_backup_uri(of_the_cloud)
        assert (one["tenant"], one["missing_since"]) == (tenant.pk, None)
        assert set(one["actions"]) == {"start_failover_test", "start_failover_prod", "stop_failover"}
    assert b"backup_uri" not in Program(alice).get("servers/", limit=200).content


def test_a_list_tells_how_old_it_is(polled: Poll, tenant: Tenant, alice: User) -> None:
    estate = polled()
    (told,) = Program(alice).read("servers/")["estate"]
    assert told["tenant"] == tenant.pk
    assert told["version"] == estate.version
    assert datetime.fromisoformat(told["as_of"]) == estate.health.as_of
    assert 0 <= told["age_seconds"] < 30
    assert (told["stale"], told["error"]) == (False, None)


def test_what_was_never_polled_is_stale(tenant: Tenant, alice: User) -> None:
    listed = Program(alice).read("servers/")
    assert (listed["count"], listed["results"]) == (0, [])
    (told,) = listed["estate"]
    assert (told["version"], told["as_of"], told["age_seconds"], told["stale"]) == (0, None, None, True)


def test_a_failed_poll_is_told_beside_the_last_good_data(simulator: Simulator, polled: Poll, alice: User) -> None:
    simulator.fail("500", path="/sites", times=None)
    polled()
    listed = Program(alice).read("servers/")
    assert listed["count"] == 40
    assert listed["estate"][0]["error"]
    assert Program(alice).read("sites/")["estate"][0]["error"] == listed["estate"][0]["error"]


def test_without_redis_the_last_seen_is_served_with_its_age(
    polled: Poll, server: Server, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Program(alice).read("servers/")["count"] == 40
    monkeypatch.setattr(replica(), "_store", Store(NOWHERE))
    listed = Program(alice).read("servers/")
    assert listed["count"] == 40
    assert "Redis" in listed["estate"][0]["error"]
    assert Program(alice).read(f"servers/{server.uuid}/")["uuid"] == server.uuid


def test_without_redis_and_memory_nothing_is_called_unknown(
    polled: Poll, server: Server, alice: User, settings: Settings
) -> None:
    Copy.objects.all().delete()
    settings.REDIS_URL = NOWHERE
    store.cache_clear()
    replica.cache_clear()
    for answer in (Program(alice).get(f"servers/{server.uuid}/"), Program(alice).act(server.uuid)):
        assert answer.status_code == 503
        assert "Try again" in answer.json()["detail"]
    assert Program(alice).read("servers/")["estate"][0]["stale"] is True


def test_offers_are_the_guards_word_for_the_role_that_asks(
    polled: Poll, tenant: Tenant, alice: User, bob: User, victor: User
) -> None:
    estate = store().load(tenant.pk)
    for user, role in ((alice, Role.ADMIN), (bob, Role.OPERATOR), (victor, Role.VIEWER)):
        for one in Program(user).read("servers/", limit=200)["results"]:
            known = estate.servers[one["uuid"].lower()].record
            for kind in Kind:
                verdict = judge(kind, Sight(known, estate.site_of(known)), role=role, posture=Posture.ARMED)
                offer = one["actions"][kind.value]
                assert offer["allowed"] is verdict.allowed
                assert offer["break_glass"] is verdict.breakable
                assert offer["acknowledge"] == list(verdict.acknowledge)
                assert [(r["code"], r["message"], r["remedy"], r["task_uuids"]) for r in offer["reasons"]] == [
                    (r.code, r.message, r.remedy.value, list(r.task_uuids)) for r in verdict.reasons
                ]


def test_a_busy_servers_offers_name_the_blocking_task(
    simulator: Simulator, polled: Poll, server: Server, alice: User
) -> None:
    simulator.force_server(server.uuid, task="5bc9464f-87b6-4ea8-aa42-050824135e63")
    polled()
    offers = Program(alice).read(f"servers/{server.uuid}/")["actions"]
    for offer in offers.values():
        assert not offer["allowed"]
        assert "5bc9464f-87b6-4ea8-aa42-050824135e63" in {task for r in offer["reasons"] for task in r["task_uuids"]}
        assert "wait" in {reason["remedy"] for reason in offer["reasons"]}


def test_an_open_action_of_ours_blocks_the_offers(polled: Poll, server: Server, alice: User, tenant: Tenant) -> None:
    an_action(alice, tenant, server, State.UNKNOWN)
    an_action(alice, tenant, server, State.REQUESTED)
    offers = Program(alice).read(f"servers/{server.uuid}/")["actions"]
    assert not offers["start_failover_test"]["allowed"]
    assert "OurStartUnknown" in {reason["code"] for reason in offers["start_failover_test"]["reasons"]}
    blocked = Program(alice).read("servers/", blocked="true", limit=200)["results"]
    assert server.uuid in {one["uuid"] for one in blocked}


def test_blocked_means_a_recovery_server_with_no_action_allowed_roles_aside(
    polled: Poll, alice: User, victor: User
) -> None:
    everything = Program(alice).read("servers/", limit=200)["results"]
    expected = {
        one["uuid"]
        for one in everything
        if one["type"] == "RECOVERY" and not any(offer["allowed"] for offer in one["actions"].values())
    }
    assert expected
    for user in (alice, victor):
        blocked = Program(user).read("servers/", blocked="TRUE", limit=200)["results"]
        free = Program(user).read("servers/", blocked="false", limit=200)["results"]
        assert {one["uuid"] for one in blocked} == expected
        assert {one["uuid"] for one in free} == {one["uuid"] for one in everything} - expected


def test_a_missing_server_is_shown_as_missing_and_offers_nothing(
    simulator: Simulator, polled: Poll, server: Server, alice: User
) -> None:
    simulator.force_server(server.uuid, delete=True)
    polled()
    one = Program(alice).read(f"servers/{server.uuid}/")
    assert datetime.fromisoformat(one["missing_since"]) <= timezone.now()
    for offer in one["actions"].values():
        assert not offer["allowed"]
        assert "ServerGone" in {reason["code"] for reason in offer["reasons"]}
    assert server.uuid in {one["uuid"] for one in Program(alice).read("servers/", blocked="true", limit=200)["results"]}


def test_a_server_by_itself_is_found_in_any_case(polled: Poll, server: Server, alice: User) -> None:
    one = Program(alice).read(f"servers/{server.uuid.upper()}/")
    assert one["uuid"] == server.uuid
    assert one["estate"] == Program(alice).read("servers/")["estate"][0] | {"age_seconds": one["estate"]["age_seconds"]}
    in_list = next(o for o in Program(alice).read("servers/", limit=200)["results"] if o["uuid"] == server.uuid)
    assert {name: value for name, value in one.items() if name != "estate"} == in_list


def test_sites_have_the_clouds_fields_and_ours(simulator: Simulator, polled: Poll, tenant: Tenant, alice: User) -> None:
    listed = Program(alice).read("sites/")
    assert listed["count"] == len(listed["results"]) == 5
    for one in listed["results"]:
        of_the_cloud = simulator.world.document(simulator.world.sites[one["uuid"]])
        assert one == of_the_cloud | {"tenant": tenant.pk, "missing_since": None}
        alone = Program(alice).read(f"sites/{one['uuid'].upper()}/")
        assert {name: value for name, value in alone.items() if name != "estate"} == one
        assert alone["estate"]["tenant"] == tenant.pk
    assert Program(alice).read("sites/", limit=2, offset=4)["next"] is None


def test_what_the_cloud_adds_is_shown_and_never_hides_ours(
    simulator: Simulator, polled: Poll, server: Server, alice: User, tenant: Tenant
) -> None:
    added = {
        "shape": {"backup_uri": "avfs:/secret", "deep": [{"Backup_URI": "avfs:/secret", "kept": None}]},
        "actions": {"start_failover_test": {"allowed": True}},
        "tenant": "theirs",
        "missing_since": "never",
        "name": 17,
        "vm": "gone",
        "text": "\u0000 \u2028 <script>",
        "number": 12345678901234567890123,
    }
    simulator.force_server(server.uuid, set=added)
    simulator.force_site(server.site_uuid, set={"tenant": "theirs", "more": [1.5]})
    polled()
    one = Program(alice).read(f"servers/{server.uuid}/")
    assert (one["tenant"], one["missing_since"]) == (tenant.pk, None)
    assert set(one["actions"]) == {"start_failover_test", "start_failover_prod", "stop_failover"}
    assert one["shape"] == {"deep": [{"kept": None}]}
    assert {name: one[name] for name in ("name", "vm", "text", "number")} == {
        name: added[name] for name in ("name", "vm", "text", "number")
    }
    site = Program(alice).read(f"sites/{server.site_uuid}/")
    assert (site["tenant"], site["more"]) == (tenant.pk, [1.5])
    assert server.uuid in {one["uuid"] for one in Program(alice).read("servers/", limit=200)["results"]}


ODD_IDS = [
    "server 67890",
    "two\nlines",
    "a/b",
    "../x",
    "%2F",
    "q?x#y",
    "ünïcode",
    "x/actions",
    "<b>",
    "'",
    "&amp;",
    "%",
    "\\",
]


@pytest.mark.parametrize("uuid", ODD_IDS)
def test_ids_may_be_anything(
    simulator: Simulator, polled: Poll, server: Server, tenant: Tenant, alice: User, uuid: str
) -> None:
    simulator.force_server(server.uuid, set={"uuid": uuid})
    polled()
    answer = Program(alice).get(f"servers/{quote(uuid, safe='')}/")
    if uuid == "x/actions":
        assert answer.status_code == 405
        return
    assert answer.json()["uuid"] == uuid
    refused = Program(alice, tenant).act(uuid, "stop_failover", confirm=server.name)
    assert refused.status_code == 409, refused.content
    assert refused.json()["action"]["server"] == uuid


def test_actions_are_listed_newest_first_with_exactly_their_fields(
    polled: Poll, server: Server, alice: User, victor: User, tenant: Tenant
) -> None:
    made = [an_action(alice, tenant, server, State.SUCCEEDED) for _ in range(3)]
    listed = Program(victor).read("actions/", limit=2)
    assert (listed["count"], [one["id"] for one in listed["results"]]) == (3, [made[2].pk, made[1].pk])
    assert listed["next"]
    assert listed["estate"][0]["tenant"] == tenant.pk
    one = Program(victor).read(f"actions/{made[0].pk}/")
    assert datetime.fromisoformat(one.pop("requested_at")) == made[0].requested_at
    assert one == {
        "id": made[0].pk,
        "action": "start_failover_test",
        "server": server.uuid,
        "state": "succeeded",
        "requested_by": "alice",
        "sent_at": None,
        "finished_at": None,
        "task_uuid": None,
        "error": None,
    }


def test_time_speaks_before_an_action_is_shown(polled: Poll, server: Server, alice: User, tenant: Tenant) -> None:
    long_ago = timezone.now() - timedelta(minutes=11)
    late = an_action(alice, tenant, server, State.REQUESTED, requested_at=long_ago)
    silent = an_action(alice, tenant, server, State.ACCEPTED, requested_at=long_ago, last_sign_at=long_ago)
    assert Program(alice).read(f"actions/{late.pk}/")["state"] == "expired"
    shown = {one["id"]: one["state"] for one in Program(alice).read("actions/")["results"]}
    assert shown == {late.pk: "expired", silent.pk: "unknown"}


def without_backup_uri(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_backup_uri(inner) for name, inner in value.items() if name != "backup_uri"}
    return [without_backup_uri(inner) for inner in value] if isinstance(value, list) else value
