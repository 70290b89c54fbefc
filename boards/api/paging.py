"""Which page of a list is asked for."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from ninja import Query
from pydantic import Field

from boards.queries.paging.whole_number import ID_MAX, whole_number
from obeya.errors import InvalidInput

PAGE_MAX = 500
CURSOR_PATTERN = "^[A-Za-z0-9_=-]*$"

Limit = Annotated[int, Query(), Field(ge=1, le=PAGE_MAX, description="How many at most.")]
CursorText = Annotated[
    str,
    Query(),
    Field(
        max_length=2_000,
        pattern=CURSOR_PATTERN,
        description="`next` of the page before; none at first.",
    ),
]


def broken_cursor() -> InvalidInput:
    """The error for a cursor that was not made here."""
    return InvalidInput("That cursor is broken; start without one.", field="cursor")


def opaque(text: str | None) -> str | None:
    """A place in a list, in a form that nobody is tempted to take apart."""
    if text is None:
        return None
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def place(cursor: str) -> str:
    """What `opaque` was given; "" for the beginning of a list.

    Raises:
        InvalidInput: it is no cursor.
    """
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError):
        raise broken_cursor() from None
    if opaque(text) != cursor or "\x00" in text:
        raise broken_cursor()
    return text


def number_place(cursor: str) -> int | None:
    """As `place`, for lists that are in the order of a whole number; None for the beginning."""
    text = place(cursor)
    if not text:
        return None
    number = whole_number(text, at_most=ID_MAX)
    if number is None:
        raise broken_cursor()
    return number
