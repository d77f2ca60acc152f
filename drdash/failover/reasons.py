"""Why an action may not go, or not without a nod: each reason in words, with what to do about it."""

from enum import IntEnum, StrEnum

import msgspec

from drdash.english import english


class Remedy(StrEnum):
    """What the operator can do: wait until it passes, fix it, or ask someone with more rights."""

    WAIT = "wait"
    FIX = "fix"
    ASK = "ask"


class Mark(IntEnum):
    """What one row of the guard's table says; the highest decides."""

    FREE = 0
    ACKNOWLEDGE = 1
    GLASS = 2
    BLOCK = 3


class Reason(msgspec.Struct, frozen=True):
    """One row of the table that applies. ``code`` is the cloud's for its issues, else one of ``OWN_REASONS``."""

    code: str
    message: str
    remedy: Remedy
    mark: Mark
    task_uuids: tuple[str, ...] = ()


OWN_REASONS: dict[str, tuple[str, Remedy]] = {
    "ServerGone": (english("The cloud no longer lists this server."), Remedy.ASK),
    "NotRecovery": (english("Only recovery servers fail over."), Remedy.ASK),
    "NotOffered": (english("The cloud does not offer this action for the server."), Remedy.ASK),
    "RoleViewer": (english("Your role may look, not act. An operator or an admin can do this."), Remedy.ASK),
    "RoleOperator": (english("Your role may start and stop tests only. An admin can do this."), Remedy.ASK),
    "SignInAgain": (
        english("Your sign-in is older than 5 minutes. This is production: give your password once more."),
        Remedy.FIX,
    ),
    "TokenNoProduction": (
        english("This API token may not run production. An admin of the tenant can allow it, for this token."),
        Remedy.ASK,
    ),
    "NeedsApproval": (english("Production needs the word of a second admin in this tenant."), Remedy.ASK),
    "WatchOnly": (english("This tenant is only watched. An admin of it arms it first."), Remedy.ASK),
    "TenantPaused": (
        english("This tenant is paused: nobody would see what comes of it. An admin resumes it first."),
        Remedy.ASK,
    ),
    "LinksUnknown": (english("The cloud did not say which actions the server offers."), Remedy.WAIT),
    "IssuesUnknown": (english("The cloud did not say which issues the server has."), Remedy.WAIT),
    "SeverityUnknown": (english("The cloud reports an issue of a severity that is not known."), Remedy.ASK),
    "SiteNotProvisioned": (english("The site is not provisioned."), Remedy.WAIT),
    "SiteUnknown": (english("The server's site is not known."), Remedy.ASK),
    "SiteUnread": (english("The server's site could not be read."), Remedy.WAIT),
    "SiteIssuesUnknown": (english("The cloud did not say which issues the site has."), Remedy.WAIT),
    "ReadinessWarning": (english("The site is ready only with caution."), Remedy.FIX),
    "ReadinessError": (english("The site is not ready for failover."), Remedy.FIX),
    "ReadinessUnknown": (english("The site's readiness is not known."), Remedy.WAIT),
    "NothingToStop": (english("No failover is running."), Remedy.WAIT),
    "TestRunning": (english("A test failover is running."), Remedy.WAIT),
    "ProductionRunning": (english("A production failover is running."), Remedy.ASK),
    "ProductionStop": (english("This stops production: what the running machine wrote will be lost."), Remedy.ASK),
    "Unsettled": (
        english("The server is between two states, and no task is named that would lead it out."),
        Remedy.WAIT,
    ),
    "StatusBusy": (english("The server is doing something else."), Remedy.WAIT),
    "TaskRunning": (english("A task is running on the server."), Remedy.WAIT),
    "StatusUnknown": (english("The server's status is not known."), Remedy.ASK),
    "ReadFailed": (english("The cloud could not be asked just now."), Remedy.WAIT),
    "NotAcknowledged": (english("Acknowledge what stands against it first."), Remedy.FIX),
    "NotConfirmed": (english("This counts as production: type the server's name to confirm."), Remedy.FIX),
    "Changed": (english("Something changed since you looked. Look again."), Remedy.WAIT),
    "OtherKind": (english("Here it is of the other kind: production and tests are never in one batch."), Remedy.ASK),
    "NoPoint": (english("No recovery point before that time is known."), Remedy.ASK),
    "OurActionOpen": (english("An action sent from here is not finished."), Remedy.WAIT),
    "OurStartUnknown": (english("The outcome of a start sent from here is unknown. A person has to look."), Remedy.ASK),
    "OurStopUnknown": (english("The outcome of a stop sent from here is unknown. A person has to look."), Remedy.ASK),
}

# What only says that the action makes no sense now: no waiting and no fixing leads there.
POINTLESS = frozenset({"NothingToStop", "TestRunning", "ProductionRunning"})

START_ONLY = ("Quota", "Subscription", "ServerNotLicensed", "BaseDrTest", "CloudConnection")

_WAIT = ("ResourceBusy", "SiteNotReady", "ServerNotReady")
_FIX = ("VPN", "CloudConnection")


def own(code: str, mark: Mark, *, message: str = "", task_uuids: tuple[str, ...] = ()) -> Reason:
    """A reason of the guard's own; ``message`` replaces the usual words where more is known."""
    words, remedy = OWN_REASONS[code]
    return Reason(code, message or words, remedy, mark, task_uuids)


def remedy_of(code: str) -> Remedy:
    """Who can clear an issue of the cloud: unknown codes are for someone with more rights."""
    if code in _WAIT:
        return Remedy.WAIT
    return Remedy.FIX if code.startswith(_FIX) else Remedy.ASK
