"""Webhook endpoints and their deliveries, for administrators."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Q

from boards import models
from obeya.errors import NotFound
from obeya.stages import Stage
from obeya.webhooks.endpoints import Subscription, Target
from obeya.webhooks.schedule import DISABLED_AFTER, DeliveryStatus

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The current state of an endpoint.

    `pending` counts unfinished deliveries, `failed` and `delivered` those that ended so within a
    day; `last_delivered_at` is within the retention time of deliveries.
    """

    row: models.Webhook
    target: Target
    subscription: Subscription
    pending: int
    failed: int
    delivered: int
    last_delivered_at: datetime | None

    @property
    def disables_at(self) -> datetime | None:
        """When it will be disabled unless a delivery succeeds."""
        since = self.row.failing_since
        return since + DISABLED_AFTER if since else None

    @property
    def document(self) -> dict[str, Any]:
        """The endpoint as JSON, with its times as datetimes."""
        row = self.row
        return {
            "id": str(row.uid),
            "name": row.name,
            "target": row.target,
            "address": row.address,
            "types": list(self.subscription.types),
            "models": list(self.subscription.models),
            "stages": [stage.value for stage in self.subscription.stages],
            "is_enabled": row.disabled_at is None,
            "disabled_reason": row.disabled_reason,
            "disabled_at": row.disabled_at,
            "failing_since": row.failing_since,
            "previous_secret_until": row.previous_until,
            "created_at": row.created_at,
            "pending": self.pending,
            "failed": self.failed,
            "delivered": self.delivered,
            "last_delivered_at": self.last_delivered_at,
        }


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """Some deliveries of an endpoint, the newest first, and the id that the next page is below."""

    rows: tuple[models.Delivery, ...]
    before: int | None


def endpoints(at: datetime) -> tuple[Endpoint, ...]:
    """Return all endpoints that were not removed, by name; two statements."""
    rows = list(models.Webhook.objects.filter(removed_at=None).order_by("name", "pk"))
    return tuple(_with_counts(rows, at))


def endpoint(uid: uuid.UUID, at: datetime) -> Endpoint:
    """Return one endpoint; two statements. Raises `NotFound`."""
    row = models.Webhook.objects.filter(uid=uid, removed_at=None).first()
    if row is None:
        raise NotFound("There is no such endpoint.", what="webhook")
    return _with_counts([row], at)[0]


def deliveries(
    row: models.Webhook, *, status: DeliveryStatus | None, before: int | None, limit: int
) -> DeliveryPage:
    """Return a page of an endpoint's deliveries; one statement."""
    found = models.Delivery.objects.filter(webhook=row).select_related("message")
    if status is not None:
        found = found.filter(status=status.value)
    if before is not None:
        found = found.filter(pk__lt=before)
    rows = list(found.order_by("-pk")[: limit + 1])
    return DeliveryPage(tuple(rows[:limit]), rows[limit - 1].pk if len(rows) > limit else None)


def delivery(pk: int) -> tuple[models.Delivery, tuple[models.DeliveryAttempt, ...]]:
    """Return a delivery with its attempts, the newest first; two statements. Raises `NotFound`."""
    row = models.Delivery.objects.select_related("message", "webhook").filter(pk=pk).first()
    if row is None:
        raise NotFound("There is no such delivery.", what="delivery")
    return row, tuple(row.attempts.order_by("-pk"))


def subscription_of_row(row: models.Webhook) -> Subscription:
    """Return the subscription of an endpoint."""
    return Subscription(
        tuple(row.types), tuple(row.model_globs), tuple(Stage(stage) for stage in row.stages)
    )


def _with_counts(rows: list[models.Webhook], at: datetime) -> list[Endpoint]:
    since = at - DAY
    pending, failed, delivered = (
        DeliveryStatus.PENDING.value,
        DeliveryStatus.FAILED.value,
        DeliveryStatus.DELIVERED.value,
    )
    counted: dict[int, dict[str, Any]] = {
        found["webhook"]: dict(found)
        for found in models.Delivery.objects.filter(webhook__in=[row.pk for row in rows])
        .values("webhook")
        .annotate(
            pending=Count("pk", filter=Q(status=pending)),
            failed=Count("pk", filter=Q(status=failed, finished_at__gte=since)),
            delivered=Count("pk", filter=Q(status=delivered, finished_at__gte=since)),
            last=Max("finished_at", filter=Q(status=delivered)),
        )
    }
    made = []
    for row in rows:
        found = counted.get(row.pk, {})
        made.append(
            Endpoint(
                row=row,
                target=Target(row.target),
                subscription=subscription_of_row(row),
                pending=found.get("pending", 0),
                failed=found.get("failed", 0),
                delivered=found.get("delivered", 0),
                last_delivered_at=found.get("last"),
            )
        )
    return made
