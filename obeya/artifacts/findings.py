"""Findings about a file from its content, and the sentences about the files of an artifact.

The findings are a JSON document that is stored with the content: ``{"format": "text"}``, with more
members if there is more to say: ``"safetensors"``, ``"mlmodel"``, ``"onnx"`` (what pages show of
these formats), ``"pickles"``, ``"code"`` (what runs when the file is loaded), ``"references"`` (the
files it needs) and ``"unsearched"`` (why it was not read to its end).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from obeya.artifacts.inspection import NOT_RECOGNISED, SCRIPT, inspect, is_script
from obeya.artifacts.manifest import folders_of
from obeya.artifacts.reading import Reference
from obeya.artifacts.references import problem_of, resolved

Findings = Mapping[str, Any]

WARNINGS_SHOWN = 100
_IMPORTS_SHOWN = 3
_PICKLE_SUFFIXES = frozenset(
    {"ckpt", "dill", "joblib", "p", "pck", "pickle", "pkl", "pt", "pth", "sav"}
)


@dataclass(frozen=True, slots=True)
class InspectedFile:
    """A file of an artifact: its path, its size in bytes and its findings."""

    path: str
    size: int
    findings: Findings


@dataclass(frozen=True, slots=True)
class FileWarnings:
    """Sentences about the files of an artifact, each list with at most a hundred.

    `problems` are about files that contain a pickle or could not be inspected; `code` is about
    what runs when they are loaded.
    """

    problems: tuple[str, ...] = ()
    code: tuple[str, ...] = ()


def findings_of(file: BinaryIO, size: int) -> dict[str, Any]:
    """Inspect a seekable file."""
    report = inspect(file, size)
    findings: dict[str, Any] = {"format": report.format, **report.details}
    if report.pickles:
        findings["pickles"] = [
            {"where": where[:250], "protocol": pickle.protocol, "imports": pickle.imports}
            for where, pickle in report.pickles
        ]
    if report.code:
        findings["code"] = report.code
    if report.references:
        findings["references"] = [
            {"path": each.path, "covers": each.covers} for each in report.references
        ]
    if report.problem:
        findings["unsearched"] = report.problem
    return {name: _storable(found) for name, found in findings.items()}


def _storable(value: Any) -> Any:
    """Return the value with every text storable in a database: files can contain any text."""
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_storable(item) for item in value]
    return value


def warnings_of(files: Iterable[InspectedFile]) -> FileWarnings:
    """Return the sentences about the files of an artifact, in their order."""
    listed = list(files)
    places = {place for file in listed for place in (file.path, *folders_of(file.path))}
    described = _described_data(listed)
    problems: list[str] = []
    code: list[str] = []
    for file in listed:
        findings = file.findings
        is_unknown = findings.get("unsearched") == NOT_RECOGNISED
        if is_unknown and file.path in described and not _is_pickle_name(file.path):
            continue
        if problem := problem_with(file.path, findings):
            problems.append(problem)
        problems += [
            problem
            for reference in _references(findings)
            if (problem := problem_of(file.path, reference.path, places))
        ]
        if found := _code_of(file):
            code.append(f"{file.path} runs code when loaded: {', '.join(found)}.")
    return FileWarnings(_shown(problems), _shown(code))


def _is_pickle_name(path: str) -> bool:
    """Return whether loaders of pickles open such a file, which may be compressed."""
    return bool(_PICKLE_SUFFIXES.intersection(path.lower().rpartition("/")[2].split(".")[1:]))


def problem_with(path: str, findings: Findings) -> str:
    """Return the sentence about a pickle in a file or a file that was not inspected, else ""."""
    pickles = findings.get("pickles", ())
    if pickles:
        first = pickles[0]
        within = f" in {first['where']}" if first["where"] else ""
        imports = [name for pickle in pickles for name in pickle["imports"]]
        named = f"; it imports {', '.join(imports[:_IMPORTS_SHOWN])}" if imports else ""
        more = " and more" if len(imports) > _IMPORTS_SHOWN else ""
        return f"{path} contains a pickle{within}, which runs code when loaded{named}{more}."
    if "unsearched" in findings:
        return f"{path} could not be inspected: {findings['unsearched']}."
    if path.rpartition("/")[2] == "MLmodel" and findings.get("format") != "MLmodel":
        return f"{path} could not be inspected: not a valid MLmodel file."
    return ""


def _code_of(file: InspectedFile) -> list[str]:
    """Return what runs when the file is loaded; of a script, only its name says that it is one."""
    found = list(file.findings.get("code", ()))
    if is_script(file.path) and SCRIPT not in found:
        found.append(SCRIPT)
    return found


def _references(findings: Findings) -> list[Reference]:
    return [Reference(each["path"], each["covers"]) for each in findings.get("references", ())]


def _described_data(files: Iterable[InspectedFile]) -> set[str]:
    """Return the paths of raw data whose tensors another file describes to the last byte."""
    covered = {
        (resolved(file.path, each.path), each.covers)
        for file in files
        for each in _references(file.findings)
        if each.covers is not None
    }
    return {
        file.path
        for file in files
        if (file.path, file.size) in covered or (file.path, -1) in covered
    }


def _shown(found: list[str]) -> tuple[str, ...]:
    sentences = list(dict.fromkeys(found))
    if len(sentences) > WARNINGS_SHOWN:
        count = len(sentences) - WARNINGS_SHOWN + 1
        sentences[WARNINGS_SHOWN - 1 :] = [f"{count:,} more warnings are not shown."]
    return tuple(sentences)
