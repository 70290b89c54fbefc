"""A metric of a version beside the champion's, as pages show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from obeya.comparison import MetricDiff
from obeya.metrics import Metric, MetricDefinition, definition_for


@dataclass(frozen=True, slots=True)
class MeasuredMetric:
    """A version's value of one metric; None if it, or the champion, was not measured.

    `champion` is also None for the champion itself.
    """

    definition: MetricDefinition
    metric: Metric | None
    champion: Metric | None

    @property
    def value(self) -> float | None:
        """The value in the metric's unit; None if it was not measured."""
        return self.metric.value if self.metric else None

    @property
    def diff(self) -> MetricDiff | None:
        """The difference from the champion; None unless both were measured."""
        if self.metric is None or self.champion is None:
            return None
        return MetricDiff(self.definition, self.champion, self.metric)


def measured(
    name: str,
    own: Mapping[str, Metric],
    standing: Mapping[str, Metric],
    defined: Mapping[str, MetricDefinition],
) -> MeasuredMetric:
    """Return the metric called `name` of a version; `standing` are the champion's metrics."""
    return MeasuredMetric(definition_for(name, defined), own.get(name), standing.get(name))
