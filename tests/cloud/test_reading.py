import json
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drdash.cloud import reading
from drdash.cloud.reading import Malformed
from drdash.cloud.records import RecoveryPoint, Server, Site
from drdash.cloud.words import Readiness, Rel, ServerStatus, ServerType, Severity, SiteStatus, VmStatus
from tests.cloud.conftest import example

FIRST, SECOND = json.loads(example("servers_first"))["items"]
(PRIMARY,) = json.loads(example("servers_last"))["items"]
SITES = [*json.loads(example("sites_first"))["items"], *json.loads(example("sites_last"))["items"]]

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def server(item: object = None, **changes: object) -> Server:
    return reading.server(json.dumps((item or FIRST) | changes).encode())  # type: ignore[operator]


def site(**changes: object) -> Site:
    return reading.site(json.dumps(SITES[1] | changes).encode())


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(deeper for key, entry in inner for deeper in paths(entry, (*path, key)))]


@st.composite
def mutated(draw: st.DrawFn, original: dict[str, Any]) -> dict[str, Any]:
    """The item with some of its values, at any depth, replaced by anything, or taken out."""
    item = deepcopy(original)
    for path in draw(st.lists(st.sampled_from(paths(original)[1:]), min_size=1, max_size=4)):
        parent: Any = item
        try:
            for key in path[:-1]:
                parent = parent[key]
            if draw(st.booleans()):
                parent[path[-1]] = draw(anything)
            else:
                del parent[path[-1]]
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took it away
    return item


# The reference's own examples


def test_a_recovery_server_of_the_reference() -> None:
    first = server()

    assert first.key == first.uuid == "1f100401-357b-4d04-a0c0-d1206c947473"
    assert (first.type, first.status) == (ServerType.RECOVERY, ServerStatus.POWERING_OFF)
    assert first.resource_id == "1931FAAF-692D-451F-98A3-DAF721102BEB"
    assert first.vm is not None
    assert (first.vm.status, first.vm.ram_mb, first.vm.storage) == (VmStatus.STARTED, 2048, ())
    assert first.busy
    assert first.task_uuids == {"5bc9464f-87b6-4ea8-aa42-050824135e63"}
    assert first.issues is not None
    assert [(issue.code, issue.severity, issue.link) for issue in first.issues] == [
        ("ResourceBusy", Severity.ERROR, Rel.START_PROD),
        ("ResourceBusy", Severity.ERROR, Rel.START_TEST),
        ("ResourceBusy", Severity.ERROR, Rel.STOP),
    ]
    assert first.links is not None
    assert {link.rel for link in first.links} == set(Rel) - {Rel.SITE_CONNECTIVITY}
    assert first.active_failover is not None
    assert first.active_failover.id == "2a57484d-6d90-44e1-afcc-6ac8ae59425a"
    assert first.automated_test is not None
    assert first.automated_test.next_start == datetime(2018, 11, 13, 20, 20, 39, tzinfo=UTC)
    assert first.rpo is None


def test_a_manual_test_of_the_reference_and_ids_that_are_not_uuids() -> None:
    second = server(SECOND)

    assert second.test_failover is not None
    assert second.test_failover.last_start == datetime(2019, 11, 19, 7, 22, 14, tzinfo=UTC)
    assert second.automated_test is not None
    assert second.automated_test.recovery_point == RecoveryPoint(
        backup_id="570BE591-1DCF-4BDF-82D7-29ABC494AA13",
        archive_id="AC16D9C3-2EA2-4280-A9CA-12576FFB22A",
        vault_id="0F8CA93A-E22D-40F2-9D29-49E2FB88BE2",
    )


def test_a_primary_server_of_the_reference_has_disks_and_no_recovery() -> None:
    primary = server(PRIMARY)

    assert primary.type is ServerType.PRIMARY
    assert primary.vm is not None
    assert [(disk.id, disk.size_gb, disk.protected) for disk in primary.vm.storage] == [
        ("storageID5", 2, True),
        ("storageID6", 5, False),
    ]
    assert primary.issues == ()
    assert not primary.busy
    assert primary.task_uuids == frozenset()
    assert (primary.resource_id, primary.active_failover, primary.test_failover) == ("", None, None)


