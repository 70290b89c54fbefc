"""`obeya import` and `obeya export`: versions from files, and to files."""

from __future__ import annotations

import csv
import hashlib
import json
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial, wraps
from itertools import islice
from pathlib import Path

import click
from rich.progress import Progress

from obeya.cli.connection import Session, connected, pairs
from obeya.cli.output import counted, say_json
from obeya.cli.server import JoiningGroup, joined_commands, joined_entry_points, require_server
from obeya.errors import (
    AlreadyExists,
    InvalidInput,
    NotAllowed,
    NotFound,
    NotSignedIn,
    RegistryError,
    Unreachable,
)
from obeya.look_alikes.new_names import SimilarNameWarning
from obeya.records import VersionDraft
from obeya.transfer.version_rows import FIELDS, Row, as_cells, as_document, csv_rows, jsonl_rows

BATCH = 500
REFUSED = 1
Rows = Callable[[Path, Mapping[str, str]], Iterator[Row]]


@dataclass(slots=True)
class Report:
    """The result of importing a file: the number of its rows, and their outcomes.

    `similar` has sentences about new names that are similar to others.
    """

    read: int = 0
    registered: int = 0
    existing: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)
    similar: list[str] = field(default_factory=list)


class ImportGroup(JoiningGroup):
    """The imports into a server, and those that the server package adds for its installation."""

    def joined(self) -> Mapping[str, Callable[[], object]]:
        """Return the import commands of the server package."""
        commands = joined_commands("import")
        return {name: partial(commands.__getitem__, name) for name in commands}


@click.group("import", cls=ImportGroup)
def import_() -> None:
    """Import versions from a file, an MLflow registry, or a whole installation from its export.

    csv, jsonl and mlflow import into a server. An invalid version is refused and reported, and the
    others are imported. You can repeat an import, also after an interruption: nothing is registered
    twice (for files within a week). obeya imports into an empty installation: everything or
    nothing.
    """


def _command(kind: str, rows: Rows) -> Callable[[Callable[..., None]], click.Command]:
    def make(function: Callable[..., None]) -> click.Command:
        @import_.command(kind)
        @click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
        @click.option(
            "--map",
            "mapping",
            multiple=True,
            metavar="COLUMN=FIELD",
            help="The field of a column; empty to ignore the column. Can be repeated.",
        )
        @click.option("--dry-run", is_flag=True, help="Only read the file and report its contents.")
        @connected
        @wraps(function)
        def command(
            session: Session, file: Path, mapping: tuple[str, ...], *, dry_run: bool
        ) -> None:
            _bring(session, file, rows, pairs(mapping, what="mapping"), dry_run=dry_run)

        return command

    return make


@_command("csv", csv_rows)
def from_csv() -> None:
    """Register the versions of a CSV file with a header.

    Columns: model (required), version, label, description, artifact_path, artifact_digest,
    source_run, metrics.NAME and tags.KEY. Empty cells are ignored. --map says which field
    another column is: --map top1=metrics.imagenet_top1.
    """


@_command("jsonl", jsonl_rows)
def from_jsonl() -> None:
    """Register the versions of a JSON Lines file.

    Each line is an object with model and optionally version, label, description, artifact_path,
    artifact_digest, source_run, metrics and tags. A metric is a number, or an object with value,
    samples, standard_error and dataset.
    """


def _bring(
    session: Session, file: Path, rows: Rows, mapping: Mapping[str, str], *, dry_run: bool
) -> None:
    report = Report()
    try:
        total = sum(1 for _ in rows(file, mapping))
        with Progress(disable=session.as_json or dry_run) as progress:
            task = progress.add_task("Registering", total=total)
            stream = rows(file, mapping)
            # The same rows of the same file have the same keys, so that they are registered once.
            key = _digest(file, mapping)
            while batch := list(islice(stream, BATCH)):
                with warnings.catch_warnings(record=True) as found:
                    warnings.simplefilter("always", SimilarNameWarning)
                    _bring_batch(session, batch, report, "" if dry_run else key)
                report.similar += [str(warning.message) for warning in found]
                progress.update(task, completed=report.read)
    except UnicodeDecodeError:
        raise InvalidInput(f"{file} is not UTF-8.") from None
    except csv.Error as error:
        raise InvalidInput(f"{file} is not a valid CSV file: {error}.") from None
    _say(session, report, dry_run=dry_run)
    if report.refused:
        click.get_current_context().exit(REFUSED)


