"""What is known of one metric's name."""

from __future__ import annotations

from dataclasses import dataclass

from boards.models import Metric
from boards.queries.facts.records import definitions
from obeya.metrics import Direction, MetricDefinition, definition_for, known_direction


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricPage:
    """A metric's definition, or what its name tells where `is_defined` is false.

    `by_name` is the direction that the name alone would give; `versions` how many versions,
    deleted ones left out, were measured in it.
    """

    definition: MetricDefinition
    is_defined: bool
    by_name: Direction
    versions: int


def metric_page(name: str) -> MetricPage:
    """The metric called `name`, which need not have been measured yet; two statements."""
    defined = definitions()
    return MetricPage(
        definition=definition_for(name, defined),
        is_defined=name in defined,
        by_name=known_direction(name),
        versions=Metric.objects.filter(name=name, version__deleted_at=None).count(),
    )
