"""What changed between what a person saw and what is so now, and the token that carries it."""

import msgspec
import pytest

from drdash.cloud import reading
from drdash.cloud.words import Severity
from drdash.failover.guard import Kind
from drdash.failover.sighting import Expired, Sighting, differences, seal, sight_of, unseal
from drdash.tenants.roles import Role

SEEN = Sighting(
    user=1,
    tenant=2,
    kind=Kind.START_PROD,
    server="s",
    name="ams-web-01",
    site="site",
    status="STAND_BY",
    role=Role.ADMIN,
    issues=frozenset({("Quota", Severity.ERROR, "DR_A")}),
    nonce="n",
)


def now(**changes: object) -> list[str]:
    return differences(SEEN, msgspec.structs.replace(SEEN, **changes))


def test_the_same_again_and_what_is_better_is_no_change() -> None:
    assert now() == now(nonce="another") == now(issues=frozenset()) == []
    assert now(issues=frozenset({("Quota", Severity.WARNING, "DR_A")})) == []
    assert differences(msgspec.structs.replace(SEEN, role=Role.OPERATOR), SEEN) == []


def test_what_changed_is_told_in_words() -> None:
    assert now(status="") == ["its status was STAND_BY, and is not known now"]
    assert differences(msgspec.structs.replace(SEEN, status=""), SEEN) == [
        "its status was not known, and is STAND_BY now"
    ]
    assert now(name="ams-web-02") == ["the server was ams-web-01, and is ams-web-02 now"]
    assert now(role=Role.OPERATOR) == ["your role was admin, and is operator now"]
    assert now(issues=frozenset({("Quota", Severity.ERROR, "DR_B"), ("", Severity.ERROR, "")})) == [
        "new issues: Quota, an unnamed issue"
    ]
    assert now(issues=frozenset({("Quota", "CRITICAL", "DR_A")})) == ["new issues: Quota"]


def test_a_server_without_a_name_is_told_by_its_id() -> None:
    nameless = msgspec.structs.replace(SEEN, name="")
    assert differences(nameless, SEEN) == ["the server was s, and is ams-web-01 now"]
    assert differences(SEEN, nameless) == ["the server was ams-web-01, and is s now"]


def test_what_tells_no_issues_is_seen_without_any() -> None:
    silent = reading.server(b'{"uuid": "S"}')
    assert sight_of(user=1, tenant=2, kind=Kind.STOP, server=silent, site=None, role=Role.ADMIN).issues == frozenset()


@pytest.mark.parametrize("other", [{"tenant": 3}, {"server": "t"}, {"site": "elsewhere"}])
def test_another_server_is_a_change_whatever_it_is_called(other: dict[str, object]) -> None:
    assert now(**other) == ["the server was ams-web-01, and is ams-web-01 now"]


def test_an_issue_is_the_same_only_with_what_it_blocks_and_whose_it_is() -> None:
    issue = {"severity": "error", "link": "DR_A", "error": {"code": "Quota"}}
    server = reading.server(msgspec.json.encode({"uuid": "S", "_issues": [issue, {**issue, "link": None}]}))
    site = reading.site(msgspec.json.encode({"uuid": "T", "_issues": [issue]}))
    seen = sight_of(user=1, tenant=2, kind=Kind.STOP, server=server, site=site, role=Role.ADMIN)
    assert seen.issues == {("Quota", "ERROR", "DR_A"), ("Quota", "ERROR", ""), ("Quota", "ERROR", "site")}
    assert (seen.server, seen.status, seen.nonce) == ("s", "", "")


def test_a_token_is_good_for_its_own_dialog_and_says_why_not() -> None:
    sealed = seal(SEEN)
    assert unseal(sealed, user=1, kind=Kind.START_PROD, server="s") == SEEN
    with pytest.raises(Expired, match="opened for something else") as wrong:
        unseal(sealed, user=2, kind=Kind.START_PROD, server="s")
    assert wrong.value.seen is None
    with pytest.raises(Expired, match="cannot be read"):
        unseal(sealed[:-1], user=1, kind=Kind.START_PROD, server="s")
