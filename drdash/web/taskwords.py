"""Plain words for the task manager's states, results and error codes. A code that is not here is shown as it came."""

from drdash.cloud.neighbours.tasks import TaskResult, TaskState
from drdash.web.phrases import phrase
from drdash.web.wording import Look

STATE: dict[str, Look] = {
    TaskState.ENQUEUED: Look(phrase("Waiting in the cloud's queue"), "moving", "wait"),
    TaskState.ASSIGNED: Look(phrase("About to run"), "moving", "wait"),
    TaskState.STARTED: Look(phrase("Running"), "moving", "moving"),
    TaskState.PAUSED: Look(phrase("Paused"), "warn", "wait"),
    TaskState.COMPLETED: Look(phrase("Ended, the cloud does not say how"), "still", "unknown"),
}
RESULT: dict[str, Look] = {
    TaskResult.OK: Look(phrase("Completed"), "good", "good"),
    TaskResult.WARNING: Look(phrase("Completed with a warning"), "warn", "warn"),
    TaskResult.ERROR: Look(phrase("Failed"), "bad", "bad"),
    TaskResult.CANCELLED: Look(phrase("Cancelled"), "warn", "off"),
    TaskResult.ABANDONED: Look(phrase("Abandoned: nothing in the cloud carries it on"), "bad", "bad"),
    TaskResult.TIMEDOUT: Look(phrase("Given up by the cloud: it took too long"), "bad", "bad"),
}
ERROR: dict[str, str] = {
    "ResourceBusy": phrase("Another task was at work on the server. Wait for it, then try again."),
    "SiteNotReady": phrase("The site was not ready. Wait until it is, then try again."),
    "ServerNotReady": phrase("The server was not ready. Wait until it is, then try again."),
    "NotAllowed": phrase("The cloud does not allow this for the server as it is. Ask who administers it."),
    "MethodNotAllowed": phrase("The cloud does not allow this to the credential. Ask who administers it."),
    "EntityNotFound": phrase("The server, its site or the recovery point is not there any more."),
    "InternalError": phrase("The cloud failed by itself. Try again; if it fails again, ask the provider."),
    "ServerNotLicensed": phrase("The server has no licence for this. Ask who administers the subscription."),
    "VPNGatewayUnreachable": phrase("The site's VPN gateway cannot be reached. Mend the connection, then try again."),
    "VPNS2SApplianceNotRegistered": phrase("The site's VPN appliance is not registered. Register it, then try again."),
    "VPNS2SApplianceUnreachable": phrase(
        "The site's VPN appliance cannot be reached. See whether it runs and is connected."
    ),
    "VPNS2SConnectionFailure": phrase("The site's VPN connection failed. Mend it, then try again."),
    "VPNIPSecNotConfigured": phrase("The site's IPsec VPN is not configured. Configure it, then try again."),
    "VPNIPSecConnectionError": phrase("The site's IPsec VPN connection failed. Mend it, then try again."),
    "CloudConnectionIssue": phrase(
        "The cloud lost its connection to where the server runs. Mend it, or ask the provider."
    ),
    "CloudConnectionWorkerIssue": phrase("A worker of the cloud lost its connection. Try again, or ask the provider."),
    "BaseDrTestFailoverLimitReached": phrase("The monthly limit of test failovers is reached. Ask for a larger one."),
    "QuotaExceededBaseDR": phrase("The quota for disaster recovery is used up. Ask for a larger one."),
    "QuotaExceededCloudServers": phrase(
        "The quota of cloud servers is used up. Stop another one, or ask for a larger quota."
    ),
    "QuotaExceededComputePoints": phrase(
        "The quota of compute points is used up. Stop a server, or ask for a larger quota."
    ),
    "SubscriptionNotFoundAzureDR": phrase("There is no subscription for recovery to Azure. Ask who administers it."),
    "SubscriptionNotFoundDrStorage": phrase("There is no subscription for recovery storage. Ask who administers it."),
    "SubscriptionNotFoundComputePoints": phrase("There is no subscription for compute points. Ask who administers it."),
    "SubscriptionNotFoundCloudServers": phrase("There is no subscription for cloud servers. Ask who administers it."),
}
