"""Who is let in, and when a stream ends."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client

from drdash.tenants.models import Membership, Tenant
from drdash.tenants.roles import Role
from tests.web.live.conftest import SOON, Cast, Listener, Serve, cookie, poll, signed_in

pytestmark = pytest.mark.django_db(transaction=True)


def test_nobody_signed_in_is_refused(serve: Serve, cast: Cast) -> None:
    served = serve()
    assert served.listen("").status == 401
    assert served.listen("nonsense").status == 401
    signed_out = signed_in(cast.alice)
    old = cookie(signed_out)
    signed_out.logout()
    assert served.listen(old).status == 401


def test_a_session_from_before_a_new_password_is_refused(serve: Serve, cast: Cast) -> None:
    served, session = serve(), cookie(cast.alice)
    cast.alice.set_password("another password")
    cast.alice.save()
    assert served.listen(session).status == 401


def test_what_the_hub_does_not_serve_is_refused(serve: Serve, cast: Cast) -> None:
    served, session = serve(), cookie(cast.alice)
    assert served.listen(session, "everything").status == 400
    for method in ("POST", "HEAD", "PUT"):
        listener = Listener(served.port, session, method=method)
        assert (listener.status, listener.headers["allow"]) == (405, "GET")
        listener.close()


@pytest.mark.parametrize(
    "change",
    [
        lambda cast, client: client.logout(),
        lambda cast, client: User.objects.filter(pk=cast.alice.pk).update(is_active=False),
        lambda cast, client: User.objects.filter(pk=cast.alice.pk).update(password="changed"),
        lambda cast, client: Membership.objects.filter(user=cast.alice).update(role=Role.VIEWER),
        lambda cast, client: Membership.objects.filter(user=cast.alice).delete(),
        lambda cast, client: Membership.objects.create(user=cast.alice, tenant=cast.globex, role=Role.VIEWER),
        lambda cast, client: Tenant.objects.filter(pk=cast.acme.pk).update(enabled=False),
        lambda cast, client: client.session.flush(),
    ],
    ids=["logout", "disabled", "password", "role", "left", "joined", "tenant off", "session gone"],
)
def test_a_change_of_rights_ends_the_stream(serve: Serve, cast: Cast, change: Callable[[Cast, Client], object]) -> None:
    served, client = serve(), signed_in(cast.alice)
    listener = served.settled(cookie(client), "server-row-*")
    bob = served.settled(cookie(cast.bob))
    change(cast, client)
    assert listener.next("rights-changed", within=5.0)
    assert listener.ended.wait(SOON)
    assert not listener.rest()
    if Tenant.objects.get(pk=cast.acme.pk).enabled:
        poll(cast.acme, one="Web")
        assert bob.next("estate-changed")


def test_the_look_at_everyones_rights_takes_the_same_few_queries_for_all(
    cast: Cast, django_assert_num_queries: Callable[[int], object]
) -> None:
    from drdash.web import sessions

    people = [cast.member(f"p{number}", cast.acme, Role.VIEWER) for number in range(30)]
    watchers = [sessions.watcher(f"a=b; drdash_session={cookie(person)}") for person in people]
    with django_assert_num_queries(3):  # type: ignore[attr-defined]
        assert sessions.lapsed([one for one in watchers if one]) == set()


def test_streams_end_by_themselves_after_their_life(serve: Serve, cast: Cast) -> None:
    listener = serve(life=0.2).listen(cookie(cast.alice))
    assert listener.ended.wait(SOON)
    assert "rights-changed" not in [event.name for event in listener.rest()]


def test_one_stream_too_many_ends_the_users_oldest(serve: Serve, cast: Cast) -> None:
    served, session = serve(per_user=2), cookie(cast.alice)
    bob = served.settled(cookie(cast.bob))
    first, second, third = (served.settled(session) for _ in range(3))
    assert first.ended.wait(SOON)
    poll(cast.acme, one="Web")
    for listener in (bob, second, third):
        listener.next("estate-changed")


def test_more_streams_than_it_takes_are_sent_away(serve: Serve, cast: Cast) -> None:
    served = serve(overall=1)
    served.settled(cookie(cast.alice))
    refused = served.listen(cookie(cast.bob))
    assert (refused.status, refused.headers["retry-after"]) == (503, "10")
