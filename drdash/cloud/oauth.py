"""The account's access token, from ``{cloud}/api/2/idp/token``, renewed before it expires: by one process at a time,
through the shelf where they keep it together.
"""

import math
import threading
import time
from collections.abc import Callable
from typing import Protocol

from requests.auth import HTTPBasicAuth

from drdash.cloud import grants, wire
from drdash.cloud.account import Account, Grant
from drdash.cloud.errors import BadRequest, Forbidden, NotSent, SignInAgain, TooManyRequests, WrongCredential
from drdash.cloud.grants import Form, Shown, Token
from drdash.cloud.sessions import origin, session_for, transport_for
from drdash.cloud.shelf import Memory, Shelf, ShelfAway
from drdash.cloud.transport import Deadline, exchange
from drdash.english import english

__all__ = ["FETCH_SECONDS", "Hold", "Memory", "OwnHold", "Shelf", "ShelfAway", "Token", "Tokens", "ask"]

FETCH_SECONDS = 20.0
STEP_SECONDS = 0.1
_LIMIT = 1024 * 1024
# What a shelf that was away has missed is offered to it again after so long.
_AGAIN_SECONDS = 5.0
# What the cloud says of a partner's token that is no longer good, and of a refresh token: another one may do.
_SPENT = frozenset({"invalid_grant", "invalid_token"})


class Hold(Protocol):
    """What a 429 asked for: no request before its time, whoever wants to send it."""

    def note(self, seconds: int) -> None:
        """Nothing for so many seconds from now; a longer wait is never shortened."""

    def obey(self) -> None:
        """Raise TooManyRequests, with what is left of it, while there is a wait."""


