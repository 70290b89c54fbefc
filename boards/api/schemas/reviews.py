"""Requests, votes and waivers."""

from __future__ import annotations

from typing import Annotated, Literal

from ninja import Schema
from pydantic import Field

from boards.api.schemas.basics import Body, GatedStage, Reason, RequestStatus, StageName, Time


class NewRequest(Body):
    """A request that a version be moved."""

    to_stage: StageName | None = None
    reason: Reason = ""
    archive_existing: bool = False


class Vote(Schema):
    """One person's vote."""

    voter: str
    decision: Literal["approve", "reject"]
    evidence_digest: str
    at: Time
    comment: str


class TransitionRequest(Schema):
    """A request with its votes."""

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
    votes: list[Vote]
    archive_existing: bool
    approved_by: list[str]


class NewVote(Body):
    """A vote on the open request of a version."""

    decision: Literal["approve", "reject"]
    comment: Reason = ""
    to_stage: StageName | None = None


class Withdrawal(Body):
    """Which of one's requests is taken back."""

    to_stage: StageName | None = None


class NewWaiver(Body):
    """Requirements to be waived, named by their lines."""

    requirements: Annotated[list[str], Field(max_length=100)]
    reason: Reason
    expires_at: Time
    to_stage: StageName | None = None


class Revocation(Body):
    """Why a waiver is taken back."""

    reason: Reason = ""


class Waiver(Schema):
    """A waiver."""

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
