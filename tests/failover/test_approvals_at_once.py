"""However many ask, answer and act at the same moment, an approval has one legal history."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from itertools import pairwise
from random import Random
from uuid import uuid4

from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from drdash.audit.models import Entry
from drdash.failover import approvals
from drdash.failover.approvals import NotApproved
from drdash.failover.models import Action, Approval
from tests.failover.cast import Cast, state, told
from tests.failover.test_guard import a_server
from tests.sizes import cases


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
