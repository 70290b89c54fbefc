"""The filter language: ``metrics.imagenet_top1 >= 80 and tags.family = "resnet"``.

`parse_filter` parses a filter, `parse_ordering` (in `obeya.filters.ordering`) the sort order of its
result. docs/filters.md describes both. The length, the number of terms and the nesting are limited,
so that no text takes more than a few milliseconds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

from obeya import names
from obeya.errors import InvalidInput
from obeya.filters.expressions import (
    SIGNS,
    UNITS,
    Ago,
    And,
    Day,
    Expression,
    Field,
    Has,
    MetricName,
    MetricTerm,
    Moment,
    Not,
    NumberTerm,
    Operator,
    Or,
    StageTerm,
    Subject,
    TagKey,
    Term,
    TextTerm,
    TimeTerm,
    When,
    subject_text,
)
from obeya.filters.tokens import FilterError, Kind, Token, TokenReader, tokens
from obeya.stages import Stage
from obeya.values import version_number

TERMS_MAX = 64
NESTING_MAX = 16
AGO_MAX = timedelta(days=36_500)
# Large enough to exceed the limit in every unit, small enough to calculate with.
_AGO_MAX = 100_000_000

KEYWORDS = frozenset({"and", "or", "not", "in", "contains", "has"})
_FIELDS = {
    **{field.value: field for field in Field},
    "name": Field.MODEL,
    "artifact_path": Field.ARTIFACT_URI,
}
_NAMED: dict[str, tuple[Callable[[str], str], type[MetricName | TagKey]]] = {
    "metrics": (names.metric_name, MetricName),
    "tags": (names.tag_key, TagKey),
}
_A_FIELD = f"a field (metrics.NAME, tags.KEY, {', '.join(_FIELDS)})"
_SIGNS = {"==": "=", "≠": "!=", "≥": ">=", "≤": "<="}
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?\Z", re.ASCII | re.IGNORECASE)
_WHOLE = re.compile(r"v?0*(\d{1,10})\Z", re.ASCII | re.IGNORECASE)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}[\d:.,Z+-]*\Z", re.ASCII | re.IGNORECASE)
_AGO = re.compile(rf"(\d+)([{''.join(UNITS)}])\Z", re.ASCII | re.IGNORECASE)
# Outside these years a time cannot be converted to another time zone and back.
_YEARS = range(1970, 9990)
_T = TypeVar("_T")


def parse_filter(text: str, *, field: str = "filter") -> Expression:
    """Parse a filter.

    Raises:
        FilterError: the text is not a filter; the sentence quotes what was found and says what was
            expected, `field` is the one given.
    """
    return _FilterReader(text, field).filter()


def is_filter(text: str) -> bool:
    """Return whether a search text is meant as a filter, even an invalid one.

    It is if something in it is compared: a field with anything, or a word with a number by an
    operator other than ``=``; or if it checks whether a version ``has`` a field. Everything else,
    such as ``resnet50 v3``, is words.
    """
    found, ends_well = _readable_tokens(text)
    for place, token in enumerate(found):
        following = found[place + 1 : place + 4]
        if (
            token.keyword == "has"
            and _begins_clause(found[max(0, place - 1) : place])
            and following
        ):
            if _names_subject(following[0]):
                return True
            continue
        is_subject = _names_subject(token)
        if is_subject and following and token.value.endswith("."):
            following = following[1:]
        if not following:
            continue
        operator, rest = following[0], following[1:]
        if is_subject and (
            operator.kind is Kind.SIGN
            or (operator.keyword == "contains" and (rest or not ends_well))
            or (operator.keyword == "in" and rest and rest[0].kind is Kind.OPEN)
        ):
            return True
        if (
            token.keyword
            and operator.kind is Kind.SIGN
            and operator.value not in ("=", "==")
            and rest
            and _NUMBER.match(rest[0].value)
        ):
            return True
    return False


def read_subject(reader: TokenReader) -> Subject:
    """Read a field, ``metrics.NAME`` or ``tags.KEY``; the name can be in quotes.

    Raises:
        FilterError: it is none of these.
    """
    token = reader.token
    if token.kind is not Kind.WORD or token.keyword in KEYWORDS:
        raise reader.expected(_A_FIELD)
    head, dot, name = token.value.partition(".")
    if dot and head.lower() in _NAMED:
        reader.take()
        return _named(reader, token, head.lower(), name)
    if token.keyword in _FIELDS:
        reader.take()
        return _FIELDS[token.keyword]
    hint = "" if dot else f" A metric is written metrics.{token.value[:32]}."
    raise reader.error(f"{reader.found(token)} is not {_A_FIELD}.{hint}")


def _named(reader: TokenReader, token: Token, head: str, name: str) -> Subject:
    rule, subject = _NAMED[head]
    if not name:
        following = reader.token
        if following.position != token.end or following.kind not in (Kind.TEXT, Kind.NAME):
            raise reader.expected(
                f'a name right after {head}., such as {head}.size or {head}."x y"'
            )
        token = reader.take()
        name = token.value
    try:
        return subject(rule(name))
    except InvalidInput as error:
        raise reader.error(str(error), token) from None


class _FilterReader:
    """Parser of expressions; `or` has the lowest precedence, then `and`, then `not`."""

    def __init__(self, text: str, field: str) -> None:
        self._reader = TokenReader(text, field=field)
        self._terms = 0

    def filter(self) -> Expression:
        if self._reader.take_kind(Kind.END):
            raise self._reader.error("The filter is empty; write one such as metrics.auc > 0.9.")
        expression = self._alternatives(0)
        self._reader.require(Kind.END, "and, or or the end")
        return expression

    def _alternatives(self, depth: int) -> Expression:
        parts = [self._conjunction(depth)]
        while self._reader.take_keyword("or"):
            parts.append(self._conjunction(depth))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _conjunction(self, depth: int) -> Expression:
        parts = [self._part(depth)]
        while self._reader.take_keyword("and"):
            parts.append(self._part(depth))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _part(self, depth: int) -> Expression:
        token = self._reader.token
        if token.kind is not Kind.OPEN and token.keyword != "not":
            return self._term()
        if depth >= NESTING_MAX:
            raise self._reader.error(
                f"{self._reader.found(token)} is nested too deeply. Parentheses and not can "
                f"be nested at most {NESTING_MAX} levels deep."
            )
        self._reader.take()
        if token.kind is not Kind.OPEN:
            return Not(self._part(depth + 1))
        inside = self._alternatives(depth + 1)
        self._reader.require(Kind.CLOSE, "and, or or )")
        return inside

    def _term(self) -> Term:
        self._count(self._reader.token)
        if self._reader.take_keyword("has"):
            return self._has()
        subject = read_subject(self._reader)
        if isinstance(subject, MetricName):
            operator = self._operator(subject, SIGNS)
            return MetricTerm(subject.name, operator, self._one(self._number))
        if subject is Field.VERSION:
            operator = self._operator(subject, (*SIGNS, Operator.IN))
            return NumberTerm(operator, self._values(operator, self._whole))
        if subject is Field.STAGE:
            operator = self._operator(subject, (Operator.EQ, Operator.NE, Operator.IN))
            return StageTerm(operator, self._values(operator, self._stage))
        if isinstance(subject, Field) and subject.is_time:
            operator = self._operator(subject, SIGNS)
            value = self._reader.token
            when = self._one(self._when)
            if isinstance(when, Ago) and operator in (Operator.EQ, Operator.NE):
                raise self._reader.error(
                    f"{self._reader.found(value)} means an exact time, so {operator.value} is not "
                    f"useful. Write {subject.value} > {value.value} for everything since then.",
                    value,
                )
            return TimeTerm(subject, operator, when)
        operator = self._operator(
            subject, (Operator.EQ, Operator.NE, Operator.CONTAINS, Operator.IN)
        )
        value = self._reader.token
        texts = self._values(operator, self._text)
        if operator is Operator.CONTAINS and not texts[0]:
            raise self._reader.expected("the text to look for", value)
        return TextTerm(subject, operator, texts)

    def _has(self) -> Has:
        token = self._reader.token
        subject = read_subject(self._reader)
        if isinstance(subject, Field) and not subject.may_be_missing:
            can = ", ".join(field.value for field in Field if field.may_be_missing)
            raise self._reader.error(
                f"Every version has a {subject.value}. Use has with metrics.NAME, tags.KEY, {can}.",
                token,
            )
        return Has(subject)

    def _operator(self, subject: Subject, allowed: tuple[Operator, ...]) -> Operator:
        token = self._reader.token
        try:
            operator = Operator(_SIGNS.get(token.value, token.value.lower()))
            known = token.kind in (Kind.SIGN, Kind.WORD)
        except ValueError:
            known = False
        *others, last = [operator.value for operator in allowed]
        choice = f"{', '.join(others)} or {last}"
        if not known:
            raise self._reader.expected(choice)
        if operator not in allowed:
            raise self._reader.error(
                f"{self._reader.found(token)} cannot be used with {subject_text(subject)[:64]}; "
                f"use {choice}."
            )
        self._reader.take()
        return operator

    def _values(self, operator: Operator, read: Callable[[Token], _T]) -> tuple[_T, ...]:
        """Return one value, or after ``in`` a list of values."""
        if operator is not Operator.IN:
            return (self._one(read),)
        self._reader.require(Kind.OPEN, "a list in parentheses")
        values = [self._one(read)]
        while self._reader.take_kind(Kind.COMMA):
            self._count(self._reader.token)
            values.append(self._one(read))
        self._reader.require(Kind.CLOSE, ", or )")
        return tuple(values)

    def _one(self, read: Callable[[Token], _T]) -> _T:
        value = read(self._reader.token)
        self._reader.take()
        return value

    def _count(self, token: Token) -> None:
        self._terms += 1
        if self._terms > TERMS_MAX:
            raise self._reader.error(
                f"Found {self._reader.found(token)} after {TERMS_MAX} terms, the limit of a "
                "filter. Each value of a list counts as a term.",
                token,
            )

    def _number(self, token: Token) -> float:
        if token.kind is not Kind.WORD or not _NUMBER.match(token.value):
            raise self._reader.expected("a number, such as 80 or 0.9,")
        number = float(token.value)
        if not math.isfinite(number):
            raise self._reader.error(f"{self._reader.found(token)} is too large.")
        return number

    def _whole(self, token: Token) -> int:
        found = _WHOLE.match(token.value) if token.kind is Kind.WORD else None
        if found is None:
            raise self._reader.expected("a version's number, such as 3,")
        try:
            return version_number(int(found[1]))
        except InvalidInput as error:
            raise self._reader.error(str(error)) from None

    def _stage(self, token: Token) -> Stage:
        self._literal(token, "a stage")
        try:
            return Stage.parse(token.value)
        except InvalidInput as error:
            raise self._reader.error(str(error)) from None

    def _text(self, token: Token) -> str:
        return self._literal(token, "a text in quotes")

    def _when(self, token: Token) -> When:
        text = self._literal(token, "a time").strip()
        ago = _AGO.match(text)
        when: When | None = None
        if ago:
            when = since = Ago(min(int(ago[1]), _AGO_MAX), ago[2].lower())
            if since.length > AGO_MAX:
                raise self._reader.error(f"{self._reader.found(token)} is over 100 years ago.")
        elif _DAY.match(text):
            when = _read_or_none(lambda: Day(date.fromisoformat(text)))
        elif _MOMENT.match(text):
            when = _read_or_none(lambda: Moment(_utc(datetime.fromisoformat(text.upper()))))
        in_years = not isinstance(when, Day | Moment) or (
            (when.date if isinstance(when, Day) else when.at).year in _YEARS
        )
        if when is None or not in_years:
            raise self._reader.expected(
                "a time, such as 2026-03-03, 2026-03-03T12:00Z or 7d (seven days ago),"
            )
        return when

    def _literal(self, token: Token, what: str) -> str:
        """Return the text of a token in quotes, or of a word that is not a keyword."""
        if token.kind is Kind.TEXT or (token.keyword and token.keyword not in KEYWORDS):
            return token.value
        raise self._reader.expected(what)


def _read_or_none(read: Callable[[], When]) -> When | None:
    try:
        return read()
    except (ValueError, OverflowError):
        return None


def _utc(moment: datetime) -> datetime:
    """Return the time in UTC; a time without a zone is taken as UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _readable_tokens(text: str) -> tuple[list[Token], bool]:
    """Return the tokens before the first invalid one, without END, and whether all are valid."""
    found: list[Token] = []
    try:
        found.extend(tokens(text))
    except FilterError:
        return found, False
    return found[:-1], True


def _begins_clause(before: list[Token]) -> bool:
    return not before or before[-1].kind is Kind.OPEN or before[-1].keyword in ("and", "or", "not")


def _names_subject(token: Token) -> bool:
    head, dot, _ = token.keyword.partition(".")
    return head in _NAMED if dot else head in _FIELDS
