"""Reader of NumPy arrays, ``.npy`` (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html)."""

from __future__ import annotations

import ast
import math
import re
from typing import Any

from obeya.artifacts.formats.pickles import PickleFinding, find_pickle
from obeya.artifacts.reading import Budget, NotInspected, Report, Source

MAGIC = b"\x93NUMPY"
_HEADER_MAX = 64 * 1024
_FIELDS_MAX = 1_000
# Kind and number: the number is bytes, of U characters of 4 bytes.
_TYPE = re.compile(r"[<>|=]?([biufcSUVmM?])(\d{0,9})(?:\[\w{1,20}\])?")


def read_numpy(source: Source, report: Report, budget: Budget) -> None:
    """Report the array. Raises `NotInspected` if its data has another size than its header says."""
    report.format = "NumPy array"
    lead = source.read_at(0, 12)
    if len(lead) < 12 or lead[6] not in (1, 2, 3):
        raise NotInspected("not a valid NumPy array")
    start, width = (10, 2) if lead[6] == 1 else (12, 4)
    length = int.from_bytes(lead[8 : 8 + width], "little")
    if length > _HEADER_MAX:
        # NumPy reads such a header only if pickles are allowed.
        data = min(start + length, source.size)
        finding = find_pickle(source.region(data, source.size - data).opened(), budget)
        if finding is not None:
            report.pickles.append(("", finding))
        raise NotInspected("too large (the header of the NumPy array)")
    descr, shape = _header(source.read_at(start, length))
    data = start + length
    if _has_objects(descr):
        found = find_pickle(source.region(data, source.size - data).opened(), budget)
        report.pickles.append(("", found or PickleFinding(0)))
        return
    if math.prod(shape) * _item_size(descr) != source.size - data:
        raise NotInspected("the NumPy array has another size than its header says")


def _header(content: bytes) -> tuple[Any, tuple[int, ...]]:
    try:
        header = ast.literal_eval(content.decode("utf-8").strip())
        descr, shape = header["descr"], header["shape"]
        well = header.keys() == {"descr", "fortran_order", "shape"} and isinstance(shape, tuple)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError, KeyError):
        well = False
    if not well or any(type(each) is not int or each < 0 for each in shape):
        raise NotInspected("the header of the NumPy array cannot be read")
    return descr, shape


def _has_objects(descr: Any) -> bool:
    if isinstance(descr, str):
        return "O" in descr
    if isinstance(descr, list | tuple):
        return any(_has_objects(part) for field in descr for part in _parts(field))
    return False


def _parts(field: Any) -> tuple[Any, ...]:
    """Return the types in a field: name, type and shape, or a type and a shape."""
    return tuple(field[1:]) if isinstance(field, tuple | list) else (field,)


def _item_size(descr: Any) -> int:
    """Return the size of one element in bytes."""
    if isinstance(descr, str) and (found := _TYPE.fullmatch(descr)):
        number = int(found[2] or {"?": 1, "m": 8, "M": 8}.get(found[1], 0))
        return number * 4 if found[1] == "U" else number
    if isinstance(descr, list) and len(descr) <= _FIELDS_MAX:
        return sum(_field_size(field) for field in descr)
    raise NotInspected("the NumPy array has an unknown type of elements")


def _field_size(field: Any) -> int:
    if not isinstance(field, tuple) or len(field) not in (2, 3):
        raise NotInspected("the NumPy array has an unknown type of elements")
    shape = field[2] if len(field) == 3 else ()
    if not isinstance(shape, tuple) or any(type(each) is not int or each < 0 for each in shape):
        raise NotInspected("the NumPy array has an unknown type of elements")
    return _item_size(field[1]) * math.prod(shape)
