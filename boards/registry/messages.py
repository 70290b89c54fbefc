"""Messages and deliveries of events, written in the transaction of the events themselves."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from boards import models
from boards.access.actors import display_name
from boards.models.audit import AuditEvent
from boards.queries.facts.webhooks import subscription_of_row
from boards.registry.worker_channel import notify_workers
from obeya.audit import chain as audit
from obeya.records import Channel
from obeya.webhooks.messages import body_of, event_message


def send_of_events(
    events: Sequence[tuple[AuditEvent, audit.AuditEvent]], model: str | None
) -> None:
    """Queue a delivery for every endpoint that subscribed to one of the events.

    One statement if there are no endpoints. Imported events are not sent: they happened elsewhere,
    long ago.
    """
    to_send = [(row, event) for row, event in events if event.channel is not Channel.IMPORT]
    if not to_send:
        return
    subscriptions = [(row, subscription_of_row(row)) for row in enabled_webhooks()]
    outgoing = []
    for row, event in to_send:
        kind = event.action.value
        wanting = [
            webhook
            for webhook, subscription in subscriptions
            if subscription.wants(
                kind, model=model, from_stage=event.from_stage, to_stage=event.to_stage
            )
        ]
        if wanting:
            actor = display_name(row.actor)
            message = event_message(event, row.hash, actor=actor, model=model)
            outgoing.append(OutgoingMessage(message, wanting, row))
    send(outgoing, at=to_send[-1][1].recorded_at)


def enabled_webhooks() -> Iterable[models.Webhook]:
    """Return the endpoints that are enabled; one statement."""
    return models.Webhook.objects.filter(removed_at=None, disabled_at=None).order_by("pk")


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A message, its endpoints and its event (None for a test and for the daily heads)."""

    message: dict[str, Any]
    webhooks: Sequence[models.Webhook]
    event: AuditEvent | None = None


def send(outgoing: Sequence[OutgoingMessage], *, at: datetime) -> list[models.WebhookMessage]:
    """Write messages and their deliveries, due at `at`, and wake the workers.

    Two statements, three on PostgreSQL; none if there is nothing to send.
    """
    if not outgoing:
        return []
    rows = models.WebhookMessage.objects.bulk_create(
        models.WebhookMessage(
            message_id=f"msg_{uuid.uuid4().hex}",
            event=outgoing_message.event,
            type=outgoing_message.message["type"],
            body=body_of(outgoing_message.message),
            created_at=at,
        )
        for outgoing_message in outgoing
    )
    models.Delivery.objects.bulk_create(
        models.Delivery(webhook=webhook, message=row, created_at=at, next_attempt_at=at)
        for row, outgoing_message in zip(rows, outgoing, strict=True)
        for webhook in outgoing_message.webhooks
    )
    notify_workers()
    return rows
