"""The entries of the audit."""

from django.conf import settings
from django.db import models


class Entry(models.Model):
    """Who did what, when, with what outcome. Written in the same transaction as what it tells of; never changed.

    Tenant and action are numbers, not references: the entry outlives both.
    """

    at = models.DateTimeField()
    tenant = models.BigIntegerField(null=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    username = models.CharField(max_length=150)
    verb = models.CharField(max_length=60)
    action = models.BigIntegerField(null=True, db_index=True)
    server_uuid = models.CharField(max_length=100, blank=True)
    detail = models.TextField(blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "entries"
        indexes = [models.Index(fields=["tenant", "-id"], name="audit_of_a_tenant")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.username} {self.verb}"
