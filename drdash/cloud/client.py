"""The DR API, one method per call (reference: ``{cloud}/api/dr/v2``).

A GET is tried once, and once more with a new token after a 401; a listing's pages as often as its caller is patient
with a cloud that fails. A POST leaves at most once, on a connection of its own;
what became of it is a value, never an exception. After a 429 no call sends anything before its time.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Generic, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from requests_oauthlib import OAuth2Session

from drdash.cloud import reading, wire
from drdash.cloud.account import Account, BadAddress
from drdash.cloud.oauth import FETCH_SECONDS, Token, Tokens, origin, session_for, transport_for
from drdash.cloud.records import RecoveryPoint, Server, Site
from drdash.cloud.transport import Deadline, Reply, exchange
from drdash.cloud.words import ServerType

__all__ = ["Account", "BadAddress", "Client", "Listing", "Patience", "Sent"]

PAGE_LIMIT = 32 * 1024 * 1024
ANSWER_LIMIT = 1024 * 1024
MOST_PAGES = 2000
LONGEST_QUERY = 3500
# A shorter token may be a common word: to take that out of an answer would change what it says.
SHORTEST_SECRET = 16
_UUID = re.compile(r"[A-Za-z0-9-]+")
_Item = TypeVar("_Item", Server, Site)

# Asked after a try that failed, with the number of tries so far: True, after a pause of its own, for one more.
Patience = Callable[[int], bool]


def once(_tries: int) -> bool:
    """No patience: one try each."""
    return False


class Listing(msgspec.Struct, Generic[_Item], frozen=True):
    """All that a listing gave, each item once (the last word on it counts).

    ``whole`` tells whether what is not in it does not exist: there are as many items as the cloud's last ``total``.
    """

    items: tuple[_Item, ...]
    total: int | None
    whole: bool


class Sent(msgspec.Struct, frozen=True):
    """What became of a POST: what it says about the action, and for the record what was sent and what came back."""

    answer: wire.Accepted | wire.Refused | wire.Unclear | wire.NeverSent
    status: int | None
    body: bytes
    reply: str


class Client:
    """One account's calls, for several threads. Raises BadAddress at once; every GET may raise any other CloudError.

    ``now`` is the time of day in Unix seconds, ``monotonic`` a clock that never goes back; ``deadline`` is always the
    most seconds that the whole call may take.
    """

    def __init__(self, account: Account, *, now: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._account = account
        self._base = f"{origin(account)}/api/dr/v2"
        self._now = now
        self._monotonic = monotonic
        self._tokens = Tokens(account, now=now, monotonic=monotonic)
        self._transport = transport_for(account)
        self._session: tuple[Token, OAuth2Session] | None = None
        self._simulator: bool | None = None

    def __repr__(self) -> str:
        return f"Client({self._account!r})"

    @property
    def simulator(self) -> bool | None:
        """Whether the last answer came from drdash's own simulator; None before the first one."""
        return self._simulator

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
                    _servers,
                    patience,
                )
                for chunk in _chunks(resource_ids)
            ]
        return _merged(parts)

    def sites(self, *, allow_deleted: bool = False, deadline: float = 60.0, patience: Patience = once) -> Listing[Site]:
        """GET /sites: all pages; ``patience`` as for ``servers``."""
        query = [("allow_deleted", "true")] if allow_deleted else []
        with self._deadline(deadline) as until:
            return self._listing("/sites", query, until, _sites, patience)

    def site(self, uuid: str, *, deadline: float = 30.0) -> Site:
        """GET /sites/{uuid}."""
        if not _UUID.fullmatch(uuid):
            raise wire.NotSent("The site's uuid has characters that no uuid has.")
        with self._deadline(deadline) as until:
            reply = self._get(f"/sites/{quote(uuid, safe='')}", until, ANSWER_LIMIT)
        wire.decipher(reply.status, reply.headers, reply.body, now=self._now())
        (site,) = _sites([msgspec.Raw(reply.body)])
        if site.key != uuid.lower():
            raise wire.NotUnderstood("The cloud answered with another site than the one that was asked for.")
        return site

    def start_failover_test(
        self, uuid: str, recovery_point: RecoveryPoint | None = None, *, deadline: float = 70.0
    ) -> Sent:
        """POST /servers/{uuid}:start_failover_test; without a recovery point from the latest one."""
        return self._post(uuid, "start_failover_test", recovery_point, deadline)

    def start_failover_prod(
        self, uuid: str, recovery_point: RecoveryPoint | None = None, *, deadline: float = 70.0
    ) -> Sent:
        """POST /servers/{uuid}:start_failover_prod; without a recovery point from the latest one."""
        return self._post(uuid, "start_failover_prod", recovery_point, deadline)

    def stop_failover(self, uuid: str, *, deadline: float = 70.0) -> Sent:
        """POST /servers/{uuid}:stop_failover: what the running machine wrote is lost."""
        return self._post(uuid, "stop_failover", None, deadline)

    def _listing(
        self,
        path: str,
        query: list[tuple[str, str]],
        until: Deadline,
        read: Callable[[Sequence[msgspec.Raw]], list[_Item]],
        patience: Patience,
    ) -> Listing[_Item]:
        items: dict[str, _Item] = {}
        cursors: set[str] = set()
        query = [*query, ("limit", "50")]
        for _ in range(MOST_PAGES):
            reply = self._get_patiently(f"{path}?{urlencode(query)}", until, patience)
            page = wire.page(reply.status, reply.headers, reply.body, now=self._now())
            items.update((item.key, item) for item in read(page.items))
            if page.after is None:
                whole = page.total is not None and len(items) >= page.total
                return Listing(items=tuple(items.values()), total=page.total, whole=whole)
            if page.after in cursors:
                raise wire.NotUnderstood("The cloud's list goes in circles: it gave the same cursor twice.")
            cursors.add(page.after)
            query = [("after", page.after)]
        raise wire.NotUnderstood(f"The cloud's list does not end: it has more than {MOST_PAGES} pages.")

    def _get_patiently(self, path: str, until: Deadline, patience: Patience) -> Reply:
        for tries in count(1):
            try:
                reply = self._get(path, until, PAGE_LIMIT)
            except (wire.Broken, wire.NotSent):
                if until.over or not patience(tries):
                    raise
            else:
                if reply.status < 500 or until.over or not patience(tries):
                    return reply
        raise AssertionError("count() does not end")

    def _get(self, path: str, until: Deadline, limit: int) -> Reply:
        token = self._tokens.current(until)
        reply = self._read(path, token, until, limit)
        if reply.status == 401:
            reply = self._read(path, self._tokens.current(until, instead_of=token), until, limit)
        return reply

    def _read(self, path: str, token: Token, until: Deadline, limit: int) -> Reply:
        self._tokens.hold.obey()
        held = self._session
        if held is None or held[0] is not token:
            held = self._session = token, session_for(self._account, self._transport, token)
        return self._noted(exchange(held[1], "GET", self._base + path, deadline=until, limit=limit), token)

    def _post(self, uuid: str, verb: str, recovery_point: RecoveryPoint | None, deadline: float) -> Sent:
        body = msgspec.json.encode({} if recovery_point is None else {"recovery_point": recovery_point})
        try:
            if not _UUID.fullmatch(uuid):
                raise wire.NotSent("The server's uuid has characters that no uuid has.")
            if recovery_point and not all(msgspec.structs.astuple(recovery_point)):
                raise wire.NotSent("A recovery point needs all three of its ids.")
            with self._deadline(FETCH_SECONDS) as until:
                token = self._tokens.current(until)
            self._tokens.hold.obey()
        except wire.CloudError as error:
            wait = error.retry_after if isinstance(error, wire.TooManyRequests) else None
            return Sent(answer=wire.NeverSent(str(error), retry_after=wait), status=None, body=body, reply="")
        try:
            reply = self._post_once(f"/servers/{quote(uuid, safe='')}:{verb}", body, token, deadline)
        except wire.NotSent as error:
            return Sent(answer=wire.NeverSent(str(error)), status=None, body=body, reply="")
        except wire.Broken as error:
            return Sent(answer=wire.Unclear(str(error)), status=None, body=body, reply="")
        if reply.status == 401:
            self._tokens.forget(token)
        answer = wire.answer(reply.status, reply.headers, reply.body, now=self._now())
        text = reply.body.decode(errors="replace").replace("\0", "\ufffd")
        return Sent(answer=answer, status=reply.status, body=body, reply=text[:2000])

    def _post_once(self, path: str, body: bytes, token: Token, deadline: float) -> Reply:
        """One request on a connection that is made for it and ends with it, so that no layer has another one to try."""
        transport = transport_for(self._account)
        with session_for(self._account, transport, token) as session, self._deadline(deadline) as until:
            reply = exchange(
                session,
                "POST",
                self._base + path,
                deadline=until,
                limit=ANSWER_LIMIT,
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
        return Deadline(seconds, self._monotonic)


def _servers(items: Sequence[msgspec.Raw]) -> list[Server]:
    try:
        return [reading.server(item) for item in items]
    except reading.Malformed as error:
        raise wire.NotUnderstood(f"The cloud's list of servers cannot be read: {error}.") from None


def _sites(items: Sequence[msgspec.Raw]) -> list[Site]:
    try:
        return [reading.site(item) for item in items]
    except reading.Malformed as error:
        raise wire.NotUnderstood(f"The cloud's sites cannot be read: {error}.") from None


def _chunks(resource_ids: Sequence[str]) -> Iterator[list[str]]:
    """As many ids at once as a URL of usual length takes; one empty chunk when there are none."""
    chunk: list[str] = []
    length = 0
    for entry in dict.fromkeys(resource_ids):
        more = len(urlencode([("recovery.resource_id", entry)])) + 1
        if chunk and length + more > LONGEST_QUERY:
            yield chunk
            chunk, length = [], 0
        chunk.append(entry)
        length += more
    yield chunk


def _merged(parts: Sequence[Listing[_Item]]) -> Listing[_Item]:
    if len(parts) == 1:
        return parts[0]
    items = {item.key: item for part in parts for item in part.items}
    totals = [part.total for part in parts if part.total is not None]
    return Listing(
        items=tuple(items.values()),
        total=sum(totals) if len(totals) == len(parts) else None,
        whole=all(part.whole for part in parts),
    )
