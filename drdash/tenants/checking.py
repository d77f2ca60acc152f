"""A credential tried at its cloud before anything is stored: what is found there, or what is wrong, in a sentence."""

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from drdash.clock import boot_seconds
from drdash.cloud import partner
from drdash.cloud.account import Account, BadAddress, Grant
from drdash.cloud.client import Client
from drdash.cloud.errors import CloudError, Forbidden, NotFound
from drdash.cloud.oauth import Memory, Token
from drdash.cloud.partner import Customer, Customers
from drdash.english import english
from drdash.wrong import Wrong

CHECK_SECONDS = 30.0
# For all of a partner's customers together; so many of them at once.
MANY_SECONDS = 120.0
AT_ONCE = 8
_LONGEST = 200


class Refusal(Wrong):
    """It was not done and nothing was stored; the message says what is wrong and what to do."""


class Found(msgspec.Struct, frozen=True):
    """What an account sees: ``tenants`` are the uuids that its sites name, in lower case. ``tokens``: those it got."""

    tenants: tuple[str, ...]
    sites: int
    servers: int
    simulator: bool
    scopes: tuple[str, ...]
    tokens: Memory


def grant_called(name: str) -> Grant:
    """The grant with this name; jwt-bearer does for the long one. Raises Refusal, which names those that exist."""
    try:
        return Grant.JWT_BEARER if name == "jwt-bearer" else Grant(name)
    except ValueError:
        known = _or(SHORT.values())
        raise Refusal(english('drdash knows no grant "%(name)s": give %(known)s.', name=name, known=known)) from None


GIVE_ROLE = english("Give it such a role.")
SHORT = {grant: "jwt-bearer" if grant is Grant.JWT_BEARER else grant.value for grant in Grant}


def refuse_incomplete(account: Account, token: Token | None = None) -> None:
    """Say what is missing for the grant, or too much. Raises Refusal."""
    match account.grant:
        case Grant.PASSWORD:
            if not account.username or not account.password:
                raise Refusal(english("The grant password needs a username and its password."))
        case Grant.CLIENT_CREDENTIALS:
            if not account.client_id or account.username:
                raise Refusal(
                    english("The grant client_credentials needs an API client's id and secret, and no username.")
                )
        case Grant.AUTHORIZATION_CODE:
            if not account.client_id or token is None or token.refresh is None:
                raise Refusal(
                    english(
                        "The grant authorization_code needs an API client's id and somebody's sign-in in the "
                        "browser: open the page Connect a cloud of the web server."
                    )
                )
        case Grant.JWT_BEARER:
            if not account.client_id and not account.assertion:
                raise Refusal(
                    english("The grant jwt-bearer needs a partner's API client with its secret, or an assertion.")
                )
    if account.username and account.grant is not Grant.PASSWORD:
        raise Refusal(
            english("The grant %(short)s has no use for a username: leave it out.", short=SHORT[account.grant])
        )
    # A client that people sign in for may be a public one.
    if account.client_id and not account.client_secret and account.grant is not Grant.AUTHORIZATION_CODE:
        raise Refusal(english("The client secret is empty."))
    for secret in (account.client_secret, account.password, account.assertion):
        if any("\ud800" <= character <= "\udfff" for character in secret):
            raise Refusal(english("The secret is not UTF-8: the terminal or the environment has another encoding."))
    for text, wrong in (
        (account.client_id, english("The client id is too long, or has characters that none has.")),
        (account.username, english("The username is too long, or has characters that none has.")),
    ):
        if len(text) > _LONGEST or not text.isprintable():
            raise Refusal(wrong)


def is_partners(account: Account) -> bool:
    """Whether it is a partner's API client, which has no estate of its own."""
    return account.grant is Grant.JWT_BEARER and not account.assertion


