"""Actions."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from drdash.failover.guard import Kind
from drdash.tenants.models import Tenant


class State(models.TextChoices):
    """Where an action is. ``accepted`` is the cloud's word for "I will"; only what was seen makes it ``succeeded``."""

    REQUESTED = "requested"
    SENDING = "sending"
    ACCEPTED = "accepted"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REFUSED = "refused"
    EXPIRED = "expired"
    NOT_SENT = "not_sent", "not sent"
    UNKNOWN = "unknown"
    CLOSED = "closed"


OPEN = (State.SENDING, State.ACCEPTED, State.UNKNOWN)
LIVE = (State.REQUESTED, *OPEN)


class Action(models.Model):
    """One person's wish to start or stop one failover, from click to outcome.

    A state changes by compare-and-set alone (``record.move``). The cloud and the server are kept as they were, not as
    references: the record outlives both.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="actions")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="actions")
    cloud = models.CharField(max_length=500)
    server_uuid = models.CharField(max_length=100, help_text="In lower case.")
    server_name = models.CharField(max_length=500)
    kind = models.CharField(max_length=30, choices=[(kind.value, kind.value) for kind in Kind])
    production = models.BooleanField()
    recovery_point = models.JSONField(null=True)
    acknowledged = models.JSONField(default=list)
    idempotency_key = models.CharField(max_length=100)
    content = models.CharField(max_length=64, help_text="A digest of what was asked: the same key must ask the same.")

    state = models.CharField(max_length=20, choices=State, default=State.REQUESTED)
    requested_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    reasons = models.JSONField(default=list, help_text="Why the guard refused it, or what it asked a nod for.")
    error = models.TextField(blank=True)

    body = models.TextField(blank=True, help_text="The body that was sent, to the byte.")
    status = models.PositiveSmallIntegerField(null=True, help_text="The HTTP status that came back.")
    reply = models.TextField(blank=True, help_text="What came back, its beginning.")
    task_uuid = models.CharField(max_length=100, blank=True)
    task_seen_at = models.DateTimeField(null=True)
    other_task_seen = models.BooleanField(default=False)
    evidence = models.JSONField(default=list, help_text="What each later read saw of the server, while it was unknown.")
    verdict = models.CharField(max_length=20, blank=True, help_text="What the person who closed it found at the cloud.")
    last_sign_at = models.DateTimeField(null=True, help_text="When the action last showed a sign of life at the cloud.")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["user", "idempotency_key"], name="one_action_per_key"),
            models.UniqueConstraint(
                fields=["cloud", "server_uuid"], condition=Q(state__in=OPEN), name="one_open_action_per_server"
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "server_uuid", "-id"], name="actions_of_a_server"),
            models.Index(fields=["state"], condition=Q(state__in=LIVE), name="live_actions"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.server_name} ({self.state})"
