"""`obeya export DIR` and `obeya import obeya DIR`: a whole installation as files."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import click

from obeya.cli.options import database_options
from obeya.errors import DigestMismatch, InvalidInput, StorageFull, TooLarge
from obeya.transfer.whole_export import (
    BLOBS,
    BrokenExport,
    ExportFile,
    Manifest,
    blob_path,
    open_inside,
    read_lines,
    read_manifest,
    write_blob,
    write_lines,
    write_manifest,
)
from registry_site.cli._options import Misconfigured, set_up, set_up_existing

# With fewer rows the command ends before a progress bar would be useful.
MANY = 10_000
_LIST_PROBLEMS = "Run obeya doctor --blobs to list all damaged content."
Told = Callable[[int], None]
T = TypeVar("T")


class Unusable(click.ClickException):
    """An export that is invalid, or a place that it cannot be written to."""

    exit_code = 1


@click.command
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@database_options
def export(directory: Path, *, as_json: bool, **options: Any) -> None:
    """Export everything to a new or empty DIRECTORY: models, versions, policies, log and files.

    The server can keep running: the export is the state of one moment. Passwords, tokens and
    webhook endpoints are not exported. docs/export.md describes the files.
    """
    set_up_existing(**options)
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise Unusable(f"{directory} already exists and is not an empty directory.")
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".obeya-export-", dir=directory.parent))
        try:
            manifest = _write(draft, quiet=as_json)
            draft.replace(directory)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise Unusable(f"{error.filename or directory}: {error.strerror or error}.") from error
    _say(manifest, directory, as_json=as_json, deed="Exported")


def _write(draft: Path, *, quiet: bool) -> Manifest:
    from boards.files import blob_store
    from boards.queries.snapshot import snapshot
    from boards.queries.transfer.whole_export import NOUNS, count_rows, documents, stored_blobs

    files: dict[str, ExportFile] = {}
    count = total = 0
    with snapshot(), _progress("Exporting", count_rows(), quiet=quiet) as told:
        for noun in NOUNS:
            files[noun.file] = write_lines(draft / noun.file, _counted(documents(noun), told))
        (draft / BLOBS).mkdir()
        for sha256, _ in stored_blobs():
            try:
                with blob_store.open_blob(sha256) as content:
                    size = write_blob(draft, sha256, content)
            except FileNotFoundError:
                raise Unusable(f"The content {sha256} is missing. {_LIST_PROBLEMS}") from None
            except BrokenExport as error:
                raise Unusable(f"{error} {_LIST_PROBLEMS}") from None
            count, total = count + 1, total + size
            told(1)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    manifest = Manifest(files, count, total, now, version("obeya"))
    write_manifest(draft, manifest)
    return manifest


@click.group("import")
def import_() -> None:
    """Import into this installation."""


@import_.command("obeya")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Verify everything and change nothing.")
@click.option(
    "--adopt-accounts",
    is_flag=True,
    help="Record accounts and groups whose permissions the log does not support, as adopted.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@database_options
def from_obeya(
    directory: Path, *, dry_run: bool, adopt_accounts: bool, as_json: bool, **options: Any
) -> None:
    """Restore an export of `obeya export DIRECTORY` into an empty installation.

    Creates the data directory and the tables if they are missing. They must never have been used by
    a server. All chains, digests and references are verified, and all data is compared with the
    log: everything is imported or nothing. Accounts with permissions that the log does not support
    are refused.

    No account has a password afterwards: create sign-in links with obeya user link NAME.
    """
    try:
        manifest = read_manifest(directory)
    except BrokenExport as error:
        raise Unusable(str(error)) from error
    set_up(**options)

    from django.db import DatabaseError

    from registry_site.cli import _start

    _start.prepare()
    try:
        adopt_at = datetime.now(UTC) if adopt_accounts else None
        _bring(directory, manifest, dry_run=dry_run, adopt_at=adopt_at, quiet=as_json)
    except DatabaseError as error:
        raise Misconfigured(f"The database cannot be used: {error}") from error
    _say(manifest, directory, as_json=as_json, deed="Verified" if dry_run else "Imported")


def _bring(
    directory: Path,
    manifest: Manifest,
    *,
    dry_run: bool,
    adopt_at: datetime | None,
    quiet: bool,
) -> None:
    from boards.files import blob_store
    from boards.queries.transfer.whole_export import NOUNS
    from boards.registry.transfer.whole_import import NotEmpty, import_rows, require_empty

    wanted = {noun.file for noun in NOUNS if noun.since <= manifest.format}
    if odd := sorted(wanted ^ manifest.files.keys()):
        raise Unusable(f"The files of the manifest differ from the format ({odd[0]}).")

    total = sum(file.rows for file in manifest.files.values()) + manifest.blobs
    placed: list[str] = []
    try:
        require_empty()
        with _progress("Verifying" if dry_run else "Importing", total, quiet=quiet) as told:
            for sha256, size in _blobs(directory, manifest):
                # Content that was stored here before is not removed if the import fails.
                known = blob_store.is_there(sha256)
                _bring_blob(directory, sha256, size, dry_run=dry_run)
                if not known:
                    placed.append(sha256)
                told(1)

            lines = partial(_lines, directory, manifest, told)
            import_rows(lines=lines, written_as=manifest.format, dry_run=dry_run, adopt_at=adopt_at)
    except NotEmpty as error:
        raise Unusable(str(error)) from error
    except BaseException as error:
        if not dry_run:
            for sha256 in placed:
                blob_store.discard(sha256)
        if isinstance(error, BrokenExport):
            raise Unusable(f"{error} Nothing was imported.") from error
        raise


def _lines(
    directory: Path, manifest: Manifest, told: Told, name: str
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the lines of a file; none of a file that the export's format does not have."""
    if name in manifest.files:
        yield from _counted(read_lines(directory, name, manifest.files[name]), told)


