"""The requirements on metrics, the protocol of all requirements, and their outcomes."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

from obeya import names
from obeya.errors import InvalidInput
from obeya.metrics import (
    Metric,
    MetricDefinition,
    definition_for,
    finite,
    standard_error,
    within_noise,
)
from obeya.policy.bounds import Comparison, full_number, number_text

Definitions = Mapping[str, MetricDefinition]
NO_DEFINITIONS: Definitions = MappingProxyType({})


class Outcome(StrEnum):
    """The outcome of one requirement."""

    PASSED = "passed"
    FAILED = "failed"
    MISSING = "missing"
    NOT_COMPARABLE = "not_comparable"
    WAIVED = "waived"

    @property
    def lets_pass(self) -> bool:
        """Whether a requirement with this outcome lets the version pass."""
        return self in (Outcome.PASSED, Outcome.WAIVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The properties of a version that a policy check uses.

    `time_in_stage` is how long it has been in the stage that it would leave; None if not known.
    `artifact_size` is the size of its files in bytes, None if the registry stores no files;
    `artifact_warnings` are the findings in them that no policy about files lets pass, a sentence
    each; `artifact_code` are those about code that runs when they are loaded. `artifact_inspected`:
    the current version of the inspection has read all of them.
    """

    version: int
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    artifact_path: str = ""
    artifact_digest: str = ""
    time_in_stage: timedelta | None = None
    artifact_size: int | None = None
    artifact_warnings: tuple[str, ...] = ()
    artifact_code: tuple[str, ...] = ()
    artifact_inspected: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RequirementOutcome:
    """The outcome of checking one requirement against the evidence.

    `requirement` is its line, by which a waiver identifies it. `metric` is empty for a requirement
    without a metric; `observed` is the version's value, None if it has none; `bound` is the value
    that it was compared with; `baseline` is the champion's value of the same metric, if there is
    one. `sentence` is the outcome as a sentence; `waiver` is the id of the waiver that let it pass.
    """

    requirement: str
    metric: str
    outcome: Outcome
    observed: float | None
    bound: float | None
    sentence: str
    comparison: Comparison = Comparison.GTE
    baseline: float | None = None
    waiver: str = ""

    def __str__(self) -> str:
        return self.sentence

    @classmethod
    def of_rule(cls, requirement: str, outcome: Outcome, sentence: str) -> RequirementOutcome:
        """Return the outcome of a requirement without a metric."""
        return cls(
            requirement=requirement,
            metric="",
            outcome=outcome,
            observed=None,
            bound=None,
            sentence=sentence,
        )


class Requirement(Protocol):
    """Anything that a policy can require of a version."""

    @property
    def metric(self) -> str:
        """The metric of the requirement; empty if it has none."""

    def describe(self) -> str:
        """Return the requirement in one line: ``accuracy ≥ 0.9``.

        A waiver identifies the requirement by this line.
        """

    def outcome(
        self, evidence: Evidence, champion: Evidence | None, definitions: Definitions
    ) -> Outcome:
        """Return the outcome; never raises for missing or unusual values."""

    def check(
        self, evidence: Evidence, champion: Evidence | None, definitions: Definitions
    ) -> RequirementOutcome:
        """Return the same outcome with the observed value and a sentence."""

    def to_document(self) -> dict[str, Any]:
        """Return the JSON form that `obeya.policy.policy.requirement_from_document` reads."""


class Rule(ABC):
    """A requirement without a metric: its outcome is that of its check."""

    __slots__ = ()
    metric: ClassVar[str] = ""

    @abstractmethod
    def check(
        self, evidence: Evidence, champion: Evidence | None, definitions: Definitions
    ) -> RequirementOutcome:
        """Return the outcome with a sentence; see `Requirement`."""

    def outcome(
        self, evidence: Evidence, champion: Evidence | None, definitions: Definitions
    ) -> Outcome:
        """Return the outcome of `check`."""
        return self.check(evidence, champion, definitions).outcome


