"""What a row or a panel of a server or site shows, from its record. Pure: knows neither the reader nor the time."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from drdash.cloud.records import AutomatedTest, Issue, Link, Server, Site
from drdash.cloud.words import Rel, ServerType, Severity
from drdash.estate.snapshot import Estate, Seen
from drdash.failover.reasons import remedy_of
from drdash.web import wording
from drdash.web.buttons import server_url, site_url
from drdash.web.phrases import phrase, phrases
from drdash.web.wording import Look, look_of

NO_ISSUES = Look(phrase("No issues"), "good", "good")
READINESS_UNSAID = Look(phrase("Readiness not said"), "warn", "unknown")
ISSUES_UNSAID = Look(phrase("Issues not said"), "warn", "unknown")
NOT_AUTOMATED = Look(phrase("No automated test"), "still", "off")
SUCCEEDED_THEN = Look(phrase("Automated test succeeded then"), "warn", "clock")
AUTOMATED_OFF = Look(phrase("Automated test is off"), "still", "off")
NEVER_RAN = Look(phrase("Automated test never ran"), "warn", "warn")
# The same under a heading that says "test".
_SHORTER = {
    NOT_AUTOMATED: phrase("Not automated"),
    SUCCEEDED_THEN: phrase("Automated: succeeded then"),
    AUTOMATED_OFF: phrase("Automated: off"),
    NEVER_RAN: phrase("Automated: never ran"),
    wording.AUTOMATED_TEST["SUCCESS"]: phrase("Automated: succeeded"),
    wording.AUTOMATED_TEST["FAILURE"]: phrase("Automated: failed"),
}


class IssueCard(msgspec.Struct, frozen=True):
    """One issue in words: how bad, what it blocks, and who can clear it."""

    severity: Look
    message: str
    code: str
    domain: str
    blocks: str
    remedy: Look
    task_uuids: tuple[str, ...]


class ServerCard(msgspec.Struct, frozen=True):
    """A server as its row and its page show it."""

    server: Server
    url: str
    name: str
    kind: Look
    status: Look
    vm: Look
    rpo: Look | None
    site: "SiteName"
    issues: tuple[IssueCard, ...]
    worst: Look
    automated: Look
    automated_short: Look
    schedule: str
    missing_since: datetime | None
    task_uuids: tuple[str, ...]
    links: tuple[Link, ...]
    tested: datetime | None
    recovery: bool


class SiteName(msgspec.Struct, frozen=True):
    """A site has no name at the cloud: the beginning of its id stands for it."""

    url: str
    short: str
    uuid: str
    known: bool
    default: bool


class SiteCard(msgspec.Struct, frozen=True):
    """A site as its row and its page show it."""

    site: Site
    name: SiteName
    status: Look
    readiness: Look
    issues: tuple[IssueCard, ...]
    worst: Look
    missing_since: datetime | None
    servers: int
    links: tuple[Link, ...]


def server_card(seen: Seen[Server], site: Site | None, *, old: bool = False) -> ServerCard:
    """The card of a server; ``site`` None: its site is not among the known ones. ``old``: its automated test succeeded
    too long ago to look current."""
    server = seen.record
    test = server.automated_test
    look = automated(test, old=old)
    return ServerCard(
        server=server,
        url=server_url(server.uuid),
        name=name_of(server),
        kind=_kind(server),
        status=look_of(wording.SERVER_STATUS, server.status),
        vm=look_of(wording.VM_STATUS, server.vm.status if server.vm else None),
        rpo=look_of(wording.RPO, server.rpo.status) if server.rpo else None,
        site=site_name(server.site_uuid, site),
        issues=tuple(_issue(issue) for issue in server.issues or ()),
        worst=worst_of(server.issues),
        automated=look,
        automated_short=msgspec.structs.replace(look, word=_SHORTER.get(look, look.word)),
        schedule=wording.SCHEDULE.get(test.schedule, test.schedule) if test else "",
        missing_since=seen.missing_since,
        task_uuids=tuple(sorted(server.task_uuids)),
        links=links_out(server.links),
        tested=server.test_failover.last_start if server.test_failover else None,
        recovery=server.type != ServerType.PRIMARY,
    )


def site_card(seen: Seen[Site], estate: Estate) -> SiteCard:
    """The card of a site, with the number of servers that name it."""
    site = seen.record
    readiness = look_of(wording.READINESS, site.readiness)
    return SiteCard(
        site=site,
        name=site_name(site.uuid, site),
        status=look_of(wording.SITE_STATUS, site.status),
        readiness=readiness if site.readiness else READINESS_UNSAID,
        issues=tuple(_issue(issue) for issue in site.issues or ()),
        worst=worst_of(site.issues),
        missing_since=seen.missing_since,
        servers=sum(one.record.site_key == site.key for one in estate.servers.values()),
        links=links_out(site.links),
    )


def name_of(server: Server) -> str:
    """The server's name, or its id where it has none."""
    return server.name.strip() or server.uuid


