"""This process's clients: what reads a tenant, and what acts for it, each with a credential of its own."""

import threading
import time
from collections.abc import Callable
from datetime import datetime
from enum import Enum

import msgspec

from drdash.clock import boot_seconds
from drdash.cloud.client import Client
from drdash.cloud.oauth import Hold
from drdash.estate.waiting import BarredHold, SharedHold, UnheededHold
from drdash.tenants.accounts import account_of, shelf_of
from drdash.tenants.models import Credential, Tenant


class Way(msgspec.Struct, frozen=True):
    """How a tenant is read. ``bar``: what keeps its credential from being shown again once it was turned down;
    ``shared``: the credential is a partner's, and reads other tenants too; ``changed_at``: when it was last changed."""

    cloud: str
    client: Client
    hold: SharedHold
    bar: SharedHold
    shared: bool
    changed_at: datetime


class _Heed(Enum):
    """Which waits a client obeys."""

    OWN = "what a 429 asked for"
    BAR = "that, and the bar of a credential that was turned down"
    NONE = "none"


class Clients:
    """A client for each credential and tenant, made anew when the credential was changed: it holds the token and the
    connections. Its waits are those of all processes. What goes by the clock does not show a credential again that was
    turned down a moment ago; what a person asks for does. Every method raises secrets.Unopenable and cloud.BadAddress.
    """

    def __init__(self, *, now: Callable[[], float] = time.time, monotonic: Callable[[], float] = boot_seconds) -> None:
        self._now, self._monotonic = now, monotonic
        self._lock = threading.Lock()
        self._clients: dict[tuple[int, int | None, _Heed], tuple[datetime, Client]] = {}
        self._holds: dict[tuple[int | str, int | None], SharedHold] = {}

    def reader(self, tenant: Tenant, *, heeding: bool = True) -> Client:
        """What reads the tenant for a person. It never acts. Not ``heeding``, it does not wait after a 429: for the one
        read of a broken glass."""
        return self._client(tenant.credential, tenant, _Heed.OWN if heeding else _Heed.NONE)

    def actor(self, tenant: Tenant, *, heeding: bool = True) -> Client:
        """What acts for the tenant: its acting credential, or without one that which reads it. ``heeding`` as there."""
        return self._client(tenant.acting or tenant.credential, tenant, _Heed.OWN if heeding else _Heed.NONE)

    def partner(self, credential: Credential) -> Client:
        """What lists a partner's customers, by the clock."""
        return self._client(credential, None, _Heed.BAR)

    def way(self, tenant: Tenant) -> Way:
        """How the poller reads the tenant, by the clock."""
        credential = tenant.credential
        client = self._client(credential, tenant, _Heed.BAR)
        with self._lock:
            hold, bar = self._hold(credential.pk, tenant.pk), self._bar(credential)
        return Way(credential.cloud, client, hold, bar, credential.by_tenant, credential.changed_at)

    def left(self, tenant: Tenant) -> float:
        """For how many seconds the cloud wants nothing of what reads the tenant or acts for it; 0 or less: it may be
        asked."""
        with self._lock:
            holds = [self._hold(pk, tenant.pk) for pk in {tenant.credential_id, tenant.acting_id} if pk is not None]
        return max(hold.left() for hold in holds)

    def forget(self) -> None:
        """Begin anew, without a token or a wait."""
        with self._lock:
            self._clients.clear()
            self._holds.clear()

    def _client(self, credential: Credential, tenant: Tenant | None, heed: _Heed) -> Client:
        key = credential.pk, tenant.pk if tenant else None, heed
        with self._lock:
            changed_at, client = self._clients.get(key, (None, None))
            if client is None or changed_at != credential.changed_at:
                hold, partner_hold = self._hold(*key[:2]), self._hold(credential.pk, None)
                client = Client(
                    account_of(credential, tenant),
                    now=self._now,
                    monotonic=self._monotonic,
                    shelf=shelf_of(credential),
                    hold=self._heeded(hold, credential, heed),
                    partner_hold=self._heeded(partner_hold, credential, heed),
                )
                self._clients[key] = credential.changed_at, client
            return client

    def _hold(self, credential: int | str, tenant: int | None) -> SharedHold:
        return self._holds.setdefault((credential, tenant), SharedHold(credential, tenant, monotonic=self._monotonic))

    def _heeded(self, hold: SharedHold, credential: Credential, heed: _Heed) -> Hold:
        if heed is _Heed.NONE:
            return UnheededHold(hold)
        return BarredHold(hold, self._bar(credential)) if heed is _Heed.BAR else hold

    def _bar(self, credential: Credential) -> SharedHold:
        """Its own for each change of the credential: a new secret may be shown at once."""
        return self._hold(f"{credential.pk} {credential.changed_at.timestamp()}", None)


own = Clients()
reader, actor, left, forget = own.reader, own.actor, own.left, own.forget
