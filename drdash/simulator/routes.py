"""The DR API: one request and the world in, one response out."""

import json
import re
from collections.abc import Sequence
from html import escape
from typing import Any
from urllib.parse import parse_qs

from drdash.simulator import idp, neighbours
from drdash.simulator.answers import (
    Invalid,
    Request,
    Response,
    answer,
    bad_request,
    error,
    forbidden,
    not_found,
    page,
    unauthorized,
    wrong_method,
)
from drdash.simulator.directory import ADMIN, READONLY, SUPPORT
from drdash.simulator.issues import JSON
from drdash.simulator.paging import Listing, boolean, listing, once, turn
from drdash.simulator.state import Server, Site
from drdash.simulator.tokens import Issuer
from drdash.simulator.world import POINT_IDS, Refused, World

READERS = frozenset({ADMIN, SUPPORT, READONLY})
SCOPES = {
    "start_failover_prod": frozenset({ADMIN}),
    "start_failover_test": frozenset({ADMIN, SUPPORT}),
    "stop_failover": frozenset({ADMIN, SUPPORT}),
}
_API = re.compile(r"(?:/bc)?/api/dr/v2/(servers|sites)(?:/([^/:]+)(?::([a-z_]+))?)?")
_PAGES = re.compile(r"/(?:bc/login|bc/api/.*|dr/.*)?")
_POINT_ID = re.compile("[a-zA-Z0-9@-]+")


def respond(request: Request, world: World, issuer: Issuer, *, wall: float | None = None) -> Response:
    """Answer one request at `request.now`; the world, that of the request's tenant, must have been advanced to it."""
    if request.path.startswith(idp.PREFIX):
        return idp.respond(request, issuer, wall=wall)
    if beside := neighbours.respond(request, world, issuer.scopes_of(request)):
        return beside
    matched = _API.fullmatch(request.path)
    if matched is None:
        return _page(request)
    kind, uuid, verb = matched.groups()
    if verb is not None and (kind, verb in SCOPES) != ("servers", True):
        return not_found(f"[{request.path}]")
    allowed = "POST" if verb else "GET"
    if request.method != allowed:
        return wrong_method(allowed)
    held = issuer.scopes_of(request)
    if held is None:
        return unauthorized()
    if not held & SCOPES.get(verb, READERS):
        return forbidden()
    try:
        if verb is not None:
            return _act(request, world, uuid, verb)
        if uuid is not None:
            return _one_site(request, world, uuid) if kind == "sites" else not_found(f"[{request.path}]")
        return _sites(request, world) if kind == "sites" else _servers(request, world)
    except Invalid as invalid:
        return bad_request(invalid.reasons)
    except Refused as refused:
        return error(refused.status, refused.code, refused.message, context=refused.context)


def _servers(request: Request, world: World) -> Response:
    wanted = listing("servers", request.query, world.fixed_pages)
    found = [
        server
        for server in world.servers.values()
        if wanted.type in (None, server.fields["type"])
        and (not wanted.resource_ids or server.resource_id.lower() in wanted.resource_ids)
    ]
    return _listed(world, wanted.wrongly(request.wrong), found)


def _sites(request: Request, world: World) -> Response:
    wanted = listing("sites", request.query, world.fixed_pages)
    found = [site for site in world.sites.values() if wanted.allow_deleted or site.deleted_at is None]
    return _listed(world, wanted.wrongly(request.wrong), found)


def _listed(world: World, wanted: Listing, found: Sequence[Server] | Sequence[Site]) -> Response:
    part, paging = turn(wanted, [item.ordinal for item in found])
    items = b",".join(world.encoded(item) for item in found[part])
    return answer(200, b'{"items":[' + items + b'],"paging":' + json.dumps(paging).encode() + b"}")


def _one_site(request: Request, world: World, uuid: str) -> Response:
    given = parse_qs(request.query, keep_blank_values=True)
    deleted_too = boolean(once(given, "allow_deleted")) if "allow_deleted" in given else False
    site = world.site(uuid)
    if site is None or (site.deleted_at is not None and not deleted_too):
        return not_found(f"Site [{uuid}]")
    return answer(200, world.encoded(site))


def _act(request: Request, world: World, uuid: str, verb: str) -> Response:
    body = _json_object(request)
    if verb == "stop_failover":
        _only(body, ())
        return answer(202, {"task_uuid": world.stop(uuid)})
    point = _recovery_point(body)
    return answer(202, {"task_uuid": world.start(uuid, production=verb == "start_failover_prod", point=point)})


def _json_object(request: Request) -> JSON:
    if request.media_type != "application/json":
        raise Invalid(f"media type {json.dumps(request.media_type)} is not 'application/json'")
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        raise Invalid("the body is not valid JSON") from None
    if not isinstance(body, dict):
        raise Invalid(f"{_shown(body)} is not of type 'object'")
    return body


def _recovery_point(body: JSON) -> JSON | None:
    _only(body, ("recovery_point",))
    if "recovery_point" not in body:
        return None
    point = body["recovery_point"]
    if not isinstance(point, dict):
        raise Invalid(f"{_shown(point)} is not of type 'object'")
    _only(point, POINT_IDS)
    reasons = [f"'{name}' is a required property" for name in POINT_IDS if name not in point]
    for value in point.values():
        if not isinstance(value, str):
            reasons.append(f"{_shown(value)} is not of type 'string'")
        elif not _POINT_ID.fullmatch(value):
            reasons.append(f"{_shown(value)} does not match {json.dumps('^[a-zA-Z0-9-@]+$')}")
    if reasons:
        raise Invalid(*reasons)
    return point


def _only(found: JSON, known: Sequence[str]) -> None:
    unknown = [name for name in found if name not in known]
    if unknown:
        raise Invalid(*(f"Additional properties are not allowed ({_shown(name)} was unexpected)" for name in unknown))


def _shown(value: Any) -> str:
    return json.dumps(value)[:200]


def _page(request: Request) -> Response:
    """The vendor's own pages, which links lead to."""
    if not _PAGES.fullmatch(request.path):
        return not_found(f"[{request.path}]")
    if request.method != "GET":
        return wrong_method("GET")
    return page(200, _CONSOLE.format(path=escape(request.path)))


_CONSOLE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>The vendor's console</title>
<style>body{{font:1rem/1.5 system-ui;max-width:40rem;margin:4rem auto;padding:0 1rem}}</style>
<h1>This would be the vendor's console</h1>
<p>You followed a link out of drdash. Behind it is a simulator, not a DR cloud: there is no more to see here.</p>
<p><code>{path}</code></p>
</html>
"""
