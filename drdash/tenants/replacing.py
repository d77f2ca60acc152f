"""Another credential for a tenant: in place of the one it has, or beside it, to act with. Tried before it is stored."""

import msgspec
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from drdash.audit import record
from drdash.cloud import scopes
from drdash.cloud.account import Account, Grant
from drdash.cloud.oauth import Memory, Token
from drdash.cloud.partner import Customer
from drdash.english import english
from drdash.tenants import access
from drdash.tenants.accounts import account_of, fill, has_secret_of, stored_partner, typed
from drdash.tenants.adding import described
from drdash.tenants.checking import (
    Found,
    Refusal,
    is_partners,
    list_customers,
    look,
    look_at_all,
    refuse_incomplete,
)
from drdash.tenants.models import Credential, KeptToken, Tenant
from drdash.tenants.secrets import Unopenable
from drdash.tenants.shelf import begin


def using(credential: Credential) -> QuerySet[Tenant]:
    """The tenants that are read or acted on with a credential."""
    return Tenant.objects.filter(Q(credential=credential) | Q(acting=credential), removed_at=None)


def replace(
    credential: Credential,
    *,
    by: User | None,
    grant: Grant,
    client_id: str = "",
    client_secret: str = "",
    username: str = "",
    password: str = "",
    assertion: str = "",
    token: Token | None = None,
) -> None:
    """Put another credential in its place: it must see the same tenants, which stay as they are with their history.

    Raises access.Denied, and Refusal; then nothing was changed.
    """
    access.must_keep(by)
    account = typed(
        cloud=credential.cloud,
        grant=grant,
        client_id=client_id,
        client_secret=client_secret,
        username=username,
        password=password,
        assertion=assertion,
    )
    refuse_incomplete(account, token)
    tenants = list(using(credential).select_related("credential", "acting"))
    for tenant in tenants:
        other = tenant.acting if tenant.credential_id == credential.pk else tenant.credential
        _refuse_same(account, other)
    if credential.exchanges:
        found = _same_customers(account, tenants)
    else:
        if is_partners(account):
            raise Refusal(
                english("A partner's API client takes the place of a partner's alone. Connect it as a cloud instead.")
            )
        if credential.by_tenant and account.assertion and tenants:
            account = msgspec.structs.replace(account, tenant=tenants[0].uuid.lower())
        found = _same_tenants(account, token, credential, tenants)
    at, before = timezone.now(), described(credential)
    with transaction.atomic():
        fill(credential, account)
        credential.is_simulator, credential.scopes = found.simulator, " ".join(found.scopes)
        credential.refused_at, credential.refused_what, credential.customers_error = None, "", ""
        credential.save()
        # After the save: what another process keeps meanwhile is then of the new one.
        KeptToken.objects.filter(credential=credential).delete()
        begin(credential, found.tokens, tenant=account.tenant)
        detail = f'"{credential.name}" at {credential.cloud}: {before} → {described(credential)}.'
        concerned: list[int | None] = [tenant.pk for tenant in tenants]
        for pk in concerned or [None]:
            record.write(by=by, verb="credential replaced", at=at, tenant=pk, detail=detail)


def act_through(
    tenant: Tenant,
    *,
    by: User | None,
    grant: Grant,
    client_id: str = "",
    client_secret: str = "",
    username: str = "",
    password: str = "",
    assertion: str = "",
    token: Token | None = None,
) -> str:
    """Start and stop failovers of the tenant with this credential from now on; it goes on to be read with its own.

    It must see the same tenant. A sentence when its token does not say that it may do so, else empty. Raises
    access.Denied, and Refusal; then nothing was changed.
    """
    access.must_keep(by)
    if tenant.removed_at is not None:
        raise Refusal(english('"%(tenant)s" was taken off: connect it again.', tenant=tenant.name))
    account = typed(
        cloud=tenant.credential.cloud,
        grant=grant,
        client_id=client_id,
        client_secret=client_secret,
        username=username,
        password=password,
        assertion=assertion,
    )
    refuse_incomplete(account, token)
    _refuse_same(account, tenant.credential)
    uuid = _uuid_of(tenant)
    if not uuid:
        raise Refusal(
            english(
                'No site of "%(tenant)s" names its tenant, so nobody can tell whether this credential sees the same.',
                tenant=tenant.name,
            )
        )
    if is_partners(account):
        account = msgspec.structs.replace(account, tenant=uuid)
    found = look(account, token=token)
    if uuid not in found.tenants:
        raise Refusal(
            english(
                'This credential sees %(told)s, and not "%(tenant)s" (%(uuid)s).',
                told=_seen(found),
                tenant=tenant.name,
                uuid=uuid,
            )
        )
    before, at = tenant.acting, timezone.now()
    with transaction.atomic():
        credential = stored_partner(account) if is_partners(account) else None
        credential = credential or Credential(
            # A partner's acts for its other customers too: they must not learn of this one by its name.
            name=account.client_id[:200] if is_partners(account) else f"{tenant.name[:190]} (acting)"
        )
        if not has_secret_of(credential, account):
            fill(credential, account)
            credential.is_simulator, credential.scopes = found.simulator, " ".join(found.scopes)
            credential.save()
            begin(credential, found.tokens, tenant=account.tenant)
        Tenant.objects.filter(pk=tenant.pk).update(acting=credential)
        detail = f'"{tenant.name}" is acted on as {described(credential)}, read as {described(tenant.credential)}.'
        record.write(by=by, verb="acting credential set", at=at, tenant=tenant.pk, detail=detail)
        drop_unused(before)
    tenant.acting = credential
    if scopes.allowed("start_failover_test", found.scopes) is False:
        told = scopes.lacks("start_failover_test")
        return english("Its token says that %(told)s: the cloud may refuse to start failovers.", told=told)
    return ""


