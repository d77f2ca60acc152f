"""From what someone typed to a cloud that is watched: tried there first, and stored only when all is well."""

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from drdash.cloud.account import Account, BadAddress, Grant
from drdash.cloud.oauth import Token
from drdash.english import english
from drdash.tenants import access, partners
from drdash.tenants.accounts import fill, typed
from drdash.tenants.adding import Connected, add, admins_called, already, refuse_name
from drdash.tenants.checking import Found, Refusal, grant_called, is_partners, look, refuse_incomplete
from drdash.tenants.models import Credential
from drdash.tenants.shelf import begin

__all__ = ["WHERE", "Connected", "Refusal", "connect", "grant_called"]

WHERE = english(
    "An API client is made in the cloud's management console, under Settings, API clients, Create API client, by an "
    "administrator of the tenant that is to be watched (of the partner, for all of its customers). The client gets the "
    "roles of the administrator who makes it, and keeps them: for disaster recovery as an administrator "
    "(dr_service::admin) drdash can start and stop failovers; as a read-only one (protection::readonly) it can only "
    "watch. The secret is shown once, when the client is made."
)


def connect(
    *,
    by: User | None,
    name: str,
    cloud: str,
    grant: Grant = Grant.CLIENT_CREDENTIALS,
    client_id: str = "",
    client_secret: str = "",
    username: str = "",
    password: str = "",
    assertion: str = "",
    token: Token | None = None,
    tenant_uuid: str = "",
    admin: str | None = None,
    watch_only: bool = False,
    choose_later: bool = False,
) -> Connected:
    """Try the credential at the cloud (a token, the sites, the servers), and only then store it and its tenant.

    ``by``: who connects it, None for a command on the server. ``token``: what a sign-in in the browser gave.
    ``admin`` gets an admin membership; without it every active superuser does. A partner's API client brings all of
    its customers, named as they are there, or the one with ``tenant_uuid``, or with ``choose_later`` none yet.
    Raises access.Denied, and Refusal; then nothing was stored.
    """
    access.must_keep(by)
    name, tenant_uuid = name.strip(), tenant_uuid.strip().lower()
    account = typed(
        cloud=cloud,
        grant=grant,
        client_id=client_id,
        client_secret=client_secret,
        username=username,
        password=password,
        assertion=assertion,
        tenant=tenant_uuid if grant is Grant.JWT_BEARER else "",
    )
    if not is_partners(account) or tenant_uuid:
        refuse_name(name)
    elif not name:
        raise Refusal(english("Give the partner a name."))
    admins = admins_called(admin)
    _root(account)
    refuse_incomplete(account, token)
    if is_partners(account):
        return partners.connect(
            account, name=name, by=by, admins=admins, watch_only=watch_only, choose_later=choose_later
        )
    found = look(account, token=token)
    uuid = told_uuid(found, tenant_uuid)
    with transaction.atomic():
        # Here, too: somebody may have been as quick with the same.
        refuse_name(name)
        if earlier := already(account, uuid):
            raise Refusal(english('This tenant is connected already, as "%(earlier)s".', earlier=earlier.name))
        credential = Credential(name=name, is_simulator=found.simulator, scopes=" ".join(found.scopes))
        fill(credential, account)
        credential.save()
        begin(credential, found.tokens, tenant=account.tenant)
        tenant = add(
            credential,
            name=name,
            uuid=uuid,
            found=found,
            admins=admins,
            by=by,
            at=timezone.now(),
            watch_only=watch_only,
        )
    return Connected(
        credential=credential,
        tenants=(tenant,),
        sites=found.sites,
        servers=found.servers,
        admins=tuple(user.get_username() for user in admins),
    )


def told_uuid(found: Found, wanted: str) -> str:
    """Whose estate was found: the uuid that was given, if the sites agree, or the one they name. Raises Refusal."""
    if wanted and found.tenants and wanted not in found.tenants:
        raise Refusal(
            english(
                "This credential sees the tenant %(tenants)s, and not %(wanted)s.",
                tenants=", ".join(found.tenants),
                wanted=wanted,
            )
        )
    return wanted or next(iter(found.tenants), "")


def _root(account: Account) -> str:
    """The cloud's root. Raises Refusal with what is wrong with the address."""
    try:
        return account.root
    except BadAddress as error:
        raise Refusal(str(error)) from error
