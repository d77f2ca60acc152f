"""Credentials, the tenants watched through them, and who may see and act."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Lower

from drdash.cloud.account import Grant
from drdash.tenants.roles import Role
from drdash.tenants.secrets import reseal, seal


class Credential(models.Model):
    """One set of API credentials at one cloud. Secret and password are sealed; they are never shown again."""

    SEALED = ("sealed_secret", "sealed_password")

    name = models.CharField(max_length=200)
    cloud = models.URLField(max_length=500, help_text="The cloud's root, such as https://eu2-cloud.example.com")
    grant = models.CharField(max_length=40, default=Grant.CLIENT_CREDENTIALS.value, editable=False)
    client_id = models.CharField(max_length=200, blank=True)
    sealed_secret = models.TextField(blank=True, editable=False)
    username = models.CharField(max_length=200, blank=True)
    sealed_password = models.TextField(blank=True, editable=False)
    is_simulator = models.BooleanField(default=False, editable=False)
    changed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.name

    def keep_secret(self, secret: str) -> None:
        """Seal the secret into the record; save it yourself."""
        self.sealed_secret = seal(secret)

    def keep_password(self, password: str) -> None:
        """Seal the user's password into the record; save it yourself."""
        self.sealed_password = seal(password)

    def reseal(self) -> int:
        """Seal what is sealed with the first key; how much that is. Save it yourself. Raises secrets.Unopenable."""
        kept = {field: sealed for field in self.SEALED if (sealed := getattr(self, field))}
        for field, sealed in kept.items():
            setattr(self, field, reseal(sealed))
        return len(kept)


class Tenant(models.Model):
    """One customer whose estate is watched: the unit of polling, of permissions and of keys in Redis."""

    name = models.CharField(max_length=200, unique=True)
    uuid = models.CharField(max_length=100, blank=True, help_text="The tenant's id at the cloud, where it is known.")
    credential = models.ForeignKey(Credential, on_delete=models.PROTECT, related_name="tenants")
    enabled = models.BooleanField(default=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                Lower("uuid"), "credential", condition=~models.Q(uuid=""), name="one_tenant_per_credential"
            )
        ]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A person's role in a tenant. Without one, the tenant does not exist for them."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=20, choices=[(role.value, role.value) for role in Role])

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "tenant"], name="one_role_per_tenant")]

    def __str__(self) -> str:
        return f"{self.user}: {self.role} of {self.tenant}"
