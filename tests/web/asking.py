"""A program at the JSON API, with the token of one person."""

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from django.contrib.auth.models import User
from django.db import connections
from django.test import Client
from django.utils import timezone
from rest_framework.authtoken.models import Token

from drdash.cloud.records import Server
from drdash.failover.guard import Kind
from drdash.failover.models import Action, State
from drdash.tenants.models import Tenant
from drdash.web import tokens

POINT = {"backup_id": "b-1", "archive_id": "a@1", "vault_id": "V1"}

Answer = Any  # django.test's response has no type of its own


class Program:
    """``production``: an admin, they themselves, said that the token may run it in these tenants."""

    def __init__(self, user: User, *production: Tenant) -> None:
        self._client = Client()
        token = Token.objects.get_or_create(user=user)[0]
        self._headers = {"Authorization": f"Token {token.key}"}
        for tenant in production:
            held = tokens.held_by(user, tenant)
            assert held is not None
            if not held.rights:
                tokens.allow(user, tenant, mark=held.mark, by=user)

    def get(self, path: str, **params: object) -> Answer:
        return self._client.get(f"/api/v1/{path}", {k: str(v) for k, v in params.items()}, headers=self._headers)

    def read(self, path: str, **params: object) -> Any:
        """The JSON of an answer that must be a 200."""
        answer = self.get(path, **params)
        assert answer.status_code == 200, answer.content
        return answer.json()

    def post(self, uuid: str, body: bytes, content_type: str = "application/json") -> Answer:
        path = f"/api/v1/servers/{quote(uuid, safe='')}/actions/"
        # Django's client would encode what it posts in the charset of the content type.
        return self._client.generic("POST", path, body, CONTENT_TYPE=content_type, headers=self._headers)

    def act(self, uuid: str, action: str = "start_failover_test", **more: object) -> Answer:
        """Send a wish, with a key of its own unless one is given."""
        wish = {"action": action, "idempotency_key": uuid4().hex, **more}
        return self.post(uuid, json.dumps(wish).encode())


def at_once(asking: list[Any]) -> list[Answer]:
    """What each of them is answered, all sent at the same moment."""
    ready = Barrier(len(asking))

    def ask(one: Any) -> Answer:
        ready.wait(10)
        return in_its_own_thread(one)

    with ThreadPoolExecutor(len(asking)) as pool:
        return list(pool.map(ask, asking))


def in_its_own_thread(one: Any) -> Answer:
    try:
        return one()
    finally:
        connections.close_all()


def an_action(user: User, tenant: Tenant, server: Server, state: State, **more: object) -> Action:
    """One that is on record."""
    return Action.objects.create(
        **{
            "tenant": tenant,
            "user": user,
            "cloud": tenant.credential.cloud,
            "server_uuid": server.key,
            "server_name": server.name,
            "kind": Kind.START_TEST,
            "production": False,
            "idempotency_key": uuid4().hex,
            "content": "-",
            "state": state,
            "requested_at": timezone.now(),
            **more,
        }
    )
