"""The comparison of two versions as JSON."""

from __future__ import annotations

from typing import Any

from obeya.comparison import MetricDiff, VersionComparison
from obeya.documents.catalog import metric_from_document
from obeya.documents.reading import Document, reading
from obeya.metrics import Direction, Metric, MetricDefinition, Scale, metric_document


def comparison_document(comparison: VersionComparison) -> dict[str, Any]:
    """Return the comparison of ``b`` with ``a``: every metric that either has, sorted by name."""
    return {
        "version_a": comparison.version_a,
        "version_b": comparison.version_b,
        "metric_diffs": [diff_document(diff) for diff in comparison.metric_diffs.values()],
        "b_is_better": comparison.b_is_better,
    }


@reading("comparison")
def comparison_from_document(document: Document) -> VersionComparison:
    """Read the comparison that `comparison_document` wrote.

    Raises:
        MalformedDocument: the document is not a comparison.
    """
    diffs = [_diff(row) for row in document["metric_diffs"]]
    return VersionComparison(
        document["version_a"], document["version_b"], {diff.definition.name: diff for diff in diffs}
    )


def diff_document(diff: MetricDiff) -> dict[str, Any]:
    """Return one metric of both sides with its definition and difference as JSON."""
    return {
        "definition": definition_document(diff.definition),
        "a": metric_document(diff.a) if diff.a else None,
        "b": metric_document(diff.b) if diff.b else None,
        "difference": diff.difference,
        "percent_change": diff.percent_change,
        "outcome": diff.outcome.value,
    }


def definition_document(definition: MetricDefinition) -> dict[str, Any]:
    """Return the definition of a metric as JSON."""
    return {
        "name": definition.name,
        "direction": definition.direction.value,
        "unit": definition.unit,
        "scale": definition.scale.value,
        "title": definition.title,
        "description": definition.description,
    }


def definition_from_document(document: Document) -> MetricDefinition:
    """Read the definition that `definition_document` wrote."""
    return MetricDefinition(
        name=document["name"],
        direction=Direction(document["direction"]),
        unit=document["unit"],
        scale=Scale(document["scale"]),
        title=document["title"],
        description=document["description"],
    )


def _diff(document: Document) -> MetricDiff:
    definition = definition_from_document(document["definition"])

    def side(name: str) -> Metric | None:
        metric = document[name]
        return metric_from_document(definition.name, metric) if metric else None

    return MetricDiff(definition, side("a"), side("b"))
