"""The parsed form of a filter: frozen nodes that match versions or are converted to a query.

`str` of any node is a text that `obeya.filters.language.parse_filter` parses to an equal node.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import TypeAlias, TypeVar

from obeya.filters.tokens import name_text, quoted
from obeya.policy.bounds import Comparison, number_text
from obeya.records import ModelVersion
from obeya.stages import Stage

# Databases agree on the case of these letters only.
_FOLDED = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_MICROSECOND = timedelta(microseconds=1)
_Ordered = TypeVar("_Ordered", int, datetime)


class Field(StrEnum):
    """A field of a version; `ALIAS` is a list, every other field is a single value."""

    MODEL = "model"
    VERSION = "version"
    LABEL = "label"
    STAGE = "stage"
    OWNER = "owner"
    ALIAS = "alias"
    DESCRIPTION = "description"
    CREATED = "created"
    UPDATED = "updated"
    ENTERED = "entered"
    ARTIFACT_URI = "artifact_uri"
    SOURCE_RUN = "source_run"

    @property
    def is_time(self) -> bool:
        """Whether the field is a time."""
        return self in (Field.CREATED, Field.UPDATED, Field.ENTERED)

    @property
    def is_text(self) -> bool:
        """Whether the field is a text, empty if not stated."""
        return not self.is_time and self not in (Field.VERSION, Field.STAGE)

    @property
    def may_be_missing(self) -> bool:
        """Whether a version can lack the field."""
        return self.is_text and self is not Field.MODEL


@dataclass(frozen=True, slots=True)
class MetricName:
    """A metric of a version, by its name."""

    name: str

    def __str__(self) -> str:
        return f"metrics.{name_text(self.name)}"


@dataclass(frozen=True, slots=True)
class TagKey:
    """A tag of a version, by its key."""

    key: str

    def __str__(self) -> str:
        return f"tags.{name_text(self.key)}"


Subject: TypeAlias = Field | MetricName | TagKey


class Operator(StrEnum):
    """The operator that compares a version's value with the value in the filter."""

    EQ = "="
    NE = "!="
    GT = ">"
    GTE = ">="
    LT = "<"
    LTE = "<="
    CONTAINS = "contains"
    IN = "in"

    @property
    def comparison(self) -> Comparison:
        """The comparison of numbers for this operator; for `NE`, the one that must be false."""
        return Comparison.EQ if self is Operator.NE else Comparison(self.value)


SIGNS = tuple(operator for operator in Operator if not operator.isalpha())


@dataclass(frozen=True, slots=True)
class Day:
    """A day in UTC."""

    date: date

    def span(self, now: datetime) -> tuple[datetime, datetime]:
        """Return the first and the last microsecond of the day."""
        first = datetime.combine(self.date, time(), UTC)
        return first, first + timedelta(days=1) - _MICROSECOND

    def __str__(self) -> str:
        return self.date.isoformat()


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time, in UTC."""

    at: datetime

    def span(self, now: datetime) -> tuple[datetime, datetime]:
        """Return the time, twice."""
        return self.at, self.at

    def __str__(self) -> str:
        return self.at.isoformat()


@dataclass(frozen=True, slots=True)
class Ago:
    """A number of minutes, hours, days or weeks before now: ``7d``."""

    number: int
    unit: str

    def span(self, now: datetime) -> tuple[datetime, datetime]:
        """Return the time so long before `now`, twice."""
        moment = now - self.length
        return moment, moment

    @property
    def length(self) -> timedelta:
        """The length of time before now."""
        return self.number * UNITS[self.unit]

    def __str__(self) -> str:
        return f"{self.number}{self.unit}"


UNITS: Mapping[str, timedelta] = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}

When: TypeAlias = Day | Moment | Ago


@dataclass(frozen=True, slots=True)
class MetricTerm:
    """A comparison of a metric with a number; always false for a version without the metric."""

    metric: str
    operator: Operator
    number: float

    def matches(self, version: ModelVersion, now: datetime) -> bool:
        """Return whether the term is true for the version."""
        value = version.metrics.get(self.metric)
        if value is None:
            return False
        holds = self.operator.comparison.holds(value, self.number)
        return holds is not (self.operator is Operator.NE)

    def __str__(self) -> str:
        return f"{MetricName(self.metric)} {self.operator.value} {number_text(self.number)}"


@dataclass(frozen=True, slots=True)
class TextTerm:
    """A comparison of a text or a tag with texts: one, or several with `Operator.IN`.

    For a tag that the version does not have, every operator is false, including ``!=``. Aliases
    match if any alias of the version does; ``!=`` is true if no alias is equal.
    """

    subject: Field | TagKey
    operator: Operator
    texts: tuple[str, ...]

    def matches(self, version: ModelVersion, now: datetime) -> bool:
        """Return whether the term is true for the version."""
        values = texts_of(version, self.subject)
        match self.operator:
            case Operator.CONTAINS:
                part = _folded(self.texts[0])
                return any(part in _folded(value) for value in values)
            case Operator.NE:
                there = bool(values) or isinstance(self.subject, Field)
                return there and not any(value in self.texts for value in values)
            case _:
                return any(value in self.texts for value in values)

    def __str__(self) -> str:
        return _listed(self.subject, self.operator, [quoted(text) for text in self.texts])


@dataclass(frozen=True, slots=True)
class NumberTerm:
    """A comparison of the version number with a number, or several with `Operator.IN`."""

    operator: Operator
    numbers: tuple[int, ...]

    def matches(self, version: ModelVersion, now: datetime) -> bool:
        """Return whether the term is true for the version."""
        if self.operator is Operator.IN:
            return version.version in self.numbers
        return _holds(self.operator, version.version, self.numbers[0], self.numbers[0])

    def __str__(self) -> str:
        return _listed(Field.VERSION, self.operator, [str(number) for number in self.numbers])


@dataclass(frozen=True, slots=True)
class StageTerm:
    """The version's stage is one of these, or with `Operator.NE` is not the given one."""

    operator: Operator
    stages: tuple[Stage, ...]

    def matches(self, version: ModelVersion, now: datetime) -> bool:
        """Return whether the term is true for the version."""
        return (version.stage in self.stages) is not (self.operator is Operator.NE)

    def __str__(self) -> str:
        return _listed(Field.STAGE, self.operator, [stage.label for stage in self.stages])


