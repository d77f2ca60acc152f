"""Many at once, on the pages: chosen in the list, seen before it is sent, confirmed once, followed, stopped."""

import re
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from drdash.audit.models import Entry
from drdash.failover import batches as domain
from drdash.failover import running
from drdash.failover.guard import Kind
from drdash.failover.models import Action, Batch, State
from drdash.failover.plan import plan_of, seal
from drdash.failover.preflight import preflight
from drdash.simulator.server import running as simulated
from drdash.simulator.simulation import Simulator
from drdash.tasks import one_pass
from drdash.tenants import access
from drdash.tenants.models import Membership, Tenant
from drdash.web.batchcards import batch_card, batch_heads, within
from tests.failover.batching import DEAD, confirmed, planned, posted, run
from tests.failover.test_preflight import named
from tests.stack import connected
from tests.web.test_points import have, hours_ago

FIVE = ("ams-crm-01", "ams-erp-01", "ams-git-01", "ams-git-02", "ber-web-01")

pytestmark = pytest.mark.usefixtures("polled")


class Person:
    """Someone who signed in with their password, which is their name, a moment ago."""

    def __init__(self, user: User) -> None:
        self.client = Client()
        assert self.client.post("/login/", {"username": user.username, "password": user.username}).status_code == 302

    def open(self, path: str, status: int = 200, *, part: str = "") -> str:
        answer = self.client.get(path, headers={"HX-Request": "true", "HX-Target": part} if part else {})
        assert answer.status_code == status, (path, answer.status_code)
        return answer.content.decode()

    def send(self, path: str, status: int = 302, **fields: Any) -> str:
        """The HTML of the answer, or where it leads."""
        answer = self.client.post(path, fields)
        assert answer.status_code == status, (path, answer.status_code, answer.content.decode()[:2000])
        return answer.headers.get("Location", "") or answer.content.decode()

    def choose(self, tenant: Tenant, *names: str, do: str = "start-tests", status: int = 200, **more: Any) -> str:
        """The pre-flight of these servers."""
        ticked = [server.uuid for _, server in named(tenant, *names)]
        return self.send("/batches/new/", status, **{"do": do, "server": ticked, "point": "latest", **more})

    def confirm(self, html: str, status: int = 302, **typed: Any) -> str:
        """Confirm a pre-flight as it stands, but for what is typed; with its end, where it is gone on with."""
        form = html[html.index('id="confirm"') :]
        fields: dict[str, Any] = dict(re.findall(r'name="(plan|place-[^"]*|per_minute)"[^>]*? value="([^"]*)"', form))
        fields["acknowledge"] = re.findall(r'name="acknowledge" value="([^"]*)"', form)
        return self.send("/batches/", status, **{**fields, "per_minute": "60", **typed})

    def leaves_it_for_long(self) -> "Person":
        """Their sign-in is no proof any more that it is still they."""
        session = self.client.session
        session["proven_at"] -= 400
        session.save()
        return self


def ended(pk: int) -> Batch:
    """The batch, once its thread has ended."""
    for thread in threading.enumerate():
        if thread.name == f"batch {pk}":
            thread.join(30)
    return Batch.objects.get(pk=pk)


