"""The guard's table, row by row; and over endless issue lists, allowed only where the table says so."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drdash.cloud.records import Issue, Link, Server, Site
from drdash.cloud.words import Readiness, Rel, ServerStatus, ServerType, Severity, SiteStatus
from drdash.failover.guard import Kind, OwnState, Sight, Verdict, judge
from drdash.failover.reasons import START_ONLY, Mark, Remedy
from drdash.tenants.roles import Posture, Role

COLUMNS = ("start test", "start prod", "stop test", "stop prod")
KINDS = dict(zip(COLUMNS, (Kind.START_TEST, Kind.START_PROD, Kind.STOP, Kind.STOP), strict=True))
MARKS = {"B": Mark.BLOCK, "O": Mark.GLASS, "A": Mark.ACKNOWLEDGE, "-": Mark.FREE}
OTHER_RELS = {
    Kind.START_TEST: Rel.START_PROD,
    Kind.START_PROD: Rel.STOP,
    Kind.STOP: Rel.REMOTE_CONSOLE,
}
TASK = "5bc9464f-87b6-4ea8-aa42-050824135e63"


def a_server(column: str = "start test", **fields: object) -> Server:
    """A recovery server on which the column's action is free."""
    status = {"stop test": ServerStatus.FAILOVER_TEST, "stop prod": ServerStatus.FAILOVER_PROD}
    usual: dict[str, object] = {
        "uuid": "1F100401-357b-4d04-a0c0-d1206c947473",
        "name": "web-1",
        "description": "",
        "type": ServerType.RECOVERY,
        "status": status.get(column, ServerStatus.STAND_BY),
        "site_uuid": "06bad843-569b-4f7a-bc6b-741aab5be247",
        "task_uuid": "",
        "public_ip": "",
        "created_at": None,
        "vm": None,
        "issues": (),
        "links": tuple(Link(rel, "", "") for rel in (Rel.START_TEST, Rel.START_PROD, Rel.STOP)),
        "resource_id": "1931FAAF-692D-451F-98A3-DAF721102BEB",
        "ip_mapped": "",
        "active_failover": None,
        "test_failover": None,
        "automated_test": None,
        "rpo": None,
        "vault_id": "",
        "json": b"{}",
    }
    return Server(**{**usual, **fields})  # type: ignore[arg-type]


def a_site(**fields: object) -> Site:
    """A site that stands in no one's way."""
    usual: dict[str, object] = {
        "uuid": "06bad843-569b-4f7a-bc6b-741aab5be247",
        "tenant_uuid": "",
        "status": SiteStatus.PROVISIONED,
        "readiness": Readiness.OK,
        "default": True,
        "deleted_at": None,
        "task_uuid": "",
        "issues": (),
        "links": (),
        "json": b"{}",
    }
    return Site(**{**usual, **fields})  # type: ignore[arg-type]


def an_issue(code: str, severity: str, link: Rel | None = None, tasks: tuple[str, ...] = ()) -> Issue:
    return Issue(code, f"{code} it is.", Severity(severity), link, "DisasterRecovery", "", tasks)


def verdict(column: str, server: Server | None = None, site: Site | None = None, **more: object) -> Verdict:
    sight = Sight(server or a_server(column), site=site or a_site())
    return judge(KINDS[column], sight, **{"role": Role.ADMIN, "posture": Posture.ARMED, **more})  # type: ignore[arg-type]


def with_issue(column: str, code: str, severity: str, link: Rel | str | None) -> Server:
    named: dict[str, Rel] = {
        "this": KINDS[column].rel,
        "other": OTHER_RELS[KINDS[column]],
        "unknown": Rel("DR_SOMETHING_NEW"),
    }
    rel = named.get(link, Rel(link)) if link else None
    return a_server(column, issues=(an_issue(code, severity, rel),))


SERVER_ROWS = [
    ("a primary server", "BBBB", {"type": ServerType.PRIMARY}),
    ("a server of an unknown type", "BBBB", {"type": ServerType("OTHER")}),
    ("a server that does not tell its type", "BBBB", {"type": None}),
    ("no link at all", "BBBB", {"links": ()}),
    ("links missing", "BOBB", {"links": None}),
    ("issues missing", "BOBB", {"issues": None}),
    ("a running task", "BBBB", {"task_uuid": TASK}),
    ("an unlisted status", "BOBB", {"status": ServerStatus("SOMETHING_NEW")}),
    ("an absent status", "BOBB", {"status": None}),
]

