"""Policies, and impact previews of drafts."""

from __future__ import annotations

from typing import Any, Literal

from ninja import Schema

from boards.api.schemas.basics import Body, Finite, GatedStage, StageName, Time


class Policy(Schema):
    """A promotion policy; `requirements` as docs/policies.md has them."""

    stage: GatedStage | None
    requirements: list[dict[str, Any]]
    min_test_coverage: float | None
    required_approvals: int
    auto_promote: bool
    mode: Literal["enforce", "warn"]


class PolicyIn(Body):
    """A promotion policy that is to be set or tried."""

    stage: GatedStage | None = None
    requirements: list[dict[str, Any]] = []
    min_test_coverage: Finite | None = None
    required_approvals: int = 0
    auto_promote: bool = False
    mode: Literal["enforce", "warn"] = "enforce"


class PolicyInForce(Schema):
    """A policy, whose it is (null: the site's) and its revision."""

    stage: GatedStage
    model: str | None
    revision: int
    policy: Policy


class TrialCheck(Body):
    """A policy to judge a version by, without storing anything."""

    policy: PolicyIn
    to_stage: StageName | None = None


class Draft(Body):
    """A policy to be tried on what is there, for the whole site or for one model."""

    policy: PolicyIn
    model: str | None = None


class VersionName(Schema):
    """A version by model and number."""

    model: str
    version: int


class PastPromotion(VersionName):
    """A past promotion, and its stored check."""

    made_at: Time
    check: str


class Simulation(Schema):
    """What a draft would do; of versions and promotions the first 50 are named.

    One that `only_warns` refuses nothing: what it would have refused it would have warned of.
    """

    only_warns: bool
    versions: int
    would_pass: int
    passing: list[VersionName]
    failing: list[VersionName]
    promotions: int
    would_refuse: int
    refused: list[PastPromotion]
