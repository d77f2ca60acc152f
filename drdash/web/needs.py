"""What no program will clear up: each with what to do about it, in a sentence. Pure but for words."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import IntEnum

import msgspec
from django.urls import reverse

from drdash.cloud.records import Site
from drdash.cloud.words import Readiness, ServerStatus
from drdash.estate.changes import What
from drdash.estate.snapshot import Health, Seen
from drdash.failover.models import Action, Approval, Batch, State
from drdash.tenants.models import Tenant
from drdash.web import cards, tested, wording
from drdash.web.actioncards import action_url
from drdash.web.approvalcards import asked_of
from drdash.web.batchcards import STATES as BATCH
from drdash.web.batchcards import batch_url
from drdash.web.buttons import server_url, site_url
from drdash.web.finding import Found
from drdash.web.help import help_of
from drdash.web.overview import CHANGED, Line, listed
from drdash.web.phrases import phrase, phrases
from drdash.web.said import stored
from drdash.web.tenantcards import STATES
from drdash.web.wording import Look, action_name, look_of

MISSING = Look(phrase("Missing"), "warn", "unknown")


class Need(IntEnum):
    """What needs a person, the worst first."""

    UNKNOWN = 0
    HALF_DONE = 1
    FAILED = 2
    APPROVAL = 3
    BATCH = 4
    UNREAD = 5
    UNREADY = 6
    MISSING = 7
    BACKUP_CRITICAL = 8
    BACKUP_LATE = 9
    TEST_FAILED = 10


Told = tuple[Need, Line]

# What a tenant that is not read as it should be is waiting for.
_UNREAD = {
    "failing": phrase("Find out why, and put it right: until then nothing that is shown of it is current."),
    "refused": phrase("Put in a credential that the cloud accepts."),
    "unread": phrase("Look at the worker's log if this lasts for more than a minute."),
    "stale": phrase("Look whether the worker runs, and at its log."),
}


def of_actions(live: Iterable[Action], failed: Iterable[Action], names: Mapping[int, str]) -> Iterator[Told]:
    """Actions whose outcome nobody knows, and those that failed of late. Their users must be loaded."""
    for action in live:
        if action.state == State.UNKNOWN:
            do = phrase("Look in the cloud's console what became of it, and write that down here.")
            at = action.answered_at or action.sent_at
            yield Need.UNKNOWN, _acted(action, at, do, names[action.tenant_id])
    for action in failed:
        do = phrase("Look at what was seen of it, and decide whether to try again.")
        yield Need.FAILED, _acted(action, action.finished_at, do, names[action.tenant_id])


def of_approvals(waiting: Iterable[Approval], names: Mapping[int, str]) -> Iterator[Told]:
    """What waits for the reader's word as a second admin."""
    for one in waiting:
        what, url = asked_of(one)
        name = acted_on(action_name(one.kind, production=True), what)
        text = phrase("Asked for by %(person)s.", person=one.asked_by.get_username())
        line = Line(wording.CONSENT[one.state], name, url, text, one.asked_at)
        do, tenant = phrase("Approve it or decline it, before it is too old."), names.get(one.tenant_id, "")
        yield Need.APPROVAL, msgspec.structs.replace(line, do=do, tenant=tenant)


def of_batches(paused: Iterable[Batch]) -> Iterator[Told]:
    """The reader's own batches that go on when they say so."""
    for one in paused:
        name, do = phrase("Batch %(number)s", number=one.pk), phrase("Say that it goes on, or stop it.")
        yield Need.BATCH, Line(BATCH[one.state], name, batch_url(one), stored(one.why), one.changed_at, do=do)


def of_server(one: Found, tenant: str) -> Iterator[Told]:
    """What is alarming about a server."""
    server = one.server
    line = Line(MISSING, cards.name_of(server), server_url(server.uuid), tenant=tenant)

    def told(look: Look, text: str, do: str, at: datetime | None = None, what: str = "") -> Line:
        changed = (one.estate.tenant, one.key, what) if what else None
        return msgspec.structs.replace(line, look=look, text=text, do=do, at=at, changed=changed)

    if one.seen.missing_since:
        do = phrase("Find out at the cloud whether it was meant to go.")
        yield Need.MISSING, told(MISSING, phrase("The cloud no longer lists it."), do, one.seen.missing_since)
        return
    if server.status == ServerStatus.FINALIZATION_FAILED:
        text = phrase("Production runs, but it could not be finalized.")
        do = phrase("Look at its issues, and have it finalized in the cloud's console.")
        yield Need.HALF_DONE, told(look_of(wording.SERVER_STATUS, server.status), text, do, what=What.STATUS)
    if server.rpo and server.rpo.status in {"ERROR", "CRITICAL"}:
        critical = server.rpo.status == "CRITICAL"
        text = phrase("Its last backup is too old to rely on.")
        if server.rpo.ratio is not None and server.rpo.ratio >= 1:
            text = phrase(
                "Its last backup is %(ratio)s times as old as it may be.",
                ratio=round(server.rpo.ratio, 1),
            )
        do = phrase("Look at the original machine why no backup comes.")
        need = Need.BACKUP_CRITICAL if critical else Need.BACKUP_LATE
        yield need, told(wording.RPO[server.rpo.status], text, do, what=What.BACKUP)
    if (test := server.automated_test) and tested.failed(server):
        text = phrase("It may not start when it is needed.")
        do = phrase("Look at the test's screenshot, and test it by hand.")
        yield Need.TEST_FAILED, told(wording.AUTOMATED_TEST["FAILURE"], text, do, test.last_start)