ISSUE_ROWS = [
    ("ResourceBusy", "ERROR", "this", "BBBB"),
    ("QuotaExceededBaseDR", "ERROR", "this", "BBBB"),
    ("ServerNotReady", "ERROR", None, "BBBB"),
    ("QuotaExceededBaseDR", "ERROR", None, "BBAA"),
    ("SubscriptionNotFoundAzureDR", "ERROR", None, "BBAA"),
    ("ServerNotLicensed", "ERROR", None, "BBAA"),
    ("BaseDrTestFailoverLimitReached", "ERROR", None, "BBAA"),
    ("CloudConnectionWorkerIssue", "ERROR", None, "BBAA"),
    ("VPNIPSecNotConfigured", "WARNING", "this", "AAAA"),
    ("VPNIPSecNotConfigured", "WARNING", None, "AAAA"),
    ("NotAllowed", "ERROR", "unknown", "AAAA"),
    ("NotAllowed", "WARNING", "unknown", "AAAA"),
    ("NotAllowed", "ERROR", "other", "----"),
    ("NotAllowed", "WARNING", "other", "----"),
    ("NotAllowed", "CRITICAL", "this", "BOBB"),
    ("NotAllowed", "CRITICAL", "other", "BOBB"),
    ("NotAllowed", "", None, "BOBB"),
]

SITE_ROWS = [
    ("provisioning", "BBBB", {"status": SiteStatus.PROVISIONING}),
    ("deprovisioning", "BBBB", {"status": SiteStatus.DEPROVISIONING}),
    ("an unknown status", "BBBB", {"status": SiteStatus("NEW")}),
    ("no status", "BBBB", {"status": None}),
    ("deleted", "BBBB", {"deleted_at": datetime(2026, 1, 1, tzinfo=UTC)}),
    ("SiteNotReady", "BBBB", {"issues": (an_issue("SiteNotReady", "ERROR"),)}),
    ("SiteNotReady as a warning", "BBBB", {"issues": (an_issue("SiteNotReady", "WARNING"),)}),
    ("a start-only error", "BO--", {"issues": (an_issue("QuotaExceededCloudServers", "ERROR"),)}),
    ("another error", "BOBB", {"issues": (an_issue("VPNGatewayUnreachable", "ERROR"),)}),
    ("an unknown severity", "BOBB", {"issues": (an_issue("VPNGatewayUnreachable", "FATAL"),)}),
    ("issues missing", "BOBB", {"issues": None}),
    ("a warning", "AA--", {"issues": (an_issue("VPNS2SApplianceNotRegistered", "WARNING"),)}),
    ("readiness WARNING", "AA--", {"readiness": Readiness.WARNING}),
    ("readiness ERROR", "BO--", {"readiness": Readiness.ERROR}),
    ("an unknown readiness", "BO--", {"readiness": Readiness("NEW")}),
    ("no readiness", "BO--", {"readiness": None}),
]

# Start test, start production, stop; whether the stop is one of a test is in the last letter's case.
STATUS_ROWS = {
    **dict.fromkeys(ServerStatus, "BBB"),
    ServerStatus.STAND_BY: "--B",
    ServerStatus.FAILOVER_TEST: "BA-",
    ServerStatus.FAILOVER_TEST_AUTO: "BA-",
    ServerStatus.FINALIZATION: "BBA",
    ServerStatus.FINALIZATION_FAILED: "BBA",
    ServerStatus.FAILOVER_PROD: "BBA",
    ServerStatus.STARTING_FAILOVER_TEST: "BBA",
    ServerStatus.STARTING_FAILOVER_TEST_AUTO: "BBA",
    ServerStatus.STARTING_FAILOVER_PROD: "BBA",
    ServerStatus.POWERING_ON: "BBA",
    ServerStatus.POWERING_OFF: "BBA",
}

BASE = dict(zip(COLUMNS, ("-", "-", "-", "A"), strict=True))


def expected(column: str, row: str) -> Mark:
    """The row's mark."""
    return MARKS[row[COLUMNS.index(column)]]


def beside_the_status(found: Verdict) -> Mark:
    """The worst mark but for what stopping production always asks: that must not hide a row."""
    return max((reason.mark for reason in found.reasons if reason.code != "ProductionStop"), default=Mark.FREE)


def test_an_action_is_called_by_the_clouds_own_verb() -> None:
    assert [str(kind) for kind in Kind] == ["start_failover_test", "start_failover_prod", "stop_failover"]


