"""The simulator keeps to the reference: tests/cloud/openapi.yaml says in a schema what the reference says in prose."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import yaml
from drf_spectacular.validation import validate_schema
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator
from schemathesis import Case, GenerationMode, openapi
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from drdash.simulator.directory import ADMIN, READONLY, SUPPORT
from drdash.simulator.faults import Kind
from drdash.simulator.server import running
from drdash.simulator.simulation import Simulator
from tests.sizes import cases, sized

CLOUD = Path(__file__).parents[1] / "cloud"
DOCUMENT: Any = yaml.safe_load((CLOUD / "openapi.yaml").read_text())
CONTRACT = openapi.from_dict(DOCUMENT)
OPERATIONS = {one.ok().definition.raw["operationId"]: one.ok() for one in CONTRACT.get_all_operations()
              if isinstance(one, Ok)}  # fmt: skip
CHECKS = [status_code_conformance, content_type_conformance, response_headers_conformance, response_schema_conformance]
ALLOWED, NOT_ALLOWED = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
FAULTS: tuple[Kind, ...] = ("400", "401", "403", "404", "429", "500", "504")
ACTIONS = ("start_failover_prod", "start_failover_test", "stop_failover")
EXAMPLES = {
    "accepted": "Accepted",
    "recovery_point": "RecoveryPoint",
    "site_provisioned": "Site",
    "site_provisioning": "Site",
    **{f"servers_{page}": "ServerPage" for page in ("first", "last", "none")},
    **{f"sites_{page}": "SitePage" for page in ("first", "last", "none")},
    **{f"error_{status}": "Error" for status in (400, 401, 403, 404, 409, 500)},
    "error_429": "Overload",
}


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A customer where things keep happening, as fast as the test moves the clock."""
    with running("customer", token_life=1e9) as simulator:
        yield simulator


class Asking:
    """Cases of the document, asked over HTTP with a token of these scopes."""

    def __init__(self, simulator: Simulator, scope: str = ADMIN) -> None:
        self.simulator = simulator
        self.session = requests.Session()
        self.session.trust_env = False
        form = {"grant_type": "client_credentials", "scope": scope}
        secret = (simulator.client_id, simulator.client_secret)
        token = self.session.post(f"{simulator.url}/api/2/idp/token", form, auth=secret).json()["access_token"]
        self.headers = {"Authorization": f"Bearer {token}"}
        self.statuses: Counter[int] = Counter()

    def cursors(self, path: str) -> list[str]:
        """Every cursor of the listing, by pages of seven."""
        found, query = set(), {"limit": "7"}
        while query:
            url = f"{self.simulator.url}/api/dr/v2{path}"
            page = self.session.get(url, params=query, headers=self.headers).json()["paging"].get("cursors", {})
            found |= set(page.values())
            query = {"after": page["after"]} if "after" in page else {}
        return sorted(found)

    def ask(self, case: Case[Any]) -> Any:
        """Ask, and hold the answer to the document."""
        response = case.call(base_url=f"{self.simulator.url}/api/dr/v2", session=self.session, headers=self.headers)
        self.statuses[response.status_code] += 1
        case.validate_response(response, checks=CHECKS)
        return response


# The document


def test_the_document_is_valid_and_has_each_operation_of_the_reference() -> None:
    validate_schema(DOCUMENT)  # type: ignore[no-untyped-call]
    assert {(one.method.upper(), one.path) for one in OPERATIONS.values()} == {
        ("GET", "/servers"),
        ("GET", "/sites"),
        ("GET", "/sites/{uuid}"),
        ("POST", "/servers/{uuid}:start_failover_prod"),
        ("POST", "/servers/{uuid}:start_failover_test"),
        ("POST", "/servers/{uuid}:stop_failover"),
    }


def test_each_example_of_the_reference_is_as_documented() -> None:
    assert {path.stem for path in (CLOUD / "reference").glob("*.json")} == EXAMPLES.keys()
    for name, schema in EXAMPLES.items():
        example = json.loads((CLOUD / "reference" / f"{name}.json").read_bytes())
        if name == "recovery_point":
            assert example.keys() == {"recovery_point"}
            example = example["recovery_point"]
        assert [f"{name}: {error.message}" for error in validator(schema).iter_errors(example)] == []


def validator(schema: str) -> Draft202012Validator:
    return documented({"$ref": f"#/components/schemas/{schema}"})


def documented(schema: Any) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]}, validate_formats=True)


def test_the_document_sees_what_is_not_as_documented() -> None:
    page = json.loads((CLOUD / "reference" / "servers_first.json").read_bytes())
    changes: list[tuple[str, Any]] = [("status", "FAILOVER"), ("type", "PRIMARY"), ("uuid", "1"), ("more", 1)]
    for name, value in [*changes, ("_links", []), ("created_at", "soon"), ("recovery", {})]:
        changed = {**page, "items": [{**page["items"][0], name: value}]}
        assert not validator("ServerPage").is_valid(changed), name


# The simulator


