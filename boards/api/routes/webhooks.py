"""Webhook endpoints and their deliveries. Everything requires the administer permission.

The address of an endpoint is a secret: whoever knows that of a chat can write there.
"""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from typing import Annotated, Any

from django.http import HttpResponse
from django.utils import timezone
from ninja import Path, Query, Router
from pydantic import Field

from boards.access.permissions import Permission
from boards.api.answers import answer, created, done, expected_revision, page, with_secret
from boards.api.guard import ApiRequest
from boards.api.paging import CursorText, Limit, number_cursor, number_place
from boards.api.schemas.basics import Items, Page
from boards.api.schemas.webhooks import (
    ChangedEndpoint,
    CreatedEndpoint,
    DeliveryInFull,
    Disabling,
    Endpoint,
    EndpointFields,
    EndpointWithSecret,
    NewEndpoint,
    NewSecret,
    StatusName,
)
from boards.api.schemas.webhooks import Delivery as DeliverySchema
from boards.models import Delivery, Webhook
from boards.queries.facts import webhooks
from boards.queries.paging.whole_number import ID_MAX
from boards.registry.webhooks import endpoints as endpoint_writes
from boards.registry.webhooks.deliveries import replay
from boards.webhooks.guard import destination_warnings
from obeya.documents.reading import written_time
from obeya.webhooks.endpoints import Target, subscription_of
from obeya.webhooks.schedule import DeliveryStatus

router = Router(tags=["Webhooks"])

Uid = Annotated[uuid.UUID, Path()]
DeliveryId = Annotated[int, Path(), Field(ge=1, le=ID_MAX)]


@router.get("/webhooks", response=Items[Endpoint])
def list_webhooks(request: ApiRequest) -> HttpResponse:
    """List the webhook endpoints, sorted by name."""
    request.actor.require(Permission.ADMINISTER, None)
    documents = [_document(found) for found in webhooks.endpoints(timezone.now())]
    return with_secret(answer({"items": documents}))


@router.post("/webhooks", response={201: CreatedEndpoint})
def create_webhook(request: ApiRequest, new: NewEndpoint) -> HttpResponse:
    """Create a webhook endpoint. You won't see its secret again."""
    row, secret = endpoint_writes.create_webhook(
        name=new.name,
        target=Target(new.target),
        address=new.address,
        subscription=subscription_of(new.types, new.models, new.stages),
        allow_similar=new.allow_similar,
        actor=request.actor,
        at=timezone.now(),
    )
    document = {**_of(row), "secret": secret, "warnings": _warnings(row)}
    return with_secret(created(document, revision=row.revision))


@router.get("/webhooks/{uid}", response=Endpoint)
def get_webhook(request: ApiRequest, uid: Uid) -> HttpResponse:
    """Retrieve a webhook endpoint."""
    request.actor.require(Permission.ADMINISTER, None)
    found = webhooks.endpoint(uid, timezone.now())
    return with_secret(answer(_document(found), revision=found.row.revision))


@router.put("/webhooks/{uid}", response=ChangedEndpoint)
def change_webhook(request: ApiRequest, uid: Uid, change: EndpointFields) -> HttpResponse:
    """Replace the name, address and subscription of a webhook endpoint.

    A list that you leave out is empty, and an empty list selects everything.
    """
    row = endpoint_writes.change_webhook(
        uid=uid,
        name=change.name,
        address=change.address,
        subscription=subscription_of(change.types, change.models, change.stages),
        expected_revision=expected_revision(request),
        allow_similar=change.allow_similar,
        actor=request.actor,
        at=timezone.now(),
    )
    document = {**_of(row), "warnings": _warnings(row)}
    return with_secret(answer(document, revision=row.revision))


@router.delete("/webhooks/{uid}", response={204: None})
def remove_webhook(request: ApiRequest, uid: Uid) -> HttpResponse:
    """Remove a webhook endpoint. Its pending deliveries are cancelled."""
    endpoint_writes.remove_webhook(uid=uid, actor=request.actor, at=timezone.now())
    return done()


