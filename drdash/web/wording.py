"""Plain words for what the cloud and the actions say: each with an icon and a tone, so that colour is never alone.

Tones: ``moving`` blue, ``still`` grey, ``good`` green, ``warn`` amber, ``bad`` red, ``prod`` for production.
A word that is not listed is shown as it came, grey, with a question mark: never green.
"""

from collections.abc import Mapping

import msgspec

from drdash.cloud.words import OpenEnum, Readiness, Rel, ServerStatus, Severity, SiteStatus, VmStatus
from drdash.failover.guard import PRODUCTION, TESTS, Kind
from drdash.failover.models import Consent, State
from drdash.failover.reasons import Remedy


class Look(msgspec.Struct, frozen=True):
    """A word, the icon before it and the tone of both."""

    word: str
    tone: str = "still"
    icon: str = "unknown"


UNSAID = Look("Not said")


def look_of(looks: Mapping[str, Look], value: str | None) -> Look:
    """The look of one of the cloud's words; an unlisted one as it came, an absent one as not said."""
    if not value:
        return UNSAID
    return looks.get(value) or Look(str(value))


def _moving(word: str) -> Look:
    return Look(word, "moving", "moving")


SERVER_STATUS: dict[str, Look] = {
    ServerStatus.STAND_BY: Look("Stand-by", "still", "standby"),
    ServerStatus.CREATING: _moving("Being created"),
    ServerStatus.DELETING: _moving("Being deleted"),
    ServerStatus.RECONFIGURING: _moving("Being reconfigured"),
    ServerStatus.POWERING_ON: _moving("Powering on"),
    ServerStatus.POWERING_OFF: _moving("Powering off"),
    ServerStatus.STARTING_FAILOVER_TEST: _moving("Test starting"),
    ServerStatus.FAILOVER_TEST: Look("Test running", "moving", "test"),
    ServerStatus.STARTING_FAILOVER_TEST_AUTO: _moving("Automated test starting"),
    ServerStatus.FAILOVER_TEST_AUTO: Look("Automated test running", "moving", "test"),
    ServerStatus.STARTING_FAILOVER_PROD: Look("Production starting", "prod", "moving"),
    ServerStatus.FINALIZATION: Look("Production, finalizing", "prod", "production"),
    ServerStatus.FAILOVER_PROD: Look("Production running", "prod", "production"),
    ServerStatus.FINALIZATION_FAILED: Look("Finalization failed", "bad", "bad"),
    ServerStatus.STOPPING_FAILOVER: _moving("Failover stopping"),
    ServerStatus.RESTORING_FROM_BACKUP: _moving("Restoring from backup"),
    ServerStatus.STOPPING_RESTORE_FROM_BACKUP: _moving("Restore stopping"),
    ServerStatus.FAILING_BACK: _moving("Failing back"),
    ServerStatus.FAILBACK_DATA_TRANSFER: _moving("Failback: data transfer"),
    ServerStatus.FAILBACK_SWITCHOVER: _moving("Failback: switchover"),
    ServerStatus.FAILBACK_VALIDATION: _moving("Failback: validation"),
    ServerStatus.STARTING_FAILBACK: _moving("Failback starting"),
    ServerStatus.STARTING_FAILBACK_DATA_TRANSFER_RESUME: _moving("Failback: data transfer resuming"),
    ServerStatus.STARTING_FAILBACK_DATA_TRANSFER_STOP: _moving("Failback: data transfer stopping"),
    ServerStatus.STARTING_FAILBACK_SWITCHOVER_BEGIN: _moving("Failback: switchover beginning"),
    ServerStatus.STARTING_FAILBACK_SWITCHOVER_COMPLETE: _moving("Failback: switchover completing"),
    ServerStatus.STARTING_FAILBACK_COMMIT: _moving("Failback: committing"),
    ServerStatus.STARTING_FAILBACK_ROLLBACK: _moving("Failback: rolling back"),
}
VM_STATUS: dict[str, Look] = {
    VmStatus.STARTED: Look("VM started", "still", "on"),
    VmStatus.STOPPED: Look("VM stopped", "still", "off"),
    VmStatus.SUSPENDED: Look("VM suspended", "still", "off"),
    VmStatus.NOT_READY: Look("VM not ready", "still", "off"),
}
SITE_STATUS: dict[str, Look] = {
    SiteStatus.PROVISIONED: Look("Provisioned", "still", "standby"),
    SiteStatus.PROVISIONING: _moving("Being provisioned"),
    SiteStatus.DEPROVISIONING: _moving("Being removed"),
}
READINESS: dict[str, Look] = {
    Readiness.OK: Look("Ready", "good", "good"),
    Readiness.WARNING: Look("Ready with caution", "warn", "warn"),
    Readiness.ERROR: Look("Not ready", "bad", "bad"),
}
SEVERITY: dict[str, Look] = {
    Severity.ERROR: Look("Error", "bad", "bad"),
    Severity.WARNING: Look("Warning", "warn", "warn"),
}
RPO: dict[str, Look] = {
    "OK": Look("Backup in time", "good", "good"),
    "WARNING": Look("Backup late", "warn", "warn"),
    "ERROR": Look("Backup very late", "warn", "warn"),
    "CRITICAL": Look("Backup critical", "bad", "bad"),
}
AUTOMATED_TEST: dict[str, Look] = {
    "SUCCESS": Look("Automated test succeeded", "good", "good"),
    "FAILURE": Look("Automated test failed", "bad", "bad"),
}
STATE: dict[str, Look] = {
    State.REQUESTED: Look("Requested", "moving", "moving"),
    State.SENDING: Look("Sending", "moving", "moving"),
    State.ACCEPTED: Look("Accepted, not done yet", "moving", "moving"),
    State.SUCCEEDED: Look("Succeeded", "good", "good"),
    State.FAILED: Look("Failed", "bad", "bad"),
    State.REFUSED: Look("Refused", "warn", "blocked"),
    State.EXPIRED: Look("Expired, never sent", "still", "off"),
    State.NOT_SENT: Look("Not sent", "still", "off"),
    State.UNKNOWN: Look("Outcome unknown", "warn", "unknown"),
    State.CLOSED: Look("Closed by a person", "still", "off"),
}
STATE_MEANS: dict[str, str] = {
    State.REQUESTED: "Written down here; nothing has been sent yet.",
    State.SENDING: "It is on its way to the cloud.",
    State.ACCEPTED: "The cloud said that it will do it. It has not been seen done yet.",
    State.SUCCEEDED: "The wanted state was seen at the cloud after it was accepted.",
    State.FAILED: "Its task was seen and is gone, and the wanted state was not reached.",
    State.REFUSED: "It was refused. Nothing was started or stopped.",
    State.EXPIRED: "It was not sent in time, and will never be sent.",
    State.NOT_SENT: "The cloud could not be reached. Nothing was sent.",
    State.UNKNOWN: "The cloud may or may not have taken it. It is not sent again: a person has to look there.",
    State.CLOSED: "Its outcome stayed unknown; it no longer counts as open.",
}
CONSENT: dict[str, Look] = {
    Consent.ASKED: Look("Waits for a second admin", "moving", "wait"),
    Consent.GIVEN: Look("Approved", "good", "good"),
    Consent.DECLINED: Look("Declined", "warn", "blocked"),
    Consent.WITHDRAWN: Look("Withdrawn", "still", "off"),
    Consent.VOID: Look("Void", "warn", "blocked"),
    Consent.EXPIRED: Look("Expired", "still", "off"),
    Consent.USED: Look("Used", "still", "on"),
}
CONSENT_MEANS: dict[str, str] = {
    Consent.ASKED: "Nothing is sent yet. Another admin of the tenant has to approve it first.",
    Consent.GIVEN: "Nothing is sent yet. Who asked may go on now, once, as long as nothing changes.",
    Consent.DECLINED: "Nothing was sent.",
    Consent.WITHDRAWN: "Who asked did not want it any more. Nothing was sent.",
    Consent.VOID: "What it was asked or given for is so no more. Nothing was sent.",
    Consent.EXPIRED: "It was not answered, or not used, in time. Nothing was sent.",
    Consent.USED: "It let one action go.",
}
REMEDY: dict[str, Look] = {
    Remedy.WAIT: Look("Wait", "moving", "wait"),
    Remedy.FIX: Look("Fix", "warn", "fix"),
    Remedy.ASK: Look("Ask", "still", "ask"),
}
REL: dict[str, str] = {
    Rel.SERVER_PAGE: "Server in the cloud's console",
    Rel.RECOVERY_POINTS: "Recovery points",
    Rel.REMOTE_CONSOLE: "Remote console",
    Rel.START_PROD: "Start production",
    Rel.START_TEST: "Start test",
    Rel.STOP: "Stop failover",
    Rel.SITE_CONNECTIVITY: "Connectivity in the cloud's console",
}
KIND: dict[str, str] = {
    Kind.START_TEST: "Start test",
    Kind.START_PROD: "Start production",
    Kind.STOP: "Stop failover",
}
SCHEDULE: dict[str, str] = {
    "HOURLY": "every hour",
    "DAILY": "every day",
    "WEEKLY": "every week",
    "MONTHLY": "every month",
    "NEVER": "off",
}


