"""The page before a batch: what would go, what waits and what is blocked; and its confirmation, which makes it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from drdash.cloud.records import Server
from drdash.cloud.words import ServerType
from drdash.english import english
from drdash.failover import batches, confirming, running
from drdash.failover.actions import TooMany
from drdash.failover.approvals import SHORTEST
from drdash.failover.batches import NotDone
from drdash.failover.guard import Kind
from drdash.failover.models import Batch
from drdash.failover.plan import Plan, plan_of, seal, unseal
from drdash.failover.preflight import MOST, Line, Lot, Preflight, preflight
from drdash.failover.sighting import Expired
from drdash.tenants.models import Tenant
from drdash.web import cards, finding, proving
from drdash.web.actioncards import deed
from drdash.web.buttons import server_url, shown_reason
from drdash.web.columns import asked
from drdash.web.finding import Found
from drdash.web.frame import Frame, frame_of, page, user_of
from drdash.web.phrases import phrase
from drdash.web.said import said
from drdash.web.wording import Look


class Do(msgspec.Struct, frozen=True):
    """What a batch does: an action, of tests or of production."""

    kind: Kind
    production: bool
    words: str

    @property
    def starts(self) -> bool:
        return self.kind is not Kind.STOP


DO = {
    "start-tests": Do(Kind.START_TEST, False, phrase("Start tests")),
    "stop-tests": Do(Kind.STOP, False, phrase("Stop tests")),
    "start-production": Do(Kind.START_PROD, True, phrase("Start production")),
    "stop-production": Do(Kind.STOP, True, phrase("Stop production")),
}
LATEST, BEFORE = "latest", "before"
LOTS = {
    Lot.GO: Look(phrase("Can go"), "still", "standby"),
    Lot.WAIT: Look(phrase("Wait"), "moving", "wait"),
    Lot.BLOCKED: Look(phrase("Blocked"), "warn", "blocked"),
}


class PointForm(forms.Form):
    """Which recovery point each is to start from. ``point`` has no default: a lost one must not mean "latest"."""

    point = forms.ChoiceField(choices=[(LATEST, LATEST), (BEFORE, BEFORE)])
    before = forms.DateTimeField(
        required=False, input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"]
    )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("point") == LATEST:
            given["before"] = None
        elif given.get("before") is None:
            self.add_error(
                "before",
                gettext("Say before which time the recovery points are to be, such as 2026-03-01 12:00 (UTC)."),
            )
        elif given["before"] > timezone.now():
            self.add_error(
                "before", gettext("That time is yet to come: the recovery points before it are not all there yet.")
            )
        return given


def name_of(made: Batch | Plan) -> str:
    """How DO calls what a batch or its plan does."""
    return next(name for name, do in DO.items() if (do.kind, do.production) == (made.kind, made.production))


def offered(frame: Frame) -> list[tuple[str, Do]]:
    """What the reader may do with many at once, somewhere within their reach."""
    roles = frame.reach.roles.values()
    may = {True: any(role.runs_production for role in roles), False: any(role.runs_tests for role in roles)}
    return [(name, do) for name, do in DO.items() if may[do.production]]


def eligible(frame: Frame, found: Sequence[Found]) -> list[Found]:
    """Those that can be chosen at all: recovery servers, where the reader does more than look."""
    return [one for one in found if one.server.type == ServerType.RECOVERY and frame.role(one.estate.tenant).runs_tests]


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """The pre-flight of the servers that were chosen in the list. It sends nothing, so it may be asked again."""
    frame = frame_of(request)
    if request.method != "POST":
        return redirect("servers")
    do = _asked(frame, request.POST.get("do", ""))
    if request.POST.get("which") == "all":
        found = finding.find(frame.estates, asked(request.GET), is_blocked=frame.is_blocked)
    else:
        uuids = dict.fromkeys(uuid.lower() for uuid in request.POST.getlist("server")[: MOST + 1])
        found = [one for uuid in uuids if (one := finding.one(frame.estates, uuid))]
    chosen = eligible(frame, found)
    if not chosen:
        return _back(request, gettext("Nothing was chosen: tick servers in the list first."))
    if len(chosen) > MOST:
        many = gettext("%(count)s servers are more than the %(most)s that one batch takes. Filter the list.")
        return _back(request, many % {"count": len(chosen), "most": MOST})
    return _page(request, frame, do, chosen, PointForm(request.POST))


def _back(request: HttpRequest, problem: str) -> HttpResponse:
    messages.error(request, problem)
    query = request.GET.urlencode()
    return redirect(f"{reverse('servers')}?{query}" if query else reverse("servers"))


def confirm(request: HttpRequest) -> HttpResponse:
    """Make the batch of the pre-flight that is confirmed, and go on with it."""
    frame, user = frame_of(request), user_of(request)
    try:
        plan = unseal(request.POST.get("plan", ""), user=user.pk)
    except Expired as problem:
        messages.error(request, said(str(problem)))
        return redirect("servers")
    name = _asked(frame, name_of(plan))
    try:
        made = _make(request, plan)
    except NotDone as problem:
        point = {
            "point": BEFORE if plan.before else LATEST,
            "before": plan.before and f"{plan.before:%Y-%m-%dT%H:%M:%S}",
        }
        chosen = [one for line in plan.lines if (one := finding.one(frame.estates, line.server))]
        return _page(request, frame, name, chosen, PointForm(point), problem=problem, typed=request.POST)
    return redirect("batch", made.pk)


def _make(request: HttpRequest, plan: Plan) -> Batch:
    user, now, typed = user_of(request), timezone.now(), request.POST
    count = len(plan.going)
    if made := Batch.objects.filter(user=user, key=plan.key).first():
        return made  # a second click on the same page
    places = [
        _whole(typed, f"place-{line.server}", english("Every server needs a place, as a number."))
        for line in plan.going
    ]
    if plan.production and typed.get("count", "").strip() != str(count):
        raise NotDone(
            english("Type how many servers these are, %(count)s, to confirm: this is production.", count=count), "count"
        )
    rate = _whole(typed, "per_minute", english("How many a minute is a whole number."))
    if (plan.production or not proving.proven(request)) and not proving.prove(request, typed.get("password", "")):
        raise NotDone(english("The password is not right, so nothing was sent."), "password")
    order = sorted(range(count), key=lambda index: (places[index], index))
    nods, why = typed.getlist("acknowledge"), typed.get("why", "").replace("\0", "")[:2000]
    made = confirming.make(user=user, plan=plan, order=order, nods=nods, per_minute=rate, now=now, why=why)
    if not plan.asks:
        running.start(made, by=user, now=now)
    return made


def _page(
    request: HttpRequest,
    frame: Frame,
    name: str,
    chosen: Sequence[Found],
    points: PointForm,
    *,
    problem: NotDone | None = None,
    typed: QueryDict | None = None,
) -> HttpResponse:
    do, found = DO[name], None
    if do.starts and not points.is_valid():
        words = " ".join(str(one) for errors in points.errors.values() for one in errors)
        problem = NotDone(words, *points.errors)
    else:
        try:
            found = _flown(request, frame, do, chosen, points.cleaned_data["before"] if do.starts else None)
        except TooMany as busy:
            problem = NotDone(str(busy))
    words = said(str(problem)) if problem else ""
    context = {
        "name": name,
        "do": do,
        "deed": do.words,
        "within": deed(do.words),
        "problem": words,
        "wrong": dict.fromkeys(problem.fields, words) if problem else {},
        "typed": typed,
        "ticked": typed.getlist("acknowledge") if typed else [],
        "points": points.data,
        "servers": [one.server.uuid for one in chosen],
        "now": timezone.now(),
        **(_shown(request, found, typed) if found else {}),
    }
    return page(request, "batches/new.html", context, frame=frame, status=422 if problem else 200)


def _flown(request: HttpRequest, frame: Frame, do: Do, chosen: Sequence[Found], before: datetime | None) -> Preflight:
    among: list[tuple[Tenant, Server]] = [(frame.reach.tenants[one.estate.tenant], one.server) for one in chosen]
    return preflight(user=user_of(request), chosen=among, kind=do.kind, production=do.production, before=before)


def _shown(request: HttpRequest, found: Preflight, typed: QueryDict | None) -> dict[str, Any]:
    lines = {lot: [_line(line) for line in found.lot(lot)] for lot in LOTS}
    for place, line in enumerate(lines[Lot.GO], 1):
        line["place"] = (typed.get(line["field"]) if typed else "") or place
    return {
        "at": found.at,
        "before": found.before,
        "going": lines[Lot.GO],
        "others": [(LOTS[lot], lines[lot]) for lot in (Lot.WAIT, Lot.BLOCKED) if lines[lot]],
        "tally": [
            (LOTS[lot] if some else msgspec.structs.replace(LOTS[lot], tone="still"), len(some))
            for lot, some in lines.items()
        ],
        "nods": list(found.nods.items()),
        "plan": seal(plan_of(found, user=user_of(request).pk)),
        "asks": sum(line.approval for line in found.lot(Lot.GO)),
        "shortest": SHORTEST,
        "password": found.production or not proving.proven(request),
        "rates": (batches.FEWEST, batches.USUAL, batches.MOST),
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "field": f"place-{line.server.key}",
        "name": cards.name_of(line.server),
        "url": server_url(line.server.uuid),
        "tenant": line.tenant.name,
        "status": cards.server_status(line.server),
        "reasons": {(one.message, one.task_uuids): one for one in map(shown_reason, line.against)}.values(),
        "point": line.point,
        "approval": line.approval,
    }


def _asked(frame: Frame, name: str) -> str:
    """The name of what is to be done, which the reader may do somewhere."""
    if name not in DO:
        raise Http404
    if name not in dict(offered(frame)):
        raise PermissionDenied
    return name


def _whole(typed: QueryDict, field: str, problem: str) -> int:
    text = typed.get(field, "").strip()
    if not (text.isascii() and text.isdigit() and len(text) < 7):
        raise NotDone(problem, field)
    return int(text)