@dataclass(frozen=True, slots=True)
class MetricRequirement:
    """A comparison of a metric with an absolute threshold, in the metric's unit.

    A version without the metric fails.

    Raises:
        InvalidInput: the metric's name is not valid or the threshold is not finite.
    """

    name: str
    comparison: Comparison
    threshold: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", names.metric_name(self.name))
        object.__setattr__(self, "comparison", Comparison.parse(self.comparison))
        threshold = finite(self.threshold, what=f"The threshold of “{self.name}”")
        object.__setattr__(self, "threshold", threshold)

    @property
    def metric(self) -> str:
        """The metric of the requirement, as in every kind of requirement."""
        return self.name

    def describe(self) -> str:
        """Return the requirement in one line: ``accuracy ≥ 0.9``."""
        return f"{self.name} {self.comparison.symbol} {number_text(self.threshold)}"

    def outcome(
        self, evidence: Evidence, champion: Evidence | None, definitions: Definitions
    ) -> Outcome:
        """Compare the version's value with the threshold."""
        metric = evidence.metrics.get(self.name)
        if metric is None:
            return Outcome.MISSING
        holds = self.comparison.holds(metric.value, self.threshold)
        return Outcome.PASSED if holds else Outcome.FAILED

    def check(
        self, evidence: Evidence, champion: Evidence | None, definitions: Definitions
    ) -> RequirementOutcome:
        """Return the outcome with a sentence, and with the champion's value for information."""
        metric = evidence.metrics.get(self.name)
        standing = champion.metrics.get(self.name) if champion else None
        outcome = self.outcome(evidence, champion, definitions)
        if metric is None:
            sentence = f"{self.name} was not measured."
        elif outcome is Outcome.PASSED:
            sentence = f"{self.name} is {full_number(metric.value)}."
        else:
            sentence = (
                f"{self.name} is {full_number(metric.value)}; "
                f"required: {self.comparison.symbol} {full_number(self.threshold)}."
            )
        return RequirementOutcome(
            requirement=self.describe(),
            metric=self.name,
            outcome=outcome,
            observed=None if metric is None else metric.value,
            bound=self.threshold,
            sentence=sentence,
            comparison=self.comparison,
            baseline=None if standing is None else standing.value,
        )

    def to_document(self) -> dict[str, Any]:
        """Return ``{"metric": ..., "comparison": ">=", "threshold": ...}``."""
        return {
            "metric": self.name,
            "comparison": self.comparison.value,
            "threshold": self.threshold,
        }


