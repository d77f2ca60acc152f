"""A partner's credential: its customers, which of them are watched, and what became of them since yesterday."""

import logging
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

import msgspec
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from drdash.audit import record
from drdash.cloud.account import Account
from drdash.cloud.client import Client
from drdash.cloud.errors import CloudError
from drdash.cloud.oauth import Memory
from drdash.cloud.partner import Customer as Listed
from drdash.cloud.partner import Customers
from drdash.english import english
from drdash.tenants import access, checking
from drdash.tenants.accounts import account_of, fill, has_secret_of, stored_partner
from drdash.tenants.adding import Connected, add, admins_called, free_name, refuse_name
from drdash.tenants.checking import Found, Refusal, list_customers, look_at_all
from drdash.tenants.models import Credential, Customer, Tenant
from drdash.tenants.secrets import Unopenable

log = logging.getLogger(__name__)

EVERY = timedelta(days=1)
AFTER_A_FAILURE = timedelta(hours=1)

NO_SUCH = english(
    "The partner has no customer %(uuids)s that is enabled and lets it in, among its %(count)s customers."
)
WATCHED = english('It is watched already, as "%(name)s".')
NONE = english('None of the customers can be watched. "%(name)s": %(why)s')
NONE_OF_MANY = english(
    'None of the customers can be watched. "%(name)s": %(why)s The same or the like goes for %(others)s more.'
)


class Refreshed(msgspec.Struct, frozen=True):
    """The customers that came, went and returned since the last read, by name."""

    new: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()
    back: tuple[str, ...] = ()


class Choice(msgspec.Struct, frozen=True):
    """A customer, and the tenant that it is watched as, if it is."""

    customer: Customer
    tenant: Tenant | None


def connect(
    account: Account, *, name: str, by: User | None, admins: Iterable[User], watch_only: bool, choose_later: bool
) -> Connected:
    """Store a partner's account with its customers, and watch all of them; with ``account.tenant`` that one, by
    ``name``; with ``choose_later`` none. One that is known already is used on. Raises Refusal.
    """
    tokens = Memory()
    listed = list_customers(account, tokens)
    credential = stored_partner(account) or Credential(
        # Other customers will be read with it too: they must not learn of this one by its name.
        name=account.client_id[:200] if account.tenant else name
    )
    if not has_secret_of(credential, account):
        fill(credential, account)
    credential.is_partner = True
    chosen = _chosen(listed, None if account.tenant == "" else [account.tenant])
    return _take(
        credential,
        account,
        listed,
        [] if choose_later and not account.tenant else chosen,
        tokens,
        by=by,
        admins=admins,
        watch_only=watch_only,
        name=name if account.tenant else "",
    )


def watch(
    credential: Credential,
    uuids: Collection[str] | None,
    *,
    by: User | None,
    watch_only: bool = False,
    admin: str | None = None,
) -> Connected:
    """Watch these customers of a partner too, each tried first; None: all, and those to come, which are not armed.

    Those that are watched already stay as they are. Raises access.Denied, and Refusal when none can be watched.
    """
    access.must_keep(by)
    credential.takes_all = uuids is None
    return _watch(credential, uuids, by=by, watch_only=watch_only, admin=admin)


def customers_of(credential: Credential) -> list[Choice]:
    """The customers of a partner as they were last listed, each with the tenant that it is watched as."""
    tenants = {tenant.uuid.lower(): tenant for tenant in credential.tenants.filter(removed_at=None)}
    return [Choice(customer, tenants.get(customer.uuid)) for customer in credential.customers.all()]


def looked_at(credential: Credential, *, by: User | None) -> None:
    """Somebody has seen which customers are new: they are announced no more."""
    access.must_keep(by)
    credential.customers.filter(is_new=True).update(is_new=False)


def due(now: datetime) -> list[Credential]:
    """The partners' credentials whose customers are to be read again: once a day, after a failure once an hour."""
    old = Q(customers_read_at=None) | Q(customers_read_at__lte=now - EVERY)
    tried = Q(customers_tried_at=None) | Q(customers_tried_at__lte=now - AFTER_A_FAILURE)
    return list(Credential.objects.filter(old, tried, is_partner=True, removed_at=None).order_by("pk"))


