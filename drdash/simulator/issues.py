"""The issues that the DR cloud raises: codes, words and shape."""

from collections.abc import Sequence
from typing import Any

JSON = dict[str, Any]

START_PROD = "DR_CLOUD_SERVER_START_FAILOVER_PROD"
START_TEST = "DR_CLOUD_SERVER_START_FAILOVER_TEST"
STOP = "DR_CLOUD_SERVER_STOP_FAILOVER"
CONSOLE = "DR_CLOUD_SERVER_REMOTE_CONSOLE_PAGE"
ACTIONS = (START_PROD, START_TEST, STOP)

# An error of a site stops every start; these alone stop a stop as well.
BLOCKS_A_STOP = frozenset({"SiteNotReady", "ServerNotReady", "ResourceBusy", "NotAllowed", "VPNGatewayUnreachable"})

BUSY = "The resource is busy, another task is currently in progress. Try again later."
_DISASTER_RECOVERY = {
    "ResourceBusy": BUSY,
    "SiteNotReady": "You cannot perform any operations because the DR site is being deployed or removed.",
    "ServerNotReady": "The cloud server is not ready. Try again later.",
    "NotAllowed": "The operation is not allowed in the current state of the cloud server.",
    "VPNGatewayUnreachable": "The VPN gateway is unreachable.",
    "VPNS2SApplianceNotRegistered": "The VPN appliance is not registered.",
    "VPNS2SApplianceUnreachable": "The VPN appliance is unreachable.",
    "VPNS2SConnectionFailure": "The site-to-site connection could not be established.",
    "VPNIPSecNotConfigured": "The multi-site IPsec VPN connection is not configured.",
    "VPNIPSecConnectionError": "The multi-site IPsec VPN connection is broken.",
    "CloudConnectionIssue": "The connection to the cloud infrastructure is lost.",
    "CloudConnectionWorkerIssue": "The worker of the cloud connection does not respond.",
    "BackupPlanSuspended": "The backup plan of the original machine is suspended.",
}
_LICENSING = {
    "ServerNotLicensed": "The original machine has no license that includes disaster recovery.",
    "QuotaExceededBaseDR": "The quota of basic disaster recovery is exceeded.",
    "QuotaExceededCloudServers": "The quota of cloud servers is exceeded.",
    "QuotaExceededComputePoints": "The quota of compute points is exceeded.",
    "QuotaReachedDrStorage": "The quota of disaster recovery storage is reached.",
    "QuotaReachedCloudServers": "The quota of cloud servers is reached.",
    "QuotaReachedComputePoints": "The quota of compute points is reached.",
    "BaseDrTestFailoverLimitReached": "The monthly limit of test failovers is reached.",
    "SubscriptionNotFoundDrStorage": "No subscription covers disaster recovery storage.",
    "SubscriptionNotFoundComputePoints": "No subscription covers compute points.",
    "SubscriptionNotFoundCloudServers": "No subscription covers cloud servers.",
}


def issue(code: str, target: str, *, severity: str = "ERROR", link: str | None = None) -> JSON:
    """One issue on the server or site `target`. A code without known words gets a plain sentence."""
    domain = "Licensing" if code in _LICENSING else "DisasterRecovery"
    message = _LICENSING.get(code) or _DISASTER_RECOVERY.get(code) or f"The condition {code} was reported."
    document: JSON = {
        "domain": domain,
        "error": {"code": code, "domain": domain, "message": message},
        "target": target,
        "severity": severity,
    }
    if link is not None:
        document["link"] = link
    return document


def busy(target: str, task_uuids: Sequence[str]) -> list[JSON]:
    """What a running task puts on a recovery server: one error for each of the three actions."""
    error = {
        "code": "ResourceBusy",
        "context": {"resource_id": target, "task_uuids": list(task_uuids)},
        "domain": "DisasterRecovery",
        "message": BUSY,
    }
    return [
        {"domain": "DisasterRecovery", "error": error, "link": link, "target": target, "severity": "ERROR"}
        for link in ACTIONS
    ]


def is_error(found: JSON) -> bool:
    return str(found.get("severity", "")).upper() == "ERROR"
