"""What changed between two looks, and which nods outlive it."""

from drdash.failover.guard import Kind
from drdash.failover.sighting import Sighting
from drdash.tenants.roles import Role
from drdash.web.drifts import Drift, drifts, still

START, STOP = "DR_CLOUD_SERVER_START_FAILOVER_TEST", "DR_CLOUD_SERVER_STOP_FAILOVER"


def seen(
    *issues: tuple[str, str, str], status: str = "STAND_BY", role: Role = Role.ADMIN, name: str = "db-01"
) -> Sighting:
    return Sighting(
        user=1,
        tenant=1,
        kind=Kind.START_TEST,
        server="s-1",
        name=name,
        site="p-1",
        status=status,
        role=role,
        issues=frozenset(issues),
    )


def test_what_is_as_it_was_is_not_told() -> None:
    assert drifts(seen(("A", "WARNING", "")), seen(("A", "WARNING", ""))) == ()


def test_better_and_worse_are_both_told_in_words() -> None:
    before = seen(("A", "ERROR", START), ("B", "WARNING", "site"), ("", "WARNING", ""))
    now = seen(("A", "WARNING", START), ("C", "NASTY", ""), status="FAILOVER_TEST", role=Role.OPERATOR, name="")
    assert drifts(before, now) == (
        Drift("Server", "db-01", "s-1"),
        Drift("Status", "Stand-by", "Test running"),
        Drift("Your role", "admin", "operator"),
        Drift("An unnamed issue", "warning", "not there"),
        Drift("A", "error (Start test)", "warning (Start test)"),
        Drift("B", "warning (of the site)", "not there"),
        Drift("C", "not there", "nasty"),
    )


def test_a_nod_outlives_what_did_not_change_alone() -> None:
    before = seen(("A", "WARNING", ""), ("B", "WARNING", START), ("C", "WARNING", ""))
    now = seen(("A", "WARNING", ""), ("B", "WARNING", STOP), ("D", "WARNING", ""))
    assert still(["A", "B", "C", "D", "ReadinessWarning"], before, now) == {"A", "ReadinessWarning"}


def test_with_another_status_only_a_nod_to_an_issue_stays() -> None:
    issue = ("A", "WARNING", "")
    now = seen(issue, status="FAILOVER_TEST")
    assert still(["A", "ReadinessWarning", "TestRunning"], seen(issue), now) == {"A"}