def test_the_sites_of_the_reference() -> None:
    sites = [reading.site(json.dumps(item).encode()) for item in SITES]

    assert [(site.status, site.readiness, site.default) for site in sites] == [
        (SiteStatus.PROVISIONING, Readiness.ERROR, True),
        (SiteStatus.PROVISIONED, Readiness.WARNING, False),
        (SiteStatus.PROVISIONED, Readiness.OK, False),
    ]
    assert [[issue.code for issue in site.issues or ()] for site in sites] == [
        ["SiteNotReady"],
        ["VPNS2SApplianceNotRegistered"],
        [],
    ]
    assert [issue.link for site in sites for issue in site.issues or ()] == [None, None]


# Absence, and what is not listed


def test_missing_or_unreadable_issues_and_links_are_not_empty_ones() -> None:
    odd: object
    for odd in (None, "none", {}, [1], [[]]):
        assert server(_issues=odd).issues is None
        assert server(_links=odd).links is None
        assert site(_issues=odd).issues is None
    assert server(_links=[{"href": "https://example.com"}]).links is None
    assert server({"uuid": "a"}).issues is None
    assert server(_issues=[]).issues == ()


def test_unknown_words_survive_as_they_came_and_are_not_known() -> None:
    changed = server(status="MELTING", type="TERTIARY", vm={"status": "ON_FIRE"})

    assert changed.status == "MELTING"
    assert changed.type == "TERTIARY"
    assert changed.vm is not None
    assert changed.vm.status == "ON_FIRE"
    for word in (changed.status, changed.type, changed.vm.status):
        assert word is not None
        assert not word.known
    assert site(status="RESTING", failover_readiness="GREAT").readiness == "GREAT"


def test_a_severity_is_read_in_any_case_and_an_odd_one_is_not_known() -> None:
    issues = server(_issues=[{"severity": severity} for severity in ("warning", "ERROR", "info", "", 7)]).issues

    assert issues is not None
    assert [(issue.severity, issue.severity.known) for issue in issues] == [
        ("WARNING", True),
        ("ERROR", True),
        ("INFO", False),
        ("", False),
        ("", False),
    ]


def test_a_link_of_an_issue_is_absent_or_what_came_but_never_lost() -> None:
    issues = server(_issues=[{}, {"link": None}, {"link": "DR_NEW"}, {"link": 7}, {"link": ""}]).issues

    assert issues is not None
    assert [issue.link for issue in issues] == [None, None, "DR_NEW", "7", None]
    assert not any(issue.link.known for issue in issues[2:] if issue.link is not None)


def test_a_field_of_the_wrong_type_reads_as_absent() -> None:
    odd = server(name=7, status=["STAND_BY"], vm="big", recovery=[], created_at="yesterday", rpo=5, public_ip=None)

    assert (odd.name, odd.status, odd.vm, odd.resource_id) == ("", None, None, "")
    assert (odd.created_at, odd.rpo, odd.public_ip, odd.automated_test) == (None, None, "", None)
    assert site(default="yes", deleted_at=0).default is None


def test_a_task_whose_name_cannot_be_read_runs_all_the_same() -> None:
    odd: list[object] = [7, {}, [], False, " ", "x", None, ""]
    assert [bool(server(task_uuid=name).task_uuid) for name in odd] == [True] * 6 + [False] * 2


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2018-11-11T20:20:39+02:00", datetime(2018, 11, 11, 18, 20, 39, tzinfo=UTC)),
        ("2018-11-11T20:20:39Z", datetime(2018, 11, 11, 20, 20, 39, tzinfo=UTC)),
        ("2018-11-11T20:20:39", datetime(2018, 11, 11, 20, 20, 39, tzinfo=UTC)),
        ("0001-01-01T00:00:00+23:59", None),
        ("", None),
    ],
)
def test_times_are_read_in_utc(text: str, moment: datetime | None) -> None:
    assert server(created_at=text).created_at == moment


def test_a_nul_in_a_text_is_replaced_since_a_database_would_refuse_it() -> None:
    assert server(name="WEB\0SERVER").name == "WEB\ufffdSERVER"


