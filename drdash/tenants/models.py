"""Credentials, the tenants watched through them, and who may see and act."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from drdash.cloud.account import Grant
from drdash.tenants.roles import Posture, Role
from drdash.tenants.secrets import reseal, seal


class Credential(models.Model):
    """One set of API credentials at one cloud, for one tenant, or a partner's for many. What is secret is sealed and
    never shown again. One that was removed stays as an empty shell, for the tenants that were taken off with it.
    """

    SEALED = ("sealed_secret", "sealed_password", "sealed_assertion")

    name = models.CharField(max_length=200)
    cloud = models.URLField(max_length=500, help_text="The cloud's root, such as https://eu2-cloud.example.com")
    grant = models.CharField(max_length=60, default=Grant.CLIENT_CREDENTIALS.value, editable=False)
    client_id = models.CharField(max_length=200, blank=True)
    sealed_secret = models.TextField(blank=True, editable=False)
    username = models.CharField(max_length=200, blank=True)
    sealed_password = models.TextField(blank=True, editable=False)
    sealed_assertion = models.TextField(blank=True, editable=False)
    is_simulator = models.BooleanField(default=False, editable=False)
    is_partner = models.BooleanField(default=False, editable=False, help_text="It lists customers, read once a day.")
    by_tenant = models.BooleanField(
        default=False, editable=False, help_text="Each tenant has a token of its own, asked for by the tenant's uuid."
    )
    takes_all = models.BooleanField(
        default=False, editable=False, help_text="Customers that come are watched at once, without being armed."
    )
    customers_tried_at = models.DateTimeField(null=True, editable=False)
    customers_read_at = models.DateTimeField(null=True, editable=False)
    customers_error = models.TextField(blank=True, editable=False, help_text="Why the last read of them failed.")
    scopes = models.TextField(
        blank=True, editable=False, help_text="What the cloud says the credential may do: a hint."
    )
    refused_at = models.DateTimeField(null=True, editable=False)
    refused_what = models.TextField(blank=True, editable=False, help_text="What the cloud last refused it, with a 403.")
    changed_at = models.DateTimeField(auto_now=True)
    removed_at = models.DateTimeField(null=True, editable=False)

    def __str__(self) -> str:
        return self.name

    @property
    def exchanges(self) -> bool:
        """Whether it is a partner's API client, whose token is exchanged for one of each tenant."""
        return self.by_tenant and not self.sealed_assertion

    def keep_secret(self, secret: str) -> None:
        """Seal the secret into the record; save it yourself."""
        self.sealed_secret = seal(secret)

    def keep_password(self, password: str) -> None:
        """Seal the user's password into the record; save it yourself."""
        self.sealed_password = seal(password)

    def keep_assertion(self, assertion: str) -> None:
        """Seal the signed assertion into the record; save it yourself."""
        self.sealed_assertion = seal(assertion)

    def reseal(self) -> int:
        """Seal what is sealed with the first key; how much that is. Save it yourself. Raises secrets.Unopenable."""
        kept = {field: sealed for field in self.SEALED if (sealed := getattr(self, field))}
        for field, sealed in kept.items():
            setattr(self, field, reseal(sealed))
        return len(kept)


class Customer(models.Model):
    """A customer of a partner's credential, as the cloud listed it; watched or not."""

    credential = models.ForeignKey(Credential, on_delete=models.CASCADE, related_name="customers")
    uuid = models.CharField(max_length=100, help_text="In lower case.")
    name = models.CharField(max_length=200)
    first_seen_at = models.DateTimeField()
    is_new = models.BooleanField(
        default=False, help_text="Listed since the credential was connected; nobody chose yet."
    )
    vanished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["name", "uuid"]
        constraints = [models.UniqueConstraint(fields=["credential", "uuid"], name="one_customer_per_credential")]

    def __str__(self) -> str:
        return self.name


