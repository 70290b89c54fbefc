"""Moves and their judgement."""

from __future__ import annotations

from typing import Any, Literal

from ninja import Schema

from boards.api.schemas.basics import Body, Reason, StageName, Time, VersionNumber


class Refusal(Schema):
    """One reason why a move may not be made."""

    kind: str
    code: str
    sentence: str


class RequirementOutcome(Schema):
    """One requirement held against the evidence."""

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
    """What a policy says of a version."""

    stage: StageName | None
    policy_revision: int | None
    has_policy: bool
    mode: Literal["enforce", "warn"]
    is_gated: bool
    outcomes: list[RequirementOutcome]
    passed: bool
    sentence: str


class Judgement(Schema):
    """What every rule says of a move."""

    from_stage: StageName
    to_stage: StageName
    allowed: bool
    refusals: list[Refusal]
    policy_result: PolicyResult | None
    approvals_required: int
    approvals_given: int
    warnings: list[Refusal]


class NewCheck(Body):
    """A check of the policy that is to be stored."""

    to_stage: StageName | None = None


class StoredCheck(Schema):
    """A check that was stored."""

    id: str
    policy_result: PolicyResult


class FrozenCheck(Schema):
    """A stored check with the evidence as it was."""

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
    """A move, and what the caller was looking at."""

    to_stage: StageName
    reason: Reason = ""
    archive_existing: bool = False
    expected_stage: StageName | None = None
    expected_revision: int | None = None


class Transition(Schema):
    """One move of one version."""

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


class NewRollback(Body):
    """Why, and to which version; null: the one that the rule finds."""

    reason: Reason
    to_version: VersionNumber | None = None
