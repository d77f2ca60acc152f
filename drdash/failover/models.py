"""Actions; what stands before one, an approval or a batch; and the failovers that were seen running."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from drdash.english import english
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


class Verdict(models.TextChoices):
    """What a person found at the cloud, of an action whose outcome nobody knew."""

    HAPPENED = "happened", english("The cloud did it")
    NOT_HAPPENED = "not happened", english("The cloud did not do it")
    UNTOLD = "untold", english("It cannot be told")


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
    sent_boot = models.FloatField(null=True, help_text="The same by the clock of the sender's boot, which nobody sets.")
    answered_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    reasons = models.JSONField(default=list, help_text="Why the guard refused it, or what it asked a nod for.")
    error = models.TextField(blank=True)

    sender = models.CharField(max_length=200, blank=True, help_text="The process that carries it out (senders.py).")
    glass = models.TextField(blank=True, help_text="Why the glass was broken for it, in the person's own words.")
    approval = models.OneToOneField("Approval", on_delete=models.PROTECT, null=True, related_name="action")
    body = models.TextField(blank=True, help_text="The body that was sent, to the byte; written down before it is.")
    status = models.PositiveSmallIntegerField(null=True, help_text="The HTTP status that came back.")
    reply = models.TextField(blank=True, help_text="What came back, its beginning.")
    task_uuid = models.CharField(max_length=100, blank=True)
    task_seen_at = models.DateTimeField(null=True)
    other_task_seen = models.BooleanField(default=False)
    evidence = models.JSONField(
        default=list, help_text="What each read saw of the server, from the last one before it was sent."
    )
    verdict = models.CharField(max_length=20, blank=True, help_text="What the person who closed it found at the cloud.")
    superseded_by = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="superseded", help_text="What went over it, unknown."
    )
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
            models.Index(fields=["tenant"], condition=~Q(glass=""), name="broken_glass"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.server_name} ({self.state})"


class Consent(models.TextChoices):
    """Where an approval is. Only ``given`` lets an action go, once."""

    ASKED = "asked"
    GIVEN = "given"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    VOID = "void"
    EXPIRED = "expired"
    USED = "used"


class Approval(models.Model):
    """A second admin's word on a production action that was not sent yet. It holds for what both of them saw."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="approvals")
    cloud = models.CharField(max_length=500)
    server_uuid = models.CharField(max_length=100, help_text="In lower case.")
    server_name = models.CharField(max_length=500)
    kind = models.CharField(max_length=30, choices=[(kind.value, kind.value) for kind in Kind])
    recovery_point = models.JSONField(null=True)
    seen = models.JSONField(help_text="The sighting that it holds for.")
    why = models.TextField()

    state = models.CharField(max_length=20, choices=Consent, default=Consent.ASKED)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="approvals_asked")
    asked_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="approvals_answered"
    )
    answered_at = models.DateTimeField(null=True)
    said = models.TextField(blank=True, help_text="What the second person wrote, or why it is void.")

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["tenant", "state"], name="approvals_of_a_tenant")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.server_name} ({self.state})"


class Batch(models.Model):
    """Many servers, one kind of action, one confirmation. Each item becomes an action of its own when its turn comes.

    ``runner`` is the process that sends; without one nothing is sent until the owner says so.
    """

    class State(models.TextChoices):
        """Where a batch is: only a ``running`` one sends."""

        RUNNING = "running"
        PAUSED = "paused"
        STOPPED = "stopped"
        DONE = "done"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="batches")
    key = models.CharField(max_length=100, help_text="Of the pre-flight that was confirmed: it makes one batch.")
    kind = models.CharField(max_length=30, choices=[(kind.value, kind.value) for kind in Kind])
    production = models.BooleanField()
    acknowledged = models.JSONField(default=list)
    before = models.DateTimeField(null=True, help_text="The newest recovery point before this; null: the latest.")
    per_minute = models.PositiveIntegerField()
    state = models.CharField(max_length=20, choices=State, default=State.PAUSED)
    made_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    runner = models.CharField(max_length=200, blank=True, help_text="The process that sends it (senders.py).")
    runner_at = models.DateTimeField(null=True, help_text="When the runner was last heard of.")
    why = models.TextField(blank=True, help_text="Why it does not go on by itself.")

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="one_batch_per_key")]

    def __str__(self) -> str:
        return f"Batch {self.pk}: {self.kind} ({self.state})"


class Item(models.Model):
    """One server of a batch. Without an action it was not sent; ``skipped`` says why it never will be.

    ``taken_at``: since when its turn is; while its action is not known yet, the runner is at it, or died there.
    """

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="items")
    position = models.PositiveIntegerField()
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    server_uuid = models.CharField(max_length=100, help_text="In lower case.")
    server_name = models.CharField(max_length=500)
    recovery_point = models.JSONField(null=True)
    seen = models.JSONField(null=True, help_text="The sighting of the pre-flight.")
    acknowledged = models.JSONField(default=list, help_text="The codes that were nodded to for this one.")
    taken_at = models.DateTimeField(null=True)
    approval = models.OneToOneField(
        Approval, on_delete=models.PROTECT, null=True, related_name="item", help_text="Where its tenant wants one."
    )
    action = models.OneToOneField(Action, on_delete=models.PROTECT, null=True, related_name="item")
    skipped = models.TextField(blank=True)

    class Meta:
        ordering = ["batch", "position"]
        constraints = [models.UniqueConstraint(fields=["batch", "position"], name="one_item_per_place")]

    def __str__(self) -> str:
        return f"{self.batch}: {self.server_name}"


class Origin(models.TextChoices):
    """Who started a failover that was seen running: only what is certain is claimed as ours."""

    OURS = "ours"
    AUTOMATED = "automated"
    OUTSIDE = "outside"
    UNKNOWN = "unknown"


class Failover(models.Model):
    """A failover that was seen at the cloud, by its ``active_failover.id``: what kind it is is told while it starts and
    runs, and forgotten by the cloud's statuses when it is powered off or fails."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="failovers")
    server_uuid = models.CharField(max_length=100, help_text="In lower case.")
    failover_id = models.CharField(max_length=200)
    production = models.BooleanField(null=True, help_text="Null: it was never seen in a status that tells.")
    origin = models.CharField(max_length=20, choices=Origin)
    action = models.ForeignKey(Action, on_delete=models.PROTECT, null=True, related_name="failovers")
    seen_at = models.DateTimeField(help_text="When it was first seen.")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "server_uuid", "failover_id"], name="one_per_failover")
        ]

    def __str__(self) -> str:
        return f"Failover {self.failover_id} of {self.server_uuid}"
