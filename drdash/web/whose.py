"""Who started what runs on a server, in words, as far as that is certain."""

from datetime import datetime
from typing import Any

import msgspec

from drdash.cloud.records import Server
from drdash.failover import origins
from drdash.failover.models import Failover, Origin, State
from drdash.phrases import phrase, said
from drdash.web.actioncards import action_url
from drdash.web.wording import action_name

UNTOLD = (State.SENDING, State.UNKNOWN, State.CLOSED)


class Whose(msgspec.Struct, frozen=True):
    """Where a failover came from. ``at``: when it was started, or with ``seen`` only when it was first seen. ``kind``:
    what it is, in a sentence, where the server's status does not tell."""

    words: str
    at: datetime | None
    seen: bool
    url: str = ""
    kind: str = ""

    @property
    def sentence(self) -> str:
        """The words as a sentence begins, in the language of whoever reads now."""
        words = str(said(self.words))
        return words[:1].upper() + words[1:]


def whose(server: Server, failover: Failover | None) -> Whose | None:
    """In words what is known of the failover that runs on the server; None: nothing is known, or nothing runs."""
    if failover is None:
        return None
    kind = ""
    if origins.tells(server.status) is None and failover.production is not None:
        kind = phrase("What runs is a test, as far as it was seen.")
        if failover.production:
            kind = phrase("What runs is production, as far as it was seen.")
    if failover.origin == Origin.AUTOMATED:
        return Whose(phrase("started as an automated test"), failover.seen_at, seen=True, kind=kind)
    if failover.origin == Origin.OUTSIDE or failover.action is None:
        return Whose(phrase("started in the cloud's own console"), failover.seen_at, seen=True, kind=kind)
    action, url = failover.action, action_url(failover.action)
    if failover.origin == Origin.OURS:
        words = phrase("started by %(who)s from here", who=action.user.get_username())
        return Whose(words, action.sent_at, False, url, kind)
    name = action_name(action.kind, production=action.production)
    words = phrase("perhaps started from here: the outcome of %(action)s is unknown", action=name)
    if action.state not in UNTOLD:
        words = phrase(
            "perhaps started from here, by %(action)s of %(who)s", action=name, who=action.user.get_username()
        )
    return Whose(words, failover.seen_at, True, url, kind)


def stamp(failover: Failover | None) -> tuple[Any, ...]:
    """What those words are made of: as long as this is the same, so are they."""
    if failover is None:
        return ()
    action = failover.action
    return (failover.pk, failover.production, failover.origin, failover.seen_at, action and (action.pk, action.state))
