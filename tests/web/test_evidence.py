"""What is written down is English, whatever the language of whoever does it; the pages say it in the reader's."""

import json

from django.contrib.auth.models import User
from django.test import Client

from drdash.audit.models import Entry
from drdash.cloud.records import Server
from drdash.failover.models import Action, State
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Membership
from drdash.tenants.roles import Role
from tests.web.opening import opened

JAPANESE = {"Accept-Language": "ja"}


def recorded() -> str:
    """All that was written down of what was done."""
    actions = [[one.error, one.reasons, one.evidence, one.reply, one.body] for one in Action.objects.all()]
    entries = [[one.verb, one.detail, one.username] for one in Entry.objects.all()]
    return json.dumps([actions, entries], ensure_ascii=False)


def test_an_outcome_that_nobody_knows_is_recorded_in_english_and_read_in_japanese(
    bob: User, server: Server, simulator: Simulator
) -> None:
    simulator.fail("504", method="POST", path=":start_failover_test", after_effect=True)
    _, html, _ = opened(bob, server, **JAPANESE).send()
    action = Action.objects.get()
    assert (action.state, recorded().isascii()) == (State.UNKNOWN, True)
    assert action.error.startswith("Nobody can say whether the cloud took it: ")
    assert "クラウドが受理したかどうかは誰にも分かりません：" in html
    reader = Client(headers=JAPANESE)
    reader.force_login(bob)
    assert "クラウドが受理したかどうかは誰にも分かりません：" in reader.get(f"/actions/{action.pk}/").content.decode()
    assert reader.get(f"/api/v1/actions/{action.pk}/").json()["error"] == action.error


def test_a_refusal_is_recorded_in_english_and_told_in_japanese(bob: User, server: Server) -> None:
    dialog = opened(bob, server, **JAPANESE)
    Membership.objects.filter(user=bob).update(role=Role.VIEWER)
    _, html, _ = dialog.send()
    action = Action.objects.get()
    assert (action.state, recorded().isascii()) == (State.REFUSED, True)
    assert "Your role may look, not act." in recorded()
    assert "あなたのロールは閲覧のみです。" in html


def test_the_clouds_own_words_stay_as_they_came(bob: User, server: Server, simulator: Simulator) -> None:
    simulator.fail("403", method="POST", path=":start_failover_test")
    _, html, _ = opened(bob, server, **JAPANESE).send()
    assert "クラウドが拒否しました（403 " in html
    assert "This method is not allowed for this user account." in html
    assert recorded().isascii()


def test_what_djangos_admin_does_is_audited_in_english(bob: User) -> None:
    root = Client(headers=JAPANESE)
    root.force_login(User.objects.create_superuser("root", password="simulated-secret"))
    new = {"password1": "another long one 17", "password2": "another long one 17", "usable_password": "true"}
    root.post(f"/admin/auth/user/{bob.pk}/password/", new)
    root.post(f"/admin/auth/user/{bob.pk}/delete/", {"post": "yes"})
    assert [one.verb for one in Entry.objects.order_by("number")][-2:] == ["changed user", "deleted user"]
    assert recorded().isascii()
