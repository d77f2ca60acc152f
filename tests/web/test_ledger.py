"""The audit's page finds what is asked for, and lets it be taken away; never more than the person may see."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from django.test import Client

from drdash.audit.chain import Link, first_flaw
from drdash.audit.models import Entry
from drdash.audit.record import write
from drdash.tenants.models import Credential, Membership, Tenant
from drdash.tenants.roles import Role
from tests.web.seen import publish, server


@pytest.fixture
def root(fresh_process: None) -> Client:
    """A superuser who is an admin of Acme; Globex is somebody else's. Nothing of the sign-in is in the audit."""
    credential = Credential.objects.create(name="c", cloud="https://cloud.example.com", client_id="x")
    acme, globex = (Tenant.objects.create(name=name, credential=credential) for name in ("Acme", "Globex"))
    person = User.objects.create_superuser("root", password="simulated-secret-of-root")
    Membership.objects.create(user=person, tenant=acme, role=Role.ADMIN)
    bob = User.objects.create_user("bob", password="simulated-secret-of-bob")
    for day, by, tenant, verb, detail in (
        (1, person, acme, "armed", "It was time."),
        (2, bob, acme, "paused", "=HYPERLINK(1)"),
        (3, person, None, "connected", "Another cloud."),
        (4, bob, globex, "resumed", "Not for Acme."),
    ):
        at = datetime(2026, 11, day, 23, 59, tzinfo=UTC)
        write(by=by, verb=verb, at=at, tenant=tenant.pk if tenant else None, detail=detail)
    client = Client()
    client.force_login(person)
    return client


def seen(client: Client, query: str) -> set[str]:
    page = client.get(f"/audit/?{query}").content.decode()
    return {verb for verb in ("armed", "paused", "connected", "resumed") if f">{verb}<" in page}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"armed", "paused", "connected"}),
        ("q=time", {"armed"}),
        ("who=bob", {"paused"}),
        ("since=2026-11-02&until=2026-11-02", {"paused"}),
        ("until=2026-11-02", {"armed", "paused"}),
        ("tenant=999999", set()),
        ("q=%00", set()),
        ("since=yesterday", set()),
        ("until=9999-12-31", set()),
        ("tenant=x", set()),
    ],
)
def test_the_filter_finds_what_is_asked_for(root: Client, query: str, found: set[str]) -> None:
    assert seen(root, query) == found


def test_a_filter_that_cannot_be_read_says_so(root: Client) -> None:
    assert "Enter a valid date" in root.get("/audit/?since=yesterday").content.decode()


def test_one_tenant_alone(root: Client) -> None:
    globex, acme = Tenant.objects.get(name="Globex"), Tenant.objects.get(name="Acme")
    assert seen(root, f"tenant={acme.pk}") == {"armed", "paused"}
    assert seen(root, f"tenant={globex.pk}") == set(), "there is no membership in it"


def test_a_server_has_its_name_also_where_no_action_tells_it(root: Client) -> None:
    acme = Tenant.objects.get(name="Acme")
    publish(acme.pk, server("s-1", name="db-01"))
    write(by=None, verb="noted", at=datetime(2026, 11, 5, tzinfo=UTC), tenant=acme.pk, server_uuid="S-1")
    assert ">db-01</a>" in root.get("/audit/").content.decode()


def test_it_is_taken_away_as_csv_without_formulas(root: Client) -> None:
    answer = root.get("/audit/export/csv/?who=bob")
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert 'attachment; filename="audit-' in answer.headers["Content-Disposition"]
    (row,) = csv.DictReader(io.StringIO(answer.getvalue().decode()))
    assert (row["tenant_name"], row["username"], row["verb"], row["detail"]) == (
        "Acme",
        "bob",
        "paused",
        "'=HYPERLINK(1)",
    )
    assert row["at"] == "2026-11-02T23:59:00+00:00"


def test_it_is_taken_away_as_json_lines_that_can_be_checked(root: Client) -> None:
    Membership.objects.create(user=User.objects.get(username="root"), role=Role.VIEWER)
    told = [json.loads(line) for line in root.get("/audit/export/jsonl/").getvalue().splitlines()]
    assert [one["verb"] for one in told[:4]] == ["armed", "paused", "connected", "resumed"]
    links = [Link(**{**one, "at": datetime.fromisoformat(one["at"])}) for one in told]
    assert first_flaw(links) is None


def test_that_it_was_taken_is_in_the_audit(root: Client) -> None:
    root.get("/audit/export/csv/?q=time").getvalue()
    assert "took the audit away" in root.get("/audit/").content.decode()


def test_whoever_takes_it_away_again_and_again_has_to_wait_and_nobody_else_has(root: Client) -> None:
    for _ in range(10):
        root.get("/audit/export/csv/").getvalue()
    assert root.get("/audit/export/jsonl/").status_code == 429
    another = Client()
    another.force_login(User.objects.create_superuser("another"))
    assert another.get("/audit/export/csv/").status_code == 200
    assert Entry.objects.filter(verb="took the audit away").count() == 11
    assert root.get("/audit/").status_code == 200


def test_a_look_at_the_head_takes_nothing_away(root: Client) -> None:
    assert root.head("/audit/export/csv/").status_code == 405
    root.get(f"/audit/export/csv/?q={'a' * 20_000}").getvalue()
    assert len(Entry.objects.latest("number").detail) < 300


def test_other_kinds_and_strangers_get_nothing(root: Client) -> None:
    assert root.get("/audit/export/xls/").status_code == 404
    assert Client().get("/audit/export/csv/").status_code == 302
