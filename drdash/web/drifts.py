"""What changed between two looks at a server, in words: what was, and what is. Pure."""

from collections.abc import Iterable

import msgspec

from drdash.cloud.words import Severity
from drdash.failover.sighting import Sighting
from drdash.web.phrases import joined, phrase
from drdash.web.wording import SERVER_STATUS, SEVERITY, look_of, rel_words

SEVERITIES: dict[str, str] = {Severity.ERROR: phrase("error"), Severity.WARNING: phrase("warning")}
NOT_THERE = phrase("not there")


class Drift(msgspec.Struct, frozen=True):
    """One thing that is not as it was."""

    what: str
    was: str
    now: str


def drifts(before: Sighting, now: Sighting) -> tuple[Drift, ...]:
    """All that differs, for better or worse: whoever decides anew wants to know both."""
    pairs: list[tuple[str, str, str]] = [
        (phrase("Server"), before.name or before.server, now.name or now.server),
        (phrase("Site"), before.site or phrase("none"), now.site or phrase("none")),
        (phrase("Status"), look_of(SERVER_STATUS, before.status).word, look_of(SERVER_STATUS, now.status).word),
        (phrase("Your role"), str(before.role), str(now.role)),
    ]
    codes = sorted({code for code, _, _ in before.issues ^ now.issues})
    pairs += [(code or phrase("An unnamed issue"), _told(before, code), _told(now, code)) for code in codes]
    return tuple(Drift(*pair) for pair in pairs if pair[1] != pair[2])


def still(ticked: Iterable[str], before: Sighting, now: Sighting) -> frozenset[str]:
    """Which codes stay acknowledged: not those of issues that changed, and when the status did, of issues alone."""
    changed = {code for code, _, _ in before.issues ^ now.issues}
    kept = frozenset(ticked) - changed
    return kept if before.status == now.status else kept & {code for code, _, _ in now.issues}


def _told(sighting: Sighting, code: str) -> str:
    """The issue as it is told there: its severity, and what it is about."""
    told = sorted(
        phrase("%(severity)s (%(about)s)", severity=_severity(severity), about=_about(link))
        if link
        else _severity(severity)
        for one, severity, link in sighting.issues
        if one == code
    )
    return joined(phrase(", "), told) or NOT_THERE


def _severity(severity: str) -> str:
    return SEVERITIES.get(severity) or look_of(SEVERITY, severity).word.lower()


def _about(link: str) -> str:
    return phrase("of the site") if link == "site" else rel_words(link)
