"""What is sent for a token by each grant, and each way in which it is refused."""

import json
import time
from base64 import urlsafe_b64encode
from contextlib import closing
from typing import Any
from urllib.parse import quote_plus

import msgspec
import pytest

from drdash.cloud import grants, wire
from drdash.cloud.account import Account, Grant
from drdash.cloud.client import Client
from drdash.cloud.errors import CloudError, SignInAgain
from drdash.cloud.grants import Form, Token, granted
from drdash.cloud.oauth import OwnHold, ask
from drdash.cloud.transport import Deadline
from drdash.simulator.server import running
from tests.cloud.conftest import SECRET, TOKEN, RawCloud

NOW = 1_700_000_000.0
TENANT = "9ca5aa60-4cdc-491c-94d5-23b747f7f914"
JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
CLIENT = Account(cloud="https://cloud.example", client_id="the-client", client_secret=SECRET)
USER = Account(cloud="https://cloud.example", grant=Grant.PASSWORD, username="ann", password="canary-secret pass")
SIGNED_IN = msgspec.structs.replace(CLIENT, grant=Grant.AUTHORIZATION_CODE)
PUBLIC = msgspec.structs.replace(SIGNED_IN, client_secret="")
ASSERTED = Account(cloud="https://cloud.example", grant=Grant.JWT_BEARER, assertion="canary-secret.assert.ion")
BOTH = msgspec.structs.replace(ASSERTED, client_id="the-client", client_secret=SECRET, tenant=TENANT)
PARTNER = msgspec.structs.replace(CLIENT, grant=Grant.JWT_BEARER)
OF_PARTNER = msgspec.structs.replace(PARTNER, tenant=TENANT)

REFRESH = grants.refresh(SIGNED_IN, "canary-token-refresh")
CODE = grants.code(SIGNED_IN, code="canary-secret-code", verifier="canary-secret-verifier", redirect_uri="http://x/")
EXCHANGE = grants.exchange(OF_PARTNER, Token("canary-token-partner", None))


def grant(account: Account, form: Form, status: int = 200, **answer: Any) -> Token:
    return granted(status, {}, json.dumps(answer).encode(), now=NOW, account=account, form=form)


# What is sent


@pytest.mark.parametrize(
    ("account", "form", "fields", "authorization"),
    [
        (CLIENT, grants.first(CLIENT), {"grant_type": "client_credentials"}, "Basic"),
        (PARTNER, grants.first(PARTNER), {"grant_type": "client_credentials"}, "Basic"),
        (OF_PARTNER, grants.first(OF_PARTNER), {"grant_type": "client_credentials"}, "Basic"),
        (ASSERTED, grants.first(ASSERTED), {"grant_type": JWT, "assertion": ASSERTED.assertion}, None),
        (BOTH, grants.first(BOTH),
         {"grant_type": JWT, "assertion": BOTH.assertion, "scope": f"urn:acronis.com:tenant-id:{TENANT}"}, "Basic"),
        (OF_PARTNER, EXCHANGE,
         {"grant_type": JWT, "assertion": "canary-token-partner", "scope": f"urn:acronis.com:tenant-id:{TENANT}"},
         "Bearer"),
        (SIGNED_IN, REFRESH, {"grant_type": "refresh_token", "refresh_token": "canary-token-refresh"}, "Basic"),
        (PUBLIC, grants.refresh(PUBLIC, "canary-token-refresh"),
         {"grant_type": "refresh_token", "refresh_token": "canary-token-refresh", "client_id": "the-client"}, None),
        (SIGNED_IN, CODE,
         {"grant_type": "authorization_code", "code": "canary-secret-code", "code_verifier": "canary-secret-verifier",
          "redirect_uri": "http://x/"}, "Basic"),
        (PUBLIC, grants.code(PUBLIC, code="c", verifier="v", redirect_uri="http://x/"),
         {"grant_type": "authorization_code", "code": "c", "code_verifier": "v", "redirect_uri": "http://x/",
          "client_id": "the-client"}, None),
    ],
)  # fmt: skip
def test_each_grant_shows_what_it_has(
    cloud: RawCloud, account: Account, form: Form, fields: dict[str, str], authorization: str | None
) -> None:
    account = msgspec.structs.replace(account, cloud=cloud.url)
    with Deadline(10, time.monotonic) as until:
        assert ask(account, form, hold=OwnHold(time.monotonic), now=time.time, deadline=until).text == TOKEN

    (request,) = cloud.requests
    sent = dict(part.split("=", 1) for part in request.body.decode().split("&"))
    assert sent == {name: quote_plus(value) for name, value in fields.items()}
    assert (request.headers.get("Authorization") or "").partition(" ")[0] == (authorization or "")


