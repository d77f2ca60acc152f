"""Whatever a cloud sends is a value or a named error, never another exception; and nothing unknown becomes green.

Bodies go all the way that good ones go: wire, records, snapshot and its bytes in the store, guard, buttons, cards. What
comes out green or allowed is held to the body's own JSON, read here once more by rules of the test's own.
"""

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drdash.cloud import grants, reading, wire
from drdash.cloud.account import Account, Grant
from drdash.cloud.errors import CloudError
from drdash.cloud.neighbours import points
from drdash.cloud.records import Server, Site
from drdash.cloud.transport import Reply
from drdash.cloud.words import ServerStatus
from drdash.estate import packing
from drdash.estate.snapshot import Estate, Health, Read, merge_pass
from drdash.failover.guard import Kind, OwnState, Sight, judge
from drdash.tenants.roles import Posture, Role
from drdash.web import buttons, cards, facts
from drdash.web.wording import Look
from tests.cloud.bodies import OTHERS, SERVERS, SITES, changed, each_alone
from tests.cloud.said import green_of_server, green_of_site, may, warned
from tests.sizes import cases, sized

NOW = 1_700_000_000.0
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NUMBER = cases(100, full=25_000)  # of each of the four
HEADERS = st.dictionaries(
    st.sampled_from(["Retry-After", "retry-after", "Date", "Server", "Content-Type", "Location"]),
    st.text(max_size=30) | st.sampled_from(["9" * 5000, "-5", "1e9", "Fri, 31 Dec 9999 23:59:59 GMT", "Tue, 14 Nov"]),
    max_size=3,
)
STATUSES = st.sampled_from([200, 202, 204, 302, 400, 401, 403, 404, 409, 418, 429, 500, 503, 504]) | st.integers(
    -1, 999
)
BYTES = st.binary(max_size=60) | st.text(max_size=30).map(lambda text: text.encode("utf-8", "surrogatepass"))
ACCOUNTS = [
    Account(cloud="https://a.example", grant=Grant.CLIENT_CREDENTIALS, client_id="c", client_secret="canary-secret-1"),
    Account(cloud="https://a.example", grant=Grant.PASSWORD, username="u", password="canary-secret-2"),
    Account(cloud="https://a.example", grant=Grant.JWT_BEARER, assertion="canary-secret-3"),
]
AT_REST = reading.server(json.dumps(SERVERS[0]["items"][0]).encode())
READY = reading.site(json.dumps(SITES[0]["items"][0]).encode())


# A value or a named error


@settings(sized, max_examples=NUMBER)
@given(status=STATUSES, headers=HEADERS, body=changed(OTHERS) | BYTES)
def test_every_answer_is_a_value_or_a_named_error(status: int, headers: dict[str, str], body: bytes) -> None:
    value_or_error(lambda: wire.decipher(status, headers, body, now=NOW))
    value_or_error(lambda: wire.page(status, headers, body, now=NOW))
    match wire.answer(status, headers, body, now=NOW):
        case wire.Accepted(task_uuid=task):
            assert status == 202
            assert json.loads(body)["task_uuid"] == task
        case wire.Refused(retry_after=seconds) | wire.Unclear(retry_after=seconds):
            assert (seconds is not None) == (status == 429)
            assert seconds is None or 1 <= seconds <= 3600
    for account in ACCOUNTS:
        form = grants.first(account)
        got = value_or_error(lambda: grants.granted(status, headers, body, now=NOW, account=account, form=form))  # noqa: B023
        if isinstance(got, grants.Token):
            assert got.text == json.loads(body)["access_token"]
            assert got.renew_at is None or got.renew_at > NOW


def value_or_error(read: Callable[[], Any]) -> Any:
    """What it returns, or the CloudError that it raised, in one sentence that has no secret in it."""
    try:
        return read()
    except CloudError as error:
        got = error
    assert str(got).isprintable()
    assert str(got).endswith(".")
    assert len(str(got)) < 500
    assert "canary" not in str(got)
    return got


@settings(sized, max_examples=NUMBER)
@given(headers=HEADERS, body=changed(SERVERS + SITES) | BYTES)
def test_a_neighbours_answer_is_a_value_or_a_named_error(headers: dict[str, str], body: bytes) -> None:
    found = value_or_error(lambda: points.read("/x", lambda _path: Reply(200, headers, body), now=NOW))
    if isinstance(found, points.Points):
        assert all(point.ids.backup_id and point.ids.vault_id and point.ids.archive_id for point in found.items)


# Nothing unknown is green


@pytest.fixture(scope="module")
def seen() -> Counter[str]:
    return Counter()


@settings(sized, max_examples=NUMBER)
@given(body=changed(SERVERS))
def test_no_server_is_green_or_may_be_started_or_stopped_unless_the_cloud_said_so(
    seen: Counter[str], body: bytes
) -> None:
    assert_nothing_unknown_of_a_server_is_green_or_allowed(seen, body)


def test_no_single_odd_value_makes_a_server_green_or_lets_it_go(seen: Counter[str]) -> None:
    for body in each_alone(SERVERS[0]):
        assert_nothing_unknown_of_a_server_is_green_or_allowed(seen, body)