class _Finding(Enum):
    """The results of comparing a metric with the champion's, in the order of the checks."""

    NOT_MEASURED = (Outcome.MISSING, "{metric} was not measured.")
    NO_CHAMPION = (Outcome.PASSED, "{value}; there is no champion to compare with.")
    CHAMPION_NOT_MEASURED = (
        Outcome.NOT_COMPARABLE,
        "{value}, but {rival} has no {metric} to compare with.",
    )
    OTHER_DATASET = (
        Outcome.NOT_COMPARABLE,
        "{metric} was measured on {own_set}, but for {rival} on {standing_set}: not comparable.",
    )
    BOUND_BEYOND_NUMBERS = (
        Outcome.NOT_COMPARABLE,
        "The required value of {metric} is too large.",
    )
    BEYOND_BOUND = (Outcome.FAILED, "{value}; required: {required} ({rival} has {standing}).")
    NOISE_UNKNOWN = (
        Outcome.NOT_COMPARABLE,
        (
            "{value}; comparing its difference from {rival} with the noise needs standard errors "
            "or numbers of samples."
        ),
    )
    WITHIN_NOISE = (Outcome.FAILED, "{value}, within noise of {rival} with {standing}.")
    HOLDS = (Outcome.PASSED, "{value}; {rival} has {standing}.")

    def __init__(self, outcome: Outcome, sentence: str) -> None:
        self.outcome = outcome
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class ChampionRequirement:
    """A comparison of a metric with the champion's value plus `offset`.

    The bound is the champion's value c plus `offset` in the metric's unit, or with `in_percent` c +
    |c|·offset/100, calculated in decimals. “At most 1 % worse” is ``>=`` with −1 in percent for a
    metric that is better when higher, ``<=`` with 1 in percent for one that is better when lower.
    `beyond_noise` (only with > and <) also requires that the difference is larger than the noise
    (`obeya.metrics.within_noise`).

    Without a champion the requirement passes and the sentence says so. A version without the metric
    fails. Values measured on different named datasets, a champion without the metric, and unknown
    noise are not comparable, which fails too.

    Raises:
        InvalidInput: the metric's name is not valid, the offset is not finite, or `beyond_noise` is
            set for a comparison without a direction.
    """

    metric: str
    comparison: Comparison
    offset: float = 0.0
    in_percent: bool = False
    beyond_noise: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "metric", names.metric_name(self.metric))
        object.__setattr__(self, "comparison", Comparison.parse(self.comparison))
        offset = finite(self.offset, what=f"The tolerance of “{self.metric}”")
        object.__setattr__(self, "offset", offset)
        if not offset:
            # An offset of zero in percent and in units is the same requirement.
            object.__setattr__(self, "offset", 0.0)
            object.__setattr__(self, "in_percent", False)
        # A policy from a file can have any value here.
        if any(type(switch) is not bool for switch in (self.in_percent, self.beyond_noise)):
            raise InvalidInput(
                f"in_percent and beyond_noise of “{self.metric}” must be true or false.",
                field="requirements",
            )
        if self.beyond_noise and not self.comparison.is_strict:
            raise InvalidInput(
                "“beyond noise” can only be used with > or <.",
                field="comparison",
            )

    def describe(self) -> str:
        """Return the requirement in one line: ``accuracy ≥ champion − 1 %``."""
        unit = " %" if self.in_percent else ""
        sign = "−" if self.offset < 0 else "+"
        moved = f" {sign} {number_text(abs(self.offset))}{unit}" if self.offset else ""
        noise = " beyond noise" if self.beyond_noise else ""
        return f"{self.metric} {self.comparison.symbol} champion{moved}{noise}"

    def bound(self, champion: float) -> float:
        """Return the bound for a champion's value; it can be outside the range of floats.

        It is calculated in decimals, as people write them: 0.1 below 0.8 is 0.7, which the sum of
        the nearest binary fractions is not.
        """
        if not self.offset or not math.isfinite(champion):
            return champion
        standing, offset = Decimal(repr(champion)), Decimal(repr(self.offset))
        if self.in_percent:
            offset = abs(standing) * offset / 100
        return float(standing + offset)

    def outcome(
        self, evidence: Evidence, champion: Evidence | None, definitions: Definitions
    ) -> Outcome:
        """Compare the version's value with the champion's."""
        return self._find(evidence, champion, definitions).outcome

    def check(
        self, evidence: Evidence, champion: Evidence | None, definitions: Definitions
    ) -> RequirementOutcome:
        """Return the outcome with a sentence, and with the bound from the champion's value."""
        own = evidence.metrics.get(self.metric)
        standing = champion.metrics.get(self.metric) if champion else None
        bound = None if standing is None else self.bound(standing.value)
        found = self._find(evidence, champion, definitions)
        return RequirementOutcome(
            requirement=self.describe(),
            metric=self.metric,
            outcome=found.outcome,
            observed=None if own is None else own.value,
            bound=bound if bound is not None and math.isfinite(bound) else None,
            sentence=found.sentence.format(
                metric=self.metric,
                value="" if own is None else f"{self.metric} is {full_number(own.value)}",
                rival=f"the champion v{champion.version}" if champion else "",
                standing="" if standing is None else full_number(standing.value),
                required="" if bound is None else f"{self.comparison.symbol} {full_number(bound)}",
                own_set="" if own is None else own.dataset,
                standing_set="" if standing is None else standing.dataset,
            ),
            comparison=self.comparison,
            baseline=None if standing is None else standing.value,
        )

    def _find(
        self, evidence: Evidence, champion: Evidence | None, definitions: Definitions
    ) -> _Finding:
        """Return the finding, without its sentence, which is formatted only when needed."""
        own = evidence.metrics.get(self.metric)
        if own is None:
            return _Finding.NOT_MEASURED
        if champion is None:
            return _Finding.NO_CHAMPION
        standing = champion.metrics.get(self.metric)
        if standing is None:
            return _Finding.CHAMPION_NOT_MEASURED
        if own.dataset and standing.dataset and own.dataset != standing.dataset:
            return _Finding.OTHER_DATASET
        bound = self.bound(standing.value)
        if not math.isfinite(bound):
            return _Finding.BOUND_BEYOND_NUMBERS
        if not self.comparison.holds(own.value, bound):
            return _Finding.BEYOND_BOUND
        if self.beyond_noise:
            scale = definition_for(self.metric, definitions).scale
            if standard_error(own, scale) is None or standard_error(standing, scale) is None:
                return _Finding.NOISE_UNKNOWN
            if within_noise(standing, own, scale):
                return _Finding.WITHIN_NOISE
        return _Finding.HOLDS

    def to_document(self) -> dict[str, Any]:
        """Return ``{"metric": ..., "comparison": ">=", "champion": {"offset": ..., ...}}``."""
        return {
            "metric": self.metric,
            "comparison": self.comparison.value,
            "champion": {
                "offset": self.offset,
                "in_percent": self.in_percent,
                "beyond_noise": self.beyond_noise,
            },
        }
