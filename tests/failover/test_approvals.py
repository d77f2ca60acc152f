"""A second admin's word: never one's own, for exactly what both saw, not for long, and once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from random import Random
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from drdash.audit.models import Entry
from drdash.cloud.records import RecoveryPoint, Server
from drdash.failover import approvals, consents
from drdash.failover.approvals import NotApproved
from drdash.failover.consents import LIVES
from drdash.failover.guard import Kind, Verdict
from drdash.failover.models import Action, Approval, Consent, State
from drdash.failover.reasons import Mark, Reason, Remedy, own
from drdash.failover.sighting import Sighting
from drdash.tenants.models import Credential, Membership, Tenant
from drdash.tenants.roles import Role
from tests.failover.test_guard import a_server
from tests.sizes import cases, sized

NEEDED = Reason("NeedsApproval", "A second admin has to approve this.", Remedy.ASK, Mark.GLASS)
LACKING = Verdict(Kind.START_PROD, True, (NEEDED,))
POINT = RecoveryPoint(backup_id="b-1", archive_id="a-1", vault_id="v-1")
VPN = ("VPNDown", "WARNING", "")
WHY = "The data centre burns: web-1 has to run in the cloud."


class Cast:
    """Alice and Dora are admins of the tenant, Bob an operator; Charlie is an admin elsewhere."""

    def __init__(self) -> None:
        self.credential = Credential.objects.create(name="c", cloud="https://cloud.example.com", client_id="c")
        self.tenant = Tenant.objects.create(name="Acme", credential=self.credential, two_persons=True)
        self.other = Tenant.objects.create(name="Globex", credential=self.credential)
        self.alice, self.dora = self.member("alice"), self.member("dora")
        self.bob = self.member("bob", role=Role.OPERATOR)
        self.charlie = self.member("charlie", self.other)

    def member(self, name: str, tenant: Tenant | None = None, role: Role = Role.ADMIN) -> User:
        user = User.objects.create_user(name)
        Membership.objects.create(user=user, tenant=tenant or self.tenant, role=role)
        return user

    def sees(self, user: User, **fields: Any) -> Sighting:
        usual: dict[str, Any] = {
            "user": user.pk,
            "tenant": self.tenant.pk,
            "kind": Kind.START_PROD,
            "server": a_server().key,
            "name": "web-1",
            "site": "s-1",
            "status": "STAND_BY",
            "role": Role.ADMIN,
            "issues": frozenset({VPN}),
        }
        return Sighting(**{**usual, **fields})

    def ask(self, now: datetime | None = None, **more: Any) -> Approval:
        user, server = more.get("user", self.alice), more.get("server", a_server())
        usual: dict[str, Any] = {
            "user": user,
            "tenant": self.tenant,
            "server": server,
            "kind": Kind.START_PROD,
            "point": POINT,
            "verdict": LACKING,
            "seen": self.sees(user, server=server.key),
            "why": WHY,
            "now": now or timezone.now(),
        }
        return approvals.ask(**{**usual, **more})

    def give(self, approval: Approval, by: User | None = None, **more: Any) -> None:
        by = by or self.dora
        usual = {"said": "", "verdict": LACKING, "seen": self.sees(by), "now": timezone.now()}
        approvals.give(approval, by=by, **{**usual, **more})

    def given(self) -> Approval:
        approval = self.ask()
        self.give(approval)
        return approval

    def usable(self, approval: Approval, **more: Any) -> str:
        """Why it may not be used; empty when it may."""
        usual: dict[str, Any] = {
            "user": self.alice,
            "tenant": self.tenant,
            "server": a_server(),
            "kind": Kind.START_PROD,
            "point": POINT,
            "seen": self.sees(self.alice),
            "now": timezone.now(),
        }
        found, why = approvals.usable(approval.pk, **{**usual, **more})
        assert (found is None) == bool(why)
        return why

    def action(self, **fields: Any) -> Action:
        usual: dict[str, Any] = {
            "tenant": self.tenant,
            "user": self.alice,
            "cloud": self.credential.cloud,
            "server_uuid": a_server().key,
            "server_name": "web-1",
            "kind": Kind.START_PROD.value,
            "production": True,
            "recovery_point": msgspec.to_builtins(POINT),
            "idempotency_key": uuid4().hex,
            "requested_at": timezone.now(),
            "state": State.REQUESTED,
        }
        return Action.objects.create(**{**usual, **fields})


@pytest.fixture
def cast(fresh_process: None) -> Cast:
    return Cast()


def state(approval: Approval) -> str:
    return Approval.objects.get(pk=approval.pk).state


def told() -> list[tuple[str, str]]:
    return list(Entry.objects.order_by("number").values_list("username", "verb"))


def test_one_asks_another_gives_and_it_lets_one_action_go(cast: Cast) -> None:
    approval = cast.ask()
    assert cast.usable(approval) == "The approval does not hold. Nobody approved it yet."
    cast.give(approval, said="Seen, go.")
    assert (approval.state, approval.answered_by, approval.said) == (Consent.GIVEN, cast.dora, "Seen, go.")
    assert cast.usable(approval) == ""
    action = cast.action()
    assert approvals.take(approval.pk, action)
    action.refresh_from_db()
    assert (action.approval_id, state(approval)) == (approval.pk, Consent.USED)
    assert told() == [("alice", "approval asked"), ("dora", "approval given"), ("alice", "approval used")]
    last = Entry.objects.first()
    assert last is not None
    assert (last.action, last.tenant, last.server_uuid) == (action.pk, cast.tenant.pk, a_server().key)
    asked = Entry.objects.last()
    assert asked is not None
    assert WHY in asked.detail
    assert "start_failover_prod of web-1, recovery point archive_id a-1, backup_id b-1, vault_id v-1." in asked.detail


def test_what_one_asked_for_is_open_until_its_time_is_over(cast: Cast) -> None:
    asked = cast.ask()
    mine: dict[str, Any] = {
        "user": cast.alice,
        "tenant": cast.tenant,
        "server": a_server(),
        "kind": Kind.START_PROD,
    }
    assert approvals.open_one(**mine, now=timezone.now()) == asked
    assert approvals.open_one(**{**mine, "user": cast.dora}, now=timezone.now()) is None
    assert approvals.open_one(**mine, now=asked.expires_at + timedelta(seconds=1)) is None


def test_issues_are_named_with_how_bad_they_are_each_once() -> None:
    issues = [("VPNDown", "WARNING", "a"), ("VPNDown", "WARNING", "b"), ("", "ERROR", ""), ("Odd", "", "")]
    assert consents.issue_words(issues) == ["Odd (of no severity)", "VPNDown (warning)", "an unnamed issue (error)"]


def test_it_is_used_once(cast: Cast) -> None:
    approval = cast.given()
    assert approvals.take(approval.pk, cast.action())
    again = cast.action()
    assert not approvals.take(approval.pk, again)
    again.refresh_from_db()
    assert again.approval is None
    assert "used already" in cast.usable(approval)


def test_what_is_rolled_back_did_not_use_it(cast: Cast) -> None:
    approval, action = cast.given(), cast.action()
    with transaction.atomic():
        assert approvals.take(approval.pk, action)
        transaction.set_rollback(True)
    assert cast.usable(approval) == ""
    assert approvals.take(approval.pk, action)


def test_of_many_that_take_it_at_once_one_gets_it(cast: Cast) -> None:
    approval, actions = cast.given(), [cast.action() for _ in range(8)]

    def take(action: Action) -> bool:
        try:
            return approvals.take(approval.pk, action)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as many:
        assert sorted(many.map(take, actions)) == [False] * 7 + [True]
    assert Action.objects.filter(approval=approval).count() == 1


def test_of_two_who_answer_at_once_one_is_told_so(cast: Cast) -> None:
    approval = cast.ask()
    eve = cast.member("eve")

    def answer(by: User) -> str:
        try:
            cast.give(Approval.objects.get(pk=approval.pk), by)
            return "given"
        except NotApproved as problem:
            return str(problem)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as both:
        first, second = sorted(both.map(answer, [cast.dora, eve]), key=lambda one: one != "given")
    assert first == "given"
    assert "It was approved already." in second
    assert [verb for _, verb in told()].count("approval given") == 1


NEXT = {
    "asked": {"given", "declined", "withdrawn", "void", "expired"},
    "given": {"used", "declined", "withdrawn", "void", "expired"},
}


def test_however_they_crowd_each_history_is_a_legal_one(cast: Cast) -> None:
    eve = cast.member("eve")
    random = Random(4)  # the same crowds each time
    for _ in range(cases(5, full=300)):
        approval, now = cast.ask(server=a_server(uuid=uuid4().hex)), timezone.now()
        seen = cast.sees(cast.dora, server=approval.server_uuid)
        actions = [cast.action(server_uuid=approval.server_uuid) for _ in range(2)]
        deeds: list[Callable[[Approval], object]] = [
            partial(cast.give, by=cast.dora, seen=seen),
            partial(cast.give, by=eve, seen=seen),
            partial(cast.give, by=eve, seen=cast.sees(eve, server=approval.server_uuid, status="POWERING_ON")),
            partial(approvals.decline, by=eve, said="The plan says otherwise.", now=now),
            partial(approvals.withdraw, by=cast.alice, now=now),
            partial(approvals.settle, now=now + timedelta(minutes=random.choice([1, 16, 31]))),
            *(lambda one, action=action: approvals.take(one.pk, action) for action in actions),
        ]

        def do(deed: Callable[[Approval], object], pk: int = approval.pk) -> None:
            try:
                deed(Approval.objects.get(pk=pk))
            except NotApproved:
                pass
            finally:
                connection.close()

        chosen = [deeds[0], *random.sample(deeds[1:-2], 2), *deeds[-2:]]
        with ThreadPoolExecutor(len(chosen)) as crowd:
            list(crowd.map(do, chosen))
        history = Entry.objects.filter(server_uuid=approval.server_uuid).order_by("number")
        states = [verb.removeprefix("approval ") for verb in history.values_list("verb", flat=True)]
        assert states[0] == "asked"
        assert all(after in NEXT.get(before, ()) for before, after in pairwise(states)), states
        assert (states[-1], states.count("used")) == (state(approval), Action.objects.filter(approval=approval).count())


def test_nobody_gives_or_declines_their_own(cast: Cast) -> None:
    approval = cast.ask()
    herself = User.objects.get(username="alice")
    with pytest.raises(NotApproved, match="asked for themselves"):
        cast.give(approval, herself)
    with pytest.raises(NotApproved, match="asked for themselves"):
        approvals.decline(approval, by=herself, said="I changed my mind", now=timezone.now())
    assert state(approval) == Consent.ASKED


@pytest.mark.parametrize("name", ["bob", "charlie"])
def test_only_admins_of_the_tenant_ask_answer_and_hear_of_it(cast: Cast, name: str) -> None:
    person: User = getattr(cast, name)
    with pytest.raises(NotApproved, match="Only an admin"):
        cast.ask(user=person)
    approval = cast.ask()
    assert [one.pk for one in approvals.waiting_for(cast.dora, timezone.now())] == [approval.pk]
    for other in (person, cast.alice):
        assert approvals.waiting_for(other, timezone.now()) == []
    with pytest.raises(NotApproved, match="Only an admin"):
        cast.give(approval, person)
    with pytest.raises(NotApproved, match="Only an admin"):
        approvals.decline(approval, by=person, said="No, not today.", now=timezone.now())
    with pytest.raises(NotApproved, match="Only who asked"):
        approvals.withdraw(approval, by=person, now=timezone.now())
    assert state(approval) == Consent.ASKED


def test_who_may_not_answer_voids_nothing_either(cast: Cast) -> None:
    approval = cast.ask()
    for person in (cast.alice, cast.bob, cast.charlie):
        with pytest.raises(NotApproved):
            cast.give(approval, person, seen=cast.sees(person, name="renamed"))
    assert state(approval) == Consent.ASKED


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


def test_what_could_not_go_is_neither_asked_for_nor_approved(cast: Cast) -> None:
    busy = Verdict(Kind.START_PROD, True, (own("TaskRunning", Mark.BLOCK), NEEDED))
    with pytest.raises(NotApproved, match="More than a second person"):
        cast.ask(verdict=busy)
    with pytest.raises(NotApproved, match="none is needed"):
        cast.ask(verdict=Verdict(Kind.START_PROD, True, ()))
    approval = cast.ask()
    with pytest.raises(NotApproved, match="A task is running"):
        cast.give(approval, verdict=busy)
    assert state(approval) == Consent.ASKED


def test_what_asks_for_a_nod_only_is_asked_for_and_approved(cast: Cast) -> None:
    cautious = Verdict(Kind.START_PROD, True, (NEEDED, Reason(VPN[0], "VPN is down.", Remedy.FIX, Mark.ACKNOWLEDGE)))
    approval = cast.ask(verdict=cautious)
    cast.give(approval, verdict=cautious)
    assert cast.usable(approval) == ""


@pytest.mark.parametrize("why", ["", "go", "  go   \n  now "])
def test_words_are_asked_for(cast: Cast, why: str) -> None:
    with pytest.raises(NotApproved, match="10 characters"):
        cast.ask(why=why)
    approval = cast.ask()
    with pytest.raises(NotApproved, match="10 characters"):
        approvals.decline(approval, by=cast.dora, said=why, now=timezone.now())
    assert state(approval) == Consent.ASKED
    assert cast.ask(why="0123456789", server=a_server(uuid="another")).why == "0123456789"


def test_with_a_second_admins_word_everything_else_stands_as_it_did() -> None:
    doubt = Reason("ReadinessUnknown", "Nobody knows.", Remedy.WAIT, Mark.GLASS)
    assert approvals.lifted(LACKING) == Verdict(Kind.START_PROD, True, ())
    assert approvals.lifted(msgspec.structs.replace(LACKING, reasons=(NEEDED, doubt))).reasons == (doubt,)


def test_what_no_action_could_name_is_not_asked_for(cast: Cast) -> None:
    with pytest.raises(NotApproved, match="longer than the 100 characters"):
        cast.ask(server=msgspec.structs.replace(a_server(), uuid="s" * 101))
    with pytest.raises(NotApproved, match="all three ids"):
        cast.ask(point=RecoveryPoint(backup_id="b-1", archive_id="", vault_id="v-1"))
    assert not Approval.objects.exists()


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


def test_another_admin_declines_with_words_and_takes_a_yes_back(cast: Cast) -> None:
    asked, given_one = cast.ask(), cast.ask(server=a_server(uuid="other"))
    cast.give(given_one, seen=cast.sees(cast.dora, server="other"))
    for approval, state_before in ((asked, "asked"), (given_one, "given")):
        assert state(approval) == state_before
        approvals.decline(approval, by=cast.dora, said="The plan says otherwise.", now=timezone.now())
        assert (state(approval), approval.said) == (Consent.DECLINED, "The plan says otherwise.")
        with pytest.raises(NotApproved, match="It was declined"):
            approvals.decline(approval, by=cast.dora, said="The plan says otherwise.", now=timezone.now())
        with pytest.raises(NotApproved, match="It was declined"):
            cast.give(approval)
    assert "It was declined." in cast.usable(asked)


def test_who_asked_withdraws_it(cast: Cast) -> None:
    approval = cast.given()
    approvals.withdraw(approval, by=cast.alice, now=timezone.now())
    assert not approvals.take(approval.pk, cast.action())
    assert "It was withdrawn." in cast.usable(approval)
    with pytest.raises(NotApproved, match="nothing to withdraw"):
        approvals.withdraw(approval, by=cast.alice, now=timezone.now())


def test_the_same_asked_again_is_the_same_and_something_else_takes_its_place(cast: Cast) -> None:
    first = cast.ask()
    assert cast.ask().pk == first.pk
    cast.give(first)
    assert cast.ask().pk == first.pk, "also when it was given meanwhile"
    latest = cast.ask(point=None)
    assert (state(first), latest.pk != first.pk) == (Consent.WITHDRAWN, True)
    worse = frozenset({VPN, ("New", "WARNING", "")})
    third = cast.ask(point=None, seen=cast.sees(cast.alice, issues=worse))
    assert (state(latest), state(third)) == (Consent.WITHDRAWN, Consent.ASKED)
    elsewhere = cast.ask(server=a_server(uuid="other"))
    by_dora = cast.ask(user=cast.dora)
    assert {state(one) for one in (third, elsewhere, by_dora)} == {Consent.ASKED}


def test_what_another_version_saw_holds_no_more(cast: Cast) -> None:
    approval = cast.given()
    Approval.objects.filter(pk=approval.pk).update(seen={"another": "shape"})
    assert "cannot be read any more" in cast.usable(approval)
    assert state(approval) == Consent.VOID


def test_a_tenant_that_is_off_has_no_approvals(cast: Cast) -> None:
    approval = cast.given()
    Tenant.objects.filter(pk=cast.tenant.pk).update(enabled=False)
    assert not approvals.take(approval.pk, cast.action())
    assert consents.settle(approval, timezone.now()).state == Consent.VOID


def test_a_server_of_many_names_and_a_recovery_point_survive_the_record(cast: Cast) -> None:
    long: Server = a_server(name="n" * 5000)
    approval = cast.ask(server=long, point=None)
    approval.refresh_from_db()
    assert (len(approval.server_name), approval.recovery_point) == (500, None)