def look(account: Account, *, token: Token | None = None, tokens: Memory | None = None) -> Found:
    """Get a token, unless ``token`` is one already, and read the sites and the servers. Raises Refusal.

    ``tokens``: where the accounts of one partner find its own token, so that it is got once.
    """
    tokens = tokens or Memory()
    if token is not None:
        tokens.keep("", token)
    try:
        client = _client(account, tokens)
        try:
            sites, servers = client.sites(deadline=CHECK_SECONDS), client.servers(deadline=CHECK_SECONDS)
        except Forbidden as error:
            if account.grant is Grant.CLIENT_CREDENTIALS and (customers := _customers_too(client)):
                raise Refusal(
                    english(
                        "This is a partner's API client, with %(customers)s customers and no servers of its own: "
                        "connect it with the grant jwt-bearer, which gets a token for each customer.",
                        customers=customers,
                    )
                ) from error
            told = f"{error}{_may(client.scopes)} {GIVE_ROLE}"
            raise Refusal(english("The cloud was not connected. %(error)s", error=told)) from error
        except NotFound as error:
            raise Refusal(
                english("This is not a DR cloud, or not its root: it knows no DR API. %(error)s", error=error)
            ) from error
        finally:
            client.close()
    except BadAddress as error:
        raise Refusal(str(error)) from error
    except CloudError as error:
        raise Refusal(english("The cloud was not connected. %(error)s", error=error)) from error
    return Found(
        tenants=tuple(sorted({site.tenant_uuid.lower() for site in sites.items if site.tenant_uuid})),
        sites=len(sites.items),
        servers=len(servers.items),
        simulator=bool(client.simulator),
        scopes=client.scopes or (),
        tokens=tokens,
    )


def list_customers(account: Account, tokens: Memory) -> Customers:
    """A partner's customers. Raises Refusal, also when there are none."""
    try:
        client = _client(msgspec.structs.replace(account, tenant=""), tokens)
        try:
            found = listed(client)
        finally:
            client.close()
    except BadAddress as error:
        raise Refusal(str(error)) from error
    except (Forbidden, NotFound) as error:
        raise Refusal(
            english(
                "This API client may not list any customers, so it is no partner's: connect it with the "
                "grant client_credentials if it is a customer's own. %(error)s",
                error=error,
            )
        ) from error
    except CloudError as error:
        raise Refusal(english("The cloud was not connected. %(error)s", error=error)) from error
    if not found.items:
        raise Refusal(
            english(
                "This API client has no customers that are enabled and let it in: add them in the "
                "cloud's console, or, if it is a customer's own client, connect it with the grant "
                "client_credentials."
            )
        )
    return found


def look_at_all(
    account: Account, customers: Iterable[Customer], tokens: Memory
) -> tuple[dict[Customer, Found], dict[Customer, str]]:
    """Each customer's sites and servers, with a token of its own: what was found, and for the others why not."""
    begun = boot_seconds()

    def one(customer: Customer) -> Found | str:
        if boot_seconds() - begun > MANY_SECONDS:
            return english(
                "It was not checked: that took over %(seconds)s s for those before it. Choose fewer at once.",
                seconds=f"{MANY_SECONDS:.0f}",
            )
        try:
            found = look(msgspec.structs.replace(account, tenant=customer.uuid), tokens=tokens)
        except Refusal as refusal:
            return str(refusal)
        if found.tenants and customer.uuid not in found.tenants:
            return english(
                "Its token shows the sites of another tenant (%(tenants)s).", tenants=", ".join(found.tenants)
            )
        return found

    chosen = list(customers)
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="check") as several:
        results = list(zip(chosen, several.map(one, chosen), strict=True))
    good = {customer: found for customer, found in results if isinstance(found, Found)}
    return good, {customer: why for customer, why in results if isinstance(why, str)}


def listed(client: Client) -> Customers:
    """The customers of whose client it is, without the own tenant: a customer's lists itself. Raises CloudError."""
    found = partner.customers(client, deadline=CHECK_SECONDS)
    others = tuple(customer for customer in found.items if customer.uuid != found.own)
    return msgspec.structs.replace(found, items=others)


def _customers_too(client: Client) -> int:
    try:
        return len(listed(client).items)
    except CloudError:
        return 0


def _client(account: Account, tokens: Memory) -> Client:
    return Client(account, now=time.time, monotonic=boot_seconds, shelf=tokens)


def _may(scopes: tuple[str, ...] | None) -> str:
    return " " + english("Its token says that it may: %(scopes)s.", scopes=", ".join(scopes)) if scopes else ""


def _or(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}"
