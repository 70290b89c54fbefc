"""An artifact as a list of files, and its digest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from obeya.artifacts.paths import artifact_path
from obeya.errors import InvalidInput

FILES_MAX = 10_000
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file of an artifact: its path, and the SHA-256 of its content in lower-case hex."""

    path: str
    sha256: str


def checked_entries(entries: Iterable[FileEntry]) -> tuple[FileEntry, ...]:
    """Return the files in the order of their paths.

    Raises:
        InvalidInput: there are no files, or more than 10,000; a path or digest is not valid; a path
            is given twice, or two paths differ only in upper and lower case; or a path is a folder
            of another.
    """
    listed = list(entries)
    if not 1 <= len(listed) <= FILES_MAX:
        raise InvalidInput(f"An artifact must have 1 to {FILES_MAX:,} files.", field="files")
    checked = [FileEntry(artifact_path(e.path), checked_sha256(e.sha256)) for e in listed]
    checked.sort(key=lambda entry: entry.path)
    seen: dict[str, str] = {}
    for entry in checked:
        folded = entry.path.casefold()
        if folded in seen:
            raise InvalidInput(
                f"Duplicate path “{entry.path[:64]}”, also given as “{seen[folded][:64]}”. Paths "
                "must differ in more than upper and lower case.",
                field="files",
            )
        seen[folded] = entry.path
    for folded, path in seen.items():
        if any(folder in seen for folder in folders_of(folded)):
            raise InvalidInput(
                f"“{path[:64]}” is not valid: one of its folders is also a file.", field="files"
            )
    return tuple(checked)


def folders_of(path: str) -> list[str]:
    """Return the folders that contain a path, outermost first: ``a`` and ``a/b`` for ``a/b/c``."""
    parts = path.split("/")
    return ["/".join(parts[:length]) for length in range(1, len(parts))]


def checked_sha256(text: str) -> str:
    """Return 64 lower-case hex digits; the text can start with ``sha256:``.

    Raises `InvalidInput`.
    """
    digits = str(text).lower().removeprefix("sha256:")
    if len(digits) != 64 or set(digits) - set("0123456789abcdef"):
        raise InvalidInput("A SHA-256 must have 64 hexadecimal digits.", field="sha256")
    return digits


def artifact_digest(entries: Sequence[FileEntry]) -> str:
    r"""Return the digest of an artifact, ``sha256:`` and 64 hex digits.

    The digest of a single file at the top level is the SHA-256 of the file, whatever its name.
    Every other digest is the SHA-256 of the output of ``sha256sum`` for the files, sorted by path
    in bytes: per file its hex digits, two blanks, the path and a line feed. In the folder of the
    files, ``find * -type f | LC_ALL=C sort | tr '\n' '\0' | xargs -0 sha256sum | sha256sum`` gives
    the same result.
    """
    if len(entries) == 1 and "/" not in entries[0].path:
        return f"sha256:{entries[0].sha256}"
    lines = sorted((entry.path.encode(), entry.sha256.encode()) for entry in entries)
    listing = b"".join(sha256 + b"  " + path + b"\n" for path, sha256 in lines)
    return f"sha256:{hashlib.sha256(listing).hexdigest()}"


def local_files(root: Path) -> dict[str, Path]:
    """Return the files of an artifact on this machine, by their paths in it.

    A single file has its name as path; of a folder, all files below it are included. Links to files
    are followed, links to folders are not.

    Raises:
        InvalidInput: there is no such file or folder, it is empty, or a path in it is not valid.
    """
    if root.is_file():
        return {artifact_path(root.name): root}
    if not root.is_dir():
        raise InvalidInput(f"There is no file or folder {root}.", field="artifact")
    found: dict[str, Path] = {}
    for folder, _, files in os.walk(root):
        for name in files:
            path = Path(folder, name)
            if path.is_file():
                found[artifact_path(path.relative_to(root).as_posix())] = path
            if len(found) > FILES_MAX:
                raise InvalidInput(
                    f"{root} contains more than {FILES_MAX:,} files.", field="artifact"
                )
    if not found:
        raise InvalidInput(f"{root} contains no files.", field="artifact")
    return dict(sorted(found.items()))


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content in hex; the file is read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def file_document(entry: FileEntry) -> dict[str, Any]:
    """Return ``{"path": ..., "sha256": ...}``."""
    return {"path": entry.path, "sha256": entry.sha256}