def act_through_none(tenant: Tenant, *, by: User | None) -> None:
    """Act with the credential that it is read with. Raises access.Denied."""
    access.must_keep(by)
    if (before := tenant.acting) is None:
        return
    with transaction.atomic():
        Tenant.objects.filter(pk=tenant.pk).update(acting=None)
        detail = f'"{tenant.name}": no longer {described(before)}.'
        record.write(by=by, verb="acting credential removed", at=timezone.now(), tenant=tenant.pk, detail=detail)
        drop_unused(before)
    tenant.acting = None


def drop_unused(*credentials: Credential | None) -> None:
    """In the caller's transaction: nothing is left of those that no tenant uses but a name, for what was taken off."""
    for credential in credentials:
        if credential is not None and not using(credential).exists():
            credential.customers.all().delete()
            credential.tokens.all().delete()
            credential.sealed_secret = credential.sealed_password = credential.sealed_assertion = ""
            credential.client_id = credential.username = credential.scopes = credential.refused_what = ""
            credential.is_partner = credential.takes_all = False
            credential.removed_at = timezone.now()
            credential.save()


def _same_customers(account: Account, tenants: list[Tenant]) -> Found:
    """A partner's account that reaches all of the tenants that the partner still has. Raises Refusal."""
    if not is_partners(account):
        raise Refusal(
            english(
                "This is a partner's credential, for %(tenants)s tenants: replace it with a partner's API client.",
                tenants=len(tenants),
            )
        )
    tokens = Memory()
    listed = {customer.uuid for customer in list_customers(account, tokens).items}
    wanted = {tenant.uuid.lower(): tenant for tenant in tenants if tenant.vanished_at is None}
    if missing := sorted(tenant.name for uuid, tenant in wanted.items() if uuid not in listed):
        raise Refusal(
            english(
                "This API client does not see all of the tenants that are watched: %(missing)s.",
                missing=", ".join(missing),
            )
        )
    good, bad = look_at_all(account, [Customer(uuid, tenant.name) for uuid, tenant in wanted.items()], tokens)
    if bad and not good:
        customer, why = next(iter(bad.items()))
        raise Refusal(
            english(
                'This API client can read none of the tenants. "%(customer)s": %(why)s', customer=customer.name, why=why
            )
        )
    return next(iter(good.values()), Found((), 0, 0, simulator=False, scopes=(), tokens=tokens))


def _same_tenants(account: Account, token: Token | None, before: Credential, tenants: list[Tenant]) -> Found:
    """An account that sees what the tenants are. Raises Refusal."""
    expected = {tenant.pk: _uuid_of(tenant) for tenant in tenants}
    found = look(account, token=token)
    for tenant in tenants:
        same = _is(account, before) if not found.tenants else expected[tenant.pk] in found.tenants
        if not same:
            raise Refusal(
                english(
                    'This credential sees %(told)s, and not "%(tenant)s" (%(uuid)s).',
                    told=_seen(found),
                    tenant=tenant.name,
                    uuid=expected[tenant.pk],
                )
            )
    return found


def _uuid_of(tenant: Tenant) -> str:
    """The tenant's uuid at the cloud; where none was ever told, as it is read now; empty when nobody says."""
    if tenant.uuid:
        return tenant.uuid.lower()
    try:
        found = look(account_of(tenant.credential, tenant))
    except (Refusal, Unopenable):
        return ""
    return next(iter(found.tenants), "")


def _refuse_same(account: Account, other: Credential | None) -> None:
    if other is not None and _is(account, other):
        raise Refusal(
            english("To read and to act with one and the same credential, none is needed to act: give another one.")
        )


def _is(account: Account, credential: Credential) -> bool:
    """Whether both are the same client or user. Of a sign-in at the cloud, or an assertion, nobody can tell."""
    if Grant.AUTHORIZATION_CODE in {account.grant, credential.grant} or account.assertion:
        return False
    if account.username or credential.username:
        return account.username.lower() == credential.username.lower()
    return account.client_id == credential.client_id and not credential.sealed_assertion


def _seen(found: Found) -> str:
    if not found.tenants:
        return english("no site that names its tenant")
    return english("the tenant %(tenants)s", tenants=", ".join(found.tenants))
