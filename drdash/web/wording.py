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
from drdash.web.phrases import phrase


class Look(msgspec.Struct, frozen=True):
    """A word, the icon before it and the tone of both."""

    word: str
    tone: str = "still"
    icon: str = "unknown"


UNSAID = Look(phrase("Not said"))


def look_of(looks: Mapping[str, Look], value: str | None) -> Look:
    """The look of one of the cloud's words; an unlisted one as it came, an absent one as not said."""
    if not value:
        return UNSAID
    return looks.get(value) or Look(str(value))


def _moving(word: str) -> Look:
    return Look(word, "moving", "moving")


SERVER_STATUS: dict[str, Look] = {
    ServerStatus.STAND_BY: Look(phrase("Stand-by"), "still", "standby"),
    ServerStatus.CREATING: _moving(phrase("Being created")),
    ServerStatus.DELETING: _moving(phrase("Being deleted")),
    ServerStatus.RECONFIGURING: _moving(phrase("Being reconfigured")),
    ServerStatus.POWERING_ON: _moving(phrase("Powering on")),
    ServerStatus.POWERING_OFF: _moving(phrase("Powering off")),
    ServerStatus.STARTING_FAILOVER_TEST: _moving(phrase("Test starting")),
    ServerStatus.FAILOVER_TEST: Look(phrase("Test running"), "moving", "test"),
    ServerStatus.STARTING_FAILOVER_TEST_AUTO: _moving(phrase("Automated test starting")),
    ServerStatus.FAILOVER_TEST_AUTO: Look(phrase("Automated test running"), "moving", "test"),
    ServerStatus.STARTING_FAILOVER_PROD: Look(phrase("Production starting"), "prod", "moving"),
    ServerStatus.FINALIZATION: Look(phrase("Production, finalizing"), "prod", "production"),
    ServerStatus.FAILOVER_PROD: Look(phrase("Production running"), "prod", "production"),
    ServerStatus.FINALIZATION_FAILED: Look(phrase("Finalization failed"), "bad", "bad"),
    ServerStatus.STOPPING_FAILOVER: _moving(phrase("Failover stopping")),
    ServerStatus.RESTORING_FROM_BACKUP: _moving(phrase("Restoring from backup")),
    ServerStatus.STOPPING_RESTORE_FROM_BACKUP: _moving(phrase("Restore stopping")),
    ServerStatus.FAILING_BACK: _moving(phrase("Failing back")),
    ServerStatus.FAILBACK_DATA_TRANSFER: _moving(phrase("Failback: data transfer")),
    ServerStatus.FAILBACK_SWITCHOVER: _moving(phrase("Failback: switchover")),
    ServerStatus.FAILBACK_VALIDATION: _moving(phrase("Failback: validation")),
    ServerStatus.STARTING_FAILBACK: _moving(phrase("Failback starting")),
    ServerStatus.STARTING_FAILBACK_DATA_TRANSFER_RESUME: _moving(phrase("Failback: data transfer resuming")),
    ServerStatus.STARTING_FAILBACK_DATA_TRANSFER_STOP: _moving(phrase("Failback: data transfer stopping")),
    ServerStatus.STARTING_FAILBACK_SWITCHOVER_BEGIN: _moving(phrase("Failback: switchover beginning")),
    ServerStatus.STARTING_FAILBACK_SWITCHOVER_COMPLETE: _moving(phrase("Failback: switchover completing")),
    ServerStatus.STARTING_FAILBACK_COMMIT: _moving(phrase("Failback: committing")),
    ServerStatus.STARTING_FAILBACK_ROLLBACK: _moving(phrase("Failback: rolling back")),
}
VM_STATUS: dict[str, Look] = {
    VmStatus.STARTED: Look(phrase("VM started"), "still", "on"),
    VmStatus.STOPPED: Look(phrase("VM stopped"), "still", "off"),
    VmStatus.SUSPENDED: Look(phrase("VM suspended"), "still", "off"),
    VmStatus.NOT_READY: Look(phrase("VM not ready"), "still", "off"),
}
SITE_STATUS: dict[str, Look] = {
    SiteStatus.PROVISIONED: Look(phrase("Provisioned"), "still", "standby"),
    SiteStatus.PROVISIONING: _moving(phrase("Being provisioned")),
    SiteStatus.DEPROVISIONING: _moving(phrase("Being removed")),
}
READINESS: dict[str, Look] = {
    Readiness.OK: Look(phrase("Ready"), "good", "good"),
    Readiness.WARNING: Look(phrase("Ready with caution"), "warn", "warn"),
    Readiness.ERROR: Look(phrase("Not ready"), "bad", "bad"),
}
SEVERITY: dict[str, Look] = {
    Severity.ERROR: Look(phrase("Error"), "bad", "bad"),
    Severity.WARNING: Look(phrase("Warning"), "warn", "warn"),
}
RPO: dict[str, Look] = {
    "OK": Look(phrase("Backup in time"), "good", "good"),
    "WARNING": Look(phrase("Backup late"), "warn", "warn"),
    "ERROR": Look(phrase("Backup very late"), "warn", "warn"),
    "CRITICAL": Look(phrase("Backup critical"), "bad", "bad"),
}
AUTOMATED_TEST: dict[str, Look] = {
    "SUCCESS": Look(phrase("Automated test succeeded"), "good", "good"),
    "FAILURE": Look(phrase("Automated test failed"), "bad", "bad"),
}
STATE: dict[str, Look] = {
    State.REQUESTED: Look(phrase("Requested"), "moving", "moving"),
    State.SENDING: Look(phrase("Sending"), "moving", "moving"),
    State.ACCEPTED: Look(phrase("Accepted, not done yet"), "moving", "moving"),
    State.SUCCEEDED: Look(phrase("Succeeded"), "good", "good"),
    State.FAILED: Look(phrase("Failed"), "bad", "bad"),
    State.REFUSED: Look(phrase("Refused"), "warn", "blocked"),
    State.EXPIRED: Look(phrase("Expired, never sent"), "still", "off"),
    State.NOT_SENT: Look(phrase("Not sent"), "still", "off"),
    State.UNKNOWN: Look(phrase("Outcome unknown"), "warn", "unknown"),
    State.CLOSED: Look(phrase("Closed by a person"), "still", "off"),
}
STATE_MEANS: dict[str, str] = {
    State.REQUESTED: phrase("Written down here; nothing has been sent yet."),
    State.SENDING: phrase("It is on its way to the cloud."),
    State.ACCEPTED: phrase("The cloud said that it will do it. It has not been seen done yet."),
    State.SUCCEEDED: phrase("The wanted state was seen at the cloud after it was accepted."),
    State.FAILED: phrase("Its task was seen and is gone, and the wanted state was not reached."),
    State.REFUSED: phrase("It was refused. Nothing was started or stopped."),
    State.EXPIRED: phrase("It was not sent in time, and will never be sent."),
    State.NOT_SENT: phrase("The cloud could not be reached. Nothing was sent."),
    State.UNKNOWN: phrase("The cloud may or may not have taken it. It is not sent again: a person has to look there."),
    State.CLOSED: phrase("Its outcome stayed unknown; it no longer counts as open."),
}
CONSENT: dict[str, Look] = {
    Consent.ASKED: Look(phrase("Waits for a second admin"), "moving", "wait"),
    Consent.GIVEN: Look(phrase("Approved"), "good", "good"),
    Consent.DECLINED: Look(phrase("Declined"), "warn", "blocked"),
    Consent.WITHDRAWN: Look(phrase("Withdrawn"), "still", "off"),
    Consent.VOID: Look(phrase("Void"), "warn", "blocked"),
    Consent.EXPIRED: Look(phrase("Expired"), "still", "off"),
    Consent.USED: Look(phrase("Used"), "still", "on"),
}
CONSENT_MEANS: dict[str, str] = {
    Consent.ASKED: phrase("Nothing is sent yet. Another admin of the tenant has to approve it first."),
    Consent.GIVEN: phrase("Nothing is sent yet. Who asked may go on now, once, as long as nothing changes."),
    Consent.DECLINED: phrase("Nothing was sent."),
    Consent.WITHDRAWN: phrase("Who asked did not want it any more. Nothing was sent."),
    Consent.VOID: phrase("What it was asked or given for is so no more. Nothing was sent."),
    Consent.EXPIRED: phrase("It was not answered, or not used, in time. Nothing was sent."),
    Consent.USED: phrase("It let one action go."),
}
REMEDY: dict[str, Look] = {
    Remedy.WAIT: Look(phrase("Wait"), "moving", "wait"),
    Remedy.FIX: Look(phrase("Fix"), "warn", "fix"),
    Remedy.ASK: Look(phrase("Ask"), "still", "ask"),
}
REL: dict[str, str] = {
    Rel.SERVER_PAGE: phrase("Server in the cloud's console"),
    Rel.RECOVERY_POINTS: phrase("Recovery points"),
    Rel.REMOTE_CONSOLE: phrase("Remote console"),
    Rel.START_PROD: phrase("Start production"),
    Rel.START_TEST: phrase("Start test"),
    Rel.STOP: phrase("Stop failover"),
    Rel.SITE_CONNECTIVITY: phrase("Connectivity in the cloud's console"),
}
KIND: dict[str, str] = {
    Kind.START_TEST: phrase("Start test"),
    Kind.START_PROD: phrase("Start production"),
    Kind.STOP: phrase("Stop failover"),
}
SCHEDULE: dict[str, str] = {
    "HOURLY": phrase("every hour"),
    "DAILY": phrase("every day"),
    "WEEKLY": phrase("every week"),
    "MONTHLY": phrase("every month"),
    "NEVER": phrase("off"),
}


def verb(kind: str, status: OpenEnum | None) -> str:
    """What a button for the action says: a stop names what it stops."""
    if kind == Kind.STOP and status in TESTS:
        return phrase("Stop test")
    if kind == Kind.STOP and status in PRODUCTION:
        return phrase("Stop production")
    return KIND.get(kind, kind)


def action_name(kind: str, *, production: bool) -> str:
    """What a recorded action was, in words."""
    if kind == Kind.STOP:
        return phrase("Stop production") if production else phrase("Stop test")
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
