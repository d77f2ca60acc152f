"""What of the cloud's own JSON is enough for green and for an action: drdash's rules once more, for tests alone."""

from typing import Any

from drdash.failover.guard import Kind

KNOWN_SEVERITIES = {"ERROR", "WARNING"}
START_ONLY = ("Quota", "Subscription", "ServerNotLicensed", "BaseDrTest", "CloudConnection")
RELS = {
    Kind.START_TEST: "DR_CLOUD_SERVER_START_FAILOVER_TEST",
    Kind.START_PROD: "DR_CLOUD_SERVER_START_FAILOVER_PROD",
    Kind.STOP: "DR_CLOUD_SERVER_STOP_FAILOVER",
}
TESTS = ("FAILOVER_TEST", "FAILOVER_TEST_AUTO")
STARTABLE = {Kind.START_TEST: ("STAND_BY",), Kind.START_PROD: ("STAND_BY", *TESTS)}
STOPPABLE = (
    *TESTS, "FINALIZATION", "FINALIZATION_FAILED", "FAILOVER_PROD", "POWERING_ON", "POWERING_OFF",
    "STARTING_FAILOVER_TEST", "STARTING_FAILOVER_TEST_AUTO", "STARTING_FAILOVER_PROD",
)  # fmt: skip


def green_of_server(item: Any) -> dict[str, bool]:
    """By the looks of its card: whether the cloud said what makes it green. No other look may be."""
    recovery = at(item, "recovery")
    tested = at(recovery, "automated_test_failover", "last_status") == "SUCCESS"
    return {
        "worst": item.get("_issues") == [],
        "rpo": "OK" in (at(item, "rpo", "status"), at(recovery, "rpo", "status")),
        "automated": tested,
        "automated_short": tested,
    }


def green_of_site(item: Any) -> dict[str, bool]:
    """The same of a site."""
    return {"worst": item.get("_issues") == [], "readiness": item.get("failover_readiness") == "OK"}


def may(kind: Kind, item: Any, site: Any) -> bool:
    """Whether what the cloud said is enough for the action, with a nod to whatever is a warning."""
    errors, of_site, links = of_issues(item, "ERROR"), of_issues(site, "ERROR"), item.get("_links")
    if errors is None or of_site is None or not isinstance(links, list):
        return False
    if item.get("type") != "RECOVERY" or RELS[kind] not in [at(link, "rel") for link in links]:
        return False
    if item.get("task_uuid") not in (None, "") or site.get("status") != "PROVISIONED":
        return False
    if kind is Kind.STOP:
        blocking = [
            error for error in errors if error.get("link") == RELS[kind] or not (linked(error) or start_only(error))
        ]
        return item.get("status") in STOPPABLE and not blocking and all(map(start_only, of_site))
    blocking = [error for error in errors if error.get("link") == RELS[kind] or not linked(error)]
    ready = site.get("failover_readiness") in ("OK", "WARNING")
    return item.get("status") in STARTABLE[kind] and not blocking and not of_site and ready


def linked(issue: Any) -> bool:
    return issue.get("link") not in (None, "")


def start_only(issue: Any) -> bool:
    return str(at(issue, "error", "code")).startswith(START_ONLY)


def warned(kind: Kind, item: Any, site: Any) -> bool:
    """Whether the cloud said anything that asks for a nod."""
    warnings = [issue for issue in of_issues(item, "WARNING") or () if issue.get("link") in (RELS[kind], None, "")]
    unready = of_issues(site, "WARNING") or site.get("failover_readiness") != "OK"
    return bool(warnings or (kind is not Kind.STOP and unready))


def of_issues(item: Any, severity: str) -> list[Any] | None:
    """The issues of a severity; None when there is one that is not understood, or nothing is said of any."""
    issues = item.get("_issues")
    if not isinstance(issues, list) or not all(isinstance(issue, dict) for issue in issues):
        return None
    said = [str(issue.get("severity", "")).upper() for issue in issues]
    if not set(said) <= KNOWN_SEVERITIES:
        return None
    return [issue for issue, one in zip(issues, said, strict=True) if one == severity]


def at(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value
