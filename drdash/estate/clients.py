"""This process's clients: what reads a tenant, and what acts for it, each with a credential of its own."""

import threading
import time
from collections.abc import Callable
from datetime import datetime

from drdash.clock import boot_seconds
from drdash.cloud.client import Client
from drdash.estate.waiting import SharedHold
from drdash.tenants.accounts import account_of, shelf_of
from drdash.tenants.models import Credential, Tenant


class Clients:
    """A client for each credential and tenant, made anew when the credential was changed: it holds the token and the
    connections. Its waits are those of all processes. Every method raises secrets.Unopenable and cloud.BadAddress."""

    def __init__(self, *, now: Callable[[], float] = time.time, monotonic: Callable[[], float] = boot_seconds) -> None:
        self._now, self._monotonic = now, monotonic
        self._lock = threading.Lock()
        self._clients: dict[tuple[int, int], tuple[datetime, Client]] = {}
        self._holds: dict[tuple[int, int | None], SharedHold] = {}

    def reader(self, tenant: Tenant) -> Client:
        """What reads the tenant. It never acts."""
        return self._client(tenant.credential, tenant)

    def actor(self, tenant: Tenant) -> Client:
        """What acts for the tenant: its acting credential, or without one that which reads it."""
        return self._client(tenant.acting or tenant.credential, tenant)

    def hold(self, tenant: Tenant) -> SharedHold:
        """The waits for what reads the tenant."""
        with self._lock:
            return self._hold(tenant.credential_id, tenant.pk)

    def forget(self) -> None:
        """Begin anew, without a token or a wait."""
        with self._lock:
            self._clients.clear()
            self._holds.clear()

    def _client(self, credential: Credential, tenant: Tenant) -> Client:
        key = credential.pk, tenant.pk
        with self._lock:
            changed_at, client = self._clients.get(key, (None, None))
            if client is None or changed_at != credential.changed_at:
                client = Client(
                    account_of(credential, tenant),
                    now=self._now,
                    monotonic=self._monotonic,
                    shelf=shelf_of(credential),
                    hold=self._hold(*key),
                    partner_hold=self._hold(credential.pk, None),
                )
                self._clients[key] = credential.changed_at, client
            return client

    def _hold(self, credential: int, tenant: int | None) -> SharedHold:
        return self._holds.setdefault((credential, tenant), SharedHold(credential, tenant, monotonic=self._monotonic))


own = Clients()
reader, actor, forget = own.reader, own.actor, own.forget
