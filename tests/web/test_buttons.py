from typing import Any

import pytest

from drdash.failover.guard import Kind, OwnState
from drdash.tenants.roles import Posture, Role
from drdash.web import buttons
from drdash.web.buttons import Button
from tests.web.seen import issue, server, site

BUSY = [issue("ResourceBusy", rel=rel, tasks=("t-1",)) for rel in ("START_FAILOVER_TEST", "START_FAILOVER_PROD")]


def shown(role: Role, **fields: Any) -> dict[str, Button]:
    return {
        one.kind: one
        for one in buttons.buttons(server(**fields), site(), role=role, posture=Posture.ARMED, ours=OwnState.NONE)
    }


def test_a_viewer_has_no_buttons() -> None:
    assert shown(Role.VIEWER) == {}


def test_an_operator_never_has_a_button_for_production() -> None:
    assert set(shown(Role.OPERATOR)) == {Kind.START_TEST, Kind.STOP}
    assert set(shown(Role.OPERATOR, status="FAILOVER_PROD")) == {Kind.START_TEST}


def test_an_admin_has_all_three() -> None:
    assert set(shown(Role.ADMIN)) == set(Kind)


def test_a_primary_server_has_no_buttons() -> None:
    assert shown(Role.ADMIN, type="PRIMARY") == {}


def test_a_server_of_unknown_type_has_only_disabled_buttons() -> None:
    assert not any(one.allowed for one in shown(Role.ADMIN, type="QUANTUM").values())


def test_a_blocked_button_tells_every_reason_with_its_tasks() -> None:
    start = shown(Role.OPERATOR, _issues=[*BUSY, issue("ServerNotLicensed")], task_uuid="t-1")[Kind.START_TEST]
    assert not start.allowed
    told = {reason.code: reason for reason in start.reasons}
    assert set(told) == {"ResourceBusy", "ServerNotLicensed", "TaskRunning"}
    assert told["ResourceBusy"].task_uuids == ("t-1",)
    assert (told["ResourceBusy"].remedy.word, told["ServerNotLicensed"].remedy.word) == ("Wait", "Ask")


def test_a_stop_says_that_there_is_nothing_to_stop_and_nothing_of_the_role() -> None:
    stop = shown(Role.OPERATOR)[Kind.STOP]
    assert [reason.code for reason in stop.reasons] == ["NothingToStop"]
    assert stop.pointless


@pytest.mark.parametrize(
    ("status", "label"),
    [("FAILOVER_TEST", "Stop test"), ("FAILOVER_PROD", "Stop production"), ("NEBULOUS", "Stop failover")],
)
def test_a_stop_names_what_it_stops(status: str, label: str) -> None:
    assert shown(Role.ADMIN, status=status)[Kind.STOP].label == label


def test_a_row_names_the_action_of_a_reason_that_does_not_hold_for_all() -> None:
    one = shown(Role.ADMIN, _issues=[issue("BaseDrTestFailoverLimitReached", rel="START_FAILOVER_TEST")])
    offered = (one[Kind.START_TEST], one[Kind.START_PROD])
    assert [reason.prefix for reason in buttons.summary(offered)] == ["Start test: "]


def test_a_row_tells_a_reason_that_holds_for_all_once() -> None:
    one = shown(Role.ADMIN, _issues=[issue("ServerNotLicensed")])
    offered = (one[Kind.START_TEST], one[Kind.START_PROD])
    assert [(reason.prefix, reason.code) for reason in buttons.summary(offered)] == [("", "ServerNotLicensed")]


def test_blocked_means_that_not_even_an_admin_may_do_anything() -> None:
    limit = server(_issues=[issue("BaseDrTestFailoverLimitReached", rel="START_FAILOVER_TEST")])
    assert not buttons.blocked(limit, site(), OwnState.NONE, posture=Posture.ARMED)
    assert buttons.blocked(server(_issues=[issue("ServerNotLicensed")]), site(), OwnState.NONE, posture=Posture.ARMED)
    assert not buttons.blocked(server(type="PRIMARY"), site(), OwnState.NONE, posture=Posture.ARMED)


def test_ids_of_any_kind_are_encoded_in_addresses() -> None:
    assert buttons.server_url("a/b?c#d e") == "/servers/a%2Fb%3Fc%23d%20e/"


def test_what_the_server_and_its_site_both_say_stands_there_once() -> None:
    told = issue("VPNGatewayUnreachable")
    both = buttons.buttons(
        server(_issues=[told]), site(_issues=[told]), role=Role.ADMIN, posture=Posture.ARMED, ours=OwnState.NONE
    )
    start = next(one for one in both if one.kind == Kind.START_PROD)
    assert [reason.code for reason in start.reasons] == ["VPNGatewayUnreachable"]
