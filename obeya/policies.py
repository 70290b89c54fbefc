"""Promotion policies: what a version must show before it may enter a stage."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol

from obeya import names
from obeya.errors import InvalidInput
from obeya.metrics import Metric, finite
from obeya.stages import Stage

TEST_COVERAGE = "test_coverage"
APPROVALS_MAX = 100
REQUIREMENTS_MAX = 100


class Comparison(StrEnum):
    """How an observed value is held against a bound."""

    GT = ">"
    GTE = ">="
    LT = "<"
    LTE = "<="
    EQ = "="

    @property
    def symbol(self) -> str:
        """The sign as people read it: ``≥``."""
        return {Comparison.GTE: "≥", Comparison.LTE: "≤"}.get(self, self.value)

    def holds(self, value: float, bound: float) -> bool:
        """Whether ``value <comparison> bound``. ``=`` compares within 1e-9 relative."""
        match self:
            case Comparison.GT:
                return value > bound
            case Comparison.GTE:
                return value >= bound
            case Comparison.LT:
                return value < bound
            case Comparison.LTE:
                return value <= bound
            case Comparison.EQ:
                return math.isclose(value, bound, rel_tol=1e-9, abs_tol=0.0)

    @classmethod
    def parse(cls, text: str) -> Comparison:
        """Read ``>=``, ``≥``, ``==`` and their siblings.

        Raises:
            InvalidInput: it is none of them.
        """
        signs = {"≥": ">=", "≤": "<=", "==": "="}
        sign = str(text).strip()
        try:
            return cls(signs.get(sign, sign))
        except ValueError:
            raise InvalidInput(
                f"“{sign[:16]}” is not a comparison; use one of >, ≥, <, ≤ and =.",
                field="comparison",
            ) from None


class Outcome(StrEnum):
    """How one requirement came out."""

    PASSED = "passed"
    FAILED = "failed"
    MISSING = "missing"
    NOT_COMPARABLE = "not_comparable"
    WAIVED = "waived"

    @property
    def lets_pass(self) -> bool:
        """Whether a version may go on with this outcome."""
        return self in (Outcome.PASSED, Outcome.WAIVED)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a version shows when it is judged."""

    version: int
    metrics: Mapping[str, Metric] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RequirementOutcome:
    """One requirement held against the evidence.

    `observed` is the version's value, None when it has none; `bound` the value it was held
    against; `baseline` the champion's value of the same metric, where there is one. `sentence`
    says the outcome in words.
    """

    requirement: str
    metric: str
    outcome: Outcome
    observed: float | None
    bound: float | None
    sentence: str
    comparison: Comparison = Comparison.GTE
    baseline: float | None = None


class Requirement(Protocol):
    """Anything a policy can ask of a version's metrics, absolute or relative to the champion."""

    @property
    def metric(self) -> str:
        """The metric it speaks of."""

    def describe(self) -> str:
        """The requirement in one line: ``accuracy ≥ 0.9``."""

    def check(self, evidence: Evidence, champion: Evidence | None) -> RequirementOutcome:
        """Hold it against the evidence; never raises for missing or odd values."""

    def to_document(self) -> dict[str, Any]:
        """The JSON form that `requirement_from_document` reads."""


