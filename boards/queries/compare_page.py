"""Versions side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from boards.queries.records import definitions, find_model, find_version, version_records
from obeya.comparison import DiffOutcome, MetricDiff, VersionComparison, compare
from obeya.errors import InvalidInput
from obeya.metrics import Direction
from obeya.records import ModelVersion
from obeya.registry import version_number


@dataclass(frozen=True, slots=True)
class VersionRef:
    """A version as a URL names it: ``resnet50:17``."""

    model: str
    number: int

    @classmethod
    def parse(cls, text: str) -> VersionRef:
        """Read ``NAME:NUMBER``; a name has no colon.

        Raises:
            InvalidInput: it is not of that form.
        """
        model, colon, number = text.strip().rpartition(":")
        number = number.strip().removeprefix("v")
        if not (colon and model.strip() and number.isascii() and number.isdigit()):
            raise InvalidInput(
                f"“{text[:64]}” names no version; write the model and the number, such as "
                "resnet50:17.",
                field="v",
            )
        return cls(model.strip(), version_number(int(number)))

    def __str__(self) -> str:
        return f"{self.model}:{self.number}"


@dataclass(frozen=True, slots=True)
class ComparePage:
    """Two versions and how the second stands to the first, the baseline."""

    baseline: ModelVersion
    challenger: ModelVersion
    comparison: VersionComparison

    @property
    def diffs(self) -> Sequence[MetricDiff]:
        """Every metric that either has, by name."""
        return tuple(self.comparison.metric_diffs.values())

    @property
    def different(self) -> Sequence[MetricDiff]:
        """The metrics in which the two differ at all."""
        return tuple(diff for diff in self.diffs if diff.outcome is not DiffOutcome.EQUAL)

    @property
    def judged(self) -> int:
        """How many metrics are comparable and have a direction."""
        return sum(
            diff.outcome.is_comparable and diff.definition.direction is not Direction.UNKNOWN
            for diff in self.diffs
        )

    def count(self, outcome: DiffOutcome) -> int:
        """How many metrics came out this way."""
        return sum(diff.outcome is outcome for diff in self.diffs)

    @property
    def better(self) -> int:
        """In how many metrics the challenger is better."""
        return self.count(DiffOutcome.BETTER)

    @property
    def worse(self) -> int:
        """In how many metrics the challenger is worse."""
        return self.count(DiffOutcome.WORSE)


def compare_page(baseline: VersionRef, challenger: VersionRef) -> ComparePage:
    """Hold the challenger against the baseline; a fixed number of statements.

    Raises:
        NotFound: there is no such model or version.
    """
    rows = [find_version(find_model(ref.model), ref.number) for ref in (baseline, challenger)]
    a, b = version_records(rows)
    return ComparePage(a, b, compare((str(a), a.metrics), (str(b), b.metrics), definitions()))
