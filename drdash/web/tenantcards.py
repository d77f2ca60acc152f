"""What the pages for admins show of a tenant and of a credential: state, rights and what is known of them, in words."""

from collections.abc import Collection
from datetime import datetime
from urllib.parse import urlsplit

import msgspec
from django.urls import reverse

from drdash.cloud import scopes
from drdash.cloud.account import Grant
from drdash.estate.snapshot import Health
from drdash.tenants import checking
from drdash.tenants.models import Credential, Tenant
from drdash.web.pauses import Pause
from drdash.web.phrases import joined, phrase
from drdash.web.wording import Look

STATES = {
    "watching": Look(phrase("Watching"), "good", "good"),
    "failing": Look(phrase("Failing"), "warn", "warn"),
    "waiting": Look(phrase("Waiting"), "warn", "wait"),
    "stale": Look(phrase("Stale"), "warn", "clock"),
    "unread": Look(phrase("Not read yet"), "still", "unknown"),
    "paused": Look(phrase("Paused"), "warn", "standby"),
    "vanished": Look(phrase("Not at the partner any more"), "warn", "unknown"),
    "off": Look(phrase("Switched off"), "still", "off"),
    "removed": Look(phrase("Taken off"), "still", "off"),
}
ARMED = Look(phrase("Armed"), "still", "on")
WATCH_ONLY = Look(phrase("Watch only"), "still", "blocked")
GRANTS: dict[str, str] = {
    Grant.CLIENT_CREDENTIALS: phrase("an API client"),
    Grant.PASSWORD: phrase("a user's password"),
    Grant.AUTHORIZATION_CODE: phrase("an administrator who signed in"),
    Grant.JWT_BEARER: phrase("a signed assertion"),
}
SHORT: dict[str, str] = {grant.value: name for grant, name in checking.SHORT.items()}
CALLS = {
    scopes.READ: phrase("read sites and servers"),
    "start_failover_test": phrase("start and stop tests"),
    "start_failover_prod": phrase("start production"),
}
REFUSED = {
    scopes.READ: phrase("reading"),
    "start_failover_test": phrase("the start of a test"),
    "start_failover_prod": phrase("the start of production"),
    "stop_failover": phrase("the stop of a failover"),
}


class TenantCard(msgspec.Struct, frozen=True):
    """A tenant as its row and its page show it. ``keeps``: the reader may pause and arm it."""

    tenant: Tenant
    url: str
    host: str
    key: str
    state: Look
    acts: Look
    health: Health
    pause: Pause | None
    keeps: bool

    @property
    def gone(self) -> bool:
        """Whether it was taken off: only its row and its audit are left."""
        return self.tenant.removed_at is not None


class CredentialCard(msgspec.Struct, frozen=True):
    """A credential, without anything of it that is secret. ``may`` and ``may_not``: by its token's own word;
    ``refused``: what the cloud refused last, and what the credential lacks for it."""

    credential: Credential
    kind: str
    grant: str
    may: str
    may_not: str
    refused: tuple[str, str]
    tenants: int


def state_of(tenant: Tenant, health: Health, now: datetime) -> str:
    """Which of ``STATES`` a tenant is in: what a person did before what the cloud does, the worst of that first."""
    told = (
        ("removed", tenant.removed_at is not None),
        ("off", not tenant.enabled),
        ("vanished", tenant.vanished_at is not None),
        ("paused", tenant.paused),
        ("waiting", health.wait_until is not None and health.wait_until > now),
        ("failing", health.error is not None),
        ("unread", health.as_of is None),
        ("stale", health.stale(now)),
    )
    return next((key for key, holds in told if holds), "watching")


def tenant_card(
    tenant: Tenant, health: Health, *, now: datetime, pause: Pause | None = None, keeps: bool = False
) -> TenantCard:
    """The card of a tenant; its credentials must be loaded."""
    key = state_of(tenant, health, now)
    return TenantCard(
        tenant=tenant,
        url=reverse("tenant", args=[tenant.pk]),
        host=host_of(tenant.credential),
        key=key,
        state=STATES[key],
        acts=ARMED if tenant.armed else WATCH_ONLY,
        health=health,
        pause=pause,
        keeps=keeps and tenant.removed_at is None,
    )


def credential_card(credential: Credential) -> CredentialCard:
    """The card of a credential."""
    tenants = credential.tenants.filter(removed_at=None).count() + credential.acting_for.filter(removed_at=None).count()
    kind = phrase("a partner's API client") if credential.exchanges else GRANTS.get(credential.grant, credential.grant)
    call, _, lacks = credential.refused_what.partition(": ")
    told = {words: scopes.allowed(call, credential.scopes.split()) for call, words in CALLS.items()}
    return CredentialCard(
        credential,
        kind=kind,
        grant=SHORT.get(credential.grant, credential.grant),
        may=joined(phrase(", "), [words for words, allowed in told.items() if allowed]),
        may_not=joined(phrase(", "), [words for words, allowed in told.items() if allowed is False]),
        refused=(REFUSED.get(call, call), lacks),
        tenants=tenants,
    )


def host_of(credential: Credential) -> str:
    """The host of a credential's cloud."""
    return urlsplit(credential.cloud).hostname or credential.cloud


def found(cards: Collection[TenantCard], *, q: str, state: str, acts: str) -> list[TenantCard]:
    """Those of the tenants that the filters let through."""
    needle = q.casefold()
    return [
        card
        for card in cards
        if (not state or card.key == state)
        and (not acts or (card.tenant.armed is (acts == "armed") and not card.gone))
        and any(needle in text.casefold() for text in (card.tenant.name, card.tenant.uuid, card.tenant.credential.name))
    ]
