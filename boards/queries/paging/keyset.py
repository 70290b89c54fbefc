"""Keyset paging: the order of a list, cursors of positions in it, and the rows after a position.

A page is read from where the page before it ended, so that no page costs more than another and rows
that are added or removed meanwhile neither repeat nor hide others.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Any, TypeAlias

from django.db.models import F, OrderBy, Q

from boards.queries.paging.whole_number import ID_MAX
from obeya import names
from obeya.errors import InvalidInput

CURSOR_MAX = 2_048

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
LATEST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND

Value: TypeAlias = float | int | str | datetime | None


def microseconds(moment: datetime) -> int:
    """Return the microseconds between the beginning of 1970 and a time; `LATEST` is the maximum."""
    return (moment - _EPOCH) // _MICROSECOND


class BrokenCursor(InvalidInput):
    """A text that is not a cursor of the list that it was given for."""

    def __init__(self) -> None:
        super().__init__("This page link is invalid. Start from the first page.", field="after")


class CursorOfAnotherOrder(BrokenCursor):
    """A cursor of another list, or of the same list in another order."""


class Kind(Enum):
    """The type of a column's values. A measure is a finite number or None."""

    NAME = auto()
    NUMBER = auto()
    MOMENT = auto()
    MEASURE = auto()


@dataclass(frozen=True, slots=True)
class SortKey:
    """A column that rows are sorted by, as its path from the row.

    `nulls_last` means that the column can be null, and that such rows come last in either
    direction.
    """

    column: str
    kind: Kind
    _: KW_ONLY
    ascending: bool = True
    nulls_last: bool = False

    @property
    def order_by(self) -> OrderBy:
        """The key as `QuerySet.order_by` takes it."""
        nulls_last = self.nulls_last or None
        column = F(self.column)
        if self.ascending:
            return column.asc(nulls_last=nulls_last)
        return column.desc(nulls_last=nulls_last)


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a list: by its first key, then by the next. No two rows are equal in all keys.

    A cursor is valid only for orders with the same `name`.
    """

    name: str
    keys: tuple[SortKey, ...]

    @property
    def order_by(self) -> list[OrderBy]:
        """The keys as `QuerySet.order_by` takes them."""
        return [key.order_by for key in self.keys]

    def cursor(self, values: Sequence[Value]) -> str:
        """Return the cursor of the position after the row with these values, one for each key."""
        written = [microseconds(v) if isinstance(v, datetime) else v for v in values]
        document = json.dumps([self._digest, written], ensure_ascii=False, separators=(",", ":"))
        return base64.urlsafe_b64encode(document.encode()).decode().rstrip("=")

    def parse(self, text: str) -> tuple[Value, ...] | None:
        """Return the values that a cursor was created from; None for an empty text.

        Raises:
            BrokenCursor: it is not a cursor, or one of another order.
        """
        if not text:
            return None
        if len(text) > CURSOR_MAX:
            raise BrokenCursor
        try:
            padded = text + "=" * (-len(text) % 4)
            document = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        except (ValueError, RecursionError):
            raise BrokenCursor from None
        if not isinstance(document, list) or len(document) != 2:
            raise BrokenCursor
        digest, values = document
        if digest != self._digest:
            raise CursorOfAnotherOrder
        if not isinstance(values, list) or len(values) != len(self.keys):
            raise BrokenCursor
        return tuple(_read(key.kind, value) for key, value in zip(self.keys, values, strict=True))

    def beyond(self, values: Sequence[Value]) -> Q:
        """Return the condition for rows after the position.

        Such a row is equal in the first keys and beyond the position in the next one.
        """
        beyond, equal, seek = Q(pk__in=()), Q(), Q()
        for place, (key, value) in enumerate(zip(self.keys, values, strict=True)):
            if value is None:
                equal &= Q(**{f"{key.column}__isnull": True})
                continue
            direction = "gt" if key.ascending else "lt"
            further = Q(**{f"{key.column}__{direction}": value})
            if key.nulls_last:
                further |= Q(**{f"{key.column}__isnull": True})
            elif place == 0:
                # Implied by the rest; an index can use it.
                seek = Q(**{f"{key.column}__{direction}e": value})
            beyond |= equal & further
            equal &= Q(**{key.column: value})
        return seek & beyond

    @property
    def _digest(self) -> str:
        return hashlib.sha256(self.name.encode()).hexdigest()[:16]


def _read(kind: Kind, value: Any) -> Value:
    """Return a value of a cursor, if a column of this kind can have it."""
    match kind:
        case Kind.NAME if isinstance(value, str) and names.stored_form(value) == value:
            return value
        case Kind.NUMBER:
            return _whole(value, ID_MAX)
        case Kind.MOMENT:
            return _EPOCH + _whole(value, LATEST) * _MICROSECOND
        case Kind.MEASURE if value is None or (isinstance(value, float) and math.isfinite(value)):
            return value
    raise BrokenCursor


def _whole(value: Any, at_most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= at_most:
        raise BrokenCursor
    return value


@dataclass(frozen=True, slots=True)
class Cursor:
    """The position after a row in a list sorted by a time: that time, and the row's id."""

    moment: datetime
    pk: int

    @classmethod
    def parse(cls, text: str) -> Cursor | None:
        """Parse what `str` wrote; None for an empty text.

        Raises:
            BrokenCursor: it is not a cursor.
        """
        match by_time("moment").parse(text):
            case (datetime() as moment, int(pk)):
                return cls(moment, pk)
        return None

    def __str__(self) -> str:
        return by_time("moment").cursor((self.moment, self.pk))

    def older(self, field: str) -> Q:
        """Return the condition for the rows after this position in the order ``-field, -id``."""
        return by_time(field).beyond((self.moment, self.pk))

    def newer(self, field: str) -> Q:
        """Return the condition for the rows after this position in the order ``field, id``."""
        return by_time(field, ascending=True).beyond((self.moment, self.pk))


def by_time(field: str, *, ascending: bool = False) -> Order:
    """Return the order of a list by a time and by id, the newest first unless `ascending`."""
    keys = (
        SortKey(field, Kind.MOMENT, ascending=ascending),
        SortKey("pk", Kind.NUMBER, ascending=ascending),
    )
    return Order("time", keys)
