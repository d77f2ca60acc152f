"""What superusers are told on every page: partners have customers that nobody decided on yet."""

from django.db.models import Count, Q

from drdash.tenants.models import Credential


def told() -> list[Credential]:
    """The partners' credentials with new customers; ``new`` is how many."""
    fresh = Count("customers", filter=Q(customers__is_new=True, customers__vanished_at=None))
    partners = Credential.objects.filter(is_partner=True, removed_at=None)
    return list(partners.annotate(new=fresh).filter(new__gt=0).order_by("name"))
