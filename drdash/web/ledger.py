"""The audit's page: who did what, when, with what outcome, the newest first; and the same to take away."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

import msgspec
from django import forms
from django.core.validators import MaxValueValidator
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_safe

from drdash.audit.models import Entry
from drdash.audit.record import write, writing
from drdash.failover.models import Action
from drdash.tenants.models import Tenant
from drdash.web import sheets
from drdash.web.actioncards import action_url
from drdash.web.auditwords import words_of
from drdash.web.buttons import server_url
from drdash.web.frame import Frame, digest, frame_of, page, part, user_of, wants_part
from drdash.web.paging import paged
from drdash.web.phrases import phrase

COLUMNS = ("number", "at", "tenant", "username", "verb", "action", "server_uuid", "detail", "previous", "hash")
TYPES = {"csv": sheets.TYPE, "jsonl": "application/jsonl"}
# All of it is read for each: so often within so long is enough for anyone.
TAKEN, MOST_TAKEN, WITHIN = "took the audit away", 10, timedelta(minutes=5)
FURTHEST = date(9998, 12, 31)


class AuditFilter(forms.Form):
    """What to look for. Days are UTC's, and both are included."""

    q = forms.CharField(required=False, max_length=200)
    who = forms.CharField(required=False, max_length=150)
    tenant = forms.IntegerField(required=False, min_value=1, max_value=2**62)
    since = forms.DateField(required=False, input_formats=["%Y-%m-%d"])
    until = forms.DateField(required=False, input_formats=["%Y-%m-%d"], validators=[MaxValueValidator(FURTHEST)])

    def found(self, entries: QuerySet[Entry]) -> QuerySet[Entry]:
        """Those that match; what cannot be read of the filter finds nothing."""
        if not self.is_valid():
            return entries.none()
        asked = self.cleaned_data
        if q := asked["q"]:
            entries = entries.filter(
                Q(verb__icontains=q) | Q(detail__icontains=q) | Q(server_uuid__icontains=q) | Q(username__icontains=q)
            )
        if asked["who"]:
            entries = entries.filter(username=asked["who"])
        if asked["tenant"]:
            entries = entries.filter(tenant=asked["tenant"])
        if asked["since"]:
            entries = entries.filter(at__gte=datetime.combine(asked["since"], time(), UTC))
        if asked["until"]:
            entries = entries.filter(at__lt=datetime.combine(asked["until"], time(), UTC) + timedelta(days=1))
        return entries

    def given(self) -> dict[str, str]:
        """What was asked for, as it stands in the URL."""
        return {name: text for name in self.fields if (text := str(self.data.get(name, "")).strip()[:200])}


@require_safe
def audit(request: HttpRequest) -> HttpResponse:
    """The page. What belongs to no tenant, or to none that is left, is for superusers."""
    frame = frame_of(request)
    asked = AuditFilter(request.GET)
    tenants = _tenants(request, frame)
    context = paged(request, asked.found(_within(request, tenants)), reverse("audit"), asked.given())
    told = Action.objects.in_bulk([entry.action for entry in context["shown"] if entry.action])
    context["entries"] = [
        _shown(entry, told.get(entry.action), tenants.get(entry.tenant, ""), frame) for entry in context["shown"]
    ]
    context["have"] = digest([context["url"], context["count"], *(entry.pk for entry in context["shown"])])
    context["problems"] = [f"{name}: {one}" for name, errors in asked.errors.items() for one in errors]
    context["exports"] = [
        (kind, f"{reverse('audit-export', args=[kind])}?{urlencode(asked.given())}") for kind in TYPES
    ]
    if wants_part(request, "results"):
        return part(request, "audit/_results.html", context)
    context["tenants"] = sorted(tenants.items(), key=lambda one: one[1].lower())
    return page(request, "audit/page.html", context, frame=frame)


@require_GET
def export(request: HttpRequest, kind: str) -> HttpResponse | StreamingHttpResponse:
    """What the filter finds, the oldest first, as CSV or as JSON lines; that it was taken is in the audit too."""
    if kind not in TYPES:
        raise Http404
    frame = frame_of(request)
    asked, tenants = AuditFilter(request.GET), _tenants(request, frame)
    entries = asked.found(_within(request, tenants)).order_by("number")
    last = entries.values_list("number", flat=True).last() or 0
    now, by = timezone.now(), user_of(request)
    with writing():
        if Entry.objects.filter(user=by, verb=TAKEN, at__gt=now - WITHIN).count() >= MOST_TAKEN:
            words = gettext("You took the audit away too often just now. Take it again in a few minutes.")
            return HttpResponse(words, status=429, content_type="text/plain", headers={"Retry-After": "300"})
        write(by=by, verb=TAKEN, at=now, detail=f"As {kind}: {asked.given() or 'all'}.")
    lines = (_csv if kind == "csv" else _jsonl)(entries.filter(number__lte=last), tenants)
    answer = StreamingHttpResponse(lines, content_type=TYPES[kind])
    answer.headers["Content-Disposition"] = f'attachment; filename="audit-{now:%Y-%m-%d}.{kind}"'
    return answer


def _tenants(request: HttpRequest, frame: Frame) -> dict[int | None, str]:
    """Whose entries the person sees, with their names."""
    names: dict[int | None, str] = {number: tenant.name for number, tenant in frame.reach.tenants.items()}
    if request.user.is_superuser:
        gone = Tenant.objects.exclude(removed_at=None).values_list("pk", "name")
        names |= {number: phrase("%(name)s (taken off)", name=name) for number, name in gone}
    return names


def _within(request: HttpRequest, tenants: dict[int | None, str]) -> QuerySet[Entry]:
    within = Q(tenant__in=list(tenants))
    return Entry.objects.filter(within | Q(tenant=None) if request.user.is_superuser else within)


def _shown(entry: Entry, action: Action | None, tenant: str, frame: Frame) -> dict[str, Any]:
    estate = frame.estates.get(entry.tenant or 0)
    seen = estate.servers.get(entry.server_uuid.lower()) if estate else None
    return {
        "entry": entry,
        "tenant": tenant,
        "words": words_of(entry.verb, action),
        "action_url": action_url(action) if action else "",
        "server_url": server_url(entry.server_uuid) if entry.server_uuid else "",
        "server_name": (action.server_name if action else "")
        or (seen.record.name if seen else "")
        or entry.server_uuid,
    }


def _csv(entries: QuerySet[Entry], tenants: dict[int | None, str]) -> Iterator[bytes]:
    rows = (
        (tenants.get(entry.tenant, ""), *(getattr(link, name) for name in COLUMNS))
        for entry in entries.iterator()
        for link in (entry.link(),)
    )
    return sheets.lines(("tenant_name", *COLUMNS), rows)


def _jsonl(entries: QuerySet[Entry], tenants: dict[int | None, str]) -> Iterator[bytes]:
    for entry in entries.iterator():
        yield msgspec.json.encode(entry.link()) + b"\n"
