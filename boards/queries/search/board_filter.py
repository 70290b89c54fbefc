"""The board's filter: read from a query string, applied to versions, written back as a URL."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.utils import timezone

from boards import models
from boards.queries.paging.whole_number import whole_number
from boards.queries.search.version_filter import condition, contains
from obeya import names
from obeya.errors import InvalidInput
from obeya.filters.expressions import (
    Expression,
    Field,
    Has,
    MetricTerm,
    Operator,
    TagKey,
    TextTerm,
)
from obeya.filters.language import is_filter, parse_filter
from obeya.metrics import finite
from obeya.policy.bounds import Comparison, number_text
from obeya.policy.tag_text import read_tag, tag_text

WORDS_MAX = 8
CONDITIONS_MAX = 8
# A metric's name, a comparison and a number with all its digits.
CONDITION_MAX = names.METRIC_NAME_MAX + 64
# Every card links back to the board with its filter, which makes long filters expensive.
EXPRESSION_MAX = 1_024

_CONDITION = re.compile(
    r"\s*(?P<metric>.+?)\s*(?P<comparison>>=|<=|==|≥|≤|>|<|=)\s*(?P<number>[^<>=≥≤]+?)\s*\Z"
)
_VERSION = re.compile(r"v([0-9]+)\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class MetricCondition:
    """A metric compared with a number; a version without the metric does not match."""

    metric: str
    comparison: Comparison
    number: float

    @classmethod
    def parse(cls, text: str) -> MetricCondition:
        """Parse ``imagenet_top1 >= 80``.

        Raises:
            InvalidInput: it is not a metric, a comparison and a finite number.
        """
        if len(text) > CONDITION_MAX:
            raise InvalidInput(
                f"A condition can have at most {CONDITION_MAX} characters.", field="metric"
            )
        found = _CONDITION.match(text)
        if found is None:
            raise InvalidInput(
                f"“{text[:64]}” is not a condition. Write a metric, a comparison and a number, "
                "such as accuracy >= 0.9.",
                field="metric",
            )
        try:
            number = float(found["number"])
        except ValueError:
            raise InvalidInput(
                f"“{found['number'][:32]}” is not a number. Write it like 80 or 0.9.",
                field="metric",
            ) from None
        return cls(
            names.metric_name(found["metric"]),
            Comparison.parse(found["comparison"]),
            finite(number, what="The number of a condition"),
        )

    def __str__(self) -> str:
        return f"{self.metric} {self.comparison.value} {number_text(self.number)}"

    @property
    def term(self) -> MetricTerm:
        """The same condition in the filter language."""
        return MetricTerm(self.metric, Operator(self.comparison.value), self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardFilter:
    """The filter of the board. Empty fields match everything.

    `text`: words that must each be in the model's name or the version's label, or be its number
    (``v3``); or a text in the filter language, which is then parsed into `expression`, instead of
    words. `model` and `owner` are exact names. `tags` are pairs of key and value; a value of None
    matches any value of the tag. All of them have the stored form.
    """

    text: str = ""
    model: str = ""
    owner: str = ""
    tags: tuple[tuple[str, str | None], ...] = ()
    metrics: tuple[MetricCondition, ...] = ()
    expression: Expression | None = None

    @classmethod
    def parse(cls, lists: Mapping[str, Sequence[str]]) -> BoardFilter:
        """Parse the parameters ``q``, ``model``, ``owner``, ``tag`` and ``metric``.

        Raises:
            InvalidInput: one of them is invalid; `field` is its name.
        """

        def last(name: str) -> str:
            return (lists.get(name) or [""])[-1].strip()

        model = last("model")
        text, expression = _search(last("q"))
        return cls(
            text=text,
            model=_read(names.model_name, model, field="model") if model else "",
            owner=names.search_text(last("owner"), what="An account's name", field="owner"),
            tags=tuple(read_tag(text) for text in _stated(lists, "tag")),
            metrics=tuple(MetricCondition.parse(text) for text in _stated(lists, "metric")),
            expression=expression,
        )

    def __bool__(self) -> bool:
        return bool(self.text or self.model or self.owner or self.tags or self.metrics)

    @property
    def only_model(self) -> bool:
        """Whether only the model is filtered, so that the model's counters can be used."""
        return not (self.text or self.owner or self.tags or self.metrics)

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """The filter as URL parameters, without empty ones."""
        single = [("q", self.text), ("model", self.model), ("owner", self.owner)]
        return [
            *((name, value) for name, value in single if value),
            *(("tag", tag_text(key, value)) for key, value in self.tags),
            *(("metric", str(condition)) for condition in self.metrics),
        ]

    @property
    def query_string(self) -> str:
        """The filter as the query string of a URL, without the ``?``; empty if there is none."""
        return urlencode(self.parameters)

    def apply(self, versions: QuerySet[models.ModelVersion]) -> QuerySet[models.ModelVersion]:
        """Return the versions that match the filter; at most one row for each."""
        words = [] if self.expression else self.text.split()[:WORDS_MAX]
        for word in words:
            matches = contains("model__name", word) | contains("label", word)
            number = _VERSION.match(word)
            if number:
                matches |= Q(number=whole_number(number[1]) or 0)
            versions = versions.filter(matches)
        now = timezone.now()
        for expression in self._expressions():
            versions = versions.filter(condition(expression, now=now))
        return versions

    def _expressions(self) -> Iterator[Expression]:
        """Yield everything except the words, in the filter language."""
        if self.expression:
            yield self.expression
        if self.model:
            yield TextTerm(Field.MODEL, Operator.EQ, (self.model,))
        if self.owner:
            yield TextTerm(Field.OWNER, Operator.EQ, (self.owner,))
        for key, value in self.tags:
            tag = TagKey(key)
            yield Has(tag) if value is None else TextTerm(tag, Operator.EQ, (value,))
        for metric in self.metrics:
            yield metric.term


def _search(text: str) -> tuple[str, Expression | None]:
    """Parse a search: words, or a filter with its expression."""
    if not is_filter(text):
        return names.search_text(text), None
    if len(text) > EXPRESSION_MAX:
        raise InvalidInput(
            f"A filter in the search can have at most {EXPRESSION_MAX:,} characters. This one has "
            f"{len(text):,}.",
            field="q",
        )
    return text, parse_filter(text, field="q")


def _read(rule: Callable[[str], str], text: str, *, field: str) -> str:
    """Return the text as a function of `obeya.names` stores it; an error has the given `field`."""
    try:
        return rule(text)
    except InvalidInput as error:
        raise InvalidInput(str(error), field=field) from None


def _stated(lists: Mapping[str, Sequence[str]], name: str) -> list[str]:
    stated = [text for text in lists.get(name, ()) if text.strip()]
    if len(stated) > CONDITIONS_MAX:
        raise InvalidInput(f"A filter can have at most {CONDITIONS_MAX} conditions.", field=name)
    return stated
