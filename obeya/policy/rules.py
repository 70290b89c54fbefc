"""Requirements without a metric: time in stage, tags, texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from obeya import names
from obeya.errors import InvalidInput
from obeya.look_alikes.characters import is_blank
from obeya.metrics import finite
from obeya.policy.bounds import number_text
from obeya.policy.requirements import (
    Definitions,
    Evidence,
    Outcome,
    RequirementOutcome,
    Rule,
)
from obeya.policy.tag_text import read_tag, tag_text

HOURS_MAX = 87_600


@dataclass(frozen=True, slots=True)
class TimeInStage(Rule):
    """A minimum time, in hours, of the version in the stage that it leaves.

    Raises:
        InvalidInput: the hours are not a number above 0 and up to 87,600 (ten years).
    """

    hours: float

    def __post_init__(self) -> None:
        hours = finite(self.hours, what="The time in the previous stage")
        if not 0 < hours <= HOURS_MAX:
            raise InvalidInput(
                f"The time in the previous stage must be more than 0 and at most {HOURS_MAX:,} "
                "hours.",
                field="hours_in_stage",
            )
        object.__setattr__(self, "hours", hours)

    def describe(self) -> str:
        """Return ``at least 24 hours in the previous stage``."""
        unit = "hour" if self.hours == 1 else "hours"
        return f"at least {number_text(self.hours)} {unit} in the previous stage"

    def check(
        self, evidence: Evidence, champion: Evidence | None, definitions: Definitions
    ) -> RequirementOutcome:
        """Compare the time since the version entered its stage with the required hours."""
        line = self.describe()
        if evidence.time_in_stage is None:
            return RequirementOutcome.of_rule(
                line, Outcome.MISSING, "The time in its stage is not known."
            )
        hours = evidence.time_in_stage.total_seconds() / 3600
        passed = hours >= self.hours
        # Rounded down, so that no sentence says 24 of 24 hours for a failure.
        shown = f"{int(hours * 10) / 10:g}"
        sentence = f"The version has been in its stage for {shown} hours" + (
            "." if passed else f"; required: {number_text(self.hours)}."
        )
        return RequirementOutcome.of_rule(
            line, Outcome.PASSED if passed else Outcome.FAILED, sentence
        )

    def to_document(self) -> dict[str, Any]:
        """Return ``{"hours_in_stage": ...}``."""
        return {"hours_in_stage": self.hours}


@dataclass(frozen=True, slots=True)
class RequiredTag(Rule):
    """A tag that the version must have; with `value` None any value passes.

    Raises:
        InvalidInput: the key or the value is not valid for a tag.
    """

    key: str
    value: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", names.tag_key(self.key))
        if self.value is not None:
            object.__setattr__(self, "value", names.tag_value(self.value))

    @classmethod
    def parse(cls, line: str) -> RequiredTag:
        """Parse the text form of `line`.

        Raises:
            InvalidInput: the line is not a tag.
        """
        return cls(*read_tag(line))

    @property
    def line(self) -> str:
        """``reviewed`` or ``risk = low``; an ambiguous text is quoted as in JSON."""
        return tag_text(self.key, self.value, equals=" = ")

    def describe(self) -> str:
        """Return ``tag reviewed`` or ``tag risk = low``."""
        return f"tag {self.line}"

    def check(
        self, evidence: Evidence, champion: Evidence | None, definitions: Definitions
    ) -> RequirementOutcome:
        """Check whether the version has the tag."""
        line, found = self.describe(), evidence.tags.get(self.key)
        if found is None:
            return RequirementOutcome.of_rule(
                line, Outcome.MISSING, f"The tag “{self.key}” is not set."
            )
        if self.value is not None and found != self.value:
            return RequirementOutcome.of_rule(
                line,
                Outcome.FAILED,
                f"The tag “{self.key}” is “{found[:64]}”; required: “{self.value[:64]}”.",
            )
        return RequirementOutcome.of_rule(
            line, Outcome.PASSED, f"The tag “{self.key}” is “{found[:64]}”."
        )

    def to_document(self) -> dict[str, Any]:
        """Return ``{"tag": ..., "value": ...}``."""
        return {"tag": self.key, "value": self.value}


@dataclass(frozen=True, slots=True)
class RequiredDescription(Rule):
    """The version must have a description."""

    def describe(self) -> str:
        """Return ``a description``."""
        return "a description"

    def check(
        self, evidence: Evidence, champion: Evidence | None, definitions: Definitions
    ) -> RequirementOutcome:
        """Check that there is a description in which something can be seen."""
        if not is_blank(evidence.description):
            return RequirementOutcome.of_rule(
                self.describe(), Outcome.PASSED, "The version has a description."
            )
        return RequirementOutcome.of_rule(
            self.describe(), Outcome.MISSING, "The version has no description."
        )

    def to_document(self) -> dict[str, Any]:
        """Return ``{"description": true}``."""
        return {"description": True}
