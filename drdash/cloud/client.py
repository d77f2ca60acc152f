"""The DR API, one method per call (reference: ``{cloud}/api/dr/v2``).

A GET is tried once, and once more with a new token after a 401; a listing's pages as often as its caller is patient
with a cloud that fails. A POST leaves at most once, on a connection of its own, that is made before its ``go`` is asked
for the last word; what became of it is a value, never an exception. After a 429 no call sends anything before its time.
"""

import re
from collections.abc import Callable, Sequence
from itertools import count
from typing import TypeVar
from urllib.parse import quote, urlencode

import msgspec
from requests_oauthlib import OAuth2Session

from drdash.cloud import listing, scopes, wire
from drdash.cloud.account import Account, BadAddress
from drdash.cloud.listing import Item, Listing, Query
from drdash.cloud.oauth import FETCH_SECONDS, Hold, Shelf, Token, Tokens
from drdash.cloud.records import RecoveryPoint, Server, Site
from drdash.cloud.sessions import origin, session_for, transport_for
from drdash.cloud.transport import Deadline, Go, Reply, at_once, exchange
from drdash.cloud.words import ServerType
from drdash.english import english

__all__ = ["Account", "BadAddress", "Client", "Listing", "Patience", "Sent", "body_of"]

PAGE_LIMIT = 8 * 1024 * 1024
ANSWER_LIMIT = 1024 * 1024
# A shorter token may be a common word: to take that out of an answer would change what it says.
SHORTEST_SECRET = 16
_Read = TypeVar("_Read")
_UUID = re.compile(r"[A-Za-z0-9-]+")
# What comes after a host in a URL, and cannot be taken for a part of the host.
_PATH = re.compile(r"/(?!/)[\x21-\x22\x24-\x5b\x5d-\x7e]*")

# Asked after a try that failed, with the number of tries so far: True, after a pause of its own, for one more.
Patience = Callable[[int], bool]


def once(_tries: int) -> bool:
    """No patience: one try each."""
    return False


class Sent(msgspec.Struct, frozen=True):
    """What became of a POST: what it says about the action, and for the record what was sent and what came back."""

    answer: wire.Accepted | wire.Refused | wire.Unclear | wire.NeverSent
    status: int | None
    body: bytes
    reply: str


def body_of(recovery_point: RecoveryPoint | None) -> bytes:
    """The body of a POST, to the byte; without a recovery point the cloud takes the latest for a start."""
    return msgspec.json.encode({} if recovery_point is None else {"recovery_point": recovery_point})