class Tenant(models.Model):
    """One customer whose estate is watched: the unit of polling, of permissions and of keys in Redis.

    ``enabled``: exists for its members. ``paused``: not polled, and nothing is started, but its last data is shown.
    ``armed``: failovers may be started. One that was taken off stays as a row, for the audit, and is never enabled.
    """

    name = models.CharField(max_length=200)
    uuid = models.CharField(max_length=100, blank=True, help_text="The tenant's id at the cloud, where it is known.")
    credential = models.ForeignKey(Credential, on_delete=models.PROTECT, related_name="tenants")
    acting = models.ForeignKey(
        Credential,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="acting_for",
        help_text="What starts and stops failovers; without it the credential that it is read with does.",
    )
    enabled = models.BooleanField(default=True)
    paused = models.BooleanField(default=False)
    armed = models.BooleanField(default=True)
    two_persons = models.BooleanField(default=False, help_text="Production needs the word of a second admin.")
    vanished_at = models.DateTimeField(null=True, editable=False, help_text="Since when the partner lists it no more.")
    removed_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["name"], condition=Q(removed_at=None), name="one_tenant_per_name"),
            models.UniqueConstraint(
                Lower("uuid"),
                "credential",
                condition=Q(removed_at=None) & ~Q(uuid=""),
                name="one_tenant_per_credential",
            ),
            models.CheckConstraint(
                condition=Q(removed_at=None) | Q(enabled=False), name="what_was_taken_off_is_not_enabled"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def posture(self) -> Posture:
        """Whether failovers may be started and stopped here."""
        if self.paused or self.removed_at is not None:
            return Posture.PAUSED
        return Posture.ARMED if self.armed else Posture.WATCH_ONLY


class Membership(models.Model):
    """A person's role in a tenant, or without one in all of them, present and future. The membership of a tenant wins
    over that for all. Without either, the tenant does not exist for the person.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    tenant = models.ForeignKey(
        Tenant,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="memberships",
        help_text="Empty: all tenants, those to come included.",
    )
    role = models.CharField(max_length=20, choices=[(role.value, role.value) for role in Role])

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "tenant"], name="one_role_per_tenant"),
            models.UniqueConstraint(fields=["user"], condition=Q(tenant=None), name="one_role_for_all"),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.role} of {self.tenant or 'all tenants'}"


class KeptToken(models.Model):
    """An access token and what renews it, sealed as one, for all processes; and which of them is renewing it now."""

    credential = models.ForeignKey(Credential, on_delete=models.CASCADE, related_name="tokens")
    tenant = models.CharField(
        max_length=100, blank=True, help_text="Whose token, by uuid; empty: the credential's own."
    )
    sealed = models.TextField(blank=True)
    claimed_by = models.CharField(max_length=250, blank=True, help_text="The process (senders.py), and its claim.")
    claimed_until = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["credential", "tenant"], name="one_token_per_tenant")]

    def __str__(self) -> str:
        return f"A token of {self.credential}"


class TokenRight(models.Model):
    """An admin's word that one API token may run production in a tenant. It is bound to the token by its digest: a new
    token of the same person has no such right.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="token_rights")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="token_rights")
    digest = models.CharField(max_length=64, help_text="SHA-256 of the token.")
    given_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    given_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["digest", "tenant"], name="one_right_per_token_and_tenant")]

    def __str__(self) -> str:
        return f"{self.user}'s token: production in {self.tenant}"


class SavedView(models.Model):
    """A list that one person comes back to, of servers or of sites: a name for its query. What it shows is what is
    within reach when it is opened.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_views")
    listing = models.CharField(max_length=10, default="servers", help_text="The name of the list's address.")
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=2000, blank=True)

    class Meta:
        ordering = [Lower("name"), "pk"]
        constraints = [models.UniqueConstraint(fields=["user", "listing", "name"], name="one_view_per_name")]

    def __str__(self) -> str:
        return f"{self.user}: {self.name}"
