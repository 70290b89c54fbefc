"""What a filter says of a version, as frozen parts that judge one or are turned into a query.

`str` of any of them is a text that `obeya.filters.language.parse_filter` reads as the same.
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

# Databases agree on the case of these letters alone.
_FOLDED = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_MICROSECOND = timedelta(microseconds=1)
_Ordered = TypeVar("_Ordered", int, datetime)


class Field(StrEnum):
    """What a version has one of, or (`ALIAS`) a list of."""

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
        """Whether it holds a time."""
        return self in (Field.CREATED, Field.UPDATED, Field.ENTERED)

    @property
    def is_text(self) -> bool:
        """Whether it holds a text, empty where nothing was stated."""
        return not self.is_time and self not in (Field.VERSION, Field.STAGE)

    @property
    def may_be_missing(self) -> bool:
        """Whether a version can be without."""
        return self.is_text and self is not Field.MODEL


@dataclass(frozen=True, slots=True)
class MetricName:
    """The metric of a version, by its name."""

    name: str

    def __str__(self) -> str:
        return f"metrics.{name_text(self.name)}"


@dataclass(frozen=True, slots=True)
class TagKey:
    """The tag of a version, by its key."""

    key: str

    def __str__(self) -> str:
        return f"tags.{name_text(self.key)}"


Subject: TypeAlias = Field | MetricName | TagKey


class Operator(StrEnum):
    """How a version's value is held against what the filter states."""

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
        """The comparison of numbers that it is; of `NE`, that which must not hold."""
        return Comparison.EQ if self is Operator.NE else Comparison(self.value)


SIGNS = tuple(operator for operator in Operator if not operator.isalpha())


@dataclass(frozen=True, slots=True)
class Day:
    """A day in UTC."""

    date: date

    def span(self, now: datetime) -> tuple[datetime, datetime]:
        """The first and the last microsecond of the day."""
        first = datetime.combine(self.date, time(), UTC)
        return first, first + timedelta(days=1) - _MICROSECOND

    def __str__(self) -> str:
        return self.date.isoformat()


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time, in UTC."""

    at: datetime

    def span(self, now: datetime) -> tuple[datetime, datetime]:
        """The moment, twice."""
        return self.at, self.at

    def __str__(self) -> str:
        return self.at.isoformat()


@dataclass(frozen=True, slots=True)
class Ago:
    """A number of minutes, hours, days or weeks before now: ``7d``."""

    number: int
    unit: str

    def span(self, now: datetime) -> tuple[datetime, datetime]:
        """The moment that was so long ago, twice."""
        moment = now - self.length
        return moment, moment

    @property
    def length(self) -> timedelta:
        """How long ago it is."""
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
    """A metric held against a number; false, whatever the sign, of a version without it."""

    metric: str
    operator: Operator
    number: float

    def matches(self, version: ModelVersion, now: datetime) -> bool:
        """Whether it is true of the version."""
        value = version.metrics.get(self.metric)
        if value is None:
            return False
        holds = self.operator.comparison.holds(value, self.number)
        return holds is not (self.operator is Operator.NE)

    def __str__(self) -> str:
        return f"{MetricName(self.metric)} {self.operator.value} {number_text(self.number)}"


@dataclass(frozen=True, slots=True)
class TextTerm:
    """A text or a tag held against texts: one, or with `Operator.IN` any number.

    A tag that a version does not have is unlike nothing: ``!=`` is false of it too. An alias is
    like a text where any of the version's is, and unlike it where none is.
    """

    subject: Field | TagKey
    operator: Operator
    texts: tuple[str, ...]

    def matches(self, version: ModelVersion, now: datetime) -> bool:
        """Whether it is true of the version."""
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
    """The version's number held against one, or with `Operator.IN` any number of them."""

    operator: Operator
    numbers: tuple[int, ...]

    def matches(self, version: ModelVersion, now: datetime) -> bool:
        """Whether it is true of the version."""
        if self.operator is Operator.IN:
            return version.version in self.numbers
        return _holds(self.operator, version.version, self.numbers[0], self.numbers[0])

    def __str__(self) -> str:
        return _listed(Field.VERSION, self.operator, [str(number) for number in self.numbers])


@dataclass(frozen=True, slots=True)
class StageTerm:
    """The version's stage is one of these, or with `Operator.NE` is not the one."""

    operator: Operator
    stages: tuple[Stage, ...]

    def matches(self, version: ModelVersion, now: datetime) -> bool:
        """Whether it is true of the version."""
        return (version.stage in self.stages) is not (self.operator is Operator.NE)

    def __str__(self) -> str:
        return _listed(Field.STAGE, self.operator, [stage.label for stage in self.stages])


@dataclass(frozen=True, slots=True)
class TimeTerm:
    """A time held against another. A day is equal to all that lies in it.

    False where the time is not known, as `obeya.records.ModelVersion.updated_at` may be.
    """

    field: Field
    operator: Operator
    when: When

    def matches(self, version: ModelVersion, now: datetime) -> bool:
        """Whether it is true of the version."""
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
    """The version has such a metric or tag, or the text is not empty."""

    subject: Subject

    def matches(self, version: ModelVersion, now: datetime) -> bool:
        """Whether it is true of the version."""
        if isinstance(self.subject, MetricName):
            return self.subject.name in version.metrics
        values = texts_of(version, self.subject)
        return any(values) if isinstance(self.subject, Field) else bool(values)

    def __str__(self) -> str:
        return f"has {subject_text(self.subject)}"


@dataclass(frozen=True, slots=True)
class Not:
    """True where the part is false."""

    part: Expression

    def matches(self, version: ModelVersion, now: datetime) -> bool:
        """Whether it is true of the version."""
        return not self.part.matches(version, now)

    def __str__(self) -> str:
        return f"not {_inside(self.part, And, Or)}"


@dataclass(frozen=True, slots=True)
class And:
    """True where all of its parts, two or more, are."""

    parts: tuple[Expression, ...]

    def matches(self, version: ModelVersion, now: datetime) -> bool:
        """Whether it is true of the version."""
        return all(part.matches(version, now) for part in self.parts)

    def __str__(self) -> str:
        return " and ".join(_inside(part, And, Or) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Or:
    """True where any of its parts, two or more, is."""

    parts: tuple[Expression, ...]

    def matches(self, version: ModelVersion, now: datetime) -> bool:
        """Whether it is true of the version."""
        return any(part.matches(version, now) for part in self.parts)

    def __str__(self) -> str:
        return " or ".join(_inside(part, Or) for part in self.parts)


Term: TypeAlias = MetricTerm | TextTerm | NumberTerm | StageTerm | TimeTerm | Has
Expression: TypeAlias = Term | Not | And | Or


def texts_of(version: ModelVersion, subject: Field | TagKey) -> tuple[str, ...]:
    """The texts that a version has of a text or tag: several of `Field.ALIAS`, none of no tag."""
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
    """The subject as a filter writes it."""
    return subject.value if isinstance(subject, Field) else str(subject)


def _holds(operator: Operator, value: _Ordered, first: _Ordered, last: _Ordered) -> bool:
    """Whether the value compares so with what lasts from `first` to `last`, both included."""
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
    """A part as it stands in another: in parentheses where it would be read otherwise."""
    return f"({part})" if isinstance(part, kinds) else str(part)