class Client:
    """One account's calls, for several threads. Raises BadAddress at once; every GET may raise any other CloudError.

    ``now`` is the time of day in Unix seconds, ``monotonic`` a clock that never goes back; ``deadline`` is always the
    most seconds that the whole call may take. The account's tokens are kept on the ``shelf``; ``hold`` is what a 429
    asked this account to wait, ``partner_hold`` what it asked of a partner's requests for its own token. Without them
    the client shares with nobody.
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
        self.account = account
        self.monotonic = monotonic
        self._base = f"{origin(account)}/api/dr/v2"
        self._now = now
        self._tokens = Tokens(account, now=now, monotonic=monotonic, shelf=shelf, hold=hold, partner_hold=partner_hold)
        self._transport = transport_for(account)
        self._session: tuple[Token, OAuth2Session] | None = None
        self._simulator: bool | None = None

    def __repr__(self) -> str:
        return f"Client({self.account!r})"

    @property
    def simulator(self) -> bool | None:
        """Whether the last answer came from drdash's own simulator; None before the first one."""
        return self._simulator

    @property
    def scopes(self) -> tuple[str, ...] | None:
        """What the last token may do, where the cloud said: a hint, its 403 is the truth."""
        return self._tokens.scopes

    def close(self) -> None:
        """Close the connections that are kept open between calls."""
        self._transport.close()

    def ready(self, *, deadline: float = FETCH_SECONDS) -> None:
        """Have a good access token, so that a POST that follows only has to be sent."""
        with self._deadline(deadline) as until:
            self._tokens.current(until)

    def servers(
        self,
        *,
        type: ServerType | None = None,  # noqa: A002
        resource_ids: Sequence[str] = (),
        deadline: float = 120.0,
        patience: Patience = once,
    ) -> Listing[Server]:
        """GET /servers: all pages. Without ``resource_ids`` every server, else those; a cloud may ignore the filter.

        ``patience`` is asked after a 50x and a broken connection.
        """
        kind = [("type", str(type))] if type else []
        with self._deadline(deadline) as until:
            parts = [
                self._listing(
                    "/servers",
                    [*kind, *(("recovery.resource_id", entry) for entry in chunk)],
                    until,
                    listing.servers,
                    patience,
                )
                for chunk in listing.chunks(resource_ids)
            ]
        return listing.merged(parts)

    def sites(self, *, allow_deleted: bool = False, deadline: float = 60.0, patience: Patience = once) -> Listing[Site]:
        """GET /sites: all pages; ``patience`` as for ``servers``."""
        query = [("allow_deleted", "true")] if allow_deleted else []
        with self._deadline(deadline) as until:
            return self._listing("/sites", query, until, listing.sites, patience)

    def site(self, uuid: str, *, deadline: float = 30.0) -> Site:
        """GET /sites/{uuid}."""
        if not _UUID.fullmatch(uuid):
            raise wire.NotSent(english("The site's uuid has characters that no uuid has."))
        with self._deadline(deadline) as until:
            reply = self._get(f"{self._base}/sites/{quote(uuid, safe='')}", until, ANSWER_LIMIT)
        self._read_by(wire.decipher, reply)
        (site,) = listing.sites([msgspec.Raw(reply.body)])
        if site.key != uuid.lower():
            raise wire.NotUnderstood(english("The cloud answered with another site than the one that was asked for."))
        return site

    def beside(self, path: str, *, deadline: float, limit: int = ANSWER_LIMIT) -> Reply:
        """GET a path and query of the cloud that is not the DR API's: whatever came back, up to ``limit`` bytes."""
        if not _PATH.fullmatch(path):
            raise wire.NotSent(english("This is not a path at the cloud."))
        with self._deadline(deadline) as until:
            return self._get(origin(self.account) + path, until, limit)

    def start_failover_test(
        self, uuid: str, recovery_point: RecoveryPoint | None = None, *, deadline: float = 70.0, go: Go = at_once
    ) -> Sent:
        """POST /servers/{uuid}:start_failover_test; without a recovery point from the latest one."""
        return self._post(uuid, "start_failover_test", recovery_point, deadline, go)

    def start_failover_prod(
        self, uuid: str, recovery_point: RecoveryPoint | None = None, *, deadline: float = 70.0, go: Go = at_once
    ) -> Sent:
        """POST /servers/{uuid}:start_failover_prod; without a recovery point from the latest one."""
        return self._post(uuid, "start_failover_prod", recovery_point, deadline, go)

    def stop_failover(self, uuid: str, *, deadline: float = 70.0, go: Go = at_once) -> Sent:
        """POST /servers/{uuid}:stop_failover: what the running machine wrote is lost."""
        return self._post(uuid, "stop_failover", None, deadline, go)

    def _listing(
        self,
        path: str,
        query: Query,
        until: Deadline,
        read: Callable[[Sequence[msgspec.Raw]], list[Item]],
        patience: Patience,
    ) -> Listing[Item]:
        def page(query: Query) -> wire.Page:
            reply = self._get_patiently(f"{self._base}{path}?{urlencode(query)}", until, patience)
            return self._read_by(wire.page, reply)

        return listing.gather(page, query, read)

    def _read_by(self, reading: Callable[..., _Read], reply: Reply) -> _Read:
        try:
            return reading(reply.status, reply.headers, reply.body, now=self._now())
        except wire.Forbidden as error:
            raise wire.Forbidden(error.status, error.code, error.message, lacks=scopes.lacks(scopes.READ)) from None

    def _get_patiently(self, url: str, until: Deadline, patience: Patience) -> Reply:
        for tries in count(1):
            try:
                reply = self._get(url, until, PAGE_LIMIT)
            except (wire.Broken, wire.NotSent):
                if until.over or not patience(tries):
                    raise
            else:
                if reply.status < 500 or until.over or not patience(tries):
                    return reply
        raise AssertionError("count() does not end")

    def _get(self, url: str, until: Deadline, limit: int) -> Reply:
        token = self._tokens.current(until)
        reply = self._read(url, token, until, limit)
        if reply.status == 401:
            reply = self._read(url, self._tokens.current(until, instead_of=token), until, limit)
        return reply

    def _read(self, url: str, token: Token, until: Deadline, limit: int) -> Reply:
        self._tokens.hold.obey()
        held = self._session
        if held is None or held[0] is not token:
            held = self._session = token, session_for(self.account, self._transport, token)
        return self._noted(exchange(held[1], "GET", url, deadline=until, limit=limit), token)

    def _post(self, uuid: str, verb: str, recovery_point: RecoveryPoint | None, deadline: float, go: Go) -> Sent:
        body = body_of(recovery_point)
        try:
            if not _UUID.fullmatch(uuid):
                raise wire.NotSent(english("The server's uuid has characters that no uuid has."))
            if recovery_point and not all(msgspec.structs.astuple(recovery_point)):
                raise wire.NotSent(english("A recovery point needs all three of its ids."))
            with self._deadline(FETCH_SECONDS) as until:
                token = self._tokens.current(until)
            self._tokens.hold.obey()
        except wire.CloudError as error:
            wait = error.retry_after if isinstance(error, wire.TooManyRequests) else None
            return Sent(answer=wire.NeverSent(str(error), retry_after=wait), status=None, body=body, reply="")
        try:
            reply = self._post_once(f"/servers/{quote(uuid, safe='')}:{verb}", body, token, deadline, go)
        except wire.NotSent as error:
            return Sent(answer=wire.NeverSent(str(error)), status=None, body=body, reply="")
        except wire.Broken as error:
            return Sent(answer=wire.Unclear(str(error)), status=None, body=body, reply="")
        if reply.status == 401:
            self._tokens.forget(token)
        answer = wire.answer(reply.status, reply.headers, reply.body, now=self._now())
        if isinstance(answer, wire.Refused) and answer.status == 403:
            answer = msgspec.structs.replace(answer, lacks=scopes.lacks(verb))
        text = reply.body.decode(errors="replace").replace("\0", "\ufffd")
        return Sent(answer=answer, status=reply.status, body=body, reply=text[:2000])

    def _post_once(self, path: str, body: bytes, token: Token, deadline: float, go: Go) -> Reply:
        """One request on a connection that is made for it and ends with it, so that no layer has another one to try."""
        transport = transport_for(self.account)
        with session_for(self.account, transport, token) as session, self._deadline(deadline) as until:
            reply = exchange(
                session,
                "POST",
                self._base + path,
                deadline=until,
                limit=ANSWER_LIMIT,
                go=go,
                data=body,
                headers={"Content-Type": "application/json"},
            )
        return self._noted(reply, token)

    def _noted(self, reply: Reply, token: Token) -> Reply:
        """Note who answered, and how long to wait after a 429; a token that comes back in an answer goes no further."""
        server = next((value for name, value in reply.headers.items() if name.lower() == "server"), "")
        self._simulator = server.startswith("drdash-simulator")
        if reply.status == 429:
            self._tokens.hold.note(wire.wait(reply.headers, reply.body, now=self._now()))
        if len(token.text) < SHORTEST_SECRET:
            return reply
        return msgspec.structs.replace(reply, body=reply.body.replace(token.text.encode(), b"[removed]"))

    def _deadline(self, seconds: float) -> Deadline:
        return Deadline(seconds, self.monotonic)