@pytest.mark.parametrize("mode", [ALLOWED, NOT_ALLOWED], ids=["allowed", "not allowed"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_the_simulator_answers_as_documented_whatever_it_is_asked(
    simulator: Simulator, name: str, mode: GenerationMode
) -> None:
    operation = OPERATIONS[name]
    asking = Asking(simulator)
    uuids = sorted(simulator.world.sites if "site" in name else simulator.world.servers)
    cursors = asking.cursors(operation.path) if name.startswith("list") else []
    number = cases(12, full=834)  # of each of the twelve: 10,000 in all

    @settings(sized, max_examples=number)
    @given(case=operation.as_strategy(generation_mode=mode), data=st.data())
    def ask(case: Case[Any], data: st.DataObject) -> None:
        if case.path_parameters and not _negative(case, ParameterLocation.PATH):
            case.path_parameters["uuid"] = data.draw(st.sampled_from([case.path_parameters["uuid"], *uuids]))
        if mode is ALLOWED and cursors and data.draw(st.booleans()):
            case.query = {data.draw(st.sampled_from(["after", "before"])): data.draw(st.sampled_from(cursors))}
        simulator.advance(data.draw(st.sampled_from([0, 0, 1, 10, 100])))
        response = asking.ask(case)
        if mode is ALLOWED and response.status_code == 400:
            # What a schema cannot say: a cursor comes from a page, and stands alone.
            assert case.query.keys() & {"after", "before"}
        if mode is NOT_ALLOWED and response.status_code not in {400, 404}:
            # What nobody documents is ignored in a query.
            assert case.method != "POST"
            assert _fits(operation.definition.raw, response.request.url)

    ask()
    assert asking.statuses.total() >= number
    if mode is NOT_ALLOWED:
        assert asking.statuses[400]
    else:
        assert asking.statuses[202 if name in ACTIONS else 200]


def _negative(case: Case[Any], location: ParameterLocation) -> bool:
    meta = case.meta
    return meta is not None and location in meta.components and meta.components[location].mode.is_negative


def _fits(operation: Any, url: str) -> bool:
    """Whether every parameter in the URL that is documented is as documented."""
    given = parse_qs(urlsplit(url).query, keep_blank_values=True)
    for parameter in operation["parameters"]:
        if "$ref" in parameter:
            parameter = DOCUMENT["components"]["parameters"][parameter["$ref"].rpartition("/")[2]]
        if not (texts := given.get(parameter["name"])):
            continue
        schema = parameter["schema"]
        several = schema.get("type") == "array"
        if (len(texts) > 1 and not several) or not documented(schema).is_valid(texts if several else _read(texts[0])):
            return False
    return True


def _read(text: str) -> object:
    """A parameter's text as a value of the document; whatever is no number and no boolean is a text."""
    return json.loads(text) if re.fullmatch("true|false|-?[0-9]{1,9}", text) else text


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_documented_failure_has_its_documented_shape(simulator: Simulator, name: str) -> None:
    operation = OPERATIONS[name]
    asking = Asking(simulator)
    assert set(operation.definition.raw["responses"]) == {*FAULTS, *({"202", "409"} if name in ACTIONS else {"200"})}
    for fault in FAULTS:
        simulator.fail(fault)
        assert asking.ask(a_case(name, simulator)).status_code == int(fault)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_token_that_is_no_good_or_may_not_is_refused_as_documented(simulator: Simulator, name: str) -> None:
    simulator.issuer.scopes = frozenset({ADMIN, SUPPORT, READONLY, "root_admin"})
    may = {scope for way in OPERATIONS[name].definition.raw["security"] for scope in way["oauth"]}
    for scope in sorted(simulator.issuer.scopes):
        asking = Asking(simulator, scope)
        refused = asking.ask(a_case(name, simulator)).status_code == 403
        assert refused == (scope not in may), scope
    asking = Asking(simulator)
    token = asking.headers["Authorization"].removeprefix("Bearer ")
    for header in ({}, *({"Authorization": text} for text in ("Bearer x", "Bearer", f"Basic {token}", token))):
        asking.headers = header
        assert asking.ask(a_case(name, simulator)).status_code == 401, header


@pytest.mark.parametrize("name", ACTIONS)
@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"", "application/json"),
        (b"{", "application/json"),
        (b"\xff{}", "application/json"),
        (b"{}{}", "application/json"),
        (b"[" * 100_000, "application/json"),
        (b'{"recovery_point": ' + b"9" * 10_000 + b"}", "application/json"),
        (b"{}", "text/plain"),
        (b"", "application/x-www-form-urlencoded"),
    ],
)
def test_a_body_that_is_not_json_is_refused_as_documented(
    simulator: Simulator, name: str, body: bytes, media_type: str
) -> None:
    asking = Asking(simulator)
    asking.headers["Content-Type"] = media_type
    path = OPERATIONS[name].path.format(uuid=next(iter(simulator.world.servers)))
    response = asking.session.post(f"{simulator.url}/api/dr/v2{path}", body, headers=asking.headers)
    assert response.status_code == 400
    assert validator("Error").is_valid(response.json())


def a_case(name: str, simulator: Simulator) -> Case[Any]:
    """A plain request of the operation, of something that is there."""
    uuid = next(iter(simulator.world.sites if "site" in name else simulator.world.servers))
    operation = OPERATIONS[name]
    path = {"uuid": uuid} if "{uuid}" in operation.path else {}
    if name in ACTIONS:
        return operation.Case(path_parameters=path, body={}, media_type="application/json")
    return operation.Case(path_parameters=path)
