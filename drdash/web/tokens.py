"""The tokens of the JSON API: what an admin lets one do, and how it is taken out of the world."""

from hashlib import sha256

from rest_framework.authtoken.models import Token

from drdash.tenants.models import Tenant, TokenRight


def digest(token: Token) -> str:
    """What stands for the token in the database."""
    return sha256(token.key.encode()).hexdigest()


def may_run_production(token: Token, tenant: Tenant) -> bool:
    """Whether an admin said that this token may start and stop production in the tenant. Its person's role decides as
    well; that is the guard's.
    """
    return TokenRight.objects.filter(digest=digest(token), user=token.user_id, tenant=tenant).exists()
