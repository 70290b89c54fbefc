"""Metrics: values, directions, percent change and noise.

The rules are those of docs/metrics.md. A metric is measured once per version and name; its value
is a finite 64-bit float.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from numbers import Real
from typing import Any

from obeya import names
from obeya.errors import InvalidInput

# Two-sided 95 % quantile of the normal distribution, rounded as in statistics textbooks.
Z_95 = 1.96

# The largest integer that every JSON reader reads exactly (RFC 8785).
SAMPLES_MAX = 2**53 - 1


class Direction(StrEnum):
    """The direction in which a metric improves. UNKNOWN is never reported as better or worse."""

    HIGHER = "higher"
    LOWER = "lower"
    UNKNOWN = "unknown"


class Scale(StrEnum):
    """The scale of a metric that is a proportion: 0 to 1, or 0 to 100."""

    NONE = ""
    FRACTION = "fraction"
    PERCENT = "percent"

    @property
    def whole(self) -> float | None:
        """The value that means “all of them”; None if the metric is not a proportion."""
        return {Scale.FRACTION: 1.0, Scale.PERCENT: 100.0}.get(self)


@dataclass(frozen=True, slots=True)
class Metric:
    """One measurement of one version.

    `samples` is the number of examples in the measurement, `standard_error` the standard error in
    the metric's unit, `dataset` the name of the evaluation dataset ("" if not stated).

    Raises:
        InvalidInput: the name or dataset is not a valid name, the value or error is not a finite
            number, the error is negative, or `samples` is not positive.
    """

    name: str
    value: float
    samples: int | None = None
    standard_error: float | None = None
    dataset: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", names.metric_name(self.name))
        object.__setattr__(self, "dataset", names.dataset_name(self.dataset))
        object.__setattr__(self, "value", finite(self.value, what=f"The metric “{self.name}”"))
        if self.standard_error is not None:
            error = finite(self.standard_error, what=f"The standard error of “{self.name}”")
            if error < 0:
                raise InvalidInput(
                    f"The standard error of “{self.name}” cannot be negative.", field="metric"
                )
            object.__setattr__(self, "standard_error", error)
        if self.samples is not None and not _is_count(self.samples):
            raise InvalidInput(
                f"The number of samples of “{self.name}” must be a whole number from 1 to "
                f"{SAMPLES_MAX:,}.",
                field="metric",
            )

    @classmethod
    def stored(
        cls,
        name: str,
        value: float,
        samples: int | None,
        standard_error: float | None,
        dataset: str,
    ) -> Metric:
        """Return a stored metric without checking it again.

        Its values were checked when it was stored. For reading large numbers of metrics.
        """
        metric = object.__new__(cls)
        # The slots are set one by one, bypassing `__setattr__`: this runs half a million times.
        _fill_name(metric, name)
        _fill_value(metric, value)
        _fill_samples(metric, samples)
        _fill_standard_error(metric, standard_error)
        _fill_dataset(metric, dataset)
        return metric


_fill_name, _fill_value, _fill_samples, _fill_standard_error, _fill_dataset = (
    getattr(Metric, slot).__set__ for slot in Metric.__slots__
)


@dataclass(frozen=True, slots=True)
class MetricDefinition:
    """The definition of a metric: its direction, its unit, whether it is a proportion.

    `unit` is shown after the value ("ms", "%"); `title` is the short name shown on cards.
    """

    name: str
    direction: Direction = Direction.UNKNOWN
    unit: str = ""
    scale: Scale = Scale.NONE
    title: str = ""
    description: str = ""

    @property
    def short_title(self) -> str:
        """The title, or the name if there is no title."""
        return self.title or self.name


def metric_document(metric: Metric) -> dict[str, Any]:
    """Return a metric as stored in events and policy checks; values not stated are left out."""
    stated = {
        "value": metric.value,
        "samples": metric.samples,
        "standard_error": metric.standard_error,
        "dataset": metric.dataset or None,
    }
    return {key: value for key, value in stated.items() if value is not None}


def _is_count(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 0 < number <= SAMPLES_MAX


def finite(value: float, *, what: str) -> float:
    """Return `value` as a float. Any real number is accepted, such as NumPy scalars.

    Raises:
        InvalidInput: it is not a number, or not finite (NaN and the infinities are refused).
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InvalidInput(f"{what} must be a number.", field="metric")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InvalidInput(f"{what} must be a finite number, not {number}.", field="metric")
    return number


