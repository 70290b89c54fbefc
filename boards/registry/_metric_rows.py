"""Metrics of the core as rows and as the documents that events hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from boards import models
from obeya.metrics import Metric


def rows(
    version: models.ModelVersion, metrics: Iterable[Metric], at: datetime
) -> Iterator[models.Metric]:
    """Unsaved rows of metrics logged at `at`."""
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


def document(metric: Metric) -> dict[str, Any]:
    """A metric as JSON; what was not stated is left out."""
    stated = {
        "value": metric.value,
        "samples": metric.samples,
        "standard_error": metric.standard_error,
        "dataset": metric.dataset or None,
    }
    return {key: value for key, value in stated.items() if value is not None}
