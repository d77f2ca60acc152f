"""Processes of one account that keep their tokens together, at a cloud and by a clock that the test moves."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from drdash.cloud.account import Account, Grant
from drdash.cloud.oauth import Memory, ShelfAway, Token, Tokens
from drdash.cloud.transport import Deadline
from tests.cloud.conftest import NOW, SECRET, RawCloud
from tests.cloud.conftest import granted as granting

REFRESH = "canary-token-refresh"
CUSTOMER = "AAAAAAAA-0000-4000-8000-000000000001"
CLIENT = Account(cloud="https://cloud.example", client_id="the-client", client_secret=SECRET)
SIGNED_IN = msgspec.structs.replace(CLIENT, grant=Grant.AUTHORIZATION_CODE)
USER = Account(cloud="https://cloud.example", grant=Grant.PASSWORD, username="ann", password="canary-secret pass")
PARTNER = msgspec.structs.replace(CLIENT, grant=Grant.JWT_BEARER)
OF_PARTNER = msgspec.structs.replace(PARTNER, tenant=CUSTOMER)


class Board(Memory):
    """A shelf that can be away, and tells what was done to it."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.frozen = False  # it can be read, and no more
        self.meanwhile: Token | None = None  # what another process kept just before a renewal
        self.trips = 0
        self.deaf = False  # away for what is to be kept
        self.kept: list[Token] = []
        self.keeping = threading.Event()
        self.may_keep = threading.Event()
        self.may_keep.set()
        self.claimed = threading.Event()  # by someone who may not have it

    def read(self, tenant: str) -> Token | None:
        self._there()
        return super().read(tenant)

    def keep(self, tenant: str, token: Token) -> None:
        self._there()
        if self.deaf:
            raise ShelfAway
        self.keeping.set()
        self.may_keep.wait(10)
        self.kept.append(token)
        super().keep(tenant, token)

    def forget(self, tenant: str, token: Token) -> None:
        self._there()
        super().forget(tenant, token)

    @contextmanager
    def renewing(self, tenant: str) -> Iterator[bool]:
        self._there()
        if self.frozen:
            raise ShelfAway
        if self.meanwhile:
            super().keep(tenant, self.meanwhile)
        with super().renewing(tenant) as ours:
            if not ours:
                self.claimed.set()
            yield ours

    def _there(self) -> None:
        self.trips += 1
        if self.away:
            raise ShelfAway


class Installation:
    """Processes of one account at a raw cloud that gives a token for each request; the test moves their clock."""

    def __init__(self, cloud: RawCloud, account: Account) -> None:
        self.cloud = cloud
        self.account = msgspec.structs.replace(account, cloud=cloud.url)
        self.shelf = Board()
        self.now = NOW

    def process(self, **changed: Any) -> "Process":
        usual: dict[str, Any] = {"now": lambda: self.now, "monotonic": lambda: self.now, "shelf": self.shelf}
        return Process(Tokens(self.account, **{**usual, **changed}))

    def gives(self, *texts: str, refresh: bool = False, life: float = 100.0) -> None:
        more = [{"refresh_token": f"{REFRESH}-{text}"} if refresh else {} for text in texts]
        self.cloud.tokens += [granting(text, expires_in=life, **one) for text, one in zip(texts, more, strict=True)]

    @property
    def forms(self) -> list[dict[str, str]]:
        return [dict(parse_qsl(one.body.decode(), strict_parsing=True)) for one in self.cloud.token_requests]

    @property
    def refreshed(self) -> list[str]:
        return [form["refresh_token"].removeprefix(f"{REFRESH}-") for form in self.forms if "refresh_token" in form]


class Process:
    """Called for a token."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens

    def __call__(self, instead_of: Token | None = None, *, seconds: float = 10.0) -> Token:
        with Deadline(seconds, time.monotonic) as until:
            return self.tokens.current(until, instead_of=instead_of)


def installed(cloud: RawCloud, account: Account = CLIENT) -> Installation:
    return Installation(cloud, account)


def signed_in(cloud: RawCloud) -> Installation:
    at = installed(cloud, SIGNED_IN)
    at.shelf.keep("", Token("zero", NOW + 90, f"{REFRESH}-zero"))
    return at
