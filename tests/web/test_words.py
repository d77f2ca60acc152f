"""Every page and part in a language that is none: what nobody marked to be translated stands out."""

import html
import logging
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import msgspec
import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import User
from django.urls import Resolver404, resolve
from django.utils import timezone

from drdash.cloud.records import Server, Site
from drdash.estate.store import store
from drdash.failover.models import Action, Approval, Batch, State
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Tenant
from tests.sizes import cases
from tests.stack import Poll
from tests.web.pseudo import Data, pseudo, unmarked
from tests.web.two_tenants import Asked, World, two_tenants
from tests.web.who_may import TABLE

LINK = re.compile(r'(?:href|action|hx-get|formaction)="([/?][^"]*)"')
# Whose words are their own: Django's, and programs'. And what is there for who builds it.
OTHERS = ("admin/", "api/", "healthz", "readyz", "styleguide/", "logout/", "language/", "theme/", "stay/")
GERMAN = {"Accept-Language": "de"}


@pytest.fixture
def world(
    simulator: Simulator, tenant: Tenant, polled: Poll, server: Server, alice: User, bob: User, victor: User
) -> World:
    world = two_tenants(simulator, tenant, server, {"admin": alice, "operator": bob, "viewer": victor})
    # What everyone is told of: broken glass, an approval that waits, a batch that was paused.
    Tenant.objects.filter(pk=tenant.pk).update(two_persons=True)
    Batch.objects.update(user=alice, why="The database could not be written.")
    asked = Approval.objects.get(tenant=tenant)
    asked.pk, asked.asked_by = None, bob
    asked.save()
    broken = Action.objects.get(tenant=tenant)
    broken.pk, broken.idempotency_key, broken.state, broken.glass = (
        None,
        "glass",
        State.FAILED,
        "It burns, and nobody came.",
    )
    broken.finished_at = timezone.now()
    broken.save()
    return world


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
    known = {"GiB", "MiB", "UTC", "https://", "127.0.0.1", world.simulator.url}
    known |= {name for _, name in settings.LANGUAGES}
    for tenant in Tenant.objects.all():
        estate = store().load(tenant.pk)
        servers = [seen.record for seen in estate.servers.values()]
        records: list[Server | Site] = [*servers, *(seen.record for seen in estate.sites.values())]
        for record in records:
            known |= {record.uuid[:8], *strings(msgspec.json.decode(record.json))}
        known |= {server.site_uuid[:8] for server in servers}
    for model in apps.get_models():
        for row in model._default_manager.values():
            known |= set(strings(list(row.values())))
    return Data(known, {"drdash", *(user.get_username() for user in world.users.values())})


def asked(world: World, method: str) -> Iterator[tuple[str, Asked]]:
    """Every address that somebody may read, or send to, by whoever may do most there; under torture by each."""
    for route, rows in TABLE.items():
        for row in rows:
            every = [Asked(route, row, role, "ours", method) for role in ("admin", "root", "anonymous")]
            may = [one for one in every if one.may]
            if not route.startswith(OTHERS):
                yield from ((world.path(one), one) for one in may[: cases(1, full=3)])


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
    """Who reads, where, and what is there: what who_may.py knows, and some of each kind that pages lead to."""
    clients = {role: world.client(role) for role in (*world.users, "anonymous")}
    todo = [(one.role, path) for path, one in asked(world, "GET")] + [("admin", "/nowhere/")]
    taken, counts = {path for _, path in todo}, Counter(kind(path) for _, path in todo)
    while todo:
        role, path = todo.pop(0)
        headers = GERMAN | ({"HX-Request": "true"} if "/actions/" in path else {})
        answer = clients[role].get(path, headers=headers)
        if "html" not in answer.headers.get("Content-Type", "") or answer.streaming:
            continue
        page = answer.content.decode()
        yield role, path, page
        for link in (urljoin(path, html.unescape(link)) for link in LINK.findall(page)):
            what, here = kind(link), not link[1:].startswith((*OTHERS, "static/"))
            if here and role != "anonymous" and link not in taken and counts[what] < cases(1, full=12):
                counts[what] += 1
                taken.add(link)
                todo.append((role, link))


def every_answer(world: World) -> Iterator[tuple[str, str, str]]:
    """The same of what is said to a form that was sent without anything in it, or with nonsense."""
    for path, one in asked(world, "POST"):
        for sent in [{}, one.row.inert][: cases(1, full=2)]:
            answer = world.client(one.role).post(path, sent, headers=GERMAN)
            if answer.status_code == 302 and one.role != "anonymous":
                answer = world.client(one.role).get(answer.headers["Location"], headers=GERMAN)
            if "html" in answer.headers.get("Content-Type", ""):
                yield one.role, f"{path} (sent)", answer.content.decode()


def test_every_word_of_every_page_can_be_translated(world: World) -> None:
    with pseudo():
        pages = [*every_page(world), *every_answer(world)]
    known, found = data(world), defaultdict[str, list[str]](list)
    for role, path, page in pages:
        for words in unmarked(page, known):
            found[words].append(f"{role} {path}")
    told = [f"{words!r}: {len(places)} times, such as {places[0]}" for words, places in sorted(found.items())]
    assert not told, "\n".join(told)
    assert len(pages) > 80
