"""What is kept of servers beside the estates in Redis: what reads saw change, and what people leave for each other."""

from django.conf import settings
from django.db import models

from drdash.tenants.models import Tenant

LONGEST_UUID = 100


class Moment(models.Model):
    """What one read saw change on one server. Written by ``history`` alone, and kept there for a while."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="moments")
    server_uuid = models.CharField(max_length=LONGEST_UUID, help_text="In lower case.")
    at = models.DateTimeField(help_text="When the read began.")
    changes = models.JSONField(help_text="A list of changes.Changed.")

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["tenant", "server_uuid", "-at"], name="moments_of_a_server"),
            models.Index(fields=["at"], name="moments_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.server_uuid}"


class Note(models.Model):
    """What a person left for the next shift to read about a server; the earlier ones are in the audit."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="notes")
    server_uuid = models.CharField(max_length=LONGEST_UUID, help_text="In lower case.")
    text = models.TextField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "server_uuid"], name="one_note_per_server")]

    def __str__(self) -> str:
        return f"{self.server_uuid}: {self.text}"


class Bell(models.Model):
    """One person's wish to be told when an action on a server is free. ``free_at``: since when it is, as last seen."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="bells")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="bells")
    server_uuid = models.CharField(max_length=LONGEST_UUID, help_text="In lower case.")
    server_name = models.CharField(max_length=500)
    kind = models.CharField(max_length=30)
    asked_at = models.DateTimeField()
    free_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["user", "tenant", "server_uuid", "kind"], name="one_bell_per_wish")
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.kind} of {self.server_name}"


class Copy(models.Model):
    """A tenant's estate as it was at a time, for a process that begins while Redis is away. Of ``copies`` alone."""

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, related_name="copy")
    at = models.DateTimeField()
    packed = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.tenant_id}: {self.at:%Y-%m-%d %H:%M:%S}"
