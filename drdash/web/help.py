"""What the codes of the cloud's issues and refusals mean, what clears them, and who can: in plain words."""

import msgspec

from drdash.failover.reasons import OWN_REASONS


class Help(msgspec.Struct, frozen=True):
    """What a code means, what clears it, and who can do that."""

    means: str
    clears: str
    who: str


NOBODY = "Nobody has to do anything"
NETWORK = "Whoever runs the network at this site"
CLOUD_ADMIN = "An administrator of the tenant in the cloud's console"
PARTNER = "Whoever buys the cloud service: the partner, or the vendor's sales"
SUPPORT = "The cloud's support"
HERE = "Whoever keeps the credentials in this dashboard"

UNKNOWN = Help(
    "This code is not among those that are known here: the cloud's own message is all there is.",
    "Look at the server or the site in the cloud's console, which may say more.",
    SUPPORT,
)

_CODES: dict[str, Help] = {
    "ResourceBusy": Help(
        "Another task is at work on the server, and the cloud does one after the other.",
        "The end of that task. The buttons come back by themselves.",
        f"{NOBODY}. A task that hangs: the cloud's support",
    ),
    "ServerNotReady": Help(
        "The machine in the cloud is not there yet, or is just being changed.",
        "The end of what is being done to it; minutes, as a rule.",
        f"{NOBODY}. If it lasts: the cloud's support",
    ),
    "SiteNotReady": Help(
        "The disaster recovery site is being built or taken down, so nothing on it can start or stop.",
        "The end of that; up to half an hour.",
        f"{NOBODY}. If it lasts: the cloud's support",
    ),
    "NotAllowed": Help(
        "The cloud forbids this in the state that the server is in, or to this account.",
        "Another state of the server; or another right, if the state is as it should be.",
        CLOUD_ADMIN,
    ),
    "ServerNotLicensed": Help(
        "The original machine has no licence or service plan that includes disaster recovery.",
        "A plan with disaster recovery for that machine.",
        CLOUD_ADMIN,
    ),
    "BackupPlanSuspended": Help(
        "The original machine is not backed up at present, so its recovery points grow old.",
        "The backup plan, switched on again.",
        CLOUD_ADMIN,
    ),
    "BaseDrTestFailoverLimitReached": Help(
        "The basic edition includes only so many hours of tests a month, and they are used up.",
        "The next month, or the full edition. A running test can still be stopped.",
        PARTNER,
    ),
    "QuotaExceededBaseDR": Help(
        "More servers are protected than the basic edition includes.",
        "Fewer protected servers, or the full edition.",
        PARTNER,
    ),
    "QuotaExceededCloudServers": Help(
        "There are more cloud servers than are paid for, so none starts any more.",
        "A larger quota, or cloud servers that nobody needs, deleted.",
        PARTNER,
    ),
    "QuotaExceededComputePoints": Help(
        "The running servers have used up what computing is paid for, so none starts any more.",
        "A larger quota of compute points; running tests that are stopped save what is left.",
        PARTNER,
    ),
    "QuotaExceededDrStorage": Help(
        "More disaster recovery storage is used than is paid for.",
        "A larger quota, or old recovery points, deleted.",
        PARTNER,
    ),
    "QuotaReachedCloudServers": Help(
        "All the cloud servers that are paid for exist: no further one can be made. Those that exist still start.",
        "A larger quota, before it is exceeded.",
        PARTNER,
    ),
    "QuotaReachedComputePoints": Help(
        "What computing is paid for is nearly used up. Servers still start.",
        "A larger quota of compute points, before it is exceeded; tests that are stopped.",
        PARTNER,
    ),
    "QuotaReachedDrStorage": Help(
        "The disaster recovery storage that is paid for is full. Servers still start.",
        "A larger quota, or old recovery points, deleted, before it is exceeded.",
        PARTNER,
    ),
    "SubscriptionNotFoundAzureDR": Help(
        "The tenant's contract does not include disaster recovery to Azure.",
        "That item, added to the contract.",
        PARTNER,
    ),
    "SubscriptionNotFoundDrStorage": Help(
        "The tenant's contract does not include disaster recovery storage.",
        "That item, added to the contract.",
        PARTNER,
    ),
    "SubscriptionNotFoundComputePoints": Help(
        "The tenant's contract does not include compute points: no cloud server may run.",
        "That item, added to the contract.",
        PARTNER,
    ),
    "SubscriptionNotFoundCloudServers": Help(
        "The tenant's contract does not include cloud servers.",
        "That item, added to the contract.",
        PARTNER,
    ),
    "VPNGatewayUnreachable": Help(
        "The VPN gateway of the site, in the cloud, does not answer: nothing on the site could be reached.",
        "The gateway, started again from the site's connectivity page; else the cloud's operators.",
        f"{CLOUD_ADMIN}, then the cloud's support",
    ),
    "VPNS2SApplianceNotRegistered": Help(
        "The VPN appliance that joins the local network to the cloud was never registered with this site.",
        "The appliance, set up and registered; or another kind of connection, chosen for the site.",
        NETWORK,
    ),
    "VPNS2SApplianceUnreachable": Help(
        "The VPN appliance in the local network does not answer: it is off, cut off, or its network is down.",
        "The appliance, running, and let out through the firewall. If the local site is lost, that is as expected.",
        NETWORK,
    ),
    "VPNS2SConnectionFailure": Help(
        "The tunnel between the local network and the cloud is not up.",
        "The appliance's log tells why; often a firewall, an address, or a line that is down.",
        NETWORK,
    ),
    "VPNIPSecNotConfigured": Help(
        "The site is to be reached by IPsec, and the tunnel was never set up.",
        "The IPsec settings, on the site's connectivity page and at the local gateway.",
        NETWORK,
    ),
    "VPNIPSecConnectionError": Help(
        "The IPsec tunnel is down: the two ends do not reach each other, or do not agree.",
        "The same settings and keys at both ends, and a line between them.",
        NETWORK,
    ),
    "CloudConnectionIssue": Help(
        "The connection to the cloud in which the servers run is lost or refused.",
        "The connection's credentials and rights there, on the site's connectivity page.",
        CLOUD_ADMIN,
    ),
    "CloudConnectionWorkerIssue": Help(
        "The helper machine through which the cloud connection works does not answer.",
        "The helper machine, started again or repaired.",
        f"{CLOUD_ADMIN}, then the cloud's support",
    ),
    "BadRequest": Help(
        "The cloud did not understand what was asked of it, often for a recovery point that it does not have.",
        "Another try with the latest recovery point.",
        SUPPORT,
    ),
    "Unauthorized": Help(
        "The cloud turned the token down with which it was asked.",
        "Another try gets a new token; if that is turned down too, the credential was revoked or replaced.",
        HERE,
    ),
    "MethodNotAllowed": Help(
        "The account with which the cloud was asked lacks the right to do this.",
        "A credential with the right to run failovers, for this tenant.",
        HERE,
    ),
    "EntityNotFound": Help(
        "The cloud has no such thing any more, or never shows it to this account.",
        "A look at the server in the cloud's console: it may have been deleted or moved.",
        CLOUD_ADMIN,
    ),
    "TooManyRequests": Help(
        "The cloud was asked too much in too short a time, and named a time to wait.",
        "That time. Nothing is sent before it.",
        NOBODY,
    ),
    "InternalError": Help(
        "Something broke within the cloud.",
        "Time, or its operators. Whether the request was carried out is not known.",
        SUPPORT,
    ),
}
# Of codes that are added later, the family still tells the most.
_FAMILIES: tuple[tuple[str, Help], ...] = (
    (
        "QuotaExceeded",
        Help(
            "More is used than is paid for, so servers do not start.",
            "A larger quota, or less of what is used.",
            PARTNER,
        ),
    ),
    ("QuotaReached", Help("What is paid for is used up. Servers still start.", "A larger quota.", PARTNER)),
    (
        "SubscriptionNotFound",
        Help(
            "The tenant's contract does not include what this needs.",
            "The item, added to the contract.",
            PARTNER,
        ),
    ),
    (
        "VPN",
        Help(
            "The network between the local site and the cloud is not as it should be.",
            "The site's connectivity page in the cloud's console tells more.",
            NETWORK,
        ),
    ),
    (
        "CloudConnection",
        Help(
            "The connection to the cloud in which the servers run is not as it should be.",
            "The site's connectivity page in the cloud's console tells more.",
            CLOUD_ADMIN,
        ),
    ),
)


def help_of(code: str) -> Help | None:
    """The help for a code of the cloud; UNKNOWN where there is none, and None for reasons of our own: these say it."""
    if code in _CODES:
        return _CODES[code]
    if code in OWN_REASONS:
        return None
    return next((told for prefix, told in _FAMILIES if code.startswith(prefix)), UNKNOWN)