@pytest.mark.parametrize("column", COLUMNS)
def test_nothing_stands_against_an_action_on_a_server_in_the_right_state(column: str) -> None:
    assert verdict(column).worst is MARKS[BASE[column]]
    assert verdict(column).allowed


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize(("row", "marks", "fields"), SERVER_ROWS, ids=[row[0] for row in SERVER_ROWS])
def test_what_the_server_shows(column: str, row: str, marks: str, fields: dict[str, object]) -> None:
    assert beside_the_status(verdict(column, a_server(column, **fields))) is expected(column, marks)


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize(("code", "severity", "link", "marks"), ISSUE_ROWS)
def test_what_an_issue_of_the_server_says(column: str, code: str, severity: str, link: str | None, marks: str) -> None:
    found = verdict(column, with_issue(column, code, severity, link))
    assert beside_the_status(found) is expected(column, marks)
    if marks[COLUMNS.index(column)] != "-":
        (reason,) = [reason for reason in found.reasons if reason.code == code]
        assert reason.message == f"{code} it is."
        assert (code in found.acknowledge) is (marks[COLUMNS.index(column)] == "A")


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize(("row", "marks", "fields"), SITE_ROWS, ids=[row[0] for row in SITE_ROWS])
def test_what_the_site_shows(column: str, row: str, marks: str, fields: dict[str, object]) -> None:
    assert beside_the_status(verdict(column, site=a_site(**fields))) is expected(column, marks)


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize(("unread", "code"), [(False, "SiteUnknown"), (True, "SiteUnread")])
def test_a_site_that_is_not_found_or_not_read(column: str, unread: bool, code: str) -> None:
    found = judge(KINDS[column], Sight(a_server(column), site_unread=unread), role=Role.ADMIN, posture=Posture.ARMED)
    assert beside_the_status(found) is expected(column, "BOBB")
    assert code in {reason.code for reason in found.reasons}
    assert Sight(a_server()) == Sight(a_server(), site_unread=False)


def test_a_readiness_warning_that_an_issue_explains_is_acknowledged_by_the_issue() -> None:
    warned = a_site(readiness=Readiness.WARNING, issues=(an_issue("VPNIPSecNotConfigured", "WARNING"),))
    assert verdict("start test", site=warned).acknowledge == ("VPNIPSecNotConfigured",)
    assert verdict("start test", site=a_site(readiness=Readiness.WARNING)).acknowledge == ("ReadinessWarning",)


def test_a_readiness_says_what_it_is_also_where_the_sites_issues_are_not_told() -> None:
    said = {Readiness.ERROR: "ReadinessError", Readiness("NEW"): "ReadinessUnknown", None: "ReadinessUnknown"}
    for readiness, code in said.items():
        assert [reason.code for reason in verdict("start prod", site=a_site(readiness=readiness)).reasons] == [code]
    untold = verdict("start prod", site=a_site(readiness=Readiness.WARNING, issues=None))
    assert [reason.code for reason in untold.reasons] == ["SiteIssuesUnknown", "ReadinessWarning"]


@pytest.mark.parametrize(("severity", "code"), [("FATAL", "SeverityUnknown"), ("ERROR", "Unnamed")])
def test_an_issue_without_a_name_is_called_by_what_is_the_matter_with_it(severity: str, code: str) -> None:
    nameless = (an_issue("", severity),)
    for found in (
        verdict("start prod", a_server(issues=nameless)),
        verdict("start prod", site=a_site(issues=nameless)),
    ):
        assert [reason.code for reason in found.reasons] == [code]


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("status", ServerStatus)
def test_every_known_status(kind: Kind, status: ServerStatus) -> None:
    found = judge(kind, Sight(a_server(status=status), site=a_site()), role=Role.ADMIN, posture=Posture.ARMED)
    assert found.worst is MARKS[STATUS_ROWS[status][list(Kind).index(kind)]]
    if kind is Kind.STOP:
        assert found.production is (status not in {ServerStatus.FAILOVER_TEST, ServerStatus.FAILOVER_TEST_AUTO})


def test_what_the_server_is_doing_is_named_once_with_its_tasks() -> None:
    doing = a_server(status=ServerStatus.RECONFIGURING)
    (busy,) = verdict("start test", msgspec.structs.replace(doing, task_uuid=TASK.upper())).reasons
    assert (busy.code, busy.task_uuids) == ("TaskRunning", (TASK,))
    named = (an_issue("SomethingElse", "WARNING", Rel.REMOTE_CONSOLE, (TASK,)),)
    (other,) = verdict("start test", msgspec.structs.replace(doing, issues=named)).reasons
    assert (other.code, other.task_uuids) == ("StatusBusy", (TASK,))


