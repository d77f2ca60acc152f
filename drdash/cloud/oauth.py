"""The account's access token, from ``{cloud}/api/2/idp/token``, renewed before it expires."""

import logging
import math
import re
import threading
from collections.abc import Callable, Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import quote_plus

import msgspec
from oauthlib.oauth2 import BackendApplicationClient
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from drdash.cloud import wire
from drdash.cloud.account import Account, Grant
from drdash.cloud.errors import (
    BadRequest,
    Forbidden,
    NotSent,
    NotUnderstood,
    TooManyRequests,
    WrongCredential,
)
from drdash.cloud.transport import Deadline, PlainHttp, Transport, exchange

FETCH_SECONDS = 20.0
_MARGIN_SECONDS = 60.0
_LIMIT = 1024 * 1024
# The reference's own pattern. Another one would make requests fail with the token in the error's text.
_BEARER = re.compile(r"[0-9a-zA-Z\-._~+/]+={0,2}")
_REFRESH = re.compile(r"[\x20-\x7e]+")
_ERROR_CODE = re.compile(r"[a-z_]{1,40}")
_SECOND_FACTOR = re.compile(r"(?i)totp|\botp\b|mfa|2fa|(?:two|multi|second).?factor|one.?time")

# It writes tokens and secrets at DEBUG. A filter stays where a level would be set anew by a logging configuration.
logging.getLogger("requests_oauthlib.oauth2_session").addFilter(lambda record: record.levelno > logging.DEBUG)


class Token(msgspec.Struct, frozen=True):
    """An access token; ``renew_at`` (Unix seconds, by our clock) is a little before its end, None when it has none;
    ``refresh`` is what gets the next one, where the cloud gave that.
    """

    text: str
    renew_at: float | None
    refresh: str | None = None

    def __repr__(self) -> str:
        return f"Token(renew_at={self.renew_at})"


def transport_for(account: Account) -> Transport:
    """The connections to an account's cloud, which sessions may share. Raises BadAddress."""
    return Transport() if account.root.startswith("https:") else PlainHttp()


def session_for(account: Account, transport: Transport, token: Token | None = None) -> OAuth2Session:
    """A session that reaches the account's own origin and nothing else, takes nothing from the environment, and
    verifies certificates. Its URLs start with ``origin(account)``.
    """
    # The token's end is left out: oauthlib would judge it by a clock of its own.
    carried = {"access_token": token.text, "token_type": "Bearer"} if token else {}
    session = OAuth2Session(client=BackendApplicationClient(client_id=account.client_id), token=carried)
    session.trust_env = False
    session.verify = account.ca_bundle or True
    if account.proxy:
        session.proxies = {"http": account.proxy, "https": account.proxy}
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.adapters.clear()
    session.mount(f"{origin(account)}/", transport)
    session.headers.update({"User-Agent": "drdash", "Accept": "application/json"})
    return session


def origin(account: Account) -> str:
    """How the account's sessions name its root: always with https, see PlainHttp."""
    return "https" + account.root.removeprefix("https").removeprefix("http")


