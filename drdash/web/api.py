"""The JSON API: what pages show and do, for programs. It finds, filters, judges and acts by the same functions."""

from functools import cache
from typing import Any

import msgspec
from django.contrib.auth.models import User
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from drdash.estate.replica import replica
from drdash.failover import models
from drdash.web import api_answers, api_lists, finding
from drdash.web.api_schema import StructExtension as StructExtension  # known to the schema once it is imported
from drdash.web.api_shapes import (
    Action,
    ActionPage,
    OneServer,
    OneSite,
    Problem,
    ServerPage,
    SitePage,
)
from drdash.web.api_view import ApiView, Away
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
        frame = frame_for(request)
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
        frame = frame_for(request)
        found = server_within(frame, uuid)
        return Response({**_server(frame, found), "estate": api_answers.estate_state(found.estate)})


class Sites(ApiView):
    @extend_schema(
        operation_id="list_sites", parameters=api_lists.PART, responses={200: SitePage, **NONSENSE, **ANONYMOUS}
    )
    def get(self, request: Request) -> Response:
        """The sites of every tenant within your reach."""
        estates = frame_for(request).estates.values()
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
        for estate in frame_for(request).estates.values():
            if seen := estate.sites.get(uuid.lower()):
                return Response({**api_answers.site(estate, seen), "estate": api_answers.estate_state(estate)})
        raise _no_such("site")


class Actions(ApiView):
    @extend_schema(
        operation_id="list_actions", parameters=api_lists.PART, responses={200: ActionPage, **NONSENSE, **ANONYMOUS}
    )
    def get(self, request: Request) -> Response:
        """The actions of every tenant within your reach, newest first."""
        frame = frame_for(request)
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
        frame = frame_for(request)
        found = frame.reach.only(models.Action.objects.select_related("user")).filter(pk=pk).first()
        if found is None:
            raise NotFound(
                "There is no such action within your reach. The list at /api/v1/actions/ shows those there are."
            )
        return Response(api_answers.action(found, frame.estates))


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


def frame_for(request: Request) -> Frame:
    """What the person who asks may see, as it is now."""
    return frame_of(request._request)


def person(request: Request) -> User:
    """Who asks, by session or token."""
    assert isinstance(request.user, User)  # noqa: S101 - IsAuthenticated sees to it
    return request.user


def server_within(frame: Frame, uuid: str) -> Found:
    """The server, if it is within reach. Raises what becomes a 404, or a 503 when nobody can say."""
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
        tenant=frame.reach.tenants[tenant],
        ours=frame.live.get((tenant, found.key)),
    )
