"""Readers of small protobuf formats: TensorFlow's SavedModel and SentencePiece tokenizers."""

from __future__ import annotations

from obeya.artifacts.formats.protobuf import BYTES, FIXED32, VARINT, fields
from obeya.artifacts.reading import Budget, Cursor, NotInspected, Report, Source

_PIECE = {1: BYTES, 2: FIXED32, 3: VARINT}


def read_saved_model(source: Source, report: Report, budget: Budget) -> bool:
    """Report a SavedModel, whose graph runs; return False if the file has another format."""
    try:
        found = {number for number, *_ in fields(Cursor(source, budget), source.size)}
    except NotInspected:
        return False
    if found != {1, 2}:
        return False
    report.format = "TensorFlow SavedModel"
    report.runs("TensorFlow SavedModel")
    raise NotInspected("the graph of a TensorFlow SavedModel is not read")


def read_sentencepiece(source: Source, report: Report, budget: Budget) -> bool:
    """Report a tokenizer of SentencePiece; return False if the file has another format.

    It consists of pieces (1) with text, score and type, and of specifications (2 to 5).
    """
    cursor, found = Cursor(source, budget), set()
    try:
        for number, kind, value in fields(cursor, source.size):
            if kind != BYTES or not 1 <= number <= 5:
                return False
            found.add(number)
            if number == 1 and any(
                _PIECE.get(inner) != wire for inner, wire, _ in fields(cursor, value)
            ):
                return False
    except NotInspected:
        return False
    if not {1, 2} <= found:
        return False
    report.format = "SentencePiece tokenizer"
    return True
