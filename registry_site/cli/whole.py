"""`obeya export DIR` and `obeya import obeya DIR`: a whole installation as files."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from obeya.errors import DigestMismatch, InvalidInput, StorageFull, TooLarge
from obeya.whole_export import (
    BLOBS,
    BrokenExport,
    ExportFile,
    Manifest,
    blob_path,
    read_lines,
    read_manifest,
    write_lines,
    write_manifest,
)
from registry_site.cli._options import Misconfigured, database_options, set_up, set_up_existing

PIECE = 1024 * 1024


class Unusable(click.ClickException):
    """An export that cannot be read, or a place that it cannot go to."""

    exit_code = 1


@click.command
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@database_options
def export(directory: Path, *, as_json: bool, **options: Any) -> None:
    """Write everything into DIRECTORY, which is made: models, versions, policies, log, files.

    The server may run on meanwhile: what is written is the state of one moment. Passwords, tokens
    and endpoints of webhooks stay where they are. docs/export.md describes the files.
    """
    set_up_existing(**options)
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise Unusable(f"There is something at {directory} already.")
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".obeya-export-", dir=directory.parent))
        try:
            manifest = _write(draft)
            draft.replace(directory)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise Unusable(f"{error.filename or directory}: {error.strerror or error}.") from error
    _say(manifest, directory, as_json=as_json, deed="Exported")


def _write(draft: Path) -> Manifest:
    from boards import blob_store
    from boards.queries.whole_export import NOUNS, documents, snapshot, stored_blobs

    files: dict[str, ExportFile] = {}
    count = total = 0
    with snapshot():
        for noun in NOUNS:
            files[noun.file] = write_lines(draft / noun.file, documents(noun))
        (draft / BLOBS).mkdir()
        for sha256, size in stored_blobs():
            path = blob_path(draft, sha256)
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with blob_store.open_blob(sha256) as content, path.open("xb") as file:
                    shutil.copyfileobj(content, file, PIECE)
            except FileNotFoundError:
                raise Unusable(
                    f"The content {sha256} is gone. obeya doctor --blobs says what else is."
                ) from None
            if path.stat().st_size != size:
                raise Unusable(f"The content {sha256} was altered: obeya doctor --blobs.")
            count, total = count + 1, total + size
    now = datetime.now(UTC).isoformat(timespec="seconds")
    manifest = Manifest(files, count, total, now, version("obeya"))
    write_manifest(draft, manifest)
    return manifest


@click.group("import")
def import_() -> None:
    """What brings things in on the installation itself."""


@import_.command("obeya")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Verify everything and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@database_options
def from_obeya(directory: Path, *, dry_run: bool, as_json: bool, **options: Any) -> None:
    """Bring an empty installation to the state of what `obeya export DIRECTORY` wrote.

    The data directory and the tables are made where they are missing; no server may have been
    started on them. All chains, digests and references are verified: everything comes or nothing
    does. Nobody has a password afterwards: obeya user link NAME makes a link.
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
        _bring(directory, manifest, dry_run=dry_run)
    except DatabaseError as error:
        raise Misconfigured(f"The database cannot be used: {error}") from error
    _say(manifest, directory, as_json=as_json, deed="Verified" if dry_run else "Imported")


def _bring(directory: Path, manifest: Manifest, *, dry_run: bool) -> None:
    from boards import blob_store
    from boards.queries.whole_export import NOUNS
    from boards.registry.whole_import import NotEmpty, import_rows, require_empty

    wanted = {noun.file for noun in NOUNS}
    if odd := sorted(wanted ^ manifest.files.keys()):
        raise Unusable(f"The manifest tells of other files than those of the format ({odd[0]}).")

    def lines(name: str) -> Iterator[tuple[int, dict[str, Any]]]:
        return read_lines(directory, name, manifest.files[name])

    placed: list[str] = []
    try:
        require_empty()
        for sha256, size in _blobs(directory, manifest):
            _bring_blob(blob_path(directory, sha256), sha256, size, dry_run=dry_run)
            placed.append(sha256)
        import_rows(lines=lines, dry_run=dry_run)
    except NotEmpty as error:
        raise Unusable(str(error)) from error
    except BaseException as error:
        if not dry_run:
            for sha256 in placed:
                blob_store.discard(sha256)
        if isinstance(error, BrokenExport):
            raise Unusable(f"{error} Nothing was imported.") from error
        raise


def _blobs(directory: Path, manifest: Manifest) -> list[tuple[str, int]]:
    """Digest and bytes of the contents that the export tells of."""
    found = []
    for number, row in read_lines(directory, "blobs.jsonl", manifest.files["blobs.jsonl"]):
        sha256, size = row.get("sha256"), row.get("size")
        if not isinstance(sha256, str) or not isinstance(size, int):
            raise BrokenExport(f"blobs.jsonl, line {number}: it tells of no content.")
        found.append((sha256, size))
    if len(found) != manifest.blobs:
        raise BrokenExport(
            f"The manifest tells of {manifest.blobs:,} contents, not {len(found):,}."
        )
    return found


def _bring_blob(path: Path, sha256: str, size: int, *, dry_run: bool) -> None:
    from boards import blob_store

    try:
        with (
            path.open("rb") as file,
            blob_store.arrived(file, size=size, sha256=sha256) as content,
        ):
            if not dry_run:
                blob_store.place(content)
    except (DigestMismatch, InvalidInput) as error:
        raise BrokenExport(f"{path.name} in {BLOBS} was altered: {error}") from None
    except (TooLarge, StorageFull) as error:
        raise BrokenExport(str(error)) from None
    except FileNotFoundError:
        raise BrokenExport(f"The content {sha256} is missing in {BLOBS}.") from None
    except ValueError:
        raise BrokenExport(f"blobs.jsonl: “{sha256[:80]}” is no digest.") from None


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
