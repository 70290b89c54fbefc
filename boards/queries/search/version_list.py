"""Pages of versions under a filter, sorted as asked: by keyset, so that no page costs the others.

Those that lack the metric that is sorted by come last; what the ordering leaves equal is sorted by
age.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from django.db.models import Exists, F, FilteredRelation, OrderBy, OuterRef, Q, QuerySet

from boards import models
from boards.queries.facts.records import version_records
from boards.queries.paging.keyset import LATEST, microseconds, moment_at
from boards.queries.paging.whole_number import ID_MAX
from boards.queries.search.version_filter import TIMES, condition
from obeya import names
from obeya.errors import InvalidInput
from obeya.filters.expressions import Expression, Field, MetricName
from obeya.filters.ordering import NEWEST_FIRST, Ordering
from obeya.records import ModelVersion
from obeya.registry import NUMBER_MAX

CURSOR_MAX = 2_048
_COLUMNS = {**TIMES, Field.MODEL: "model__name", Field.VERSION: "number"}

Value: TypeAlias = float | int | str | datetime | None


@dataclass(frozen=True, slots=True)
class VersionPage:
    """Some versions, and the cursor of those that follow; None on the last page."""

    versions: tuple[ModelVersion, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """The place just after a version in an ordering: its values there, and its id."""

    ordering: Ordering
    values: tuple[Value, ...]
    pk: int

    @classmethod
    def parse(cls, text: str, ordering: Ordering) -> Place | None:
        """Read what `str` wrote; None for an empty text.

        Raises:
            InvalidInput: it is no cursor, or one of another ordering.
        """
        if not text:
            return None
        try:
            document = json.loads(base64.urlsafe_b64decode(text[:CURSOR_MAX].encode()))
        except (ValueError, RecursionError):
            raise _broken() from None
        if not isinstance(document, list) or len(document) != 3:
            raise _broken()
        digest, values, pk = document
        if digest != _digest(ordering):
            raise InvalidInput(
                "That cursor belongs to another ordering; start from the top.", field="cursor"
            )
        if not isinstance(values, list) or len(values) != len(ordering.terms):
            raise _broken()
        read = zip(ordering.terms, values, strict=True)
        return cls(
            ordering,
            tuple(_value(term.subject, value) for term, value in read),
            _whole(pk, ID_MAX),
        )

    def __str__(self) -> str:
        values = [microseconds(v) if isinstance(v, datetime) else v for v in self.values]
        document = json.dumps([_digest(self.ordering), values, self.pk], ensure_ascii=False)
        return base64.urlsafe_b64encode(document.encode()).decode()


def list_versions(
    *,
    now: datetime,
    expression: Expression | None = None,
    ordering: Ordering = NEWEST_FIRST,
    after: str = "",
    limit: int = 50,
    within: Q | None = None,
) -> VersionPage:
    """A page of the versions that an expression lets through; at most five statements.

    `within` is a further condition on their rows; `now` what relative times are reckoned from.

    Raises:
        InvalidInput: `after` is no cursor of this ordering.
    """
    rows = models.ModelVersion.objects.filter(within or Q(), deleted_at=None)
    if expression is not None:
        rows = rows.filter(condition(expression, now=now))
    found = _sorted(rows, ordering, Place.parse(after, ordering), limit + 1)
    shown = found[:limit]
    following = None
    if len(found) > limit:
        last = shown[-1]
        values = tuple(getattr(last, _annotation(place)) for place in range(len(ordering.terms)))
        following = str(Place(ordering, values, last.pk))
    return VersionPage(tuple(version_records(shown)), following)


def _sorted(
    rows: QuerySet[models.ModelVersion], ordering: Ordering, after: Place | None, limit: int
) -> list[models.ModelVersion]:
    """The first rows after a place.

    Sorted by a metric they are read in two halves, so that the index of its values gives the
    first: those that have it, then those that do not.
    """
    first = ordering.terms[0].subject
    rows = _annotated(rows.select_related("model", "owner"), ordering)
    if not isinstance(first, MetricName):
        return list(_after(rows, ordering, after, 0)[:limit])
    found: list[models.ModelVersion] = []
    if after is None or after.values[0] is not None:
        having = rows.filter(**{f"{_relation(0)}__value__isnull": False})
        found = list(_after(having, ordering, after, 0)[:limit])
        after = None
    if len(found) < limit:
        metrics = models.Metric.objects.filter(name=first.name, version=OuterRef("pk"))
        lacking = rows.filter(~Exists(metrics))
        found += _after(lacking, ordering, after, 1)[: limit - len(found)]
    return found


def _annotated(
    rows: QuerySet[models.ModelVersion], ordering: Ordering
) -> QuerySet[models.ModelVersion]:
    """The rows with the value that each term of the ordering sorts by."""
    for place, term in enumerate(ordering.terms):
        column = _column(place, term.subject)
        if isinstance(term.subject, MetricName):
            named = Q(metrics__name=term.subject.name)
            relation = FilteredRelation("metrics", condition=named)
            rows = rows.annotate(**{_relation(place): relation})
        rows = rows.annotate(**{_annotation(place): F(column)})
    return rows


def _after(
    rows: QuerySet[models.ModelVersion], ordering: Ordering, after: Place | None, start: int
) -> QuerySet[models.ModelVersion]:
    """The rows after a place, in the order of the terms from `start` on, then by id."""
    descending = ordering.terms[-1].descending
    by: list[OrderBy | str] = []
    for place, term in enumerate(ordering.terms[start:], start):
        # The first metric is there, or does not count.
        may_be_null = place > 0 and isinstance(term.subject, MetricName)
        column = F(_column(place, term.subject))
        nulls_last = True if may_be_null else None
        by.append(
            column.desc(nulls_last=nulls_last)
            if term.descending
            else column.asc(nulls_last=nulls_last)
        )
    if after is not None:
        rows = rows.filter(_beyond(ordering, after, start))
    return rows.order_by(*by, "-pk" if descending else "pk")


def _beyond(ordering: Ordering, after: Place, start: int) -> Q:
    """The condition that a row comes after the place."""
    beyond, equal = Q(pk__in=[]), Q()
    seek = Q()
    for place, term in enumerate(ordering.terms[start:], start):
        column, value = _column(place, term.subject), after.values[place]
        may_be_null = place > 0 and isinstance(term.subject, MetricName)
        if value is None:
            equal &= Q(**{f"{column}__isnull": True})
            continue
        direction = "lt" if term.descending else "gt"
        further = Q(**{f"{column}__{direction}": value})
        if may_be_null:
            further |= Q(**{f"{column}__isnull": True})
        if place == start and not may_be_null:
            # Implied by all that follows; it is what an index can seek by.
            seek = Q(**{f"{column}__{direction}e": value})
        beyond |= equal & further
        equal &= Q(**{column: value})
    direction = "lt" if ordering.terms[-1].descending else "gt"
    return seek & (beyond | (equal & Q(**{f"pk__{direction}": after.pk})))


def _relation(place: int) -> str:
    return f"sorted_metric_{place}"


def _annotation(place: int) -> str:
    return f"sorted_by_{place}"


def _column(place: int, subject: Field | MetricName) -> str:
    if isinstance(subject, MetricName):
        return f"{_relation(place)}__value"
    return _COLUMNS[subject]


def _digest(ordering: Ordering) -> str:
    return hashlib.sha256(str(ordering).encode()).hexdigest()[:16]


def _value(subject: Field | MetricName, value: Any) -> Value:
    """A value out of a cursor, if it can be one of the subject's."""
    if isinstance(subject, MetricName):
        if value is None:
            return None
        if not isinstance(value, float) or not math.isfinite(value):
            raise _broken()
        return value
    if subject is Field.MODEL:
        if not isinstance(value, str) or names.stored_form(value) != value:
            raise _broken()
        return value
    if subject is Field.VERSION:
        return _whole(value, NUMBER_MAX)
    return moment_at(_whole(value, LATEST))


def _whole(value: Any, at_most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= at_most:
        raise _broken()
    return value


def _broken() -> InvalidInput:
    return InvalidInput("That cursor is broken; start from the top.", field="cursor")
