"""Expressions of the filter language as conditions on rows of versions.

The meaning of an expression is defined by its `matches` in `obeya.filters.expressions`; the
condition matches the same versions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from functools import reduce
from operator import and_, or_
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from boards import models
from obeya.filters.expressions import (
    And,
    Expression,
    Field,
    Has,
    MetricName,
    MetricTerm,
    Not,
    NumberTerm,
    Operator,
    Or,
    StageTerm,
    TagKey,
    Term,
    TextTerm,
    TimeTerm,
)
from obeya.policy.bounds import Comparison

# Where the search for the bounds of what equals a number starts.
_NEARLY_EQUAL = 1e-9
TIMES = {
    Field.CREATED: "created_at",
    Field.UPDATED: "updated_at",
    Field.ENTERED: "stage_entered_at",
}
_TEXTS = {
    Field.LABEL: "label",
    Field.DESCRIPTION: "description",
    Field.ARTIFACT_URI: "artifact_uri",
    Field.SOURCE_RUN: "source_run",
}


def condition(expression: Expression, *, now: datetime) -> Q:
    """Return the condition on rows of `boards.models.ModelVersion`.

    At most one row for each version.

    Terms that every version must match are written so that an index can be used; terms below an
    ``or`` or a ``not`` so that they are checked for each version.
    """
    return _condition(expression, now, leads=True)


def _condition(expression: Expression, now: datetime, *, leads: bool) -> Q:
    match expression:
        case And(parts):
            return reduce(and_, (_condition(part, now, leads=leads) for part in parts))
        case Or(parts):
            return reduce(or_, (_condition(part, now, leads=False) for part in parts))
        case Not(part):
            return ~_condition(part, now, leads=False)
    return _term(expression, now, leads=leads)


def _term(term: Term, now: datetime, *, leads: bool) -> Q:
    match term:
        case MetricTerm(metric, operator, number):
            metrics = models.Metric.objects.filter(name=metric)
            span = _equal_to(number) if _asks_equality(operator) else (number, number)
            return _of_version(metrics.filter(_held(operator, "value", *span)), leads=leads)
        case NumberTerm(Operator.IN, numbers):
            return Q(number__in=numbers)
        case NumberTerm(operator, (number,)):
            return _held(operator, "number", number, number)
        case StageTerm(operator, stages):
            within = Q(stage__in=[stage.value for stage in stages])
            return ~within if operator is Operator.NE else within
        case TimeTerm(field, operator, when):
            return _held(operator, TIMES[field], *when.span(now))
        case TextTerm():
            return _text(term, leads=leads)
        case Has(subject):
            return _has(subject, leads=leads)
    raise AssertionError(term)


def _text(term: TextTerm, *, leads: bool) -> Q:
    if isinstance(term.subject, TagKey):
        tags = models.VersionTag.objects.filter(key=term.subject.key)
        unlike = term.operator is Operator.NE
        held = _texts_held(term, "value")
        return _of_version(tags.exclude(held) if unlike else tags.filter(held), leads=leads)
    match term.subject:
        case Field.MODEL:
            like = _model(term, leads=leads)
        case Field.ALIAS:
            aliases = models.Alias.objects.filter(_texts_held(term, "name"))
            like = _of_version(aliases, leads=leads and term.operator is not Operator.NE)
        case Field.OWNER:
            like = _texts_held(term, "owner__username")
            if "" in term.texts:
                like |= Q(owner=None)
        case subject:
            like = _texts_held(term, _TEXTS[subject])
    return ~like if term.operator is Operator.NE else like


def _texts_held(term: TextTerm, column: str) -> Q:
    """Return the condition that a column matches the term's texts, also for ``!=``."""
    if term.operator is Operator.CONTAINS:
        return contains(column, term.texts[0])
    if len(term.texts) == 1:
        return Q(**{column: term.texts[0]})
    return Q(**{f"{column}__in": term.texts})


def contains(column: str, part: str) -> Q:
    """Return the condition that a text contains `part`, ignoring case."""
    return Q(**{f"{column}__icontains": part})


def _model(term: TextTerm, *, leads: bool) -> Q:
    if term.operator is Operator.CONTAINS:
        return contains("model__name", term.texts[0])
    named = models.RegisteredModel.objects.filter(_texts_held(term, "name"), deleted_at=None)
    if leads and term.operator is Operator.EQ:
        # `=` rather than IN, so that the index that begins with the model is used.
        return Q(model=Subquery(named.values("pk")[:1]))
    return Q(model__in=named.values("pk"))


def _has(subject: Field | MetricName | TagKey, *, leads: bool) -> Q:
    match subject:
        case MetricName(name):
            return _of_version(models.Metric.objects.filter(name=name), leads=leads)
        case TagKey(key):
            return _of_version(models.VersionTag.objects.filter(key=key), leads=leads)
        case Field.ALIAS:
            return _of_version(models.Alias.objects.all(), leads=leads)
        case Field.OWNER:
            return Q(owner__isnull=False)
        case _:
            return ~Q(**{_TEXTS[subject]: ""})


def _of_version(rows: QuerySet[Any, Any], *, leads: bool) -> Q:
    """Return the condition that the version has one of these rows."""
    if leads:
        return Q(pk__in=rows.values("version"))
    return Q(Exists(rows.filter(version=OuterRef("pk"))))


def _held(operator: Operator, column: str, first: object, last: object) -> Q:
    """Return the condition that a column compares so with the range from `first` to `last`."""
    match operator:
        case Operator.GT:
            return Q(**{f"{column}__gt": last})
        case Operator.GTE:
            return Q(**{f"{column}__gte": first})
        case Operator.LT:
            return Q(**{f"{column}__lt": first})
        case Operator.LTE:
            return Q(**{f"{column}__lte": last})
        case Operator.NE:
            return Q(**{f"{column}__lt": first}) | Q(**{f"{column}__gt": last})
        case _:
            return Q(**{f"{column}__range": (first, last)})


def _asks_equality(operator: Operator) -> bool:
    return operator in (Operator.EQ, Operator.NE)


def _equal_to(number: float) -> tuple[float, float]:
    """Return the smallest and the largest number that equal `number` by `Comparison.EQ`."""
    slack = abs(number) * _NEARLY_EQUAL
    return _outermost(number, number - slack, -math.inf), _outermost(
        number, number + slack, math.inf
    )


def _outermost(number: float, start: float, outwards: float) -> float:
    """Return the last equal number outwards from `start`, else the first inwards."""
    holds: Callable[[float], bool] = lambda other: Comparison.EQ.holds(other, number)  # noqa: E731
    edge = start
    while holds(following := math.nextafter(edge, outwards)):
        edge = following
    while not holds(edge):
        edge = math.nextafter(edge, number)
    return edge
