"""The menu above every page: under which of its entries a page is."""

from django.http import HttpRequest

# By the names of addresses; those that are only sent to may be answered with a page too.
PAGES = {
    "home": ("home",),
    "sites": ("sites", "site"),
    "servers": (
        *("servers", "server", "server_tell", "server_note", "server_history", "server_tasks", "screenshot"),
        *("recovery_points", "dialog", "approval-ask", "new-batch"),
    ),
    "actions": ("actions", "action", "action_task", "close", "batches", "batch", "batch-do"),
    "approvals": ("approvals", "approval", "approval-do", "batch-approval"),
    "audit": ("audit",),
    "tenants": (
        *("tenants", "tenant", "tenant-token", "take-off", "acting", "connect", "connect-consent"),
        *("credential", "replace", "customers"),
    ),
}
ENTRY = {page: entry for entry, pages in PAGES.items() for page in pages}


def entry_of(request: HttpRequest) -> str:
    """The entry of the page that was asked for; empty where none has it, such as the list of keys."""
    match = request.resolver_match
    return ENTRY.get(match.url_name or "", "") if match else ""
