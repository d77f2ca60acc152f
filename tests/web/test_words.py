"""Every page and part in a language that is none: what nobody marked to be translated stands out."""

import html
import logging
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import Resolver404, resolve

from drdash.cloud.records import Server, Site
from drdash.estate.store import store
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Tenant
from tests.stack import Poll
from tests.web.pseudo import Data, pseudo, unmarked
from tests.web.two_tenants import Asked, World, two_tenants
from tests.web.who_may import TABLE

LINK = re.compile(r'(?:href|action|hx-get|formaction)="(/[^"]*)"')
# Whose words are their own: Django's, and programs'. And what is there for who builds it.
OTHERS = ("admin/", "api/", "healthz", "readyz", "styleguide/", "logout/")
# Pages of which not every word is marked yet, by the beginning of their address.
NOT_YET: tuple[str, ...] = ("/",)
MOST_OF_A_KIND = 2


@pytest.fixture
def world(
    simulator: Simulator, tenant: Tenant, polled: Poll, server: Server, alice: User, bob: User, victor: User
) -> World:
    return two_tenants(simulator, tenant, server, {"admin": alice, "operator": bob, "viewer": victor})


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
        yield from map(str.strip, value.splitlines())
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield str(name)
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def data(world: World) -> Data:
    """Whatever a cloud said, and whatever is stored."""
    known = {"drdash", "GiB", "MiB", "UTC", world.simulator.url, "127.0.0.1", *(name for _, name in settings.LANGUAGES)}
    known |= set(world.users)
    for tenant in Tenant.objects.all():
        estate = store().load(tenant.pk)
        records: list[Server | Site] = [seen.record for seen in estate.servers.values()]
        records += [seen.record for seen in estate.sites.values()]
        for record in records:
            known |= {record.uuid[:8], *strings(msgspec.json.decode(record.json))}
    for model in apps.get_models():
        for row in model._default_manager.values():
            known |= set(strings(list(row.values())))
    return Data(known)


def asked(world: World) -> Iterator[tuple[str, str]]:
    """Every address that somebody may read, by the role of who reads it."""
    for route, rows in TABLE.items():
        if route.startswith(OTHERS):
            continue
        for row in rows:
            for role in ("admin", "root", "anonymous"):
                one = Asked(route, row, role, "ours", "GET")
                if one.may and (role != "root" or not row.at):
                    yield role, world.path(one)
    yield "admin", "/nowhere/"


def kind(path: str) -> tuple[str, ...]:
    """What kind of page an address leads to."""
    bare, _, query = path.partition("#")[0].partition("?")
    try:
        match = resolve(bare)
    except Resolver404:
        return ("",)
    told = (str(match.kwargs[key]) for key in ("kind", "deed", "size") if key in match.kwargs)
    return (match.view_name, *told, *re.findall(r"(?:^|&)((?:by|do)=\w*)", query))


def every_page(world: World) -> Iterator[tuple[str, str, str]]:
    """Who reads, where, and what is there: what who_may.py knows, and a few of each kind that pages lead to."""
    clients = {role: world.client(role) for role in (*world.users, "anonymous")}
    todo = list(dict.fromkeys(asked(world)))
    taken, counts = set(todo), defaultdict[tuple[str, ...], int](int)
    while todo:
        role, path = todo.pop(0)
        headers = {"Accept-Language": "de"} | ({"HX-Request": "true"} if "/actions/" in path else {})
        answer = clients[role].get(path, headers=headers)
        if "html" not in answer.headers.get("Content-Type", "") or answer.streaming:
            continue
        page = answer.content.decode()
        yield role, path, page
        for link in map(html.unescape, LINK.findall(page)):
            what, here = (role, *kind(link)), not link[1:].startswith((*OTHERS, "static/"))
            if here and role != "anonymous" and (role, link) not in taken and counts[what] < MOST_OF_A_KIND:
                counts[what] += 1
                taken.add((role, link))
                todo.append((role, link))


def every_answer(world: World) -> Iterator[tuple[str, str, str]]:
    """The same of what is said to a form that was sent without anything in it, or with nonsense."""
    for route, rows in TABLE.items():
        if route.startswith((*OTHERS, "language/", "theme/", "stay/")):
            continue
        for row in rows:
            for role in ("admin", "root", "anonymous"):
                one = Asked(route, row, role, "ours", "POST")
                if one.may:
                    client: Client = world.client(role)
                    for sent in ({}, row.inert):
                        answer = client.post(world.path(one), sent, headers={"Accept-Language": "de"}, follow=True)
                        if "html" in answer.headers.get("Content-Type", ""):
                            yield role, f"{world.path(one)} (sent)", answer.content.decode()


def test_every_word_of_every_page_can_be_translated(world: World) -> None:
    known, found = data(world), defaultdict[str, list[str]](list)
    with pseudo():
        for role, path, page in (*every_page(world), *every_answer(world)):
            for words in unmarked(page, known):
                found[words].append(f"{role} {path}")
    wrong = {words: places for words, places in found.items() if any(_held(place) for place in places)}
    told = [f"{words!r}: {len(places)} times, such as {places[0]}" for words, places in sorted(wrong.items())]
    assert not wrong, "\n".join(told)


def _held(place: str) -> bool:
    return not place.partition(" ")[2].startswith(NOT_YET)
