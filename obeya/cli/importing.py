"""`obeya import`: versions from a file, in batches that land whole or not at all."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import click
from rich.progress import Progress

from obeya.cli.connection import Session, connected
from obeya.cli.output import say_json
from obeya.documents.catalog import metric_from_document
from obeya.errors import InvalidInput, RegistryError
from obeya.metrics import Metric
from obeya.records import VersionDraft
from obeya.registry import as_metrics, as_tags

BATCH = 500
LINE_MAX = 8 * 1024 * 1024
_TEXTS = ("artifact_uri", "label", "description", "source_run", "artifact_digest")
Drafts = Iterator[tuple[int, VersionDraft]]


@click.group("import")
def import_() -> None:
    """Bring versions in from files."""


@import_.command("csv")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only read the file and say what it holds.")
@connected
def from_csv(session: Session, file: Path, dry_run: bool) -> None:
    """Register the versions of a CSV file with a header.

    Columns: model (required), version, label, description, artifact_uri, artifact_digest,
    source_run, metrics.NAME and tags.KEY. An empty cell says nothing.
    """
    _bring(session, file, _csv_drafts, dry_run=dry_run)


@import_.command("jsonl")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only read the file and say what it holds.")
@connected
def from_jsonl(session: Session, file: Path, dry_run: bool) -> None:
    """Register the versions of a JSON Lines file.

    Each line is an object with model, and where wanted version, label, description, artifact_uri,
    artifact_digest, source_run, metrics and tags; a metric is a number, or an object with value,
    samples, standard_error and dataset.
    """
    _bring(session, file, _jsonl_drafts, dry_run=dry_run)


def _bring(session: Session, file: Path, read: Any, *, dry_run: bool) -> None:
    """Read the whole file first: what cannot be read is named before anything is registered."""
    try:
        total = sum(1 for _ in read(file))
    except UnicodeDecodeError:
        raise InvalidInput(f"{file} is not UTF-8.") from None
    if dry_run or not total:
        _say(session, total, 0)
        return
    done = 0
    drafts = read(file)
    with Progress(disable=session.as_json) as progress:
        task = progress.add_task("Registering", total=total)
        while batch := list(islice(drafts, BATCH)):
            try:
                session.registry.register_versions([draft for _, draft in batch])
            except RegistryError as error:
                first, last = batch[0][0], batch[-1][0]
                click.echo(
                    f"Lines {first} to {last} were not registered, nor what follows; "
                    f"{done:,} versions before them were.",
                    err=True,
                )
                raise error from None
            done += len(batch)
            progress.update(task, completed=done)
    _say(session, total, done)


def _say(session: Session, read: int, registered: int) -> None:
    if session.as_json:
        say_json({"read": read, "registered": registered})
    else:
        click.echo(f"{read:,} versions read, {registered:,} registered.")


def _csv_drafts(file: Path) -> Drafts:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.DictReader(lines, strict=True)
        _know_columns(rows.fieldnames or ())
        try:
            for row in rows:
                yield rows.line_num, _checked(rows.line_num, _from_cells, row)
        except csv.Error as error:
            raise InvalidInput(f"Line {rows.line_num}: {error}.") from None


def _know_columns(columns: Any) -> None:
    for column in columns:
        known = column in ("model", "version", *_TEXTS)
        if not known and not column.startswith(("metrics.", "tags.")):
            raise InvalidInput(
                f"The column “{column[:64]}” is unknown; metrics are columns like metrics.accuracy "
                "and tags like tags.family."
            )
    if "model" not in columns:
        raise InvalidInput("The file needs a column “model”.")


def _from_cells(row: Mapping[str, Any]) -> VersionDraft:
    if None in row:
        raise InvalidInput("it has more cells than the header.")
    cells = {column: cell for column, cell in row.items() if cell}
    metrics: dict[str, float | Metric] = {}
    for column, cell in cells.items():
        if column.startswith("metrics."):
            try:
                metrics[column.removeprefix("metrics.")] = float(cell)
            except ValueError:
                raise InvalidInput(f"“{cell[:32]}” in {column} is not a number.") from None
    version = cells.get("version")
    if version is not None and not (version.isascii() and version.isdigit()):
        raise InvalidInput(f"“{version[:32]}” is not a version number.")
    return VersionDraft(
        cells.get("model", ""),
        int(version) if version else None,
        metrics,
        tags={k.removeprefix("tags."): v for k, v in cells.items() if k.startswith("tags.")},
        **{name: cells.get(name, "") for name in _TEXTS},
    )


def _jsonl_drafts(file: Path) -> Drafts:
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if len(line) > LINE_MAX:
                raise InvalidInput(f"Line {number} is too long.")
            if line.strip():
                yield number, _checked(number, _from_line, line)


def _from_line(line: str) -> VersionDraft:
    try:
        said = json.loads(line)
    except ValueError as error:
        raise InvalidInput(f"it is no JSON: {error}.") from None
    if not isinstance(said, dict):
        raise InvalidInput("it is no object.")
    unknown = said.keys() - {"model", "version", "metrics", "tags", *_TEXTS}
    if unknown:
        raise InvalidInput(f"“{min(unknown)[:64]}” is unknown.")
    metrics = {
        name: metric_from_document(name, stated) if isinstance(stated, dict) else stated
        for name, stated in said.get("metrics", {}).items()
    }
    return VersionDraft(
        said.get("model", ""),
        said.get("version"),
        metrics,
        tags=said.get("tags", {}),
        **{name: said.get(name, "") for name in _TEXTS},
    )


def _checked(number: int, read: Any, row: Any) -> VersionDraft:
    """The draft of a line. Raises `InvalidInput` that names the line."""
    try:
        draft: VersionDraft = read(row)
        as_metrics(draft.metrics)
        as_tags(draft.tags)
    except (InvalidInput, AttributeError, KeyError, TypeError) as error:
        said = str(error) if isinstance(error, InvalidInput) else "its parts are of wrong kinds."
        raise InvalidInput(f"Line {number}: {said}", field="file") from None
    if not draft.model:
        raise InvalidInput(f"Line {number}: it names no model.", field="file")
    return draft
