"""The form of a promotion policy: text from the page, and the policy that it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.http import QueryDict

from obeya import names
from obeya.errors import InvalidInput
from obeya.metrics import finite
from obeya.policies import (
    REQUIREMENTS_MAX,
    Comparison,
    MetricRequirement,
    PromotionPolicy,
    number_text,
)
from obeya.stages import Stage

NUMBER_TEXT_MAX = 64


@dataclass(slots=True)
class RequirementRow:
    """One requirement as it was typed, with a sentence for each field that cannot be."""

    metric: str = ""
    comparison: str = Comparison.GTE.value
    threshold: str = ""
    problems: dict[str, str] = field(default_factory=dict)
    is_new: bool = False

    @property
    def is_blank(self) -> bool:
        """Whether nothing was typed; such a row is no requirement and no mistake."""
        return not (self.metric.strip() or self.threshold.strip())


@dataclass(slots=True)
class PolicyForm:
    """What the form shows. `problems` are sentences by field, those of rows are on the rows."""

    rows: list[RequirementRow] = field(default_factory=list)
    min_test_coverage: str = ""
    required_approvals: str = "0"
    problems: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, policy: PromotionPolicy) -> PolicyForm:
        """The form that says `policy`, with a blank row where it asks for no metric."""
        documents = [requirement.to_document() for requirement in policy.requirements]
        floor = policy.min_test_coverage
        return cls(
            [
                RequirementRow(d["metric"], d["comparison"], number_text(d["threshold"]))
                for d in documents
            ]
            or [RequirementRow()],
            "" if floor is None else number_text(floor),
            str(policy.required_approvals),
        )

    @classmethod
    def read(cls, posted: QueryDict) -> PolicyForm:
        """The form as it was sent. Rows beyond what a policy can hold are left out."""
        rows = zip(
            posted.getlist("metric"),
            posted.getlist("comparison"),
            posted.getlist("threshold"),
            strict=False,
        )
        return cls(
            [RequirementRow(*row) for row in rows][: REQUIREMENTS_MAX + 1],
            posted.get("min_test_coverage", ""),
            posted.get("required_approvals", ""),
        )

    def add_row(self) -> None:
        """Append a blank requirement."""
        self.rows.append(RequirementRow(is_new=True))

    def remove_row(self, place: str) -> None:
        """Take out the requirement at `place`, counted from 0; a place that is none is left."""
        if place.isascii() and place.isdigit() and len(place) < len("1000"):
            del self.rows[int(place) : int(place) + 1]

    def policy(self, stage: Stage) -> PromotionPolicy | None:
        """The policy that the form says; None when something in it cannot be.

        What cannot be is then in the problems of the form and of its rows.
        """
        policy = PromotionPolicy(stage)
        for row in self.rows:
            requirement = None if row.is_blank else _requirement(row)
            if requirement is not None:
                policy = self._with(policy, requirement, row.problems)
        policy = self._with_coverage(policy)
        policy = self._with_approvals(policy)
        return None if self.problems or any(row.problems for row in self.rows) else policy

    @staticmethod
    def _with(
        policy: PromotionPolicy, requirement: MetricRequirement, problems: dict[str, str]
    ) -> PromotionPolicy:
        try:
            return policy.require_metric(
                requirement.metric, requirement.comparison, requirement.threshold
            )
        except InvalidInput as error:
            problems["metric"] = str(error)
            return policy

    def _with_coverage(self, policy: PromotionPolicy) -> PromotionPolicy:
        if not self.min_test_coverage.strip():
            return policy
        try:
            return policy.require_test_coverage(
                _number(self.min_test_coverage, "The minimum test coverage")
            )
        except InvalidInput as error:
            self.problems["min_test_coverage"] = str(error)
            return policy

    def _with_approvals(self, policy: PromotionPolicy) -> PromotionPolicy:
        text = self.required_approvals.strip() or "0"
        try:
            if len(text) > NUMBER_TEXT_MAX:
                raise ValueError
            count = int(text)
        except ValueError:
            self.problems["required_approvals"] = (
                f"“{text[:32]}” is not a whole number; write it like 2."
            )
            return policy
        try:
            return policy.require_approvals(count)
        except InvalidInput as error:
            self.problems["required_approvals"] = str(error)
            return policy


def _requirement(row: RequirementRow) -> MetricRequirement | None:
    """The row's requirement; None when a field of it cannot be, which is then in its problems."""
    metric = comparison = threshold = None
    try:
        metric = names.metric_name(row.metric)
    except InvalidInput as error:
        row.problems["metric"] = str(error)
    try:
        comparison = Comparison.parse(row.comparison)
    except InvalidInput as error:
        row.problems["comparison"] = str(error)
    try:
        threshold = _number(row.threshold, "The threshold")
    except InvalidInput as error:
        row.problems["threshold"] = str(error)
    if metric is None or comparison is None or threshold is None:
        return None
    return MetricRequirement(metric, comparison, threshold)


def _number(text: str, what: str) -> float:
    text = text.strip().replace("−", "-")
    if not text:
        raise InvalidInput(f"{what} cannot be empty.")
    try:
        number = float(text) if len(text) <= NUMBER_TEXT_MAX else None
    except ValueError:
        number = None
    if number is None:
        raise InvalidInput(f"“{text[:32]}” is not a number; write it like 80 or 0.9.")
    return finite(number, what=what)


def pressed(posted: Mapping[str, str]) -> str:
    """Which button sent the form: ``save``, ``add`` or ``remove``."""
    return next((button for button in ("add", "remove") if button in posted), "save")
