"""Versions as rows of files: read by `obeya import`, written by `obeya export`."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from obeya.documents.catalog import metric_from_document
from obeya.errors import InvalidInput
from obeya.metrics import Metric, metric_document
from obeya.policy.bounds import number_text
from obeya.records import ModelVersion, VersionDraft
from obeya.values import as_metrics, as_tags, version_number

LINE_MAX = 8 * 1024 * 1024
TEXTS = ("artifact_path", "label", "description", "source_run", "artifact_digest")
# The name of a field in files. Files with either name are read.
FILE_NAMES = {"artifact_path": "artifact_uri"}
FIELDS = ("model", "version", *TEXTS, *FILE_NAMES.values())
_COLUMNS_SAID = 20


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a file: its version, or why it has none."""

    line: int
    draft: VersionDraft | None
    problem: str = ""

    @property
    def version(self) -> VersionDraft:
        """The version of the line.

        Raises:
            InvalidInput: it has none; the sentence is the row's problem.
        """
        if self.draft is None:
            raise InvalidInput(f"Line {self.line}: {self.problem}")
        return self.draft


def csv_rows(file: Path, mapping: Mapping[str, str]) -> Iterator[Row]:
    """Yield the rows of a CSV file; `mapping` is from column to field, "" to ignore the column.

    Raises:
        InvalidInput: a column is unknown, or there is none for the model.
        UnicodeDecodeError: the file is not UTF-8.
    """
    with file.open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.DictReader(lines)
        columns = _fields_of(list(rows.fieldnames or ()), mapping)
        for row in rows:
            yield _row(rows.line_num, _from_cells, row, columns)


def jsonl_rows(file: Path, mapping: Mapping[str, str]) -> Iterator[Row]:
    """Yield the rows of a JSON Lines file, without blank lines. `mapping` renames members.

    Raises:
        UnicodeDecodeError: the file is not UTF-8.
    """
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _row(number, _from_line, line, mapping)


def as_document(version: ModelVersion) -> dict[str, Any]:
    """Return a version as a line of JSON Lines that `jsonl_rows` reads."""
    return {
        "model": version.model,
        "version": version.version,
        **{name: text for name, text in _texts(version) if text},
        "metrics": {name: metric_document(metric) for name, metric in version.measurements.items()},
        "tags": dict(version.tags),
    }


def as_cells(version: ModelVersion) -> dict[str, str]:
    """Return a version as the cells of a CSV row, by column."""
    return {
        "model": version.model,
        "version": str(version.version),
        **dict(_texts(version)),
        **{f"metrics.{name}": number_text(value) for name, value in version.metrics.items()},
        **{f"tags.{key}": value for key, value in version.tags.items()},
    }


def _texts(version: ModelVersion) -> Iterator[tuple[str, str]]:
    for name in TEXTS:
        yield FILE_NAMES.get(name, name), getattr(version, name)


def _row(
    line: int, read: Callable[[Any, Mapping[str, str]], VersionDraft], said: Any, mapping: Any
) -> Row:
    try:
        draft = read(said, mapping)
        as_metrics(draft.metrics)
        as_tags(draft.tags)
        if draft.version is not None:
            version_number(draft.version)
        if not draft.model:
            raise InvalidInput("The model is missing.")
    except InvalidInput as error:
        return Row(line, None, str(error))
    except (AttributeError, KeyError, TypeError, ValueError):
        return Row(line, None, "A value has the wrong type.")
    return Row(line, draft)


def _fields_of(columns: list[str], mapping: Mapping[str, str]) -> dict[str, str]:
    fields = {column: mapping.get(column, column) for column in columns}
    for column, field in fields.items():
        if not field or field in FIELDS or field.startswith(("metrics.", "tags.")):
            continue
        if column in mapping:
            raise InvalidInput(
                f"Unknown field “{field[:64]}” in --map {column[:64]}={field[:64]}. The fields are "
                f"{', '.join(FIELDS)}, metrics.NAME and tags.KEY.",
                field="file",
            )
        raise InvalidInput(
            f"Unknown column “{column[:64]}”. Name metrics like metrics.accuracy and tags like "
            "tags.family. Use --map COLUMN=FIELD to rename a column, --map COLUMN= to ignore it.",
            field="file",
        )
    if "model" not in fields.values():
        listed = ", ".join(column[:64] for column in columns[:_COLUMNS_SAID])
        raise InvalidInput(
            f"The file has no model column. Its columns are: {listed or 'none'}. Use "
            "--map COLUMN=model to select one.",
            field="file",
        )
    return fields


def _from_cells(row: Mapping[str, Any], fields: Mapping[str, str]) -> VersionDraft:
    if None in row:
        raise InvalidInput("The row has more cells than the header.")
    cells = {fields[column]: cell for column, cell in row.items() if cell and fields[column]}
    metrics: dict[str, float | Metric] = {}
    for field, cell in cells.items():
        if field.startswith("metrics."):
            try:
                metrics[field.removeprefix("metrics.")] = float(cell)
            except ValueError:
                raise InvalidInput(f"“{cell[:32]}” in {field} is not a number.") from None
    version = cells.get("version", "")
    if version and not (version.isascii() and version.isdigit() and len(version) <= 10):
        raise InvalidInput(f"“{version[:32]}” is not a version number.")
    return VersionDraft(
        cells.get("model", ""),
        int(version) if version else None,
        metrics,
        tags={f.removeprefix("tags."): v for f, v in cells.items() if f.startswith("tags.")},
        **{name: cells.get(name) or cells.get(FILE_NAMES.get(name, ""), "") for name in TEXTS},
    )


def _from_line(line: str, mapping: Mapping[str, str]) -> VersionDraft:
    if len(line) > LINE_MAX:
        raise InvalidInput(f"The line has more than {LINE_MAX:,} characters.")
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        raise InvalidInput("The line is not valid JSON.") from None
    if not isinstance(said, dict):
        raise InvalidInput("The line is not a JSON object.")
    named = {mapping.get(name, name): value for name, value in said.items()}
    named.pop("", None)
    unknown = named.keys() - {*FIELDS, "metrics", "tags"}
    if unknown:
        raise InvalidInput(
            f"Unknown field “{min(unknown)[:64]}”. The fields are {', '.join(FIELDS)}, metrics and "
            "tags. Use --map NAME=FIELD to rename one, --map NAME= to ignore it."
        )
    metrics = {
        name: metric_from_document(name, stated) if isinstance(stated, dict) else stated
        for name, stated in named.get("metrics", {}).items()
    }
    return VersionDraft(
        named.get("model", ""),
        named.get("version"),
        metrics,
        tags=named.get("tags", {}),
        **{name: named.get(name) or named.get(FILE_NAMES.get(name, ""), "") for name in TEXTS},
    )
