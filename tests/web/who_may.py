"""Who may open each URL, and who may post to it. All that is not said here is refused: tests/web/test_every_url.py.

Letters: - anonymous, v viewer, o operator, a admin, n a member of nothing, s a superuser who is a member of nothing.
"""

from dataclasses import dataclass, field
from typing import Any

MEMBERS, SIGNED_IN, KEEPERS, ROOT, EVERYONE = "voa", "voans", "as", "s", "-voans"


@dataclass(frozen=True, kw_only=True)
class Row:
    """Who may what at one address. With ``at`` it is about that object of a tenant, and letters of members are of its
    own members: it does not exist for those of others.
    """

    get: str = ""
    post: str = ""
    options: str = ""
    at: str = ""
    also: dict[str, str] = field(default_factory=dict)  # the rest of the address, by name: an object's or a word
    path: str = ""  # the address, where a pattern says too little
    body: dict[str, Any] = field(default_factory=dict)  # what would be done by those who may not
    inert: dict[str, Any] = field(default_factory=dict)  # what those who may send: it does nothing
    writes: frozenset[str] = frozenset()  # the tables that a GET writes all the same
    says: int = 403  # to members who may not
    any_method: bool = False  # Django's admin takes all but a POST for a GET, where it does not refuse it
    ends: bool = False  # it ends the session
    private: bool = False  # it is one person's, who is none of the cast


def row(get: str = "", post: str = "", **more: Any) -> list[Row]:
    return [Row(get=get, post=post, **more)]


def page(get: str = ROOT, post: str = ROOT, **more: Any) -> list[Row]:
    """Of the admin site."""
    return row(get, post, any_method=True, **more)


# (the action, who may, its body): a test is an operator's, all else is production.
_WISHES = [("start_failover_test", "oa"), ("start_failover_prod", "a"), ("stop_failover", "a")]
_KEEPING = ("pause", "resume", "disarm", "arm", "two-persons")
_EVIDENCE = frozenset({"failover_action"})  # what a dialog reads is evidence for an action that is unknown
_TESTS, _PRODUCTION = {"do": "start-tests"}, {"do": "stop-production"}  # of no server
_NOTED = frozenset({"audit_entry"})
_WRONG = {"username": "nobody", "password": "wrong"}

