"""Reader of plain text: JSON, YAML, TOML, CSV, Markdown, scripts and others.

Text counts only as complete UTF-8 without control characters. JSON and YAML are not parsed as a
whole; what can name code in them is found by its texts, also if they are escaped.
"""

from __future__ import annotations

import codecs
import re
from typing import Any

from obeya.artifacts.formats.keras import code_of_config
from obeya.artifacts.formats.mlmodel import SIZE_MAX as MLMODEL_MAX
from obeya.artifacts.formats.mlmodel import read_mlmodel
from obeya.artifacts.reading import (
    JSON_MAX,
    PIECE,
    NotInspected,
    Reference,
    Report,
    Source,
    parsed_json,
)

_OVERLAP = 512
# All control characters but tabulator, line feed, form feed and carriage return.
_CONTROLS = bytes({*range(32)} - {9, 10, 12, 13})
_BOM = codecs.BOM_UTF8
# How MLflow writes this member. Parsing YAML is slow, so other texts are spared.
_FLAVORS = re.compile(rb"(?:\A|[\r\n])flavors[ \t]*:")


def _token(text: str) -> bytes:
    """Return a pattern of a JSON string; every character of it can be escaped."""
    characters = (rb"(?:%b|\\u00%02x)" % (re.escape(c).encode(), ord(c)) for c in text)
    return b'"' + b"".join(characters) + b'"'


_JSON_TOKENS = {
    name: re.compile(_token(name), re.IGNORECASE)
    for name in ("auto_map", "class_name", "weight_map", "__loader__")
}
_CORE = rb"(?<=!!)(?:str|seq|map|null|bool|int|float|binary|timestamp|set|omap|pairs|merge|value)\b"
_BREAKS = (rb"\xc2\x85", rb"\xe2\x80\xa8", rb"\xe2\x80\xa9", rb"\xef\xbb\xbf")


def _after(before: bytes, mark: bytes) -> bytes:
    """Return a pattern of a mark after one of some characters or a line break of YAML.

    The mark is first: texts are searched faster for a constant.
    """
    rarer = b"".join(rb"|(?<=%b%b)" % (each, mark) for each in _BREAKS)
    return rb"%b(?:(?<![^%b]%b)%b)" % (mark, before, mark, rarer)


# What can name an object, or hide that: directives, verbatim tags, escapes, names of classes.
_YAML_OBJECTS = (
    re.compile(rb"!!python/"),
    re.compile(rb"yaml\.org,2002:python"),
    re.compile(_after(rb"\r\n", b"%TAG") + rb"[ \t]"),
    re.compile(
        _after(rb"\s\[{,:", b"!")
        + rb"(?:<[!%\w]|[\w.:/,!-]{0,200}%[0-9A-Fa-f]{2}|![\w-]{1,200}[./:]\w)"
    ),
)
# Other tags count where a value is expected: elsewhere, prose has exclamation marks too.
_YAML_TAG = re.compile(rb"!(?:(?<=[ \t]!)!?|(?<=[\[{]!)!)(?!" + _CORE + rb")[A-Za-z]")
_YAML_ROOT = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:---\s+)?!!?(?!" + _CORE + rb")[A-Za-z]")
_YAML_ANCHOR = re.compile(rb"&\S+\Z")


def _has_yaml_objects(seen: bytes, start: int) -> bool:
    """Return whether a text has tags of YAML, from `start` on, other than those of its core."""
    if any(pattern.search(seen, start) for pattern in _YAML_OBJECTS):
        return True
    for tag in _YAML_TAG.finditer(seen, start):
        before = seen[max(0, tag.start() - _OVERLAP) : tag.start()].rstrip()
        before = _YAML_ANCHOR.sub(b"", before).rstrip()
        if before.endswith((b":", b"-", b"[", b"{", b"\n?", b"\r?")):
            return True
    return False


def read_text(source: Source, report: Report) -> bool:
    """Report what a text says that is code; return False if the file is not text.

    Raises:
        NotInspected: it is a text that has to be parsed, and cannot be.
    """
    found = _tokens(source)
    if found is None:
        return False
    report.format = "text"
    if source.read_at(0, 2) == b"#!":
        report.runs("script")
    if "yaml" in found or _YAML_ROOT.match(source.read_at(0, PIECE)):
        report.runs("YAML with Python objects")
    if "flavors" in found and source.size <= MLMODEL_MAX:
        read_mlmodel(source, report)
    if not _is_json(source):
        return True
    if "auto_map" in found:
        report.runs("code that auto_map names")
    if "__loader__" in found:
        report.runs("skops objects")
    if "class_name" in found or "weight_map" in found:
        document = parsed_json(source.read_at(0, min(source.size, JSON_MAX + 1)))
        for what in code_of_config(document):
            report.runs(what)
        report.references += _shards(document)
    return True


def _tokens(source: Source) -> set[str] | None:
    """Return which of the texts that matter are in a file, None if it is not text."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    found: set[str] = set()
    place, before = 0, b""
    try:
        while piece := source.read_at(place, PIECE):
            if len(piece.translate(None, _CONTROLS)) != len(piece):
                return None
            decoder.decode(piece)
            seen = before + piece
            found |= {name for name, token in _JSON_TOKENS.items() if token.search(seen)}
            # What begins before the second byte of a later piece was seen with the one before.
            if _has_yaml_objects(seen, 1 if before else 0):
                found.add("yaml")
            if _FLAVORS.search(seen):
                found.add("flavors")
            before = seen[-_OVERLAP:]
            place += len(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return None
    return found


def _is_json(source: Source) -> bool:
    start = source.read_at(0, PIECE).removeprefix(_BOM).lstrip()
    return not start or start[:1] in b"{["


def _shards(document: Any) -> list[Reference]:
    """Return the files that the index of a sharded model names."""
    shards = document.get("weight_map") if isinstance(document, dict) else None
    if shards is None:
        return []
    if not isinstance(shards, dict) or any(type(path) is not str for path in shards.values()):
        raise NotInspected("the index of shards cannot be read")
    return [Reference(path) for path in dict.fromkeys(shards.values())]
