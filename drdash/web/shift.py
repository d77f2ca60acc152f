"""What people tell each other on a server's page: the note for the next shift, and who has a dialog open."""

from typing import Any

import msgspec
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from drdash.estate import lookers, notes
from drdash.estate.lookers import Looker
from drdash.estate.replica import replica
from drdash.failover.guard import Kind
from drdash.tenants.access import Denied
from drdash.web import cards
from drdash.web.buttons import server_url
from drdash.web.finding import Found
from drdash.web.frame import Frame, digest, frame_of, page, part, server_or_404, user_of, wants_part
from drdash.web.said import said
from drdash.web.wording import action_name


class Present(msgspec.Struct, frozen=True):
    """Someone with a dialog open, in words."""

    looker: Looker
    what: str


def context(request: HttpRequest, frame: Frame, found: Found) -> dict[str, Any]:
    """For ``servers/_shift.html`` and the form of the note."""
    tenant = found.estate.tenant
    user, now = request.user.pk or 0, timezone.now()
    # A Redis that hangs was waited for already.
    around = lookers.others(tenant, found.key, user, now=now) if replica().reachable else []
    note = notes.note_of(tenant, found.key)
    return {
        "present": [Present(one, action_name(one.kind, production=one.production)) for one in around],
        "note": note,
        "note_stamp": notes.stamp(note),
        "note_most": notes.LONGEST,
        "may_write": frame.role(tenant).runs_tests,
        "shift_url": f"{server_url(found.server.uuid)}shift/",
        "note_url": note_url(found.server.uuid),
        "shift_have": digest([around, notes.stamp(note)]),
    }


def note_url(uuid: str) -> str:
    """Where a server's note is written."""
    return f"{server_url(uuid)}note/"


@require_safe
def shown(request: HttpRequest, uuid: str) -> HttpResponse:
    """Both as the part of the server's page that they are; for whoever comes otherwise, that page."""
    frame = frame_of(request)
    found = server_or_404(frame, uuid)
    if not wants_part(request, "shift"):
        return redirect(server_url(found.server.uuid))
    told = context(request, frame, found)
    return part(request, "servers/_shift.html", {**told, "have": told["shift_have"]})


@require_http_methods(["GET", "HEAD", "POST"])
def note(request: HttpRequest, uuid: str) -> HttpResponse:
    """The note's form, and what is sent with it."""
    frame = frame_of(request)
    found = server_or_404(frame, uuid)
    told = {"name": cards.name_of(found.server), "back": server_url(found.server.uuid)}
    if request.method != "POST":
        return page(request, "servers/note.html", {**context(request, frame, found), **told}, frame=frame)
    tenant, text = frame.reach.tenants[found.estate.tenant], request.POST.get("text", "")
    try:
        notes.leave(
            tenant, found.key, text, by=user_of(request), at=timezone.now(), instead_of=request.POST.get("stamp", "")
        )
    except Denied as problem:
        raise PermissionDenied(said(str(problem))) from problem
    except notes.Overtaken as problem:
        told |= {"problem": said(str(problem)), "text": text[: notes.LONGEST]}
        return page(request, "servers/note.html", {**context(request, frame, found), **told}, frame=frame, status=409)
    return redirect(server_url(found.server.uuid))


def opened(user: User, found: Found, kind: Kind, *, production: bool) -> None:
    """A dialog was opened: the others are told for as long as it is good."""
    looker = Looker(user.get_username(), kind.value, production, timezone.now())
    lookers.here(found.estate.tenant, found.key, user.pk, looker)


def sent(user: User, found: Found) -> None:
    """What the dialog was for has been sent."""
    lookers.gone(found.estate.tenant, found.key, user.pk)