def _blobs(directory: Path, manifest: Manifest) -> list[tuple[str, int]]:
    """Return digest and size in bytes of the contents that the export lists."""
    found = []
    for number, row in read_lines(directory, "blobs.jsonl", manifest.files["blobs.jsonl"]):
        sha256, size = row.get("sha256"), row.get("size")
        if not isinstance(sha256, str) or not isinstance(size, int):
            raise BrokenExport(f"blobs.jsonl, line {number}: it does not describe a content.")
        blob_path(directory, sha256)
        found.append((sha256, size))
    if len(found) != manifest.blobs:
        raise BrokenExport(
            f"The manifest lists {manifest.blobs:,} contents, but blobs.jsonl {len(found):,}."
        )
    if sum(size for _, size in found) != manifest.blob_bytes:
        raise BrokenExport("The total size in the manifest differs from blobs.jsonl.")
    return found


def _bring_blob(directory: Path, sha256: str, size: int, *, dry_run: bool) -> None:
    from boards.files import blob_store

    try:
        with (
            open_inside(directory, blob_path(directory, sha256)) as file,
            blob_store.arrived(file, size=size, sha256=sha256) as content,
        ):
            if not dry_run:
                blob_store.place(content)
    except (DigestMismatch, InvalidInput) as error:
        raise BrokenExport(f"{sha256} in {BLOBS} was changed: {error}") from None
    except (TooLarge, StorageFull) as error:
        raise BrokenExport(str(error)) from None
    except FileNotFoundError:
        raise BrokenExport(f"The content {sha256} is missing in {BLOBS}.") from None
    except OSError as error:
        raise BrokenExport(f"{error.filename or sha256}: {error.strerror or error}.") from None


@contextmanager
def _progress(label: str, total: int, *, quiet: bool) -> Iterator[Told]:
    """Yield a function to call after each step: it updates a progress bar on a terminal."""
    if quiet or total < MANY or not sys.stderr.isatty():
        yield lambda _: None
        return
    with click.progressbar(length=total, label=label, file=sys.stderr, update_min_steps=500) as bar:
        yield bar.update


def _counted(items: Iterator[T], told: Told) -> Iterator[T]:
    for item in items:
        yield item
        told(1)


def _say(manifest: Manifest, directory: Path, *, as_json: bool, deed: str) -> None:
    rows = {name: file.rows for name, file in manifest.files.items()}
    if as_json:
        blobs = {"count": manifest.blobs, "bytes": manifest.blob_bytes}
        click.echo(json.dumps({"rows": rows, "blobs": blobs}, indent=2))
        return
    click.echo(
        f"{deed} {directory}: {rows['models.jsonl']:,} models, "
        f"{rows['versions.jsonl']:,} versions, "
        f"{rows['events.jsonl']:,} events, {manifest.blobs:,} stored files "
        f"({manifest.blob_bytes:,} bytes)."
    )