def test_nothing_that_is_secret_shows_in_a_form() -> None:
    shown = f"{CODE!r} {EXCHANGE} {[REFRESH]} {BOTH!r} {[grants.first(BOTH)]}"
    assert "canary" not in shown
    assert TENANT in shown


# What comes back


@pytest.mark.parametrize(
    ("told", "scopes"),
    [
        (None, None),
        (7, None),
        ("", ()),
        ("dr_service::admin", ("dr_service::admin",)),
        (" a  b ", ("a", "b")),
        (["a", 7, "b c", "\u00fc", ""], ("a",)),
        ({"a": 1}, None),
        (" ".join(map(str, range(60))), tuple(map(str, range(50)))),
        ("x" * 201 + " " + "y" * 200, ("y" * 200,)),
    ],
)
def test_a_token_tells_its_scopes_where_the_cloud_does(told: object, scopes: tuple[str, ...] | None) -> None:
    more: dict[str, Any] = {} if told is None else {"scope": told}
    token = grant(CLIENT, grants.first(CLIENT), access_token="t0k", **more)
    assert token.scopes == scopes


@pytest.mark.parametrize("life", [0, -1, -3600])
def test_a_token_that_ended_before_it_came_is_used_until_it_is_refused(life: int) -> None:
    ends: list[dict[str, Any]] = [{"expires_in": life}, {"expires_on": NOW + life}]
    for end in ends:
        assert grant(CLIENT, grants.first(CLIENT), access_token="t0k", **end) == Token("t0k", None)


@pytest.mark.parametrize(
    ("account", "form", "told", "kept"),
    [
        (CLIENT, grants.first(CLIENT), "new", None),
        (OF_PARTNER, EXCHANGE, "new", None),
        (USER, grants.first(USER), "new", "new"),
        (USER, grants.first(USER), None, None),
        (ASSERTED, grants.first(ASSERTED), "new", "new"),
        (SIGNED_IN, CODE, "new", "new"),
        (SIGNED_IN, REFRESH, "new", "new"),
        (SIGNED_IN, REFRESH, None, "canary-token-refresh"),
        (SIGNED_IN, REFRESH, "", "canary-token-refresh"),
        (SIGNED_IN, REFRESH, "a\nb", "canary-token-refresh"),
    ],
)
def test_what_renews_a_token_is_kept_where_it_is_of_use(
    account: Account, form: Form, told: str | None, kept: str | None
) -> None:
    assert grant(account, form, access_token="t0k", refresh_token=told).refresh == kept


# How it is refused

