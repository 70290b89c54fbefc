"""Endpoints of webhooks and their deliveries."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import Field

from boards.api.schemas.basics import Body, Similar, StageName, Time
from boards.registry.webhooks.endpoints import OVERLAP_HOURS_MAX
from obeya import names
from obeya.filters.globs import GLOBS_MAX
from obeya.webhooks.endpoints import ADDRESS_MAX, NAME_MAX, TYPES

TargetName = Literal["webhook", "slack", "teams", "email"]
StatusName = Literal["pending", "delivered", "failed", "cancelled"]
TypeName = Annotated[str, Field(json_schema_extra={"enum": list(TYPES)})]


class EndpointFields(Body):
    """The name, address and subscription of an endpoint. An empty list selects everything."""

    name: Annotated[str, Field(min_length=1, max_length=NAME_MAX)]
    address: Annotated[str, Field(min_length=1, max_length=ADDRESS_MAX)]
    types: Annotated[list[TypeName], Field(max_length=len(TYPES))] = []
    models: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=names.MODEL_NAME_MAX)]],
        Field(max_length=GLOBS_MAX),
    ] = []
    stages: Annotated[list[StageName], Field(max_length=4)] = []
    allow_similar: Similar = False


class NewEndpoint(EndpointFields):
    """An endpoint to create. An empty list selects everything."""

    target: TargetName = "webhook"


class Endpoint(Schema):
    """A webhook endpoint. `failed` and `delivered` count deliveries of the last 24 hours."""

    id: str
    name: str
    target: TargetName
    address: str
    types: list[str]
    models: list[str]
    stages: list[StageName]
    is_enabled: bool
    disabled_reason: str
    disabled_at: Time | None
    failing_since: Time | None
    previous_secret_until: Time | None
    created_at: Time
    pending: int
    failed: int
    delivered: int
    last_delivered_at: Time | None


class EndpointWithSecret(Endpoint):
    """A webhook endpoint with its secret, which you won't see again."""

    secret: str


class ChangedEndpoint(Endpoint):
    """A webhook endpoint after a change. `warnings` says why deliveries would fail at present."""

    warnings: list[str]


class CreatedEndpoint(EndpointWithSecret):
    """A new webhook endpoint. `warnings` says why deliveries would fail at present."""

    warnings: list[str]


class NewSecret(Body):
    """The number of hours for which messages are signed with the old secret too."""

    overlap_hours: Annotated[int, Field(ge=0, le=OVERLAP_HOURS_MAX)] = 24


class Disabling(Body):
    """The reason for disabling an endpoint (optional)."""

    reason: Annotated[str, Field(max_length=names.REASON_MAX)] = ""


class Delivery(Schema):
    """The delivery of an event to an endpoint."""

    id: int
    message_id: str
    type: str
    status: StatusName
    attempt_count: int
    created_at: Time
    next_attempt_at: Time | None
    finished_at: Time | None


class DeliveryAttempt(Schema):
    """One attempt. Without a response, `status_code` is null and `error` says why."""

    made_at: Time
    milliseconds: int
    request_headers: dict[str, str]
    status_code: int | None
    response: str
    error: str


class DeliveryInFull(Delivery):
    """A delivery with its message and its attempts, last attempt first."""

    body: dict[str, Any]
    attempts: list[DeliveryAttempt]