def verb(kind: str, status: OpenEnum | None) -> str:
    """What a button for the action says: a stop names what it stops."""
    if kind == Kind.STOP and status in TESTS:
        return "Stop test"
    if kind == Kind.STOP and status in PRODUCTION:
        return "Stop production"
    return KIND.get(kind, kind)


def action_name(kind: str, *, production: bool) -> str:
    """What a recorded action was, in words."""
    if kind == Kind.STOP:
        return "Stop production" if production else "Stop test"
    return KIND.get(kind, kind)


def rel_words(rel: str) -> str:
    """What a link leads to or an issue blocks; an unlisted rel as it came."""
    return REL.get(rel, str(rel))


_ACRONYMS = {"uuid": "UUID", "id": "ID", "ip": "IP", "vm": "VM", "os": "OS", "cpu": "CPU", "ram": "RAM", "rpo": "RPO"}
_UNITS = frozenset({"mb", "gb", "seconds"})


def sentence(label: str) -> str:
    """A field's name as words, without its unit: ``last_task_uuid`` → ``Last task UUID``."""
    words = [_ACRONYMS.get(word, word) for word in label.split("_") if word]
    if len(words) > 1 and words[-1] in _UNITS:
        words.pop()
    text = " ".join(words)
    return text[:1].upper() + text[1:] if text else label