def text(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_what_is_ticked_is_seen_before_it_is_sent_and_sent_once_it_is_confirmed(
    simulator: Simulator, tenant: Tenant, bob: User
) -> None:
    person = Person(bob)
    html = person.choose(tenant, "ber-git-01", "ams-file-01")
    assert tuple(re.findall(r"(?:Can go|Blocked) \d", text(html))) == ("Can go 1", "Blocked 1")
    assert "QuotaReachedComputePoints On 1: ber-git-01" in text(html)
    assert (simulator.posts, Batch.objects.count()) == ([], 0)
    to = person.confirm(html, status=302)
    batch = Batch.objects.get()
    assert to == f"/batches/{batch.pk}/"
    assert [item.action is not None for item in ended(batch.pk).items.all()][:1] == [True]
    assert posted(simulator) == ["ber-git-01"]
    html = person.open(to)
    assert re.findall(r'data-key="(g .)" aria-current', html) == ["g a"], "it is in one place of the menu"
    shown = text(html)
    assert "Accepted, not done yet" in shown
    assert "ams-file-01" in shown


def test_the_list_offers_what_the_person_may_do(tenant: Tenant, alice: User, bob: User, victor: User) -> None:
    offers = {
        user.username: re.findall(r'name="do" value="([a-z-]*)"', Person(user).open("/servers/"))
        for user in (alice, bob, victor)
    }
    tests = ["start-tests", "stop-tests"]
    assert offers == {"alice": [*tests, "start-production", "stop-production"], "bob": tests, "victor": []}
    assert 'id="pick-' not in Person(victor).open("/servers/")


def test_a_box_keeps_its_id_so_that_the_script_finds_what_was_ticked(tenant: Tenant, bob: User) -> None:
    row = Person(bob).open("/servers/?q=ber-web-01")
    assert re.search(r'<input type="checkbox" name="server" value="[^"]+" form="many" id="pick-[^"]+"', row)
    assert row.count('id="many"') == 1


def test_all_that_the_filter_finds_are_chosen_on_every_page(tenant: Tenant, bob: User) -> None:
    html = Person(bob).send("/batches/new/?q=ams-&page=7", 200, do="start-tests", which="all", point="latest")
    names = set(re.findall(r">(ams-[a-z]+-\d+)</a>", html))
    assert len(names) == 10  # the recovery servers among them
    assert "ams-hr-01" not in names


@pytest.mark.parametrize("do", ["start-production", "stop-production"])
def test_production_is_for_admins(tenant: Tenant, bob: User, victor: User, do: str) -> None:
    Person(bob).choose(tenant, "ber-web-01", do=do, status=403)
    Person(victor).choose(tenant, "ber-web-01", status=403)
    Person(bob).choose(tenant, "ber-web-01", do="reboot", status=404)


def test_production_takes_the_number_typed_and_the_password_however_fresh_the_sign_in(
    simulator: Simulator, tenant: Tenant, alice: User
) -> None:
    person = Person(alice)
    html = person.choose(tenant, *FIVE[:2], do="start-production")
    assert "The original machines must be off" in html
    for wrong in ({"count": "3", "password": "alice"}, {"password": "alice"}):
        assert "Type how many servers these are, 2, to confirm" in person.confirm(html, 422, **wrong)
    for wrong in ({"count": "2", "password": "bob"}, {"count": "2"}):
        assert "The password is not right, so nothing was sent" in person.confirm(html, 422, **wrong)
    assert (Batch.objects.count(), simulator.posts) == (0, [])
    person.confirm(html, count="2", password="alice", per_minute="60")
    batch = Batch.objects.get()
    assert batch.production
    stop(batch)
    ended(batch.pk)


def stop(batch: Batch) -> Batch:
    domain.stop(batch, by=batch.user, now=timezone.now())
    return batch


def test_a_second_admin_approves_a_production_batch_on_one_page_and_its_owner_goes_on(
    simulator: Simulator, tenant: Tenant, alice: User, bob: User
) -> None:
    dora = User.objects.create_user("dora", password="dora")
    Membership.objects.create(user=dora, tenant=tenant, role="admin")
    Tenant.objects.update(two_persons=True)
    owner, second = Person(alice), Person(dora)
    html = owner.choose(tenant, *FIVE[:2], do="start-production")
    assert "Another admin has to approve 2 of them first" in html
    why = "The main site burns."
    assert "Write why" in owner.confirm(html, 422, count="2", password="alice")
    to = owner.confirm(owner.choose(tenant, *FIVE[:2], do="start-production"), count="2", password="alice", why=why)
    page = owner.open(to)
    assert ("wait for a second admin" in page, "Go on" in page, "Look, and approve" in page) == (True, False, False)
    asked = f"{to}approval/"
    assert f'href="{asked}"' in second.open("/approvals/")
    assert f'href="{asked}"' in second.open("/servers/")
    assert "Nothing in this batch waits for your approval" in owner.open(asked)
    owner.send(asked, 403, deed="give")
    Person(bob).send(asked, 403, deed="give")
    shown = text(second.open(asked))
    assert why in shown
    assert shown.index(FIVE[0]) < shown.index(FIVE[1])
    assert "Type your password" in second.leaves_it_for_long().send(asked, 409, deed="give")
    assert simulator.posts == []
    assert second.send(asked, deed="give", password="dora") == to
    assert "Go on" in owner.open(to)
    owner.send(f"{to}go-on/")
    ended(Batch.objects.get().pk)
    assert posted(simulator) == list(FIVE[:2])


def test_a_batch_is_declined_with_words_and_sends_nothing(simulator: Simulator, tenant: Tenant, alice: User) -> None:
    dora = User.objects.create_user("dora", password="dora")
    Membership.objects.create(user=dora, tenant=tenant, role="admin")
    Tenant.objects.update(two_persons=True)
    owner, second = Person(alice), Person(dora)
    html = owner.choose(tenant, FIVE[0], do="start-production")
    to = owner.confirm(html, count="1", password="alice", why="The main site burns.")
    assert "Write why not" in second.send(f"{to}approval/", 409, deed="decline")
    second.send(f"{to}approval/", deed="decline", said="It does not burn.")
    owner.send(f"{to}go-on/")
    ended(Batch.objects.get().pk)
    assert "It was declined" in owner.open(to)
    assert simulator.posts == []


def test_an_old_sign_in_takes_the_password_for_tests_too(simulator: Simulator, tenant: Tenant, bob: User) -> None:
    person = Person(bob).leaves_it_for_long()
    html = person.choose(tenant, FIVE[0])
    assert 'type="password"' in html
    assert "The password is not right" in person.confirm(html, 422)
    assert not Batch.objects.exists()
    person.confirm(html, password="bob")
    ended(Batch.objects.get().pk)
    assert len(simulator.posts) == 1


def test_a_second_click_makes_no_second_batch(simulator: Simulator, tenant: Tenant, bob: User) -> None:
    person = Person(bob)
    html = person.choose(tenant, FIVE[0])
    assert person.confirm(html) == person.confirm(html)
    ended(Batch.objects.get().pk)
    assert len(simulator.posts) == 1


def test_what_is_typed_wrongly_is_told_and_nothing_is_made(tenant: Tenant, bob: User) -> None:
    person = Person(bob)
    html = person.choose(tenant, "ber-git-01")
    place = re.findall(r'name="(place-[^"]*)"', html)[0]
    wrongs: list[tuple[dict[str, Any], str]] = [
        ({"per_minute": "0"}, "The rate is 1 to 60 a minute"),
        ({"per_minute": "many"}, "a whole number"),
        ({place: ""}, "Every server needs a place"),
        ({place: "\u0663"}, "Every server needs a place"),
        ({"acknowledge": []}, "Acknowledge what stands against it"),
    ]
    for wrong, told in wrongs:
        assert told in person.confirm(html, 422, **wrong)
    assert person.confirm(html, plan="forged\0") == "/servers/"
    assert person.confirm(html, plan="") == "/servers/"
    assert not Batch.objects.exists()


def test_an_old_pre_flight_is_flown_anew(tenant: Tenant, bob: User) -> None:
    person = Person(bob)
    found = preflight(user=bob, chosen=named(tenant, FIVE[0]), kind=Kind.START_TEST, production=False, before=None)
    old = msgspec.structs.replace(plan_of(found, user=bob.pk), at=timezone.now() - timedelta(minutes=11))
    key = old.lines[0].server
    html = person.send("/batches/", 422, plan=seal(old), per_minute="10", **{f"place-{key}": "1"})
    assert "older than 10 minutes" in html
    person.confirm(html)
    ended(Batch.objects.get().pk)


def test_the_newest_point_before_a_time_is_asked_for_and_never_taken_for_the_latest(
    simulator: Simulator, tenant: Tenant, bob: User
) -> None:
    person = Person(bob)
    have(simulator, named(tenant, FIVE[0])[0][1], {"created": hours_ago(1)}, {"created": hours_ago(30)})
    have(simulator, named(tenant, FIVE[1])[0][1], {"created": hours_ago(1)})
    early = (datetime.now(UTC) - timedelta(hours=20)).strftime("%Y-%m-%dT%H:%M")
    html = person.choose(tenant, *FIVE[:2], point="before", before=early)
    assert "Can go 1" in text(html)
    assert "None of its recovery points was made before that time" in html
    person.confirm(html)
    batch = ended(Batch.objects.get().pk)
    assert batch.before is not None
    assert ['"backup_id":"B-2"' in post.body for post in simulator.posts] == [True]
    future = (datetime.now(UTC) + timedelta(hours=20)).strftime("%Y-%m-%dT%H:%M")
    for wrong in (
        {"point": "before"},
        {"point": ""},
        {"point": "before", "before": "x\0"},
        {"point": "before", "before": future},
    ):
        assert 'id="confirm"' not in person.choose(tenant, FIVE[0], status=422, **wrong)


def test_odd_choices_are_no_error(tenant: Tenant, bob: User) -> None:
    person = Person(bob)
    odds: tuple[dict[str, Any], ...] = ({}, {"server": "\0"}, {"server": "no-such"}, {"which": "all"})
    for odd in odds:
        path = "/batches/new/?q=no-such-server" if "which" in odd else "/batches/new/"
        assert person.send(path, do="start-tests", point="latest", **odd).startswith("/servers/")
    assert person.open("/batches/new/", 302) == ""


# ---- one batch


def test_only_its_owner_goes_on_and_who_has_the_right_stops(
    simulator: Simulator, tenant: Tenant, alice: User, bob: User, victor: User, charlie: User
) -> None:
    batch = confirmed(bob, planned(bob, tenant, *FIVE[:2]))
    path = f"/batches/{batch.pk}/"
    shown = {user.username: Person(user).open(path) for user in (alice, bob, victor)}
    assert {name: ("go-on/" in html, "stop/" in html) for name, html in shown.items()} == {
        "alice": (False, True),
        "bob": (True, True),
        "victor": (False, False),
    }
    for user in (alice, victor):
        Person(user).send(f"{path}go-on/")
        Person(user).send(f"{path}pause/")
    Person(victor).send(f"{path}stop/")
    batch.refresh_from_db()
    assert (batch.state, simulator.posts) == (Batch.State.PAUSED, [])
    stranger = Person(charlie)
    stranger.open(path, 404)
    for deed in ("go-on", "pause", "stop"):
        stranger.send(f"{path}{deed}/", 404)
    assert f"{path}" not in stranger.open("/batches/")
    Person(alice).send(f"{path}stop/")
    batch.refresh_from_db()
    assert (batch.state, batch.why) == (Batch.State.STOPPED, "Stopped by alice.")
    Person(bob).send(f"{path}go-on/")
    Person(bob).send(f"{path}burn/", 404)
    assert simulator.posts == []


def test_production_goes_on_with_the_password_when_the_sign_in_is_old(
    simulator: Simulator, tenant: Tenant, alice: User
) -> None:
    batch = confirmed(alice, planned(alice, tenant, FIVE[0], kind=Kind.START_PROD, production=True))
    person = Person(alice).leaves_it_for_long()
    assert 'type="password"' in person.open(f"/batches/{batch.pk}/")
    assert 'required aria-invalid="true" aria-describedby="wrong-password" autofocus>' in person.send(
        f"/batches/{batch.pk}/go-on/", 409, password="wrong"
    )
    batch.refresh_from_db()
    assert (batch.state, simulator.posts) == (Batch.State.PAUSED, [])
    person.send(f"/batches/{batch.pk}/go-on/", password="alice")
    assert ended(batch.pk).state == Batch.State.DONE


def test_after_a_restart_every_page_tells_its_owner_who_has_it_go_on(
    simulator: Simulator, tenant: Tenant, alice: User, bob: User
) -> None:
    batch = confirmed(bob, planned(bob, tenant, FIVE[0]))
    domain.go_on(batch, by=bob, runner=DEAD, now=timezone.now())
    assert "Stopped by a restart." in text(Person(bob).open("/sites/")).partition("goes on:")[2]
    assert "Stopped by a restart" not in text(Person(alice).open("/sites/"))
    assert "Stopped by a restart. 1 not sent." in text(Person(bob).open(f"/batches/{batch.pk}/"))
    Person(bob).send(f"/batches/{batch.pk}/go-on/")
    assert ended(batch.pk).state == Batch.State.DONE
    assert len(simulator.posts) == 1


def test_a_running_batch_is_asked_for_again_and_one_that_is_over_is_not(tenant: Tenant, bob: User) -> None:
    batch, person = confirmed(bob, planned(bob, tenant, *FIVE[:2])), Person(bob)
    path = f"/batches/{batch.pk}/"
    domain.go_on(batch, by=bob, runner=running.name(), now=timezone.now())
    part = person.open(path, part="batch")
    assert part.startswith('<div id="batch"')
    assert "every 2s" in part
    stop(batch)
    assert "every 2s" not in person.open(path)
    assert "Look again at the 2 that were not carried out" in text(person.open(path))


def test_the_list_counts_in_the_database_what_each_batchs_page_counts(tenant: Tenant, bob: User, victor: User) -> None:
    done, waits = (confirmed(bob, planned(bob, tenant, *FIVE[:3], "ams-file-01")) for _ in range(2))
    run(done)
    taken = confirmed(bob, planned(bob, tenant, *FIVE[3:]))
    stop(taken)
    live = confirmed(bob, planned(bob, tenant, *FIVE[3:]))
    runner = running.name()
    domain.go_on(live, by=bob, runner=runner, now=timezone.now())
    domain.take(live, runner=runner, now=timezone.now())
    of_all, now = list(within(access.reach(victor)).order_by("pk")), timezone.now()
    with CaptureQueriesContext(connection) as asked:
        heads = batch_heads(of_all, access.reach(victor), user=victor.pk, now=now)
    assert len(asked) <= 3
    for batch, head in zip(of_all, heads, strict=True):
        items = batch.items.select_related("tenant", "action")
        card = batch_card(batch, items, user=victor.pk, whole=True, now=now)
        assert msgspec.structs.replace(card, items=(), summary=()) == head
    assert [head.tried for head in heads] == [3, 0, 0, 0]
    assert [head.in_flight for head in heads] == [0, 0, 0, 1]
    assert waits.pk in {head.id for head in heads}


def test_what_another_action_went_over_is_not_called_closed_by_a_person(tenant: Tenant, bob: User) -> None:
    batch = run(confirmed(bob, planned(bob, tenant, *FIVE[:2])))
    first, second = Action.objects.order_by("pk")
    Action.objects.filter(pk=first.pk).update(state=State.CLOSED, superseded_by=second)
    shown = text(Person(bob).open(f"/batches/{batch.pk}/"))
    assert f"Superseded Action {second.pk} went over it." in shown
    assert "Closed by a person" not in shown


def test_what_is_of_another_tenant_is_neither_shown_nor_counted(
    tenant: Tenant, alice: User, bob: User, victor: User
) -> None:
    with simulated("quiet", seed=7) as elsewhere:
        other = connected(elsewhere, "Another customer", admin="alice")
        one_pass(other.pk, pause=lambda _seconds: None)
        chosen = [*named(other, "ber-web-01", "ber-mon-01"), *named(tenant, *FIVE[:2])]
        found = preflight(user=alice, chosen=chosen, kind=Kind.START_TEST, production=False, before=None)
        batch = confirmed(alice, plan_of(found, user=alice.pk), per_minute=7)
    path = f"/batches/{batch.pk}/"
    assert "0 of 4 had their turn" in text(Person(alice).open(path))
    for person in (Person(bob), Person(victor)):
        html = person.open(path)
        assert "0 of 2 had their turn" in text(html)
        assert "ber-mon-01" not in html
        assert "Another customer" not in html
        assert re.findall(r'data-label="Place" class="num">(\d+)', html) == ["1", "2"]
        assert "0 of 2" in text(person.open("/batches/"))
    Person(bob).send(f"{path}stop/")
    # For Bob it is over; for Alice the others wait as before.
    assert "Nothing left to send" in text(Person(bob).open(path))
    assert "stop/" not in Person(bob).open(path)
    assert "2 not sent yet" in text(Person(alice).open(path))
    Membership.objects.filter(user=alice, tenant=other).delete()
    assert "Nothing left to send" in text(Person(alice).open(path))
    audited = {entry.tenant: entry.detail for entry in Entry.objects.filter(verb="batch made")}
    assert all(" of 2; 2 not sent yet" in detail for detail in audited.values())
    assert len(audited) == 2


def test_every_page_of_batches_wants_a_sign_in_and_a_fitting_method(tenant: Tenant, bob: User) -> None:
    batch = confirmed(bob, planned(bob, tenant, FIVE[0]))
    for path in ("/batches/", "/batches/new/", f"/batches/{batch.pk}/", f"/batches/{batch.pk}/stop/"):
        assert Client().post(path).status_code == 302
        assert Person(bob).client.put(path).status_code == 405
    assert Person(bob).client.get(f"/batches/{batch.pk}/stop/").status_code == 405
    guarded = Client(enforce_csrf_checks=True)
    guarded.force_login(bob)
    assert guarded.post(f"/batches/{batch.pk}/stop/").status_code == 403
    assert guarded.post("/batches/new/", {"do": "start-tests"}).status_code == 403
    batch.refresh_from_db()
    assert batch.state == Batch.State.PAUSED
