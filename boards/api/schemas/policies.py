"""Policies, and impact previews of drafts."""

from __future__ import annotations

from typing import Any, Literal

from ninja import Schema

from boards.api.schemas.basics import Body, Finite, GatedStage, StageName, Time


class Policy(Schema):
    """A promotion policy. docs/policies.md describes the `requirements`."""

    stage: GatedStage | None
    requirements: list[dict[str, Any]]
    min_test_coverage: float | None
    required_approvals: int
    count_service_approvals: bool
    auto_promote: bool
    mode: Literal["enforce", "warn"]


class PolicyIn(Body):
    """A promotion policy to set or try. docs/policies.md describes the `requirements`."""

    stage: GatedStage | None = None
    requirements: list[dict[str, Any]] = []
    min_test_coverage: Finite | None = None
    required_approvals: int = 0
    count_service_approvals: bool = False
    auto_promote: bool = False
    mode: Literal["enforce", "warn"] = "enforce"


class PolicyInForce(Schema):
    """A policy and its revision. `model` is null for the default policy."""

    stage: GatedStage
    model: str | None
    revision: int
    policy: Policy


class TrialCheck(Body):
    """A policy to check a version against, without storing anything."""

    policy: PolicyIn
    to_stage: StageName | None = None


class Draft(Body):
    """A draft policy for one model or, without `model`, for the whole registry."""

    policy: PolicyIn
    model: str | None = None


class VersionName(Schema):
    """A version, identified by its model and number."""

    model: str
    version: int


class PastPromotion(VersionName):
    """A past promotion, with the id of its stored check."""

    made_at: Time
    check: str


class Simulation(Schema):
    """The impact of a draft policy. Each list has at most 50 items.

    `newly_failing` are versions that fail the draft and pass the policy in force, if there is one.
    If `only_warns` is true, the draft would warn about the promotions in `refused`, not refuse
    them.
    """

    only_warns: bool
    versions: int
    would_pass: int
    passing: list[VersionName]
    failing: list[VersionName]
    newly_failing: list[VersionName]
    promotions: int
    would_refuse: int
    refused: list[PastPromotion]
