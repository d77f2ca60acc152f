"""A partner's customers: who they are, and that each is read with a token of its own."""

import json
import time
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from drdash.cloud import wire
from drdash.cloud.account import Account, Grant
from drdash.cloud.client import Client
from drdash.cloud.oauth import Memory
from drdash.cloud.partner import Customer, Customers, customers
from drdash.simulator.server import running
from drdash.simulator.simulation import Simulator
from tests.cloud.conftest import RawCloud, reply

OWN = "11111111-0000-4000-8000-000000000001"


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with running("partner") as simulator:
        yield simulator


def partner(simulator: Simulator) -> Account:
    return Account(
        cloud=simulator.url,
        grant=Grant.JWT_BEARER,
        client_id=simulator.partner_id,
        client_secret=simulator.partner_secret,
    )


def item(uuid: object, name: object = "A", kind: object = "customer", enabled: object = True) -> dict[str, object]:
    return {"id": uuid, "name": name, "kind": kind, "enabled": enabled, "parent_id": OWN}


def page(*items: object, after: object = None) -> bytes:
    return reply(200, json.dumps({"items": items, "paging": {"cursors": {"after": after}}}).encode())


# At a cloud of the test


OURS = reply(200, json.dumps({"tenant_id": OWN.upper()}).encode())


def test_every_enabled_customer_of_every_page_is_listed_by_name(cloud: RawCloud, client: Client) -> None:
    cloud.answers = [
        OURS,
        page(item(OWN, kind="partner"), item("B-1", "bee"), item("off", enabled=False), after="x&1"),
        page(item("f", kind="folder"), item("a-1", "Ant"), item("c-1", 7), item("d-1", "\n"), after="y"),
        page(item("u", kind="unit"), item("e-1", "ant"), item("b-1", "Bee"), 7, "x", None),
    ]

    assert customers(client, deadline=10) == Customers(
        own=OWN,
        items=(
            Customer("a-1", "Ant"),
            Customer("e-1", "ant"),
            Customer("b-1", "Bee"),
            Customer("c-1", "c-1"),
            Customer("d-1", "d-1"),
        ),
    )
    assert [urlsplit(call.target).path for call in cloud.calls] == [
        "/api/2/clients/the-client",
        *["/api/2/tenants"] * 3,
    ]
    asked = [parse_qs(urlsplit(call.target).query) for call in cloud.calls[1:]]
    usual = {"subtree_root_id": [OWN], "lod": ["basic"]}
    assert asked == [usual, usual | {"after": ["x&1"]}, usual | {"after": ["y"]}]


def test_a_client_id_with_odd_characters_stays_one_part_of_the_path(cloud: RawCloud) -> None:
    account = Account(cloud=cloud.url, client_id="a/../b?c#d", client_secret="canary-secret")
    cloud.answers = [OURS, page()]
    with closing(Client(account, now=time.time, monotonic=time.monotonic)) as client:
        assert customers(client, deadline=10).items == ()
    assert cloud.calls[0].target == "/api/2/clients/a%2F..%2Fb%3Fc%23d"


@pytest.mark.parametrize(
    ("answers", "kind", "words"),
    [
        ([reply(403)], wire.Forbidden, "403"),
        ([reply(404)], wire.NotFound, "404"),
        ([reply(200, b"<html>")], wire.NotUnderstood, "HTML"),
        ([reply(200, b"[]")], wire.NotUnderstood, "whose API client"),
        ([reply(200, b'{"tenant_id": 7}')], wire.NotUnderstood, "whose API client"),
        ([reply(200, b'{"tenant_id": "a&b"}')], wire.NotUnderstood, "whose API client"),
        ([OURS, reply(403)], wire.Forbidden, "403"),
        ([OURS, reply(302, b"", "Location: /x")], wire.NotUnderstood, "redirect"),
        ([OURS, reply(200, b'{"items": {}}')], wire.NotUnderstood, "not a page of a list"),
        ([OURS, page(item("a b"))], wire.NotUnderstood, "no uuid"),
        ([OURS, page(item(None))], wire.NotUnderstood, "no uuid"),
        ([OURS, reply(200, b'{"items": [' + b"[" * 5000 + b"]" * 5000 + b"]}")], wire.NotUnderstood, "."),
        ([OURS, reply(200, b'{"items": [{"id": "a", "name": "\xff"}]}')], wire.NotUnderstood, "cannot be read"),
        ([OURS, page(after="x"), page(after="x")], wire.NotUnderstood, "circles"),
        ([OURS, *[page(after=str(number)) for number in range(501)]], wire.NotUnderstood, "more than 500 pages"),
        ([OURS, reply(500)], wire.ServerFault, "500"),
    ],
)
def test_a_list_that_cannot_be_read_is_an_error_and_never_fewer_customers(
    cloud: RawCloud, client: Client, answers: list[bytes], kind: type[Exception], words: str
) -> None:
    cloud.answers = [*answers]
    with pytest.raises(kind, match=words):
        customers(client, deadline=30)


# At the simulator


def test_each_customer_is_read_with_its_own_token_and_the_partner_has_none(simulator: Simulator) -> None:
    account, shelf = partner(simulator), Memory()

    def client(tenant: str = "") -> Client:
        own = msgspec.structs.replace(account, tenant=tenant)
        return Client(own, now=simulator.clock.now, monotonic=time.monotonic, shelf=shelf)

    with closing(client()) as itself:
        found = customers(itself, deadline=10)
        assert len(found.items) > 3
        with pytest.raises(wire.Forbidden, match="this credential lacks"):
            itself.sites()
    for one in found.items[:3]:
        with closing(client(one.uuid.upper())) as customer:
            tenants = {site.tenant_uuid.lower() for site in customer.sites().items}
            assert tenants <= {one.uuid}
            assert customer.scopes
            simulator.advance(7200)
            customer.servers()
    asked = [one.body for one in simulator.requests if one.path == "/api/2/idp/token"]
    assert asked.count("grant_type=client_credentials") == 1 + 3
    assert len(asked) == 4 + 2 * 3


def test_customers_come_and_go(simulator: Simulator) -> None:
    with closing(Client(partner(simulator), now=simulator.clock.now, monotonic=time.monotonic)) as client:
        before = customers(client, deadline=10)
        gone, disabled = before.items[0].uuid, before.items[1].uuid
        simulator.force_customer(gone, present=False)
        simulator.force_customer(disabled, enabled=False)
        new = simulator.add_customer("Ånew")
        after = customers(client, deadline=10)
    was, now = ({one.uuid for one in found.items} for found in (before, after))
    assert (was - now, now - was) == ({gone, disabled}, {new})


def test_a_customer_that_lets_no_partner_in_is_not_called_a_wrong_secret(simulator: Simulator) -> None:
    account = partner(simulator)
    with closing(Client(account, now=simulator.clock.now, monotonic=time.monotonic)) as client:
        uuid = customers(client, deadline=10).items[0].uuid
    simulator.force_customer(uuid, ancestral_access=False)
    own = msgspec.structs.replace(account, tenant=uuid)
    with (
        closing(Client(own, now=simulator.clock.now, monotonic=time.monotonic)) as client,
        pytest.raises(wire.WrongCredential, match="not exchange the partner's token for this customer's"),
    ):
        client.sites()
