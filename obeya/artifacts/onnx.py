"""Reader of the inputs and outputs of an ONNX file, without reading its weights.

An ONNX file is one protobuf message, ModelProto. Its fields are read in the wire format
(https://protobuf.dev/programming-guides/encoding/), and unneeded fields are skipped without reading
them, so a file of several gigabytes costs no more than a small one. The field numbers are from
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_IR_VERSION, _PRODUCER, _PRODUCER_VERSION, _GRAPH, _OPSET = 1, 2, 3, 7, 8
_MODEL_FIELDS = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26})
_GRAPH_INITIALIZER, _GRAPH_INPUT, _GRAPH_OUTPUT = 5, 11, 12
_TENSOR_NAME = 8
_FIELDS_MAX = 2_000_000
_VALUES_SHOWN = 200
_TEXT_MAX = 4_096
_SHOWN = 250
# TensorProto.DataType
_TYPES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64",
    8: "string", 9: "bool", 10: "float16", 11: "float64", 12: "uint32", 13: "uint64",
    14: "complex64", 15: "complex128", 16: "bfloat16",
}  # fmt: skip


class _Malformed(Exception):
    """The bytes are not a message of the expected type."""


def read_onnx(file: BinaryIO, size: int) -> dict[str, Any] | None:
    """Return the description of the model, None if the file is not an ONNX model.

    ``{"inputs": [{"name", "type"}...], "outputs", "opset", "ir_version", "producer"}``. Inputs that
    have a value in the file are left out: older files list their weights as inputs.
    """
    file.seek(0)
    # The first field is the version of the format: tag 0x08 and a small number.
    start = file.read(2)
    if len(start) < 2 or start[0] != 0x08 or not 1 <= start[1] <= 64:
        return None
    try:
        return _model(_Reader(file), size)
    except _Malformed:
        return None


class _Reader:
    """Reads the fields of messages in a file, up to a total number of fields."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = _FIELDS_MAX

    def fields(self, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
        """Yield number, wire type, start and end of each field.

        For a varint, start and end are both its value.
        """
        place = start
        while place < end:
            self._left -= 1
            if self._left < 0:
                raise _Malformed
            tag, place = self._varint(place)
            number, kind = tag >> 3, tag & 7
            if kind == _VARINT:
                value, place = self._varint(place)
                yield number, kind, value, value
                continue
            if kind == _BYTES:
                length, place = self._varint(place)
            elif kind in (_FIXED64, _FIXED32):
                length = 8 if kind == _FIXED64 else 4
            else:
                raise _Malformed
            if length > end - place:
                raise _Malformed
            yield number, kind, place, place + length
            place += length
        if place != end:
            raise _Malformed

    def text(self, start: int, end: int) -> str:
        """Return a text, of which only as much is read as can be shown."""
        self._file.seek(start)
        return self._file.read(min(end - start, _TEXT_MAX)).decode(errors="replace")[:_SHOWN]

    def _varint(self, place: int) -> tuple[int, int]:
        self._file.seek(place)
        given = self._file.read(10)
        value = 0
        for index, byte in enumerate(given):
            value |= (byte & 0x7F) << (7 * index)
            if byte < 0x80:
                return value, place + index + 1
        raise _Malformed


def _model(reader: _Reader, size: int) -> dict[str, Any] | None:
    ir_version, producer, opset, graph = 0, ["", ""], 0, None
    for number, kind, start, end in reader.fields(0, size):
        if number not in _MODEL_FIELDS:
            return None
        if number == _IR_VERSION and kind == _VARINT:
            ir_version = start
        elif number in (_PRODUCER, _PRODUCER_VERSION) and kind == _BYTES:
            producer[number - _PRODUCER] = reader.text(start, end)
        elif number == _OPSET and kind == _BYTES:
            opset = max(opset, _main_opset(reader, start, end))
        elif number == _GRAPH and kind == _BYTES:
            graph = (start, end)
    if graph is None:
        return None
    inputs, outputs = _graph(reader, *graph)
    return {
        "inputs": inputs,
        "outputs": outputs,
        "opset": opset,
        "ir_version": ir_version,
        "producer": " ".join(part for part in producer if part),
    }


def _main_opset(reader: _Reader, start: int, end: int) -> int:
    """Return the version of an operator set, 0 if it is not the operator set of ONNX."""
    domain, version = "", 0
    for number, kind, begin, stop in reader.fields(start, end):
        if number == 1 and kind == _BYTES:
            domain = reader.text(begin, stop)
        elif number == 2 and kind == _VARINT:
            version = begin
    return version if domain in ("", "ai.onnx") else 0


def _graph(
    reader: _Reader, start: int, end: int
) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    weights: set[str] = set()
    found: dict[int, list[dict[str, str]]] = {_GRAPH_INPUT: [], _GRAPH_OUTPUT: []}
    for number, kind, begin, stop in reader.fields(start, end):
        if kind != _BYTES:
            continue
        if number == _GRAPH_INITIALIZER:
            weights.add(_field_text(reader, begin, stop, _TENSOR_NAME))
        elif number in found:
            found[number].append(_value(reader, begin, stop))
    inputs = [value for value in found[_GRAPH_INPUT] if value["name"] not in weights]
    return inputs[:_VALUES_SHOWN], found[_GRAPH_OUTPUT][:_VALUES_SHOWN]


def _field_text(reader: _Reader, start: int, end: int, wanted: int) -> str:
    for number, kind, begin, stop in reader.fields(start, end):
        if number == wanted and kind == _BYTES:
            return reader.text(begin, stop)
    return ""


def _value(reader: _Reader, start: int, end: int) -> dict[str, str]:
    """Return the name (1) and the type (2) of a ValueInfoProto."""
    name, kind_text = "", ""
    for number, kind, begin, stop in reader.fields(start, end):
        if kind == _BYTES and number == 1:
            name = reader.text(begin, stop)
        elif kind == _BYTES and number == 2:
            kind_text = _type(reader, begin, stop)
    return {"name": name, "type": kind_text}


def _type(reader: _Reader, start: int, end: int) -> str:
    """Return the type of a TypeProto: a tensor (1) with its shape, other types only by name."""
    for number, kind, begin, stop in reader.fields(start, end):
        if number == 1 and kind == _BYTES:
            return _tensor(reader, begin, stop)
        rarer = {4: "sequence", 5: "map", 8: "sparse tensor", 9: "optional"}.get(number)
        if rarer:
            return rarer
    return ""


def _tensor(reader: _Reader, start: int, end: int) -> str:
    """Return a tensor's element type (1) and shape (2): ``float32 batch × 3 × 224``."""
    element, shape = "", ""
    for number, kind, begin, stop in reader.fields(start, end):
        if number == 1 and kind == _VARINT:
            element = _TYPES.get(begin, f"type {begin}")
        elif number == 2 and kind == _BYTES:
            dimensions = [
                _dimension(reader, first, last)
                for field, wire, first, last in reader.fields(begin, stop)
                if field == 1 and wire == _BYTES
            ]
            shape = " × ".join(dimensions[:32])
    return f"{element} {shape}".strip()[:_SHOWN]


def _dimension(reader: _Reader, start: int, end: int) -> str:
    for number, kind, begin, stop in reader.fields(start, end):
        if number == 1 and kind == _VARINT:
            return str(begin)
        if number == 2 and kind == _BYTES:
            return reader.text(begin, stop) or "?"
    return "?"