# Whole words of a metric's name. LOWER has priority: "val_loss" and "error_rate" are decided by one
# word; "accuracy_drop" gets worse as it grows.
_LOWER = frozenset(
    """
    loss error errors err rmse mse mae mape smape rmsle wer cer ter perplexity ppl bpb nll
    logloss brier ece latency p50 p90 p95 p99 ms seconds duration time memory size params
    flops gmacs cost drop regret fid kid fpr fnr eer hallucination toxicity bias
    """.split()  # noqa: SIM905 - a list of words reads best as words
)
_HIGHER = frozenset(
    """
    accuracy acc top1 top5 precision recall f1 fbeta auc auroc roc prauc ap map ndcg mrr r2
    bleu rouge meteor chrf iou miou dice jaccard kappa mcc sensitivity specificity tpr tnr
    coverage throughput qps rps reward score gain lift hit psnr ssim correlation spearman
    pearson explained silhouette success
    """.split()  # noqa: SIM905 - a list of words reads best as words
)


# A rate per second is a throughput; "per" before any other word has no meaning here.
_PER_SECOND = re.compile(r"(?<![0-9a-z])per[^0-9a-z]+(s|sec|second)(?![0-9a-z])")


def known_direction(name: str) -> Direction:
    """Return the direction that a metric's name implies, for metrics without a definition.

    Names are split at every character that is not a letter or digit: ``latency_p99_ms`` and
    ``val_loss`` are better when lower, ``test/f1_score`` when higher, ``temperature`` is unknown.
    """
    lower = name.lower()
    words = frozenset(re.split(r"[^0-9a-z]+", lower))
    if words & _LOWER:
        return Direction.LOWER
    if words & _HIGHER or _PER_SECOND.search(lower):
        return Direction.HIGHER
    return Direction.UNKNOWN


def definition_for(name: str, defined: Mapping[str, MetricDefinition]) -> MetricDefinition:
    """Return the definition of `name` in `defined`, else one with the direction it implies."""
    return defined.get(name) or MetricDefinition(name, known_direction(name))


def percent_change(a: float, b: float) -> float | None:
    """Return 100·(b − a)/|a|; with a = 0 it is 0 if b = 0 and None (undefined) otherwise.

    None also if the quotient is outside the range of a 64-bit float.
    """
    if a == 0:
        return 0.0 if b == 0 else None
    difference = b - a
    if math.isfinite(difference):
        change = 100.0 * (difference / abs(a))
    else:
        change = 100.0 * (b / abs(a) - math.copysign(1.0, a))
    return change if math.isfinite(change) else None


def standard_error(metric: Metric, scale: Scale) -> float | None:
    """Return the stated standard error, else √(p(1 − p)/n) for a proportion with n samples.

    None if neither is available. The result is in the metric's unit: percentage points for a
    percentage.
    """
    if metric.standard_error is not None:
        return metric.standard_error
    whole = scale.whole
    if whole is None or metric.samples is None:
        return None
    p = metric.value / whole
    if not 0 <= p <= 1:
        return None
    return whole * math.sqrt(p * (1 - p) / metric.samples)


def within_noise(a: Metric, b: Metric, scale: Scale) -> bool:
    """Return whether |b − a| < 1.96·√(se_a² + se_b²); False if either error is unknown.

    Treats the two as independent samples. On the same test set the errors are correlated, so this
    tends to classify too many differences as noise.
    """
    error_a, error_b = standard_error(a, scale), standard_error(b, scale)
    if error_a is None or error_b is None:
        return False
    return abs(b.value - a.value) < Z_95 * math.hypot(error_a, error_b)
