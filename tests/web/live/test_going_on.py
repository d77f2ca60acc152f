"""A page's stream goes on from where the page was read: it says neither too little nor to fetch everything again."""

import html
import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client

from drdash.estate.replica import replica
from drdash.estate.store import store
from drdash.tenants.models import Membership
from drdash.tenants.roles import Role
from drdash.web.live import hub
from tests.conftest import free_port
from tests.web.live.conftest import SOON, Cast, Serve, Served, cookie, poll, signed_in

pytestmark = pytest.mark.django_db(transaction=True)


def stream_of(client: Client, path: str = "/servers/") -> str:
    """The query of the stream that a page opens."""
    found = re.search(r'sse-connect="([^"]+)"', client.get(path).content.decode())
    assert found
    return f"?{urlsplit(html.unescape(found[1])).query}"


@pytest.fixture
def served(serve: Serve, cast: Cast) -> Served:
    """This process's hub, which knows that a server was seen."""
    served = serve(hub)
    announced(served, cast, "Web")
    return served


def announced(served: Served, cast: Cast, name: str) -> None:
    """A pass that found the server by that name, and that the hub knows of."""
    bob = served.settled(cookie(cast.bob))
    poll(cast.acme, one=name)
    bob.caught_up()


def test_a_page_that_is_current_is_told_nothing(served: Served, cast: Cast) -> None:
    alice = signed_in(cast.alice)
    listener = served.follow(cookie(alice), stream_of(alice))
    assert listener.next("resync", "server-row-one", "estate-changed", "beat").name == "beat"
    poll(cast.acme, one="Web 2")
    assert "Web 2" in listener.next("resync", "server-row-one").data


def test_what_changes_between_the_page_and_its_stream_is_told(served: Served, cast: Cast) -> None:
    alice = signed_in(cast.alice)
    query = stream_of(alice)
    poll(cast.acme, one="Web 2")
    told = {event.name: event for event in served.follow(cookie(alice), query).everything()}
    assert "Web 2" in told["server-row-one"].data
    assert {"estate-changed", f"health-{cast.acme.pk}"} <= told.keys()
    assert "resync" not in told


def test_what_the_page_had_not_read_is_told_even_if_it_was_announced_before(
    served: Served, cast: Cast, settings: LazySettings
) -> None:
    alice = signed_in(cast.alice)
    here = settings.REDIS_URL
    alice.get("/servers/")
    announced(served, cast, "Web 2")
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    store.cache_clear()
    replica.cache_clear()
    query = stream_of(alice)
    settings.REDIS_URL = here
    store.cache_clear()
    replica.cache_clear()
    assert served.follow(cookie(alice), query).next("resync", "beat").name == "resync"


def test_an_id_from_the_stream_counts_more_than_the_pages_own(served: Served, cast: Cast) -> None:
    alice = signed_in(cast.alice)
    query = stream_of(alice)
    poll(cast.acme, one="Web 2")
    known = served.follow(cookie(alice), query).caught_up()
    again = served.follow(cookie(alice), query, last_id=known)
    assert again.next("resync", "server-row-one", "beat").name == "beat"


def other_role(cast: Cast) -> User:
    Membership.objects.filter(user=cast.alice).update(role=Role.VIEWER)
    return cast.alice


def other_tenants(cast: Cast) -> User:
    Membership.objects.create(user=cast.alice, tenant=cast.globex, role=Role.VIEWER)
    return cast.alice


@pytest.mark.parametrize("now", [other_role, other_tenants, lambda cast: cast.member("dora", cast.acme, Role.OPERATOR)])
def test_a_page_drawn_for_other_eyes_is_told_so(served: Served, cast: Cast, now: Callable[[Cast], User]) -> None:
    query = stream_of(signed_in(cast.alice))
    listener = served.follow(cookie(now(cast)), query)
    assert listener.next("resync", "server-row-one", "rights-changed", "beat").name == "rights-changed"
    assert listener.ended.wait(SOON)


def test_a_page_that_was_read_before_anything_was_announced_is_told_to_fetch(serve: Serve, cast: Cast) -> None:
    served, alice = serve(hub), signed_in(cast.alice)
    assert served.follow(cookie(alice), stream_of(alice)).next("resync", "beat").name == "resync"
