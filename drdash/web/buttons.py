"""The buttons of a server, and beside each blocked one every reason why. Pure: judged from what was last seen."""

from urllib.parse import quote

import msgspec
from django.urls import reverse

from drdash.cloud.records import Server, Site
from drdash.cloud.words import ServerStatus, ServerType
from drdash.failover.guard import PRODUCTION, Kind, OwnState, Sight, Verdict, judge
from drdash.failover.reasons import POINTLESS, Mark, Reason
from drdash.tenants.roles import Posture, Role
from drdash.web.phrases import joined, phrase
from drdash.web.said import stored
from drdash.web.wording import KIND, REMEDY, Look, verb

BY_GLASS = phrase("Blocked; an admin may break the glass.")
BY_TWO = phrase("A second admin has to approve it.")


class ShownReason(msgspec.Struct, frozen=True):
    """A reason in words. ``prefix`` names the action where it does not hold for all."""

    message: str
    code: str
    remedy: Look
    task_uuids: tuple[str, ...]
    prefix: str = ""


class Button(msgspec.Struct, frozen=True):
    """One action as offered: free, or disabled with its reasons. ``caution``: what it asks a nod for. ``tell``: where
    one asks to be told when it is free. ``asks``: what its dialog can still do about a block, in words: break the
    glass, or ask a second admin.
    """

    kind: str
    label: str
    href: str
    allowed: bool
    production: bool
    reasons: tuple[ShownReason, ...]
    caution: tuple[ShownReason, ...]
    pointless: bool
    tell: str
    asks: str = ""

    @property
    def jointly(self) -> bool:
        """Whether nothing but a second admin's word is wanting, which is its only reason then."""
        return self.asks == BY_TWO

    @property
    def awaited(self) -> bool:
        """Whether somebody may want to be told when it is free."""
        return not (self.allowed or self.jointly or any(one.code == "NothingToStop" for one in self.reasons))

    @property
    def opens(self) -> bool:
        """Whether it leads to the dialog."""
        return self.allowed or bool(self.asks)


def server_url(uuid: str) -> str:
    """The server's page; ids may be anything, so they are percent-encoded."""
    return f"{reverse('servers')}{quote(uuid, safe='')}/"


def site_url(uuid: str) -> str:
    """The site's page."""
    return f"{reverse('sites')}{quote(uuid, safe='')}/"


def dialog_url(uuid: str, kind: str) -> str:
    """Where the dialog of an action is fetched from, and sent to."""
    return f"{server_url(uuid)}actions/{kind}/"


def tell_url(uuid: str, kind: str) -> str:
    """Where a person asks to be told when an action is free."""
    return f"{server_url(uuid)}tell/{kind}/"


def never(kind: Kind, server: Server, role: Role) -> bool:
    """Whether the role may never do this here, however long it waits: then there is no button at all."""
    if server.type == ServerType.PRIMARY or not role.runs_tests:
        return True
    if role.runs_production or kind is Kind.START_TEST:
        return False
    production = server.status in PRODUCTION or server.status == ServerStatus.STARTING_FAILOVER_PROD
    return kind is Kind.START_PROD or production


def buttons(
    server: Server, site: Site | None, *, role: Role, posture: Posture, ours: OwnState, two_persons: bool = False
) -> tuple[Button, ...]:
    """The actions that the role may ever do on the server, with what blocks them now."""
    sight = Sight(server, site)
    return tuple(
        _button(judge(kind, sight, role=role, posture=posture, ours=ours, unapproved=two_persons), server)
        for kind in Kind
        if not never(kind, server, role)
    )


def blocked(server: Server, site: Site | None, ours: OwnState, *, posture: Posture, missing: bool = False) -> bool:
    """Whether a recovery server allows no action at all, roles aside; one that is missing allows none."""
    if server.type != ServerType.RECOVERY:
        return False
    sight = Sight(None) if missing else Sight(server, site)
    return not any(judge(kind, sight, role=Role.ADMIN, posture=posture, ours=ours).allowed for kind in Kind)


def summary(shown: tuple[Button, ...]) -> tuple[ShownReason, ...]:
    """The reasons of a row's disabled buttons, each once, named by action where it does not hold for all of them."""
    disabled = [button for button in shown if not button.allowed]
    holding: dict[str, list[Button]] = {}
    reasons: dict[str, ShownReason] = {}
    for button in disabled:
        for reason in button.reasons:
            reasons.setdefault(reason.message, reason)
            holders = holding.setdefault(reason.message, [])
            if button not in holders:
                holders.append(button)
    for message, holders in holding.items():
        if len(holders) < len(shown):
            prefix = joined("", [joined(phrase(", "), [button.label for button in holders]), phrase(": ")])
            reasons[message] = msgspec.structs.replace(reasons[message], prefix=prefix)
    return tuple(reasons.values())


def shown_reason(reason: Reason) -> ShownReason:
    """A reason as pages show it."""
    return ShownReason(stored(reason.message), reason.code, REMEDY[reason.remedy], reason.task_uuids)


def _button(verdict: Verdict, server: Server) -> Button:
    blocking = tuple(reason for reason in verdict.reasons if reason.mark > Mark.ACKNOWLEDGE)
    if any(reason.code == "NothingToStop" for reason in blocking):
        # The role, or a second person, is asked for what could be stopped; there is nothing.
        blocking = tuple(reason for reason in blocking if reason.code not in ("RoleOperator", "NeedsApproval"))
    return Button(
        kind=verdict.kind,
        label=verb(verdict.kind, server.status) if verdict.kind is Kind.STOP else KIND[verdict.kind],
        href=dialog_url(server.uuid, verdict.kind),
        allowed=verdict.allowed,
        production=verdict.production,
        reasons=tuple(dict.fromkeys(map(shown_reason, blocking))),
        caution=tuple(shown_reason(reason) for reason in verdict.reasons if reason.mark is Mark.ACKNOWLEDGE),
        pointless=any(reason.code in POINTLESS for reason in blocking),
        tell=tell_url(server.uuid, verdict.kind),
        asks=_asks(verdict, blocking),
    )


def _asks(verdict: Verdict, blocking: tuple[Reason, ...]) -> str:
    if {reason.code for reason in blocking} == {"NeedsApproval"}:
        return BY_TWO
    return BY_GLASS if verdict.breakable else ""
