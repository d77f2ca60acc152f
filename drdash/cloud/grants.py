"""What is sent for a token, and what the answer means. Pure.

Every refusal has a sentence that says what is wrong with whose secret, without anything of the account that is secret.
"""

import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any
from urllib.parse import quote_plus

import msgspec

from drdash.cloud import wire
from drdash.cloud.account import Account, Grant
from drdash.cloud.errors import NotSent, NotUnderstood, SignInAgain, WrongCredential
from drdash.english import english

_MARGIN_SECONDS = 60.0
# The reference's own pattern. Another one would make requests fail with the token in the error's text.
_BEARER = re.compile(r"[0-9a-zA-Z\-._~+/]+={0,2}")
_REFRESH = re.compile(r"[\x20-\x7e]+")
_SCOPE = re.compile(r"[\x21-\x7e]{1,200}")
_MOST_SCOPES = 50
_TENANT = re.compile(r"[0-9A-Za-z-]{1,100}")
_ERROR_CODE = re.compile(r"[a-z_]{1,40}")
_SECOND_FACTOR = re.compile(r"(?i)totp|\botp\b|mfa|2fa|(?:two|multi|second).?factor|one.?time")
_NO_GRANT = frozenset({"unauthorized_client", "unsupported_grant_type"})
_SECRETS = ("password", "refresh_token", "code", "code_verifier", "assertion")


class Token(msgspec.Struct, frozen=True):
    """An access token; ``renew_at`` (Unix seconds, by our clock) is a little before its end, None when it has none;
    ``refresh`` is what gets the next one, where the cloud gave that; ``scopes`` what it may do, where the cloud said.
    """

    text: str
    renew_at: float | None
    refresh: str | None = None
    scopes: tuple[str, ...] | None = None

    def __repr__(self) -> str:
        return f"Token(renew_at={self.renew_at})"


class Shown(Enum):
    """What a request shows for a token."""

    SECRET = auto()
    PASSWORD = auto()
    REFRESH = auto()
    CODE = auto()
    ASSERTION = auto()
    PARTNERS_TOKEN = auto()


class Form(msgspec.Struct, frozen=True):
    """A request to the token endpoint. ``partner``: the token that it is sent with, in place of the client's secret."""

    shown: Shown
    fields: Mapping[str, str]
    partner: Token | None = None

    def __repr__(self) -> str:
        return f"Form({self.shown})"


def first(account: Account) -> Form:
    """With what the account itself has. Raises SignInAgain for a sign-in: only a person can repeat that."""
    match account.grant:
        case Grant.PASSWORD:
            user = {"username": account.username, "password": account.password}
            return Form(Shown.PASSWORD, {"grant_type": account.grant, **user})
        case Grant.AUTHORIZATION_CODE:
            raise SignInAgain(english("Nobody is signed in at the cloud any more: sign in there again."))
        case Grant.JWT_BEARER if account.assertion:
            scope = {"scope": _scope(account.tenant)} if account.tenant else {}
            return Form(Shown.ASSERTION, {"grant_type": account.grant, "assertion": account.assertion, **scope})
    return Form(Shown.SECRET, {"grant_type": Grant.CLIENT_CREDENTIALS})


def refresh(account: Account, refresh_token: str) -> Form:
    """With what an earlier answer gave for it."""
    return Form(Shown.REFRESH, {"grant_type": "refresh_token", "refresh_token": refresh_token, **_public(account)})


def code(account: Account, *, code: str, verifier: str, redirect_uri: str) -> Form:
    """With the code of a sign-in in the browser."""
    told = {"code": code, "code_verifier": verifier, "redirect_uri": redirect_uri}
    return Form(Shown.CODE, {"grant_type": Grant.AUTHORIZATION_CODE, **told, **_public(account)})


def exchange(account: Account, partner: Token) -> Form:
    """A partner's token for one of the customer that the account names."""
    fields = {"grant_type": Grant.JWT_BEARER, "assertion": partner.text, "scope": _scope(account.tenant)}
    return Form(Shown.PARTNERS_TOKEN, fields, partner)


def _public(account: Account) -> dict[str, str]:
    """A client without a secret names itself in the form."""
    return {"client_id": account.client_id} if account.client_id and not account.client_secret else {}


def _scope(tenant: str) -> str:
    if not _TENANT.fullmatch(tenant):
        raise NotSent(english("The tenant's uuid has characters that no uuid has."))
    return f"urn:acronis.com:tenant-id:{tenant}"


