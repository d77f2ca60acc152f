"""The pure difference between two looks at a server: whoever adds it to the first knows the second."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from drdash.cloud.records import Server
from drdash.estate.changes import Changed, What, differences
from drdash.estate.snapshot import Seen
from tests.web.seen import issue, server

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

words = st.sampled_from(["STAND_BY", "FAILOVER_TEST", "BRAND_NEW", None])
issues = st.one_of(
    st.none(),
    st.lists(
        st.builds(
            issue,
            st.sampled_from(["ResourceBusy", "NotAllowed", "", "Null\0"]),
            st.sampled_from(["ERROR", "warning", "CATASTROPHE"]),
            rel=st.sampled_from(["", "START_FAILOVER_TEST", "STOP_FAILOVER"]),
        ),
        max_size=4,
    ),
)
tests = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {"schedule": st.just("DAILY"), "last_status": st.sampled_from([None, "SUCCESS", "FAILURE"])},
        optional={"last_start": st.sampled_from([NOON.isoformat(), (NOON + timedelta(days=1)).isoformat()])},
    ),
)
looks = st.builds(
    lambda status, vm, found, test, rpo, name, missing: Seen(
        server(
            status=status,
            vm={"status": vm} if vm else None,
            _issues=found,
            name=name,
            recovery={"resource_id": "r-1", **({"automated_test_failover": test} if test else {})},
            rpo={"status": rpo, "threshold_seconds": 60} if rpo else None,
        ),
        1,
        missing_since=NOON if missing else None,
    ),
    words, st.sampled_from(["STARTED", "STOPPED", None]), issues, tests, st.sampled_from(["OK", "CRITICAL", None]),
    st.sampled_from(["db-01", "db-02"]), st.booleans(),
)  # fmt: skip


def shown(one: Server) -> dict[str, Any]:
    """What the history follows of a server."""
    test = one.automated_test
    return {
        What.STATUS: str(one.status or ""),
        What.MACHINE: str((one.vm and one.vm.status) or ""),
        What.BACKUP: one.rpo.status if one.rpo else "",
        What.TESTED: (test.last_start.isoformat() if test.last_start else "", test.last_status)
        if test and test.last_status
        else None,
        "issues": None
        if one.issues is None
        else {(of.code.replace("\0", ""), str(of.severity), str(of.link or "")) for of in one.issues},
    }


def told(before: dict[str, Any], changes: tuple[Changed, ...]) -> dict[str, Any]:
    """The same, as someone knows it who knew it before and was told the changes."""
    known = dict(before)
    for one in changes:
        match one.what:
            case What.STATUS | What.MACHINE | What.BACKUP:
                assert known[one.what] == one.before
                known[one.what] = one.after
            case What.TESTED:
                known[one.what] = (one.before, one.after)
            case What.UNSAID:
                known["issues"] = None
            case What.SAID:
                known["issues"] = set()
            case What.CAME:
                known["issues"] = known["issues"] | {(one.code, one.severity, one.link)}
            case What.WENT:
                known["issues"] = known["issues"] - {(one.code, one.severity, one.link)}
    return known


@given(before=looks, now=looks)
def test_whoever_adds_the_changes_to_the_first_look_knows_the_second(before: Seen[Server], now: Seen[Server]) -> None:
    changes = differences(before, now)
    gone = now.missing_since is not None
    assert (What.RETURNED in {one.what for one in changes}) == (before.missing_since is not None and not gone)
    assert changes == (Changed(What.MISSING),) * (not before.missing_since) or not gone
    if not gone:
        expected = shown(now.record)
        # An automated test that is not told of any more did not un-happen.
        expected[What.TESTED] = expected[What.TESTED] or shown(before.record)[What.TESTED]
        assert told(shown(before.record), changes) == expected


@given(before=looks, now=looks)
def test_what_came_one_way_went_the_other_way(before: Seen[Server], now: Seen[Server]) -> None:
    def of(what: What, changes: tuple[Changed, ...]) -> set[tuple[str, str, str]]:
        return {(one.code, one.severity, one.link) for one in changes if one.what == what}

    if before.record.issues is not None and now.record.issues is not None:
        there, back = differences(before, now), differences(now, before)
        if not (before.missing_since or now.missing_since):
            assert of(What.CAME, there) == of(What.WENT, back)
            assert not of(What.CAME, there) & of(What.WENT, there)


@given(look=looks)
def test_nothing_is_told_of_a_server_that_stays_as_it_is(look: Seen[Server]) -> None:
    again = msgspec.structs.replace(look, version=2, read_at=NOON)
    assert differences(look, again) == ()


@given(look=looks)
def test_what_is_told_can_be_kept_as_json_without_a_nul(look: Seen[Server]) -> None:
    kept = msgspec.json.encode(differences(Seen(server(name="other", _issues=[]), 1), look))
    assert b"\\u0000" not in kept
    assert msgspec.json.decode(kept, type=tuple[Changed, ...]) is not None


def test_a_server_that_was_not_there_before_is_told_of_once() -> None:
    found = Seen(server(_issues=[issue("NotAllowed")]), 1)
    assert differences(None, found) == (Changed(What.LISTED, after="STAND_BY"),)


def test_a_severity_that_changes_is_another_issue() -> None:
    before = Seen(server(_issues=[issue("NotAllowed", "WARNING")]), 1)
    now = Seen(server(_issues=[issue("NotAllowed", "ERROR")]), 2)
    assert [(one.what, one.severity) for one in differences(before, now)] == [("came", "ERROR"), ("went", "WARNING")]
