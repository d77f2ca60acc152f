"""What proxies and orchestrators ask: does the process live, is its data fresh."""

from django.contrib.auth.decorators import login_not_required
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from drdash.estate.replica import replica
from drdash.tenants.models import Tenant

INTERVALS = 3


@login_not_required
@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The process lives; nothing else is asked."""
    return HttpResponse("ok\n", content_type="text/plain")


@login_not_required
@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 only while every tenant that is polled has a good poll newer than three intervals."""
    try:
        polled = Tenant.objects.filter(enabled=True, paused=False, vanished_at=None)
        tenants = list(polled.order_by("pk").values_list("pk", flat=True))
    except DatabaseError:
        return JsonResponse({"ready": False, "tenants": [], "problem": "The database does not answer."}, status=503)
    now, told, ready = timezone.now(), [], True
    for tenant, estate in replica().estates(tenants).items():
        age = estate.health.age(now)
        ready = ready and age is not None and age <= INTERVALS * estate.health.interval
        told.append({"tenant": tenant, "age_seconds": None if age is None else round(age, 1)})
    return JsonResponse({"ready": ready, "tenants": told}, status=200 if ready else 503)
