"""How far the cloud's tasks are, beside an action and on a server's page. Loaded by the page while someone looks, and
asked of the cloud once for all who look. It changes nothing: an action's state comes from its server alone.
"""

from datetime import timedelta

import msgspec
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from drdash.cloud.neighbours import tasks as manager
from drdash.cloud.neighbours.tasks import Task
from drdash.failover.models import Action
from drdash.tenants.models import Tenant
from drdash.web import beside, cards
from drdash.web.beside import Trouble
from drdash.web.buttons import server_url
from drdash.web.frame import Frame, frame_of, page, server_or_404
from drdash.web.kept import Kept
from drdash.web.phrases import phrase
from drdash.web.points import span
from drdash.web.taskwords import ERROR, RESULT, STATE
from drdash.web.wording import Look, look_of

MOST = 3
KEPT = 1000
# How long an answer is good for everyone who looks, in seconds.
RUNNING_SECONDS, PASSING_SECONDS, REFUSED_SECONDS, OVER_SECONDS = 3.0, 10.0, 60.0, 3600.0

_Told = Task | Trouble | None


def _good_for(answer: _Told) -> float:
    match answer:
        case Task():
            return OVER_SECONDS if answer.over else RUNNING_SECONDS
        case Trouble(passing=True):
            return PASSING_SECONDS
    return REFUSED_SECONDS


kept: Kept[_Told] = Kept(
    good_for=_good_for, meanwhile=Trouble(phrase("The cloud is being asked for it."), passing=True), most=KEPT
)


class Shown(msgspec.Struct, frozen=True):
    """A task in words, or why nothing can be said of it."""

    uuid: str
    look: Look | None = None
    percent: int | None = None
    left: str = ""
    error: str = ""
    means: str = ""
    context: str = ""
    task: Task | None = None
    problem: str = ""
    runs: bool = False


@require_safe
def of_action(request: HttpRequest, pk: int) -> HttpResponse:
    """The task that an action started."""
    frame = frame_of(request)
    action = frame.reach.only(Action.objects.filter(pk=pk)).first()
    if action is None or not action.task_uuid:
        raise Http404
    of = (action.server_name or action.server_uuid, reverse("action", args=[pk]))
    return _answer(request, frame.reach.tenants[action.tenant_id], (action.task_uuid,), of, frame)


@require_safe
def of_server(request: HttpRequest, uuid: str) -> HttpResponse:
    """The tasks that keep a server busy, as last seen."""
    frame = frame_of(request)
    found = server_or_404(frame, uuid)
    uuids = tuple(sorted(found.server.task_uuids))[:MOST]
    of = (cards.name_of(found.server), server_url(found.server.uuid))
    return _answer(request, frame.reach.tenants[found.estate.tenant], uuids, of, frame)


def told(tenant: Tenant, uuid: str) -> _Told:
    """What the task manager says of a task, a few seconds old at most; None: it does not know it."""
    now = timezone.now().timestamp()
    return kept.get(
        (tenant.pk, uuid.lower()),
        lambda: beside.ask(tenant, beside.TASKS, lambda get: manager.read(uuid, get, now=now)),
    )


def _answer(
    request: HttpRequest, tenant: Tenant, uuids: tuple[str, ...], of: tuple[str, str], frame: Frame
) -> HttpResponse:
    """``of``: the name of what they belong to, and its page."""
    answers = [told(tenant, uuid) for uuid in uuids]
    every = 5 if any(isinstance(one, Task) and not one.over for one in answers) else 0
    if not every and any(isinstance(one, Trouble) and one.passing for one in answers):
        every = 15
    context = {
        "tasks": [_shown(uuid, one) for uuid, one in zip(uuids, answers, strict=True)],
        "url": request.get_full_path(),
        "every": every,
        "name": of[0],
        "back": of[1],
    }
    if request.headers.get("HX-Request") == "true":
        template = "tasks/_brief.html" if "brief" in request.GET else "tasks/_tasks.html"
        return render(request, template, context)
    return page(request, "tasks/page.html", context, frame=frame)


def _shown(uuid: str, answer: _Told) -> Shown:
    if isinstance(answer, Trouble):
        return Shown(uuid, problem=answer.sentence)
    if answer is None:
        return Shown(uuid, problem=phrase("The cloud's task manager does not list it (any more)."))
    look = look_of(RESULT, answer.result) if answer.result else look_of(STATE, answer.state)
    return Shown(
        uuid,
        look=look,
        percent=None if answer.done is None or answer.over else int(100 * answer.done),
        left="" if answer.left is None or answer.over else _left(answer.left),
        error=answer.error,
        means=ERROR.get(answer.error, "") if answer.error else "",
        context=answer.context,
        task=answer,
        runs=not answer.over,
    )


def _left(left: timedelta) -> str:
    seconds = round(left.total_seconds())
    if seconds < 100:
        return phrase("about %(seconds)s s left", seconds=seconds)
    return phrase("about %(span)s left", span=span(left))
