"""The cast before two tenants that have one of each object, and a request that one of them makes."""

import json
import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

import msgspec
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from rest_framework.authtoken.models import Token

from drdash.audit.models import Entry
from drdash.cloud.records import Server
from drdash.estate.models import Bell
from drdash.failover import sighting
from drdash.failover.guard import Kind
from drdash.failover.models import Action, Approval, Batch, Item, State
from drdash.simulator.simulation import Simulator
from drdash.tenants.models import Credential, Membership, SavedView, Tenant
from drdash.tenants.roles import Role
from tests.web.seen import publish
from tests.web.seen import server as made
from tests.web.who_may import Row

# Who asks, by the letters of who_may; and whose member they are.
ROLES = {"anonymous": "-", "viewer": "v", "operator": "o", "admin": "a", "charlie": "a", "nobody": "n", "root": "s"}
HOME = {"viewer": "ours", "operator": "ours", "admin": "ours", "charlie": "theirs"}
NAMES = {"ours": "Quiet customer", "theirs": "Another customer"}


@dataclass(frozen=True)
class Asked:
    """One request of one person."""

    route: str
    row: Row
    role: str
    side: str
    method: str
    token: bool = False

    @property
    def within(self) -> bool:
        """Whether it is about no tenant's object, or one of their own."""
        return not self.row.at or HOME.get(self.role) == self.side

    @property
    def who(self) -> str:
        """The letters of those who may."""
        if self.row.any_method and self.method != "POST":
            return self.row.get
        given = {"GET": self.row.get, "HEAD": self.row.get, "POST": self.row.post, "OPTIONS": self.row.options}
        return given.get(self.method, "")

    @property
    def may(self) -> bool:
        here = self.within or self.role == "root"
        return ROLES[self.role] in self.who and here and not self.row.private


@dataclass
class World:
    """The cast, before two tenants whose objects are known by what they are."""

    simulator: Simulator
    users: dict[str, User]
    objects: dict[str, dict[str, Any]]
    servers: dict[str, Server]
    clients: dict[tuple[str, bool], Client] = field(default_factory=dict)

    def client(self, role: str, *, token: bool = False, checks: bool = False) -> Client:
        """Someone's browser, or a program with their token."""
        client = Client(enforce_csrf_checks=checks, raise_request_exception=False)
        if role != "anonymous" and token:
            key = Token.objects.get(user=self.users[role]).key
            client.defaults["HTTP_AUTHORIZATION"] = f"Token {key}"
        elif role != "anonymous":
            client.force_login(self.users[role])
        return client

    def path(self, asked: Asked) -> str:
        """The address of the object."""

        def put(found: re.Match[str]) -> str:
            value = asked.row.also.get(found[1], asked.row.at)
            return str(self.objects[asked.side].get(value, value))

        return asked.row.path or "/" + re.sub(r"<(?:\w+:)?(\w+)>", put, asked.route)

    def fields(self, asked: Asked) -> dict[str, Any]:
        """What they would send: nothing is wrong with it but who sends it."""
        if asked.may:
            return asked.row.inert
        if "wish" not in asked.row.body:
            return asked.row.body
        kind, server = Kind(asked.row.body["wish"]), self.servers[asked.side]
        if asked.route.startswith("api/"):
            return {"action": kind, "idempotency_key": uuid4().hex, "confirm": server.name}
        if asked.role == "anonymous":
            return {"point": "latest", "confirm": server.name}
        tenant, user = self.objects[asked.side]["tenant"], self.users[asked.role].pk
        role = {"v": Role.VIEWER, "o": Role.OPERATOR}.get(ROLES[asked.role], Role.ADMIN)
        seen = sighting.sight_of(user=user, tenant=tenant, kind=kind, server=server, site=None, role=role)
        nonce = uuid4().hex
        token = sighting.seal(msgspec.structs.replace(seen, nonce=nonce))
        return {"token": token, "point": "latest", "confirm": server.name, "original": "OriginalOff"}

    def seat(self, asked: Asked) -> Client:
        """Where they sit, all the time; a place of its own for what ends the session."""
        if asked.row.ends:
            return self.client(asked.role)
        known = (asked.role, asked.token)
        if known not in self.clients:
            self.clients[known] = self.client(asked.role, token=asked.token)
        return self.clients[known]

    def ask(self, asked: Asked, client: Client) -> Any:
        """The answer to a request."""
        path, fields = self.path(asked), self.fields(asked)
        headers = {"HX-Request": "true"} if "/actions/" in path else {}
        if asked.method == "POST" and not path.startswith("/api/"):
            return client.post(path, fields, headers=headers)
        body = json.dumps(fields) if asked.method == "POST" else ""
        return client.generic(asked.method, path, body, content_type="application/json", headers=headers)


