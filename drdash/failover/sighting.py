"""What a person saw when they decided, so that a click on a state that is no longer true can be stopped."""

from typing import Any

import msgspec
from django.core import signing

from drdash.cloud.records import Issue, Server, Site
from drdash.cloud.words import Severity
from drdash.english import english
from drdash.failover.guard import Kind
from drdash.tenants.roles import Role

VALID_SECONDS = 120
_SALT = "drdash.sighting"

UNSAID = "not known"
# What differs, as a part of a sentence that lists it.
WAS = {
    "server": english("the server was %(was)s, and is %(now)s now"),
    "site": english("its site was %(was)s, and is %(now)s now"),
    "status": english("its status was %(was)s, and is %(now)s now"),
    "new": english("new issues: %(issues)s"),
    "gone": english("issues gone: %(issues)s"),
    "role": english("your role was %(was)s, and is %(now)s now"),
}


class Sighting(msgspec.Struct, frozen=True):
    """What bears on the decision. ``issues``: (code, severity, link) of the server's and the site's issues. Which point
    is the latest is not among it: who asks for "the latest" asks for the newest at the cloud when it goes, as the page
    says, and only the cloud knows it then. Who means the one that they saw names it, which the wish holds.
    ``nonce``: of the one dialog that shows it; a wish from there has it as its key, so that it is good for one."""

    user: int
    tenant: int
    kind: Kind
    server: str
    name: str
    site: str
    status: str
    role: Role
    issues: frozenset[tuple[str, str, str]]
    nonce: str = ""


class Expired(Exception):
    """The sealed sighting is not ours, not for this, or too old: open the dialog again. ``seen``: what it held, where
    it is only too old."""

    def __init__(self, words: str, seen: Sighting | None = None) -> None:
        super().__init__(words)
        self.seen = seen


def sight_of(*, user: int, tenant: int, kind: Kind, server: Server, site: Site | None, role: Role) -> Sighting:
    """What is seen of the server and its site just now."""
    issues = [*_facts(server.issues), *_facts(site.issues if site else None, of="site")]
    return Sighting(
        user=user,
        tenant=tenant,
        kind=kind,
        server=server.key,
        name=server.name,
        site=server.site_key,
        status=str(server.status or ""),
        role=role,
        issues=frozenset(issues),
    )


def differences(before: Sighting, now: Sighting) -> list[str]:
    """What changed for the worse, in words; empty when the decision still stands on the same ground."""
    found = []
    if (before.tenant, before.server, before.name, before.site) != (now.tenant, now.server, now.name, now.site):
        found.append(WAS["server"] % {"was": before.name or before.server, "now": now.name or now.server})
    if before.status != now.status:
        found.append(WAS["status"] % {"was": before.status or UNSAID, "now": now.status or UNSAID})
    if list(Role).index(now.role) < list(Role).index(before.role):
        found.append(WAS["role"] % {"was": before.role, "now": now.role})
    # An error that is only a warning by now is an improvement.
    known = before.issues | {(code, Severity.WARNING, link) for code, _, link in before.issues}
    new = sorted({code or english("an unnamed issue") for code, _, _ in now.issues - known})
    if new:
        found.append(WAS["new"] % {"issues": ", ".join(new)})
    return found


def seal(sighting: Sighting) -> str:
    """The sighting as a signed text for a form's hidden field: the token of a dialog."""
    return signing.dumps(msgspec.to_builtins(sighting), salt=_SALT, compress=True)


def unseal(text: str, *, user: int, kind: Kind, server: str) -> Sighting:
    """The sighting back. Raises Expired when it is forged, older than 120 s, or of something else."""
    try:
        plain: Any = signing.loads(text, salt=_SALT)
        sighting = msgspec.convert(plain, Sighting)
    except (signing.BadSignature, msgspec.ValidationError, ValueError) as error:
        raise Expired(english("Nothing was sent: the dialog cannot be read back. This is a new one.")) from error
    if (sighting.user, sighting.kind, sighting.server) != (user, kind, server):
        raise Expired(english("Nothing was sent: the dialog was opened for something else. This is a new one."))
    try:
        signing.loads(text, salt=_SALT, max_age=VALID_SECONDS)
    except signing.SignatureExpired as error:
        words = english(
            "Nothing was sent: the dialog was older than %(valid_seconds)s s. This is how it is now.",
            valid_seconds=VALID_SECONDS,
        )
        raise Expired(words, sighting) from error
    return sighting


def _facts(issues: tuple[Issue, ...] | None, *, of: str = "") -> list[tuple[str, str, str]]:
    return [(issue.code, str(issue.severity), of or str(issue.link or "")) for issue in issues or ()]
