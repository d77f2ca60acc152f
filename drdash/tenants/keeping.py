"""What becomes of a tenant once it is watched: paused, armed, taken off; and its credentials, replaced or apart."""

from collections.abc import Callable

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from drdash.audit import record
from drdash.english import english
from drdash.tenants import access
from drdash.tenants.adding import described
from drdash.tenants.checking import Refusal
from drdash.tenants.models import Credential, KeptToken, Membership, Tenant
from drdash.tenants.replacing import act_through, act_through_none, drop_unused, replace, using

__all__ = [
    "act_through",
    "act_through_none",
    "arm",
    "ask_one_person",
    "ask_two_persons",
    "disarm",
    "drop",
    "others_with",
    "pause",
    "replace",
    "resume",
    "take_off",
]


def pause(tenant: Tenant, *, by: User | None) -> None:
    """Nothing is read and nothing is started until it is resumed. Raises access.Denied."""
    _set(tenant, by, "paused", paused=True)


def resume(tenant: Tenant, *, by: User | None) -> None:
    """It is read again. Raises access.Denied."""
    _set(tenant, by, "resumed", paused=False)


def arm(tenant: Tenant, *, by: User | None) -> None:
    """Failovers may be started and stopped. Raises access.Denied."""
    _set(tenant, by, "armed", armed=True)


def disarm(tenant: Tenant, *, by: User | None) -> None:
    """It is only watched until it is armed. Raises access.Denied."""
    _set(tenant, by, "disarmed", armed=False)


def ask_two_persons(tenant: Tenant, *, by: User | None) -> None:
    """Production needs a second admin's word from now on. Raises access.Denied, and Refusal while there is no second
    admin to give it.
    """
    access.must_administer(by, tenant)
    if not tenant.two_persons and access.count_admins(tenant) < 2:
        raise Refusal(
            english(
                "%(tenant)s has no second admin: nobody could approve anything. Make one first.", tenant=tenant.name
            )
        )
    _set(tenant, by, "asks for two persons", two_persons=True)


def ask_one_person(tenant: Tenant, *, by: User | None) -> None:
    """One admin's word is enough again. That is a superuser's to say, who could as well make a second admin: for an
    admin it would be the way round. Raises access.Denied.
    """
    if by is not None and not (by.is_active and by.is_superuser):
        raise access.Denied(english("Only a superuser lets one admin alone start and stop production again."))
    _set(tenant, by, "asks for one person", two_persons=False)


def take_off(tenant: Tenant, *, by: User | None, held: Callable[[], str] = str) -> None:
    """Watch it no more: its memberships go, its tokens, and the secrets that no other tenant needs. Its row and its
    audit stay; its name is free. What is stored of its estate is dropped by the caller. Raises access.Denied, and
    Refusal when it is ``held``: that says why not, and is asked when nothing can be sent there any more.
    """
    access.must_keep(by)
    at = timezone.now()
    # What is about to be sent is claimed in such a transaction too: before this one, and is seen, or never.
    with record.writing():
        if not Tenant.objects.filter(pk=tenant.pk, removed_at=None).update(enabled=False, removed_at=at, acting=None):
            return
        if why_not := held():
            raise Refusal(why_not)
        Membership.objects.filter(tenant=tenant).delete()
        used = [one for one in (tenant.credential, tenant.acting) if one is not None]
        for credential in used:
            KeptToken.objects.filter(credential=credential, tenant=tenant.uuid.lower()).exclude(tenant="").delete()
        detail = f'"{tenant.name}" ({tenant.uuid or "no uuid"}) at {tenant.credential.cloud}.'
        record.write(by=by, verb="taken off", at=at, tenant=tenant.pk, detail=detail)
        drop_unused(*used)
    tenant.refresh_from_db()


def drop(credential: Credential, *, by: User | None) -> None:
    """Forget a credential that no tenant uses. Raises access.Denied, and Refusal while one does."""
    access.must_keep(by)
    with transaction.atomic():
        if user := using(credential).first():
            raise Refusal(english('The credential is needed by "%(user)s": take that off first.', user=user.name))
        detail = f'"{credential.name}", {described(credential)} at {credential.cloud}.'
        record.write(by=by, verb="credential dropped", at=timezone.now(), detail=detail)
        drop_unused(credential)


def others_with(credential: Credential, tenant: Tenant) -> int:
    """How many other tenants use a credential of this one, to read or to act."""
    return using(credential).exclude(pk=tenant.pk).count()


def _set(tenant: Tenant, by: User | None, verb: str, **fields: bool) -> None:
    """Change it with its entry in the audit; nothing when it is so already, or was taken off."""
    access.must_administer(by, tenant)
    with transaction.atomic():
        if Tenant.objects.filter(pk=tenant.pk, removed_at=None).exclude(**fields).update(**fields):
            record.write(by=by, verb=verb, at=timezone.now(), tenant=tenant.pk, detail=f'"{tenant.name}".')
    tenant.refresh_from_db(fields=list(fields))
