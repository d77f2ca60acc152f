"""The JSON API: what pages show and do, for programs. It finds, filters, judges and acts by the same functions."""

from functools import cache
from typing import Any

import msgspec
from django.contrib.auth.models import User
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from drdash.cloud.records import RecoveryPoint
from drdash.estate.replica import replica
from drdash.failover import actions, models
from drdash.failover.actions import Invalid, KeyReused, TooMany, Wish
from drdash.failover.models import State
from drdash.failover.reasons import Mark, own
from drdash.failover.sighting import Sighting, sight_of
from drdash.web import api_answers, api_lists, finding
from drdash.web.api_schema import StructExtension as StructExtension  # known to the schema once it is imported
from drdash.web.api_shapes import (
    Action,
    ActionPage,
    NewAction,
    OneServer,
    OneSite,
    Problem,
    Refusal,
    ServerPage,
    SitePage,
)
from drdash.web.api_view import ApiView, Away, body_of
from drdash.web.dialogs import ROLE_REASONS
from drdash.web.finding import Found
from drdash.web.frame import Frame, frame_of

ANONYMOUS = {401: OpenApiResponse(Problem, "Not signed in.")}
AWAY = {503: OpenApiResponse(Problem, "What was last seen is not at hand. Try again in a moment.")}
NONSENSE = {400: OpenApiResponse(Problem, "The query makes no sense; the sentence says why.")}
NO_SUCH = {404: OpenApiResponse(Problem, "There is no such thing within your reach.")}
UUID = OpenApiParameter("uuid", str, OpenApiParameter.PATH, description="The cloud's id, in any case.")


class Servers(ApiView):
    @extend_schema(
        operation_id="list_servers",
        parameters=[*api_lists.PART, *api_lists.FILTERS],
        responses={200: ServerPage, **NONSENSE, **ANONYMOUS},
    )
    def get(self, request: Request) -> Response:
        """The servers of every tenant within your reach, by name."""
        frame = _frame(request)
        wanted, part = api_lists.wanted(request.query_params), api_lists.Part.of(request.query_params)
        found = finding.find(frame.estates, wanted, is_blocked=frame.is_blocked)
        asked = [estate for pk, estate in frame.estates.items() if not wanted.tenant or wanted.tenant == str(pk)]
        return Response(
            api_lists.page(
                request,
                asked,
                count=len(found),
                part=part,
                items=lambda first, end: [_server(frame, one) for one in found[first:end]],
            )
        )


class Server(ApiView):
    @extend_schema(
        operation_id="get_server", parameters=[UUID], responses={200: OneServer, **NO_SUCH, **ANONYMOUS, **AWAY}
    )
    def get(self, request: Request, uuid: str) -> Response:
        """One server, and which actions on it are open to you."""
        frame = _frame(request)
        found = _found(frame, uuid)
        return Response({**_server(frame, found), "estate": api_answers.estate_state(found.estate)})


class Sites(ApiView):
    @extend_schema(
        operation_id="list_sites", parameters=api_lists.PART, responses={200: SitePage, **NONSENSE, **ANONYMOUS}
    )
    def get(self, request: Request) -> Response:
        """The sites of every tenant within your reach."""
        estates = _frame(request).estates.values()
        found = [(estate, seen) for estate in estates for _, seen in sorted(estate.sites.items())]
        return Response(
            api_lists.page(
                request,
                estates,
                count=len(found),
                part=api_lists.Part.of(request.query_params),
                items=lambda first, end: [api_answers.site(*one) for one in found[first:end]],
            )
        )


class Site(ApiView):
    @extend_schema(operation_id="get_site", parameters=[UUID], responses={200: OneSite, **NO_SUCH, **ANONYMOUS, **AWAY})
    def get(self, request: Request, uuid: str) -> Response:
        """One site."""
        for estate in _frame(request).estates.values():
            if seen := estate.sites.get(uuid.lower()):
                return Response({**api_answers.site(estate, seen), "estate": api_answers.estate_state(estate)})
        raise _no_such("site")


class Actions(ApiView):
    @extend_schema(
        operation_id="list_actions", parameters=api_lists.PART, responses={200: ActionPage, **NONSENSE, **ANONYMOUS}
    )
    def get(self, request: Request) -> Response:
        """The actions of every tenant within your reach, newest first."""
        frame = _frame(request)
        found = frame.reach.only(models.Action.objects.select_related("user").order_by("-id"))
        return Response(
            api_lists.page(
                request,
                frame.estates.values(),
                count=found.count(),
                part=api_lists.Part.of(request.query_params),
                items=lambda first, end: [api_answers.action(one, frame.estates) for one in found[first:end]],
            )
        )


