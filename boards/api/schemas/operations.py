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
    """A bound for a live metric."""

    comparison: ComparisonSign
    bound: Finite
    auto_rollback: bool = False


class Guardrail(Schema):
    """A bound for a live metric."""

    metric: str
    comparison: str
    bound: float
    auto_rollback: bool


class NewLiveValue(Body):
    """A value measured live of a version in Production; null: of the champion."""

    metric: str
    value: Finite
    version: VersionNumber | None = None


class LiveReport(Schema):
    """What came of a live value."""

    model: str
    version: int
    metric: str
    value: float
    reported_at: Time
    guardrail: Guardrail | None
    breached: bool
    rolled_back_to: int | None


class WipLimitIn(Body):
    """How many versions a stage may hold."""

    limit: Annotated[int, Field(ge=1, le=1_000_000)]
    mode: Literal["block", "warn"] = "block"


class WipLimit(Schema):
    """How many versions a stage may hold."""

    stage: LimitedStage
    limit: int
    mode: Literal["block", "warn"]
