"""The page of a metric."""

from __future__ import annotations

from dataclasses import dataclass

from boards.models import Metric
from boards.queries.facts.records import definitions
from obeya.metrics import Direction, MetricDefinition, definition_for, known_direction


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricPage:
    """A metric's definition, or one derived from its name if `is_defined` is false.

    `by_name` is the direction according to the name only; `versions` is the number of versions with
    the metric, without deleted ones.
    """

    definition: MetricDefinition
    is_defined: bool
    by_name: Direction
    versions: int


def metric_page(name: str) -> MetricPage:
    """Return the metric called `name`, which may be unmeasured; two statements."""
    defined = definitions()
    return MetricPage(
        definition=definition_for(name, defined),
        is_defined=name in defined,
        by_name=known_direction(name),
        versions=Metric.objects.filter(name=name, version__deleted_at=None).count(),
    )