def test_production_that_runs_is_in_the_way_of_a_start_and_is_what_a_stop_ends() -> None:
    running = a_server(status=ServerStatus.FAILOVER_PROD)
    for column, code in (("start test", "ProductionRunning"), ("stop prod", "ProductionStop")):
        assert [reason.code for reason in verdict(column, running).reasons] == [code]


def test_an_issue_without_a_word_is_told_all_the_same() -> None:
    silent = msgspec.structs.replace(an_issue("NotAllowed", "ERROR"), message="")
    (reason,) = verdict("start test", a_server(issues=(silent,))).reasons
    assert "NotAllowed" in reason.message


@pytest.mark.parametrize("kind", Kind)
def test_between_two_states_a_busy_server_is_left_alone(kind: Kind) -> None:
    busy = an_issue("ResourceBusy", "ERROR", Rel.REMOTE_CONSOLE, (TASK,))
    server = a_server(status=ServerStatus.POWERING_OFF, issues=(busy,))
    assert judge(kind, Sight(server, site=a_site()), role=Role.ADMIN, posture=Posture.ARMED).worst is Mark.BLOCK


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("role", Role)
def test_what_a_role_may_do(column: str, role: Role) -> None:
    may = role is Role.ADMIN or (role is Role.OPERATOR and column.endswith("test"))
    found = verdict(column, role=role)
    assert (found.allowed, found.breakable) == (may, False)
    assert may or found.worst is Mark.BLOCK


@pytest.mark.parametrize("column", COLUMNS)
def test_where_two_persons_are_wanted_production_needs_the_second_ones_word(column: str) -> None:
    found = verdict(column, unapproved=True)
    assert beside_the_status(found) is expected(column, "-O-B")
    assert ("NeedsApproval" in {reason.code for reason in found.reasons}) is column.endswith("prod")


def test_the_glass_is_over_what_nobody_knows_and_over_nothing_that_is_blocked() -> None:
    doubtful = verdict("start prod", ours=OwnState.STOP_UNKNOWN, unapproved=True)
    assert (doubtful.breakable, doubtful.allowed, doubtful.acknowledge) == (True, False, ())
    assert set(doubtful.glass) == {"OurStopUnknown", "NeedsApproval"}
    blocked = verdict("start prod", ours=OwnState.OPEN, unapproved=True)
    assert (blocked.breakable, blocked.glass) == (False, ("NeedsApproval",))
    free = verdict("start prod")
    assert (free.breakable, free.glass) == (False, ())


@pytest.mark.parametrize("column", COLUMNS)
def test_a_fresh_read_that_failed_blocks_and_says_why(column: str) -> None:
    found = judge(
        KINDS[column], Sight(a_server(column), problem="It timed out."), role=Role.ADMIN, posture=Posture.ARMED
    )
    assert found.worst is MARKS["BOBB"[COLUMNS.index(column)]]
    assert [reason.message for reason in found.reasons] == ["It timed out."]


@pytest.mark.parametrize("column", COLUMNS)
def test_a_server_that_the_cloud_no_longer_lists_is_blocked(column: str) -> None:
    assert judge(KINDS[column], Sight(None), role=Role.ADMIN, posture=Posture.ARMED).worst is Mark.BLOCK


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize(
    ("ours", "marks"), [(OwnState.OPEN, "BBBB"), (OwnState.START_UNKNOWN, "BOAA"), (OwnState.STOP_UNKNOWN, "BOBB")]
)
def test_an_open_action_of_ours(column: str, ours: OwnState, marks: str) -> None:
    assert beside_the_status(verdict(column, ours=ours)) is expected(column, marks)


@pytest.mark.parametrize(
    ("status", "task", "marks"),
    [
        (ServerStatus.STAND_BY, "", "BOA"),
        (ServerStatus.STAND_BY, TASK, "BBA"),
        (ServerStatus.FAILOVER_TEST, "", "BBA"),
        (ServerStatus.FAILOVER_PROD, "", "BBA"),
    ],
)
def test_what_an_unknown_start_of_ours_weighs_by_itself(status: ServerStatus, task: str, marks: str) -> None:
    server = a_server(status=status, task_uuid=task)
    for kind, mark in zip(Kind, marks, strict=True):
        found = judge(
            kind, Sight(server, site=a_site()), role=Role.ADMIN, posture=Posture.ARMED, ours=OwnState.START_UNKNOWN
        )
        assert [one.mark for one in found.reasons if one.code == "OurStartUnknown"] == [MARKS[mark]]