TABLE: dict[str, list[Row]] = {
    "": row(SIGNED_IN),
    "sites/": row(SIGNED_IN),
    "sites/csv/": row(SIGNED_IN),
    "sites/<path:uuid>/": row(MEMBERS, at="site"),
    "servers/": row(SIGNED_IN),
    "servers/csv/": row(SIGNED_IN),
    "servers/jump/": row(SIGNED_IN),
    "servers/<path:uuid>/": row(MEMBERS, at="server"),
    "servers/<path:uuid>/actions/<str:kind>/": [
        Row(get=MEMBERS, post=who, at="server", also={"kind": kind}, body={"wish": kind}, writes=_EVIDENCE)
        for kind, who in _WISHES
    ],
    "servers/<path:uuid>/tasks/": row(MEMBERS, at="server"),
    "servers/<path:uuid>/shift/": row(MEMBERS, at="server"),
    "servers/<path:uuid>/note/": row(MEMBERS, "oa", at="server", body={"text": "Was here.", "stamp": ""}),
    "servers/<path:uuid>/history/": row(MEMBERS, at="server"),
    "servers/<path:uuid>/screenshot/": row(MEMBERS, at="server"),
    "servers/<path:uuid>/screenshot/<str:size>/": row(MEMBERS, at="server", also={"size": "thumbnail"}),
    "servers/<path:uuid>/recovery-points/": row(MEMBERS, at="server"),
    "actions/": row(SIGNED_IN),
    "actions/<int:pk>/": row(MEMBERS, at="action"),
    "actions/<int:pk>/task/": row(MEMBERS, at="action"),
    "actions/<int:pk>/close/": row(
        "", "oa", at="action", body={"verdict": "untold", "why": "Nobody can tell this.", "alone": "on"}
    ),
    "approvals/": row(SIGNED_IN),
    "approvals/<int:pk>/": row(MEMBERS, at="approval"),
    "approvals/<int:pk>/<str:deed>/": [
        Row(post="a", at="approval", also={"deed": deed}) for deed in ("give", "decline", "withdraw")
    ],
    "servers/<path:uuid>/approval/<str:kind>/": [
        Row(post="a", at="server", also={"kind": kind}, body={"wish": kind}) for kind in ("start_failover_prod",)
    ],
    "batches/": row(SIGNED_IN, SIGNED_IN),
    "batches/new/": [
        Row(get=SIGNED_IN, post="oa", body={"do": "start-tests", "which": "all", "point": "latest"}, inert=_TESTS),
        Row(get=SIGNED_IN, post="a", body={"do": "stop-production", "which": "all"}, inert=_PRODUCTION),
    ],
    "batches/<int:pk>/": row(MEMBERS, at="batch"),
    "batches/<int:pk>/approval/": row(MEMBERS, "a", at="batch", body={"deed": "decline"}),
    "batches/<int:pk>/<str:deed>/": [
        Row(post=who, at="batch", also={"deed": deed}, says=302, private=who == MEMBERS)
        for deed, who in (("go-on", MEMBERS), ("pause", MEMBERS), ("stop", "a"))
    ],
    "notices/": row(SIGNED_IN),
    "freshness/": row(SIGNED_IN),
    "views/": row("", SIGNED_IN),
    "views/<int:pk>/<str:deed>/": [
        Row(post=SIGNED_IN, also={"pk": "view", "deed": deed}, says=404, private=True) for deed in ("rename", "remove")
    ],
    "bells/": row(SIGNED_IN),
    "bells/<int:pk>/forget/": row("", SIGNED_IN, also={"pk": "bell"}, says=302, private=True),
    "servers/<path:uuid>/tell/<str:kind>/": [
        Row(get=who, post=who, at="server", also={"kind": kind}) for kind, who in _WISHES if kind != "stop_failover"
    ],
    "audit/": row(SIGNED_IN),
    "audit/export/<str:kind>/": [Row(get=SIGNED_IN, also={"kind": kind}, writes=_NOTED) for kind in ("csv", "jsonl")],
    "tenants/": row(KEEPERS, KEEPERS, body={"do": "pause", "which": "all"}, inert={"do": "arm"}),
    "tenants/connect/": row(ROOT, ROOT),
    "tenants/connect/consent/": row(ROOT),
    "tenants/connect/return/": row(ROOT, writes=frozenset({"django_session"})),
    "tenants/<int:pk>/": row(KEEPERS, at="tenant"),
    "tenants/<int:pk>/acting/": row(ROOT, ROOT, at="tenant"),
    "tenants/<int:pk>/acting/none/": row("", ROOT, at="tenant"),
    "tenants/<int:pk>/take-off/": row(ROOT, ROOT, at="tenant", body={"confirm": "Quiet customer"}),
    "tenants/<int:pk>/tokens/<int:user>/<str:deed>/": [
        Row(post=KEEPERS, at="tenant", also={"user": "member", "deed": deed}) for deed in ("allow", "take-back")
    ],
    "tenants/<int:pk>/<str:deed>/": [Row(post=KEEPERS, at="tenant", also={"deed": deed}) for deed in _KEEPING]
    + row("", ROOT, at="tenant", also={"deed": "one-person"}),
    "credentials/<int:pk>/": row(ROOT, at="credential"),
    "credentials/<int:pk>/replace/": row(ROOT, ROOT, at="credential"),
    "credentials/<int:pk>/forget/": row("", ROOT, at="credential"),
    "credentials/<int:pk>/customers/": row(ROOT, ROOT, at="credential"),
    "login/": row(EVERYONE, EVERYONE, inert=_WRONG),
    "logout/": row("", SIGNED_IN, ends=True),
    "password/": row(SIGNED_IN, SIGNED_IN),
    "password/again/": row(SIGNED_IN, SIGNED_IN),
    "password/token/revoke/": row("", SIGNED_IN),
    "styleguide/": row(says=404),  # it is there in DEBUG alone: tests/web/test_styleguide.py
    "theme/": row("", SIGNED_IN),
    "language/": row("", EVERYONE),
    "keys/": row(SIGNED_IN, SIGNED_IN),
    "stay/": row("", SIGNED_IN),
    "api/v1/": row(says=404),
    "api/v1/schema/": row(SIGNED_IN),
    "api/v1/sites/": row(SIGNED_IN),
    "api/v1/sites/<anytext:uuid>/": row(MEMBERS, at="site"),
    "api/v1/servers/": row(SIGNED_IN),
    "api/v1/servers/<anytext:uuid>/": row(MEMBERS, at="server"),
    "api/v1/servers/<anytext:uuid>/actions/": [
        Row(post=who, at="server", body={"wish": kind}) for kind, who in _WISHES
    ],
    "api/v1/actions/": row(SIGNED_IN),
    "api/v1/actions/<int:pk>/": row(MEMBERS, at="action"),
    "api/v1/<anytext:rest>/": row(also={"rest": "nowhere"}, says=404),
    "healthz": row(EVERYONE),
    "readyz": row(EVERYONE),
    "admin/": page(),
    "admin/^(?P<app_label>tenants|failover|audit|auth)/$": page(path="/admin/tenants/"),
    "admin/login/": page(EVERYONE, EVERYONE, inert=_WRONG),
    "admin/logout/": row("", ROOT, options=ROOT, ends=True),
    "admin/password_change/": page(SIGNED_IN, SIGNED_IN),
    "admin/password_change/done/": page(),
    "admin/jsi18n/": page(),
    "admin/autocomplete/": row(options=ROOT),  # it wants to know of which field
    "admin/r/<path:content_type_id>/<path:object_id>/": page("", "", path="/admin/r/1/1/", says=404),
    "admin/(?P<url>.*)$": page("", "", path="/admin/nowhere/", says=404),
}
# What a superuser may do with each model on the admin site; nobody else finds anything there.
ADMIN = {
    "auth/user": "list add change history delete password",
    "tenants/tenant": "list change history",
    "tenants/credential": "list view history",
    "failover/action": "list view history",
    "failover/approval": "list view history",
    "audit/entry": "list view history",
}
for _model, _may in ADMIN.items():
    _known: dict[str, Any] = {"also": {"object_id": _model, "id": _model}}
    _at = f"admin/{_model}/<path:object_id>/"
    TABLE |= {f"admin/{_model}/": page(**_known), _at: page(**_known), f"{_at}history/": page(**_known)}
    TABLE[f"{_at}change/"] = page(post=ROOT if "change" in _may else "", **_known)
    for _what, _route in (("add", f"admin/{_model}/add/"), ("delete", f"{_at}delete/")):
        TABLE[_route] = page(**_known) if _what in _may else page("", "", **_known)
    if "password" in _may:
        TABLE[f"admin/{_model}/<id>/password/"] = page(**_known)
