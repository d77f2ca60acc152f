"""300 hostile addresses, wherever one may come from: no request leaves for a host that is not the credential's."""

import json
import re
import time
from contextlib import suppress
from urllib.parse import quote

import pytest

from drdash.cloud.account import Account, BadAddress
from drdash.cloud.client import Client
from drdash.cloud.errors import CloudError
from drdash.cloud.wire import Unclear
from drdash.simulator.simulation import Simulator
from tests.hostile import Elsewhere, hrefs
from tests.outgoing import outgoing

REDIRECTS = (301, 302, 303, 307, 308)
SERVER = "1f100401-357b-4d04-a0c0-d1206c947473"


def client_of(cloud: str, simulator: Simulator) -> Client:
    account = Account(cloud=cloud, client_id=simulator.client_id, client_secret=simulator.client_secret)
    return Client(account, now=time.time, monotonic=time.monotonic)


def every(simulator: Simulator, elsewhere: Elsewhere) -> list[str]:
    own, evil = simulator.url, elsewhere.url
    found = dict.fromkeys(href for api in ("", "/api/dr/v2/servers") for href in hrefs(own, evil, api))
    return [href for href in found if href not in {own, f"{own}/"}]


@pytest.fixture
def hostile(simulator: Simulator, elsewhere: Elsewhere) -> list[str]:
    return every(simulator, elsewhere)


def test_there_are_300_of_them(hostile: list[str]) -> None:
    assert len(hostile) == len(set(hostile)) >= 300


def test_an_address_of_a_cloud_leads_there_and_nowhere_else_or_is_refused(
    hostile: list[str], simulator: Simulator
) -> None:
    taken = []
    for address in hostile:
        with outgoing() as went:
            try:
                client = client_of(address, simulator)
            except BadAddress:
                assert went == set(), address
                continue
            with suppress(CloudError):
                client.sites(deadline=2)
            client.close()
        taken.append((address, went))
    for address, went in taken:
        # What is taken is plain enough to be read by anyone: a scheme, a host, perhaps a port.
        plain = re.fullmatch(r"\s*(https?)://([a-z0-9.]+?|\[[0-9a-f:.]+\])\.?(?::(\d*))?/?[?#]?\s*", address.lower())
        assert plain is not None, address
        port = int(plain[3] or {"http": 80, "https": 443}[plain[1]])
        assert went == {f"{plain[2].strip('[]')}:{port}"}, address
    assert 0 < len(taken) < len(hostile) / 5


def test_no_redirect_is_followed_anywhere(hostile: list[str], simulator: Simulator, elsewhere: Elsewhere) -> None:
    client = client_of(simulator.url, simulator)
    client.ready()
    sendable = [one for one in hostile if one.isascii() and one.isprintable()]
    assert len(sendable) >= 250
    with outgoing() as went:
        for number, location in enumerate(sendable):
            status = REDIRECTS[number % len(REDIRECTS)]
            before = len(simulator.requests)
            simulator.fail("redirect", status=status, location=location)
            match number % 4:
                case 0:
                    with pytest.raises(CloudError):
                        client.servers(deadline=5)
                case 1:
                    with pytest.raises(CloudError):
                        client.sites(deadline=5)
                case 2:
                    with pytest.raises(CloudError):
                        client_of(simulator.url, simulator).sites(deadline=5)
                case _:
                    assert isinstance(client.stop_failover(SERVER).answer, Unclear)
            assert len(simulator.requests) == before + 1, location
    assert elsewhere.calls == 0
    assert {f"http://{one}" for one in went} == {simulator.url}


def test_a_cursor_that_is_an_address_is_only_ever_a_cursor(
    hostile: list[str], simulator: Simulator, elsewhere: Elsewhere
) -> None:
    client = client_of(simulator.url, simulator)
    client.ready()
    with outgoing() as went:
        for cursor in hostile:
            if "\ud800" in cursor:
                continue
            page = {"items": [], "paging": {"cursors": {"after": cursor}, "total": 1}}
            simulator.fail("answer", path="/sites", body=json.dumps(page))
            with pytest.raises(CloudError):
                client.sites(deadline=5)
            asked = simulator.requests[-1]
            assert (asked.path, asked.query) == (
                "/api/dr/v2/sites",
                f"after={quote(cursor, safe='')}".replace("%20", "+"),
            )
    assert elsewhere.calls == 0
    assert {f"http://{one}" for one in went} == {simulator.url}


def test_whoever_looks_sees_where_a_request_goes(simulator: Simulator) -> None:
    with outgoing() as went:
        client_of(simulator.url, simulator).ready()
    assert {f"http://{one}" for one in went} == {simulator.url}
