"""The result of a policy check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from obeya.policy.bounds import Comparison
from obeya.policy.requirements import Outcome, RequirementOutcome
from obeya.stages import Stage


class Mode(StrEnum):
    """The effect of a policy on a version that fails it."""

    ENFORCE = "enforce"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class PolicyResult:
    """The result of a policy check: the outcome of every requirement.

    `policy_revision` is the revision used for the check; None for a policy that is not stored. If
    no policy applies to the stage, `has_policy` is False and the check passes. If no policy can
    apply to the move, such as a demotion, `is_gated` is False too. A policy in the mode `Mode.WARN`
    refuses nothing: failures are warnings.
    """

    outcomes: tuple[RequirementOutcome, ...] = ()
    stage: Stage | None = None
    policy_revision: int | None = None
    has_policy: bool = True
    mode: Mode = Mode.ENFORCE
    is_gated: bool = True

    @property
    def passed(self) -> bool:
        """Whether every requirement lets the version pass, in any mode."""
        return all(outcome.outcome.lets_pass for outcome in self.outcomes)

    @property
    def only_warns(self) -> bool:
        """Whether the version fails and the policy only warns."""
        return not self.passed and self.mode is Mode.WARN

    @property
    def failures(self) -> tuple[RequirementOutcome, ...]:
        """The requirements that do not let the version pass, in the policy's order."""
        return tuple(outcome for outcome in self.outcomes if not outcome.outcome.lets_pass)

    @property
    def waived(self) -> tuple[RequirementOutcome, ...]:
        """The requirements that pass because of a waiver, in the policy's order."""
        return tuple(o for o in self.outcomes if o.outcome is Outcome.WAIVED)

    @property
    def sentence(self) -> str:
        """The policy result in one sentence."""
        where = f" for {self.stage.label}" if self.stage else ""
        if not self.is_gated:
            return "Policies apply only to promotions: nothing to check."
        if not self.has_policy:
            return f"No promotion policy is set{where}: nothing to check."
        total = len(self.outcomes)
        if not total:
            return f"The policy{where} has no requirements to check (ignoring approvals)."
        requirements = "requirement" if total == 1 else "requirements"
        if not self.passed:
            warned = " The policy only warns." if self.mode is Mode.WARN else ""
            return f"{len(self.failures)} of {total} {requirements} failed{where}.{warned}"
        waived = len(self.waived)
        by_waiver = f", {waived} by waiver" if waived else ""
        return f"{total} of {total} {requirements} passed{where}{by_waiver}."

    def to_document(self) -> dict[str, Any]:
        """Return the JSON form that is stored with a check and read by `from_document`."""
        return {
            "stage": self.stage.value if self.stage else None,
            "policy_revision": self.policy_revision,
            "has_policy": self.has_policy,
            "mode": self.mode.value,
            "is_gated": self.is_gated,
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
                    "waiver": o.waiver,
                }
                for o in self.outcomes
            ],
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> PolicyResult:
        """Read what `to_document` wrote, in this or an older version of Obeya."""
        return cls(
            outcomes=tuple(
                RequirementOutcome(
                    requirement=row["requirement"],
                    metric=row["metric"],
                    outcome=Outcome(row["outcome"]),
                    observed=_float(row["observed"]),
                    bound=_float(row["bound"]),
                    sentence=row["sentence"],
                    comparison=Comparison(row["comparison"]),
                    baseline=_float(row["baseline"]),
                    waiver=row.get("waiver", ""),
                )
                for row in document["outcomes"]
            ),
            stage=Stage(document["stage"]) if document["stage"] else None,
            policy_revision=document["policy_revision"],
            has_policy=document["has_policy"],
            mode=Mode(document.get("mode", Mode.ENFORCE)),
            is_gated=document.get("is_gated", True),
        )


def no_policy(stage: Stage | None) -> PolicyResult:
    """Return the policy result for a stage without a policy: passed, with a sentence about it."""
    return PolicyResult(stage=stage, has_policy=False, is_gated=stage is None or stage.is_gated)


def not_gated(stage: Stage) -> PolicyResult:
    """Return the policy result for a move to `stage` to which no policy applies.

    It is passed, with a sentence about it.
    """
    return PolicyResult(stage=stage, has_policy=False, is_gated=False)


def _float(number: float | None) -> float | None:
    """Return a number from JSON as a float: JSON does not distinguish 1.0 and 1."""
    return None if number is None else float(number)