def of_site(seen: Seen[Site], tenant: str) -> Iterator[Told]:
    """A site that is not ready."""
    site = seen.record
    if site.readiness != Readiness.ERROR:
        return
    issue = site.issues[0] if site.issues else None
    known = help_of(issue.code) if issue else None
    do = known.clears if known else phrase("Look at the site in the cloud's console.")
    # A version is the time, in milliseconds, of the read that last changed the record.
    at = datetime.fromtimestamp(seen.version / 1000, UTC)
    name = phrase("Site %(name)s", name=cards.site_name(site.uuid, site).short)
    line = Line(wording.READINESS[Readiness.ERROR], name, site_url(site.uuid), issue.message if issue else "", at)
    yield Need.UNREADY, msgspec.structs.replace(line, dated=CHANGED, do=do, tenant=tenant)


def unread(health: Health, state: str) -> str:
    """Why nothing current is known of a tenant in that state (tenantcards.STATES), in a sentence; empty: it is, or
    that is no person's to clear up."""
    match state:
        case "failing":
            return phrase("It cannot be read. %(error)s", error=stored(health.error or ""))
        case "unread":
            return phrase("Nothing was ever read of it.")
        case "stale":
            return phrase("It is not read in time, and nobody says why.")
    return ""


def of_tenants(
    states: Iterable[tuple[Tenant, Health, str]], keeps: frozenset[int], overview: Mapping[int, str]
) -> Iterator[Told]:
    """Tenants that are not read as they should be, with their state (tenantcards.STATES): those with the same trouble
    as one. ``keeps``: those whose credential the reader may change. ``overview``: where each is shown."""
    alike: dict[tuple[str, str], list[tuple[Tenant, Health]]] = {}
    for tenant, health, state in states:
        if text := unread(health, state):
            alike.setdefault((state, text), []).append((tenant, health))
    for (state, text), found in alike.items():
        first, health = found[0]
        refused = any(one.barred_until for _, one in found)
        do = _UNREAD["refused" if refused else state]
        url, do_url = overview[first.pk], reverse("tenant", args=[first.pk]) if first.pk in keeps else ""
        name, at = first.name, min((one.failing_since for _, one in found if one.failing_since), default=None)
        if len(found) > 1:
            name, do_url = phrases("%(count)s tenant", "%(count)s tenants", len(found)), ""
            url = reverse("tenants") if keeps else url
        at = at or (health.as_of if state == "stale" else None)
        yield Need.UNREAD, Line(STATES[state], name, url, text, at, do=do, do_url=do_url)


def worst_first(told: Iterable[Told]) -> list[Line]:
    """The lines, the worst first; those that are equally bad by tenant and name, so that none changes its place."""
    ordered = sorted(told, key=lambda one: (one[0], one[1].tenant.casefold(), one[1].name.casefold(), one[1].url))
    return [line for _, line in ordered]


def lists(told: Sequence[Told], tenant: str = "") -> tuple[tuple[str, str], ...]:
    """Where all of those are listed that there may be many of: words and addresses. ``tenant``: of that one alone."""
    kinds = {need for need, _ in told}
    found = [
        (phrase("Backup late"), {"backup": "late"}, {Need.BACKUP_CRITICAL, Need.BACKUP_LATE}),
        (wording.AUTOMATED_TEST["FAILURE"].word, {"tested": "failed"}, {Need.TEST_FAILED}),
        (phrase("Missing"), {"missing": "true"}, {Need.MISSING}),
    ]
    return tuple((words, listed(**wanted, tenant=tenant)) for words, wanted, needed in found if kinds & needed)


def acted_on(action: str, server: str) -> str:
    """An action on a server, as a name."""
    return phrase("%(action)s: %(server)s", action=action, server=server)


def _acted(action: Action, at: datetime | None, do: str, tenant: str) -> Line:
    name = acted_on(action_name(action.kind, production=action.production), action.server_name or action.server_uuid)
    text = phrase("Sent by %(person)s.", person=action.user.get_username())
    return Line(wording.STATE[action.state], name, action_url(action), text, at, do=do, tenant=tenant)
