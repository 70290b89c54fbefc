"""Paging parameters and cursors of the API's lists."""

from __future__ import annotations

from typing import Annotated

from ninja import Query
from pydantic import Field

from boards.queries.paging.keyset import BrokenCursor, Cursor, Kind, Order, SortKey
from obeya.errors import InvalidInput

PAGE_MAX = 500
CURSOR_PATTERN = "^[A-Za-z0-9_=-]*$"

Limit = Annotated[int, Query(), Field(ge=1, le=PAGE_MAX, description="Maximum number of items.")]
CursorText = Annotated[
    str,
    Query(),
    Field(
        max_length=2_000,
        pattern=CURSOR_PATTERN,
        description="`next` of the previous page. Leave out for the first page.",
    ),
]


_BY_NAME = Order("name", (SortKey("name", Kind.NAME),))
_BY_NUMBER = Order("number", (SortKey("number", Kind.NUMBER),))


def name_cursor(name: str | None) -> str | None:
    """Return the cursor of the position after a name; None for the end of a list."""
    return None if name is None else _BY_NAME.cursor([name])


def name_place(cursor: str) -> str:
    """Return what `name_cursor` was given; "" for the beginning of a list.

    Raises:
        InvalidInput: it is not a cursor.
    """
    return str(_value(_BY_NAME, cursor) or "")


def number_cursor(number: int | None) -> str | None:
    """Return the cursor of the position after a whole number; None for the end of a list."""
    return None if number is None else _BY_NUMBER.cursor([number])


def number_place(cursor: str) -> int | None:
    """Return what `number_cursor` was given; None for the beginning of a list.

    Raises:
        InvalidInput: it is not a cursor.
    """
    number = _value(_BY_NUMBER, cursor)
    return number if isinstance(number, int) else None


def time_place(cursor: str) -> Cursor | None:
    """Return the position in a list that is sorted by a time; None for the beginning.

    Raises:
        InvalidInput: it is not a cursor.
    """
    try:
        return Cursor.parse(cursor)
    except BrokenCursor:
        raise _broken() from None


def _value(order: Order, cursor: str) -> object:
    try:
        values = order.parse(cursor)
    except BrokenCursor:
        raise _broken() from None
    return values[0] if values else None


def _broken() -> InvalidInput:
    return InvalidInput("Invalid cursor. Leave it out to get the first page.", field="cursor")
