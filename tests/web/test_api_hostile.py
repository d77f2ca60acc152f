"""Whatever is sent to the JSON API, the answer is JSON, and the cloud hears of nothing but a whole wish."""

import json
from itertools import product
from typing import Any
from uuid import uuid4

from django.contrib.auth.models import User
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.authtoken.models import Token

from drdash.cloud.records import Server
from drdash.failover.models import Action
from drdash.simulator.simulation import Simulator
from tests.sizes import cases
from tests.stack import Poll
from tests.web.asking import Program

WISH = b'{"action": "start_failover_test", "idempotency_key": "k"'
DEEP = 100_000
HOSTILE = {
    "nothing": b"",
    "space": b" ",
    "null": b"null",
    "list": b"[]",
    "text": b'"start_failover_test"',
    "half": WISH,
    "two": WISH + b"}{}",
    "trailing comma": WISH + b",}",
    "deep lists": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP,
    "deep field": WISH + b',"acknowledge":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep unknown field": WISH + b',"more":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "huge number": WISH + b',"seen":' + b"9" * 100_000 + b"}",
    "huge exponent": WISH + b',"seen":1e999999999}',
    "not a number": WISH + b',"seen":NaN}',
    "infinite": WISH + b',"seen":-Infinity}',
    "nul": WISH + b',"acknowledge":["\\u0000"]}',
    "raw nul": WISH + b',"acknowledge":["\x00"]}',
    "lone surrogate": WISH + b',"acknowledge":["\\ud800"]}',
    "surrogates reversed": WISH + b',"confirm":"\\udc00\\ud800"}',
    "encoded surrogate": WISH + b',"confirm":"\xed\xa0\x80"}',
    "not utf-8": WISH + b',"confirm":"\xff"}',
    "utf-16": (WISH + b"}").decode().encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + WISH + b"}",
    "long unknown field": b'{"' + b"x" * 100_000 + b'": 1}',
    "unknown in another alphabet": '{"дія": "☠"}'.encode(),
    "form": b"action=start_failover_test&idempotency_key=k",
}


def test_a_hostile_body_is_refused_with_a_sentence(
    simulator: Simulator, polled: Poll, server: Server, bob: User
) -> None:
    types = ("application/json", "application/json; charset=utf-16", "application/json; charset=rot13")
    for (what, body), content_type in product(HOSTILE.items(), types):
        answer = Program(bob).post(server.uuid, body, content_type)
        assert answer.status_code == 400, (what, content_type)
        assert 20 < len(answer.json()["detail"]) < 500, (what, content_type)
        assert (simulator.posts, Action.objects.count()) == ([], 0), (what, content_type)


def test_a_body_beyond_all_measure_is_too_large(polled: Poll, server: Server, bob: User) -> None:
    answer = Program(bob).post(server.uuid, WISH + b" " * 3_000_000 + b"}")
    assert answer.status_code == 413
    assert "too large" in answer.json()["detail"]


ANOTHER = [
    "text/plain",
    "text/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    "application/jsonp",
    "application/json, text/plain",
    ";",
    "\xff",
]


def test_another_content_type_is_refused(simulator: Simulator, polled: Poll, server: Server, bob: User) -> None:
    path = f"/api/v1/servers/{server.uuid}/actions/"
    with_session, checked = Client(), Client(enforce_csrf_checks=True)
    with_session.force_login(bob)
    checked.force_login(bob)
    for content_type in ANOTHER:
        answer = Program(bob).post(server.uuid, WISH + b"}", content_type)
        assert answer.status_code == 415, content_type
        assert "application/json" in answer.json()["detail"], content_type
        answer = with_session.post(path, WISH + b"}", content_type=content_type)
        assert answer.status_code in {400, 415}, content_type
        answer = checked.post(path, b"--x\r\n" + WISH, content_type=content_type)
        assert answer.status_code in {400, 403}, content_type
        assert answer.json()["detail"], content_type
        assert (simulator.posts, Action.objects.count()) == ([], 0), content_type


def test_a_charset_does_not_change_what_a_wish_says(
    simulator: Simulator, polled: Poll, server: Server, bob: User
) -> None:
    assert Program(bob).post(server.uuid, WISH + b"}", "Application/JSON; charset=utf-16").status_code == 201
    assert len(simulator.posts) == 1


