"""Every URL that the resolver knows, for everyone, of one's own tenant and of another, with every method.

who_may.py says who may; whatever it does not say is refused, changes nothing, and sends nothing to a cloud.
"""

import asyncio
import logging
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import URLPattern, get_resolver

from drdash.cloud.records import Server
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Tenant
from drdash.web.live import Hub
from tests.sizes import TORTURE, tell
from tests.stack import Poll
from tests.web.two_tenants import HOME, NAMES, ROLES, Asked, World, two_tenants
from tests.web.who_may import MEMBERS, TABLE

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def routes(patterns: Any = None, before: str = "") -> Iterator[str]:
    """Every route, as the resolver spells it."""
    for one in patterns or get_resolver().url_patterns:
        route = before + str(one.pattern)
        if isinstance(one, URLPattern):
            yield route
        else:
            yield from routes(one.url_patterns, route)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Each refusal would be a line of the log, with the way it came."""
    caplog.set_level(logging.CRITICAL, "django")


@pytest.fixture
def world(
    simulator: Simulator, tenant: Tenant, polled: Poll, server: Server, alice: User, bob: User, victor: User
) -> World:
    return two_tenants(simulator, tenant, server, {"admin": alice, "operator": bob, "viewer": victor})


def every_request() -> Iterator[Asked]:
    """All of them under torture. Otherwise what a URL is there for, for each member, and for some of those who are none
    there; here and there another method; and of the admin site, which has one door, some.
    """
    some = random.Random(17)
    for route, rows in sorted(TABLE.items(), key=lambda one: not one[0].startswith("api/")):
        doors = (False, True) if route.startswith("api/") else (False,)
        for row in rows:
            for role, side in product(ROLES, ("ours", "theirs") if row.at else ("ours",)):
                every = [Asked(route, row, role, side, *how) for how in product(METHODS, doors)]
                usual = [one for one in every if one.who and one.method in ("GET", "POST")]
                member = every[0].within and role in HOME and not route.startswith("admin/")
                if TORTURE:
                    yield from every
                elif member or some.random() < 0.25:
                    yield from some.sample(usual, len(usual) // len(doors))
                elif some.random() < 0.15:
                    yield some.choice(every)


def refusal(asked: Asked) -> set[int]:
    """What those hear who may not."""
    api = asked.route.startswith("api/")
    if asked.role == "anonymous":
        return {401} if api else {302, 405}
    if asked.route.startswith("admin/"):
        return {302, 403, 404, 405} if asked.role == "root" or asked.row.says == 404 else {302, 405}
    if not asked.who:
        return {404, 405} if asked.row.says == 404 else {405}
    # What belongs to others does not exist.
    if not asked.within:
        return {404} if set(asked.who) & set(MEMBERS) else {403, 404}
    return {asked.row.says}


@contextmanager
def writes() -> Iterator[set[str]]:
    """The tables in which a row is written meanwhile."""
    tables: set[str] = set()

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        done = execute(sql, params, many, context)
        found = re.match(r'(?:INSERT INTO|UPDATE|DELETE FROM) "(\w+)"', sql)
        if found and context["cursor"].rowcount:
            tables.add(found[1])
        return done

    with connection.execute_wrapper(watch):
        yield tables


def wrong(asked: Asked, answer: Any, written: set[str]) -> str:
    """What is not as it should be with an answer; empty when nothing is."""
    if asked.role != "root" and any(
        name.encode() in answer.getvalue() for side, name in NAMES.items() if side != HOME.get(asked.role)
    ):
        return "names another tenant"
    status, away = answer.status_code, answer.headers.get("Location", "")
    if status == 500:
        return "fails"
    if asked.may:
        read = asked.method != "POST" and not asked.row.ends
        # A HEAD, and what is asked for in an odd way, may be refused to anybody.
        odd = asked.method == "HEAD" or asked.row.any_method
        if status in {401, 403} or (status == 405 and not odd) or (status == 302 and "login/?next=" in away):
            return "is refused to those who may"
        return "writes" if read and not written <= asked.row.writes | {"tenants_kepttoken"} else ""
    if status == 302 and asked.row.says != 302 and "login/?next=" not in away and away != "/admin/":
        return "is not refused"
    if status not in refusal(asked):
        return "is not refused"
    noted = {"failover_action", "audit_entry"} if "wish" in asked.row.body and status == 403 else set()
    return "is refused, and writes" if written - noted else ""


def test_of_every_url_it_is_said_who_may() -> None:
    assert set(routes()) == set(TABLE), "say in who_may.py who may open it, and who may post to it"


def test_nobody_gets_what_is_not_theirs(world: World) -> None:
    problems = []
    for asked in every_request():
        client = world.seat(asked)
        with writes() as written:
            answer = world.ask(asked, client)
        if what := wrong(asked, answer, written):
            problems.append((asked.role, asked.method, world.path(asked), what, answer.status_code, sorted(written)))
    tell(f"{sum(1 for _ in every_request())} requests, {len(problems)} unexpected successes")
    assert not problems, "\n".join(map(str, problems))
    assert world.simulator.posts == []


def test_nothing_is_posted_from_elsewhere(world: World) -> None:
    for route, rows in TABLE.items():
        for row in rows:
            everyone = [Asked(route, row, role, HOME.get(role, "ours"), "POST") for role in ROLES]
            for asked in [one for one in everyone if one.may][-1:]:
                answer = world.ask(asked, world.client(asked.role, checks=True))
                assert answer.status_code == 403, world.path(asked)


def test_a_token_opens_no_page(world: World) -> None:
    token = world.client("root", token=True)
    for route, rows in TABLE.items():
        for row in rows:
            asked = Asked(route, row, "anonymous", "ours", "GET")
            if not route.startswith("api/") and not asked.may:
                assert not wrong(asked, world.ask(asked, token), set()), world.path(asked)


def test_the_stream_is_for_sessions_and_read_alone(world: World) -> None:
    async def asks(hub: Hub, client: Client, method: str) -> int:
        answers: asyncio.Queue[int] = asyncio.Queue()

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                answers.put_nowait(message["status"])

        async def gone() -> Any:
            while answers.empty():
                await asyncio.sleep(0)
            return {"type": "http.disconnect"}

        cookie = client.cookies.get("drdash_session")
        headers = [(b"cookie", f"drdash_session={cookie.value}".encode())] if cookie else []
        headers.append((b"authorization", str(client.defaults.get("HTTP_AUTHORIZATION", "")).encode()))
        scope = {"type": "http", "method": method, "path": "/events/", "query_string": b"", "headers": headers}
        await hub(scope, gone, send)
        return await answers.get()

    async def heard(browsers: dict[str, Client], program: Client) -> dict[str, list[int]]:
        hub = Hub()
        await hub.start()
        try:
            asked = {role: [await asks(hub, one, method) for method in METHODS] for role, one in browsers.items()}
            return asked | {"program": [await asks(hub, program, "GET")]}
        finally:
            await hub.stop()

    browsers = {role: world.client(role) for role in ROLES}
    got = asyncio.run(heard(browsers, world.client("root", token=True)))
    others = [405] * (len(METHODS) - 1)
    assert got.pop("program") == [401]
    assert got == {role: [401 if role == "anonymous" else 200, *others] for role in ROLES}