WRONG_CLIENT = "The client id or its secret is wrong ({})."
NO_TOKEN = "The cloud gives no access token to this client ({})."
NO_PASSWORDS = "The cloud gives no access token for a password ({}): make an API client there and use its secret."
OVER = "The cloud no longer accepts the sign-in ({}): sign in there again."
CODE_OVER = "The cloud does not accept this sign-in ({}): it is over. Sign in again."
NO_CODES = "The cloud lets nobody sign in for this client ({}): have it allow authorization_code to it."
NO_ASSERTIONS = "The cloud gives no access token for an assertion ({}): make an API client there instead."
WRONG_ASSERTION = "The cloud does not accept the assertion ({}): make a new one, signed for this cloud."
WANTS_CLIENT = "The cloud wants an API client beside the user ({}): give its id and its secret as well."
NO_PARTNER = "The cloud does not exchange this client's token for a customer's ({}): it is no partner's."
PARTNERS_OVER = "The cloud does not accept the partner's token in exchange for a customer's ({})."
NO_CUSTOMER = (
    "The cloud does not exchange the partner's token for this customer's ({}): the customer left the partner, or does "
    "not allow it access."
)
WITH_CLIENT = msgspec.structs.replace(USER, client_id="the-client", client_secret=SECRET)
SENTENCES = [
    (CLIENT, grants.first(CLIENT), 400, "invalid_scope",
     "The cloud has nothing that this client may do ({}): give the client a role there."),
    (CLIENT, grants.first(CLIENT), 401, "", WRONG_CLIENT),
    (CLIENT, grants.first(CLIENT), 400, "unauthorized_client", NO_TOKEN),
    (PARTNER, grants.first(PARTNER), 401, "invalid_client", WRONG_CLIENT),
    (USER, grants.first(USER), 400, "invalid_scope",
     "The cloud has nothing that this user may do ({}): give the user a role there."),
    (USER, grants.first(USER), 400, "unauthorized_client", NO_PASSWORDS),
    (USER, grants.first(USER), 400, "unsupported_grant_type", NO_PASSWORDS),
    (USER, grants.first(USER), 400, "invalid_grant", "The username or the password is wrong ({})."),
    (USER, grants.first(USER), 403, "access_denied", "The cloud gives no access token to this user ({})."),
    (USER, grants.first(USER), 401, "invalid_client", WANTS_CLIENT),
    (WITH_CLIENT, grants.first(WITH_CLIENT), 401, "",
     "The username or the password is wrong, or the client id or its secret ({})."),
    (SIGNED_IN, REFRESH, 400, "invalid_grant", OVER),
    (SIGNED_IN, REFRESH, 401, "", OVER),
    (SIGNED_IN, REFRESH, 401, "invalid_client", WRONG_CLIENT),
    (SIGNED_IN, REFRESH, 400, "unauthorized_client", NO_TOKEN),
    (SIGNED_IN, CODE, 400, "invalid_grant", CODE_OVER),
    (SIGNED_IN, CODE, 401, "", CODE_OVER),
    (SIGNED_IN, CODE, 401, "invalid_client", WRONG_CLIENT),
    (SIGNED_IN, CODE, 400, "unauthorized_client", NO_CODES),
    (SIGNED_IN, CODE, 400, "unsupported_grant_type", NO_CODES),
    (SIGNED_IN, CODE, 400, "invalid_scope",
     "The cloud does not let this client stay signed in ({}): have it allow offline_access to it."),
    (SIGNED_IN, CODE, 400, "invalid_request", NO_TOKEN),
    (ASSERTED, grants.first(ASSERTED), 400, "invalid_grant", WRONG_ASSERTION),
    (ASSERTED, grants.first(ASSERTED), 401, "", WRONG_ASSERTION),
    (ASSERTED, grants.first(ASSERTED), 401, "invalid_client", WANTS_CLIENT),
    (BOTH, grants.first(BOTH), 401, "",
     "The cloud does not accept the assertion, or the client id or its secret ({})."),
    (BOTH, grants.first(BOTH), 401, "invalid_client", WRONG_CLIENT),
    (BOTH, grants.first(BOTH), 400, "invalid_scope",
     "The assertion does not reach this tenant ({}): give one of a user who may see it."),
    (BOTH, grants.first(BOTH), 400, "unsupported_grant_type", NO_ASSERTIONS),
    (BOTH, grants.first(BOTH), 400, "access_denied", NO_TOKEN),
    (OF_PARTNER, EXCHANGE, 401, "invalid_client", PARTNERS_OVER),
    (OF_PARTNER, EXCHANGE, 401, "", PARTNERS_OVER),
    (OF_PARTNER, EXCHANGE, 400, "unauthorized_client", NO_PARTNER),
    (OF_PARTNER, EXCHANGE, 400, "invalid_scope", NO_CUSTOMER),
    (OF_PARTNER, EXCHANGE, 400, "", NO_CUSTOMER),
    (OF_PARTNER, EXCHANGE, 403, "", NO_CUSTOMER),
    (OF_PARTNER, EXCHANGE, 404, "", NO_CUSTOMER),
]  # fmt: skip


