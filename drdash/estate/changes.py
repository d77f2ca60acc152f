"""What changed on a server, or on its site, between two reads, as its history tells it. Pure."""

from collections.abc import Iterator
from enum import StrEnum

import msgspec

from drdash.cloud.records import Issue, Server, Site
from drdash.estate.snapshot import Seen

LONGEST = 300
# What an issue of the site itself is about.
OF_SITE = "site"


class What(StrEnum):
    """What a change is of. One that a later program wrote may be another word."""

    LISTED = "listed"
    MISSING = "missing"
    RETURNED = "returned"
    STATUS = "status"
    MACHINE = "machine"
    BACKUP = "backup"
    TESTED = "tested"
    UNSAID = "unsaid"
    SAID = "said"
    CAME = "came"
    WENT = "went"
    SITE = "site"
    READINESS = "readiness"


class Changed(msgspec.Struct, frozen=True, omit_defaults=True):
    """One change. ``before`` and ``after``: the cloud's words; of an automated test its start and its result; the rest
    is of an issue that came or went."""

    what: str
    before: str = ""
    after: str = ""
    code: str = ""
    severity: str = ""
    link: str = ""
    message: str = ""


def differences(before: Seen[Server] | None, now: Seen[Server]) -> tuple[Changed, ...]:
    """What the later look shows that the earlier one (None: there was none) did not. The status comes first."""
    if before is None:
        return (Changed(What.LISTED, after=_status(now.record)),)
    if now.missing_since:
        return () if before.missing_since else (Changed(What.MISSING),)
    return tuple(_differences(before, now))


def site_differences(before: Seen[Site] | None, now: Seen[Site]) -> tuple[Changed, ...]:
    """The same of a site, whose servers tell it; of one that was not listed, or is so no more, nothing."""
    if before is None or before.missing_since or now.missing_since:
        return ()
    old, new = before.record, now.record
    found = [
        Changed(what, before=_text(was), after=_text(is_now))
        for what, was, is_now in (
            (What.SITE, old.status, new.status),
            (What.READINESS, old.readiness, new.readiness),
        )
        if _text(was) != _text(is_now)
    ]
    issues = _of_issues(old.issues, new.issues)
    named = [msgspec.structs.replace(one, link=OF_SITE) for one in issues if one.what in {What.CAME, What.WENT}]
    return (*found, *dict.fromkeys(named))


def _differences(before: Seen[Server], now: Seen[Server]) -> Iterator[Changed]:
    old, new = before.record, now.record
    if before.missing_since:
        yield Changed(What.RETURNED)
    for what, word in ((What.STATUS, _status), (What.MACHINE, _machine), (What.BACKUP, _backup)):
        if word(old) != word(new):
            yield Changed(what, before=word(old), after=word(new))
    if (result := _result(new)) and result != _result(old):
        start, outcome = result
        yield Changed(What.TESTED, before=start, after=outcome)
    yield from _of_issues(old.issues, new.issues)


def _of_issues(old: tuple[Issue, ...] | None, new: tuple[Issue, ...] | None) -> Iterator[Changed]:
    """Of what is not said nothing came and nothing went; said again, all of it is news."""
    if new is None:
        if old is not None:
            yield Changed(What.UNSAID)
        return
    if old is None:
        yield Changed(What.SAID)
    had, has = _known(old or ()), _known(new)
    yield from (_issue(What.CAME, has[key]) for key in has if key not in had)
    yield from (_issue(What.WENT, had[key]) for key in had if key not in has)


def _known(issues: tuple[Issue, ...]) -> dict[tuple[str, str, str], Issue]:
    return {(_text(one.code), _text(one.severity), _text(one.link)): one for one in issues}


def _issue(what: What, one: Issue) -> Changed:
    return Changed(
        what,
        code=_text(one.code),
        severity=_text(one.severity),
        link=_text(one.link),
        message=_text(one.message),
    )


def _status(server: Server) -> str:
    return _text(server.status)


def _machine(server: Server) -> str:
    return _text(server.vm.status if server.vm else None)


def _backup(server: Server) -> str:
    return _text(server.rpo.status if server.rpo else None)


def _result(server: Server) -> tuple[str, str] | None:
    test = server.automated_test
    if test is None or not test.last_status:
        return None
    return test.last_start.isoformat() if test.last_start else "", _text(test.last_status)


def _text(word: str | None) -> str:
    """As much as is worth keeping, and as a database takes it."""
    return str(word or "").replace("\0", "")[:LONGEST]
