"""The JSON API's schema: valid, complete, and true of what is answered."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from rest_framework.authtoken.models import Token
from schemathesis import Case, GenerationMode, openapi
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from drdash.cloud.records import Server
from drdash.simulator.simulation import Simulator
from tests.sizes import cases
from tests.stack import Poll
from tests.web.asking import Answer, Program

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
sized = settings(
    max_examples=cases(15, full=200), deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)


@pytest.fixture
def schema(alice: User) -> Any:
    return Program(alice).read("schema/")


def test_the_schema_is_valid_and_made_without_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--format", "openapi-json")
    assert json.loads(capsys.readouterr().out)["openapi"] == "3.1.0"


def test_every_address_is_in_the_schema(schema: Any) -> None:
    rooms = get_resolver("drdash.web.api_urls").url_patterns
    served = {name for room in rooms if (name := getattr(room, "name", None)) and name != "schema"}
    assert len(schema["paths"]) == len(served)
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            assert operation["description"], path
            assert "401" in operation["responses"], path
            assert operation["security"] == [{"tokenAuth": []}, {"cookieAuth": []}]
            for parameter in operation.get("parameters", ()):
                assert parameter["name"] == "id" or parameter["description"], path


def test_answers_are_as_the_schema_says(
    simulator: Simulator, polled: Poll, server: Server, schema: Any, alice: User, victor: User
) -> None:
    simulator.force_server(server.uuid, set={"more": {"of": ["it"]}})
    polled()
    program = Program(alice)
    started = program.act(server.uuid, idempotency_key="k")
    simulator.force_server(server.uuid, delete=True)
    polled()
    answers = [
        ("get", "/api/v1/servers/", program.get("servers/", limit=200)),
        ("get", "/api/v1/servers/", program.get("servers/", limit=0)),
        ("get", "/api/v1/sites/", program.get("sites/")),
        ("get", "/api/v1/actions/", program.get("actions/")),
        ("get", "/api/v1/servers/{uuid}/", program.get(f"servers/{server.uuid}/")),
        ("get", "/api/v1/servers/{uuid}/", program.get("servers/x/")),
        ("get", "/api/v1/sites/{uuid}/", program.get(f"sites/{server.site_uuid}/")),
        ("get", "/api/v1/actions/{id}/", program.get(f"actions/{started.json()['id']}/")),
        ("post", "/api/v1/servers/{uuid}/actions/", started),
        ("post", "/api/v1/servers/{uuid}/actions/", program.act(server.uuid, idempotency_key="k")),
        ("post", "/api/v1/servers/{uuid}/actions/", program.act(server.uuid, idempotency_key="k", acknowledge=["x"])),
        ("post", "/api/v1/servers/{uuid}/actions/", program.act(server.uuid)),
        ("post", "/api/v1/servers/{uuid}/actions/", program.act(server.uuid, "fly")),
        ("post", "/api/v1/servers/{uuid}/actions/", program.post(server.uuid, b"{}", "text/plain")),
        ("post", "/api/v1/servers/{uuid}/actions/", Program(victor).act(server.uuid)),
        ("post", "/api/v1/servers/{uuid}/actions/", program.act(server.uuid, "start_failover_prod")),
        ("post", "/api/v1/servers/{uuid}/actions/", program.act(server.uuid, password="guess")),
    ]
    statuses = [answer.status_code for _, _, answer in answers]
    assert statuses == [200, 400, 200, 200, 200, 404, 200, 200, 201, 200, 409, 409, 400, 415, 403, 403, 403]
    for method, path, answer in answers:
        assert_as_documented(schema, schema["paths"][path][method], answer)


def assert_as_documented(schema: Any, operation: Any, answer: Answer) -> None:
    promised = operation["responses"][str(answer.status_code)]["content"]["application/json"]["schema"]
    # Our own fields are promised; the cloud's are told as documented, and passed on as they come.
    whole = {**promised, "components": schema["components"]}
    Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(answer.json())


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["allowed", "not allowed"])
def test_each_operation_keeps_its_word_whatever_it_is_asked(
    simulator: Simulator, polled: Poll, server: Server, alice: User, mode: GenerationMode
) -> None:
    headers = {"Authorization": f"Token {Token.objects.create(user=alice).key}"}
    documented = openapi.from_wsgi("/api/v1/schema/", get_wsgi_application(), headers=headers)
    operations = [one.ok() for one in documented.get_all_operations() if isinstance(one, Ok)]
    asked = set()
    for operation in operations:
        if mode is GenerationMode.NEGATIVE and not (operation.query or operation.body):
            continue  # an id may be anything: there is nothing that is not allowed

        @sized
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Case[Any]) -> None:
            if case.method == "POST":
                case.path_parameters["uuid"] = server.uuid
            response = case.call(headers=headers)
            asked.add((case.operation.label, response.status_code))
            case.validate_response(response, checks=CHECKS)

        ask()
    statuses = {status for _, status in asked}
    if mode is GenerationMode.POSITIVE:
        assert len({label for label, _ in asked}) == 7
        assert statuses >= {200, 404}
    else:
        assert 400 in statuses
    assert len(simulator.posts) <= 1
