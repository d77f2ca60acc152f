"""Screenshots of automated tests: fetched from the own cloud alone, served as pictures and nothing else."""

import base64
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from drdash.cloud.neighbours.screenshots import LARGEST, type_of
from drdash.cloud.records import Server
from drdash.simulator.answers import Response
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Tenant
from drdash.web import screenshots
from tests import hostile
from tests.hostile import Elsewhere
from tests.sizes import TORTURE
from tests.stack import Poll
from tests.web import seen

SHOTS = "/automatedTestFailover/screenshot"
PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 20
JPEG = b"\xff\xd8\xff\xe0" + b"x" * 20
WEBP = b"RIFF\x20\x00\x00\x00WEBPVP8 " + b"x" * 20
Answer = Any  # django.test's response has no type of its own


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    screenshots.kept.forget()
    yield
    screenshots.kept.forget()


@pytest.fixture
def tested(polled: Poll) -> Server:
    """A server whose last automated test succeeded."""
    servers = sorted(polled().servers.items())
    return next(one.record for _, one in servers if one.record.automated_test and one.record.automated_test.last_status)


@pytest.fixture
def answering(simulator: Simulator) -> Callable[..., None]:
    """Let the simulated cloud answer with any bytes where a screenshot is."""
    honest = simulator.respond

    def answer(body: bytes, content_type: str = "image/png") -> None:
        response = Response(200, body, (("Content-Type", content_type),))
        simulator.respond = lambda request: response if SHOTS in request.path else honest(request)  # type: ignore[method-assign]

    return answer


def get(user: User, server: Server, path: str = "", *, whole: bool = False) -> Answer:
    client = Client()
    client.force_login(user)
    headers = {} if whole else {"HX-Request": "true"}
    return client.get(f"/servers/{server.uuid}/screenshot/{path}", headers=headers)


def part(user: User, server: Server) -> str:
    answer = get(user, server)
    assert answer.status_code == 200
    return str(answer.content.decode())


def asked(simulator: Simulator) -> list[str]:
    return [one.query for one in simulator.requests if SHOTS in one.path]


def test_the_preview_stands_on_the_page_and_leads_to_the_whole(
    victor: User, tested: Server, simulator: Simulator
) -> None:
    html = part(victor, tested)
    assert f'<a href="/servers/{tested.uuid}/screenshot/">' in html
    assert f'src="/servers/{tested.uuid}/screenshot/preview/"' in html
    assert f'alt="The screen of {tested.name}' in html
    preview, full = get(victor, tested, "preview/"), get(victor, tested, "full/")
    assert [preview.status_code, full.status_code] == [200, 200]
    assert preview.content[:4] == full.content[:4] == b"\x89PNG"
    assert len(preview.content) < len(full.content)
    assert asked(simulator) == ["size=preview", "size=full"]


def test_a_picture_can_be_nothing_but_a_picture_and_is_kept_by_nobody(victor: User, tested: Server) -> None:
    headers = get(victor, tested, "preview/").headers
    assert headers["Content-Type"] == "image/png"
    assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "private, no-store"
    assert headers["Content-Disposition"] == 'inline; filename="screenshot.png"'


def test_many_who_look_cost_one_request(victor: User, bob: User, tested: Server, simulator: Simulator) -> None:
    for _ in range(5):
        part(victor, tested)
        get(bob, tested, "preview/")
    assert len(asked(simulator)) == 1


def test_the_next_test_has_a_picture_of_its_own(
    victor: User, tested: Server, simulator: Simulator, polled: Poll
) -> None:
    part(victor, tested)
    with simulator.lock:
        known = simulator.world.server(tested.uuid)
        assert known is not None
        known.recovery["automated_test_failover"]["last_task_uuid"] = "another"
        simulator.world.changed(known)
    polled()
    part(victor, tested)
    assert len(asked(simulator)) == 2


@pytest.mark.parametrize(("body", "kind"), [(PNG, "image/png"), (JPEG, "image/jpeg"), (WEBP, "image/webp")])
def test_its_bytes_tell_what_it_is(
    victor: User, tested: Server, answering: Callable[..., None], body: bytes, kind: str
) -> None:
    answering(body, "text/html")
    assert get(victor, tested, "preview/").headers["Content-Type"] == kind


NO_PICTURES = [
    b"",
    b"<html><script>alert(1)</script>",
    b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    b"GIF89a" + b"x" * 20,
    b"BM" + b"x" * 20,
    b"RIFF\x20\x00\x00\x00WAVE",
    b"%PDF-1.7",
    b" " + PNG,
    base64.b64encode(PNG),
    PNG[:7],
]


def test_what_is_no_picture_is_not_shown(victor: User, tested: Server, answering: Callable[..., None]) -> None:
    for body in NO_PICTURES:
        screenshots.kept.forget()
        answering(body)
        assert "no picture" in part(victor, tested), body
        answer = get(victor, tested, "preview/")
        assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/plain; charset=utf-8"), body
        assert type_of(body) is None


