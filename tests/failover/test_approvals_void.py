"""An approval is for what was seen, between two admins, for a while: void as soon as one of these is no more so."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from drdash.audit.models import Entry
from drdash.cloud.records import RecoveryPoint
from drdash.failover import approvals
from drdash.failover.approvals import NotApproved
from drdash.failover.consents import LIVES
from drdash.failover.guard import Kind, Verdict
from drdash.failover.models import Approval, Consent
from drdash.failover.reasons import Mark, own
from drdash.failover.sighting import Sighting
from drdash.tenants.models import Membership
from drdash.tenants.roles import Role
from tests.failover.cast import NEEDED, POINT, VPN, Cast, state, told
from tests.failover.test_guard import a_server
from tests.sizes import sized


def leave(user: User) -> None:
    Membership.objects.filter(user=user).delete()


def step_down(user: User) -> None:
    Membership.objects.filter(user=user).update(role=Role.OPERATOR)


def be_disabled(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


@pytest.mark.parametrize("lose", [leave, step_down, be_disabled])
@pytest.mark.parametrize("who", ["alice", "dora"])
def test_it_is_void_when_one_of_the_two_is_no_admin_any_more(
    cast: Cast, lose: Callable[[User], None], who: str
) -> None:
    approval, action = cast.given(), cast.action()
    lose(getattr(cast, who))
    assert not approvals.take(approval.pk, action), "also without a look at it before"
    assert "It is void." in cast.usable(approval)
    assert state(approval) == Consent.VOID
    Membership.objects.all().delete()
    User.objects.update(is_active=True)
    for user in (cast.alice, cast.dora):
        Membership.objects.create(user=user, tenant=cast.tenant, role=Role.ADMIN)
    assert "It is void." in cast.usable(approval), "for good"


def test_who_asked_and_is_no_admin_any_more_gets_no_yes(cast: Cast) -> None:
    approval = cast.ask()
    be_disabled(cast.alice)
    with pytest.raises(NotApproved, match="void"):
        cast.give(approval)
    assert state(approval) == Consent.VOID


def test_rights_that_were_lost_for_a_moment_are_noticed_by_the_clock(cast: Cast) -> None:
    approval = cast.given()
    step_down(cast.dora)
    approvals.sweep(timezone.now())
    Membership.objects.filter(user=cast.dora).update(role=Role.ADMIN)
    assert "It is void." in cast.usable(approval)


OTHER_POINT = RecoveryPoint(backup_id="b-2", archive_id="a-1", vault_id="v-1")
ELSE = [
    ("another server", {"server": a_server(uuid="another")}),
    ("another kind", {"kind": Kind.STOP}),
    ("another recovery point", {"point": OTHER_POINT}),
    ("the latest", {"point": None}),
]
CHANGED: list[tuple[str, dict[str, Any]]] = [
    ("the server", {"server": "another"}),
    ("the tenant", {"tenant": 99}),
    ("the kind", {"kind": Kind.STOP}),
    ("the name", {"name": "web-2"}),
    ("the site", {"site": "s-2"}),
    ("the status", {"status": "FAILOVER_TEST"}),
    ("a new issue", {"issues": frozenset({VPN, ("New", "WARNING", "")})}),
    ("an issue that is gone", {"issues": frozenset()}),
    ("a worse issue", {"issues": frozenset({("VPNDown", "ERROR", "")})}),
    ("an issue of another action", {"issues": frozenset({("VPNDown", "WARNING", "stop_failover")})}),
]


@pytest.mark.parametrize(("_what", "asked"), ELSE, ids=[what for what, _ in ELSE])
def test_it_is_not_for_anything_else(cast: Cast, _what: str, asked: dict[str, Any]) -> None:
    approval = cast.given()
    assert "something else" in cast.usable(approval, **asked)
    assert cast.usable(approval) == "", "and stays what it was for what it is for"


def test_it_is_for_nobody_and_no_tenant_else(cast: Cast) -> None:
    approval = cast.given()
    assert "something else" in cast.usable(approval, user=cast.dora)
    assert "something else" in cast.usable(approval, tenant=cast.other)
    assert (
        "something else"
        in approvals.usable(
            approval.pk + 1,
            user=cast.alice,
            tenant=cast.tenant,
            server=a_server(),
            kind=Kind.START_PROD,
            point=POINT,
            seen=None,
            now=timezone.now(),
        )[1]
    )
    actions: list[dict[str, Any]] = [
        {"user": cast.dora},
        {"tenant": cast.other},
        {"cloud": "https://other.example.com"},
        {"server_uuid": "another"},
        {"kind": Kind.STOP.value},
        {"recovery_point": None},
        {"recovery_point": msgspec.to_builtins(OTHER_POINT)},
    ]
    for fields in actions:
        assert not approvals.take(approval.pk, cast.action(**fields)), fields
    assert state(approval) == Consent.GIVEN


def test_any_change_before_the_answer_voids_it(cast: Cast) -> None:
    for what, fields in CHANGED:
        approval = cast.ask()
        with pytest.raises(NotApproved, match="void"):
            cast.give(approval, seen=cast.sees(cast.dora, **fields))
        assert state(approval) == Consent.VOID, what
        with pytest.raises(NotApproved, match="It is void"):
            cast.give(approval)


def test_any_change_before_the_action_voids_it(cast: Cast) -> None:
    for what, fields in CHANGED:
        approval = cast.given()
        assert "void" in cast.usable(approval, seen=cast.sees(cast.alice, **fields)), what
        entry = Entry.objects.first()
        assert entry is not None
        assert (entry.username, entry.verb) == ("drdash", "approval void")
        assert "Since it was asked for, " in entry.detail
        assert state(approval) == Consent.VOID, what
        assert "It is void." in cast.usable(approval), "though all is as before again"
        assert not approvals.take(approval.pk, cast.action())


ISSUES = st.frozensets(
    st.tuples(st.sampled_from("AB"), st.sampled_from(["ERROR", "WARNING"]), st.sampled_from(["", "x"]))
)
GROUNDS = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["web-1", "web-2", ""]),
        "status": st.sampled_from(["STAND_BY", ""]),
        "site": st.sampled_from(["s-1", ""]),
        "issues": ISSUES,
    }
)


@sized
@given(asked=GROUNDS, now=GROUNDS)
def test_what_is_seen_now_is_told_to_differ_exactly_when_it_does(asked: dict[str, Any], now: dict[str, Any]) -> None:
    usual: dict[str, Any] = {"tenant": 1, "kind": Kind.STOP, "server": "u"}
    before = Sighting(user=1, role=Role.ADMIN, **usual, **asked)
    kept = msgspec.json.decode(msgspec.json.encode(before))
    later = Sighting(user=2, role=Role.VIEWER, **usual, **now)
    assert bool(approvals.changes(Approval(seen=kept), later)) == (asked != now)


def test_a_read_that_saw_nothing_voids_nothing_and_approves_nothing(cast: Cast) -> None:
    approval = cast.ask()
    nothing = cast.sees(cast.dora, issues=frozenset(), status="")
    for code in ("ReadFailed", "SiteUnread", "ServerGone"):
        blind = Verdict(Kind.START_PROD, True, (own(code, Mark.GLASS), NEEDED))
        with pytest.raises(NotApproved, match="could not go now"):
            cast.give(approval, verdict=blind, seen=nothing)
    assert state(approval) == Consent.ASKED
    cast.give(approval)
    assert cast.usable(approval, seen=None) == ""


def test_nobody_waits_for_an_answer_for_ever(cast: Cast) -> None:
    asked_at = timezone.now()
    in_time, late = cast.ask(asked_at), cast.ask(asked_at, server=a_server(uuid="other"))
    end = asked_at + LIVES[Consent.ASKED]
    seen = cast.sees(cast.dora)
    cast.give(in_time, now=end - timedelta(seconds=1), seen=seen)
    assert [one.pk for one in approvals.waiting_for(cast.dora, end - timedelta(seconds=1))] == [late.pk]
    assert approvals.waiting_for(cast.dora, end) == []
    with pytest.raises(NotApproved, match="too old"):
        cast.give(late, now=end, seen=cast.sees(cast.dora, server="other"))
    assert state(late) == Consent.EXPIRED


def test_what_was_given_has_to_be_used_soon(cast: Cast) -> None:
    approval, action = cast.given(), cast.action()
    approval.refresh_from_db()
    assert approval.answered_at is not None
    end = approval.answered_at + LIVES[Consent.GIVEN]
    assert cast.usable(approval, now=end - timedelta(seconds=1)) == ""
    assert not approvals.take(approval.pk, action, now=end)
    assert "too old" in cast.usable(approval, now=end)
    assert "too old" in cast.usable(approval, now=end - timedelta(minutes=5)), "for good"


def test_a_clock_that_was_set_back_makes_nothing_live_longer(cast: Cast) -> None:
    approval = cast.given()
    assert cast.usable(approval, now=timezone.now() - timedelta(seconds=30)) == "", "two clocks are never the same"
    assert not approvals.take(approval.pk, cast.action(), now=timezone.now() - timedelta(hours=1))
    assert "too old" in cast.usable(approval, now=timezone.now() - timedelta(hours=1))


def test_time_speaks_without_anyone_looking(cast: Cast) -> None:
    approval = cast.ask()
    approvals.sweep(timezone.now() + timedelta(minutes=31))
    assert state(approval) == Consent.EXPIRED
    assert told()[-1] == ("drdash", "approval expired")