@dataclass(frozen=True, slots=True)
class MetricRequirement:
    """A metric must compare with an absolute threshold, in the metric's own unit.

    A version without the metric fails.

    Raises:
        InvalidInput: the metric's name is none or the threshold is not finite.
    """

    metric: str
    comparison: Comparison
    threshold: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "metric", names.metric_name(self.metric))
        object.__setattr__(self, "comparison", Comparison.parse(self.comparison))
        threshold = finite(self.threshold, what=f"The threshold of “{self.metric}”")
        object.__setattr__(self, "threshold", threshold)

    def describe(self) -> str:
        """The requirement in one line: ``accuracy ≥ 0.9``."""
        return f"{self.metric} {self.comparison.symbol} {number_text(self.threshold)}"

    def check(self, evidence: Evidence, champion: Evidence | None) -> RequirementOutcome:
        """Hold the threshold against the version's value; the champion's is given beside it."""
        metric = evidence.metrics.get(self.metric)
        standing = champion.metrics.get(self.metric) if champion else None
        if metric is None:
            outcome, sentence = Outcome.MISSING, f"{self.metric} was not measured."
        elif self.comparison.holds(metric.value, self.threshold):
            outcome = Outcome.PASSED
            sentence = f"{self.metric} is {number_text(metric.value)}."
        else:
            outcome = Outcome.FAILED
            sentence = (
                f"{self.metric} is {number_text(metric.value)}; "
                f"required: {self.comparison.symbol} {number_text(self.threshold)}."
            )
        return RequirementOutcome(
            requirement=self.describe(),
            metric=self.metric,
            outcome=outcome,
            observed=None if metric is None else metric.value,
            bound=self.threshold,
            sentence=sentence,
            comparison=self.comparison,
            baseline=None if standing is None else standing.value,
        )

    def to_document(self) -> dict[str, Any]:
        """``{"metric": ..., "comparison": ">=", "threshold": ...}``."""
        return {
            "metric": self.metric,
            "comparison": self.comparison.value,
            "threshold": self.threshold,
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of a policy check: every requirement with what was seen.

    `policy_revision` names the revision that judged; None for a policy that is not stored, and
    with `has_policy` False when no policy guards the stage, in which case the verdict passes.
    """

    outcomes: tuple[RequirementOutcome, ...] = ()
    stage: Stage | None = None
    policy_revision: int | None = None
    has_policy: bool = True

    @property
    def passed(self) -> bool:
        """Whether every requirement lets the version pass."""
        return all(outcome.outcome.lets_pass for outcome in self.outcomes)

    @property
    def failures(self) -> tuple[RequirementOutcome, ...]:
        """The requirements that do not let the version pass, in the policy's order."""
        return tuple(outcome for outcome in self.outcomes if not outcome.outcome.lets_pass)

    @property
    def sentence(self) -> str:
        """The verdict in one sentence."""
        where = f" for {self.stage.label}" if self.stage else ""
        if not self.has_policy:
            return f"No promotion policy is set{where}: nothing to check."
        total = len(self.outcomes)
        if not total:
            return f"The policy{where} asks for no evidence."
        requirements = "requirement" if total == 1 else "requirements"
        if self.passed:
            return f"Passed: {total} of {total} {requirements}{where}."
        return f"Failed: {len(self.failures)} of {total} {requirements}{where}."

    def to_document(self) -> dict[str, Any]:
        """The JSON form that is stored with a check and read by `from_document`."""
        return {
            "stage": self.stage.value if self.stage else None,
            "policy_revision": self.policy_revision,
            "has_policy": self.has_policy,
            "outcomes": [
                {
                    "requirement": o.requirement,
                    "metric": o.metric,
                    "comparison": o.comparison.value,
                    "outcome": o.outcome.value,
                    "observed": o.observed,
                    "bound": o.bound,
                    "baseline": o.baseline,
                    "sentence": o.sentence,
                }
                for o in self.outcomes
            ],
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Verdict:
        """Read back what `to_document` wrote."""
        return cls(
            outcomes=tuple(
                RequirementOutcome(
                    **{
                        **row,
                        "outcome": Outcome(row["outcome"]),
                        "observed": _float(row["observed"]),
                        "bound": _float(row["bound"]),
                        "baseline": _float(row["baseline"]),
                        "comparison": Comparison(row["comparison"]),
                    }
                )
                for row in document["outcomes"]
            ),
            stage=Stage(document["stage"]) if document["stage"] else None,
            policy_revision=document["policy_revision"],
            has_policy=document["has_policy"],
        )


@dataclass(frozen=True, slots=True)
class PromotionPolicy:
    """What a version must show before it may enter `stage`.

    `min_test_coverage` is a floor for the metric ``test_coverage``, in that metric's own unit.
    `required_approvals` counts distinct people. A policy without a stage can be checked but not
    stored.

    Raises:
        InvalidInput: the stage takes no policy, a bound is not finite, a requirement stands
            twice, or a count is out of range.
    """

    stage: Stage | None = None
    requirements: tuple[Requirement, ...] = ()
    min_test_coverage: float | None = None
    required_approvals: int = 0

    def __post_init__(self) -> None:
        if self.stage is not None:
            object.__setattr__(self, "stage", Stage.parse(self.stage))
        # A list and a tuple of the same requirements are the same policy.
        object.__setattr__(self, "requirements", tuple(self.requirements))
        if self.stage is not None and not self.stage.is_gated:
            raise InvalidInput(
                f"{self.stage.label} takes no promotion policy; only Staging and Production do.",
                field="stage",
            )
        if self.min_test_coverage is not None:
            coverage = finite(self.min_test_coverage, what="The minimum test coverage")
            object.__setattr__(self, "min_test_coverage", coverage)
        count = self.required_approvals
        if type(count) is not int or not 0 <= count <= APPROVALS_MAX:
            raise InvalidInput(
                f"The number of approvals must be a whole number from 0 to {APPROVALS_MAX}.",
                field="required_approvals",
            )
        if len(self.requirements) > REQUIREMENTS_MAX:
            raise InvalidInput(
                f"A policy can hold at most {REQUIREMENTS_MAX} requirements.",
                field="requirements",
            )
        lines = [requirement.describe() for requirement in self.requirements]
        for line in lines:
            if lines.count(line) > 1:
                raise InvalidInput(f"The requirement “{line}” stands twice.", field="requirements")

    def require_metric(
        self, metric: str, comparison: Comparison, threshold: float
    ) -> PromotionPolicy:
        """This policy with one more metric requirement."""
        requirement = MetricRequirement(metric, comparison, threshold)
        return replace(self, requirements=(*self.requirements, requirement))

    def require_test_coverage(self, minimum: float) -> PromotionPolicy:
        """This policy with a floor for the metric ``test_coverage``."""
        return replace(self, min_test_coverage=minimum)

    def require_approvals(self, count: int) -> PromotionPolicy:
        """This policy with `count` approvals required."""
        return replace(self, required_approvals=count)

    @property
    def evidence_requirements(self) -> tuple[Requirement, ...]:
        """All that evidence is held against: the requirements, and the coverage floor as one."""
        if self.min_test_coverage is None:
            return self.requirements
        floor = MetricRequirement(TEST_COVERAGE, Comparison.GTE, self.min_test_coverage)
        return (*self.requirements, floor)

    def check(
        self,
        evidence: Evidence,
        champion: Evidence | None = None,
        *,
        revision: int | None = None,
    ) -> Verdict:
        """Hold every requirement against the evidence; never stops at the first failure.

        Approvals are not evidence: they are counted where a move is judged.
        """
        return Verdict(
            outcomes=tuple(r.check(evidence, champion) for r in self.evidence_requirements),
            stage=self.stage,
            policy_revision=revision,
        )

    def to_document(self) -> dict[str, Any]:
        """The JSON form that is stored as a revision and read by `from_document`."""
        return {
            "stage": self.stage.value if self.stage else None,
            "requirements": [requirement.to_document() for requirement in self.requirements],
            "min_test_coverage": self.min_test_coverage,
            "required_approvals": self.required_approvals,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> PromotionPolicy:
        """Read back what `to_document` wrote."""
        return cls(
            stage=Stage(document["stage"]) if document["stage"] else None,
            requirements=requirements_from_documents(document["requirements"]),
            min_test_coverage=document["min_test_coverage"],
            required_approvals=document["required_approvals"],
        )


def requirements_from_documents(
    documents: Sequence[Mapping[str, Any]],
) -> tuple[Requirement, ...]:
    """The requirements that `Requirement.to_document` wrote, in their order."""
    return tuple(
        MetricRequirement(row["metric"], Comparison(row["comparison"]), row["threshold"])
        for row in documents
    )


def _float(number: float | None) -> float | None:
    """A number read back from JSON, which does not keep 1.0 and 1 apart."""
    return None if number is None else float(number)


def no_policy(stage: Stage | None) -> Verdict:
    """The verdict where no policy guards the stage: it passes and says so."""
    return Verdict(stage=stage, has_policy=False)


def number_text(value: float) -> str:
    """A number with all its digits and no needless ones: ``0.9``, ``100``, ``1e-12``."""
    if value.is_integer() and abs(value) < 1e16:
        return str(int(value))
    return repr(value)
