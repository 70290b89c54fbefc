"""Reader of ONNX models, without their weights.

An ONNX file is one protobuf message, ModelProto. The field numbers are from
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from obeya.artifacts.formats.protobuf import BYTES, VARINT, fields, text
from obeya.artifacts.reading import Budget, Cursor, NotInspected, Reference, Report, Source

_GRAPHS_DEPTH_MAX = 32
_FILES_MAX = 10_000
# Writers align tensors in a file of external data, to at most the page size of the system.
_ALIGNMENT_MAX = 64 * 1024
_VALUES_SHOWN = 200
_EXTERNAL = 1
# TensorProto.DataType
_TYPES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64",
    8: "string", 9: "bool", 10: "float16", 11: "float64", 12: "uint32", 13: "uint64",
    14: "complex64", 15: "complex128", 16: "bfloat16",
}  # fmt: skip
# Of each message: all fields, and the messages in which tensors and nodes can be.
_MODEL_FIELDS = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26})
_FIELDS = {
    "graph": frozenset({1, 2, 5, 10, 11, 12, 13, 14, 15, 16}),
    "node": frozenset(range(1, 11)),
    "attribute": frozenset({*range(1, 12), 13, 14, 15, *range(20, 24)}),
    "tensor": frozenset({*range(1, 15), 16}),
    "sparse": frozenset({1, 2, 3}),
    "function": frozenset({1, 4, *range(5, 15)}),
    "training": frozenset({1, 2, 3, 4}),
}
_INNER = {
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "tensor": {},
    "sparse": {1: "tensor", 2: "tensor"},
    "function": {7: "node", 11: "attribute"},
    "training": {1: "graph", 2: "graph"},
}


@dataclass(slots=True)
class _Model:
    ir_version: int = 0
    producer: list[str] = field(default_factory=lambda: ["", ""])
    opset: int = 0
    has_graph: bool = False
    inputs: list[dict[str, str]] = field(default_factory=list)
    outputs: list[dict[str, str]] = field(default_factory=list)
    weights: set[str] = field(default_factory=set)
    # Offset and length (None: to its end) of the tensors in each file of external data.
    external: dict[str, list[tuple[int, int | None]]] = field(default_factory=dict)
    runs_python: bool = False


def is_onnx(head: bytes) -> bool:
    """Return whether a file may be a model: the first field is the version of the format."""
    return len(head) > 2 and head[0] == 0x08 and 1 <= head[1] <= 64


def read_onnx(source: Source, report: Report, budget: Budget) -> bool:
    """Report the description of the model; return False if the file is not an ONNX model.

    ``{"inputs": [{"name", "type"}...], "outputs", "opset", "ir_version", "producer"}``. Inputs that
    have a value in the file are left out: older files list their weights as inputs.

    Raises:
        NotInspected: it has a graph, but is not valid.
    """
    model, cursor = _Model(), Cursor(source, budget)
    try:
        for number, kind, value in fields(cursor, source.size):
            if number not in _MODEL_FIELDS:
                raise NotInspected(f"it has the unknown field {number}")
            _read_field(cursor, model, number, kind, value)
    except NotInspected as error:
        if not model.has_graph:
            return False
        report.format = "ONNX"
        raise NotInspected(f"not a valid ONNX model: {error}") from error
    if not model.has_graph:
        return False
    report.format = "ONNX"
    report.references = [
        Reference(path, _covered(ranges)) for path, ranges in model.external.items()
    ]
    if model.runs_python:
        report.runs("PyOp node")
    report.details["onnx"] = _described(model)
    return True


def _read_field(cursor: Cursor, model: _Model, number: int, kind: int, value: int) -> None:
    if number == 1 and kind == VARINT:
        model.ir_version = value
    if kind != BYTES:
        return
    if number in (2, 3):
        model.producer[number - 2] = text(cursor, value)
    elif number == 7:
        model.has_graph = True
        _Walk(cursor, model).message("graph", value, 0)
    elif number == 8:
        model.opset = max(model.opset, _main_opset(cursor, value))
    elif number in (20, 25):
        _Walk(cursor, model).message("training" if number == 20 else "function", value, 1)


def _described(model: _Model) -> dict[str, Any]:
    inputs = [value for value in model.inputs if value["name"] not in model.weights]
    return {
        "inputs": inputs[:_VALUES_SHOWN],
        "outputs": model.outputs[:_VALUES_SHOWN],
        "opset": model.opset,
        "ir_version": model.ir_version,
        "producer": " ".join(part for part in model.producer if part),
    }


def _covered(ranges: list[tuple[int, int | None]]) -> int | None:
    """Return the size of a file of external data; -1: any, None: its tensors leave holes."""
    if any(length is None for _, length in ranges):
        return -1
    end = 0
    for offset, length in sorted(ranges, key=lambda each: each[0]):
        if offset - end >= _ALIGNMENT_MAX:
            return None
        end = max(end, offset + (length or 0))
    return end


def _main_opset(cursor: Cursor, end: int) -> int:
    """Return the version of an operator set, 0 if it is not the operator set of ONNX."""
    domain, version = "", 0
    for number, kind, value in fields(cursor, end):
        if number == 1 and kind == BYTES:
            domain = text(cursor, value)
        elif number == 2 and kind == VARINT:
            version = value
    return version if domain in ("", "ai.onnx") else 0


@dataclass(slots=True)
class _Tensor:
    name: str = ""
    place: dict[str, str] = field(default_factory=dict)
    location: int = 0


class _Walk:
    """Walks over all messages that can contain tensors or nodes."""

    def __init__(self, cursor: Cursor, model: _Model) -> None:
        self._cursor, self._model = cursor, model

    def message(self, message: str, end: int, depth: int) -> None:
        if depth > 4 * _GRAPHS_DEPTH_MAX:
            raise NotInspected("its graphs are nested too deeply")
        known, inner, model = _FIELDS[message], _INNER[message], self._model
        tensor = _Tensor()
        for number, kind, value in fields(self._cursor, end):
            if number not in known:
                raise NotInspected(f"a {message} has the unknown field {number}")
            if kind == BYTES and number in inner:
                self.message(inner[number], value, depth + 1)
            elif message == "graph" and kind == BYTES and depth == 0:
                self._graph_field(number, value)
            elif message == "node" and kind == BYTES and number == 4:
                model.runs_python |= text(self._cursor, value) == "PyOp"
            elif message == "tensor":
                self._tensor_field(number, kind, value, tensor)
        if message == "tensor":
            model.weights.add(tensor.name)
            if tensor.place or tensor.location == _EXTERNAL:
                self._add_external(tensor.place)

    def _graph_field(self, number: int, value: int) -> None:
        if number in (11, 12):
            values = self._model.inputs if number == 11 else self._model.outputs
            values.append(_value(self._cursor, value))

    def _tensor_field(self, number: int, kind: int, value: int, tensor: _Tensor) -> None:
        if number == 8 and kind == BYTES:
            tensor.name = text(self._cursor, value)
        elif number == 13 and kind == BYTES:
            tensor.place.update(_entry(self._cursor, value))
        elif number == 14 and kind == VARINT:
            tensor.location = value

    def _add_external(self, place: dict[str, str]) -> None:
        path = place.get("location", "")
        if not path:
            raise NotInspected("a tensor has external data without a location")
        offset, length = place.get("offset", "0"), place.get("length")
        if not all(text.isascii() and text.isdigit() for text in (offset, length or "0")):
            raise NotInspected("a tensor has external data at an invalid offset")
        if len(self._model.external) >= _FILES_MAX:
            raise NotInspected("its tensors are in too many files")
        ranges = self._model.external.setdefault(path, [])
        ranges.append((int(offset), None if length is None else int(length)))


def _entry(cursor: Cursor, end: int) -> dict[str, str]:
    """Return the key (1) and value (2) of a StringStringEntryProto."""
    found = {
        number: text(cursor, value) for number, kind, value in fields(cursor, end) if kind == BYTES
    }
    return {found.get(1, ""): found.get(2, "")}


def _value(cursor: Cursor, end: int) -> dict[str, str]:
    """Return the name (1) and the type (2) of a ValueInfoProto."""
    name, shown = "", ""
    for number, kind, value in fields(cursor, end):
        if kind == BYTES and number == 1:
            name = text(cursor, value)
        elif kind == BYTES and number == 2:
            shown = _type(cursor, value)
    return {"name": name, "type": shown}


def _type(cursor: Cursor, end: int) -> str:
    """Return the type of a TypeProto: a tensor (1) with its shape, other types only by name."""
    shown = ""
    for number, kind, value in fields(cursor, end):
        if number == 1 and kind == BYTES:
            shown = _tensor_type(cursor, value)
        else:
            rarer = {4: "sequence", 5: "map", 8: "sparse tensor", 9: "optional"}
            shown = rarer.get(number, shown)
    return shown


def _tensor_type(cursor: Cursor, end: int) -> str:
    """Return a tensor's element type (1) and shape (2): ``float32 batch × 3 × 224``."""
    element, shape = "", ""
    for number, kind, value in fields(cursor, end):
        if number == 1 and kind == VARINT:
            element = _TYPES.get(value, f"type {value}")
        elif number == 2 and kind == BYTES:
            dimensions = [
                _dimension(cursor, inner)
                for field_number, wire, inner in fields(cursor, value)
                if field_number == 1 and wire == BYTES
            ]
            shape = " × ".join(dimensions[:32])
    return f"{element} {shape}".strip()[:_VALUES_SHOWN]


def _dimension(cursor: Cursor, end: int) -> str:
    shown = "?"
    for number, kind, value in fields(cursor, end):
        if number == 1 and kind == VARINT:
            shown = str(value)
        elif number == 2 and kind == BYTES:
            shown = text(cursor, value) or "?"
    return shown
