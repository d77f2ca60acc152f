"""From a credential to its client, and from what someone typed to a tenant that is watched."""

import threading
import time
from datetime import datetime

import msgspec
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q

from drdash.clock import boot_seconds
from drdash.cloud.account import Account, BadAddress, Grant
from drdash.cloud.client import Client
from drdash.cloud.errors import CloudError
from drdash.tenants.accounts import account_of
from drdash.tenants.models import Credential, Membership, Tenant
from drdash.tenants.roles import Role

__all__ = ["Connected", "Refusal", "account_of", "client_of", "connect", "grant_called"]

CHECK_SECONDS = 30.0

_clients: dict[int, tuple[datetime, Client]] = {}
_lock = threading.Lock()


class Refusal(Exception):
    """The cloud was not connected and nothing was stored; the message says what is wrong and what to do."""


class Connected(msgspec.Struct, frozen=True):
    """What was found at the cloud, and who may see it now."""

    tenant: Tenant
    sites: int
    servers: int
    admins: tuple[str, ...]


def client_of(tenant: Tenant) -> Client:
    """The client for a tenant, one per credential and process: it holds the token. Raises secrets.Unopenable."""
    credential = tenant.credential
    with _lock:
        held = _clients.get(credential.pk)
        if held is None or held[0] != credential.changed_at:
            held = _clients[credential.pk] = (credential.changed_at, _client(account_of(credential)))
        return held[1]


def grant_called(name: str) -> Grant:
    """The grant with this name. Raises Refusal, which names those that exist."""
    try:
        return Grant(name)
    except ValueError:
        raise Refusal(f'drdash knows no grant "{name}": give {" or ".join(Grant)}.') from None


def connect(
    *,
    name: str,
    cloud: str,
    grant: Grant = Grant.CLIENT_CREDENTIALS,
    client_id: str = "",
    client_secret: str = "",
    username: str = "",
    password: str = "",
    tenant_uuid: str = "",
    admin: str | None = None,
) -> Connected:
    """Check the credentials at the cloud (a token, the sites, the servers), and only then store them and the tenant.

    The grant ``password`` needs a user, and takes a client where the cloud demands one; the other a client alone.
    ``admin`` gets an admin membership; without it every active superuser does. Raises Refusal; then nothing was stored.
    """
    name = name.strip()
    if not name:
        raise Refusal("Give the tenant a name.")
    if Tenant.objects.filter(name=name).exists():
        raise Refusal(f'There is a tenant called "{name}" already: choose another name.')
    admins = _admins(admin)
    account = Account(
        cloud=cloud,
        grant=grant,
        client_id=client_id,
        client_secret=client_secret,
        username=username,
        password=password,
        plain_http_hosts=tuple(settings.PLAIN_HTTP_HOSTS),
    )
    _refuse_incomplete(account)
    try:
        root = account.root
        client = _client(account)
        sites, servers = client.sites(deadline=CHECK_SECONDS), client.servers(deadline=CHECK_SECONDS)
    except BadAddress as error:
        raise Refusal(str(error)) from error
    except CloudError as error:
        raise Refusal(f"The cloud was not connected. {error}") from error
    uuid = tenant_uuid or next((site.tenant_uuid for site in sites.items if site.tenant_uuid), "")
    _refuse_twice(account, uuid)
    with transaction.atomic():
        credential = Credential(
            name=name,
            cloud=root,
            grant=grant.value,
            client_id=client_id,
            username=username,
            is_simulator=bool(client.simulator),
        )
        if client_id:
            credential.keep_secret(client_secret)
        if grant is Grant.PASSWORD:
            credential.keep_password(password)
        credential.save()
        tenant = Tenant.objects.create(name=name, uuid=uuid, credential=credential)
        for user in admins:
            Membership.objects.create(user=user, tenant=tenant, role=Role.ADMIN)
    return Connected(
        tenant=tenant,
        sites=len(sites.items),
        servers=len(servers.items),
        admins=tuple(user.get_username() for user in admins),
    )


def _admins(admin: str | None) -> list[User]:
    users = User.objects.filter(is_active=True)
    if admin is None:
        return list(users.filter(is_superuser=True))
    found = users.filter(username=admin).first()
    if found is None:
        raise Refusal(f'There is no active user called "{admin}": create one with manage.py createsuperuser.')
    return [found]


def _refuse_incomplete(account: Account) -> None:
    if account.grant is Grant.PASSWORD:
        if not account.username or not account.password:
            raise Refusal("The grant password needs a username and its password.")
    elif not account.client_id or account.username:
        raise Refusal("The grant client_credentials needs an API client's id and secret, and no username.")
    if account.client_id and not account.client_secret:
        raise Refusal("The client secret is empty.")
    if any("\ud800" <= character <= "\udfff" for character in account.client_secret + account.password):
        raise Refusal("The secret is not UTF-8: the terminal or the environment has another encoding.")


def _refuse_twice(account: Account, uuid: str) -> None:
    """One tenant watched twice would be two rows for each server, and two chances to start a failover."""
    same_cloud = Tenant.objects.filter(credential__cloud=account.root)
    # A user belongs to one tenant, and so does a client: where either side has no uuid to tell by, they tell.
    by_user, by_client = Q(credential__username__iexact=account.username), Q(credential__client_id=account.client_id)
    by_name = by_user if account.username else by_user & by_client
    same = Q(uuid__iexact=uuid) | (by_name & Q(uuid="")) if uuid else by_name
    if earlier := same_cloud.filter(same).first():
        raise Refusal(f'This tenant is connected already, as "{earlier.name}".')


def _client(account: Account) -> Client:
    return Client(account, now=time.time, monotonic=boot_seconds)
