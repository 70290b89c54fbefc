"""Comparison of two versions, metric by metric."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from obeya.metrics import (
    Direction,
    Metric,
    MetricDefinition,
    definition_for,
    percent_change,
    within_noise,
)


class DiffOutcome(StrEnum):
    """How b stands to a in one metric."""

    BETTER = "better"
    WORSE = "worse"
    EQUAL = "equal"
    WITHIN_NOISE = "within_noise"
    CHANGED = "changed"
    NOT_COMPARABLE = "not_comparable"
    ONLY_A = "only_a"
    ONLY_B = "only_b"

    @property
    def is_comparable(self) -> bool:
        """Whether both sides have a value that may be held against the other."""
        return self not in (DiffOutcome.NOT_COMPARABLE, DiffOutcome.ONLY_A, DiffOutcome.ONLY_B)


@dataclass(frozen=True, slots=True)
class MetricDiff:
    """One metric of two versions, b held against a. A metric only one side has is never 0."""

    definition: MetricDefinition
    a: Metric | None
    b: Metric | None

    @property
    def difference(self) -> float | None:
        """B − a in the metric's unit; None unless both are there and comparable.

        None also where the difference leaves the range of a 64-bit float.
        """
        if self.a is None or self.b is None or not self.outcome.is_comparable:
            return None
        difference = self.b.value - self.a.value
        return difference if math.isfinite(difference) else None

    @property
    def percent_change(self) -> float | None:
        """100·(b − a)/|a|; None where a or b is absent, they are not comparable, or undefined."""
        if self.a is None or self.b is None or not self.outcome.is_comparable:
            return None
        return percent_change(self.a.value, self.b.value)

    @property
    def outcome(self) -> DiffOutcome:
        """Better and worse are said only where the direction is known and noise is exceeded."""
        if self.a is None:
            return DiffOutcome.ONLY_B
        if self.b is None:
            return DiffOutcome.ONLY_A
        if self.a.dataset and self.b.dataset and self.a.dataset != self.b.dataset:
            return DiffOutcome.NOT_COMPARABLE
        if self.a.value == self.b.value:
            return DiffOutcome.EQUAL
        if within_noise(self.a, self.b, self.definition.scale):
            return DiffOutcome.WITHIN_NOISE
        if self.definition.direction is Direction.UNKNOWN:
            return DiffOutcome.CHANGED
        higher = self.b.value > self.a.value
        wanted = self.definition.direction is Direction.HIGHER
        return DiffOutcome.BETTER if higher == wanted else DiffOutcome.WORSE


@dataclass(frozen=True, slots=True)
class VersionComparison:
    """Version `b` held against version `a`: every metric that either has, by name."""

    a: str
    b: str
    metric_diffs: Mapping[str, MetricDiff]

    @property
    def b_is_better(self) -> bool:
        """Whether more than half of the comparable metrics with a direction are better in b."""
        judged = [
            diff
            for diff in self.metric_diffs.values()
            if diff.outcome.is_comparable and diff.definition.direction is not Direction.UNKNOWN
        ]
        better = sum(diff.outcome is DiffOutcome.BETTER for diff in judged)
        return 2 * better > len(judged)


def compare(
    a: tuple[str, Mapping[str, Metric]],
    b: tuple[str, Mapping[str, Metric]],
    definitions: Mapping[str, MetricDefinition],
) -> VersionComparison:
    """Hold `b` against `a`; each is a name to show and the metrics by name."""
    (name_a, metrics_a), (name_b, metrics_b) = a, b
    return VersionComparison(
        name_a,
        name_b,
        {
            name: MetricDiff(
                definition_for(name, definitions), metrics_a.get(name), metrics_b.get(name)
            )
            for name in sorted({*metrics_a, *metrics_b})
        },
    )
