"""Findings about a file from its content, independent of its name.

The result is a JSON document that is stored with the file: ``{"safetensors": {...}}``,
``{"mlmodel": {...}}``, ``{"onnx": {...}}``, ``{"pickles": [...]}``, ``{"unsearched": "..."}``,
several of them or none. None of them means that a file is safe.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO

from obeya.artifacts.archives import search_pickles
from obeya.artifacts.mlmodel import read_mlmodel
from obeya.artifacts.onnx import read_onnx
from obeya.artifacts.safetensors import read_safetensors

Findings = Mapping[str, Any]

WARNINGS_SHOWN = 100
_IMPORTS_SAID = 3
_READERS = (
    ("safetensors", read_safetensors),
    ("mlmodel", read_mlmodel),
    ("onnx", read_onnx),
)


def findings_of(file: BinaryIO, size: int) -> dict[str, Any]:
    """Read the metadata of a seekable file, and search the file for pickles."""
    findings: dict[str, Any] = {}
    for name, read in _READERS:
        found = read(file, size)
        if found is not None:
            findings[name] = found
            break
    search = search_pickles(file, size)
    if search.pickles:
        findings["pickles"] = [
            {"where": where, "protocol": pickle.protocol, "imports": pickle.imports}
            for where, pickle in search.pickles
        ]
    if search.unsearched:
        findings["unsearched"] = search.unsearched
    return {name: _storable(told) for name, told in findings.items()}


def _storable(value: Any) -> Any:
    """Return the value with every text storable in a database: files can contain any text."""
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_storable(item) for item in value]
    return value


def warnings_of(files: Iterable[tuple[str, Findings]]) -> tuple[str, ...]:
    """Return a sentence for each file that has a pickle or was not searched completely.

    At most a hundred; the last one says how many more there are.
    """
    said = [sentence for path, findings in files if (sentence := warning_of(path, findings))]
    if len(said) > WARNINGS_SHOWN:
        said[WARNINGS_SHOWN - 1 :] = [
            f"{len(said) - WARNINGS_SHOWN + 1:,} more files have warnings."
        ]
    return tuple(said)


def warning_of(path: str, findings: Findings) -> str:
    """Return the warning about one file, "" if there is none."""
    pickles = findings.get("pickles", ())
    if pickles:
        first = pickles[0]
        within = f" in {first['where']}" if first["where"] else ""
        imports = [name for pickle in pickles for name in pickle["imports"]]
        named = f"; it imports {', '.join(imports[:_IMPORTS_SAID])}" if imports else ""
        more = " and more" if len(imports) > _IMPORTS_SAID else ""
        return f"{path} contains a pickle{within}, which runs code when loaded{named}{more}."
    if "unsearched" in findings:
        return f"{path} could not be searched for pickles: {findings['unsearched']}."
    return ""