@pytest.mark.parametrize(("account", "form", "status", "code", "sentence"), SENTENCES)
def test_each_way_to_be_wrong_has_its_sentence(
    account: Account, form: Form, status: int, code: str, sentence: str
) -> None:
    with pytest.raises(wire.WrongCredential) as caught:
        grant(account, form, status, **({"error": code} if code else {}))
    told = f"{status} {code}".strip()
    assert str(caught.value) == sentence.format(told)
    assert (caught.value.status, caught.value.code) == (status, code)
    assert isinstance(caught.value, SignInAgain) is (sentence in {OVER, CODE_OVER})


@pytest.mark.parametrize(
    ("claims", "over"),
    [
        ({"exp": NOW}, True),
        ({"exp": str(int(NOW) - 9)}, True),
        ({"exp": NOW + 1}, False),
        ({"exp": "soon"}, False),
        ({}, False),
        ([], False),
    ],
)
def test_an_assertion_whose_time_is_over_is_told_from_a_wrong_one(claims: object, over: bool) -> None:
    payload = urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    for assertion, told in (
        (f"a.{payload}.c", over),
        (f"a.{payload}", False),
        ("a.\u00fc.c", False),
        ("a.W1s.c", False),
    ):
        account = msgspec.structs.replace(ASSERTED, assertion=assertion)
        with pytest.raises(wire.WrongCredential) as caught:
            grant(account, grants.first(account), 400, error="invalid_grant")
        over_said = "The time of the assertion is over (400 invalid_grant): make a new one."
        assert str(caught.value) == (over_said if told else WRONG_ASSERTION.format("400 invalid_grant"))


@pytest.mark.parametrize(("account", "form"), [(CLIENT, grants.first(CLIENT)), (SIGNED_IN, CODE), (SIGNED_IN, REFRESH)])
@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, wire.BadRequest), (403, wire.Forbidden), (404, wire.NotUnderstood), (405, wire.NotUnderstood)],
)
def test_what_oauth_has_no_word_for_is_named_as_for_any_request(
    account: Account, form: Form, status: int, kind: type[CloudError]
) -> None:
    with pytest.raises(kind):
        grant(account, form, status)


@pytest.mark.parametrize(
    ("account", "form"), [(SIGNED_IN, CODE), (SIGNED_IN, REFRESH), (BOTH, grants.first(BOTH)), (OF_PARTNER, EXCHANGE)]
)
def test_a_cloud_that_repeats_what_was_shown_is_not_quoted(account: Account, form: Form) -> None:
    for secret in [value for value in form.fields.values() if "canary" in value]:
        for said in (secret, quote_plus(secret), f"bad: {secret}!"):
            with pytest.raises(wire.ServerFault) as caught:
                grant(account, form, 500, error={"code": "Odd", "debug": {"msg": said}})
            assert str(caught.value) == "The cloud failed (500)."
    with pytest.raises(wire.ServerFault, match="Odd: harmless"):
        grant(account, form, 500, error={"code": "Odd", "debug": {"msg": "harmless"}})


SECOND_FACTOR = (
    "The cloud wants a second factor (a TOTP code) of this user, and drdash cannot use an account with two-factor "
    "sign-in: make an API client there, and connect with the grant client_credentials."
)
OTHER_SENTENCES: list[tuple[Account, Form, int, dict[str, Any], str]] = [
    (CLIENT, grants.first(CLIENT), 200, {},
     "This is not a DR cloud: its token endpoint answered without an access token."),
    (CLIENT, grants.first(CLIENT), 200, {"access_token": "\u00fc"},
     "The cloud gave an access token of a kind that its reference does not know."),
    (CLIENT, grants.first(CLIENT), 404, {}, "This is not a DR cloud: its token endpoint answered 404."),
    (USER, grants.first(USER), 403, {"error": "totp_required"},
     SECOND_FACTOR),
]  # fmt: skip


