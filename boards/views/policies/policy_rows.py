"""The rows of a policy's form with metric requirements: their text, and their meaning."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from obeya import names
from obeya.errors import InvalidInput
from obeya.metrics import finite
from obeya.policy.bounds import Comparison, number_text
from obeya.policy.policy import PromotionPolicy
from obeya.policy.requirements import ChampionRequirement, MetricRequirement

NUMBER_TEXT_MAX = 64


class Against(StrEnum):
    """What a metric is compared with."""

    VALUE = "value"
    CHAMPION = "champion"
    CHAMPION_PERCENT = "champion_percent"
    CHAMPION_NOISE = "champion_noise"
    CHAMPION_PERCENT_NOISE = "champion_percent_noise"

    @property
    def label(self) -> str:
        """The text of the choice in the form."""
        return {
            Against.VALUE: "fixed value",
            Against.CHAMPION: "champion",
            Against.CHAMPION_PERCENT: "champion, in %",
            Against.CHAMPION_NOISE: "champion, beyond noise",
            Against.CHAMPION_PERCENT_NOISE: "champion, in %, beyond noise",
        }[self]

    @classmethod
    def of(cls, requirement: ChampionRequirement) -> Against:
        """Return the choice for a requirement that compares with the champion."""
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


@dataclass(slots=True, kw_only=True)
class RequirementRow:
    """One metric requirement as it was typed, with a sentence for each invalid field.

    `threshold` is the limit, or its distance from the champion's value.
    """

    metric: str = ""
    comparison: str = Comparison.GTE.value
    threshold: str = ""
    against: str = Against.VALUE.value
    problems: dict[str, str] = field(default_factory=dict)
    is_new: bool = False

    @property
    def is_blank(self) -> bool:
        """Whether the row is blank. Blank rows are ignored."""
        return not (self.metric.strip() or self.threshold.strip())


def rows_of(policy: PromotionPolicy) -> list[RequirementRow]:
    """Return a row for each metric requirement of the policy."""
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
                metric=requirement.metric,
                comparison=requirement.comparison.value,
                threshold=number_text(bound),
                against=against.value,
            )
        )
    return rows


def requirement_of(row: RequirementRow) -> MetricRequirement | ChampionRequirement | None:
    """Return the row's requirement; None if a field is invalid, with the error in its problems."""
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
        row.problems["against"] = "Choose what to compare the metric with."
    relative = against not in (None, Against.VALUE)
    try:
        # A row without a distance from the champion means: as good as the champion.
        text = row.threshold if row.threshold.strip() or not relative else "0"
        number = number_of(text, "The required value")
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


def number_of(text: str, what: str) -> float:
    """Return the finite number in a text.

    Raises:
        InvalidInput: it is not one; the sentence contains `what`.
    """
    text = text.strip().replace("−", "-")
    if not text:
        raise InvalidInput(f"{what} cannot be empty.")
    try:
        number = float(text) if len(text) <= NUMBER_TEXT_MAX else None
    except ValueError:
        number = None
    if number is None:
        raise InvalidInput(f"“{text[:32]}” is not a number. Enter a number such as 80 or 0.9.")
    return finite(number, what=what)
