"""Reader of protobuf messages in the wire format.

https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator

from obeya.artifacts.reading import Cursor, NotInspected

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_TEXT_MAX = 4_096
_SHOWN = 250


def fields(cursor: Cursor, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield number, wire type and value of each field of the message that ends at `end`.

    The value of `BYTES` is the place where they end; the caller may read up to there. Raises
    `NotInspected` if it is not a message.
    """
    while cursor.place < end:
        tag = _varint(cursor)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            yield number, kind, _varint(cursor)
        elif kind == BYTES:
            stop = _varint(cursor) + cursor.place
            if stop > end:
                raise NotInspected("it is incomplete")
            yield number, kind, stop
            cursor.skip(stop - cursor.place)
        elif kind in (FIXED64, FIXED32):
            yield number, kind, cursor.number(8 if kind == FIXED64 else 4)
        else:
            raise NotInspected("it has a field of an unknown type")
    if cursor.place != end:
        raise NotInspected("it has a field that is too long")


def text(cursor: Cursor, end: int) -> str:
    """Return a text, of which only as much is read as can be shown."""
    size = min(end - cursor.place, _TEXT_MAX)
    return cursor.exactly(size).decode(errors="replace")[:_SHOWN]


def _varint(cursor: Cursor) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = cursor.exactly(1)[0]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value
    raise NotInspected("it has a number that is too long")
