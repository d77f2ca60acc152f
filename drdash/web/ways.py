"""The ways into a cloud, as the pages offer them: each in an operator's words, and what has to be typed for it."""

import msgspec

from drdash.cloud.account import Grant
from drdash.tenants.checking import SHORT
from drdash.web.phrases import phrase


class Way(msgspec.Struct, frozen=True):
    """A way to connect: ``asks`` are the fields of its form, ``may_ask`` those that can be left empty."""

    key: str
    name: str
    grant: Grant
    means: str
    asks: tuple[str, ...]
    may_ask: tuple[str, ...] = ()

    @property
    def short(self) -> str:
        """The grant's name as people say it."""
        return SHORT[self.grant]


CLIENT = Way(
    "client",
    phrase("An API client of one company"),
    Grant.CLIENT_CREDENTIALS,
    phrase(
        "The usual way. The client belongs to the company whose servers are watched; its id and its secret get the "
        "tokens."
    ),
    ("client_id", "client_secret"),
)
PARTNER = Way(
    "partner",
    phrase("A partner's API client, for many customers"),
    Grant.JWT_BEARER,
    phrase(
        "For a provider. One credential; for each customer that you choose, its token is exchanged for one of that "
        "customer alone."
    ),
    ("client_id", "client_secret"),
)
SIGN_IN = Way(
    "sign-in",
    phrase("An administrator signs in at the cloud"),
    Grant.AUTHORIZATION_CODE,
    phrase(
        "You go to the cloud's own page, sign in and agree there, and come back. drdash never sees the password, and "
        "renews what it was given."
    ),
    ("client_id",),
    ("client_secret",),
)
PASSWORD = Way(
    "password",
    phrase("A user's name and password"),
    Grant.PASSWORD,
    phrase(
        "Where no API client can be made. The user must not have two-factor sign-in, and should be made for this alone."
    ),
    ("username", "password"),
    ("client_id", "client_secret"),
)
ASSERTION = Way(
    "assertion",
    phrase("A signed assertion"),
    Grant.JWT_BEARER,
    phrase(
        "Where somebody else signs a JWT for you. It works for as long as the assertion is valid; then it is replaced."
    ),
    ("assertion",),
    ("client_id", "client_secret"),
)
WAYS = {way.key: way for way in (CLIENT, PARTNER, SIGN_IN, PASSWORD, ASSERTION)}
