"""What the tokens of the JSON API may do, and how they are taken out of the world."""

from hashlib import sha256

from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.authtoken.models import Token

from drdash.tenants.models import Tenant, TokenRight
from drdash.web.tokens import may_run_production


def test_a_token_may_run_production_only_where_an_admin_said_so(tenant: Tenant, alice: User, charlie: User) -> None:
    token = Token.objects.create(user=alice)
    elsewhere = Tenant.objects.exclude(pk=tenant.pk).get()
    assert not may_run_production(token, tenant)
    digest = sha256(token.key.encode()).hexdigest()
    TokenRight.objects.create(user=alice, tenant=tenant, digest=digest, given_by=alice, given_at=timezone.now())
    assert may_run_production(token, tenant)
    assert not may_run_production(token, elsewhere)
    token.delete()
    assert not may_run_production(Token.objects.create(user=alice), tenant), "one that is made anew has no right"
