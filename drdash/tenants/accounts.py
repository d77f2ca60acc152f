"""From what was typed to an account, from an account to the record of a credential, and back."""

from django.conf import settings

from drdash.cloud.account import Account, Grant
from drdash.tenants.models import Credential, Tenant
from drdash.tenants.secrets import Unopenable, unseal
from drdash.tenants.shelf import DatabaseShelf


def typed(
    *,
    cloud: str,
    grant: Grant,
    client_id: str = "",
    client_secret: str = "",
    username: str = "",
    password: str = "",
    assertion: str = "",
    tenant: str = "",
) -> Account:
    """The account that somebody describes; checked by nobody yet."""
    return Account(
        cloud=cloud,
        grant=grant,
        client_id=client_id.strip(),
        client_secret=client_secret,
        username=username.strip(),
        password=password,
        assertion=assertion.strip(),
        tenant=tenant.strip().lower(),
        plain_http_hosts=tuple(settings.PLAIN_HTTP_HOSTS),
    )


def account_of(credential: Credential, tenant: Tenant | None = None) -> Account:
    """What the client needs of a credential, for one of its tenants; without one a partner's credential is the partner
    itself. Raises secrets.Unopenable when the keys do not fit.
    """
    return Account(
        cloud=credential.cloud,
        grant=Grant(credential.grant),
        client_id=credential.client_id,
        client_secret=_opened(credential.sealed_secret),
        username=credential.username,
        password=_opened(credential.sealed_password),
        assertion=_opened(credential.sealed_assertion),
        tenant=tenant.uuid.lower() if tenant and credential.by_tenant else "",
        plain_http_hosts=tuple(settings.PLAIN_HTTP_HOSTS),
    )


def shelf_of(credential: Credential) -> DatabaseShelf:
    """Where all processes keep the credential's tokens together."""
    return DatabaseShelf(credential)


def fill(credential: Credential, account: Account) -> None:
    """Put the account into the record, its secrets sealed, in place of what was there; save it yourself."""
    credential.cloud = account.root
    credential.grant = account.grant.value
    credential.client_id, credential.username = account.client_id, account.username
    credential.sealed_secret = credential.sealed_password = credential.sealed_assertion = ""
    if account.client_secret:
        credential.keep_secret(account.client_secret)
    if account.password:
        credential.keep_password(account.password)
    if account.assertion:
        credential.keep_assertion(account.assertion)
    credential.by_tenant = account.grant is Grant.JWT_BEARER and (not account.assertion or account.tenant != "")


def stored_partner(account: Account) -> Credential | None:
    """The credential that a partner's API client is stored as, if it is."""
    same = Credential.objects.filter(cloud=account.root, grant=account.grant.value, client_id=account.client_id)
    return same.filter(removed_at=None, by_tenant=True, sealed_assertion="").order_by("pk").first()


def has_secret_of(credential: Credential, account: Account) -> bool:
    """Whether the record has the account's client secret already."""
    try:
        return credential.sealed_secret != "" and unseal(credential.sealed_secret) == account.client_secret
    except Unopenable:
        return False


def _opened(sealed: str) -> str:
    return unseal(sealed) if sealed else ""
