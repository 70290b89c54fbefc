"""Writes to webhooks: create, change, rotate, enable, disable, remove and test an endpoint."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from boards import models
from boards.access.actors import SYSTEM, Actor, display_name
from boards.access.permissions import Permission
from boards.access.sealing import seal
from boards.queries.facts.accounts.credential_digests import address_digest
from boards.queries.facts.webhooks import subscription_of_row
from boards.registry.commit import ChainWrite, writing_site
from boards.registry.messages import OutgoingMessage, send
from obeya.errors import AlreadyExists, InvalidInput, NotFound
from obeya.look_alikes.new_names import NameKind, NewNames
from obeya.records import Action
from obeya.refusals import Conflict
from obeya.webhooks.endpoints import (
    Subscription,
    Target,
    endpoint_address,
    endpoint_name,
    shown_address,
)
from obeya.webhooks.messages import trial_message
from obeya.webhooks.schedule import DeliveryStatus
from obeya.webhooks.signing import new_secret

WEBHOOKS_MAX = 100
OVERLAP_HOURS_MAX = 24 * 14


def create_webhook(
    *,
    name: str,
    target: Target,
    address: str,
    subscription: Subscription,
    allow_similar: bool = False,
    actor: Actor,
    at: datetime,
) -> tuple[models.Webhook, str]:
    """Create an endpoint and return it with its secret, which is not shown again.

    Raises:
        NotAllowed: the actor does not have the administer permission.
        InvalidInput: the name or address is invalid, no delivery can ever be sent to the address,
            e-mail is not set up, or there are 100 endpoints.
        AlreadyExists: an endpoint has that name.
        SimilarName: an endpoint has a similar name, and `allow_similar` is false.
    """
    actor.require(Permission.ADMINISTER, None)
    values = _checked(name, target, address, subscription)
    secret = new_secret()
    with _unique_name(), writing_site(actor=actor, at=at) as write:
        if models.Webhook.objects.filter(removed_at=None).count() >= WEBHOOKS_MAX:
            raise InvalidInput(f"There are already {WEBHOOKS_MAX} endpoints. Remove one first.")
        known = NewNames(
            NameKind.ENDPOINT,
            models.Webhook.objects.filter(removed_at=None).values_list("name", flat=True),
        )
        write.check_name(known, values["name"], allow_similar=allow_similar)
        row = models.Webhook.objects.create(
            **values,
            target=target.value,
            sealed_secret=seal(secret),
            created_at=write.at,
            created_by=actor.user,
        )
        _record(write, Action.WEBHOOK_CREATED, row)
    return row, secret


def change_webhook(
    *,
    uid: uuid.UUID,
    name: str,
    address: str,
    subscription: Subscription,
    expected_revision: int | None = None,
    allow_similar: bool = False,
    actor: Actor,
    at: datetime,
) -> models.Webhook:
    """Change the name, address and subscription of an endpoint.

    The same values again write nothing.

    Raises:
        NotAllowed: the actor does not have the administer permission.
        NotFound: there is no such endpoint.
        Conflict: its revision is not `expected_revision`.
        InvalidInput, AlreadyExists: see `create_webhook`.
    """
    actor.require(Permission.ADMINISTER, None)
    with _unique_name(), writing_site(actor=actor, at=at) as write:
        row = _held(uid)
        if expected_revision is not None and expected_revision != row.revision:
            raise Conflict(
                "This endpoint was changed in the meantime. Reload the page and try again.",
                stage=None,
                revision=row.revision,
            )
        values = _checked(name, Target(row.target), address, subscription)
        if all(getattr(row, column) == value for column, value in values.items()):
            return row
        if values["name"] != row.name:
            others = models.Webhook.objects.filter(removed_at=None).exclude(pk=row.pk)
            known = NewNames(NameKind.ENDPOINT, others.values_list("name", flat=True))
            write.check_name(known, values["name"], allow_similar=allow_similar)
        _change(row, **values, revision=row.revision + 1)
        _record(write, Action.WEBHOOK_CHANGED, row)
    return row


def rotate_secret(
    *, uid: uuid.UUID, overlap_hours: int = 24, actor: Actor, at: datetime
) -> tuple[models.Webhook, str]:
    """Replace the secret of an endpoint and return the new one.

    For `overlap_hours` hours messages have the signatures of both secrets; with 0 the old secret
    becomes invalid immediately.

    Raises:
        NotAllowed: the actor does not have the administer permission.
        NotFound: there is no such endpoint.
        InvalidInput: the hours are not from 0 to 336.
    """
    actor.require(Permission.ADMINISTER, None)
    if not 0 <= overlap_hours <= OVERLAP_HOURS_MAX:
        raise InvalidInput(
            f"The old secret can stay valid for 0 to {OVERLAP_HOURS_MAX} hours.",
            field="overlap_hours",
        )
    secret = new_secret()
    with writing_site(actor=actor, at=at) as write:
        row = _held(uid)
        _change(
            row,
            sealed_secret=seal(secret),
            sealed_previous=row.sealed_secret if overlap_hours else "",
            previous_until=write.at + timedelta(hours=overlap_hours) if overlap_hours else None,
            revision=row.revision + 1,
        )
        _record(write, Action.WEBHOOK_SECRET_ROTATED, row, overlap_hours=overlap_hours)
    return row, secret


def enable_webhook(*, uid: uuid.UUID, actor: Actor, at: datetime) -> models.Webhook:
    """Enable an endpoint: it gets the events from now on.

    Raises:
        NotAllowed: the actor does not have the administer permission.
        NotFound: there is no such endpoint.
    """
    actor.require(Permission.ADMINISTER, None)
    with writing_site(actor=actor, at=at) as write:
        row = _held(uid)
        if row.disabled_at is not None:
            _change(
                row,
                disabled_at=None,
                disabled_reason="",
                failing_since=None,
                revision=row.revision + 1,
            )
            _record(write, Action.WEBHOOK_ENABLED, row)
    return row


def disable_webhook(
    *, uid: uuid.UUID, reason: str = "", actor: Actor, at: datetime
) -> models.Webhook:
    """Disable an endpoint: it gets no more events, and pending deliveries are cancelled.

    Raises:
        NotAllowed: the actor does not have the administer permission.
        NotFound: there is no such endpoint.
    """
    if actor is not SYSTEM:
        actor.require(Permission.ADMINISTER, None)
    with writing_site(actor=actor, at=at) as write:
        row = _held(uid)
        if row.disabled_at is None:
            _change(row, disabled_at=write.at, disabled_reason=reason, revision=row.revision + 1)
            _cancel_pending(row, at)
            _record(write, Action.WEBHOOK_DISABLED, row, texts={"reason": reason})
    return row


def remove_webhook(*, uid: uuid.UUID, actor: Actor, at: datetime) -> models.Webhook:
    """Remove an endpoint; its deliveries are kept.

    Raises:
        NotAllowed: the actor does not have the administer permission.
        NotFound: there is no such endpoint.
    """
    actor.require(Permission.ADMINISTER, None)
    with writing_site(actor=actor, at=at) as write:
        row = _held(uid)
        _change(row, removed_at=write.at, revision=row.revision + 1)
        _cancel_pending(row, at)
        _record(write, Action.WEBHOOK_REMOVED, row)
    return row


def send_test(*, uid: uuid.UUID, actor: Actor, at: datetime) -> models.Delivery:
    """Send a test message to an endpoint. No event.

    Raises:
        NotAllowed: the actor does not have the administer permission.
        NotFound: there is no such endpoint.
        InvalidInput: the endpoint is disabled.
    """
    actor.require(Permission.ADMINISTER, None)
    with transaction.atomic():
        row = _held(uid)
        if row.disabled_at is not None:
            raise InvalidInput("This endpoint is disabled. Enable it first.")
        by = display_name(actor.user)
        (message,) = send([OutgoingMessage(trial_message(row.name, by=by, at=at), [row])], at=at)
        return models.Delivery.objects.select_related("message").get(message=message)


def _checked(name: str, target: Target, address: str, subscription: Subscription) -> dict[str, Any]:
    if target is Target.EMAIL and not settings.OBEYA_EMAIL_URL:
        raise InvalidInput("E-mail is not configured. Set OBEYA_EMAIL_URL first.", field="target")
    return {
        "name": endpoint_name(name),
        "address": endpoint_address(target, address, allowed=settings.OBEYA_WEBHOOK_NETWORKS),
        "types": list(subscription.types),
        "model_globs": list(subscription.models),
        "stages": [stage.value for stage in subscription.stages],
    }


def _held(uid: uuid.UUID) -> models.Webhook:
    rows = models.Webhook.objects.select_for_update(of=("self",))
    row = rows.filter(uid=uid, removed_at=None).first()
    if row is None:
        raise NotFound("There is no such endpoint.", what="webhook")
    return row


def _change(row: models.Webhook, **values: Any) -> None:
    models.Webhook.objects.filter(pk=row.pk).update(**values)
    for column, value in values.items():
        setattr(row, column, value)


def _cancel_pending(row: models.Webhook, at: datetime) -> None:
    pending = models.Delivery.objects.filter(webhook=row, status=DeliveryStatus.PENDING.value)
    # In the order in which a worker locks the deliveries whose attempts it records.
    locked = list(
        pending.select_for_update(of=("self",)).order_by("pk").values_list("pk", flat=True)
    )
    models.Delivery.objects.filter(pk__in=locked).update(
        status=DeliveryStatus.CANCELLED.value,
        next_attempt_at=None,
        lease=None,
        leased_until=None,
        finished_at=at,
    )


def _record(
    write: ChainWrite,
    action: Action,
    row: models.Webhook,
    *,
    texts: dict[str, str] | None = None,
    **more: Any,
) -> None:
    subscription = subscription_of_row(row)
    write.record(
        action,
        data={
            "webhook": str(row.uid),
            "target": row.target,
            # The rest of an address may be all that is needed to post to a chat.
            "address": shown_address(Target(row.target), row.address),
            "address_digest": address_digest(row),
            "types": list(subscription.types),
            "models": list(subscription.models),
            "stages": [stage.value for stage in subscription.stages],
            **more,
        },
        texts={"name": row.name, **(texts or {})},
    )


@contextmanager
def _unique_name() -> Iterator[None]:
    """Report that a name is taken."""
    try:
        yield
    except IntegrityError:
        raise AlreadyExists("An endpoint with this name already exists.", field="name") from None
