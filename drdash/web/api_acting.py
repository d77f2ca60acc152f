"""The acting side of the JSON API: the same protocol as a dialog's, and the same doors before it."""

from functools import partial

from django.contrib.auth.models import User
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.authtoken.models import Token
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from drdash.cloud.records import RecoveryPoint
from drdash.failover import actions, models
from drdash.failover.actions import Invalid, KeyReused, TooMany, TooOften, Wish
from drdash.failover.models import State
from drdash.failover.reasons import Mark, Remedy, own
from drdash.failover.sighting import Sighting, sight_of
from drdash.tenants.models import Tenant
from drdash.web import api_answers, proving, tokens
from drdash.web.api import ANONYMOUS, NO_SUCH, UUID, frame_for, person, server_within
from drdash.web.api_schema import StructExtension as StructExtension  # known to the schema once it is imported
from drdash.web.api_shapes import (
    Action,
    BreakGlass,
    NewAction,
    Problem,
    Refusal,
    Why,
)
from drdash.web.api_view import ApiView, body_of
from drdash.web.dialogs import FORBIDDEN, WRONG_PASSWORD
from drdash.web.finding import Found
from drdash.web.frame import Frame

WRONG = Why("WrongPassword", WRONG_PASSWORD, Remedy.FIX, ())


class ServerActions(ApiView):
    @extend_schema(
        operation_id="act",
        parameters=[UUID],
        request=NewAction,
        responses={
            200: OpenApiResponse(Action, "The same key again: the action that it made, as it is by now."),
            201: OpenApiResponse(Action, "The action was carried out; its state tells what came of it."),
            400: OpenApiResponse(Problem, "The wish itself is wrong; nothing was sent."),
            **ANONYMOUS,
            403: OpenApiResponse(
                Refusal,
                "Your role, your token or your sign-in may not do this, or the password is wrong; nothing was sent.",
            ),
            409: OpenApiResponse(Refusal, "Something stands against it; nothing was sent."),
            413: OpenApiResponse(Problem, "The body is too large."),
            415: OpenApiResponse(Problem, "The body is not JSON."),
            429: OpenApiResponse(Problem, "You asked too often for what you may not do."),
            503: OpenApiResponse(Problem, "Too much at once, or what was last seen is not at hand; nothing was sent."),
            **NO_SUCH,
        },
    )
    def post(self, request: Request, uuid: str) -> Response:
        """Start or stop a failover, now: a fresh read of the cloud decides, and at most one request is sent to it."""
        frame = frame_for(request)
        found = server_within(frame, uuid)
        asked = body_of(request, NewAction)
        user, tenant = person(request), frame.reach.tenants[found.estate.tenant]
        if not _right_password(request, asked):
            return Response(Refusal(WRONG_PASSWORD, (WRONG,)), status=403)
        seen = None
        if isinstance(asked.seen, int) and not _is_repeat(user, asked):
            seen = _sighting(user, frame, found, asked, asked.seen)
            if seen is None:
                changed = own("Changed", Mark.BLOCK)
                return Response(Refusal(changed.message, api_answers.why([changed])), status=409)
        try:
            wish = _wish(asked, seen, unproven=_unproven(request, tenant))
            still = partial(_still, request, tenant, wish)
            action, created = actions.request(user=user, tenant=tenant, server=found.server, wish=wish, still=still)
        except Invalid as problem:
            raise ParseError(str(problem)) from problem
        except KeyReused as problem:
            return Response(Refusal(str(problem)), status=409)
        except TooOften as problem:
            return Response(Problem(str(problem)), status=429, headers={"Retry-After": "60"})
        except TooMany as problem:
            return Response(Problem(str(problem)), status=503, headers={"Retry-After": "1"})
        if created and action.state == State.REFUSED and action.status is None:
            forbidden = any(reason["code"] in FORBIDDEN for reason in action.reasons)
            return Response(api_answers.refusal(action, frame.estates), status=403 if forbidden else 409)
        return Response(
            api_answers.action(action, frame.estates),
            status=201 if created else 200,
            headers={"Location": reverse("api:action", args=[action.pk])},
        )


def _right_password(request: Request, asked: NewAction) -> bool:
    """Whether every password that was sent is the person's own; throttled and on record like a sign-in."""
    given = {asked.password} if isinstance(asked.password, str) else set()
    if isinstance(asked.break_glass, BreakGlass):
        given.add(asked.break_glass.password)
    return all(proving.prove(request._request, password) for password in sorted(given))


def _unproven(request: Request, tenant: Tenant) -> str:
    """Why production is not for whoever asks; empty when it is. A password is no stand-in for a token's right."""
    if request.auth is not None:
        return "" if tokens.may_run_production(request.auth, tenant) else "TokenNoProduction"
    return "" if proving.proven(request._request) else "SignInAgain"


def _still(request: Request, tenant: Tenant, wish: Wish) -> bool:
    """Whether the token, where it came with one, was not revoked meanwhile, and has the right that it had."""
    if not isinstance(request.auth, Token):
        return True
    kept = Token.objects.filter(pk=request.auth.pk).exists()
    return kept and (bool(wish.unproven) or tokens.may_run_production(request.auth, tenant))


def _wish(asked: NewAction, seen: Sighting | None, *, unproven: str) -> Wish:
    point = asked.recovery_point
    return Wish(
        kind=asked.action,
        key=asked.idempotency_key,
        recovery_point=None if not point else RecoveryPoint(point.backup_id, point.archive_id, point.vault_id),
        acknowledge=frozenset(asked.acknowledge),
        confirm=asked.confirm,
        seen=seen,
        glass=asked.break_glass.reason if asked.break_glass else "",
        approval=asked.approval or None,
        unproven=unproven,
    )


def _is_repeat(user: User, asked: NewAction) -> bool:
    """A repeat is answered with what it did before, though that has changed what there is to see."""
    return models.Action.objects.filter(user=user, idempotency_key=asked.idempotency_key).exists()


def _sighting(user: User, frame: Frame, found: Found, asked: NewAction, version: int) -> Sighting | None:
    """What was seen at that version of the estate; None when the server or its site has changed since."""
    site = found.estate.sites.get(found.server.site_key)
    if found.seen.version > version or (site is not None and site.version > version):
        return None
    return sight_of(
        user=user.pk,
        tenant=found.estate.tenant,
        kind=asked.action,
        server=found.server,
        site=site.record if site else None,
        role=frame.role(found.estate.tenant),
    )
