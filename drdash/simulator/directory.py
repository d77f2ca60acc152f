"""Who is known to the simulated cloud: tenants, each below another, and the API clients that belong to them."""

from collections.abc import Iterator
from dataclasses import dataclass, field

ADMIN = "dr_service::admin"
SUPPORT = "dr::support_operator"
READONLY = "protection::readonly"

CLIENT_CREDENTIALS = "client_credentials"
PASSWORD = "password"  # noqa: S105  the grant's name
CODE = "authorization_code"
REFRESH = "refresh_token"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
GRANTS = frozenset({CLIENT_CREDENTIALS, PASSWORD, CODE, REFRESH, JWT_BEARER})

CUSTOMER = "customer"


@dataclass(kw_only=True)
class Tenant:
    """A partner, a folder, a customer or a customer's unit. One without `ancestral_access` lets nobody from above in;
    one without `has_dr` has no disaster recovery; one that is not `present` is as good as never been.
    """

    uuid: str
    name: str
    kind: str = CUSTOMER
    parent: str | None = None
    enabled: bool = True
    ancestral_access: bool = True
    has_dr: bool = True
    present: bool = True


@dataclass(kw_only=True)
class ApiClient:
    """A program's account, of one tenant. `scopes` is what it may do, `grants` by which it gets a token."""

    id: str
    secret: str = field(repr=False)
    tenant: str
    scopes: frozenset[str] = frozenset({ADMIN})
    grants: frozenset[str] = GRANTS
    enabled: bool = True


class Directory:
    """Tenants by UUID in any case, in the order of their coming, and API clients; the first one is the usual one."""

    def __init__(self, tenants: list[Tenant], clients: list[ApiClient]) -> None:
        self._tenants = {tenant.uuid.lower(): tenant for tenant in tenants}
        self.clients = clients

    def __iter__(self) -> Iterator[Tenant]:
        return iter(self._tenants.values())

    def add(self, tenant: Tenant) -> None:
        self._tenants[tenant.uuid.lower()] = tenant

    def tenant(self, uuid: str) -> Tenant | None:
        """The tenant, if it is present."""
        found = self._tenants.get(uuid.lower())
        return found if found is not None and found.present else None

    def known(self, uuid: str) -> Tenant | None:
        """The tenant, if it ever was."""
        return self._tenants.get(uuid.lower())

    def client(self, client_id: str) -> ApiClient | None:
        return next((client for client in self.clients if client.id == client_id), None)

    def subtree(self, root: str) -> list[tuple[int, Tenant]]:
        """The tenant `root` and what is below it, each with its number, which it keeps."""
        return [
            (number, tenant)
            for number, tenant in enumerate(self._tenants.values())
            if tenant.present and self.is_below(tenant.uuid, root)
        ]

    def is_below(self, uuid: str, root: str) -> bool:
        """Whether the tenant is `root` itself, or below it."""
        above: str | None = uuid
        while above is not None and (tenant := self.tenant(above)) is not None:
            if tenant.uuid.lower() == root.lower():
                return True
            above = tenant.parent
        return False

    def lets_in(self, uuid: str, visitor: str) -> bool:
        """Whether somebody of the tenant `visitor` may act in the tenant `uuid`."""
        tenant = self.tenant(uuid)
        if tenant is None or not tenant.enabled:
            return False
        return tenant.uuid.lower() == visitor.lower() or (tenant.ancestral_access and self.is_below(uuid, visitor))
