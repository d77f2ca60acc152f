"""What a credential may do, as far as its token tells, and what it lacks."""

from pathlib import Path

import pytest
import yaml

from drdash.cloud import scopes

OPENAPI = yaml.safe_load((Path(__file__).parent / "openapi.yaml").read_text())
CALLS = {
    scopes.READ: ("list_servers", "list_sites", "one_site"),
    "start_failover_test": ("start_failover_test",),
    "start_failover_prod": ("start_failover_prod",),
    "stop_failover": ("stop_failover",),
}


def test_each_call_needs_one_of_the_references_scopes() -> None:
    operations = {
        operation["operationId"]: {scope for way in operation["security"] for scope in way["oauth"]}
        for path in OPENAPI["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict) and "security" in operation
    }
    assert set(scopes.NEEDED) == set(CALLS)
    for call, names in CALLS.items():
        for name in names:
            assert set(scopes.NEEDED[call]) == operations[name]


@pytest.mark.parametrize(
    ("told", "may"),
    [
        (None, {}),
        ((), {}),
        (("offline_access", "urn:acronis.com:tenant-id:x"), {}),
        (("protection::readonly",), {"read"}),
        (("dr::support_operator", "x"), {"read", "start_failover_test", "stop_failover"}),
        (("x", "dr_service::admin"), set(scopes.NEEDED)),
    ],
)
def test_scopes_hint_at_what_a_token_may_do(told: tuple[str, ...] | None, may: set[str]) -> None:
    for call in scopes.NEEDED:
        assert scopes.allowed(call, told) is (call in may if may else None)


def test_what_is_lacking_is_said_in_words() -> None:
    assert scopes.lacks("start_failover_prod") == "this credential lacks dr_service::admin"
    assert scopes.lacks("stop_failover") == "this credential lacks dr_service::admin or dr::support_operator"
    assert scopes.lacks(scopes.READ).endswith("dr_service::admin, dr::support_operator or protection::readonly")