def granted(status: int, headers: Mapping[str, str], body: bytes, *, now: float, account: Account, form: Form) -> Token:
    """The token endpoint's answer to ``form`` → the token. Raises a CloudError that says what is wrong."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = None
    answer: dict[str, Any] = value if isinstance(value, dict) else {}
    if status == 200:
        return _token(answer, headers, now, form)
    error = answer.get("error")
    named = error if isinstance(error, str) else ""
    if status in {400, 401, 403} and account.grant is Grant.PASSWORD and _wants_second_factor(answer):
        raise WrongCredential(
            english(
                "The cloud wants a second factor (a TOTP code) of this user, and drdash cannot use an account with "
                "two-factor sign-in: make an API client there, and connect with the grant client_credentials."
            )
        )
    refused = status == 401 or (status in {400, 403} and named)
    if refused or (form.shown is Shown.PARTNERS_TOKEN and status in {400, 403, 404}):
        raise _refusal(status, named, account, form, over=_is_over(account.assertion, now))
    if status in {404, 405}:
        raise NotUnderstood(english("This is not a DR cloud: its token endpoint answered %(status)s.", status=status))
    raise wire.fault(status, headers, b"" if _repeats_a_secret(answer, account, form) else body, now=now)


def ending_with(token: Token, other: Token) -> Token:
    """The same token, renewed no later than the one that it was made from."""
    ends = [end for end in (token.renew_at, other.renew_at) if end is not None]
    return msgspec.structs.replace(token, renew_at=min(ends, default=None))


def _token(answer: Mapping[str, Any], headers: Mapping[str, str], now: float, form: Form) -> Token:
    text, kind = answer.get("access_token"), answer.get("token_type")
    if not isinstance(text, str) or not text:
        raise NotUnderstood(english("This is not a DR cloud: its token endpoint answered without an access token."))
    if not _BEARER.fullmatch(text) or (isinstance(kind, str) and kind.lower() != "bearer"):
        raise NotUnderstood(english("The cloud gave an access token of a kind that its reference does not know."))
    life, end = _number(answer.get("expires_in")), _number(answer.get("expires_on"))
    if life is None and end is not None:
        # By the cloud's own clock where it tells it: ours may be an hour off.
        sent = wire.moment(next((value for name, value in headers.items() if name.lower() == "date"), None))
        life = end - (now if sent is None else sent)
    # Without a word on its end it is used until the cloud refuses it. So is one that ended before it came: that is
    # a clock's fault, and to renew it at each request would be no help.
    renew_at = None if life is None or life <= 0 else now + life - min(_MARGIN_SECONDS, life / 10)
    return Token(text, renew_at, _kept(answer.get("refresh_token"), form), _scopes(answer.get("scope")))


def _kept(told: Any, form: Form) -> str | None:
    """What gets the next token. A client has no use for that: it has its secret."""
    if form.shown in {Shown.SECRET, Shown.PARTNERS_TOKEN}:
        return None
    if isinstance(told, str) and _REFRESH.fullmatch(told):
        return told
    # A cloud that gives no new one means the old one.
    return form.fields.get("refresh_token")


def _scopes(told: Any) -> tuple[str, ...] | None:
    words = told.split() if isinstance(told, str) else told
    if not isinstance(words, list):
        return None
    return tuple(word for word in words if isinstance(word, str) and _SCOPE.fullmatch(word))[:_MOST_SCOPES]


def _number(value: Any) -> float | None:
    if isinstance(value, str) and re.fullmatch(r"\d{1,15}", value, re.ASCII):
        return float(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15 else None


def _wants_second_factor(answer: Mapping[str, Any]) -> bool:
    """Its code is nowhere documented: the cloud's words tell, in OAuth's shape or in that of its other APIs."""
    error = answer.get("error")
    said = [error.get("message") if isinstance(error, dict) else error, answer.get("error_description")]
    return any(isinstance(words, str) and _SECOND_FACTOR.search(words) for words in said)


def _repeats_a_secret(answer: Mapping[str, Any], account: Account, form: Form) -> bool:
    """Whether the cloud's own words, which an error quotes, have in them what was sent, as it is or as in the form."""
    try:
        said = msgspec.json.encode(answer)
    except RecursionError:
        return True
    secrets = [account.client_secret, account.password, *(form.fields.get(name, "") for name in _SECRETS)]
    return any(msgspec.json.encode(text)[1:-1] in said for one in secrets if one for text in (one, quote_plus(one)))