def refresh(credential: Credential, *, client: Client, now: datetime) -> Refreshed:
    """Read a partner's customers anew: those that come are announced, those that went are marked, with their last data
    kept. A read that fails changes nothing but ``customers_error``. ``client`` is the partner's own.
    """
    Credential.objects.filter(pk=credential.pk).update(customers_tried_at=now)
    try:
        now_listed = checking.listed(client)
    except CloudError as error:
        note_failure(credential, error, now=now)
        return Refreshed()
    with transaction.atomic():
        refreshed = _note(credential, now_listed, at=now)
    if refreshed.new and credential.takes_all:
        _take_on(credential)
    return refreshed


def note_failure(credential: Credential, error: Exception, *, now: datetime) -> None:
    """The customers could not be read; it is shown, logged once, and tried again in an hour."""
    if not credential.customers_error:
        log.warning("The customers of credential %s cannot be read: %s", credential.pk, error)
    Credential.objects.filter(pk=credential.pk).update(customers_tried_at=now, customers_error=str(error))


def _take_on(credential: Credential) -> None:
    """The new customers of a credential whose customers are all watched; which cannot be is announced as before."""
    new = credential.customers.filter(is_new=True).values_list("uuid", flat=True)
    try:
        _watch(credential, list(new), by=None, watch_only=True, admin=None)
    except Refusal as problem:
        log.warning("New customers of credential %s are not watched yet: %s", credential.pk, problem)


def _watch(
    credential: Credential, uuids: Collection[str] | None, *, by: User | None, watch_only: bool, admin: str | None
) -> Connected:
    admins = admins_called(admin)
    try:
        account, tokens = account_of(credential), Memory()
    except Unopenable as problem:
        raise Refusal(str(problem)) from problem
    listed = list_customers(account, tokens)
    chosen = _chosen(listed, uuids)
    return _take(credential, account, listed, chosen, tokens, by=by, admins=admins, watch_only=watch_only)


def _chosen(listed: Customers, uuids: Collection[str] | None) -> list[Listed]:
    if uuids is None:
        return list(listed.items)
    wanted = dict.fromkeys(uuid.strip().lower() for uuid in uuids)
    known = {customer.uuid: customer for customer in listed.items}
    if missing := [uuid for uuid in wanted if uuid not in known]:
        raise Refusal(NO_SUCH % {"uuids": ", ".join(missing), "count": len(known)})
    return [known[uuid] for uuid in wanted]


def _take(
    credential: Credential,
    account: Account,
    listed: Customers,
    chosen: list[Listed],
    tokens: Memory,
    *,
    by: User | None,
    admins: Iterable[User],
    watch_only: bool,
    name: str = "",
) -> Connected:
    """Try the chosen customers that are not watched yet, and store those that can be. Raises Refusal when none can."""
    admins = list(admins)
    watched = _watched(account)
    tried, bad = look_at_all(account, [one for one in chosen if one.uuid not in watched], tokens)
    at, tenants = timezone.now(), []
    with transaction.atomic():
        # Again: somebody may have been as quick with the same.
        watched = _watched(account)
        good = {one: found for one, found in tried.items() if one.uuid not in watched}
        left_out = {one: WATCHED % {"name": watched[one.uuid]} for one in chosen if one.uuid in watched}
        left_out |= bad
        if chosen and not good and not (credential.takes_all and not bad):
            raise Refusal(_none(left_out))
        _store(credential, good)
        _note(credential, listed, at=at, by=by)
        taken = set(Tenant.objects.filter(removed_at=None).values_list("name", flat=True))
        if name:
            refuse_name(name)
        for customer, found in good.items():
            called = name or free_name(customer.name, partner=credential.name, taken=taken)
            tenants.append(
                add(
                    credential,
                    name=called,
                    uuid=customer.uuid,
                    found=found,
                    admins=admins,
                    by=by,
                    at=at,
                    watch_only=watch_only,
                )
            )
        credential.customers.filter(uuid__in=[one.uuid for one in good]).update(is_new=False)
    return Connected(
        credential=credential,
        tenants=tuple(tenants),
        sites=sum(found.sites for found in good.values()),
        servers=sum(found.servers for found in good.values()),
        admins=tuple(user.get_username() for user in admins),
        customers=len(listed.items),
        left_out=tuple((one.name, why) for one, why in left_out.items()),
    )