def site_name(uuid: str, site: Site | None) -> SiteName:
    """How a site is called and where its page is."""
    short = uuid[:8] if len(uuid) == 36 and uuid.count("-") == 4 else uuid
    return SiteName(
        url=site_url(uuid) if uuid else "",
        short=short or phrase("no site"),
        uuid=uuid,
        known=site is not None,
        default=bool(site and site.default),
    )


def moving(server: Server) -> bool:
    """Whether the cloud is at work on the server, by its own word or by its status."""
    return server.busy or look_of(wording.SERVER_STATUS, server.status).icon == "moving"


def automated(test: AutomatedTest | None, *, old: bool = False) -> Look:
    """What is said of the automated test: never green unless it succeeded, and not long ago."""
    if test is None:
        return NOT_AUTOMATED
    if old:
        return SUCCEEDED_THEN
    if test.last_status:
        return look_of(wording.AUTOMATED_TEST, test.last_status)
    if test.schedule == "NEVER":
        return AUTOMATED_OFF
    return NEVER_RAN


def _kind(server: Server) -> Look:
    if server.type == ServerType.RECOVERY:
        return Look(phrase("Recovery"), "still", "recovery")
    if server.type == ServerType.PRIMARY:
        return Look(phrase("Primary"), "still", "primary")
    return look_of({}, server.type)


def _issue(issue: Issue) -> IssueCard:
    return IssueCard(
        severity=look_of(wording.SEVERITY, issue.severity),
        message=issue.message or issue.code or phrase("The cloud gives no words for this issue."),
        code=issue.code,
        domain=issue.domain,
        blocks=wording.rel_words(issue.link) if issue.link else "",
        remedy=wording.REMEDY[remedy_of(issue.code)],
        task_uuids=issue.task_uuids,
    )


def worst_of(issues: Iterable[Issue] | None) -> Look:
    """How many issues there are, in the look of the worst."""
    if issues is None:
        return ISSUES_UNSAID
    listed = list(issues)
    if not listed:
        return NO_ISSUES
    count = len({(issue.code, issue.message, issue.severity) for issue in listed})
    word = phrases("%(count)s issue", "%(count)s issues", count)
    if any(issue.severity == Severity.ERROR for issue in listed):
        busy = all(issue.code == "ResourceBusy" for issue in listed if issue.severity == Severity.ERROR)
        return Look(phrase("Busy"), "moving", "moving") if busy and count == 1 else Look(word, "bad", "bad")
    known = all(issue.severity.known for issue in listed)
    return Look(word, "warn", "warn" if known else "unknown")


def links_out(links: tuple[Link, ...] | None) -> tuple[Link, ...]:
    """Those that lead a person somewhere; what starts and stops is not for following."""
    calls = {Rel.START_PROD, Rel.START_TEST, Rel.STOP}
    return tuple(link for link in links or () if link.rel not in calls)


def server_status(server: Server) -> Look:
    """The server's status in words."""
    return look_of(wording.SERVER_STATUS, server.status)
