from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils.translation import override

from drdash.failover.models import Action, Failover, State
from drdash.tenants.models import Credential, Membership, Tenant
from drdash.tenants.roles import Role
from drdash.web import rows
from tests.web.seen import NOON, estate, fail, issue, publish, server, site, timeless

HOSTILE = "<script>alert('x')</script>\"'&"


@pytest.fixture
def tenant(fresh_process: None) -> Tenant:
    credential = Credential.objects.create(name="c", cloud="https://cloud.example", client_id="c")
    return Tenant.objects.create(name="Acme", credential=credential)


def action(tenant: Tenant, **fields: Any) -> Action:
    user, _ = User.objects.get_or_create(username="alice")
    given = {
        "tenant": tenant,
        "user": user,
        "cloud": tenant.credential.cloud,
        "server_uuid": "s-1",
        "server_name": "db-01",
        "kind": "start_failover_test",
        "production": False,
        "idempotency_key": f"k{Action.objects.count()}",
        "content": "c",
        "state": State.ACCEPTED,
        "requested_at": NOON,
        "sent_at": NOON,
    }
    return Action.objects.create(**{**given, **fields})


def draw(topic: str, tenant: Tenant, role: Role = Role.ADMIN) -> str:
    drawn = rows.render(topic, tenant=tenant.pk, role=role)
    assert drawn is not None
    return drawn


def test_a_topic_begins_with_the_element_that_it_replaces(tenant: Tenant) -> None:
    publish(tenant.pk, server())
    made = action(tenant)
    for topic in ("server-row-s-1", "server-panel-s-1", "site-row-p-1", "site-panel-p-1", f"health-{tenant.pk}"):
        assert draw(topic, tenant).split(">")[0].split(" ", 1)[1].startswith(f'id="{topic}"')
        swap = "quick" if topic.startswith("server-row") else "outerHTML"
        assert f'sse-swap="{topic}" hx-swap="{swap}"' in draw(topic, tenant)
    for topic in (f"action-row-{made.pk}", f"action-panel-{made.pk}"):
        assert f'id="{topic}"' in draw(topic, tenant)


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "server-row-",
        "server-row-nobody",
        "health-77",
        "health-x",
        "action-row-x",
        "action-row-9",
        "what-ever",
        "site-row-s-1",
    ],
)
def test_what_does_not_exist_is_not_drawn(tenant: Tenant, topic: str) -> None:
    publish(tenant.pk, server())
    assert rows.render(topic, tenant=tenant.pk, role=Role.ADMIN) is None


def test_an_action_of_another_tenant_does_not_exist(tenant: Tenant) -> None:
    other = Tenant.objects.create(name="Other", credential=tenant.credential)
    made = action(other)
    assert rows.render(f"action-row-{made.pk}", tenant=tenant.pk, role=Role.ADMIN) is None


def test_hostile_texts_are_escaped_everywhere(tenant: Tenant) -> None:
    link = {"rel": "DR_CLOUD_SERVER_PAGE", "href": "javascript:alert(1)", "type": "text/html"}
    hostile = [{**issue("X"), "error": {"code": HOSTILE, "message": HOSTILE, "context": {"task_uuids": [HOSTILE]}}}]
    fields: dict[str, Any] = dict.fromkeys(["name", "description", "status", "public_ip"], HOSTILE)
    fields |= {"_issues": hostile, "_links": [link], "vm": {"status": HOSTILE}, HOSTILE: {HOSTILE: HOSTILE}}
    sites = (site(failover_readiness=HOSTILE, status=HOSTILE, _issues=hostile, _links=[link]),)
    publish(tenant.pk, server(**fields), sites=sites)
    fail(tenant.pk, HOSTILE)
    action(tenant, server_name=HOSTILE, error=HOSTILE, reply=HOSTILE, state=State.UNKNOWN)
    Tenant.objects.update(name=HOSTILE)
    made = Action.objects.get()
    topics = ["server-row-s-1", "server-panel-s-1", "site-row-p-1", "site-panel-p-1", f"health-{tenant.pk}"]
    for topic in [*topics, f"action-row-{made.pk}", f"action-panel-{made.pk}"]:
        drawn = draw(topic, tenant)
        assert "<script" not in drawn
        assert "javascript:" not in drawn.replace(
            "<span>Server in the cloud&#x27;s console: javascript:alert(1)</span>", ""
        )
        assert 'href="javascript' not in drawn


def test_a_stale_row_says_last_seen_and_is_marked(tenant: Tenant) -> None:
    publish(tenant.pk, server(), age=3600)
    assert 'class="row is-stale"' in draw("server-row-s-1", tenant)
    publish(tenant.pk, server())
    assert 'class="row"' in draw("server-row-s-1", tenant)


def test_a_row_shows_the_open_action_and_then_no_longer(tenant: Tenant) -> None:
    publish(tenant.pk, server())
    made = action(tenant)
    assert "Accepted, not done yet" in draw("server-row-s-1", tenant)
    Action.objects.filter(pk=made.pk).update(state=State.SUCCEEDED)
    assert "Accepted" not in draw("server-row-s-1", tenant)


