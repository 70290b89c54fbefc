"""Messages and deliveries of events, written in the transaction of the events themselves."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from boards import models
from boards.models.audit import AuditEvent
from obeya import audit
from obeya.records import Channel
from obeya.stages import Stage
from obeya.webhooks.endpoints import Wish
from obeya.webhooks.messages import body_of, event_message

NOBODY = "system"


def send_of_events(
    events: Sequence[tuple[AuditEvent, audit.AuditEvent]], model: str | None
) -> None:
    """Let every endpoint that wants one of the events have a message of it.

    One statement where no endpoint is there. What was imported happened elsewhere, long ago: it is
    not sent.
    """
    told = [(row, event) for row, event in events if event.channel is not Channel.IMPORT]
    if not told:
        return
    wishes = [(row, wish_of_row(row)) for row in enabled_webhooks()]
    for row, event in told:
        kind = event.action.value
        wanting = [
            webhook
            for webhook, wish in wishes
            if wish.wants(kind, model=model, from_stage=event.from_stage, to_stage=event.to_stage)
        ]
        if wanting:
            actor = row.actor.username if row.actor else NOBODY
            message = event_message(event, row.hash, actor=actor, model=model)
            send(message, wanting, event=row, at=event.recorded_at)


def enabled_webhooks() -> Iterable[models.Webhook]:
    """The endpoints that get anything; one statement."""
    return models.Webhook.objects.filter(removed_at=None, disabled_at=None).order_by("pk")


def wish_of_row(webhook: models.Webhook) -> Wish:
    """What an endpoint is sent of."""
    return Wish(
        tuple(webhook.types),
        tuple(webhook.model_globs),
        tuple(Stage(stage) for stage in webhook.stages),
    )


def send(
    message: dict[str, Any],
    webhooks: Iterable[models.Webhook],
    *,
    event: AuditEvent | None,
    at: datetime,
) -> models.WebhookMessage:
    """Write a message, and a delivery of it to each of the endpoints, due at `at`."""
    row = models.WebhookMessage.objects.create(
        message_id=f"msg_{uuid.uuid4().hex}",
        event=event,
        type=message["type"],
        body=body_of(message),
        created_at=at,
    )
    models.Delivery.objects.bulk_create(
        models.Delivery(webhook=webhook, message=row, created_at=at, next_attempt_at=at)
        for webhook in webhooks
    )
    return row