@router.post("/webhooks/{uid}/secret", response=EndpointWithSecret)
def rotate_secret(request: ApiRequest, uid: Uid, new: NewSecret) -> HttpResponse:
    """Replace the secret of a webhook endpoint. You won't see the new secret again.

    The old secret stays valid for `overlap_hours`: messages are signed with both.
    """
    row, secret = endpoint_writes.rotate_secret(
        uid=uid, overlap_hours=new.overlap_hours, actor=request.actor, at=timezone.now()
    )
    return with_secret(answer({**_of(row), "secret": secret}, revision=row.revision))


@router.post("/webhooks/{uid}/enable", response=Endpoint)
def enable_webhook(request: ApiRequest, uid: Uid) -> HttpResponse:
    """Enable a webhook endpoint. It gets the events from now on."""
    row = endpoint_writes.enable_webhook(uid=uid, actor=request.actor, at=timezone.now())
    return with_secret(answer(_of(row), revision=row.revision))


@router.post("/webhooks/{uid}/disable", response=Endpoint)
def disable_webhook(request: ApiRequest, uid: Uid, why: Disabling) -> HttpResponse:
    """Disable a webhook endpoint. Its pending deliveries are cancelled."""
    row = endpoint_writes.disable_webhook(
        uid=uid, reason=why.reason, actor=request.actor, at=timezone.now()
    )
    return with_secret(answer(_of(row), revision=row.revision))


@router.post("/webhooks/{uid}/test", response={201: DeliverySchema})
def send_test(request: ApiRequest, uid: Uid) -> HttpResponse:
    """Send a test message to a webhook endpoint."""
    row = endpoint_writes.send_test(uid=uid, actor=request.actor, at=timezone.now())
    return created(_delivery(row))


@router.get("/webhooks/{uid}/deliveries", response=Page[DeliverySchema])
def list_deliveries(
    request: ApiRequest,
    uid: Uid,
    status: Annotated[StatusName | None, Query()] = None,
    cursor: CursorText = "",
    limit: Limit = 50,
) -> HttpResponse:
    """List the deliveries to a webhook endpoint, newest first."""
    request.actor.require(Permission.ADMINISTER, None)
    found = webhooks.deliveries(
        webhooks.endpoint(uid, timezone.now()).row,
        status=DeliveryStatus(status) if status else None,
        before=number_place(cursor),
        limit=limit,
    )
    return page([_delivery(row) for row in found.rows], number_cursor(found.before))


@router.get("/deliveries/{delivery}", response=DeliveryInFull)
def get_delivery(request: ApiRequest, delivery: DeliveryId) -> HttpResponse:
    """Retrieve a delivery, with the message and the response to each attempt."""
    request.actor.require(Permission.ADMINISTER, None)
    row, attempts = webhooks.delivery(delivery)
    return answer(
        {
            **_delivery(row),
            "body": json.loads(row.message.body),
            "attempts": [
                {
                    "made_at": written_time(attempt.made_at),
                    "milliseconds": attempt.milliseconds,
                    "request_headers": attempt.request_headers,
                    "status_code": attempt.status_code,
                    "response": attempt.response,
                    "error": attempt.error,
                }
                for attempt in attempts
            ],
        }
    )


@router.post("/deliveries/{delivery}/replay", response=DeliverySchema)
def replay_delivery(request: ApiRequest, delivery: DeliveryId) -> HttpResponse:
    """Send a delivery again, whatever its status."""
    row = replay(pk=delivery, actor=request.actor, at=timezone.now())
    return answer(_delivery(row))


def _of(row: Webhook) -> dict[str, Any]:
    return _document(webhooks.endpoint(row.uid, timezone.now()))


def _warnings(row: Webhook) -> list[str]:
    return destination_warnings(Target(row.target), row.address)


def _document(found: webhooks.Endpoint) -> dict[str, Any]:
    return {
        member: written_time(value) if isinstance(value, datetime) else value
        for member, value in found.document.items()
    }


def _delivery(row: Delivery) -> dict[str, Any]:
    return {
        "id": row.pk,
        "message_id": row.message.message_id,
        "type": row.message.type,
        "status": row.status,
        "attempt_count": row.attempts_made,
        "created_at": written_time(row.created_at),
        "next_attempt_at": written_time(row.next_attempt_at) if row.next_attempt_at else None,
        "finished_at": written_time(row.finished_at) if row.finished_at else None,
    }
