"""300 hostile links from the cloud: drdash calls none of them, and no page has a browser follow one by itself."""

import os
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth.models import User
from django.test import Client

from drdash.simulator.simulation import Simulator
from drdash.web import screenshots
from tests.hostile import Elsewhere, hrefs
from tests.outgoing import outgoing
from tests.sizes import cases
from tests.stack import Poll

ACTS = ("START_FAILOVER_PROD", "START_FAILOVER_TEST", "STOP_FAILOVER")
RELS = [f"DR_CLOUD_SERVER_{what}" for what in ("PAGE", "RECOVERY_POINTS", "REMOTE_CONSOLE_PAGE", *ACTS)]
BESIDE = ("", "actions/start_failover_test/", "actions/stop_failover/", "recovery-points/", "screenshot/", "tasks/")
# What a browser follows by itself, or on a click with the session's cookies or a form's content.
CALLED = {"src", "srcset", "action", "formaction", "data", "poster", "background", "ping", "manifest", "cite",
          "hx-get", "hx-post", "hx-put", "hx-delete", "hx-patch", "sse-connect", "xlink:href"}  # fmt: skip


class Addresses(HTMLParser):
    """Where a page leads: ``called`` by the browser itself, and ``links`` for people, with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.called: list[str] = []
        self.links: list[dict[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        have = {name: value or "" for name, value in attrs}
        self.called += [value for name, value in have.items() if name in CALLED]
        if tag == "a" and "href" in have:
            self.links.append(have)
        elif "href" in have:
            self.called.append(have["href"])


def test_no_hostile_link_is_called_by_us_or_by_the_browser_itself(
    simulator: Simulator, polled: Poll, alice: User, elsewhere: Elsewhere
) -> None:
    links = hostile(simulator, elsewhere)
    assert len(links) >= 300
    waiting = links[: cases(60, full=len(links))]
    servers = sorted(key for key, seen in polled().servers.items() if seen.record.automated_test)[:10]
    client = Client()
    client.force_login(alice)
    simulator.forget_requests()
    shown = 0
    with outgoing() as went:
        while waiting:
            for key in servers:
                now, waiting = waiting[:8], waiting[8:]
                give(simulator, key, now + links[: 8 - len(now)])
            assert polled().health.error is None
            screenshots.kept.forget()
            shown += sum(leads_out(client, f"/servers/{key}/{room}") for key in servers for room in BESIDE)
        # An action goes to the configured address, whatever its link says.
        sent = [key for key in servers if act(client, key).get("sent_at")]
    assert went == {urlsplit(simulator.url).netloc, urlsplit(os.environ["REDIS_URL"]).netloc}
    assert elsewhere.calls == 0
    assert {one.path.split("/")[2] for one in simulator.requests} <= {"dr", "2", "task_manager"}
    assert [one.path for one in simulator.posts] == [f"/api/dr/v2/servers/{key}:start_failover_test" for key in sent]
    assert sent
    assert shown


def hostile(simulator: Simulator, elsewhere: Elsewhere) -> list[str]:
    """Mixed, so that the first few are of all kinds. One that no JSON can hold makes the whole answer unreadable."""
    made = [one for api in ("/api/x", "") for one in hrefs(simulator.url, elsewhere.url, api) if "\ud800" not in one]
    return [one for step in range(7) for one in list(dict.fromkeys(made))[step::7]]


def give(simulator: Simulator, key: str, links: list[str]) -> None:
    """Let the cloud say these of a server: six links, and two where screenshots of its automated test are."""
    document = simulator.world.document(simulator.world.servers[key])
    shots = {"screenshot_link": links[6], "screenshot_preview_link": links[7]}
    tested = {"schedule": "DAILY", "last_status": "SUCCESS", "last_start": "2018-11-13T20:20:39+00:00", **shots}
    given = [{"rel": rel, "type": "text/html", "href": href} for rel, href in zip(RELS, links, strict=False)]
    recovery = {**document["recovery"], "automated_test_failover": tested}
    simulator.force_server(key, set={"_links": given, "recovery": recovery})


def leads_out(client: Client, path: str) -> int:
    """How many of a page's links lead to other hosts."""
    answer = client.get(path)
    assert answer.status_code == 200, path
    found = Addresses(answer.content.decode())
    assert_own(found)
    return sum(link["href"].startswith("http") for link in found.links)


def act(client: Client, key: str) -> Any:
    wish = {"action": "start_failover_test", "idempotency_key": f"k-{key}"}
    return client.post(f"/api/v1/servers/{key}/actions/", wish, "application/json").json()


def assert_own(found: Addresses) -> None:
    for address in found.called:
        parts = urlsplit(address)
        assert (parts.scheme, parts.netloc) == ("", ""), address
        assert "\\" not in address, address
    for link in found.links:
        parts = urlsplit(link["href"])
        if parts.scheme or parts.netloc:
            assert parts.scheme in {"http", "https"}, link
            assert {"noopener", "noreferrer"} <= set(link["rel"].split()), link
