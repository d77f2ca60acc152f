"""What an approval's row and page show: what was asked, by whom and why, what was seen then and what is now. Pure."""

from datetime import datetime
from typing import Any

import msgspec
from django.urls import reverse

from drdash.failover import approvals
from drdash.failover.actions import Preview
from drdash.failover.consents import LIVES, seen_then
from drdash.failover.guard import Kind
from drdash.failover.models import Approval, Consent
from drdash.failover.reasons import Mark
from drdash.failover.sighting import Sighting
from drdash.web.actioncards import action_url, deed
from drdash.web.buttons import dialog_url, server_url, shown_reason
from drdash.web.drifts import Drift, drifts
from drdash.web.forms import LATEST
from drdash.web.phrases import phrase
from drdash.web.said import stored
from drdash.web.steps import recovery_point
from drdash.web.wording import (
    CONSENT,
    CONSENT_MEANS,
    SERVER_STATUS,
    SEVERITY,
    UNSAID,
    Look,
    action_name,
    look_of,
    rel_words,
)

NONE = Look(phrase("None"), "still", "off")
NOT_THERE = Look(phrase("Not there"), "still", "off")


class ApprovalCard(msgspec.Struct, frozen=True):
    """An approval as its row and its page show it."""

    id: int
    url: str
    name: str
    deed: str
    server_name: str
    server_url: str
    dialog_url: str
    tenant_name: str
    state: Look
    means: str
    open: bool
    by: str
    asked_at: datetime
    expires_at: datetime
    answered_by: str
    answered_at: datetime | None
    said: str
    why: str
    point: str
    action_url: str


class Line(msgspec.Struct, frozen=True):
    """One thing as it was when it was asked for, and as it is; ``now`` None: nobody looked."""

    what: str
    then: Look
    now: Look | None

    @property
    def differs(self) -> bool:
        """Whether it changed."""
        return self.now is not None and self.now != self.then


def approval_url(approval: Approval) -> str:
    """The approval's page."""
    return reverse("approval", args=[approval.pk])


def asked_of(approval: Approval) -> tuple[str, str]:
    """What was asked for, a server or a batch, and where it is answered; its ``item`` should be loaded."""
    if item := getattr(approval, "item", None):
        return phrase("batch %(batch)s", batch=item.batch_id), reverse("batch-approval", args=[item.batch_id])
    return approval.server_name or approval.server_uuid, approval_url(approval)


def approval_card(approval: Approval) -> ApprovalCard:
    """The card of an approval; its ``tenant``, people and ``action`` must be loaded."""
    used = getattr(approval, "action", None)
    return ApprovalCard(
        id=approval.pk,
        url=approval_url(approval),
        name=action_name(approval.kind, production=True),
        deed=deed(action_name(approval.kind, production=True)),
        server_name=approval.server_name or approval.server_uuid,
        server_url=server_url(approval.server_uuid),
        dialog_url=dialog_url(approval.server_uuid, approval.kind),
        tenant_name=approval.tenant.name,
        state=look_of(CONSENT, approval.state),
        means=CONSENT_MEANS.get(approval.state, ""),
        open=approval.state in LIVES,
        by=approval.asked_by.get_username(),
        asked_at=approval.asked_at,
        expires_at=approval.expires_at,
        answered_by=approval.answered_by.get_username() if approval.answered_by else "",
        answered_at=approval.answered_at,
        said=stored(approval.said),
        why=approval.why,
        point="" if approval.kind == Kind.STOP else recovery_point(approval.recovery_point),
        action_url=action_url(used) if used else "",
    )


def in_dialog(seen: Preview, asked: Approval | None, *, breaks: bool) -> tuple[Preview, dict[str, Any]]:
    """What an action's dialog shows of a second admin's word, and the preview as it is with it. ``asked``: what the
    reader asked for and may still get or use; ``breaks``: they would rather break the glass.
    """
    changed: tuple[Drift, ...] = ()
    if approvals.NEEDED not in {reason.code for reason in seen.verdict.reasons}:
        asked = None
    if asked and (then := seen_then(asked)) and approvals.was_read(seen.verdict):
        changed = drifts(msgspec.structs.replace(then, role=seen.sighting.role), seen.sighting)
    holds = asked is not None and asked.state == Consent.GIVEN and not approvals.changes(asked, seen.sighting)
    if holds:
        seen = msgspec.structs.replace(seen, verdict=approvals.lifted(seen.verdict))
    lacks = approvals.lacks_only_approval(seen.verdict)
    return seen, {
        "asked_for": approval_card(asked) if asked else None,
        "holds": holds,
        "fixed": msgspec.json.encode(asked.recovery_point).decode() if asked and asked.recovery_point else LATEST,
        "lacks": lacks and not breaks,
        "unfolded": seen.verdict.breakable and breaks,
        "since": changed,
        "nods": [shown_reason(one) for one in seen.verdict.reasons if one.mark is Mark.ACKNOWLEDGE],
        "ask_url": f"{server_url(seen.server.uuid)}approval/{seen.verdict.kind}/",
        "shortest_ask": approvals.SHORTEST,
    }


def lines(approval: Approval, now: Sighting | None) -> tuple[Line, ...]:
    """What was seen when it was asked for, beside what is seen now; nothing when it cannot be read any more."""
    then = seen_then(approval)
    if then is None:
        return ()
    found = []
    if now and now.name != then.name:
        found.append(Line(phrase("Server"), _word(then.name), _word(now.name)))
    if now and now.site != then.site:
        found.append(Line(phrase("Site"), _word(then.site), _word(now.site)))
    found.append(
        Line(phrase("Status"), look_of(SERVER_STATUS, then.status), look_of(SERVER_STATUS, now.status) if now else None)
    )
    issues = sorted({(code, link) for code, _, link in then.issues | (now.issues if now else frozenset())})
    found += [Line(_about(*one), _severity(then, *one), _severity(now, *one) if now else None) for one in issues]
    return tuple(found if issues else [*found, Line(phrase("Issues"), NONE, NONE if now else None)])


def _word(text: str) -> Look:
    return Look(text, "still", "ask") if text else UNSAID


def _about(code: str, link: str) -> str:
    name = code or phrase("An unnamed issue")
    if not link:
        return name
    about = phrase("of the site") if link == "site" else rel_words(link)
    return phrase("%(code)s (%(about)s)", code=name, about=about)


def _severity(seen: Sighting, code: str, link: str) -> Look:
    told = sorted(severity for one, severity, where in seen.issues if (one, where) == (code, link))
    return look_of(SEVERITY, told[0]) if told else NOT_THERE
