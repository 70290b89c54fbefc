"""Convert the core's metrics to rows, and check their names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from boards import models
from obeya.look_alikes.new_names import NameKind, NewNames
from obeya.metrics import Metric


def rows(
    version: models.ModelVersion, metrics: Iterable[Metric], at: datetime
) -> Iterator[models.Metric]:
    """Yield unsaved rows of metrics logged at `at`."""
    for metric in metrics:
        yield models.Metric(
            version=version,
            name=metric.name,
            value=metric.value,
            samples=metric.samples,
            standard_error=metric.standard_error,
            dataset=metric.dataset,
            logged_at=at,
        )


def metric_names(model: models.RegisteredModel, existing: Iterable[str] = ()) -> NewNames:
    """Return the names `existing` of one version's metrics, for the check of new ones.

    Metrics of other versions of the model are not refused.
    """

    def is_in_use(name: str) -> bool:
        return models.Metric.objects.filter(version__model=model, name=name).exists()

    return NewNames(NameKind.METRIC, existing, is_in_use=is_in_use)