def _watched(account: Account) -> dict[str, str]:
    """What the tenants that are watched at the account's cloud are called, by uuid."""
    watched = Tenant.objects.filter(removed_at=None, credential__cloud=account.root).exclude(uuid="")
    return {tenant.uuid.lower(): tenant.name for tenant in watched}


def _store(credential: Credential, good: dict[Listed, Found]) -> None:
    for found in good.values():
        credential.scopes, credential.is_simulator = " ".join(found.scopes), found.simulator
    if credential.pk is None:
        credential.save()
        return
    # changed_at moves with the secret alone: whoever holds a token of the credential may keep it.
    stored = Credential.objects.get(pk=credential.pk)
    if all(getattr(stored, field) == getattr(credential, field) for field in Credential.SEALED):
        credential.save(update_fields=["is_partner", "takes_all", "scopes", "is_simulator"])
    else:
        credential.save()


def _note(credential: Credential, listed: Customers, *, at: datetime, by: User | None = None) -> Refreshed:
    """The list as it is now, in the caller's transaction; what changed in it, announced in the audit."""
    Credential.objects.select_for_update().get(pk=credential.pk)
    known = {customer.uuid: customer for customer in credential.customers.all()}
    now = {customer.uuid: customer for customer in listed.items}
    first = credential.customers_read_at is None
    new = [one for uuid, one in now.items() if uuid not in known]
    gone = [one for uuid, one in known.items() if uuid not in now and one.vanished_at is None]
    back = [one for uuid, one in known.items() if uuid in now and one.vanished_at is not None]
    Customer.objects.bulk_create(
        Customer(credential=credential, uuid=one.uuid, name=one.name, first_seen_at=at, is_new=not first) for one in new
    )
    for uuid, customer in known.items():
        if uuid in now and customer.name != now[uuid].name:
            credential.customers.filter(pk=customer.pk).update(name=now[uuid].name)
    _mark(credential, [one.uuid for one in gone], since=at)
    _mark(credential, [one.uuid for one in back], since=None)
    told = [] if first else [(one.uuid, one.name, "customer found") for one in new]
    told += [(one.uuid, one.name, "customer vanished") for one in gone]
    told += [(one.uuid, one.name, "customer came back") for one in back]
    tenants = {tenant.uuid.lower(): tenant.pk for tenant in credential.tenants.filter(removed_at=None)}
    for uuid, name, verb in told:
        detail = f'"{name}" ({uuid}), of the partner "{credential.name}".'
        record.write(by=by, verb=verb, at=at, tenant=tenants.get(uuid), detail=detail)
    credential.customers_read_at, credential.customers_error = at, ""
    credential.customers_tried_at = at
    credential.save(update_fields=["customers_read_at", "customers_error", "customers_tried_at"])
    return Refreshed(
        new=() if first else tuple(one.name for one in new),
        vanished=tuple(one.name for one in gone),
        back=tuple(one.name for one in back),
    )


def _mark(credential: Credential, uuids: list[str], *, since: datetime | None) -> None:
    credential.customers.filter(uuid__in=uuids).update(vanished_at=since)
    for tenant in credential.tenants.filter(removed_at=None):
        if tenant.uuid.lower() in uuids:
            Tenant.objects.filter(pk=tenant.pk).update(vanished_at=since)


def _none(left_out: dict[Listed, str]) -> str:
    (name, why), others = next((one.name, why) for one, why in left_out.items()), len(left_out) - 1
    return (NONE_OF_MANY if others else NONE) % {"name": name, "why": why, "others": others}