ANY_TEXT = st.text(max_size=20) | st.sampled_from(["", "\0", "\ud7ff", "a" * 300, "start_failover_test", "\u2028"])
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)
IDS = st.sampled_from(["b-1", "A@x", "", "a b", "\0", "..", "é"]) | ANY_JSON
FIELDS = {
    "action": st.sampled_from(["start_failover_test", "start_failover_prod", "stop_failover"]) | ANY_JSON,
    "idempotency_key": st.sampled_from(["k", "l"]) | st.builds(lambda: uuid4().hex) | ANY_JSON,
    "recovery_point": st.fixed_dictionaries({}, optional={f"{n}_id": IDS for n in ("backup", "archive", "vault")})
    | ANY_JSON,
    "acknowledge": st.lists(ANY_TEXT | st.just("ReadinessWarning"), max_size=3) | ANY_JSON,
    "confirm": ANY_TEXT | ANY_JSON,
    "seen": st.integers() | st.just(2**60) | ANY_JSON,
    "password": ANY_TEXT | ANY_JSON,
    "break_glass": st.fixed_dictionaries({}, optional={"reason": ANY_TEXT, "password": ANY_TEXT}) | ANY_JSON,
    "force": ANY_JSON,
}
WHOLE = st.fixed_dictionaries(
    {
        "action": st.sampled_from(["start_failover_test", "stop_failover"]),
        "idempotency_key": st.sampled_from(["k", "l", "m"]) | st.builds(lambda: uuid4().hex),
    },
    optional={
        "acknowledge": st.lists(st.text(max_size=9), max_size=3),
        "seen": st.integers(min_value=0, max_value=2**62),
        "confirm": st.text(max_size=9),
    },
)
BROKEN = st.fixed_dictionaries({}, optional=FIELDS)


@settings(max_examples=cases(75, full=1500), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wish=WHOLE | BROKEN | ANY_JSON)
def test_no_wish_breaks_anything_and_each_request_to_the_cloud_is_a_new_action(
    simulator: Simulator, polled: Poll, server: Server, bob: User, wish: Any
) -> None:
    before = len(simulator.posts)
    answer = Program(bob).post(server.uuid, json.dumps(wish).encode())
    assert answer.status_code in {200, 201, 400, 403, 409}
    told = answer.json()
    if answer.status_code in {200, 201}:
        assert told["state"]
    else:
        assert told["detail"]
    sent = len(simulator.posts) - before
    assert sent == (1 if answer.status_code == 201 and told["sent_at"] else 0)
    assert len(simulator.posts) == Action.objects.exclude(sent_at=None).count()


@settings(max_examples=cases(50, full=1000), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=60) | st.builds(lambda cut: (WISH + b', "confirm": "x"}')[:cut], st.integers(0, 70)))
def test_no_bytes_break_anything(polled: Poll, server: Server, victor: User, body: bytes) -> None:
    assert Program(victor).post(server.uuid, body).status_code in {200, 400, 403}


@settings(max_examples=cases(50, full=1000), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(["servers/", "sites/", "actions/"]),
    params=st.dictionaries(
        st.sampled_from(["limit", "offset", "type", "status", "site", "tenant", "blocked", "q", "format", "lang"]),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
        | st.sampled_from(["1", "0", "true", "RECOVERY", "9" * 30, "1" * 5000]),
        max_size=4,
    ),
)
def test_no_query_breaks_anything(polled: Poll, alice: User, path: str, params: dict[str, str]) -> None:
    answer = Program(alice).get(path, **params)
    assert answer.status_code in {200, 400}
    assert ("results" if answer.status_code == 200 else "detail") in answer.json()


@settings(max_examples=cases(40, full=600), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    room=st.sampled_from(["servers", "sites", "actions", "schema", ""]),
    name=st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(["9" * 5000, "..", "\0"]),
)
def test_no_address_breaks_anything(polled: Poll, alice: User, room: str, name: str) -> None:
    headers = {"Authorization": f"Token {Token.objects.get_or_create(user=alice)[0].key}"}
    path = f"/api/v1/{room}/{name}/".encode().decode("latin-1")
    answer = Client().generic("GET", "/", PATH_INFO=path, headers=headers)
    assert answer.status_code in {200, 400, 404}