def test_a_uuid_matches_in_any_case() -> None:
    upper = server(uuid="ABC-1", site_uuid="DEF-2", task_uuid="TASK-3", _issues=[])

    assert (upper.uuid, upper.key, upper.site_key) == ("ABC-1", "abc-1", "def-2")
    assert upper.task_uuids == {"task-3"}


# What goes no further


def test_backup_uri_goes_no_further_at_any_depth() -> None:
    item = FIRST | {"Backup_URI": "avfs:/canary", "more": [{"deep": {"backup_uri": "avfs:/canary"}}]}
    kept = server(item)

    assert b"avfs" not in kept.json
    assert "avfs" not in repr(kept)
    assert json.loads(kept.json)["recovery"]["active_failover"]["vault_id"] == "0F8CA93A-E22D-40F2-9D29-49E2FB88BE2E"
    assert json.loads(kept.json)["more"] == [{"deep": {}}]


@pytest.mark.parametrize(
    "name", ["backup_uri", "BACKUP_URI", "b\\u0061ckup_uri", "bac\\u212aup_uri", "bac\u212aup_uri"]
)
def test_backup_uri_goes_no_further_however_it_is_spelled(name: str) -> None:
    plain = json.dumps(PRIMARY).encode()  # it has none
    assert reading.server(plain[:-1] + f', "{name}": "avfs:/canary"}}'.encode()) == reading.server(plain)


def test_unknown_fields_stay_in_the_json_whose_keys_are_sorted() -> None:
    kept = server(zebra=1, aardvark={"b": 1, "a": 2}).json

    assert json.loads(kept)["zebra"] == 1
    assert b'"aardvark":{"a":2,"b":1}' in kept


# What is refused


@pytest.mark.parametrize(
    "item",
    [b"", b"{", b"[]", b"null", b"{}", b'{"uuid": null}', b'{"uuid": "  "}', b'{"uuid": 7}', b'{"uuid": "\xff"}',
     b'{"uuid": "\\ud800"}', b'{"uuid": "a", "n": 1e999}'],
)  # fmt: skip
def test_only_an_item_that_is_not_an_object_with_a_uuid_is_refused(item: bytes) -> None:
    for read in (reading.server, reading.site):
        with pytest.raises(Malformed, match="an item"):
            read(item)


@pytest.mark.parametrize("depth", [60, 400, 500, 600, 900, 5000])
def test_an_item_that_is_nested_too_deeply_is_refused_however_deep_it_is(depth: int) -> None:
    item = b'{"uuid": "a", "_issues": [{"link": ' + b"[" * depth + b"]" * depth + b"}]}"

    with pytest.raises(Malformed, match="too deeply"):
        reading.server(item)


@given(st.binary())
def test_any_bytes_are_an_item_or_malformed(item: bytes) -> None:
    for read in (reading.server, reading.site):
        try:
            read(item)
        except Malformed:
            pass


@given(mutated(FIRST) | mutated(SECOND) | mutated(PRIMARY))
def test_any_mutation_of_a_server_is_read_or_malformed_and_reads_the_same_again(item: dict[str, Any]) -> None:
    try:
        record = server(item)
    except Malformed:
        return
    assert reading.server(record.json) == record
    assert msgspec.json.decode(msgspec.json.encode(record), type=Server) == record
    if not isinstance(item.get("_issues"), list):
        assert record.issues is None
    if "STAND_BY" not in str(item.get("status")):
        assert record.status != ServerStatus.STAND_BY


@given(mutated(SITES[0]) | mutated(SITES[1]) | mutated(SITES[2]))
def test_any_mutation_of_a_site_is_read_or_malformed_and_never_better_than_it_came(item: dict[str, Any]) -> None:
    try:
        record = reading.site(json.dumps(item).encode())
    except Malformed:
        return
    assert reading.site(record.json) == record
    assert (record.readiness == Readiness.OK) == (item.get("failover_readiness") == "OK")
    assert (record.status == SiteStatus.PROVISIONED) == (item.get("status") == "PROVISIONED")


def test_an_issue_whose_link_is_empty_names_none() -> None:
    for link in (None, ""):
        item = {"uuid": "x", "_issues": [{"severity": "ERROR", "link": link, "error": {"code": "NotAllowed"}}]}
        (issue,) = reading.server(msgspec.json.encode(item)).issues or ()
        assert issue.link is None
