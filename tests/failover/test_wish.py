"""What can be asked for at all, and what makes two wishes the same."""

from typing import Any

import msgspec
import pytest

from drdash.cloud import reading
from drdash.cloud.records import RecoveryPoint
from drdash.failover.guard import Kind
from drdash.failover.wish import Invalid, Wish, check, digest, names_it
from drdash.tenants.models import Tenant

SERVER = reading.server(b'{"uuid": "S", "name": "ams-web-01", "status": "STAND_BY"}')
POINT = RecoveryPoint(backup_id="b-1", archive_id="a@archive", vault_id="v")
WHY = "The main site burns, and nobody knows any more."


def wish(kind: Kind = Kind.START_PROD, key: str = "k", **more: Any) -> Wish:
    return Wish(kind=kind, key=key, **more)


def test_what_is_right_in_itself_is_not_in_the_way() -> None:
    for one in (wish(), wish(recovery_point=POINT), wish(glass=WHY), wish(Kind.STOP), wish(key="!" * 100)):
        check(one, SERVER)
    check(wish(), msgspec.structs.replace(SERVER, uuid="S" * 100))


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (wish(key=""), "idempotency key"),
        (wish(key="!" * 101), "idempotency key"),
        (wish(key="a b"), "idempotency key"),
        (wish(key="k\n"), "idempotency key"),
        (wish(Kind.STOP, recovery_point=POINT), "A stop takes no recovery point"),
        (wish(recovery_point=msgspec.structs.replace(POINT, vault_id="")), "all three"),
        (wish(recovery_point=msgspec.structs.replace(POINT, backup_id="b 1")), "all three"),
        (wish(recovery_point=msgspec.structs.replace(POINT, archive_id="a/b")), "all three"),
        (wish(Kind.START_TEST, glass=WHY), "for a start of production alone"),
        (wish(Kind.STOP, glass=WHY), "for a start of production alone"),
        (wish(glass="It  burns" + " " * 30), "characters at least"),
    ],
)
def test_what_is_wrong_in_itself_is_said(wrong: Wish, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        check(wrong, SERVER)


@pytest.mark.parametrize(
    ("kind", "status", "asked"),
    [
        (Kind.START_TEST, "STAND_BY", False),
        (Kind.START_PROD, "STAND_BY", True),
        (Kind.STOP, "FAILOVER_TEST", False),
        (Kind.STOP, "FAILOVER_PROD", True),
        (Kind.STOP, "FINALIZATION", True),
    ],
)
def test_the_name_is_asked_for_before_the_cloud_is_where_production_is_meant(
    kind: Kind, status: str, asked: bool
) -> None:
    server = reading.server(msgspec.json.encode({"uuid": "S", "status": status}))
    assert names_it(kind, server) is asked


def test_a_wish_is_the_same_with_all_that_bears_on_what_is_sent() -> None:
    tenant, other = Tenant(pk=1), Tenant(pk=2)
    elsewhere = msgspec.structs.replace(SERVER, uuid="T")
    same = digest(tenant, SERVER, wish(acknowledge=frozenset({"a", "b"}), confirm="typed"))
    assert digest(tenant, SERVER, wish(key="another", acknowledge=frozenset({"b", "a"}))) == same
    others = [
        digest(other, SERVER, wish(acknowledge=frozenset({"a", "b"}))),
        digest(tenant, elsewhere, wish(acknowledge=frozenset({"a", "b"}))),
        digest(tenant, SERVER, wish(Kind.START_TEST, acknowledge=frozenset({"a", "b"}))),
        digest(tenant, SERVER, wish(acknowledge=frozenset({"a"}))),
        digest(tenant, SERVER, wish(acknowledge=frozenset({"a", "b"}), recovery_point=POINT)),
        digest(tenant, SERVER, wish(acknowledge=frozenset({"a", "b"}), glass=WHY)),
        digest(tenant, SERVER, wish(acknowledge=frozenset({"a", "b"}), approval=1)),
    ]
    assert len({same, *others}) == len(others) + 1