@dataclass(frozen=True, slots=True)
class TimeTerm:
    """A comparison of a time of the version with another time.

    A day is equal to every time in it. The term is false if the time is not known:
    `obeya.records.ModelVersion.updated_at` can be None.
    """

    field: Field
    operator: Operator
    when: When

    def matches(self, version: ModelVersion, now: datetime) -> bool:
        """Return whether the term is true for the version."""
        moment = {
            Field.CREATED: version.created_at,
            Field.UPDATED: version.updated_at,
            Field.ENTERED: version.stage_entered_at,
        }[self.field]
        if moment is None:
            return False
        return _holds(self.operator, moment, *self.when.span(now))

    def __str__(self) -> str:
        return f"{self.field.value} {self.operator.value} {self.when}"


@dataclass(frozen=True, slots=True)
class Has:
    """The version has this metric or tag, or this text of the version is not empty."""

    subject: Subject

    def matches(self, version: ModelVersion, now: datetime) -> bool:
        """Return whether the term is true for the version."""
        if isinstance(self.subject, MetricName):
            return self.subject.name in version.metrics
        values = texts_of(version, self.subject)
        return any(values) if isinstance(self.subject, Field) else bool(values)

    def __str__(self) -> str:
        return f"has {subject_text(self.subject)}"


@dataclass(frozen=True, slots=True)
class Not:
    """True if the part is false."""

    part: Expression

    def matches(self, version: ModelVersion, now: datetime) -> bool:
        """Return whether the expression is true for the version."""
        return not self.part.matches(version, now)

    def __str__(self) -> str:
        return f"not {_inside(self.part, And, Or)}"


@dataclass(frozen=True, slots=True)
class And:
    """True if all of its parts are true. There are two or more."""

    parts: tuple[Expression, ...]

    def matches(self, version: ModelVersion, now: datetime) -> bool:
        """Return whether the expression is true for the version."""
        return all(part.matches(version, now) for part in self.parts)

    def __str__(self) -> str:
        return " and ".join(_inside(part, And, Or) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Or:
    """True if any of its parts is true. There are two or more."""

    parts: tuple[Expression, ...]

    def matches(self, version: ModelVersion, now: datetime) -> bool:
        """Return whether the expression is true for the version."""
        return any(part.matches(version, now) for part in self.parts)

    def __str__(self) -> str:
        return " or ".join(_inside(part, Or) for part in self.parts)


Term: TypeAlias = MetricTerm | TextTerm | NumberTerm | StageTerm | TimeTerm | Has
Expression: TypeAlias = Term | Not | And | Or


def texts_of(version: ModelVersion, subject: Field | TagKey) -> tuple[str, ...]:
    """Return the texts of a version for a text field or tag.

    `Field.ALIAS` can have several; an absent tag has none.
    """
    if isinstance(subject, TagKey):
        return (version.tags[subject.key],) if subject.key in version.tags else ()
    if subject is Field.ALIAS:
        return version.aliases
    return (
        {
            Field.MODEL: version.model,
            Field.LABEL: version.label,
            Field.OWNER: version.owner,
            Field.DESCRIPTION: version.description,
            Field.ARTIFACT_URI: version.artifact_path,
            Field.SOURCE_RUN: version.source_run,
        }[subject],
    )


def subject_text(subject: Subject) -> str:
    """Return the subject as written in a filter."""
    return subject.value if isinstance(subject, Field) else str(subject)


def _holds(operator: Operator, value: _Ordered, first: _Ordered, last: _Ordered) -> bool:
    """Return whether the comparison of the value with the range `first` to `last` is true.

    Both ends are included.
    """
    match operator:
        case Operator.GT:
            return value > last
        case Operator.GTE:
            return value >= first
        case Operator.LT:
            return value < first
        case Operator.LTE:
            return value <= last
        case Operator.NE:
            return not first <= value <= last
        case _:
            return first <= value <= last


def _folded(text: str) -> str:
    return text.translate(_FOLDED)


def _listed(subject: Subject, operator: Operator, values: list[str]) -> str:
    stated = f"({', '.join(values)})" if operator is Operator.IN else values[0]
    return f"{subject_text(subject)} {operator.value} {stated}"


def _inside(part: Expression, *kinds: type[And | Or]) -> str:
    """Return a part for use in another part, in parentheses if they are needed."""
    return f"({part})" if isinstance(part, kinds) else str(part)
