"""Files to and from a server."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from obeya.artifacts.manifest import (
    FileEntry,
    artifact_digest,
    file_document,
    local_files,
    sha256_of,
)
from obeya.artifacts.paths import artifact_path
from obeya.artifacts.records import Artifact, ArtifactFile
from obeya.documents.artifacts import artifact_from_document
from obeya.errors import AlreadyExists, DigestMismatch, NotFound, Unreachable
from obeya.remote._requests import version_path
from obeya.remote.transport import Transport

Progress = Callable[[str, int], None]
_BREAKS_MAX = 5


def no_progress(path: str, size: int) -> None:
    """Say nothing of a file that is done."""


class ArtifactOperations:
    """Uploads and downloads of what versions are made of."""

    _api: Transport

    def get_artifact(self, model: str, version: int) -> Artifact:
        """The files of a version, and what was told of them. Raises `NotFound`."""
        return artifact_from_document(self._api.get(*version_path(model, version), "artifact"))

    def store_file(self, file: Path) -> str:
        """Send the content of a file, unless the server has it from before; its SHA-256.

        Raises:
            TooLarge, StorageFull: the server has no room for it.
        """
        sha256 = sha256_of(file)
        if not self._api.exists("blobs", sha256):
            self._api.put_file("blobs", sha256, file=file)
        return sha256

    def upload_artifact(
        self, model: str, version: int, source: str | Path, *, progress: Progress = no_progress
    ) -> Artifact:
        """Make a version of a file or folder of this machine. It must be in Development.

        Content that the server has from before is not sent again, so that an upload that broke off
        goes on where it was. `progress` is called with path and bytes of each file that is done.

        Raises:
            InvalidInput: there is no such file or folder, or a name in it cannot be.
            Conflict: the version has left Development.
            DigestMismatch: it was registered with another digest.
            TooLarge, StorageFull: the server has no room for a file.
        """
        entries = []
        for path, file in local_files(Path(source)).items():
            entries.append(FileEntry(path, self.store_file(file)))
            progress(path, file.stat().st_size)
        body = {
            "files": [file_document(entry) for entry in entries],
            "digest": artifact_digest(entries),
        }
        return artifact_from_document(
            self._api.put(*version_path(model, version), "artifact", body=body)
        )

    def download_artifact(
        self, model: str, version: int, target: str | Path, *, progress: Progress = no_progress
    ) -> Artifact:
        """Write the files of a version into a folder that is not there yet, or is empty.

        The folder appears when all files are whole and have the digests on record.

        Raises:
            NotFound: no such version, or it has no files in the registry.
            AlreadyExists: there is something at `target`.
            DigestMismatch: what came is not what is on record.
            Unreachable: the server broke off, again and again.
        """
        folder = Path(target)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise AlreadyExists(f"There is something at {folder} already.", field="target")
        artifact = self.get_artifact(model, version)
        if artifact.size is None:
            raise NotFound(
                f"{model} v{version} has no files in the registry, only what is on record of them.",
                what="file",
            )
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".obeya-", dir=folder.parent))
        try:
            for file in artifact.files:
                # The server's word is not trusted to lead nowhere else.
                path = draft / artifact_path(file.path)
                path.parent.mkdir(parents=True, exist_ok=True)
                self._download(model, version, file, path)
                progress(file.path, file.size)
            draft.chmod(0o755)
            draft.replace(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return artifact

    def _download(self, model: str, version: int, file: ArtifactFile, path: Path) -> None:
        digest, size = hashlib.sha256(), 0
        address = (*version_path(model, version), "artifact", "files", *file.path.split("/"))
        with path.open("wb") as out:
            for attempt in range(_BREAKS_MAX):
                try:
                    with self._api.chunks(*address, start=size) as pieces:
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
                f"{file.path} came with the SHA-256 {digest.hexdigest()}; on record is "
                f"{file.sha256}. Nothing was kept."
            )
