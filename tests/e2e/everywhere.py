"""Every page and dialog of a running demo, found as a person finds them: by following links."""

import html
import re
from typing import Any

from django.urls import Resolver404, URLPattern, resolve
from playwright.sync_api import Page, expect

from drdash.simulator.simulation import Simulator
from drdash.web.urls import urlpatterns

LINK = re.compile(r'(?:href|action|hx-get)="(/[^"]*)"')
# Parts of pages and files, what is only sent, and where only another answer leads to.
NO_PAGES = {
    *("notices", "bells", "jump", "login", "server_shift", "new-batch"),
    *("freshness", "healthz", "readyz", "picture", "connect-consent", "connect-return"),
    *("audit-export", "servers-csv", "sites-csv", "stay", "view-change", "view-save"),
    *("theme", "styleguide", "logout", "bell-forget", "approval-ask", "approval-do", "batch-do", "token-revoke"),
    *("language", "tenant-do", "tenant-token", "acting-none", "close", "forget"),
}
WAYS = ("client", "partner", "sign-in", "password", "assertion")
KINDS = ("start_failover_test", "start_failover_prod", "stop_failover")


def addresses(page: Page, root: str, *more: str) -> dict[str, str]:
    """The address of one page of each kind, by name, as the person who is signed in may see them; and of some ``more``,
    which lead on to what others of their kind do not."""
    named = [*more, "/", "/approvals/", "/nowhere/", "/password/again/"]
    starts = [path for name, path in dialogs(page, root).items() if "start" in name and "blocked" not in name]
    ways = [f"/tenants/connect/?by={way}" for way in WAYS]
    todo = [*named, *starts[:1], *ways]
    taken = set(todo)
    found: dict[str, str] = {}
    while todo:
        path = todo.pop(0)
        if kind_of(path) in found:
            continue
        answer = page.context.request.get(root + path)
        text = answer.text() if "html" in answer.headers.get("content-type", "") else ""
        if "<html" in text:
            found[path if path in named else kind_of(path)] = path
        for link in map(html.unescape, LINK.findall(text)):
            kind = kind_of(link)
            if kind and kind not in found and link not in taken:
                taken.add(link)
                todo.append(link)
    return found


def kind_of(path: str) -> str:
    """What kind of page an address leads to: pages of one kind are drawn by one template. "" for what is none."""
    bare, _, query = path.partition("#")[0].partition("?")
    try:
        match = resolve(bare)
    except Resolver404:
        return ""
    name = match.view_name
    if name in NO_PAGES or match.namespaces:
        return ""
    told = [match.kwargs[key] for key in ("kind", "deed", "size") if key in match.kwargs]
    told += [query] if query.startswith("by=") else []
    return " ".join([name, *told])


def unseen(found: dict[str, str]) -> set[str]:
    """Which pages there are that nobody was led to."""
    seen = {resolve(path.partition("?")[0]).view_name for path in found.values() if path != "/nowhere/"}
    return {one.name for one in urlpatterns if isinstance(one, URLPattern) and one.name} - seen - NO_PAGES


def servers(page: Page, root: str) -> list[dict[str, Any]]:
    """What the JSON API says of every recovery server."""
    answer = page.context.request.get(f"{root}/api/v1/servers/?type=RECOVERY&limit=200")
    found: list[dict[str, Any]] = answer.json()["results"]
    return sorted(found, key=lambda one: str(one["name"]))


def dialogs(page: Page, root: str) -> dict[str, str]:
    """The address of one dialog of each look: what it does, and how free the person is to do it."""
    found: dict[str, str] = {}
    for one in servers(page, root):
        for kind in KINDS:
            offer = one["actions"][kind]
            looks = ["free" if offer["allowed"] else "glass" if offer["break_glass"] else "blocked"]
            looks += ["to acknowledge"] * bool(offer["acknowledge"])
            looks += ["of a test"] * (kind == "stop_failover" and str(one["status"]).startswith("FAILOVER_TEST"))
            found.setdefault(f"{kind}: {', '.join(looks)}", f"/servers/{one['uuid'].lower()}/actions/{kind}/")
    return found


def show(page: Page, dialog: str) -> None:
    """Open a dialog over the page that is open."""
    page.evaluate("path => htmx.ajax('GET', path, '#dialog-body')", dialog)
    expect(page.locator("#dialog-title")).to_be_visible()


def standing_by(page: Page, root: str) -> list[str]:
    """The servers whose test failover may start, and asks for nothing."""
    free = {"allowed": True, "acknowledge": []}
    return [
        one["uuid"].lower()
        for one in servers(page, root)
        if one["status"] == "STAND_BY" and one["actions"]["start_failover_test"].items() >= free.items()
    ]


def start_test(page: Page, root: str, key: str) -> dict[str, Any]:
    """Start a test failover as a program would, with the session of the page that is open. What it came to."""
    token = page.evaluate("JSON.parse(document.body.getAttribute('hx-headers'))['X-CSRFToken']")
    made = page.context.request.post(
        f"{root}/api/v1/servers/{key}/actions/",
        data={"action": "start_failover_test", "idempotency_key": f"everywhere-{key}"},
        headers={"X-CSRFToken": token, "Referer": root},
    )
    assert made.status == 201, made.text()
    answer: dict[str, Any] = made.json()
    return answer


def preflight(page: Page, keys: list[str], do: str = "Start tests…") -> None:
    """The page before a batch."""
    page.goto(re.sub(r"(//[^/]+).*", r"\1/servers/?type=RECOVERY&limit=200", page.url))
    for key in keys:
        page.locator(f"[id='pick-{key}']").check()
    page.get_by_role("button", name=do).click()
    expect(page.locator("#confirm")).to_be_visible(timeout=60_000)  # each is read anew before


def fill(page: Page, cloud: Simulator, name: str, *, client: str, secret: str) -> None:
    """The form that connects a cloud."""
    page.get_by_label("The cloud's address").fill(cloud.url)
    page.get_by_label("Client id").fill(client)
    page.get_by_label("Client secret").fill(secret)
    page.get_by_label("Name", exact=True).fill(name)


def partner(page: Page, root: str, cloud: Simulator) -> str:
    """Connect a partner's cloud: where its customers are chosen."""
    page.goto(f"{root}/tenants/connect/?by=partner")
    fill(page, cloud, "Quayside", client=cloud.partner_id, secret=cloud.partner_secret)
    page.get_by_role("button", name="Check and connect").click()
    page.wait_for_url("**/customers/")
    return page.url.removeprefix(root)


def two_persons(admin: Page, operator: Page, root: str, key: str) -> str:
    """Make the operator a second admin of a tenant that takes two persons for production, who asks for a start: where
    the first one answers."""
    admin.goto(f"{root}/tenants/1/")
    admin.get_by_role("link", name="Change who may").click()
    admin.locator("select[name$=role]:has(option[selected][value=operator])").select_option("admin")
    admin.get_by_role("button", name="Save", exact=True).click()
    admin.goto(f"{root}/tenants/1/")
    admin.get_by_role("button", name="Ask for two persons").click()
    operator.goto(f"{root}/servers/{key}/actions/start_failover_prod/")
    operator.locator("[name=why]").fill("The building is to be rewired tonight.")
    operator.get_by_role("button", name="Ask for approval").click()
    operator.wait_for_url("**/approvals/*/")
    return operator.url.removeprefix(root)