def _bring_batch(session: Session, batch: list[Row], report: Report, key: str) -> None:
    """Register the rows of a batch in one request; if a row is refused, one by one."""
    report.read += len(batch)
    report.refused += [(row.line, row.problem) for row in batch if row.draft is None]
    good = [
        (row.line, replace(row.draft, allow_similar=True)) for row in batch if row.draft is not None
    ]
    if not key or not good:
        return
    try:
        drafts = [draft for _, draft in good]
        session.registry.register_versions(drafts, key=f"{key}-{good[0][0]}-{good[-1][0]}")
        report.registered += len(good)
    except (Unreachable, NotSignedIn, NotAllowed):
        raise
    except RegistryError:
        for line, draft in good:
            try:
                session.registry.register_versions([draft], key=f"{key}-{line}")
                report.registered += 1
            except (Unreachable, NotSignedIn, NotAllowed):
                raise
            except RegistryError as error:
                if isinstance(error, AlreadyExists) and _is_there(session, draft):
                    report.existing += 1
                else:
                    report.refused.append((line, str(error).removeprefix("versions[0]: ")))


def _is_there(session: Session, draft: VersionDraft) -> bool:
    """Return whether this version exists; its number can also be that of a deleted version."""
    if draft.version is None:
        return False
    try:
        session.registry.get_version(draft.model, draft.version)
    except NotFound:
        return False
    return True


def _say(session: Session, report: Report, *, dry_run: bool) -> None:
    if session.as_json:
        say_json(
            {
                "read": report.read,
                "registered": report.registered,
                "existing": report.existing,
                "refused": [{"line": line, "reason": why} for line, why in report.refused],
                "similar_names": report.similar,
            }
        )
        return
    for line, why in report.refused:
        click.echo(f"Line {line}: {why}", err=True)
    for sentence in report.similar:
        click.echo(f"similar: {sentence}", err=True)
    there = f", {report.existing:,} already registered" if report.existing else ""
    refused = f", {len(report.refused):,} refused" if report.refused else ""
    trial = " Dry run: only the file was checked, nothing was sent to the registry." * dry_run
    done = f"{report.registered:,} registered{there}{refused}"
    click.echo(f"{counted(report.read, 'version')} read, {done}.{trial}")


def _digest(file: Path, mapping: Mapping[str, str]) -> str:
    digest = hashlib.sha256(repr(sorted(mapping.items())).encode())
    with file.open("rb") as content:
        while part := content.read(1 << 20):
            digest.update(part)
    return f"import-{digest.hexdigest()[:40]}"


class ExportGroup(click.Group):
    """Exports of versions from a server; any other argument is a directory for a full export."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the format in the first word, else the full export; options can come first."""
        place = self._first_word(args)
        if place is not None and (command := self.commands.get(args[place])):
            return args[place], command, args[:place] + args[place + 1 :]
        require_server()
        return "export", joined_entry_points()["export"].load(), args

    def _first_word(self, args: list[str]) -> int | None:
        """Return the index of the first word that is not an option or the value of one."""
        options = [
            option
            for command in self.commands.values()
            for option in command.params
            if isinstance(option, click.Option) and not option.is_flag
        ]
        # The last two are options of the full export.
        valued = {name for option in options for name in option.opts}
        valued |= {"--data-dir", "--database-url"}
        is_value = False
        for place, word in enumerate(args):
            if not is_value and not word.startswith("-"):
                return place
            is_value = not is_value and word in valued
        return None


@click.group(cls=ExportGroup, context_settings={"ignore_unknown_options": True})
def export() -> None:
    """Write versions to standard output, or a whole installation to a directory.

    `obeya export csv` and `obeya export jsonl` write a server's versions in the form that `obeya
    import` reads. `obeya export DIRECTORY` writes a whole installation, including its log and
    files, and takes --data-dir; write a directory named csv as ./csv.
    """


@export.command("csv")
@click.option("--model", metavar="NAME", help="Only the versions of this model.")
@click.option("--filter", "where", default="", help="Only the versions that match the filter.")
@connected
def to_csv(session: Session, model: str | None, where: str) -> None:
    """Write versions as CSV, sorted by model and version.

    Stages and aliases are not included.
    """
    _export(session, "csv", model, where)


@export.command("jsonl")
@click.option("--model", metavar="NAME", help="Only the versions of this model.")
@click.option("--filter", "where", default="", help="Only the versions that match the filter.")
@connected
def to_jsonl(session: Session, model: str | None, where: str) -> None:
    """Write versions as JSON Lines, sorted by model and version."""
    _export(session, "jsonl", model, where)


def _export(session: Session, form: str, model: str | None, where: str) -> None:
    found = session.registry.search_versions(where, model=model, order_by="model, version")
    if form == "jsonl":
        for version in found:
            click.echo(json.dumps(as_document(version), ensure_ascii=False))
        return
    rows = [as_cells(version) for version in found]
    further = sorted({column for row in rows for column in row} - set(FIELDS))
    writer = csv.DictWriter(sys.stdout, [*FIELDS, *further], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
