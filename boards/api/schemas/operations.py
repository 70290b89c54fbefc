"""Guardrails, live values and WIP limits."""

from __future__ import annotations

from typing import Annotated, Literal

from ninja import Schema
from pydantic import Field

from boards.api.schemas.basics import (
    Body,
    ComparisonSign,
    Finite,
    LimitedStage,
    Time,
    VersionNumber,
)


class GuardrailIn(Body):
    """A limit to set for a live metric."""

    comparison: ComparisonSign
    bound: Finite
    auto_rollback: bool = False


class Guardrail(Schema):
    """The limit of a live metric of the Production version."""

    metric: str
    comparison: str
    bound: float
    auto_rollback: bool


class NewLiveValue(Body):
    """A live value of a version in Production. Without `version` it belongs to the champion."""

    metric: str
    value: Finite
    version: VersionNumber | None = None


class LiveReport(Schema):
    """The result of a live value: a breach, and the version that a rollback restored."""

    model: str
    version: int
    metric: str
    value: float
    reported_at: Time
    guardrail: Guardrail | None
    breached: bool
    rolled_back_to: int | None


class WipLimitIn(Body):
    """A WIP limit to set: the maximum number of versions in a stage."""

    limit: Annotated[int, Field(ge=1, le=1_000_000)]
    mode: Literal["block", "warn"] = "block"


class WipLimit(Schema):
    """A WIP limit: the maximum number of versions in a stage."""

    stage: LimitedStage
    limit: int
    mode: Literal["block", "warn"]
