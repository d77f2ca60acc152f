"""A partner's token is exchanged for its customers', which end with it and share it."""

import msgspec
import pytest

from drdash.cloud import wire
from drdash.cloud.oauth import OwnHold, Token
from tests.cloud.conftest import NOW, RawCloud, reply
from tests.cloud.conftest import granted as granting
from tests.cloud.installations import CUSTOMER, OF_PARTNER, installed


def test_a_partners_token_is_exchanged_for_the_customers(cloud: RawCloud) -> None:
    at = installed(cloud, OF_PARTNER)
    at.gives("partners", life=1000)
    at.gives("customers", "again", life=100)
    process = at.process()

    assert process() == Token("customers", NOW + 90)
    own, exchange = cloud.token_requests
    assert own.headers["Authorization"].startswith("Basic ")
    assert exchange.headers["Authorization"] == "Bearer partners"
    assert at.forms == [
        {"grant_type": "client_credentials"},
        {
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "assertion": "partners",
            "scope": f"urn:acronis.com:tenant-id:{CUSTOMER}",
        },
    ]
    at.now += 90
    assert process().text == "again"
    assert len(at.forms) == 3
    assert [at.shelf.read(CUSTOMER.lower()), at.shelf.read("")] == [process(), Token("partners", NOW + 940)]


@pytest.mark.parametrize(
    ("own", "customers", "renew_at"),
    [(50, 1000, NOW + 45), (1000, 50, NOW + 45), (None, 50, NOW + 45), (50, None, NOW + 45), (None, None, None)],
)
def test_a_customers_token_ends_with_the_one_that_it_was_made_from(
    cloud: RawCloud, own: float | None, customers: float | None, renew_at: float | None
) -> None:
    at = installed(cloud, OF_PARTNER)
    cloud.tokens = [granting("p", expires_in=own), granting("c", expires_in=customers)]
    assert at.process()() == Token("c", renew_at)


def test_customers_of_a_partner_share_its_own_token(cloud: RawCloud) -> None:
    at = installed(cloud, OF_PARTNER)
    at.gives("partners", "a", "b")
    at.process()()
    at.account = msgspec.structs.replace(at.account, tenant="bbbb")
    at.process()()
    at.account = msgspec.structs.replace(at.account, tenant="")
    assert at.process()().text == "partners"
    assert [form["grant_type"][:6] for form in at.forms] == ["client", "urn:ie", "urn:ie"]


@pytest.mark.parametrize(
    "refusal",
    [
        reply(401),
        reply(401, b'{"error": "invalid_token"}'),
        reply(400, b'{"error": "invalid_token"}'),
        reply(400, b'{"error": "invalid_grant"}'),
    ],
)
def test_a_partners_token_that_is_no_longer_good_is_fetched_anew_once(cloud: RawCloud, refusal: bytes) -> None:
    at = installed(cloud, OF_PARTNER)
    process = at.process()
    cloud.tokens = [granting("p1"), refusal, granting("p2"), granting("c")]
    assert process().text == "c"
    assert [form.get("assertion") for form in at.forms] == [None, "p1", None, "p2"]

    cloud.tokens = [refusal, granting("p3"), refusal, granting("never")]
    with pytest.raises(wire.WrongCredential, match="partner's token"):
        process(instead_of=process())
    assert [form.get("assertion") for form in at.forms[4:]] == ["p2", None, "p3"]


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (reply(403, b'{"error": "access_denied"}'), r"for this customer's \(403 access_denied\)"),
        (reply(400, b'{"error": "invalid_scope"}'), r"for this customer's \(400 invalid_scope\)"),
        (reply(403), r"for this customer's \(403\)"),
        (reply(404), r"for this customer's \(404\)"),
        (reply(400, b'{"error": {"code": "x"}}'), r"for this customer's \(400\)"),
        (reply(400, b'{"error": "unauthorized_client"}'), r"does not exchange this client's token .* no partner's"),
        (reply(400, b'{"error": "unsupported_grant_type"}'), r"does not exchange this client's token .* no partner's"),
    ],
)
def test_a_customer_that_is_not_the_partners_costs_one_request(cloud: RawCloud, refusal: bytes, words: str) -> None:
    at = installed(cloud, OF_PARTNER)
    cloud.tokens = [granting("p1"), refusal]
    with pytest.raises(wire.WrongCredential, match=words):
        at.process()()
    assert len(at.forms) == 2


def test_a_429_for_one_customer_holds_back_no_other_and_not_the_partner(cloud: RawCloud) -> None:
    at = installed(cloud, OF_PARTNER)
    partner, one, other = (OwnHold(lambda: at.now) for _ in range(3))
    cloud.tokens = [granting("p"), reply(429, b"", "Retry-After: 50"), granting("others"), reply(429)]
    with pytest.raises(wire.TooManyRequests):
        at.process(hold=one, partner_hold=partner)()
    at.account = msgspec.structs.replace(at.account, tenant="other")
    assert at.process(hold=other, partner_hold=partner)().text == "others"
    with pytest.raises(wire.TooManyRequests):
        one.obey()

    at.shelf.forget("", Token("p", None))
    at.shelf.forget("other", Token("others", None))
    for hold in (other, OwnHold(lambda: at.now)):
        with pytest.raises(wire.TooManyRequests):
            at.process(hold=hold, partner_hold=partner)()
    other.obey()
    assert len(at.forms) == 4


@pytest.mark.parametrize("tenant", ["a b", "a\nb", "../x", "ä", "x" * 101, "a:b"])
def test_a_customer_whose_uuid_is_none_is_not_asked_for(cloud: RawCloud, tenant: str) -> None:
    at = installed(cloud, msgspec.structs.replace(OF_PARTNER, tenant=tenant))
    with pytest.raises(wire.NotSent, match="uuid"):
        at.process()()
    assert len(at.forms) <= 1
