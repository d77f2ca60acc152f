"""What is beside the DR API: the identity provider's addresses, its tokens and tenants."""

import json
import re

from drdash.simulator import consent
from drdash.simulator.answers import (
    Invalid,
    Request,
    Response,
    answer,
    bad_request,
    error,
    forbidden,
    not_found,
    unauthorized,
    wrong_method,
)
from drdash.simulator.directory import Tenant
from drdash.simulator.issues import JSON
from drdash.simulator.paging import listing, turn
from drdash.simulator.tokens import Issuer

PREFIX = "/api/2/"
TOKEN_PATH = "/api/2/idp/token"  # noqa: S105
AUTHORIZE_PATH = "/api/2/idp/authorize"
TENANTS_PATH = "/api/2/tenants"
_CLIENT = re.compile("/api/2/clients/([^/]+)")


def respond(request: Request, issuer: Issuer, *, wall: float | None) -> Response:
    """Answer one request to a path that begins with PREFIX."""
    if request.path == TOKEN_PATH:
        return issuer.token(request, wall=wall) if request.method == "POST" else wrong_method("POST")
    if request.path == AUTHORIZE_PATH:
        return consent.respond(request, issuer) if request.method in ("GET", "POST") else wrong_method("GET", "POST")
    client = _CLIENT.fullmatch(request.path)
    if client is None and request.path != TENANTS_PATH:
        return not_found(f"[{request.path}]")
    if request.method != "GET":
        return wrong_method("GET")
    held = issuer.bearer(request)
    if held is None:
        return unauthorized()
    try:
        return _client(client[1], held.tenant, issuer) if client else _tenants(request, held.tenant, issuer)
    except Invalid as invalid:
        return bad_request(invalid.reasons)


def _client(client_id: str, visitor: str, issuer: Issuer) -> Response:
    client = issuer.directory.client(client_id)
    if client is None or not issuer.directory.is_below(client.tenant, visitor):
        return error(404, "EntityNotFound", f"Client [{client_id}] was not found.")
    return answer(
        200,
        {
            "client_id": client.id,
            "tenant_id": client.tenant,
            "status": "enabled" if client.enabled else "disabled",
            "token_endpoint_auth_method": "client_secret_basic",
            "data": {"client_name": client.id},
        },
    )


def _tenants(request: Request, visitor: str, issuer: Issuer) -> Response:
    wanted = listing("tenants", request.query)
    if wanted.root is None:
        raise Invalid("'subtree_root_id' is a required property")
    if not issuer.directory.is_below(wanted.root, visitor):
        return forbidden()
    found = issuer.directory.subtree(wanted.root)
    part, paging = turn(wanted.wrongly(request.wrong), [number for number, _ in found])
    items = [_basic(tenant) for _, tenant in found[part]]
    return answer(200, json.dumps({"items": items, "paging": {"cursors": paging.get("cursors", {})}}).encode())


def _basic(tenant: Tenant) -> JSON:
    return {
        "id": tenant.uuid,
        "name": tenant.name,
        "kind": tenant.kind,
        "parent_id": tenant.parent,
        "enabled": tenant.enabled,
        "ancestral_access": tenant.ancestral_access,
    }
