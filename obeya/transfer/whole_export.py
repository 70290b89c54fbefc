"""The files of a full export: a manifest, a file of lines per kind of record, the contents.

docs/export.md describes the format. This module handles files, lines and digests, and does not
interpret the lines.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

FORMAT = 2
"""The format that is written; earlier formats are read."""
MANIFEST = "manifest.json"
BLOBS = "blobs"
PIECE = 1024 * 1024
LINE_MAX = 64 * 1024 * 1024
MANIFEST_MAX = 1024 * 1024
_NAME = re.compile(r"[a-z_]{1,64}\.jsonl\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


class BrokenExport(ValueError):
    """The directory is not a full export, or it cannot be read; the sentence says where."""


@dataclass(frozen=True, slots=True)
class ExportFile:
    """A file of lines: the number of lines, and the SHA-256 of the whole file."""

    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The contents of an export: its files by name, and number and total size of the blobs."""

    files: Mapping[str, ExportFile]
    blobs: int
    blob_bytes: int
    exported_at: str = ""
    obeya: str = ""
    format: int = FORMAT


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> ExportFile:
    """Write one document per line, and return the number of lines and the digest."""
    digest, count = hashlib.sha256(), 0
    with path.open("xb") as file:
        for row in rows:
            line = json.dumps(row, ensure_ascii=False, allow_nan=False).encode() + b"\n"
            digest.update(line)
            file.write(line)
            count += 1
        _settle(file)
    return ExportFile(count, digest.hexdigest())


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest: the last file, without which the export is not valid."""
    document = {
        "format": FORMAT,
        "obeya": manifest.obeya,
        "exported_at": manifest.exported_at,
        "files": {
            name: {"rows": file.rows, "sha256": file.sha256}
            for name, file in manifest.files.items()
        },
        "blobs": {"count": manifest.blobs, "bytes": manifest.blob_bytes},
    }
    text = json.dumps(document, ensure_ascii=False, indent=2)
    with (folder / MANIFEST).open("xb") as file:
        file.write(f"{text}\n".encode())
        _settle(file)


def write_blob(folder: Path, sha256: str, content: BinaryIO) -> int:
    """Write a content under its digest, and return its size in bytes.

    Raises:
        BrokenExport: the content does not have this digest.
    """
    path = blob_path(folder, sha256)
    path.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with path.open("xb") as file:
        while piece := content.read(PIECE):
            digest.update(piece)
            size += file.write(piece)
        _settle(file)
    if digest.hexdigest() != sha256:
        raise BrokenExport(f"The content {sha256} does not have that SHA-256.")
    return size


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of an export.

    Raises:
        BrokenExport: there is none, it cannot be read, or it has another format.
    """
    try:
        with open_inside(folder, folder / MANIFEST) as file:
            content = file.read(MANIFEST_MAX + 1)
        document = json.loads(content) if len(content) <= MANIFEST_MAX else None
    except OSError as error:
        raise BrokenExport(
            f"{folder} is not an export: {MANIFEST} cannot be read ({error.strerror or error})."
        ) from None
    except BrokenExport:
        raise
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or "format" not in document:
        raise BrokenExport(f"{MANIFEST} is not the manifest of an export.")
    written_as = document["format"]
    if not isinstance(written_as, int) or not 1 <= written_as <= FORMAT:
        raise BrokenExport(
            f"The export has the format {str(written_as)[:16]}, but this version of Obeya reads "
            f"1 to {FORMAT}. Import it with the version that wrote it, or a later one."
        )
    try:
        files = {
            _checked_name(name): ExportFile(int(file["rows"]), _checked_digest(file["sha256"]))
            for name, file in document["files"].items()
        }
        blobs = document["blobs"]
        return Manifest(
            files,
            int(blobs["count"]),
            int(blobs["bytes"]),
            str(document.get("exported_at", "")),
            str(document.get("obeya", "")),
            written_as,
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BrokenExport(f"{MANIFEST} is not the manifest of an export.") from None


def read_lines(folder: Path, name: str, listed: ExportFile) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the documents of a file with their line numbers.

    Whether the file matches the manifest is known only at its end: a caller that acts on lines
    before must be able to undo that.

    Raises:
        BrokenExport: the file is missing, has a line that is not a document, or does not match.
    """
    digest, number = hashlib.sha256(), 0
    try:
        with open_inside(folder, folder / name) as file:
            while line := file.readline(LINE_MAX + 1):
                number += 1
                if len(line) > LINE_MAX:
                    raise BrokenExport(f"{name}, line {number}: it is longer than 64 MiB.")
                digest.update(line)
                yield number, _document(name, number, line)
    except OSError as error:
        raise BrokenExport(f"{name} cannot be read: {error.strerror or error}.") from None
    if number != listed.rows:
        raise BrokenExport(f"{name} has {number:,} lines instead of {listed.rows:,}.")
    if digest.hexdigest() != listed.sha256:
        raise BrokenExport(f"{name} was changed: its SHA-256 is not the one in the manifest.")


def blob_path(folder: Path, sha256: str) -> Path:
    """Return the path of the content with this digest in an export.

    Raises:
        BrokenExport: it is not a digest.
    """
    if not _SHA256.match(sha256):
        raise BrokenExport(f"“{sha256[:80]}” is not a digest.")
    return folder / BLOBS / sha256[:2] / sha256[2:4] / sha256


def open_inside(folder: Path, path: Path) -> BinaryIO:
    """Open a file of an export for reading; the caller closes it.

    Raises:
        BrokenExport: a link in the path leads out of the export, or it is not a regular file.
        OSError: it cannot be read.
    """
    place = path.relative_to(folder)
    real = path.resolve()
    if not real.is_relative_to(folder.resolve()):
        raise BrokenExport(f"{place} leads outside the export.")
    # Opening a pipe would block until there is a writer.
    handle = os.open(real, os.O_RDONLY | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise BrokenExport(f"{place} is not a regular file.")
    return os.fdopen(handle, "rb")


def _settle(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _document(name: str, number: int, line: bytes) -> dict[str, Any]:
    try:
        document = json.loads(line, parse_constant=_no_number, parse_float=_finite)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or not line.endswith(b"\n"):
        raise BrokenExport(f"{name}, line {number}: it is not a complete JSON object.")
    return document


def _no_number(text: str) -> float:
    raise ValueError(text)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _checked_name(name: str) -> str:
    if not _NAME.match(name):
        raise ValueError(name)
    return name


def _checked_digest(text: str) -> str:
    if not _SHA256.match(text):
        raise ValueError(text)
    return text