@pytest.mark.parametrize(("account", "form", "status", "answer", "sentence"), OTHER_SENTENCES)
def test_what_is_wrong_with_the_cloud_or_the_user_is_said_in_full(
    account: Account, form: Form, status: int, answer: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(CloudError) as caught:
        grant(account, form, status, **answer)
    assert str(caught.value) == sentence


def test_who_is_not_signed_in_and_whose_uuid_is_none_is_said_in_full() -> None:
    with pytest.raises(SignInAgain) as signed_out:
        grants.first(SIGNED_IN)
    with pytest.raises(wire.NotSent) as odd:
        grants.exchange(msgspec.structs.replace(OF_PARTNER, tenant="a b"), Token("t", None))
    assert str(signed_out.value) == "Nobody is signed in at the cloud any more: sign in there again."
    assert str(odd.value) == "The tenant's uuid has characters that no uuid has."


def test_what_shows_of_a_token_and_a_form() -> None:
    assert repr(Token("canary-token", 1.5, "canary-token")) == "Token(renew_at=1.5)"
    assert repr(EXCHANGE) == "Form(Shown.PARTNERS_TOKEN)"


def test_a_user_whose_password_is_repeated_is_not_quoted_either() -> None:
    form = Form(grants.Shown.PASSWORD, {"grant_type": "password", "password": "canary-secret other"})
    with pytest.raises(wire.ServerFault) as caught:
        grant(CLIENT, form, 500, error={"code": "Odd", "debug": {"msg": "canary-secret other"}})
    assert str(caught.value) == "The cloud failed (500)."


def test_the_end_of_a_token_made_from_another() -> None:
    def end(own: float | None, other: float | None) -> Token:
        return grants.ending_with(Token("t", own, "r", ("s",)), Token("o", other))

    assert end(5, 3) == end(3, 5) == end(None, 3) == end(3, None) == Token("t", 3, "r", ("s",))
    assert end(None, None) == Token("t", None, "r", ("s",))


# Against the simulator


def test_a_signed_assertion_reads_the_tenant() -> None:
    with running("quiet") as simulator:
        account = Account(cloud=simulator.url, grant=Grant.JWT_BEARER, assertion=simulator.assertion())
        now = simulator.wall
        with closing(Client(account, now=now, monotonic=time.monotonic)) as client:
            assert client.sites().items
            assert client.scopes == ("dr_service::admin",)
        over = msgspec.structs.replace(account, assertion=simulator.assertion(lifetime=-1))
        with (
            closing(Client(over, now=now, monotonic=time.monotonic)) as client,
            pytest.raises(wire.WrongCredential, match="The time of the assertion is over"),
        ):
            client.sites()


def test_a_credential_that_may_only_read_says_what_it_lacks_when_it_acts() -> None:
    with running("quiet") as simulator:
        reader = Account(cloud=simulator.url, client_id=simulator.reader_id, client_secret=simulator.reader_secret)
        with closing(Client(reader, now=simulator.wall, monotonic=time.monotonic)) as client:
            assert client.scopes is None
            server = next(one for one in client.servers().items if one.type == "RECOVERY")
            assert client.scopes == ("protection::readonly",)
            lacking = {}
            for act in (client.start_failover_test, client.start_failover_prod, client.stop_failover):
                answer = act(server.uuid).answer
                assert isinstance(answer, wire.Refused)
                lacking[act.__name__] = answer.lacks
    assert lacking == {
        "start_failover_test": "this credential lacks dr_service::admin or dr::support_operator",
        "start_failover_prod": "this credential lacks dr_service::admin",
        "stop_failover": "this credential lacks dr_service::admin or dr::support_operator",
    }


def test_a_credential_that_may_not_even_read_says_so() -> None:
    with running("quiet") as simulator:
        simulator.issuer.scopes = frozenset()
        account = Account(cloud=simulator.url, client_id=simulator.client_id, client_secret=simulator.client_secret)
        with closing(Client(account, now=simulator.wall, monotonic=time.monotonic)) as client:
            for read in (client.sites, client.servers, lambda: client.site(TENANT)):
                with pytest.raises(wire.Forbidden) as caught:
                    read()
                assert str(caught.value).startswith(
                    "The cloud refused: this credential lacks dr_service::admin, dr::support_operator or "
                    "protection::readonly (403 "
                )