def two_tenants(simulator: Simulator, tenant: Tenant, server: Server, members: dict[str, User]) -> World:
    """Ours is polled from the simulator; theirs is of another credential at the same cloud, which knows no such."""
    credential = Credential(name="Another client", cloud=simulator.url, client_id="another", is_partner=True)
    credential.keep_secret("another-secret")
    credential.save()
    Credential.objects.filter(pk=tenant.credential_id).update(is_partner=True)
    other = Tenant.objects.create(name=NAMES["theirs"], credential=credential)
    theirs = made("theirs-1", name="theirs-01")
    publish(other.pk, theirs)
    charlie, nobody = User.objects.create_user("charlie"), User.objects.create_user("nobody")
    users = {**members, "charlie": charlie, "nobody": nobody, "root": User.objects.create_superuser("root")}
    owner = User.objects.create_user("owner")
    Membership.objects.create(user=charlie, tenant=other, role=Role.ADMIN)
    for user in users.values():
        Token.objects.create(user=user)

    def objects(of: Tenant, server: Server, member: User, admin: User) -> dict[str, Any]:
        """One of each kind, by the names that who_may calls them."""
        ago = timezone.now() - timedelta(hours=2)
        action = Action.objects.create(
            tenant=of, user=member, cloud=simulator.url, server_uuid=server.key, server_name=server.name,
            kind=Kind.START_TEST, production=False, idempotency_key="k", content="c", state=State.UNKNOWN,
            requested_at=ago, sent_at=ago, answered_at=ago, task_uuid="t-1",
        )  # fmt: skip
        approval = Approval.objects.create(
            tenant=of, cloud=simulator.url, server_uuid=server.key, server_name=server.name, kind=Kind.START_PROD,
            seen={}, why="It burns.", asked_by=admin, asked_at=ago, expires_at=timezone.now() + timedelta(minutes=5),
        )  # fmt: skip
        batch = Batch.objects.create(
            user=owner, key=f"of {of.pk}", kind=Kind.START_PROD, production=True, per_minute=10, made_at=ago,
            changed_at=ago,
        )  # fmt: skip
        Item.objects.create(batch=batch, position=1, tenant=of, server_uuid=server.key, server_name=server.name)
        bell = Bell.objects.create(
            user=owner, tenant=of, server_uuid=server.key, server_name=server.name, kind=Kind.START_TEST, asked_at=ago
        )
        view, _ = SavedView.objects.get_or_create(user=owner, name=f"of {of.pk}", query="blocked=true")
        entry = Entry.objects.values_list("pk", flat=True)[0]
        return {
            "tenant": of.pk, "credential": of.credential_id, "server": server.uuid, "site": server.site_uuid,
            "action": action.pk, "member": member.pk, "auth/user": member.pk, "tenants/tenant": of.pk,
            "tenants/credential": of.credential_id, "failover/action": action.pk, "audit/entry": entry,
            "approval": approval.pk, "batch": batch.pk, "bell": bell.pk, "failover/approval": approval.pk,
            "view": view.pk,
        }  # fmt: skip

    known = {
        "ours": objects(tenant, server, members["operator"], members["admin"]),
        "theirs": objects(other, theirs, charlie, charlie),
    }
    return World(simulator, users, known, {"ours": server, "theirs": theirs})
