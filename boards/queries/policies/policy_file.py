"""Models and metrics of a policy file that do not exist."""

from __future__ import annotations

from collections.abc import Iterable

from boards import models
from boards.queries.metrics.metric_names import unmeasured
from obeya import names


def unknown_models(named: Iterable[tuple[str, int]]) -> list[str]:
    """Return a sentence for each model that does not exist; each is given with its line."""
    wanted = [(names.stored_form(model), model, line) for model, line in named]
    there = set(
        models.RegisteredModel.objects.filter(
            deleted_at=None, name__in={stored for stored, _, _ in wanted}
        ).values_list("name", flat=True)
    )
    return [
        f"line {line}: there is no registered model named “{model[:64]}”."
        for stored, model, line in wanted
        if stored not in there
    ]


def unknown_metrics(named: Iterable[tuple[str, int]]) -> list[str]:
    """Return a sentence for each unknown metric: no version has it, and no one defined it.

    Each metric is given with its line.
    """
    wanted = list(named)
    defined = set(models.MetricDefinition.objects.values_list("name", flat=True))
    missing = set(unmeasured(metric for metric, _ in wanted)) - defined
    return [
        f"line {line}: no version has the metric “{metric}” yet."
        for metric, line in wanted
        if metric in missing
    ]
