"""Requests, reviews and waivers."""

from __future__ import annotations

from typing import Annotated, Literal

from ninja import Schema
from pydantic import Field

from boards.api.schemas.basics import Body, GatedStage, Reason, RequestStatus, StageName, Time


class NewRequest(Body):
    """A request to move a version. Without `to_stage` it is to the next stage."""

    to_stage: StageName | None = None
    reason: Reason = ""
    archive_existing: bool = False


class Review(Schema):
    """An approval or a rejection."""

    reviewer: str
    decision: Literal["approve", "reject"]
    evidence_digest: str
    at: Time
    comment: str
    is_service: bool


class TransitionRequest(Schema):
    """A request to move a version, with its approvals and rejections.

    `count_service_approvals` is that of the policy in force: if it is false, the approvals of
    reviewers with `is_service` do not count. `approved_by` are the users whose approvals of the
    current evidence count; for a closed request, everyone who approved the evidence.
    """

    id: str
    model: str
    version: int
    from_stage: StageName
    to_stage: StageName
    reason: str
    requested_by: str
    opened_at: Time
    expires_at: Time
    status: RequestStatus
    evidence_digest: str
    reviews: list[Review]
    archive_existing: bool
    count_service_approvals: bool
    approved_by: list[str]


class NewReview(Body):
    """An approval or a rejection of the open request of a version."""

    decision: Literal["approve", "reject"]
    comment: Reason = ""
    to_stage: StageName | None = None


class Withdrawal(Body):
    """The request to withdraw."""

    to_stage: StageName | None = None


class NewWaiver(Body):
    """Requirements to waive. Write each one as in `requirement` of a policy result."""

    requirements: Annotated[list[str], Field(max_length=100)]
    reason: Reason
    expires_at: Time
    to_stage: StageName | None = None


class Revocation(Body):
    """The reason for revoking a waiver (optional)."""

    reason: Reason = ""


class Waiver(Schema):
    """A temporary exception to requirements."""

    id: str
    model: str
    version: int
    stage: GatedStage
    requirements: list[str]
    reason: str
    granted_by: str
    granted_at: Time
    expires_at: Time
    revoked_at: Time | None
