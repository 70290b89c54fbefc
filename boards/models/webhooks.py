"""Webhooks: endpoints, the messages created from events, and their deliveries."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from boards.models.audit import AuditEvent
from boards.models.choices import choices
from obeya.webhooks.endpoints import ADDRESS_MAX, NAME_MAX, Target
from obeya.webhooks.schedule import DeliveryStatus

TYPE_MAX = 48
MESSAGE_ID_MAX = 64
EXCERPT_MAX = 4_096


class Webhook(models.Model):
    """An endpoint; `types`, `model_globs` and `stages` are its `Subscription`.

    The secrets are sealed (`boards.access.sealing`). The previous secret signs beside the current
    one until `previous_until`. `failing_since` is the start of a sequence of failed attempts
    without a success. An endpoint that was removed is hidden and gets nothing; its deliveries are
    kept.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=NAME_MAX)
    target = models.CharField(max_length=16, choices=choices(Target))
    address = models.CharField(max_length=ADDRESS_MAX)
    types = models.JSONField(default=list)
    model_globs = models.JSONField(default=list)
    stages = models.JSONField(default=list)
    sealed_secret = models.TextField()
    sealed_previous = models.TextField(blank=True)
    previous_until = models.DateTimeField(null=True)
    revision = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )
    failing_since = models.DateTimeField(null=True)
    disabled_at = models.DateTimeField(null=True)
    disabled_reason = models.TextField(blank=True)
    removed_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["name"], condition=Q(removed_at__isnull=True), name="webhook_name"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class WebhookMessage(models.Model):
    """A message as it is sent to every subscribed endpoint; `body` is what is signed.

    `event` is null for a test and for the daily heads.
    """

    message_id = models.CharField(max_length=MESSAGE_ID_MAX, unique=True)
    event = models.ForeignKey(AuditEvent, models.PROTECT, null=True, related_name="+")
    type = models.CharField(max_length=TYPE_MAX)
    body = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        verbose_name = "webhook message"

    def __str__(self) -> str:
        return self.message_id


class Delivery(models.Model):
    """The delivery of a message to an endpoint, with its status.

    While a worker processes it, `lease` is the worker's lease and `leased_until` its end: after
    that another worker can take it over.
    """

    webhook = models.ForeignKey(Webhook, models.PROTECT, related_name="deliveries")
    message = models.ForeignKey(WebhookMessage, models.CASCADE, related_name="deliveries")
    status = models.CharField(
        max_length=16, choices=choices(DeliveryStatus), default=DeliveryStatus.PENDING.value
    )
    attempts_made = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True)
    leased_until = models.DateTimeField(null=True)
    lease = models.UUIDField(null=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        verbose_name_plural = "deliveries"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["webhook", "message"], name="delivery_once"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["next_attempt_at", "id"],
                condition=Q(status=DeliveryStatus.PENDING.value),
                name="delivery_due",
            ),
            models.Index(
                fields=["webhook", "next_attempt_at"],
                condition=Q(status=DeliveryStatus.PENDING.value),
                name="delivery_pending",
            ),
            models.Index(
                fields=["webhook", "leased_until"],
                condition=Q(leased_until__isnull=False),
                name="delivery_leased",
            ),
            models.Index(fields=["webhook", "-id"], name="delivery_webhook"),
            models.Index(fields=["webhook", "status", "-id"], name="delivery_status"),
            models.Index(fields=["finished_at"], name="delivery_finished"),
        ]

    def __str__(self) -> str:
        return f"{self.message_id} to {self.webhook_id}"


class DeliveryAttempt(models.Model):
    """One attempt: what was sent besides the body, and the response.

    `status_code` is null if there was no response; then `error` says why. `response` is the
    beginning of the response.
    """

    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="attempts")
    made_at = models.DateTimeField()
    milliseconds = models.PositiveIntegerField()
    request_headers = models.JSONField(default=dict)
    status_code = models.PositiveSmallIntegerField(null=True)
    response = models.TextField(blank=True)
    error = models.TextField(blank=True)

    class Meta:
        default_permissions = ()
        verbose_name = "delivery attempt"
        indexes: ClassVar = [models.Index(fields=["delivery", "id"], name="attempt_delivery")]

    def __str__(self) -> str:
        return f"Attempt {self.pk} of {self.delivery_id}"


class HeadsPublished(models.Model):
    """The publication of the heads of all chains on a day (UTC).

    `digest` is the SHA-256 of the heads as `obeya audit head` prints them, `last_event` the id of
    the newest event at that time.
    """

    day = models.DateField(unique=True)
    published_at = models.DateTimeField()
    digest = models.CharField(max_length=64)
    last_event = models.PositiveBigIntegerField()

    class Meta:
        default_permissions = ()
        verbose_name_plural = "audit checkpoints"
        verbose_name = "audit checkpoint"

    def __str__(self) -> str:
        return str(self.day)
