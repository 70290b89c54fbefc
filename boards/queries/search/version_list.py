"""Pages of versions under a filter, in any order: by keyset, so that every page costs the same.

Versions without the metric that is sorted by come last; versions that are equal in the ordering are
sorted by age.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, F, FilteredRelation, OuterRef, Q, QuerySet

from boards import models
from boards.queries.facts.records import version_records
from boards.queries.paging.keyset import (
    BrokenCursor,
    CursorOfAnotherOrder,
    Kind,
    Order,
    SortKey,
    Value,
)
from boards.queries.search.version_filter import TIMES, condition
from obeya.errors import InvalidInput
from obeya.filters.expressions import Expression, Field, MetricName
from obeya.filters.ordering import NEWEST_FIRST, Ordering
from obeya.records import ModelVersion

_COLUMNS = {**TIMES, Field.MODEL: "model__name", Field.VERSION: "number"}


@dataclass(frozen=True, slots=True)
class VersionPage:
    """Some versions, and the cursor of the following ones; None on the last page."""

    versions: tuple[ModelVersion, ...]
    next_cursor: str | None


def list_versions(
    *,
    now: datetime,
    expression: Expression | None = None,
    ordering: Ordering = NEWEST_FIRST,
    after: str = "",
    limit: int = 50,
    within: Q | None = None,
) -> VersionPage:
    """Return a page of the versions that match an expression; at most five statements.

    `within` is a further condition on their rows; relative times are relative to `now`.

    Raises:
        InvalidInput: `after` is not a cursor of this ordering.
    """
    rows = models.ModelVersion.objects.filter(within or Q(), deleted_at=None)
    if expression is not None:
        rows = rows.filter(condition(expression, now=now))
    order = _order(ordering)
    found = _sorted(rows, ordering, _place(order, after), limit + 1)
    shown = found[:limit]
    following = None
    if len(found) > limit:
        last = shown[-1]
        values = [getattr(last, _annotation(place)) for place in range(len(ordering.terms))]
        following = order.cursor((*values, last.pk))
    return VersionPage(tuple(version_records(shown)), following)


def _place(order: Order, after: str) -> Sequence[Value] | None:
    try:
        return order.parse(after)
    except CursorOfAnotherOrder:
        raise InvalidInput(
            "This cursor belongs to another order. Leave it out to get the first page.",
            field="cursor",
        ) from None
    except BrokenCursor:
        raise InvalidInput(
            "Invalid cursor. Leave it out to get the first page.", field="cursor"
        ) from None


def _order(ordering: Ordering) -> Order:
    keys = [
        # Where the first metric is null, it does not count: see `_sorted`.
        SortKey(
            _column(place, term.subject),
            _kind(term.subject),
            ascending=not term.descending,
            nulls_last=place > 0 and isinstance(term.subject, MetricName),
        )
        for place, term in enumerate(ordering.terms)
    ]
    keys.append(SortKey("pk", Kind.NUMBER, ascending=keys[-1].ascending))
    return Order(str(ordering), tuple(keys))


def _sorted(
    rows: QuerySet[models.ModelVersion],
    ordering: Ordering,
    after: Sequence[Value] | None,
    limit: int,
) -> list[models.ModelVersion]:
    """Return the first rows after a position.

    Sorted by a metric they are read in two parts, so that the index of its values can be used:
    first those that have the metric, then those that do not.
    """
    first, order = ordering.terms[0].subject, _order(ordering)
    rows = _annotated(rows.select_related("model", "owner"), ordering)
    if not isinstance(first, MetricName):
        return list(_after(rows, order, after)[:limit])
    found: list[models.ModelVersion] = []
    if after is None or after[0] is not None:
        having = rows.filter(**{f"{_relation(0)}__value__isnull": False})
        found = list(_after(having, order, after)[:limit])
        after = None
    if len(found) < limit:
        metrics = models.Metric.objects.filter(name=first.name, version=OuterRef("pk"))
        lacking = rows.filter(~Exists(metrics))
        rest = Order(order.name, order.keys[1:])
        found += _after(lacking, rest, after and after[1:])[: limit - len(found)]
    return found


def _annotated(
    rows: QuerySet[models.ModelVersion], ordering: Ordering
) -> QuerySet[models.ModelVersion]:
    """Return the rows with the value that each term of the ordering sorts by."""
    for place, term in enumerate(ordering.terms):
        column = _column(place, term.subject)
        if isinstance(term.subject, MetricName):
            named = Q(metrics__name=term.subject.name)
            relation = FilteredRelation("metrics", condition=named)
            rows = rows.annotate(**{_relation(place): relation})
        rows = rows.annotate(**{_annotation(place): F(column)})
    return rows


def _after(
    rows: QuerySet[models.ModelVersion], order: Order, after: Sequence[Value] | None
) -> QuerySet[models.ModelVersion]:
    if after is not None:
        rows = rows.filter(order.beyond(after))
    return rows.order_by(*order.order_by)


def _relation(place: int) -> str:
    return f"sorted_metric_{place}"


def _annotation(place: int) -> str:
    return f"sorted_by_{place}"


def _column(place: int, subject: Field | MetricName) -> str:
    if isinstance(subject, MetricName):
        return f"{_relation(place)}__value"
    return _COLUMNS[subject]


def _kind(subject: Field | MetricName) -> Kind:
    if isinstance(subject, MetricName):
        return Kind.MEASURE
    return {Field.MODEL: Kind.NAME, Field.VERSION: Kind.NUMBER}.get(subject, Kind.MOMENT)
