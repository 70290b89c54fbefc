"""Upload and download of files."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from obeya.artifacts.manifest import (
    FileEntry,
    artifact_digest,
    file_document,
    local_files,
    sha256_of,
)
from obeya.artifacts.paths import artifact_path
from obeya.artifacts.records import Artifact, ArtifactFile
from obeya.errors import AlreadyExists, DigestMismatch, Unreachable
from obeya.remote.transport import Transport

Progress = Callable[[str, int], None]
_BREAKS_MAX = 5


def no_progress(path: str, size: int) -> None:
    """Report nothing about a finished file."""


def store_file(api: Transport, file: Path) -> str:
    """Upload the content of a file, unless the server has it; return its SHA-256."""
    sha256 = sha256_of(file)
    if not api.exists("blobs", sha256):
        api.put_file("blobs", sha256, file=file)
    return sha256


def store_files(api: Transport, source: Path, progress: Progress) -> dict[str, Any]:
    """Upload a file, or every file of a folder; return the request body for the artifact."""
    entries = []
    for path, file in local_files(source).items():
        entries.append(FileEntry(path, store_file(api, file)))
        progress(path, file.stat().st_size)
    return {
        "files": [file_document(entry) for entry in entries],
        "digest": artifact_digest(entries),
    }


def empty_folder(folder: Path) -> Path:
    """Return the folder if it does not exist or is empty. Raises `AlreadyExists`."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise AlreadyExists(f"{folder} already exists and is not an empty folder.", field="target")
    return folder


def download(
    api: Transport,
    version_address: tuple[str, ...],
    artifact: Artifact,
    folder: Path,
    progress: Progress,
) -> None:
    """Download the files of a version's artifact to a folder.

    The folder is created only after every file is complete and verified.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".obeya-", dir=folder.parent))
    try:
        for file in artifact.files:
            # The server's paths are not trusted: none may leave the folder.
            path = draft / artifact_path(file.path)
            path.parent.mkdir(parents=True, exist_ok=True)
            _download(api, version_address, file, path)
            progress(file.path, file.size)
        draft.chmod(0o755)
        draft.replace(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _download(
    api: Transport, version_address: tuple[str, ...], file: ArtifactFile, path: Path
) -> None:
    digest, size = hashlib.sha256(), 0
    address = (*version_address, "artifact", "files", *file.path.split("/"))
    with path.open("wb") as out:
        for attempt in range(_BREAKS_MAX):
            try:
                with api.chunks(*address, start=size) as pieces:
                    for piece in pieces:
                        digest.update(piece)
                        size += len(piece)
                        out.write(piece)
                break
            except Unreachable:
                if attempt == _BREAKS_MAX - 1 or not 0 < size < file.size:
                    raise
    if digest.hexdigest() != file.sha256:
        raise DigestMismatch(
            f"{file.path} was received with the SHA-256 {digest.hexdigest()} instead of "
            f"{file.sha256}. Nothing was saved."
        )