class OwnHold:
    """The hold of a process that shares it with nobody."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._until = 0.0

    def note(self, seconds: int) -> None:
        with self._lock:
            self._until = max(self._until, self._monotonic() + seconds)

    def obey(self) -> None:
        if (left := self._until - self._monotonic()) > 0:
            raise TooManyRequests(429, retry_after=math.ceil(left))


def ask(account: Account, form: Form, *, hold: Hold, now: Callable[[], float], deadline: Deadline) -> Token:
    """One request to the token endpoint. Raises CloudError."""
    hold.obey()
    client = HTTPBasicAuth(account.client_id.encode(), account.client_secret.encode())
    own = account.client_id and form.partner is None and "client_id" not in form.fields
    with session_for(account, transport_for(account), form.partner) as session:
        reply = exchange(
            session,
            "POST",
            f"{origin(account)}/api/2/idp/token",
            deadline=deadline,
            limit=_LIMIT,
            withhold_token=form.partner is None,
            auth=client if own else None,
            data=form.fields,
        )
    if reply.status == 429:
        hold.note(wire.wait(reply.headers, reply.body, now=now()))
    return grants.granted(reply.status, reply.headers, reply.body, now=now(), account=account, form=form)


class Tokens:
    """The current token of an account, shared by threads and, on the shelf, by processes: one of them fetches, the
    others wait for it. While the shelf is away each process gets its own.
    """

    def __init__(
        self,
        account: Account,
        *,
        now: Callable[[], float],
        monotonic: Callable[[], float],
        shelf: Shelf | None = None,
        hold: Hold | None = None,
        partner_hold: Hold | None = None,
    ) -> None:
        self._account = account
        self._now = now
        self._monotonic = monotonic
        self._shelf = shelf or Memory()
        self.hold = hold or OwnHold(monotonic)
        self._partner_hold = partner_hold or self.hold
        self._place = account.tenant.lower() if account.grant is Grant.JWT_BEARER else ""
        self._lock = threading.Lock()
        self._known: dict[str, Token] = {}
        self._refused = ""  # the text of a token that a POST found out to be no longer good
        self._spent: str | None = None  # a refresh token that the cloud refused
        self._missed: tuple[Token, str | None] | None = None  # what the shelf missed, and the refresh token it replaces
        self._again_at = 0.0

    @property
    def scopes(self) -> tuple[str, ...] | None:
        """What the last token may do, where the cloud said."""
        known = self._known.get(self._place)
        return known.scopes if known else None

    def current(self, deadline: Deadline, *, instead_of: Token | None = None) -> Token:
        """A token that is good by all we know; a new one if that is still ``instead_of``, which the cloud refused."""
        if self._missed is None and (token := self._good(self._known.get(self._place), instead_of)) is not None:
            return token
        if not self._lock.acquire(timeout=deadline.left):
            raise NotSent(english("The cloud gave no access token in time."))
        try:
            self._make_up()
            return self._at(self._place, deadline, instead_of)
        finally:
            self._lock.release()

    def forget(self, token: Token) -> None:
        """The cloud refused this token: the next call has another. Waits for nobody."""
        self._refused = token.text
        try:
            self._shelf.forget(self._place, token)
        except ShelfAway:
            pass  # this process knows, the others will learn it themselves

    def _good(self, token: Token | None, refused: Token | None) -> Token | None:
        if token is None or token.text in {"", self._refused} or (refused and token.text == refused.text):
            return None
        return token if token.renew_at is None or self._now() < token.renew_at else None

    def _at(self, place: str, deadline: Deadline, refused: Token | None = None) -> Token:
        """This process's token, or what another one kept meanwhile, or else a new one."""
        if (token := self._good(self._known.get(place), refused)) is not None:
            return token
        while True:
            try:
                found = self._shared(place, deadline, refused)
            except ShelfAway:
                found = self._alone(place, deadline)
            if found is not None:
                self._known[place] = found
                if found.text == self._refused:
                    self._refused = ""
                return found
            if deadline.over:
                raise NotSent(english("The cloud gave no access token in time: another process is at it."))
            time.sleep(min(STEP_SECONDS, deadline.left))

    def _shared(self, place: str, deadline: Deadline, refused: Token | None) -> Token | None:
        """Through the shelf; None while another process renews. A new token is kept there before it is used."""
        if (token := self._good(self._shelf.read(place), refused)) is not None:
            return token
        made, used = None, None
        try:
            with self._shelf.renewing(place) as ours:
                if not ours:
                    return None
                kept = self._caught_up(place)
                if (token := self._good(kept, refused)) is not None:
                    return token
                used = kept.refresh if kept else None
                made = self._made(place, used, deadline)
                self._shelf.keep(place, made)
        except ShelfAway:
            if made is None:
                raise
            self._miss(place, made, used)
        return made

    def _alone(self, place: str, deadline: Deadline) -> Token:
        known = self._known.get(place)
        used = known.refresh if known else None
        if used is None and self._account.grant is Grant.AUTHORIZATION_CODE:
            raise NotSent(
                english("Nothing was asked: the place where the sign-in at the cloud is kept does not answer.")
            )
        made = self._made(place, used, deadline)
        self._miss(place, made, used)
        return made

    def _miss(self, place: str, made: Token, used: str | None) -> None:
        """What replaces the shelf's refresh token must come to it: nobody could renew with the old one."""
        if made.refresh is not None and place == self._place:
            self._missed = made, self._missed[1] if self._missed else used
            self._again_at = self._monotonic() + _AGAIN_SECONDS

    def _make_up(self) -> None:
        if self._missed is None or self._monotonic() < self._again_at:
            return
        self._again_at = self._monotonic() + _AGAIN_SECONDS
        try:
            with self._shelf.renewing(self._place) as ours:
                if ours:
                    self._caught_up(self._place)
        except ShelfAway:
            pass  # it is tried again

    def _caught_up(self, place: str) -> Token | None:
        """What the shelf has, once it has what it missed, if nothing newer was kept there meanwhile."""
        kept = self._shelf.read(place)
        if self._missed is not None and place == self._place:
            missed, used = self._missed
            if kept is None or kept.refresh == used:
                self._shelf.keep(place, missed)
                kept = missed
            self._missed = None
        return kept

    def _made(self, place: str, refresh: str | None, deadline: Deadline) -> Token:
        """A new token from the cloud, by whatever the grant has for it."""
        account = self._account
        with Deadline(min(FETCH_SECONDS, deadline.left), self._monotonic) as until:
            if place and account.of_partner:
                return self._exchanged(until)
            if refresh is not None and refresh != self._spent:
                try:
                    return self._ask(grants.refresh(account, refresh), until)
                except (WrongCredential, BadRequest, Forbidden) as error:
                    only_way = account.grant is Grant.AUTHORIZATION_CODE
                    if isinstance(error, SignInAgain) or not only_way:
                        self._spent = refresh
                    if only_way:
                        raise
            return self._ask(grants.first(account), until)

    def _exchanged(self, until: Deadline) -> Token:
        """A customer's token for the partner's own; once more with a new one of those, if that was no longer good."""
        partner = self._at("", until)
        try:
            token = self._ask(grants.exchange(self._account, partner), until)
        except WrongCredential as error:
            if error.status != 401 and error.code not in _SPENT:
                raise
            partner = self._at("", until, refused=partner)
            token = self._ask(grants.exchange(self._account, partner), until)
        return grants.ending_with(token, partner)

    def _ask(self, form: Form, until: Deadline) -> Token:
        own = self._account.of_partner and form.shown is Shown.SECRET
        return ask(self._account, form, hold=self._partner_hold if own else self.hold, now=self._now, deadline=until)
