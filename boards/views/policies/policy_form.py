"""The form of a promotion policy: text from the page, and the policy that it describes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from django.http import QueryDict

from boards.queries.paging.whole_number import whole_number
from boards.views.policies.policy_rows import (
    Against,
    RequirementRow,
    number_of,
    requirement_of,
    rows_of,
)
from obeya.errors import InvalidInput
from obeya.policy.artifact_rules import BY_NAME, ArtifactDigest, MaximumSize, NoCode, NoPickle
from obeya.policy.bounds import number_text
from obeya.policy.policy import REQUIREMENTS_MAX, PromotionPolicy
from obeya.policy.requirements import Requirement
from obeya.policy.results import Mode
from obeya.policy.rules import RequiredDescription, RequiredTag, TimeInStage
from obeya.stages import Stage
from obeya.values import NUMBER_MAX


@dataclass(slots=True, kw_only=True)
class PolicyForm:
    """The content of the form. `problems` are sentences by field; those of rows are on the rows.

    `tags` contains one required tag per line, as `RequiredTag.parse` reads it.
    """

    rows: list[RequirementRow] = field(default_factory=list)
    min_test_coverage: str = ""
    required_approvals: str = "0"
    hours_in_stage: str = ""
    tags: str = ""
    description: bool = False
    artifact_digest: bool = False
    no_pickle: bool = False
    no_pickle_by_name: bool = False
    no_code: bool = False
    no_code_by_name: bool = False
    artifact_max_mib: str = ""
    auto_promote: bool = False
    count_service_approvals: bool = False
    mode: str = Mode.ENFORCE.value
    problems: dict[str, str] = field(default_factory=dict)

    @property
    def mistakes(self) -> tuple[str, ...]:
        """The errors, in the order of the form; those of rows with the row's number."""
        of_rows = (
            f"Requirement {number}: {sentence}"
            for number, row in enumerate(self.rows, 1)
            for sentence in row.problems.values()
        )
        return (*of_rows, *self.problems.values())

    @classmethod
    def of(cls, policy: PromotionPolicy) -> PolicyForm:
        """Return the form of `policy`, with a blank row if it has no metric requirement."""
        kinds = {type(requirement) for requirement in policy.requirements}
        hours = [r.hours for r in policy.requirements if isinstance(r, TimeInStage)]
        tags = [r for r in policy.requirements if isinstance(r, RequiredTag)]
        sizes = [r.mebibytes for r in policy.requirements if isinstance(r, MaximumSize)]
        floor = policy.min_test_coverage
        return cls(
            rows=rows_of(policy) or [RequirementRow()],
            min_test_coverage="" if floor is None else number_text(floor),
            required_approvals=str(policy.required_approvals),
            hours_in_stage=number_text(hours[0]) if hours else "",
            tags="\n".join(tag.line for tag in tags),
            description=RequiredDescription in kinds,
            artifact_digest=ArtifactDigest in kinds,
            no_pickle=NoPickle in kinds,
            no_pickle_by_name=NoPickle(BY_NAME) in policy.requirements,
            no_code=NoCode in kinds,
            no_code_by_name=NoCode(BY_NAME) in policy.requirements,
            artifact_max_mib=number_text(sizes[0]) if sizes else "",
            auto_promote=policy.auto_promote,
            count_service_approvals=policy.count_service_approvals,
            mode=policy.mode.value,
        )

    @classmethod
    def read(cls, posted: QueryDict) -> PolicyForm:
        """Return the form as it was sent. Rows beyond the maximum of a policy are left out."""
        rows = zip_longest(
            posted.getlist("metric"),
            posted.getlist("comparison"),
            posted.getlist("threshold"),
            posted.getlist("against"),
        )
        return cls(
            rows=[
                RequirementRow(
                    metric=metric or "",
                    comparison=sign or "",
                    threshold=number or "",
                    against=against or Against.VALUE,
                )
                for metric, sign, number, against in rows
            ][: REQUIREMENTS_MAX + 1],
            min_test_coverage=posted.get("min_test_coverage", ""),
            required_approvals=posted.get("required_approvals", ""),
            hours_in_stage=posted.get("hours_in_stage", ""),
            tags=posted.get("tags", "").replace("\r\n", "\n"),
            description="description" in posted,
            artifact_digest="artifact_digest" in posted,
            no_pickle="no_pickle" in posted,
            no_pickle_by_name="no_pickle_by_name" in posted,
            no_code="no_code" in posted,
            no_code_by_name="no_code_by_name" in posted,
            artifact_max_mib=posted.get("artifact_max_mib", ""),
            auto_promote="auto_promote" in posted,
            count_service_approvals="count_service_approvals" in posted,
            mode=posted.get("mode", Mode.ENFORCE.value),
        )

    def add_row(self) -> None:
        """Append a blank requirement."""
        self.rows.append(RequirementRow(is_new=True))

    def remove_row(self, place: str) -> None:
        """Remove the requirement at `place`, counted from 0; an invalid place is ignored."""
        number = whole_number(place)
        if number is not None:
            del self.rows[number : number + 1]

    def policy(self, stage: Stage) -> PromotionPolicy | None:
        """Return the policy that the form describes; None if something in it is invalid.

        The errors are then in the problems of the form and of its rows.
        """
        policy = PromotionPolicy(
            stage,
            auto_promote=self.auto_promote,
            count_service_approvals=self.count_service_approvals,
        )
        for row in self.rows:
            requirement = None if row.is_blank else requirement_of(row)
            if requirement is not None:
                policy = _with(policy, requirement, row.problems, "metric")
        policy = self._with_rules(policy)
        policy = self._with_coverage(policy)
        policy = self._with_approvals(policy)
        policy = self._with_mode(policy)
        return None if self.problems or any(row.problems for row in self.rows) else policy

    def _with_rules(self, policy: PromotionPolicy) -> PromotionPolicy:
        if self.hours_in_stage.strip():
            try:
                hours = TimeInStage(number_of(self.hours_in_stage, "The time"))
                policy = policy.require(hours)
            except InvalidInput as error:
                self.problems["hours_in_stage"] = str(error)
        if self.artifact_max_mib.strip():
            try:
                size = MaximumSize(number_of(self.artifact_max_mib, "The maximum size"))
                policy = policy.require(size)
            except InvalidInput as error:
                self.problems["artifact_max_mib"] = str(error)
        for line in filter(str.strip, self.tags.split("\n")[: REQUIREMENTS_MAX + 1]):
            try:
                tag = RequiredTag.parse(line)
            except InvalidInput as error:
                self.problems["tags"] = str(error)
                continue
            policy = _with(policy, tag, self.problems, "tags")
        for asked, rule in (
            (self.description, RequiredDescription()),
            (self.artifact_digest, ArtifactDigest()),
            (self.no_pickle, NoPickle(BY_NAME if self.no_pickle_by_name else "")),
            (self.no_code, NoCode(BY_NAME if self.no_code_by_name else "")),
        ):
            if asked:
                policy = policy.require(rule)
        return policy

    def _with_mode(self, policy: PromotionPolicy) -> PromotionPolicy:
        try:
            return replace(policy, mode=Mode(self.mode))
        except ValueError:
            self.problems["mode"] = "Choose what happens if a version fails."
            return policy

    def _with_coverage(self, policy: PromotionPolicy) -> PromotionPolicy:
        if not self.min_test_coverage.strip():
            return policy
        try:
            return policy.require_test_coverage(
                number_of(self.min_test_coverage, "The minimum test coverage")
            )
        except InvalidInput as error:
            self.problems["min_test_coverage"] = str(error)
            return policy

    def _with_approvals(self, policy: PromotionPolicy) -> PromotionPolicy:
        text = self.required_approvals.strip() or "0"
        count = whole_number(text, at_least=-NUMBER_MAX)
        if count is None:
            self.problems["required_approvals"] = (
                f"“{text[:32]}” is not a whole number. Enter a number such as 2."
            )
            return policy
        try:
            return policy.require_approvals(count)
        except InvalidInput as error:
            self.problems["required_approvals"] = str(error)
            return policy


def _with(
    policy: PromotionPolicy, requirement: Requirement, problems: dict[str, str], name: str
) -> PromotionPolicy:
    """Return the policy with the requirement; if it is refused, store the problem."""
    try:
        return policy.require(requirement)
    except InvalidInput as error:
        problems[name] = str(error)
        return policy


def pressed(posted: Mapping[str, str]) -> str:
    """Return which button sent the form: ``save``, ``add``, ``remove`` or ``try``."""
    return next((button for button in ("add", "remove", "try") if button in posted), "save")
