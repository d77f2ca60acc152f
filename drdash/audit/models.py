"""The entries of the audit."""

from typing import Any, NoReturn

from django.conf import settings
from django.db import models

from drdash.audit.chain import Link


class AppendOnly(Exception):
    """An entry of the audit is never changed and never deleted."""


class Entries(models.QuerySet["Entry"]):
    """Entries, to read."""

    def update(self, **kwargs: Any) -> NoReturn:
        raise AppendOnly

    def delete(self) -> NoReturn:
        raise AppendOnly

    def bulk_update(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly


class Entry(models.Model):
    """Who did what, when, with what outcome. Written in the same transaction as what it tells of, by ``record.write``
    alone; never changed. Tenant and action are numbers, not references: the entry outlives both.
    """

    number = models.PositiveBigIntegerField(unique=True)
    at = models.DateTimeField()
    tenant = models.BigIntegerField(null=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    username = models.CharField(max_length=150)
    verb = models.CharField(max_length=60)
    action = models.BigIntegerField(null=True, db_index=True)
    server_uuid = models.CharField(max_length=100, blank=True)
    detail = models.TextField(blank=True)
    previous = models.CharField(max_length=64, blank=True)
    hash = models.CharField(max_length=64)

    objects = Entries.as_manager()

    class Meta:
        ordering = ["-number"]
        verbose_name_plural = "entries"
        indexes = [
            models.Index(fields=["tenant", "-number"], name="audit_of_a_tenant"),
            models.Index(fields=["user", "verb", "at"], name="audit_of_a_person"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.username} {self.verb}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnly
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly

    def link(self) -> Link:
        """The entry as a link of the chain."""
        return Link(
            number=self.number,
            at=self.at,
            tenant=self.tenant,
            user=self.user_id,
            username=self.username,
            verb=self.verb,
            action=self.action,
            server_uuid=self.server_uuid,
            detail=self.detail,
            previous=self.previous,
            hash=self.hash,
        )