def test_an_open_action_disables_the_buttons(tenant: Tenant) -> None:
    publish(tenant.pk, server())
    assert "hx-get" in draw("server-row-s-1", tenant)
    action(tenant)
    drawn = draw("server-row-s-1", tenant)
    assert "hx-get" not in drawn
    assert "An action sent from here is not finished." in drawn


def test_a_blocked_row_tells_the_first_reason_in_words_and_counts_the_others(tenant: Tenant) -> None:
    issues = [issue("ServerNotLicensed"), issue("VPNGatewayUnreachable")]
    publish(tenant.pk, server(_issues=issues))
    drawn = draw("server-row-s-1", tenant)
    assert "It is ServerNotLicensed." in drawn
    assert "<summary>1 more</summary>" in drawn
    assert "title=" not in drawn.split("Start test")[1]


def test_a_missing_server_offers_nothing(tenant: Tenant) -> None:
    publish(tenant.pk, server(), server("s-2"), age=10)
    publish(tenant.pk, server("s-2"))
    drawn = draw("server-row-s-1", tenant)
    assert "Missing since" in drawn
    assert "<button" not in drawn


def test_roles_draw_different_rows_and_viewers_get_no_button(tenant: Tenant) -> None:
    publish(tenant.pk, server())
    assert "Start production" in draw("server-row-s-1", tenant, Role.ADMIN)
    assert "Start production" not in draw("server-row-s-1", tenant, Role.OPERATOR)
    assert "<button" not in draw("server-row-s-1", tenant, Role.VIEWER)


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        ("outside", "tarted in the cloud&#x27;s own console; first seen"),
        ("automated", "tarted as an automated test; first seen"),
        ("ours", "tarted by alice from here</a> <time"),
        ("unknown", "erhaps started from here: the outcome of Start test is unknown</a>; first seen"),
    ],
)
def test_row_and_panel_say_who_started_what_runs_and_claim_no_more(tenant: Tenant, origin: str, words: str) -> None:
    publish(tenant.pk, server(status="POWERING_OFF", recovery={"active_failover": {"id": "f-1"}}))
    topics = ("server-row-s-1", "server-panel-s-1")
    assert not any("started" in draw(topic, tenant) for topic in topics)
    ours = action(tenant, state=State.UNKNOWN, server_uuid="s-2") if origin in ("ours", "unknown") else None
    Failover.objects.create(
        tenant=tenant, server_uuid="s-1", failover_id="f-1", production=False, origin=origin, action=ours, seen_at=NOON
    )
    assert all(words in draw(topic, tenant) for topic in topics)
    assert "What runs is a test, as far as it was seen." in draw("server-panel-s-1", tenant)


def test_health_of_what_was_never_polled_says_so_and_is_stale(tenant: Tenant) -> None:
    drawn = draw(f"health-{tenant.pk}", tenant)
    assert "Nothing was ever read from the cloud" in drawn
    assert "is-stale" in drawn
    assert "data-as-of" not in drawn


def test_health_tells_why_the_last_poll_failed(tenant: Tenant) -> None:
    publish(tenant.pk, server())
    fail(tenant.pk, "The cloud answered 500.")
    assert "The last poll failed: The cloud answered 500." in draw(f"health-{tenant.pk}", tenant)


def test_a_drawing_is_made_once_for_all(tenant: Tenant) -> None:
    one = estate(server(), tenant=tenant.pk)
    seen = one.servers["s-1"]
    first = rows.server_row(tenant, one, seen, role=Role.ADMIN, ours=None)
    assert rows.server_row(tenant, one, seen, role=Role.ADMIN, ours=None) is first


def test_accepted_and_succeeded_are_different_words(tenant: Tenant) -> None:
    made = action(tenant)
    panel = draw(f"action-panel-{made.pk}", tenant)
    assert "It has not been seen done yet." in panel
    assert "Succeeded" not in panel


def test_the_page_and_the_stream_show_the_same_in_each_language(tenant: Tenant) -> None:
    publish(tenant.pk, server(rpo={"ratio": 2.6, "status": "WARNING"}, _issues=[issue("ResourceBusy")]))
    alice = User.objects.create_user("alice")
    Membership.objects.create(user=alice, tenant=tenant, role=Role.ADMIN)
    drawn = {}
    for code in ("en", "de", "ja"):
        browser = Client(headers={"Accept-Language": code})
        browser.force_login(alice)
        page = timeless(browser.get("/servers/").content.decode())
        with override(code):
            drawn[code] = draw("server-row-s-1", tenant)
            assert timeless(drawn[code]) in page
            assert timeless(draw(f"health-{tenant.pk}", tenant)) in page
    assert len(set(drawn.values())) == 3
    assert ("Stand-by" in drawn["en"], "2,6 ×" in drawn["de"], "スタンバイ" in drawn["ja"]) == (True, True, True)