def test_a_picture_that_is_too_large_is_not_shown(victor: User, tested: Server, answering: Callable[..., None]) -> None:
    answering(PNG + bytes(LARGEST))
    assert "is larger than 5120 KiB" in part(victor, tested)


DEAD: list[tuple[Any, dict[str, Any], str]] = [
    ("403", {}, "does not show screenshots to this credential. The right to read disaster recovery would add them"),
    ("404", {}, "The cloud has nothing there, or hides screenshots from this credential."),
    ("500", {}, "Screenshots could not be read."),
    ("html", {}, "no picture"),
    ("redirect", {"location": "http://127.0.0.1:1/x.png"}, "redirect"),
    ("reset", {}, "was reset"),
    ("429", {"retry_after": 9}, "asks to wait for 9 s"),  # the last: nothing is asked after it
]


def test_a_dead_link_becomes_words(victor: User, tested: Server, simulator: Simulator) -> None:
    for number, (fault, how, words) in enumerate(DEAD, 1):
        screenshots.kept.forget()
        simulator.clear_faults()
        simulator.fail(fault, path=SHOTS, times=None, **how)
        html = part(victor, tested)
        assert words in html, fault
        assert "<img" not in html, fault
        assert get(victor, tested, "preview/").status_code == 404, fault
        assert len(asked(simulator)) == number, fault


def test_a_picture_on_another_host_is_a_link(
    victor: User, tenant: Tenant, simulator: Simulator, elsewhere: Elsewhere
) -> None:
    href = f"{elsewhere.url}/picture.png?size=full"
    server = _with(href)
    seen.publish(tenant.pk, server)
    html = part(victor, server)
    assert f'<a href="{href}" target="_blank" rel="noopener noreferrer">' in html
    assert "not on the cloud's own host" in html.replace("&#x27;", "'")
    assert "<img" not in html
    assert get(victor, server, "full/").status_code == 404
    assert elsewhere.calls == 0


def test_no_hostile_link_is_called(victor: User, tenant: Tenant, simulator: Simulator, elsewhere: Elsewhere) -> None:
    hrefs = hostile.hrefs(simulator.url, elsewhere.url, "/bc/api/dr/v1/servers/s/automatedTestFailover/screenshot")
    some = hrefs if TORTURE else hrefs[::4]  # the recovery points try them all each time
    servers = [_with(href, f"s-{n}") for n, href in enumerate(some) if "\ud800" not in href]
    seen.publish(tenant.pk, *servers)
    simulator.forget_requests()
    for server in servers:
        assert "<img" not in part(victor, server), server.automated_test
    assert len(hrefs) > 190
    assert elsewhere.calls == 0
    assert simulator.requests == []


def test_the_other_host_would_have_noticed(elsewhere: Elsewhere) -> None:
    with pytest.raises(OSError):
        urllib.request.urlopen(elsewhere.url, timeout=5)
    assert elsewhere.called()


def test_strangers_find_no_picture(victor: User, charlie: User, tested: Server, simulator: Simulator) -> None:
    part(victor, tested)  # it is kept now: that opens no door
    for path in ("", "preview/", "full/"):
        assert get(charlie, tested, path).status_code == 404
        assert Client().get(f"/servers/{tested.uuid}/screenshot/{path}").status_code == 302
    assert get(victor, tested, "huge/").status_code == 404
    assert len(asked(simulator)) == 1


def test_a_server_without_one_says_so(victor: User, tenant: Tenant) -> None:
    seen.publish(tenant.pk, seen.server("s-1"))
    assert "left no screenshot" in part(victor, seen.server("s-1"))


def test_without_a_script_it_is_a_page(victor: User, tested: Server) -> None:
    html = get(victor, tested, whole=True).content.decode()
    assert "<!doctype html>" in html
    assert f'src="/servers/{tested.uuid}/screenshot/full/"' in html


def test_the_servers_page_loads_it(victor: User, tested: Server) -> None:
    client = Client()
    client.force_login(victor)
    html = client.get(f"/servers/{tested.uuid}/").content.decode()
    assert f'hx-get="/servers/{tested.uuid}/screenshot/" hx-trigger="load"' in html


def test_the_pictures_that_are_kept_have_a_bound(victor: User, tested: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screenshots.kept, "_most", 300)
    for path in ("preview/", "full/"):
        get(victor, tested, path)
    assert len(screenshots.kept._answers) == 1


def _with(href: str, uuid: str = "s-1") -> Server:
    test = {"schedule": "DAILY", "last_status": "SUCCESS", "screenshot_link": href}
    return seen.server(uuid, recovery={"resource_id": "r", "automated_test_failover": test})