class Hold:
    """What a 429 asked for, in this process: no request of the account before its time, whoever wants to send it."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._until = 0.0

    def note(self, seconds: int) -> None:
        """Nothing for so many seconds from now; a longer wait is never shortened."""
        with self._lock:
            self._until = max(self._until, self._monotonic() + seconds)

    def obey(self) -> None:
        """Raise TooManyRequests, with what is left of it, while there is a wait."""
        if (left := self._until - self._monotonic()) > 0:
            raise TooManyRequests(429, retry_after=math.ceil(left))


class Tokens:
    """The current token of an account, shared by threads: one of them fetches, the others wait for it."""

    def __init__(self, account: Account, *, now: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._account = account
        self._now = now
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._refresh: str | None = None
        self.hold = Hold(monotonic)

    def current(self, deadline: Deadline, *, instead_of: Token | None = None) -> Token:
        """A token that is good by all we know; a new one if that is still ``instead_of``, which the cloud refused."""
        if (token := self._good(instead_of)) is not None:
            return token
        if not self._lock.acquire(timeout=deadline.left):
            raise NotSent("The cloud gave no access token in time.")
        try:
            if (token := self._good(instead_of)) is None:
                token = self._token = self._fetch(deadline)
            return token
        finally:
            self._lock.release()

    def forget(self, token: Token) -> None:
        """The cloud refused this token: the next call fetches another."""
        with self._lock:
            if self._token is token:
                self._token = None

    def _good(self, refused: Token | None) -> Token | None:
        token = self._token
        if token is None or token is refused:
            return None
        return token if token.renew_at is None or self._now() < token.renew_at else None

    def _fetch(self, deadline: Deadline) -> Token:
        account = self._account
        if account.grant is not Grant.PASSWORD:
            return self._ask({"grant_type": account.grant}, deadline)
        if self._refresh is not None:
            try:
                return self._renewable(
                    self._ask({"grant_type": "refresh_token", "refresh_token": self._refresh}, deadline)
                )
            except (WrongCredential, BadRequest, Forbidden):
                self._refresh = None  # its time is over: the password once more
        user = {"username": account.username, "password": account.password}
        return self._renewable(self._ask({"grant_type": account.grant, **user}, deadline))

    def _renewable(self, token: Token) -> Token:
        """Keep what gets the next token: a cloud that gives no new one means the old one."""
        self._refresh = token.refresh or self._refresh
        return token

    def _ask(self, form: Mapping[str, str], caller: Deadline) -> Token:
        self.hold.obey()
        account = self._account
        client = HTTPBasicAuth(account.client_id.encode(), account.client_secret.encode())
        with (
            session_for(account, transport_for(account)) as session,
            Deadline(min(FETCH_SECONDS, caller.left), self._monotonic) as deadline,
        ):
            reply = exchange(
                session,
                "POST",
                f"{origin(account)}/api/2/idp/token",
                deadline=deadline,
                limit=_LIMIT,
                withhold_token=True,
                auth=client if account.client_id else None,
                data=form,
            )
        if reply.status == 429:
            self.hold.note(wire.wait(reply.headers, reply.body, now=self._now()))
        return granted(reply.status, reply.headers, reply.body, now=self._now(), account=account)


def granted(status: int, headers: Mapping[str, str], body: bytes, *, now: float, account: Account) -> Token:
    """The token endpoint's answer to an account → the token. Pure. Raises a CloudError that says what is wrong, without
    anything of the account that is secret.
    """
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = None
    answer: dict[str, Any] = value if isinstance(value, dict) else {}
    if status == 200:
        return _token(answer, headers, now)
    code = answer.get("error") if isinstance(answer.get("error"), str) else ""
    if status in {400, 401, 403} and account.grant is Grant.PASSWORD and _wants_second_factor(answer):
        raise WrongCredential(
            "The cloud wants a second factor (a TOTP code) of this user, and drdash cannot use an account with "
            "two-factor sign-in: make an API client there, and connect with the grant client_credentials."
        )
    if status == 401 or (status in {400, 403} and code):
        raise WrongCredential(_refusal(status, str(code), account))
    if status in {404, 405}:
        raise NotUnderstood(f"This is not a DR cloud: its token endpoint answered {status}.")
    raise wire.fault(status, headers, b"" if _repeats_a_secret(answer, account) else body, now=now)


def _token(answer: Mapping[str, Any], headers: Mapping[str, str], now: float) -> Token:
    text, kind = answer.get("access_token"), answer.get("token_type")
    if not isinstance(text, str) or not text:
        raise NotUnderstood("This is not a DR cloud: its token endpoint answered without an access token.")
    if not _BEARER.fullmatch(text) or (isinstance(kind, str) and kind.lower() != "bearer"):
        raise NotUnderstood("The cloud gave an access token of a kind that its reference does not know.")
    life, end = _number(answer.get("expires_in")), _number(answer.get("expires_on"))
    if life is None and end is not None:
        # By the cloud's own clock where it tells it: ours may be an hour off.
        sent = wire.moment(next((value for name, value in headers.items() if name.lower() == "date"), None))
        life = end - (now if sent is None else sent)
    # Without a word on its end it is used until the cloud refuses it.
    renew_at = None if life is None else now + life - min(_MARGIN_SECONDS, life / 10)
    refresh = answer.get("refresh_token")
    return Token(text, renew_at, refresh if isinstance(refresh, str) and _REFRESH.fullmatch(refresh) else None)


def _number(value: Any) -> float | None:
    if isinstance(value, str) and re.fullmatch(r"\d{1,15}", value, re.ASCII):
        return float(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15 else None


def _wants_second_factor(answer: Mapping[str, Any]) -> bool:
    """Its code is nowhere documented: the cloud's words tell, in OAuth's shape or in that of its other APIs."""
    error = answer.get("error")
    said = [error.get("message") if isinstance(error, dict) else error, answer.get("error_description")]
    return any(isinstance(words, str) and _SECOND_FACTOR.search(words) for words in said)


def _repeats_a_secret(answer: Mapping[str, Any], account: Account) -> bool:
    """Whether the cloud's own words, which an error quotes, have in them what was sent, as it is or as in the form."""
    try:
        said = msgspec.json.encode(answer)
    except RecursionError:
        return True
    secrets = [secret for secret in (account.client_secret, account.password) if secret]
    return any(msgspec.json.encode(text)[1:-1] in said for one in secrets for text in (one, quote_plus(one)))


def _refusal(status: int, code: str, account: Account) -> str:
    said = f" ({status} {code})" if _ERROR_CODE.fullmatch(code) else f" ({status})"
    if account.grant is Grant.PASSWORD:
        if code in {"unauthorized_client", "unsupported_grant_type"}:
            return f"The cloud gives no access token for a password{said}: make an API client there and use its secret."
        if code == "invalid_client" and not account.client_id:
            return f"The cloud wants an API client beside the user{said}: give its id and its secret as well."
        if code == "invalid_grant" or (status == 401 and not account.client_id):
            return f"The username or the password is wrong{said}."
        if status == 401 and code != "invalid_client":
            return f"The username or the password is wrong, or the client id or its secret{said}."
        if code != "invalid_client":
            return f"The cloud gives no access token to this user{said}."
    if status == 401 or code == "invalid_client":
        return f"The client id or its secret is wrong{said}."
    return f"The cloud gives no access token to this client{said}."
