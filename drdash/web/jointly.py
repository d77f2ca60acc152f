"""The page on which a second admin approves a batch, or declines it: all that is theirs to answer, in one go."""

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from drdash.failover import together
from drdash.failover.actions import TooMany
from drdash.failover.approvals import NotApproved
from drdash.failover.consents import LIVES, settle
from drdash.failover.guard import Kind
from drdash.failover.models import Approval, Batch, Consent
from drdash.failover.preflight import Line, preflight
from drdash.web import approvalcards, finding, proving
from drdash.web.approvalcards import approval_card
from drdash.web.approvals import must_prove, words_of
from drdash.web.batchcards import batch_or_404, batch_url
from drdash.web.buttons import shown_reason
from drdash.web.frame import Frame, frame_of, page, user_of
from drdash.web.phrases import phrase
from drdash.web.said import said as in_their_words
from drdash.web.wording import action_name


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def approval(request: HttpRequest, pk: int) -> HttpResponse:
    """What was seen of each server at the pre-flight beside what is now; a POST gives the word, or declines."""
    frame, user, now = frame_of(request), user_of(request), timezone.now()
    batch = batch_or_404(frame.reach, pk)
    states = [Consent.ASKED] if request.POST.get("deed") != "decline" else list(LIVES)
    theirs = [
        settle(one, now)
        for one in together.of(batch, *states)
        if one.asked_by_id != user.pk and _is_admin(frame, one.tenant_id)
    ]
    theirs = [one for one in theirs if one.state in states]
    if request.method != "POST":
        return _page(request, frame, batch, theirs)
    if batch.user_id == user.pk or not any(role.runs_production for role in frame.reach.roles.values()):
        raise PermissionDenied
    said = words_of(request)
    try:
        if request.POST.get("deed") == "decline":
            together.decline(theirs, by=user, said=said, now=now)
        else:
            _give(request, frame, batch, theirs, said)
    except (NotApproved, TooMany) as problem:
        deed = "decline" if request.POST.get("deed") == "decline" else "give"
        fields = [f"{deed}-{field}" for field in problem.fields] if isinstance(problem, NotApproved) else []
        tried = {"said": said, "deed": deed, "wrong": dict.fromkeys(fields, in_their_words(str(problem)))}
        return _page(request, frame, batch, theirs, problem=str(problem), tried=tried)
    return redirect(batch_url(batch))


def _give(request: HttpRequest, frame: Frame, batch: Batch, theirs: Sequence[Approval], said: str) -> None:
    must_prove(request)
    found, now = _looked(request, frame, batch, theirs), timezone.now()
    together.give(theirs, by=user_of(request), said=said, found=found, now=now)
    words = gettext("You approved %(count)s. %(name)s can go on now.")
    messages.success(request, words % {"count": len(theirs), "name": batch.user.get_username()})


def _page(
    request: HttpRequest,
    frame: Frame,
    batch: Batch,
    theirs: Sequence[Approval],
    *,
    problem: str = "",
    tried: dict[str, Any] | None = None,
) -> HttpResponse:
    found: dict[str, Line] = {}
    try:
        found = _looked(request, frame, batch, theirs)
    except TooMany as busy:
        problem = problem or str(busy)
    rows = [_row(one, found.get(one.server_uuid)) for one in theirs]
    context = {
        "batch": batch,
        "url": batch_url(batch),
        "name": action_name(batch.kind, production=True),
        "starts": batch.kind != Kind.STOP,
        "by": batch.user.get_username(),
        "rows": rows,
        "newest": any(one.recovery_point is None for one in theirs),
        "why": theirs[0].why if theirs else "",
        "until": min((one.expires_at for one in theirs), default=None),
        "goes": bool(rows) and not any(row["against"] for row in rows),
        "problem": in_their_words(problem),
        "proven": proving.proven(request),
        **(tried or {}),
    }
    return page(request, "batches/approval.html", context, frame=frame, status=409 if problem else 200)


def _row(one: Approval, line: Line | None) -> dict[str, Any]:
    """One server: what was seen, what is, and what stands against it."""
    lines = approvalcards.lines(one, line.sighting if line else None)
    against = [] if line else [phrase("It is not among the servers that were last seen.")]
    if line and (not lines or any(what.differs for what in lines)):
        against.append(phrase("It is not as it was seen at the pre-flight."))
    return {
        "card": approval_card(one),
        "lines": lines,
        "reasons": [shown_reason(reason) for reason in line.against] if line else [],
        "nods": [shown_reason(reason) for reason in line.nods] if line else [],
        "words": against,
        "against": bool(against or (line and line.against)),
    }


def _looked(request: HttpRequest, frame: Frame, batch: Batch, theirs: Sequence[Approval]) -> dict[str, Line]:
    """What the cloud tells the reader of each at this moment. Raises TooMany."""
    known = [(one, finding.one({one.tenant_id: frame.estates[one.tenant_id]}, one.server_uuid)) for one in theirs]
    chosen = [(frame.reach.tenants[one.tenant_id], it.server) for one, it in known if it is not None]
    if not chosen:
        return {}
    found = preflight(user=user_of(request), chosen=chosen, kind=Kind(batch.kind), production=True, before=None)
    return {line.server.key: line for line in found.lines}


def _is_admin(frame: Frame, tenant: int) -> bool:
    role = frame.reach.role(tenant)
    return role is not None and role.runs_production
