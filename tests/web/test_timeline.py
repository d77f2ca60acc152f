"""A server's page tells what happened to it: what polls saw change, and the actions from here."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from drdash.cloud.records import Server
from drdash.estate.changes import Changed, What
from drdash.estate.models import Moment
from drdash.failover.models import Action, State
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Tenant
from drdash.web.timeline import PAGE, Line, history, lines
from drdash.web.wording import Look
from tests.stack import Poll
from tests.web.kept import Person

NOW = timezone.now()
Tell = Callable[..., Moment]


@pytest.fixture
def tell(tenant: Tenant, server: Server) -> Tell:
    """Have a read, so many minutes ago, have seen something change."""

    def one(minutes: float, *changes: Changed, uuid: str = server.key) -> Moment:
        at = NOW - timedelta(minutes=minutes)
        told = msgspec.to_builtins(changes or (Changed(What.STATUS, "STAND_BY", f"WORD_{minutes}"),))
        return Moment.objects.create(tenant=tenant, server_uuid=uuid, at=at, changes=told)

    return one


def acted(tenant: Tenant, user: User, server: Server, *, at: datetime, state: State = State.SUCCEEDED) -> Action:
    return Action.objects.create(
        tenant=tenant, user=user, cloud=tenant.credential.cloud, server_uuid=server.key, server_name=server.name,
        kind="start_failover_test", production=False, idempotency_key=str(at), content="", state=state, requested_at=at,
    )  # fmt: skip


def test_reads_and_actions_are_told_together_the_newest_first(
    tenant: Tenant, server: Server, alice: User, tell: Tell
) -> None:
    seen = [tell(10), tell(2)]
    mine = acted(tenant, alice, server, at=NOW - timedelta(minutes=5))
    told = history(tenant.pk, server.key).happenings
    assert [one.at for one in told] == [seen[1].at, mine.requested_at, seen[0].at]
    assert told[1].action is not None
    assert (told[1].action.by, told[1].action.state.word) == ("alice", "Succeeded")


def test_nothing_of_another_server_or_tenant_is_told(tenant: Tenant, server: Server, charlie: User, tell: Tell) -> None:
    tell(1, uuid="another")
    elsewhere = Tenant.objects.exclude(pk=tenant.pk).get()
    Moment.objects.create(tenant=elsewhere, server_uuid=server.key, at=NOW, changes=[])
    assert history(tenant.pk, server.key).happenings == ()
    Person(charlie).open(f"/servers/{server.uuid}/history/", status=404)


def test_every_moment_is_on_exactly_one_page(tenant: Tenant, server: Server, alice: User, tell: Tell) -> None:
    for minute in range(2 * PAGE + 3):
        tell(minute)
    at = NOW - timedelta(minutes=PAGE - 1)
    acted(tenant, alice, server, at=at)  # at the very time of a moment, where a page ends
    found, before = [], None
    while True:
        told = history(tenant.pk, server.key, before=before)
        found += [one.at for one in told.happenings]
        if (before := told.earlier) is None:
            break
    assert found == sorted([NOW - timedelta(minutes=one) for one in range(2 * PAGE + 3)] + [at], reverse=True)


def test_the_server_s_page_tells_the_newest_and_leads_to_the_earlier_ones(
    server: Server, alice: User, tell: Tell
) -> None:
    for minute in range(PAGE + 2):
        tell(minute)
    person = Person(alice)
    page = person.open(f"/servers/{server.uuid}/")
    assert f"WORD_{PAGE - 1}" in page
    assert f"WORD_{PAGE}" not in page
    before = quote((NOW - timedelta(minutes=PAGE - 1)).isoformat(), safe="")
    earlier = f"/servers/{server.uuid}/history/?before={before}"
    assert f'href="{earlier}"' in page
    older = person.open(earlier)
    assert f"WORD_{PAGE}" in older
    assert f"WORD_{PAGE + 1}" in older
    assert f"WORD_{PAGE - 1}" not in older


def test_the_part_is_sent_only_when_it_changed(server: Server, alice: User, tell: Tell) -> None:
    client = Person(alice).client
    path, asks = f"/servers/{server.uuid}/history/", {"HX-Request": "true", "HX-Target": "history"}
    tell(5)
    html = client.get(path, headers=asks).content.decode()
    assert html.startswith('<section id="history"')
    have = html.split('data-have="')[1].split('"')[0]
    assert client.get(path, headers=asks | {"X-Have": have}).status_code == 204
    tell(1)
    assert client.get(path, headers=asks | {"X-Have": have}).status_code == 200


def test_nonsense_before_is_no_error(server: Server, alice: User) -> None:
    for before in ("", "yesterday", "2026-03-01", "9999-12-31T23:59:59-23:59", "\0", "2026-99-99T00:00:00Z"):
        Person(alice).open(f"/servers/{server.uuid}/history/?before={quote(before)}")


def test_what_a_poll_sees_change_is_on_the_page(
    simulator: Simulator, server: Server, alice: User, polled: Poll
) -> None:
    person = Person(alice)
    assert "Nothing has changed since it was first seen here" in person.open(f"/servers/{server.uuid}/")
    simulator.force_server(server.uuid, status="FAILOVER_TEST")
    polled()
    page = person.open(f"/servers/{server.uuid}/")
    assert '<span class="word">Test running</span></span> (was: Stand-by)' in page


def told(*changes: Changed) -> list[Line]:
    plain: list[dict[str, Any]] = msgspec.to_builtins(changes)
    return list(lines(plain))


def test_what_its_site_did_is_on_the_page_and_says_that_it_is_of_the_site(
    simulator: Simulator, server: Server, alice: User, polled: Poll
) -> None:
    simulator.force_site(
        server.site_uuid, set={"failover_readiness": "ERROR"}, issues=[["VpnGatewayUnreachable", "ERROR", None]]
    )
    polled()
    for path in (f"/servers/{server.uuid}/", f"/servers/{server.uuid}/history/"):
        page = Person(alice).open(path)
        assert "(the site; was: Ready)" in page
        assert "About: “the site” · <code>VpnGatewayUnreachable</code>" in page


def test_an_issue_that_blocks_three_things_is_told_once() -> None:
    rels = ("DR_CLOUD_SERVER_START_FAILOVER_TEST", "DR_CLOUD_SERVER_STOP_FAILOVER", "")
    [line] = told(*(Changed(What.CAME, code="Busy", severity="ERROR", link=rel, message="It is busy.") for rel in rels))
    assert (line.look.tone, line.text, line.code) == ("bad", "It is busy.", "Busy")
    assert line.blocks == ("Start test", "Stop failover")


def test_words_that_nobody_here_knows_are_told_grey_as_they_came() -> None:
    [status, severity, future] = told(
        Changed(What.STATUS, "STAND_BY", "BRAND_NEW"),
        Changed(What.CAME, code="New", severity="CATASTROPHE"),
        Changed("foreseen", after="something"),
    )
    assert status.look == Look("BRAND_NEW")
    assert (severity.look, severity.text) == (Look("CATASTROPHE"), "New")
    assert (future.look, future.text) == (Look("foreseen"), "something")


def test_every_change_has_words_of_its_own() -> None:
    for what in What:
        [line] = told(Changed(what, before="2026-03-01T12:00:00+00:00", after="SUCCESS", severity="ERROR"))
        assert line.look.word != what
        assert line.look.icon