def test_over_an_unknown_start_production_needs_a_server_seen_at_rest() -> None:
    busy = a_server(issues=(an_issue("ResourceBusy", "ERROR", Rel.REMOTE_CONSOLE, (TASK,)),))
    assert verdict("start prod", busy, ours=OwnState.START_UNKNOWN).worst is Mark.BLOCK
    unread = Sight(a_server(), problem="It timed out.")
    assert (
        judge(Kind.START_PROD, unread, role=Role.ADMIN, posture=Posture.ARMED, ours=OwnState.START_UNKNOWN).worst
        is Mark.BLOCK
    )


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("ResourceBusy", Remedy.WAIT),
        ("VPNGatewayUnreachable", Remedy.FIX),
        ("CloudConnectionIssue", Remedy.FIX),
        ("NotAllowed", Remedy.ASK),
        ("QuotaExceededBaseDR", Remedy.ASK),
        ("NeverHeardOf", Remedy.ASK),
    ],
)
def test_a_reason_says_wait_fix_or_ask_and_names_the_tasks(code: str, remedy: Remedy) -> None:
    server = a_server(issues=(an_issue(code, "ERROR", Rel.START_TEST, (TASK,)),))
    (reason,) = verdict("start test", server).reasons
    assert (reason.remedy, reason.task_uuids) == (remedy, (TASK,))


def test_all_reasons_are_listed_worst_first() -> None:
    server = a_server(
        issues=(an_issue("VPNIPSecNotConfigured", "WARNING"), an_issue("NotAllowed", "ERROR", Rel.START_TEST))
    )
    found = verdict("start test", server, a_site(readiness=Readiness.ERROR))
    assert [reason.code for reason in found.reasons] == ["NotAllowed", "ReadinessError", "VPNIPSecNotConfigured"]


codes = st.sampled_from([*START_ONLY, "ResourceBusy", "NotAllowed", "VPNGatewayUnreachable", "SiteNotReady", "", "New"])
rels = st.sampled_from([None, *Rel, Rel("NEW_REL"), Rel("")])
severities = st.sampled_from(["ERROR", "WARNING", "error", "INFO", ""]).map(lambda word: Severity(word))
issues = st.lists(st.builds(Issue, codes, st.text(max_size=5), severities, rels, st.just(""), st.just(""), st.just(())))


@given(st.sampled_from(COLUMNS), issues, issues)
def test_over_any_issues_an_action_is_allowed_only_where_the_table_says_so(
    column: str, of_server: list[Issue], of_site: list[Issue]
) -> None:
    """The table's issue rows, told once more and the other way round: all that must hold for `allowed`."""
    rel, start = KINDS[column].rel, column.startswith("start")

    def passable(issue: Issue) -> bool:
        if issue.severity not in ("ERROR", "WARNING"):
            return False
        if issue.severity == "WARNING" or not (issue.link is None or issue.link in set(Rel)):
            return True
        if issue.link is not None:
            return issue.link != rel
        return not start and issue.code.startswith(START_ONLY)

    def passable_at_site(issue: Issue) -> bool:
        if issue.code == "SiteNotReady" or issue.severity not in ("ERROR", "WARNING"):
            return False
        return issue.severity == "WARNING" or (not start and issue.code.startswith(START_ONLY))

    found = verdict(column, a_server(column, issues=tuple(of_server)), a_site(issues=tuple(of_site)))
    assert found.allowed is (all(map(passable, of_server)) and all(map(passable_at_site, of_site)))
    nods = {issue.code for issue in of_server if issue.link is None and issue.severity == "WARNING" and issue.code} | {
        issue.code for issue in of_site if start and issue.severity == "WARNING" and issue.code
    }
    if found.allowed:
        assert nods <= set(found.acknowledge)


@given(st.binary(max_size=200))
def test_the_guard_never_raises_on_what_reading_lets_through(junk: bytes) -> None:
    from drdash.cloud import reading

    item = {"uuid": "x", "type": "RECOVERY", "_issues": [{"severity": junk.hex(), "link": len(junk), "error": []}]}
    server = reading.server(msgspec.json.encode(item))
    for kind in Kind:
        assert not judge(kind, Sight(server, site=a_site()), role=Role.ADMIN, posture=Posture.ARMED).allowed


@pytest.mark.parametrize(("posture", "code"), [(Posture.WATCH_ONLY, "WatchOnly"), (Posture.PAUSED, "TenantPaused")])
@pytest.mark.parametrize("column", KINDS)
def test_a_tenant_that_is_only_watched_or_paused_allows_nothing_to_anyone(
    column: str, posture: Posture, code: str
) -> None:
    assert verdict(column).allowed
    found = verdict(column, posture=posture)
    assert (found.worst, [one.code for one in found.reasons if one.mark is Mark.BLOCK]) == (Mark.BLOCK, [code])