def assert_nothing_unknown_of_a_server_is_green_or_allowed(seen: Counter[str], body: bytes) -> None:
    for item, server in read_page(body, reading.server):
        estate = known(servers=(server,), sites=(READY,))
        shown = estate.servers[server.key]
        card = cards.server_card(shown, READY)
        assert_green_only_where(seen, card, green_of_server(item))
        assert all(issue.severity.tone != "good" for issue in card.issues)
        if item.get("status") not in list(ServerStatus):
            assert (card.status.tone, card.status.icon) == ("still", "unknown")
        facts.groups(server.json, "Server")
        assert_allowed_only_where(seen, item, server, at_document(SITES[0]), READY)


@settings(sized, max_examples=NUMBER)
@given(body=changed(SITES))
def test_no_site_is_green_or_lets_its_servers_go_unless_the_cloud_said_so(seen: Counter[str], body: bytes) -> None:
    assert_nothing_unknown_of_a_site_is_green_or_allowed(seen, body)


def test_no_single_odd_value_makes_a_site_green_or_lets_its_servers_go(seen: Counter[str]) -> None:
    for page in SITES[:2]:
        for body in each_alone(page):
            assert_nothing_unknown_of_a_site_is_green_or_allowed(seen, body)


def assert_nothing_unknown_of_a_site_is_green_or_allowed(seen: Counter[str], body: bytes) -> None:
    for item, site in read_page(body, reading.site):
        server = msgspec.structs.replace(AT_REST, site_uuid=site.uuid)
        estate = known(sites=(site,))
        card = cards.site_card(estate.sites[site.key], estate)
        assert_green_only_where(seen, card, green_of_site(item))
        assert all(issue.severity.tone != "good" for issue in card.issues)
        facts.groups(site.json, "Site")
        for status in ("STAND_BY", "FAILOVER_TEST", "FAILOVER_PROD"):
            there = msgspec.structs.replace(server, status=ServerStatus(status))
            assert_allowed_only_where(seen, {**at_document(SERVERS[0]), "status": status}, there, item, site)


def test_the_cases_reach_what_they_are_about(seen: Counter[str]) -> None:
    """Of what must never be green or allowed by mistake, everything was both that and not that."""
    for name in ("worst", "rpo", "automated", "readiness", *Kind, "without a nod"):
        assert seen[f"{name}: yes"] >= NUMBER // 200, name
        assert seen[f"{name}: no"] >= NUMBER // 200, name


def read_page(body: bytes, read: Callable[[msgspec.Raw], Any]) -> list[tuple[Any, Any]]:
    """The items of a page as the test and as drdash reads them; none when it is no page, or cannot be read whole."""
    page = value_or_error(lambda: wire.page(200, {}, body))
    if not isinstance(page, wire.Page):
        return []
    try:
        records = [read(raw) for raw in page.items]
    except reading.Malformed:
        return []
    return [(json.loads(bytes(raw), parse_int=float), record) for raw, record in zip(page.items, records, strict=True)]


def known(*, servers: tuple[Server, ...] = (), sites: tuple[Site, ...] = ()) -> Estate:
    """The estate after a pass that read them, as another process finds it in the store."""
    read = Read(started=NOON, servers=servers, sites=sites, whole_servers=True, whole_sites=True)
    merged = merge_pass(Estate(tenant=1, version=1, health=Health(interval=15)), read, finished=NOON, version=2)
    assert merged is not None
    estate = merged[0]
    stored = {f"server:{key}": packing.pack(seen) for key, seen in estate.servers.items()}
    stored |= {f"site:{key}": packing.pack(seen) for key, seen in estate.sites.items()}
    empty = Estate(tenant=1, version=1, health=estate.health)
    again = packing.updated(empty, 2, estate.health, {name: bytes(packed) for name, packed in stored.items()})
    assert again == estate
    return again


def assert_green_only_where(seen: Counter[str], card: Any, allowed: dict[str, bool]) -> None:
    for name in card.__struct_fields__:
        if isinstance(look := getattr(card, name), Look):
            seen[f"{name}: {'yes' if look.tone == 'good' else 'no'}"] += 1
            assert look.tone != "good" or allowed.get(name), (name, look)


def assert_allowed_only_where(seen: Counter[str], item: Any, server: Server, its_site: Any, site: Site) -> None:
    for kind in Kind:
        verdict = judge(kind, Sight(server, site), role=Role.ADMIN, posture=Posture.ARMED)
        seen[f"{kind}: {'yes' if verdict.allowed else 'no'}"] += 1
        if verdict.allowed:
            assert may(kind, item, its_site), kind
            seen[f"without a nod: {'no' if verdict.acknowledge else 'yes'}"] += 1
        if verdict.allowed and not verdict.acknowledge:
            assert not warned(kind, item, its_site), kind
    for button in buttons.buttons(server, site, role=Role.ADMIN, posture=Posture.ARMED, ours=OwnState.NONE):
        assert button.allowed <= may(Kind(button.kind), item, its_site)
        assert button.allowed or button.reasons


def at_document(page: Any) -> Any:
    return page["items"][0]
