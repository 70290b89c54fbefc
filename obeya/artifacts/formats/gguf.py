"""Reader of GGUF files (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md)."""

from __future__ import annotations

import math

from obeya.artifacts.reading import Budget, Cursor, NotInspected, Report, Source

MAGIC = b"GGUF"
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_UINT32, _STRING, _ARRAY = 4, 8, 9
_DIMENSIONS_MAX = 8
_DEPTH_MAX = 4
# Number of elements and of bytes in a block, by the type of a tensor.
_BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34),
    9: (32, 40), 10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210),
    15: (256, 292), 16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18),
    21: (256, 110), 22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8),
    28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17),
    40: (64, 36), 41: (128, 18),
}  # fmt: skip


def read_gguf(source: Source, report: Report, budget: Budget) -> None:
    """Report the chat templates, which programs render when they load the file.

    Raises:
        NotInspected: it is not of version 2 or 3, or its tensors do not fill it to its end.
    """
    report.format = "GGUF"
    cursor = Cursor(source, budget, 4)
    if (version := cursor.number(4)) not in (2, 3):
        raise NotInspected(f"GGUF of the unknown version {version}")
    tensors, values = cursor.number(8), cursor.number(8)
    alignment = 32
    for _ in range(values):
        key, kind = _text(cursor), cursor.number(4)
        if key == b"general.alignment" and kind == _UINT32:
            alignment = cursor.number(4)
            continue
        _skip_value(cursor, kind)
        if b"chat_template" in key:
            report.runs("chat template")
    sizes: dict[int, int] = {}
    for _ in range(tensors):
        offset, size = _tensor(cursor)
        if sizes.setdefault(offset, size) != size:
            raise NotInspected("tensors of the GGUF file overlap")
    if not 1 <= alignment <= 2**16:
        raise NotInspected("the GGUF file has an invalid alignment")
    data = cursor.place + -cursor.place % alignment
    end = _check_layout(sizes, source.size - data, alignment)
    if source.read_at(data + end, alignment).strip(b"\0"):
        raise NotInspected("there are bytes after the tensors of the GGUF file")


def _check_layout(sizes: dict[int, int], room: int, alignment: int) -> int:
    """Check that the tensors fill `room` bytes, apart from padding, and return their end."""
    place = end = 0
    for offset, size in sorted(sizes.items()):
        if offset != place:
            raise NotInspected("tensors of the GGUF file overlap or leave holes")
        end = offset + size
        place = end + -end % alignment
    if not end <= room <= place and (sizes or room > 0):
        raise NotInspected("the GGUF file has another size than its header says")
    return end


def _tensor(cursor: Cursor) -> tuple[int, int]:
    """Return offset and size of a tensor in bytes."""
    _text(cursor)
    count = cursor.number(4)
    if count > _DIMENSIONS_MAX:
        raise NotInspected("not a valid GGUF file")
    shape = [cursor.number(8) for _ in range(count)]
    kind, offset = cursor.number(4), cursor.number(8)
    if kind not in _BLOCKS:
        raise NotInspected(f"the GGUF file has a tensor of the unknown type {kind}")
    elements, size = _BLOCKS[kind]
    if math.prod(shape) % elements:
        raise NotInspected("not a valid GGUF file")
    return offset, math.prod(shape) // elements * size


def _text(cursor: Cursor) -> bytes:
    length = cursor.number(8)
    if length > 2**16:
        raise NotInspected("not a valid GGUF file")
    return cursor.exactly(length)


def _skip_value(cursor: Cursor, kind: int, depth: int = 0) -> None:
    if kind in _SIZES:
        cursor.skip(_SIZES[kind])
    elif kind == _STRING:
        cursor.skip(cursor.number(8))
    elif kind == _ARRAY and depth < _DEPTH_MAX:
        inner, count = cursor.number(4), cursor.number(8)
        if inner in _SIZES:
            cursor.skip(count * _SIZES[inner])
            return
        for _ in range(count):
            _skip_value(cursor, inner, depth + 1)
    else:
        raise NotInspected("not a valid GGUF file")
