"""Who started what runs on a server, in words, as far as that is certain."""

from datetime import datetime
from typing import Any

import msgspec

from drdash.cloud.records import Server
from drdash.failover import origins
from drdash.failover.models import Failover, Origin, State
from drdash.web.actioncards import action_url
from drdash.web.phrases import phrase
from drdash.web.wording import action_name

UNTOLD = (State.SENDING, State.UNKNOWN, State.CLOSED)


class Whose(msgspec.Struct, frozen=True):
    """Where a failover came from, within a sentence and as one begins. ``at``: when it was started, or with ``seen``
    only when it was first seen. ``kind``: what it is, in a sentence, where the server's status does not tell."""

    words: str
    sentence: str
    at: datetime | None
    seen: bool
    url: str = ""
    kind: str = ""


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
        words, sentence = phrase("started as an automated test"), phrase("Started as an automated test")
        return Whose(words, sentence, failover.seen_at, seen=True, kind=kind)
    if failover.origin == Origin.OUTSIDE or failover.action is None:
        words, sentence = phrase("started in the cloud's own console"), phrase("Started in the cloud's own console")
        return Whose(words, sentence, failover.seen_at, seen=True, kind=kind)
    action, url = failover.action, action_url(failover.action)
    who, name = action.user.get_username(), action_name(action.kind, production=action.production)
    if failover.origin == Origin.OURS:
        words, sentence = (
            phrase("started by %(who)s from here", who=who),
            phrase("Started by %(who)s from here", who=who),
        )
        return Whose(words, sentence, action.sent_at, False, url, kind)
    words = phrase("perhaps started from here: the outcome of %(action)s is unknown", action=name)
    sentence = phrase("Perhaps started from here: the outcome of %(action)s is unknown", action=name)
    if action.state not in UNTOLD:
        words = phrase("perhaps started from here, by %(action)s of %(who)s", action=name, who=who)
        sentence = phrase("Perhaps started from here, by %(action)s of %(who)s", action=name, who=who)
    return Whose(words, sentence, failover.seen_at, True, url, kind)


def stamp(failover: Failover | None) -> tuple[Any, ...]:
    """What those words are made of: as long as this is the same, so are they."""
    if failover is None:
        return ()
    action = failover.action
    return (failover.pk, failover.production, failover.origin, failover.seen_at, action and (action.pk, action.state))