class OneAction(ApiView):
    @extend_schema(operation_id="get_action", responses={200: Action, **NO_SUCH, **ANONYMOUS})
    def get(self, request: Request, pk: int) -> Response:
        """One action, as far as it got."""
        frame = _frame(request)
        found = frame.reach.only(models.Action.objects.select_related("user")).filter(pk=pk).first()
        if found is None:
            raise NotFound(
                "There is no such action within your reach. The list at /api/v1/actions/ shows those there are."
            )
        return Response(api_answers.action(found, frame.estates))


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
            403: OpenApiResponse(Refusal, "Your role may not do this; nothing was sent."),
            409: OpenApiResponse(Refusal, "Something stands against it; nothing was sent."),
            413: OpenApiResponse(Problem, "The body is too large."),
            415: OpenApiResponse(Problem, "The body is not JSON."),
            503: OpenApiResponse(Problem, "Too much at once, or what was last seen is not at hand; nothing was sent."),
            **NO_SUCH,
        },
    )
    def post(self, request: Request, uuid: str) -> Response:
        """Start or stop a failover, now: a fresh read of the cloud decides, and at most one request is sent to it."""
        frame = _frame(request)
        found = _found(frame, uuid)
        asked = body_of(request, NewAction)
        user, tenant = _user(request), frame.reach.tenants[found.estate.tenant]
        seen = None
        if isinstance(asked.seen, int) and not _is_repeat(user, asked):
            seen = _sighting(user, frame, found, asked, asked.seen)
            if seen is None:
                changed = own("Changed", Mark.BLOCK)
                return Response(Refusal(changed.message, api_answers.why([changed])), status=409)
        try:
            action, created = actions.request(user=user, tenant=tenant, server=found.server, wish=_wish(asked, seen))
        except Invalid as problem:
            raise ParseError(str(problem)) from problem
        except KeyReused as problem:
            return Response(Refusal(str(problem)), status=409)
        except TooMany as problem:
            return Response(Problem(str(problem)), status=503, headers={"Retry-After": "1"})
        if created and action.state == State.REFUSED and action.status is None:
            forbidden = any(reason["code"] in ROLE_REASONS for reason in action.reasons)
            return Response(api_answers.refusal(action, frame.estates), status=403 if forbidden else 409)
        return Response(
            api_answers.action(action, frame.estates),
            status=201 if created else 200,
            headers={"Location": reverse("api:action", args=[action.pk])},
        )


class Schema(ApiView):
    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        """This API in OpenAPI's terms."""
        return Response(_schema())


class Nowhere(ApiView):
    @extend_schema(exclude=True)
    def get(self, request: Request, rest: str = "") -> Response:
        raise NotFound("There is nothing at this address. The schema at /api/v1/schema/ lists what there is.")

    post = put = patch = delete = get


@cache
def _schema() -> msgspec.Raw:
    schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return msgspec.Raw(OpenApiJsonRenderer().render(schema, renderer_context={}))


def _frame(request: Request) -> Frame:
    return frame_of(request._request)


def _user(request: Request) -> User:
    assert isinstance(request.user, User)  # noqa: S101 - IsAuthenticated sees to it
    return request.user


def _found(frame: Frame, uuid: str) -> Found:
    if found := finding.one(frame.estates, uuid):
        return found
    raise _no_such("server")


def _no_such(kind: str) -> Exception:
    """What is unknown and what belongs to others look the same; without Redis nobody can say "unknown"."""
    if not replica().reachable:
        return Away()
    return NotFound(f"There is no such {kind} within your reach. The list at /api/v1/{kind}s/ shows those there are.")


def _server(frame: Frame, found: Found) -> dict[str, Any]:
    tenant = found.estate.tenant
    return api_answers.server(
        found,
        role=frame.role(tenant),
        posture=frame.reach.tenants[tenant].posture,
        ours=frame.live.get((tenant, found.key)),
    )


def _wish(asked: NewAction, seen: Sighting | None) -> Wish:
    point = asked.recovery_point
    return Wish(
        kind=asked.action,
        key=asked.idempotency_key,
        recovery_point=None if not point else RecoveryPoint(point.backup_id, point.archive_id, point.vault_id),
        acknowledge=frozenset(asked.acknowledge),
        confirm=asked.confirm,
        seen=seen,
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
