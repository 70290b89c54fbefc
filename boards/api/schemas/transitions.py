"""Moves and their judgement."""

from __future__ import annotations

from typing import Any, Literal

from ninja import Schema

from boards.api.schemas.basics import Body, Reason, StageName, Time, VersionNumber


class Refusal(Schema):
    """One reason for a refused move, or one warning."""

    kind: str
    code: str
    sentence: str


class RequirementOutcome(Schema):
    """The result of one requirement."""

    requirement: str
    metric: str
    comparison: str
    outcome: Literal["passed", "failed", "missing", "not_comparable", "waived"]
    observed: float | None
    bound: float | None
    baseline: float | None
    sentence: str
    waiver: str


class PolicyResult(Schema):
    """The result of a policy check, with every requirement."""

    stage: StageName | None
    policy_revision: int | None
    has_policy: bool
    mode: Literal["enforce", "warn"]
    is_gated: bool
    outcomes: list[RequirementOutcome]
    passed: bool
    sentence: str


class TransitionCheck(Schema):
    """Whether a move is allowed, with every refusal and warning.

    `approvals_ignored` is the number of approvals by service accounts that the policy does not
    count.
    """

    from_stage: StageName
    to_stage: StageName
    allowed: bool
    refusals: list[Refusal]
    policy_result: PolicyResult | None
    approvals_required: int
    approvals_given: int
    approvals_ignored: int
    warnings: list[Refusal]


class NewCheck(Body):
    """A policy check to store. Without `to_stage` it is for the next stage."""

    to_stage: StageName | None = None


class StoredCheck(Schema):
    """A stored policy check."""

    id: str
    policy_result: PolicyResult


class FrozenCheck(Schema):
    """A stored policy check, with the evidence at the time of the check."""

    id: str
    model: str
    version: int
    from_stage: StageName
    to_stage: StageName
    passed: bool
    allowed: bool | None
    sentence: str
    verdict: dict[str, Any]
    refusals: list[Refusal]
    evidence: dict[str, Any]
    evidence_digest: str
    policy: dict[str, Any] | None
    made_at: Time
    made_by: str | None


class NewTransition(Body):
    """A move to a stage. It is refused if the version differs from the expected state."""

    to_stage: StageName
    reason: Reason = ""
    archive_existing: bool = False
    expected_stage: StageName | None = None
    expected_revision: int | None = None


class Transition(Schema):
    """A transition of a version. `from_stage` is null for its registration, the first one."""

    model: str
    version: int
    from_stage: StageName | None
    to_stage: StageName
    actor: str
    timestamp: Time
    operation: str
    reason: str
    archived: list[int]
    is_rollback: bool
    is_imported: bool
    imported_unchecked: bool


class NewRollback(Body):
    """A rollback. Without `to_version` it restores the last good version."""

    reason: Reason
    to_version: VersionNumber | None = None
