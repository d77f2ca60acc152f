"""What every page stands in: who looks, at which tenants, how fresh that is, and the stream that keeps it alive."""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec
from django.conf import settings
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render as render_template
from django.utils import timezone
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from drdash.audit.mirror import mirror
from drdash.estate.replica import replica
from drdash.estate.snapshot import Estate
from drdash.failover import origins, sweeping
from drdash.failover.actions import live_actions
from drdash.failover.models import Action, Failover
from drdash.tenants import access
from drdash.tenants.access import Reach
from drdash.tenants.models import Credential
from drdash.tenants.roles import Role
from drdash.web import bellcards, finding, freshness, menu, news, notices, rows, sessions
from drdash.web.announced import newest
from drdash.web.finding import Found
from drdash.web.live import hub
from drdash.web.pauses import pauses_of
from drdash.web.streams import bookmark


class Frame(msgspec.Struct, frozen=True):
    """One look at everything within a person's reach. ``live``: the actions that are not over; ``after``: the bookmark
    from which a stream goes on."""

    reach: Reach
    estates: dict[int, Estate]
    live: dict[tuple[int, str], Action]
    stale: dict[int, bool]
    after: str

    def role(self, tenant: int) -> Role:
        """The person's role in a tenant within reach."""
        return self.reach.roles[tenant]

    def rows(self, found: Iterable[Found]) -> list[str]:
        """The rows of servers, as the live updates send them."""
        shown = list(found)
        runs = origins.running((one.estate.tenant, one.server) for one in shown)
        return [self._row(one, runs.get((one.estate.tenant, one.key))) for one in shown]

    def _row(self, found: Found, runs: Failover | None) -> str:
        tenant = found.estate.tenant
        return rows.server_row(
            self.reach.tenants[tenant],
            found.estate,
            found.seen,
            role=self.role(tenant),
            ours=self.live.get((tenant, found.key)),
            runs=runs,
            stale=self.stale[tenant],
        )

    def is_blocked(self, found: Found) -> bool:
        """Whether a recovery server allows no action at all, roles aside."""
        tenant = found.estate.tenant
        return rows.blocked(self.reach.tenants[tenant], found.estate, found.seen, self.live.get((tenant, found.key)))


def frame_of(request: HttpRequest) -> Frame:
    """What the person who asks may see, as it is now."""
    latest = hub.latest()  # before all else: of what changes from here on, the stream tells
    now = timezone.now()
    reach = access.reach(request.user)
    sweeping.sweep(now)
    estates, current = replica().look(reach.tenants)
    known = newest(latest, reach.tenants) if current else None
    return Frame(
        reach=reach,
        estates=estates,
        live=live_actions(list(reach.tenants)),
        stale={tenant: estate.health.stale(now) for tenant, estate in estates.items()},
        after=bookmark(known or "", sessions.eyes(request.user.pk or 0, reach.roles.items())),
    )


def user_of(request: HttpRequest) -> User:
    """Who asks."""
    assert isinstance(request.user, User)  # noqa: S101 - LoginRequiredMiddleware sees to it
    return request.user


def server_or_404(frame: Frame, uuid: str) -> Found:
    """The server, if it is within reach. What is unknown and what belongs to others look the same."""
    if found := finding.one(frame.estates, uuid):
        return found
    raise Http404


def page(
    request: HttpRequest,
    template: str,
    context: dict[str, Any],
    *,
    frame: Frame,
    topics: Iterable[str] = (),
    status: int = 200,
) -> HttpResponse:
    """A whole page. ``topics``: what its stream carries beside the tenants' health."""
    credentials = {tenant.credential_id: tenant.credential for tenant in frame.reach.tenants.values()}
    now = timezone.now()
    around = {
        **_noticed(request, frame, now),
        **_fresh(frame, now),
        "entry": menu.entry_of(request),
        "badges": sorted({_badge(credential) for credential in credentials.values()}),
        "now": now,
        "store_away": not replica().reachable,
        "keeps": request.user.is_superuser or Role.ADMIN in frame.reach.roles.values(),
        "approves": any(tenant.two_persons for tenant in frame.reach.tenants.values()),
        **bellcards.context(request.user, frame.reach),
        "news": news.told() if request.user.is_superuser else [],
        "audit_alarm": mirror().look(),
        "stream": _stream(topics, frame.after),
    }
    return render_template(request, template, {**around, **context}, status=status)


@require_safe
def noticed(request: HttpRequest) -> HttpResponse:
    """The notices of every page by themselves, for one that is open already."""
    context = _noticed(request, frame_of(request), timezone.now())
    return part(request, "_notices.html", {**context, "have": context["noticed"]})


@require_safe
def fresh(request: HttpRequest) -> HttpResponse:
    """How fresh many tenants are, for a page that is open already."""
    frame = frame_of(request)
    context = _fresh(frame, timezone.now())
    return part(request, "_freshness.html", {**context, "have": context["fresh"]})


def part(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """The living part of a page by itself; 204 when the browser already has it just so."""
    if context["have"] and request.headers.get("X-Have") == context["have"]:
        return HttpResponse(status=204)
    return render_template(request, template, context)


def wants_part(request: HttpRequest, name: str) -> bool:
    """Whether htmx asks for that part of the page alone."""
    return request.headers.get("HX-Request") == "true" and request.headers.get("HX-Target") == name


def digest(shown: Iterable[object]) -> str:
    """A short text that changes with what is shown."""
    told = hashlib.blake2b(digest_size=12)
    for one in shown:
        told.update(repr(one).encode())
    return told.hexdigest()


def _fresh(frame: Frame, now: datetime) -> dict[str, Any]:
    """How fresh each tenant is; many are told of together."""
    shown = frame.reach.tenants
    pauses = pauses_of(shown.values())
    healths = {
        pk: rows.health(tenant, frame.estates[pk], stale=frame.stale[pk], pauses=pauses) for pk, tenant in shown.items()
    }
    alike = freshness.groups(shown, frame.estates, now) if len(shown) >= freshness.MANY else ()
    fleet = [(group, [healths[pk] for pk in group.tenants]) for group in alike]
    return {"healths": list(healths.values()), "fleet": fleet, "fresh": digest(alike) if alike else ""}


def _noticed(request: HttpRequest, frame: Frame, now: datetime) -> dict[str, Any]:
    told = notices.told(user_of(request), frame.reach, frame.estates, frame.live.values(), now)
    return {"notices": told, "noticed": digest(told), "many_tenants": len(frame.reach.tenants) > 1}


def _stream(topics: Iterable[str], after: str) -> str:
    """Where the page's stream is. It speaks the language of the page, whatever the browser's cookie says by then."""
    language = get_language() or settings.LANGUAGE_CODE
    spoken = {} if language == settings.LANGUAGE_CODE else {"language": language}
    # The browser puts the newest bookmark in place of the last.
    return f"/events/?{urlencode({'topics': ','.join(topics), **spoken, 'after': after})}"


def _badge(credential: Credential) -> tuple[bool, str]:
    return credential.is_simulator, urlsplit(credential.cloud).hostname or credential.cloud
