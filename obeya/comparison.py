"""Comparison of versions, metric by metric: two versions, or several with one baseline."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
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
    """How the value of b compares with the value of a in one metric."""

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
        """Whether both sides have a value and the values can be compared."""
        return self not in (DiffOutcome.NOT_COMPARABLE, DiffOutcome.ONLY_A, DiffOutcome.ONLY_B)


@dataclass(frozen=True, slots=True)
class MetricDiff:
    """One metric of two versions, comparing b with a.

    A metric that only one side has never counts as 0.
    """

    definition: MetricDefinition
    a: Metric | None
    b: Metric | None

    @property
    def difference(self) -> float | None:
        """Difference b − a in the metric's unit; None unless both exist and are comparable.

        None also if the difference is outside the range of a 64-bit float.
        """
        if self.a is None or self.b is None or not self.outcome.is_comparable:
            return None
        difference = self.b.value - self.a.value
        return difference if math.isfinite(difference) else None

    @property
    def percent_change(self) -> float | None:
        """100·(b − a)/|a|; None if a or b is absent, or if the change is undefined.

        None also if the two values are not comparable.
        """
        if self.a is None or self.b is None or not self.outcome.is_comparable:
            return None
        return percent_change(self.a.value, self.b.value)

    @property
    def outcome(self) -> DiffOutcome:
        """The outcome; better or worse only if the direction is known and the noise is exceeded."""
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
    """Comparison of version b with version a: every metric that either has, by name.

    `version_a` and `version_b` are display names of the versions, such as ``churn v1``.
    """

    version_a: str
    version_b: str
    metric_diffs: Mapping[str, MetricDiff]

    @property
    def judged(self) -> int:
        """The number of metrics that are comparable and have a direction."""
        return sum(self._judged().values())

    def count(self, outcome: DiffOutcome) -> int:
        """Return in how many of the judged metrics `b` has this outcome."""
        return self._judged()[outcome]

    @property
    def b_is_better(self) -> bool:
        """Whether more than half of the comparable metrics with a direction are better in b."""
        return 2 * self.count(DiffOutcome.BETTER) > self.judged

    def _judged(self) -> Counter[DiffOutcome]:
        return Counter(
            diff.outcome
            for diff in self.metric_diffs.values()
            if diff.outcome.is_comparable and diff.definition.direction is not Direction.UNKNOWN
        )


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric of several versions, each compared with the baseline's value.

    A diff is None if neither its version nor the baseline has the metric.
    """

    definition: MetricDefinition
    baseline: Metric | None
    diffs: tuple[MetricDiff | None, ...]

    @property
    def differs(self) -> bool:
        """Whether any version has an outcome other than equal."""
        return any(diff and diff.outcome is not DiffOutcome.EQUAL for diff in self.diffs)

    @property
    def shares(self) -> tuple[float | None, ...]:
        """Each percent change divided by the largest absolute change of the row, from −1 to 1.

        None if there is no percent change; 0 if nothing in the row changed.
        """
        changes = [diff.percent_change if diff else None for diff in self.diffs]
        largest = max((abs(change) for change in changes if change is not None), default=0.0)
        return tuple(
            None if change is None else change / largest if largest else 0.0 for change in changes
        )


@dataclass(frozen=True, slots=True)
class BaselineComparison:
    """Several versions, each compared with the same baseline.

    `comparisons` are in the order in which the versions were given. `rows` contains every metric
    that any of them or the baseline has, sorted by name; the diffs of a row are in the order of the
    versions.
    """

    baseline: str
    comparisons: tuple[VersionComparison, ...]
    rows: tuple[MetricRow, ...]


def compare(
    a: tuple[str, Mapping[str, Metric]],
    b: tuple[str, Mapping[str, Metric]],
    definitions: Mapping[str, MetricDefinition],
) -> VersionComparison:
    """Compare `b` with `a`; each is a display name and the metrics by name."""
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


def compare_to_baseline(
    baseline: tuple[str, Mapping[str, Metric]],
    others: Sequence[tuple[str, Mapping[str, Metric]]],
    definitions: Mapping[str, MetricDefinition],
) -> BaselineComparison:
    """Compare each of `others` with the baseline, by the rules of `compare`."""
    comparisons = tuple(compare(baseline, other, definitions) for other in others)
    name, standing = baseline
    measured = sorted({*standing, *(metric for _, metrics in others for metric in metrics)})
    return BaselineComparison(
        name,
        comparisons,
        tuple(
            MetricRow(
                definition_for(metric, definitions),
                standing.get(metric),
                tuple(comparison.metric_diffs.get(metric) for comparison in comparisons),
            )
            for metric in measured
        ),
    )
