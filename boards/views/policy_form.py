"""The form of a promotion policy: text from the page, and the policy that it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import zip_longest

from django.http import QueryDict

from boards.queries.whole_number import whole_number
from obeya import names
from obeya.errors import InvalidInput
from obeya.metrics import finite
from obeya.policies import (
    REQUIREMENTS_MAX,
    ArtifactDigest,
    ChampionRequirement,
    Comparison,
    MetricRequirement,
    Mode,
    NoPickle,
    PromotionPolicy,
    RequiredDescription,
    RequiredTag,
    Requirement,
    TimeInStage,
    number_text,
)
from obeya.registry import NUMBER_MAX
from obeya.stages import Stage

NUMBER_TEXT_MAX = 64


class Against(StrEnum):
    """What a metric is held against."""

    VALUE = "value"
    CHAMPION = "champion"
    CHAMPION_PERCENT = "champion_percent"
    CHAMPION_NOISE = "champion_noise"
    CHAMPION_PERCENT_NOISE = "champion_percent_noise"

    @property
    def label(self) -> str:
        """The choice as the form shows it."""
        return {
            Against.VALUE: "this value",
            Against.CHAMPION: "the champion",
            Against.CHAMPION_PERCENT: "the champion, in %",
            Against.CHAMPION_NOISE: "the champion, beyond noise",
            Against.CHAMPION_PERCENT_NOISE: "the champion, in %, beyond noise",
        }[self]

    @classmethod
    def of(cls, requirement: ChampionRequirement) -> Against:
        """The choice that says how a requirement is held against the champion."""
        return {
            (False, False): Against.CHAMPION,
            (True, False): Against.CHAMPION_PERCENT,
            (False, True): Against.CHAMPION_NOISE,
            (True, True): Against.CHAMPION_PERCENT_NOISE,
        }[requirement.in_percent, requirement.beyond_noise]

    @property
    def in_percent(self) -> bool:
        """Whether the distance from the champion is in percent."""
        return self in (Against.CHAMPION_PERCENT, Against.CHAMPION_PERCENT_NOISE)

    @property
    def beyond_noise(self) -> bool:
        """Whether the difference has to be larger than noise."""
        return self in (Against.CHAMPION_NOISE, Against.CHAMPION_PERCENT_NOISE)


@dataclass(slots=True)
class RequirementRow:
    """One metric requirement as it was typed, with a sentence for each field that cannot be.

    `threshold` is the bound, or how far from the champion's value it lies.
    """

    metric: str = ""
    comparison: str = Comparison.GTE.value
    threshold: str = ""
    against: str = Against.VALUE.value
    problems: dict[str, str] = field(default_factory=dict)
    is_new: bool = False

    @property
    def is_blank(self) -> bool:
        """Whether nothing was typed; such a row is no requirement and no mistake."""
        return not (self.metric.strip() or self.threshold.strip())


@dataclass(slots=True)
class PolicyForm:
    """What the form shows. `problems` are sentences by field, those of rows are on the rows.

    `tags` holds one required tag a line, ``key`` or ``key = value``.
    """

    rows: list[RequirementRow] = field(default_factory=list)
    min_test_coverage: str = ""
    required_approvals: str = "0"
    hours_in_stage: str = ""
    tags: str = ""
    description: bool = False
    artifact_digest: bool = False
    no_pickle: bool = False
    auto_promote: bool = False
    mode: str = Mode.ENFORCE.value
    problems: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, policy: PromotionPolicy) -> PolicyForm:
        """The form that says `policy`, with a blank row where it asks for no metric."""
        kinds = {type(requirement) for requirement in policy.requirements}
        hours = [r.hours for r in policy.requirements if isinstance(r, TimeInStage)]
        tags = [r for r in policy.requirements if isinstance(r, RequiredTag)]
        floor = policy.min_test_coverage
        return cls(
            _rows(policy) or [RequirementRow()],
            "" if floor is None else number_text(floor),
            str(policy.required_approvals),
            # Of several only the longest matters.
            number_text(max(hours)) if hours else "",
            "\n".join(t.key if t.value is None else f"{t.key} = {t.value}" for t in tags),
            RequiredDescription in kinds,
            ArtifactDigest in kinds,
            NoPickle in kinds,
            policy.auto_promote,
            policy.mode.value,
        )

    @classmethod
    def read(cls, posted: QueryDict) -> PolicyForm:
        """The form as it was sent. Rows beyond what a policy can hold are left out."""
        rows = zip_longest(
            posted.getlist("metric"),
            posted.getlist("comparison"),
            posted.getlist("threshold"),
            posted.getlist("against"),
        )
        return cls(
            [
                RequirementRow(metric or "", sign or "", number or "", against or Against.VALUE)
                for metric, sign, number, against in rows
            ][: REQUIREMENTS_MAX + 1],
            posted.get("min_test_coverage", ""),
            posted.get("required_approvals", ""),
            posted.get("hours_in_stage", ""),
            posted.get("tags", "").replace("\r\n", "\n"),
            "description" in posted,
            "artifact_digest" in posted,
            "no_pickle" in posted,
            "auto_promote" in posted,
            posted.get("mode", Mode.ENFORCE.value),
        )

    def add_row(self) -> None:
        """Append a blank requirement."""
        self.rows.append(RequirementRow(is_new=True))

    def remove_row(self, place: str) -> None:
        """Take out the requirement at `place`, counted from 0; a place that is none is left."""
        number = whole_number(place)
        if number is not None:
            del self.rows[number : number + 1]

    def policy(self, stage: Stage) -> PromotionPolicy | None:
        """The policy that the form says; None when something in it cannot be.

        What cannot be is then in the problems of the form and of its rows.
        """
        policy = PromotionPolicy(stage, auto_promote=self.auto_promote)
        for row in self.rows:
            requirement = None if row.is_blank else _requirement(row)
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
                hours = TimeInStage(_number(self.hours_in_stage, "The time"))
                policy = policy.require(hours)
            except InvalidInput as error:
                self.problems["hours_in_stage"] = str(error)
        for line in filter(str.strip, self.tags.split("\n")[: REQUIREMENTS_MAX + 1]):
            key, equals, value = (part.strip() for part in line.partition("="))
            try:
                tag = RequiredTag(key, value if equals else None)
            except InvalidInput as error:
                self.problems["tags"] = str(error)
                continue
            policy = _with(policy, tag, self.problems, "tags")
        for asked, rule in (
            (self.description, RequiredDescription()),
            (self.artifact_digest, ArtifactDigest()),
            (self.no_pickle, NoPickle()),
        ):
            if asked:
                policy = policy.require(rule)
        return policy

    def _with_mode(self, policy: PromotionPolicy) -> PromotionPolicy:
        try:
            return replace(policy, mode=Mode(self.mode))
        except ValueError:
            self.problems["mode"] = "Choose whether the policy refuses or only warns."
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
        count = whole_number(text, at_least=-NUMBER_MAX)
        if count is None:
            self.problems["required_approvals"] = (
                f"“{text[:32]}” is not a whole number; write it like 2."
            )
            return policy
        try:
            return policy.require_approvals(count)
        except InvalidInput as error:
            self.problems["required_approvals"] = str(error)
            return policy


def _rows(policy: PromotionPolicy) -> list[RequirementRow]:
    rows = []
    for requirement in policy.requirements:
        if isinstance(requirement, MetricRequirement):
            bound, against = requirement.threshold, Against.VALUE
        elif isinstance(requirement, ChampionRequirement):
            bound, against = requirement.offset, Against.of(requirement)
        else:
            continue
        rows.append(
            RequirementRow(
                requirement.metric,
                requirement.comparison.value,
                number_text(bound),
                against.value,
            )
        )
    return rows


def _with(
    policy: PromotionPolicy, requirement: Requirement, problems: dict[str, str], name: str
) -> PromotionPolicy:
    """The policy with the requirement; where it cannot have it, the problem is noted."""
    try:
        return policy.require(requirement)
    except InvalidInput as error:
        problems[name] = str(error)
        return policy


def _requirement(row: RequirementRow) -> MetricRequirement | ChampionRequirement | None:
    """The row's requirement; None when a field of it cannot be, which is then in its problems."""
    metric = comparison = number = against = None
    try:
        metric = names.metric_name(row.metric)
    except InvalidInput as error:
        row.problems["metric"] = str(error)
    try:
        comparison = Comparison.parse(row.comparison)
    except InvalidInput as error:
        row.problems["comparison"] = str(error)
    try:
        against = Against(row.against)
    except ValueError:
        row.problems["against"] = "Choose what the metric is held against."
    relative = against not in (None, Against.VALUE)
    try:
        # As good as the champion is what a row says that names no distance from it.
        text = row.threshold if row.threshold.strip() or not relative else "0"
        number = _number(text, "The threshold")
    except InvalidInput as error:
        row.problems["threshold"] = str(error)
    if metric is None or comparison is None or number is None or against is None:
        return None
    if not relative:
        return MetricRequirement(metric, comparison, number)
    try:
        return ChampionRequirement(
            metric, comparison, number, against.in_percent, against.beyond_noise
        )
    except InvalidInput as error:
        row.problems["comparison"] = str(error)
        return None


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
    """Which button sent the form: ``save``, ``add``, ``remove`` or ``try``."""
    return next((button for button in ("add", "remove", "try") if button in posted), "save")
