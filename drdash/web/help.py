"""What the codes of the cloud's issues and refusals mean, what clears them, and who can: in plain words."""

import msgspec

from drdash.failover.reasons import OWN_REASONS
from drdash.web.phrases import phrase


class Help(msgspec.Struct, frozen=True):
    """What a code means, what to do so that it clears, and who can do that."""

    means: str
    clears: str
    who: str


NOBODY = phrase("Nobody has to do anything")
HUNG = phrase("Nobody has to do anything. A task that hangs: the cloud's support")
LASTING = phrase("Nobody has to do anything. If it lasts: the cloud's support")
NETWORK = phrase("Whoever runs the network at this site")
CLOUD_ADMIN = phrase("An administrator of the tenant in the cloud's console")
CLOUD_ADMIN_FIRST = phrase("An administrator of the tenant in the cloud's console, then the cloud's support")
PARTNER = phrase("Whoever buys the cloud service: the partner, or the vendor's sales")
SUPPORT = phrase("The cloud's support")
HERE = phrase("Whoever keeps the credentials in this dashboard")

UNKNOWN = Help(
    phrase("This code is not among those that are known here: the cloud's own message is all there is."),
    phrase("Look at the server or the site in the cloud's console, which may say more."),
    SUPPORT,
)

_CODES: dict[str, Help] = {
    "ResourceBusy": Help(
        phrase("Another task is at work on the server, and the cloud does one after the other."),
        phrase("Wait for that task to end. The buttons come back by themselves."),
        HUNG,
    ),
    "ServerNotReady": Help(
        phrase("The machine in the cloud is not there yet, or is just being changed."),
        phrase("Wait until what is being done to it has ended; minutes, as a rule."),
        LASTING,
    ),
    "SiteNotReady": Help(
        phrase("The disaster recovery site is being built or taken down, so nothing on it can start or stop."),
        phrase("Wait until that has ended; up to half an hour."),
        LASTING,
    ),
    "NotAllowed": Help(
        phrase("The cloud forbids this in the state that the server is in, or to this account."),
        phrase("Wait for another state of the server; if the state is as it should be, ask for the right."),
        CLOUD_ADMIN,
    ),
    "ServerNotLicensed": Help(
        phrase("The original machine has no licence or service plan that includes disaster recovery."),
        phrase("Give that machine a plan that includes disaster recovery."),
        CLOUD_ADMIN,
    ),
    "BackupPlanSuspended": Help(
        phrase("The original machine is not backed up at present, so its recovery points grow old."),
        phrase("Switch the backup plan on again."),
        CLOUD_ADMIN,
    ),
    "BaseDrTestFailoverLimitReached": Help(
        phrase("The basic edition includes only so many hours of tests a month, and they are used up."),
        phrase("Wait for the next month, or buy the full edition. A running test can still be stopped."),
        PARTNER,
    ),
    "QuotaExceededBaseDR": Help(
        phrase("More servers are protected than the basic edition includes."),
        phrase("Protect fewer servers, or buy the full edition."),
        PARTNER,
    ),
    "QuotaExceededCloudServers": Help(
        phrase("There are more cloud servers than are paid for, so none starts any more."),
        phrase("Buy a larger quota, or delete cloud servers that nobody needs."),
        PARTNER,
    ),
    "QuotaExceededComputePoints": Help(
        phrase("The running servers have used up what computing is paid for, so none starts any more."),
        phrase("Buy more compute points; stop running tests to save what is left."),
        PARTNER,
    ),
    "QuotaExceededDrStorage": Help(
        phrase("More disaster recovery storage is used than is paid for."),
        phrase("Buy a larger quota, or delete old recovery points."),
        PARTNER,
    ),
    "QuotaReachedCloudServers": Help(
        phrase(
            "All the cloud servers that are paid for exist: no further one can be made. Those that exist still start."
        ),
        phrase("Buy a larger quota before it is exceeded."),
        PARTNER,
    ),
    "QuotaReachedComputePoints": Help(
        phrase("What computing is paid for is nearly used up. Servers still start."),
        phrase("Buy more compute points before they are used up; stop running tests."),
        PARTNER,
    ),
    "QuotaReachedDrStorage": Help(
        phrase("The disaster recovery storage that is paid for is full. Servers still start."),
        phrase("Buy a larger quota, or delete old recovery points, before it is exceeded."),
        PARTNER,
    ),
    "SubscriptionNotFoundAzureDR": Help(
        phrase("The tenant's contract does not include disaster recovery to Azure."),
        phrase("Have that item added to the contract."),
        PARTNER,
    ),
    "SubscriptionNotFoundDrStorage": Help(
        phrase("The tenant's contract does not include disaster recovery storage."),
        phrase("Have that item added to the contract."),
        PARTNER,
    ),
    "SubscriptionNotFoundComputePoints": Help(
        phrase("The tenant's contract does not include compute points: no cloud server may run."),
        phrase("Have that item added to the contract."),
        PARTNER,
    ),
    "SubscriptionNotFoundCloudServers": Help(
        phrase("The tenant's contract does not include cloud servers."),
        phrase("Have that item added to the contract."),
        PARTNER,
    ),
    "VPNGatewayUnreachable": Help(
        phrase("The VPN gateway of the site, in the cloud, does not answer: nothing on the site could be reached."),
        phrase("Start the gateway again from the site's connectivity page; if that fails, call the cloud's support."),
        CLOUD_ADMIN_FIRST,
    ),
    "VPNS2SApplianceNotRegistered": Help(
        phrase("The VPN appliance that joins the local network to the cloud was never registered with this site."),
        phrase("Set the appliance up and register it, or choose another kind of connection for the site."),
        NETWORK,
    ),
    "VPNS2SApplianceUnreachable": Help(
        phrase("The VPN appliance in the local network does not answer: it is off, cut off, or its network is down."),
        phrase("See that the appliance runs, and that the firewall lets it out. Expected, if the local site is lost."),
        NETWORK,
    ),
    "VPNS2SConnectionFailure": Help(
        phrase("The tunnel between the local network and the cloud is not up."),
        phrase("Look into the appliance's log; often it is a firewall, an address, or a line that is down."),
        NETWORK,
    ),
    "VPNIPSecNotConfigured": Help(
        phrase("The site is to be reached by IPsec, and the tunnel was never set up."),
        phrase("Set IPsec up on the site's connectivity page and at the local gateway."),
        NETWORK,
    ),
    "VPNIPSecConnectionError": Help(
        phrase("The IPsec tunnel is down: the two ends do not reach each other, or do not agree."),
        phrase("Compare settings and keys at both ends, and check the line between them."),
        NETWORK,
    ),
    "CloudConnectionIssue": Help(
        phrase("The connection to the cloud in which the servers run is lost or refused."),
        phrase("Check the connection's credentials and rights on the site's connectivity page."),
        CLOUD_ADMIN,
    ),
    "CloudConnectionWorkerIssue": Help(
        phrase("The helper machine through which the cloud connection works does not answer."),
        phrase("Start the helper machine again, or repair it."),
        CLOUD_ADMIN_FIRST,
    ),
    "BadRequest": Help(
        phrase("The cloud did not understand what was asked of it, often for a recovery point that it does not have."),
        phrase("Try again with the latest recovery point."),
        SUPPORT,
    ),
    "Unauthorized": Help(
        phrase("The cloud turned the token down with which it was asked."),
        phrase(
            "Try again, which gets a new token; if that is turned down too, the credential was revoked or replaced."
        ),
        HERE,
    ),
    "MethodNotAllowed": Help(
        phrase("The account with which the cloud was asked lacks the right to do this."),
        phrase("Give this tenant a credential with the right to run failovers."),
        HERE,
    ),
    "EntityNotFound": Help(
        phrase("The cloud has no such thing any more, or never shows it to this account."),
        phrase("Look at the server in the cloud's console: it may have been deleted or moved."),
        CLOUD_ADMIN,
    ),
    "TooManyRequests": Help(
        phrase("The cloud was asked too much in too short a time, and named a time to wait."),
        phrase("Wait for that time. Nothing is sent before it."),
        NOBODY,
    ),
    "InternalError": Help(
        phrase("Something broke within the cloud."),
        phrase(
            "Look again later; if it lasts, call the cloud's support. Whether the request was carried out is not known."
        ),
        SUPPORT,
    ),
}
# Of codes that are added later, the family still tells the most.
_FAMILIES: tuple[tuple[str, Help], ...] = (
    (
        "QuotaExceeded",
        Help(
            phrase("More is used than is paid for, so servers do not start."),
            phrase("Buy a larger quota, or use less."),
            PARTNER,
        ),
    ),
    (
        "QuotaReached",
        Help(phrase("What is paid for is used up. Servers still start."), phrase("Buy a larger quota."), PARTNER),
    ),
    (
        "SubscriptionNotFound",
        Help(
            phrase("The tenant's contract does not include what this needs."),
            phrase("Have what is missing added to the contract."),
            PARTNER,
        ),
    ),
    (
        "VPN",
        Help(
            phrase("The network between the local site and the cloud is not as it should be."),
            phrase("Look at the site's connectivity page in the cloud's console, which tells more."),
            NETWORK,
        ),
    ),
    (
        "CloudConnection",
        Help(
            phrase("The connection to the cloud in which the servers run is not as it should be."),
            phrase("Look at the site's connectivity page in the cloud's console, which tells more."),
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
