"""Convert the core's metrics to rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from boards import models
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
