"""Validation of the arguments of registries: metrics, tags, version numbers."""

from __future__ import annotations

from collections.abc import Mapping

from obeya import names
from obeya.errors import InvalidInput
from obeya.metrics import Metric
from obeya.stages import Stage

MetricValues = Mapping[str, float | Metric]

METRICS_AT_ONCE_MAX = 1_000
NUMBER_MAX = 2**31 - 1


def stage_and_name(stage: Stage, name: str | None) -> tuple[Stage, str | None]:
    """Check the arguments of `ModelRegistry.get_by_stage`.

    Raises:
        InvalidInput: the stage is not a stage, or the two are in the wrong order.
    """
    if isinstance(name, Stage):
        raise InvalidInput(
            "get_by_stage takes the stage first and the model second: "
            f"get_by_stage(Stage.{name.name}, {stage!r}).",
            field="stage",
        )
    return Stage.parse(stage), name


def as_metrics(values: MetricValues | None) -> dict[str, Metric]:
    """Return the metrics by name, with plain numbers converted to `Metric`.

    Raises:
        InvalidInput: a name or value is not valid, a name is given twice, a `Metric` is given under
            a name other than its own, or there are more than 1,000 metrics.
    """
    given = dict(values or {})
    if len(given) > METRICS_AT_ONCE_MAX:
        raise InvalidInput(
            f"At most {METRICS_AT_ONCE_MAX:,} metrics can be logged in one request.",
            field="metrics",
        )
    metrics: dict[str, Metric] = {}
    for name, value in given.items():
        metric = Metric(name, value.value if isinstance(value, Metric) else value)
        if isinstance(value, Metric):
            if metric.name != value.name:
                raise InvalidInput(
                    f"The metric “{value.name}” is given as “{metric.name}”.",
                    field="metrics",
                )
            metric = value
        if metric.name in metrics:
            raise InvalidInput(f"Duplicate metric “{metric.name}”.", field="metrics")
        metrics[metric.name] = metric
    return metrics


def as_tags(tags: Mapping[str, str] | None) -> dict[str, str]:
    """Return the tags as they are stored.

    Raises:
        InvalidInput: a key or value is not valid, or a key is given twice.
    """
    checked: dict[str, str] = {}
    for key, value in (tags or {}).items():
        tag_key = names.tag_key(key)
        if tag_key in checked:
            raise InvalidInput(f"Duplicate tag “{tag_key}”.", field="tags")
        checked[tag_key] = names.tag_value(value)
    return checked


def version_number(number: object) -> int:
    """Return `number` if it is a valid version number.

    Raises:
        InvalidInput: it is not an integer from 1 to 2^31 - 1.
    """
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number <= NUMBER_MAX:
        raise InvalidInput(
            f"A version number must be a whole number from 1 to {NUMBER_MAX:,}.", field="version"
        )
    return number