def _is_over(assertion: str, now: float) -> bool:
    """Whether an assertion says of itself that its time is over."""
    payload = assertion.split(".")[1] if assertion.count(".") == 2 else ""
    try:
        claims = msgspec.json.decode(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, RecursionError):
        return False
    end = _number(claims.get("exp")) if isinstance(claims, dict) else None
    return end is not None and end <= now


def _refusal(status: int, named: str, account: Account, form: Form, *, over: bool) -> WrongCredential:
    """Whose fault it is that there is no token, by OAuth's code for it, and where there is none by what was shown."""
    said = f" ({status} {named})" if _ERROR_CODE.fullmatch(named) else f" ({status})"
    wrong_client = named == "invalid_client" and form.shown is not Shown.PARTNERS_TOKEN
    unproven = named == "invalid_grant" or (status == 401 and not account.client_id)
    sentence = english("The cloud gives no access token to this client%(said)s.")
    error = WrongCredential
    match form.shown:
        case _ if wrong_client and not account.client_id:
            sentence = english(
                "The cloud wants an API client beside the user%(said)s: give its id and its secret as well."
            )
        case _ if wrong_client:
            sentence = english("The client id or its secret is wrong%(said)s.")
        case Shown.SECRET if status == 401:
            sentence = english("The client id or its secret is wrong%(said)s.")
        case Shown.SECRET if named == "invalid_scope":
            sentence = english("The cloud has nothing that this client may do%(said)s: give the client a role there.")
        case Shown.PASSWORD if named in _NO_GRANT:
            sentence = english(
                "The cloud gives no access token for a password%(said)s: make an API client there and use its secret."
            )
        case Shown.PASSWORD if unproven:
            sentence = english("The username or the password is wrong%(said)s.")
        case Shown.PASSWORD if status == 401:
            sentence = english("The username or the password is wrong, or the client id or its secret%(said)s.")
        case Shown.PASSWORD if named == "invalid_scope":
            sentence = english("The cloud has nothing that this user may do%(said)s: give the user a role there.")
        case Shown.PASSWORD:
            sentence = english("The cloud gives no access token to this user%(said)s.")
        case Shown.REFRESH if unproven or status == 401:
            sentence, error = (
                english("The cloud no longer accepts the sign-in%(said)s: sign in there again."),
                SignInAgain,
            )
        case Shown.CODE if named in _NO_GRANT:
            sentence = english(
                "The cloud lets nobody sign in for this client%(said)s: have it allow authorization_code to it."
            )
        case Shown.CODE if named == "invalid_scope":
            sentence = english(
                "The cloud does not let this client stay signed in%(said)s: have it allow offline_access to it."
            )
        case Shown.CODE if unproven or status == 401:
            sentence, error = (
                english("The cloud does not accept this sign-in%(said)s: it is over. Sign in again."),
                SignInAgain,
            )
        case Shown.ASSERTION if named in _NO_GRANT:
            sentence = english(
                "The cloud gives no access token for an assertion%(said)s: make an API client there instead."
            )
        case Shown.ASSERTION if named == "invalid_scope":
            sentence = english("The assertion does not reach this tenant%(said)s: give one of a user who may see it.")
        case Shown.ASSERTION if unproven and over:
            sentence = english("The time of the assertion is over%(said)s: make a new one.")
        case Shown.ASSERTION if unproven:
            sentence = english(
                "The cloud does not accept the assertion%(said)s: make a new one, signed for this cloud."
            )
        case Shown.ASSERTION if status == 401:
            sentence = english("The cloud does not accept the assertion, or the client id or its secret%(said)s.")
        case Shown.PARTNERS_TOKEN if named in _NO_GRANT:
            sentence = english(
                "The cloud does not exchange this client's token for a customer's%(said)s: it is no partner's."
            )
        case Shown.PARTNERS_TOKEN if status == 401:
            sentence = english("The cloud does not accept the partner's token in exchange for a customer's%(said)s.")
        case Shown.PARTNERS_TOKEN:
            sentence = english(
                "The cloud does not exchange the partner's token for this customer's%(said)s: the customer left the "
                "partner, or does not allow it access."
            )
    return error(sentence % {"said": said}, status=status, code=named)
