"""Reader of HDF5 files as h5py writes them, which Keras uses.

Every object that can be reached from the root is visited. The elements of data sets are numbers or
texts; anything that a library could unpickle, link or load from elsewhere is not inspected. The
format: https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator

from obeya.artifacts.formats.keras import code_of_config
from obeya.artifacts.formats.pickles import find_pickle
from obeya.artifacts.reading import (
    PIECE,
    Budget,
    Cursor,
    NotInspected,
    Report,
    Source,
    parsed_json,
)

MAGIC = b"\x89HDF\r\n\x1a\n"
_NOWHERE = 2**64 - 1
_WIDTH = 8
_TEXT_MAX = 16 * 1024 * 1024
_CONTINUATION = 0x10
# Empty, data space, fill values, group info, comment, times, B-tree sizes, reference count.
_HARMLESS = frozenset({0x00, 0x01, 0x04, 0x05, 0x0A, 0x0D, 0x0E, 0x12, 0x13, 0x16})
_SHARED = 0x02
_INTEGER, _FLOAT, _TEXT, _ENUM, _VARIABLE, _ARRAY = 0, 1, 3, 8, 9, 10
# Deflate, shuffle, Fletcher32, SZIP, n-bit, scale-offset, LZF; others are plug-ins.
_KNOWN_FILTERS = frozenset({1, 2, 3, 4, 5, 6, 32000})
_LAMBDA = re.compile(rb'"class_name"\s*:\s*"Lambda"')
_OVERLAP = 256


def read_hdf5(source: Source, report: Report, budget: Budget) -> None:
    """Report the code in the configuration of a Keras model, and pickles in attributes.

    Raises:
        NotInspected: it is broken, or contains something that h5py does not write for Keras.
    """
    report.format = "HDF5"
    try:
        _Hdf5(source, report, budget).read()
    except NotInspected as error:
        if _has_lambda(source):
            report.runs("Lambda layer")
        raise NotInspected(f"HDF5: {error}") from error


def _has_lambda(source: Source) -> bool:
    place, before = 0, b""
    while piece := source.read_at(place, PIECE):
        if _LAMBDA.search(before + piece):
            return True
        before = piece[-_OVERLAP:]
        place += len(piece)
    return False


class _Hdf5:
    def __init__(self, source: Source, report: Report, budget: Budget) -> None:
        self._source, self._report, self._budget = source, report, budget
        self._visited: set[int] = set()
        self._waiting: list[int] = []

    def read(self) -> None:
        cursor = self._at(len(MAGIC))
        version = cursor.number(1)
        if version in (0, 1):
            cursor.skip(4)
            sizes = cursor.exactly(2)
            cursor.skip(9 if version == 0 else 13)
            base, _, end, driver = (cursor.number(_WIDTH) for _ in range(4))
            cursor.skip(_WIDTH)
            root = cursor.number(_WIDTH)
        elif version in (2, 3):
            sizes = cursor.exactly(2)
            cursor.skip(1)
            base, driver, end, root = (cursor.number(_WIDTH) for _ in range(4))
        else:
            raise NotInspected("it has an unknown version")
        if sizes != bytes((_WIDTH, _WIDTH)) or base or driver != _NOWHERE:
            raise NotInspected("it has an unknown layout")
        if end != self._source.size:
            raise NotInspected("it is incomplete, or there are bytes after it")
        self._visit(root)
        while self._waiting:
            self._object(self._waiting.pop())

    def _at(self, place: int) -> Cursor:
        if place >= self._source.size:
            raise NotInspected("it is incomplete")
        return Cursor(self._source, self._budget, place)

    def _visit(self, place: int) -> None:
        if place not in self._visited:
            self._visited.add(place)
            self._waiting.append(place)

    def _object(self, place: int) -> None:
        """Read the messages of an object: a group, a data set or a type."""
        for kind, flags, message in self._messages(place):
            if kind in _HARMLESS:
                continue
            if flags & _SHARED:
                raise NotInspected("it has shared parts")
            self._message(kind, message)

    def _message(self, kind: int, message: Source) -> None:
        cursor = Cursor(message, self._budget)
        match kind:
            case 0x02:
                _check_members(cursor, order_size=8)
            case 0x03:
                _read_type(cursor)
            case 0x06:
                self._visit(_linked(cursor))
            case 0x08:
                self._layout(cursor)
            case 0x0B:
                _check_filters(cursor)
            case 0x0C:
                self._attribute(message)
            case 0x11:
                self._symbols(cursor.number(_WIDTH), 0)
            case 0x15:
                _check_members(cursor, order_size=2)
            case _:
                raise NotInspected("it has parts of an unknown kind")

    def _messages(self, place: int) -> Iterator[tuple[int, int, Source]]:
        """Yield kind, flags and content of each message of an object's header."""
        cursor = self._at(place)
        if cursor.exactly(4) == b"OHDR":
            _, flags = cursor.exactly(2)
            cursor.skip(16 * bool(flags & 0x20) + 4 * bool(flags & 0x10))
            size = cursor.number(1 << (flags & 3))
            lead, blocks = 2 * bool(flags & 4), [(cursor.place, size)]
        else:
            cursor = self._at(place)
            if cursor.exactly(1) != b"\x01":
                raise NotInspected("an object has an unknown version")
            cursor.skip(7)
            size = cursor.number(4)
            lead, blocks = -1, [(place + 16, size)]
        while blocks:
            start, size = blocks.pop()
            for kind, flags, message in self._block(start, size, lead):
                if kind == _CONTINUATION:
                    inner = Cursor(message, self._budget)
                    begin, length = inner.number(_WIDTH), inner.number(_WIDTH)
                    # New blocks have a signature and a checksum.
                    blocks.append((begin, length) if lead < 0 else (begin + 4, length - 8))
                else:
                    yield kind, flags, message

    def _block(self, start: int, size: int, lead: int) -> Iterator[tuple[int, int, Source]]:
        """Yield the messages of a block. `lead` is -1 for the old format of messages."""
        cursor, least = self._at(start), 8 if lead < 0 else 4 + lead
        while start + size - cursor.place >= least:
            kind = cursor.number(2 if lead < 0 else 1)
            length, flags = cursor.number(2), cursor.number(1)
            cursor.skip(3 if lead < 0 else lead)
            if length > start + size - cursor.place:
                raise NotInspected("an object is incomplete")
            yield kind, flags, self._source.region(cursor.place, length)
            cursor.skip(length)

    def _symbols(self, tree: int, depth: int) -> None:
        """Visit the members of a group, which are in a B-tree."""
        self._budget.step()
        cursor = self._at(tree)
        if depth > 32 or cursor.exactly(5) != b"TREE\0":
            raise NotInspected("a group is damaged")
        level, count = cursor.number(1), cursor.number(2)
        cursor.skip(2 * _WIDTH)
        for _ in range(count):
            cursor.skip(_WIDTH)
            child = cursor.number(_WIDTH)
            if level:
                self._symbols(child, depth + 1)
            else:
                self._symbol_node(child)

    def _symbol_node(self, place: int) -> None:
        cursor = self._at(place)
        if cursor.exactly(4) != b"SNOD":
            raise NotInspected("a group is damaged")
        cursor.skip(2)
        for _ in range(cursor.number(2)):
            cursor.skip(_WIDTH)
            target, kind = cursor.number(_WIDTH), cursor.number(4)
            cursor.skip(20)
            if kind == 2:
                raise NotInspected("it contains a link")
            self._visit(target)

    def _layout(self, cursor: Cursor) -> None:
        """Check where the elements of a data set are."""
        version, kind = cursor.exactly(2)
        if version != 3 or kind > 2:
            raise NotInspected("a data set has an unknown layout")
        if kind == 1:
            place, size = cursor.number(_WIDTH), cursor.number(_WIDTH)
            if place != _NOWHERE and place + size > self._source.size:
                raise NotInspected("a data set is incomplete")

    def _attribute(self, message: Source) -> None:
        """Report what is in the texts of an attribute."""
        cursor = Cursor(message, self._budget)
        version = cursor.number(1)
        flags = cursor.number(1)
        sizes = [cursor.number(2) for _ in range(3)]
        if version not in (1, 2, 3) or (flags and version > 1):
            raise NotInspected("an attribute has an unknown format")
        cursor.skip(1 if version == 3 else 0)
        name_size, type_size, space_size = (-(-s // 8) * 8 if version == 1 else s for s in sizes)
        name = cursor.exactly(name_size).rstrip(b"\0")
        place = cursor.place
        kind, size = _read_type(Cursor(message.region(place, type_size), self._budget))
        count = _count(Cursor(message.region(place + type_size, space_size), self._budget))
        cursor.skip(type_size + space_size)
        if kind == _TEXT:
            self._text(name, cursor.exactly(count * size))
        elif kind == _VARIABLE:
            for _ in range(count):
                length = cursor.number(4)
                place, index = cursor.number(_WIDTH), cursor.number(4)
                if length and place:
                    self._text(name, self._from_heap(place, index, length))

    def _text(self, name: bytes, text: bytes) -> None:
        # Many attributes can refer to one text.
        self._budget.unpack(len(text))
        # PyTables unpickles such attributes.
        finding = find_pickle(io.BytesIO(text), self._budget)
        if finding is not None:
            self._report.pickles.append((name.decode(errors="replace")[:64], finding))
        if name in (b"model_config", b"training_config") or text.lstrip()[:1] == b"{":
            try:
                document = parsed_json(text.rstrip(b"\0"))
            except NotInspected:
                self._report.runs("a configuration that cannot be read")
                return
            for what in code_of_config(document):
                self._report.runs(what)

    def _from_heap(self, place: int, index: int, length: int) -> bytes:
        """Return a text of variable length from a global heap."""
        cursor = self._at(place)
        if cursor.exactly(4) != b"GCOL":
            raise NotInspected("a text is damaged")
        cursor.skip(4)
        end = place + cursor.number(_WIDTH)
        while cursor.place + 16 <= end:
            found = cursor.number(2)
            cursor.skip(6)
            size = cursor.number(_WIDTH)
            if found == index:
                if length > size or length > _TEXT_MAX:
                    raise NotInspected("a text is too long")
                return cursor.exactly(length)
            if not found:
                break
            cursor.skip(-(-size // 8) * 8)
        raise NotInspected("a text is missing")


def _read_type(cursor: Cursor) -> tuple[int, int]:
    """Return class and size of a data type. Raises `NotInspected` if a library may unpickle it."""
    lead = cursor.number(1)
    bits = cursor.number(3)
    kind, size = lead & 0x0F, cursor.number(4)
    if kind in (_INTEGER, _FLOAT, _TEXT):
        return kind, size
    if kind == _ENUM and _read_type(cursor)[0] == _INTEGER:
        return kind, size
    if kind == _VARIABLE and bits & 0x0F == 1:
        return kind, size
    if kind == _ARRAY:
        dimensions = cursor.number(1)
        # Before version 3, with reserved bytes and a permutation of the dimensions.
        cursor.skip(4 * dimensions if lead >> 4 >= 3 else 3 + 8 * dimensions)
        if _read_type(cursor)[0] in (_INTEGER, _FLOAT, _ENUM):
            return kind, size
    raise NotInspected("it has data that is neither numbers nor text")


def _count(cursor: Cursor) -> int:
    """Return the number of elements of a data space."""
    version, dimensions, _ = cursor.exactly(3)
    if version == 1:
        cursor.skip(5)
    elif version == 2:
        if cursor.number(1) == 2:
            return 0
    else:
        raise NotInspected("it has an unknown version")
    return math.prod(cursor.number(_WIDTH) for _ in range(dimensions))


def _linked(cursor: Cursor) -> int:
    """Return the place of the object that a link leads to."""
    version, flags = cursor.exactly(2)
    kind = cursor.number(1) if flags & 0x08 else 0
    if version != 1 or kind:
        raise NotInspected("it contains a link")
    cursor.skip(8 * bool(flags & 0x04) + bool(flags & 0x10))
    cursor.skip(cursor.number(1 << (flags & 3)))
    return cursor.number(_WIDTH)


def _check_members(cursor: Cursor, *, order_size: int) -> None:
    """Check that the members or attributes of an object are in its header."""
    _, flags = cursor.exactly(2)
    cursor.skip(order_size * bool(flags & 1))
    if cursor.number(_WIDTH) != _NOWHERE:
        raise NotInspected("it has many members in one object, which are not read")


def _check_filters(cursor: Cursor) -> None:
    version, count = cursor.exactly(2)
    cursor.skip(6 if version == 1 else 0)
    for _ in range(count):
        number = cursor.number(2)
        if number not in _KNOWN_FILTERS:
            raise NotInspected("it needs a filter that is not part of HDF5")
        name_size = cursor.number(2) if version == 1 or number >= 256 else 0
        cursor.skip(2)
        values = cursor.number(2)
        cursor.skip(-(-name_size // 8) * 8 if version == 1 else name_size)
        cursor.skip(4 * (values + (values % 2 if version == 1 else 0)))
