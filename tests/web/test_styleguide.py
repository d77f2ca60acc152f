import re

from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from drdash.failover.models import State
from drdash.web import wording


def test_each_component_is_shown_in_each_state_light_and_dark(fresh_process: None, settings: Settings) -> None:
    client = Client()
    client.force_login(User.objects.create_user("alice", password="alice"))
    assert client.get("/styleguide/").status_code == 404
    settings.DEBUG = True
    page = client.get("/styleguide/").content.decode()
    assert re.findall(r'<section data-theme="(\w+)"', page) == ["light", "dark"]
    for looks in (wording.SERVER_STATUS, wording.READINESS, wording.STATE, wording.CONSENT):
        assert all(page.count(f">{look.word}<") >= 2 for look in looks.values())
    for part in (
        "bar bad",
        "bar prod",
        "tile good",
        "empty",
        "badge simulator",
        "steps",
        "issues",
        "wish production",
        "glass",
    ):
        assert f'class="{part}' in page
    assert len(re.findall(r'id="action-row-\d+"', page)) == 2 * len(State)
    ids = re.findall(r' id="((?:server|site|action|health)-[^"]+)"', page)
    assert len(ids) == len(set(ids)), "what updates replace is there once"
    assert Client().get("/styleguide/").status_code == 302
